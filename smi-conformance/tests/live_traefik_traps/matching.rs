//! Which requests a rule takes.

use smi_core::compile::CompileOptions;
use smi_core::ir::EncodedSlashes;

use crate::mesh::{FORBIDDEN, Mesh, PORT, Seen, granted, limited, pod, service, target, workload};

/// 0.7: a pattern that closes Traefik's string takes over nobody's traffic.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_7_a_backtick_in_a_pattern_is_a_backtick() {
    let hostile = "---\napiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: h, namespace: a}\nspec: {matches: [{name: p, pathRegex: '/x`) || Host(`s.a.mesh'}, {name: q, headers: [{x-a: '`) || PathPrefix(`/'}]}, {name: r, headers: [{x-a: 'a\"b&&c'}]}]}\n";
    let documents = [
        granted("all"),
        workload("evil", "127.77.1.6"),
        service("evil", "evil", PORT, ""),
        hostile.to_owned(),
        target("evil", "evil", "{kind: HTTPRouteGroup, name: h}", &["web"]),
    ];
    let mut mesh = Mesh::of(&documents.concat());
    assert_eq!(mesh.get("127.77.0.1", "s.a.mesh/"), pod("127.77.1.1"));
    assert_eq!(mesh.get("127.77.0.1", "evil.a.mesh/"), FORBIDDEN);
    assert_eq!(mesh.get("127.77.0.1", "nobody.a.mesh/"), Seen::Status(404));
    let exact = [("x-a", "a\"b&&c")];
    assert_eq!(mesh.send("127.77.0.1", "GET", "evil.a.mesh/", &exact), pod("127.77.1.6"));
}

/// 5.1.2, 5.1.15: any line of a header may match, a comma list is one value, an alias of its name is no such header.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_2_headers_match_by_line_and_name() {
    let mut mesh = Mesh::of(&granted("beta"));
    let mut send = |headers: &[(&str, &str)]| mesh.send("127.77.0.1", "GET", "s.a.mesh/", headers);
    let served = pod("127.77.1.1");
    assert_eq!(send(&[("x-user", "beta")]), served);
    assert_eq!(send(&[("X-USER", "zz"), ("x-user", "beta")]), served);
    for refused in [
        [("x-user", "xbeta")],
        [("x-user", "beta2")],
        [("x-user", "a,beta")],
        [("x_user", "beta")],
        [("x.user", "beta")],
    ] {
        assert_eq!(send(&refused), FORBIDDEN, "{refused:?}");
    }
}

/// 5.1.13: what is matched is what the application receives; encoded slashes and the like go nowhere.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_13_paths_are_matched_as_they_are_forwarded() {
    let mut mesh = Mesh::of(&granted("one"));
    for (path, expected) in [
        ("/one", pod("127.77.1.1")),
        ("//one", pod("127.77.1.1")),
        ("/two/../one", pod("127.77.1.1")),
        ("/%6Fne", pod("127.77.1.1")),
        ("/one/../two", FORBIDDEN),
        ("/one/%2e%2e/two", FORBIDDEN),
        ("/x/one", FORBIDDEN),
        ("/one%2F..%2Ftwo", Seen::Status(400)),
        ("/one%5Ctwo", Seen::Status(400)),
        ("/one%00", Seen::Status(400)),
    ] {
        assert_eq!(mesh.get("127.77.0.1", &format!("s.a.mesh{path}")), expected, "{path}");
    }
}

/// 5.1.13: Traefik forwards a raw backslash as `%5C` where that is let through, so neither is, and what stands beside one opens nothing:
/// the pod receives the path that was granted.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_13b_backslashes_are_refused_whatever_is_kept() {
    let mut keeping = CompileOptions::default();
    keeping.settings.encoded_slashes = EncodedSlashes::Keep;
    let mut mesh = Mesh::start();
    for options in [CompileOptions::default(), keeping] {
        let slash = if options.settings.encoded_slashes == EncodedSlashes::Keep {
            FORBIDDEN
        } else {
            Seen::Status(400)
        };
        mesh.load_with(&granted("one"), options);
        for (path, expected) in [
            (r"/one\a", Seen::Status(400)),
            (r"/.\one", Seen::Status(400)),
            (r"/one\../two", Seen::Status(400)),
            (r"/two\../one", Seen::Status(400)),
            (r"/one/.\two", Seen::Status(400)),
            (r"/one\%2e%2e/two", Seen::Status(400)),
            ("/one%5Ca", Seen::Status(400)),
            ("/one/..%5ctwo", Seen::Status(400)),
            ("/two%2Fone", slash),
            // What is removed is not looked at, and beside a byte that should have been escaped `%2F` is a slash.
            (r"/two\x/../one", pod("127.77.1.1")),
            (r"/one\x/../two", FORBIDDEN),
            (r"/one\x/../..%2Ftwo", FORBIDDEN),
            (r"/one\x%2F..%2Ftwo", FORBIDDEN),
            ("/one|/..%2Ftwo", FORBIDDEN),
            ("/two|%2F../one", pod("127.77.1.1")),
        ] {
            assert_eq!(mesh.get("127.77.0.1", &format!("s.a.mesh{path}")), expected, "{path}");
        }
        // Who may call nothing is not told apart by it either.
        assert_eq!(mesh.get("127.77.0.3", r"s.a.mesh/.\one"), Seen::Status(400));
    }
}

/// 5.1.16: a CONNECT is answered by Traefik itself and reaches no pod, whatever is granted.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_16_connect_reaches_nobody() {
    let mut mesh = Mesh::of(&limited(""));
    for caller in ["127.77.0.2", "127.77.0.3"] {
        assert_eq!(mesh.send(caller, "CONNECT", "s.a.mesh/", &[]), Seen::Status(501));
    }
}

//! Flags that would have no effect, or values that mean nothing, are refused.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/store");

/// Exit code, and what is said on standard error.
fn smi(arguments: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smi"));
    command.args(arguments.split(' ').map(|a| if a == "STORE" { STORE } else { a }));
    let output = command.output().unwrap();
    if output.status.code() == Some(2) {
        assert!(output.stdout.is_empty(), "{arguments}");
    }
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn refused(arguments: &str, why: &str) {
    let (code, said) = smi(arguments);
    assert_eq!(code, Some(2), "{arguments}: {said}");
    assert!(said.starts_with("error: ") && said.contains(why), "{arguments}: {said}");
}

#[test]
fn flags_of_the_other_backend_or_form_are_refused() {
    for flag in
        ["--target sidecar/shop/cart-v1-1", "--format json", "--xds", "--pod-trust x", "--inbound-port 15009"]
    {
        let name = flag.split(' ').next().unwrap();
        refused(
            &format!("render --backend traefik {flag} STORE"),
            &format!("`{name}` is for `--backend envoy`"),
        );
    }
    refused("render --backend traefik --watched --out /nonexistent STORE", "`--watched` is for");
    for flag in ["--open-udp", "--api", "--provider-file x", "--ready-port 8082", "--provider-url http://x"] {
        let name = flag.split(' ').next().unwrap();
        refused(
            &format!("render --backend envoy {flag} STORE"),
            &format!("`{name}` is for `--backend traefik`"),
        );
    }
    refused("render --backend envoy --watched --out /nonexistent --format pb STORE", "are JSON");
    // Flags for both.
    assert_eq!(smi("render --backend envoy --static --bind 127.0.0.1 STORE").0, Some(0));
}

#[test]
fn names_that_are_none_are_refused() {
    for domain in ["", ".", "a b", "me_sh", "-mesh", "a..b"] {
        let output = Command::new(env!("CARGO_BIN_EXE_smi"))
            .args(["compile", &format!("--mesh-domain={domain}"), STORE])
            .output()
            .unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{domain:?}");
    }
    for domain in ["", "Cluster.local", "a/b", "a b"] {
        let output = Command::new(env!("CARGO_BIN_EXE_smi"))
            .args(["compile", &format!("--trust-domain={domain}"), STORE])
            .output()
            .unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{domain:?}");
    }
    assert_eq!(smi("compile --mesh-domain .Mesh.Example. --trust-domain prod_1.example STORE").0, Some(0));
}

#[test]
#[cfg(feature = "serve")]
fn serve_tells_what_it_misses() {
    refused("serve xds --files /nonexistent --listen 127.0.0.1:1 STORE", "cannot be used with");
    refused("serve xds --node-account a/b STORE", "the following required arguments");
    refused(
        "serve xds --certificates /nonexistent STORE",
        "no certificate of this server: cannot read `/nonexistent/ca.crt`",
    );
    refused("serve xds --certificates /nonexistent --account smi STORE", "invalid value 'smi'");
}

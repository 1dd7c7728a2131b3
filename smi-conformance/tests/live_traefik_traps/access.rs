//! Who is served.

use crate::mesh::{
    FORBIDDEN, Mesh, PORT, SPECS, Seen, half_granted, http, pod, service, split, target, workload,
};

/// 0.2: a target whose sources have no pod makes an empty allow list, for which Traefik would keep its old document for ever.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_2_a_source_without_pods_freezes_nothing() {
    let base = [
        workload("other", "127.77.0.3"),
        workload("s", "127.77.1.1"),
        service("s", "s", PORT, ""),
        SPECS.to_owned(),
        target("web", "s", &http("all"), &["web"]),
    ]
    .concat();
    let mut mesh = Mesh::of(&base);
    assert_eq!(mesh.get("127.77.0.1", "s.a.mesh/"), FORBIDDEN);
    assert_eq!(mesh.get("127.77.0.3", "s.a.mesh/"), FORBIDDEN);
    mesh.load(&[base, workload("web", "127.77.0.1")].concat());
    assert_eq!(mesh.get("127.77.0.1", "s.a.mesh/"), pod("127.77.1.1"));
    assert_eq!(mesh.get("127.77.0.3", "s.a.mesh/"), FORBIDDEN);
}

/// 0.3, 5.1.14, 5.3.5: whoever writes another's address into a header stays who he is, behind a split and before it.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_3_forged_headers_name_nobody() {
    let mut mesh = Mesh::of(&half_granted());
    for name in ["X-Forwarded-For", "X-Real-Ip", "Forwarded", "X_Forwarded_For", "True-Client-IP"] {
        for value in ["127.77.0.1", "for=127.77.0.1", "127.77.0.1, 127.0.0.1", "127.77.0.1, 127.77.0.1"] {
            for host in ["v2.a.mesh/", "root.a.mesh/", "root.a.mesh/"] {
                assert_eq!(mesh.send("127.77.0.3", "GET", host, &[(name, value)]), FORBIDDEN, "{name}");
            }
            // Nor does it take anything from its owner.
            let forged = [(name, "127.77.0.3")];
            assert_eq!(mesh.send("127.77.0.1", "GET", "v2.a.mesh/", &forged), pod("127.77.1.2"));
        }
    }
}

/// 0.4, 5.1.7, 5.3.2, 5.3.3: targets add up on overlapping rules, in any order of documents, after any start.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_4_targets_add_up_after_every_start() {
    let mut documents = vec![
        workload("web", "127.77.0.1"),
        workload("admin", "127.77.0.2"),
        workload("other", "127.77.0.3"),
        workload("s", "127.77.1.1"),
        service("s", "s", PORT, ""),
        SPECS.to_owned(),
        target("same-1", "s", &http("one"), &["web"]),
        target("same-2", "s", &http("one"), &["admin"]),
        target("more", "s", &http("read"), &["admin"]),
    ];
    for _ in 0..5 {
        let mut mesh = Mesh::of(&documents.concat());
        let served = pod("127.77.1.1");
        for (caller, method, path, expected) in [
            ("127.77.0.1", "GET", "/one", &served),
            ("127.77.0.1", "POST", "/one", &served),
            ("127.77.0.1", "GET", "/two", &FORBIDDEN),
            ("127.77.0.2", "GET", "/one", &served),
            ("127.77.0.2", "POST", "/one", &served),
            ("127.77.0.2", "GET", "/two", &served),
            ("127.77.0.2", "POST", "/two", &FORBIDDEN),
            ("127.77.0.3", "GET", "/one", &FORBIDDEN),
            // 5.1.4: GET is not HEAD.
            ("127.77.0.2", "HEAD", "/two", &FORBIDDEN),
        ] {
            let url = format!("s.a.mesh{path}");
            assert_eq!(mesh.send(caller, method, &url, &[]), *expected, "{caller} {method} {path}");
        }
        documents.rotate_left(2);
    }
}

/// 0.5, 5.3.6, 5.3.7: TCP checks its callers, behind a split too, and closes on others at once instead of waiting for their first byte.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_5_tcp_checks_its_callers() {
    let port = "{name: tcp-db, port: 5432, targetPort: $TCP}";
    let documents = [
        workload("web", "127.77.0.1"),
        workload("other", "127.77.0.3"),
        workload("db", "127.77.1.1"),
        workload("db2", "127.77.1.2"),
        workload("db3", "127.77.1.3"),
        service("db", "db", port, ""),
        service("db2", "db2", port, ""),
        service("db3", "db3", port, ""),
        service("root", "none", port, ""),
        split("{service: db, weight: 4}, {service: db2, weight: 1}"),
        SPECS.to_owned(),
        target("db", "db", "{kind: TCPRoute, name: tcp}", &["web"]),
        target("db2", "db2", "{kind: TCPRoute, name: tcp}", &["web"]),
        target("db3", "db3", &http("all"), &["web"]),
    ];
    let mut mesh = Mesh::of(&documents.concat());
    assert_eq!(mesh.tcp("127.77.0.1", "db", 5432), pod("127.77.1.1"));
    assert_eq!(mesh.tcp("127.77.0.1", "db3", 5432), Seen::Closed, "an HTTP rule opens no TCP");
    for service in ["db", "db2", "db3", "root"] {
        assert_eq!(mesh.tcp("127.77.0.3", service, 5432), Seen::Closed, "{service}");
    }
    // 5.2.11: exact per connection. 0.6: at the port of the pods, not of the Service.
    let mut seen: Vec<Seen> = (0..20).map(|_| mesh.tcp("127.77.0.1", "root", 5432)).collect();
    seen.sort();
    assert_eq!(seen, [vec![pod("127.77.1.1"); 16], vec![pod("127.77.1.2"); 4]].concat());
}

/// 0.6: the second port of a Service is its own, with targets for it and behind a split.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_6_a_second_port_is_its_own() {
    let ports = "{name: http, port: 80, targetPort: $HTTP}, {name: http-b, port: 81, targetPort: $OTHER}";
    let documents = [
        workload("web", "127.77.0.1"),
        workload("s", "127.77.1.1"),
        service("s", "s", ports, ""),
        service("root", "none", ports, ""),
        split("{service: s, weight: 1}"),
        SPECS.to_owned(),
        "---\napiVersion: access.smi-spec.io/v1alpha2\nkind: TrafficTarget\nmetadata: {name: t, namespace: a}\nspec: {destination: {kind: ServiceAccount, name: s, namespace: a, port: $OTHER}, rules: [{kind: HTTPRouteGroup, name: g, matches: [all]}], sources: [{kind: ServiceAccount, name: web, namespace: a}]}\n".to_owned(),
    ];
    let mut mesh = Mesh::of(&documents.concat());
    for host in ["s.a.mesh", "root.a.mesh"] {
        assert_eq!(mesh.get("127.77.0.1", &format!("{host}#80/")), FORBIDDEN);
        assert_eq!(mesh.get("127.77.0.1", &format!("{host}#81/")), pod("127.77.1.1"));
    }
}

/// 5.3.4, 0.11, S30: each leaf decides by itself in the same hop, and a refusal is part of the leaf's share.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_3_4_each_leaf_refuses_its_own_share() {
    let mut mesh = Mesh::of(&half_granted());
    let mut seen: Vec<Seen> = (0..10).map(|_| mesh.get("127.77.0.1", "root.a.mesh/")).collect();
    seen.sort();
    assert_eq!(seen, [vec![pod("127.77.1.2"); 5], vec![FORBIDDEN; 5]].concat());
}

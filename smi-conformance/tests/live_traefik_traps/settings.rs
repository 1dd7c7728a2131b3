//! Limits, breakers, retries, schemes; leaves that are down.

use std::io::{Read as _, Write as _};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use smi_core::hub::names::Port;
use smi_core::ir::ListenerKey;

use crate::mesh::{FORBIDDEN, Mesh, PORT, SPECS, Seen, http, limited, pod, service, split, target, workload};
use crate::wire::{OK, WAIT, connect, head, listen, refusing, status};

/// One service `s` at this port of its pod, two callers with different grants.
fn at_port(port: u16, annotations: &str) -> String {
    limited(annotations).replace("targetPort: $HTTP", &format!("targetPort: {port}"))
}

/// 5.1.9: the number of tries includes the first, and only failed connections are tried again: here TLS that the pod does not speak.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_9_tries_include_the_first() {
    let (arrived, arrivals) = mpsc::channel();
    let port = listen("127.77.1.1", move |mut stream| {
        let _ = stream.read(&mut [0; 1]);
        arrived.send(()).unwrap();
    });
    let mut mesh = Mesh::start();
    for (scheme, attempts, tries) in [("https", 1, 1), ("https", 3, 3), ("http", 3, 1)] {
        let annotations =
            format!("mesh.smi-sdk.io/scheme: {scheme}, mesh.smi-sdk.io/retry-attempts: \"{attempts}\"");
        mesh.load(&at_port(port, &annotations));
        assert!(matches!(mesh.get("127.77.0.2", "s.a.mesh/"), Seen::Status(500..=502)));
        for _ in 0..tries {
            arrivals.recv_timeout(WAIT).unwrap();
        }
        assert_eq!(arrivals.try_iter().count(), 0, "{scheme} {attempts}");
    }
}

/// 5.1.10: a breaker that one caller's requests opened is open for all callers of the service.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_10_a_breaker_is_one_per_service() {
    let (_held, closed) = refusing("127.77.1.1");
    let mut mesh = Mesh::start();
    mesh.load(&at_port(closed, "mesh.smi-sdk.io/circuit-breaker-expression: NetworkErrorRatio() > 0.5"));
    assert_eq!(mesh.get("127.77.0.2", "s.a.mesh/"), Seen::Status(502));
    let start = Instant::now();
    while mesh.get("127.77.0.1", "s.a.mesh/") == Seen::Status(502) {
        assert!(start.elapsed() < WAIT, "the breaker never opened");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(mesh.get("127.77.0.1", "s.a.mesh/"), Seen::Status(503));
    assert_eq!(mesh.get("127.77.0.2", "s.a.mesh/"), Seen::Status(503));
    assert_eq!(mesh.get("127.77.0.3", "s.a.mesh/"), FORBIDDEN);
}

/// 5.1.11: by default Traefik counts per router and per caller; a limit is of a service, whoever calls and however the host is spelt.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_11_a_rate_limit_is_one_bucket_per_service() {
    let mut mesh = Mesh::start();
    mesh.load(&limited("mesh.smi-sdk.io/ratelimit-average: \"1\", mesh.smi-sdk.io/ratelimit-burst: \"8\""));
    // Who is refused does not count.
    for _ in 0..20 {
        assert_eq!(mesh.get("127.77.0.3", "s.a.mesh/"), FORBIDDEN);
        assert_eq!(mesh.send("127.77.0.1", "POST", "s.a.mesh/", &[]), FORBIDDEN);
    }
    let mut served = 0;
    for host in ["s.a.mesh/", "S.a.mesh/", "s.A.mesh/", "s.a.mesh./", "s.a.mesh:80/", "s.a.mesh:81/"] {
        for caller in ["127.77.0.1", "127.77.0.2"] {
            for forged in [vec![], vec![("X-Forwarded-Server", "x")], vec![("X_Forwarded_Server", "x")]] {
                match mesh.send(caller, "GET", host, &forged) {
                    Seen::Pod(_) => served += 1,
                    Seen::Status(429) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    // One more for each second that this took.
    assert!((8..18).contains(&served), "{served} of 36 served");
}

/// 5.1.11: requests in flight are counted for the service, not for each router, caller or spelling.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_11b_in_flight_is_one_count_per_service() {
    let (arrived, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let port = listen("127.77.1.1", move |mut stream| {
        head(&stream);
        arrived.send(()).unwrap();
        // Until the other end is dropped; then nothing waits any more.
        let _ = released.lock().unwrap().recv();
        let _ = stream.write_all(OK);
    });
    let mut mesh = Mesh::start();
    mesh.load(&at_port(port, "mesh.smi-sdk.io/max-in-flight: \"1\""));
    let entry = mesh.ir.listeners.entries[&ListenerKey::Http(Port::new(80).unwrap())].get();
    let mut first = connect("127.77.0.1", entry);
    first.write_all(b"GET / HTTP/1.1\r\nHost: s.a.mesh\r\n\r\n").unwrap();
    arrivals.recv_timeout(WAIT).unwrap();
    for host in ["s.a.mesh/", "S.a.mesh:80/", "s.a.mesh./"] {
        assert_eq!(mesh.get("127.77.0.2", host), Seen::Status(429));
    }
    drop(release);
    assert_eq!(status(&mut first), 200);
    let start = Instant::now();
    let mut last = Seen::Silence;
    while last != Seen::Status(200) {
        assert!(start.elapsed() < WAIT, "{last:?}");
        let mut next = connect("127.77.0.2", entry);
        next.write_all(b"GET / HTTP/1.1\r\nHost: s.a.mesh\r\n\r\n").unwrap();
        last = Seen::Status(status(&mut next));
    }
}

/// 5.2.4, 5.2.5: a leaf without pods keeps its share and fails it; a leaf that is down fails its share unless retries are asked for.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_2_4_a_dead_leaf_keeps_its_share() {
    let mut mesh = Mesh::start();
    let world = |target_port: &str, v2: &str, annotations: &str| {
        [
            workload("web", "127.77.0.1"),
            workload("v1", "127.77.1.1"),
            workload("v2", "127.77.1.2"),
            service("v1", "v1", PORT, ""),
            service("v2", v2, &format!("{{name: http, port: 80, targetPort: {target_port}}}"), ""),
            service("root", "none", PORT, annotations),
            split("{service: v1, weight: 3}, {service: v2, weight: 1}"),
            SPECS.to_owned(),
            target("v1", "v1", &http("all"), &["web"]),
            target("v2", "v2", &http("all"), &["web"]),
        ]
        .concat()
    };
    let (_held, closed) = refusing("127.77.1.2");
    let closed = closed.to_string();
    let retry = "mesh.smi-sdk.io/retry-attempts: \"3\"";
    for (text, failed) in [
        (world("$HTTP", "nobody", ""), vec![Seen::Status(503); 5]),
        (world(&closed, "v2", ""), vec![Seen::Status(502); 5]),
        (world(&closed, "v2", retry), vec![]),
    ] {
        mesh.load(&text);
        let mut seen: Vec<Seen> = (0..20).map(|_| mesh.get("127.77.0.1", "root.a.mesh/")).collect();
        seen.sort();
        assert_eq!(seen, [vec![pod("127.77.1.1"); 20 - failed.len()], failed].concat());
    }
}

/// S34: what pods speak is what is spoken to them, from the first byte.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn schemes_are_spoken_on_the_wire() {
    let (first, bytes) = mpsc::channel();
    let port = listen("127.77.1.1", move |mut stream| {
        let mut start = [0; 3];
        stream.read_exact(&mut start).unwrap();
        first.send(start).unwrap();
    });
    let mut mesh = Mesh::start();
    for (scheme, expected) in [("http", *b"GET"), ("h2c", *b"PRI"), ("https", [0x16, 3, 1])] {
        mesh.load(&at_port(port, &format!("mesh.smi-sdk.io/scheme: {scheme}")));
        mesh.get("127.77.0.2", "s.a.mesh/");
        assert_eq!(bytes.recv_timeout(WAIT).unwrap(), expected, "{scheme}");
        while bytes.try_recv().is_ok() {}
    }
}

//! Which document a proxy has.

use std::io::Write as _;

use smi_conformance::subject::LiveProxy as _;
use smi_core::backend::{Backend, ProxyTarget};
use smi_traefik::Traefik;

use crate::mesh::{Mesh, half_granted, limited};
use crate::wire::{connect, status};

/// 5.4, 7.7: the marker tells which document a proxy has; readiness is a route of the document.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_4_the_marker_is_of_the_document_that_is_loaded() {
    let mut mesh = Mesh::start();
    let ready = mesh.live.subject().options().ready_port;
    let get = |path: &str| {
        let mut stream = connect("127.0.0.1", ready);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        status(&mut stream)
    };
    assert_eq!(get("/ready"), 404, "a proxy without a rendered document is not ready");
    let mut previous = None;
    for text in [limited(""), half_granted(), String::new()] {
        mesh.load(&text);
        let rendered =
            Traefik { options: mesh.live.subject().options().clone() }.render(&mesh.ir, &ProxyTarget::Node);
        let marker = format!("/config/{}", rendered.output.hash);
        assert_eq!((get("/ready"), get(&marker)), (200, 200));
        if let Some(previous) = previous.replace(marker) {
            assert_eq!(get(&previous), 404);
        }
    }
}

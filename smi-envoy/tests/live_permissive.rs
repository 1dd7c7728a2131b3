//! Permissive mode (S21) and probes (S32) at a real Envoy. Needs `SMI_ENVOY` (the binary), `curl` and `openssl`; binds loopback addresses
//! as pods.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test"
)]

mod live;

use std::net::SocketAddr;

use smi_core::cluster::PodId;
use smi_core::compile::{CompileOptions, MeshMode, compile};
use smi_core::hub::names::Namespaced;
use smi_core::load::{Input, Limits, load};
use smi_envoy::AppAddress;

use live::app::App;
use live::mesh::Mesh;
use live::world::World;
use live::{curl, free_port, start};

#[test]
#[ignore = "needs Envoy"]
fn what_would_be_denied_passes_and_is_counted() {
    let mut world = World::new(67)
        .pod("known", 11)
        .service("known", &[])
        .tcp_service("known-tcp", "known", true)
        .pod("other", 12)
        .service_without_grant("other", &[])
        .tcp_service("other-tcp", "other", false);
    world.mode = MeshMode::Permissive;
    let ir = world.compiled();
    let _apps = [11, 12].map(|host| App::serve(SocketAddr::new(world.at(host), 8080)));
    let (node, sidecar) = world.start("permissive");
    assert_eq!(node.codes(), Vec::<&str>::new());
    for proxy in [&node, &sidecar] {
        let denials = || proxy.running.iter().map(|r| r.count("shadow_denied")).sum::<u64>();
        let [known, other] = [11, 12].map(|host| format!("pod {}", world.at(host)));
        assert_eq!(denials(), 0);
        assert_eq!(proxy.ask("known.shop.mesh", "/"), format!("200 {known}"));
        assert_eq!(proxy.connect(&ir, "known-tcp"), known);
        assert_eq!(denials(), 0);
        assert_eq!(proxy.ask("other.shop.mesh", "/"), format!("200 {other}"));
        assert_eq!(denials(), 1);
        assert_eq!(proxy.connect(&ir, "other-tcp"), other);
        assert_eq!(denials(), 2);
    }
}

#[test]
#[ignore = "needs Envoy"]
fn a_sidecar_lets_probes_through_and_nothing_else() {
    let probed = "apiVersion: v1\nkind: Pod\nmetadata: {name: probed, namespace: shop, labels: {app: probed}}\n\
         spec:\n  serviceAccountName: probed\n  containers:\n  - name: app\n    ports: [{name: http, containerPort: 18473}]\n\
         \x20   readinessProbe: {httpGet: {path: /healthz, port: http}}\n\
         status: {phase: Running, podIP: 127.0.68.11, conditions: [{type: Ready, status: 'True'}]}\n";
    let world = load(&[Input::new("world.yaml", probed)], &Limits::default());
    assert!(!world.report.has_errors(), "{:?}", world.report);
    // Of themselves, with no option.
    let ir = compile(&world.hub, &world.cluster, &CompileOptions::default()).ir;
    let mut mesh = Mesh::of(ir, "probes");
    mesh.backend.options.sidecar.app = AppAddress::Loopback;
    let app = App::serve("127.0.0.1:18473".parse().unwrap());
    let admin = free_port();
    let config = mesh.render(&PodId::pod(Namespaced::new("shop", "probed")), admin);
    let file = mesh.folder.join("probed.json");
    std::fs::write(&file, config.static_bootstrap().json().unwrap()).unwrap();
    let _running = start(&file, admin);
    let status = |method: &str, target: &str| {
        let url = format!("http://127.0.68.11:18473{target}");
        curl(&["--path-as-is", "-X", method, "-o", "/dev/null", "-w", "%{http_code}", &url])
    };
    assert_eq!(status("GET", "/healthz"), "200");
    assert_eq!(status("GET", "/./healthz?verbose"), "200");
    assert_eq!(app.seen(), 2);
    for (method, target) in [
        ("POST", "/healthz"),
        ("GET", "/"),
        ("GET", "/healthz/"),
        ("GET", "/healthz/../admin"),
        ("GET", "/healthzz"),
    ] {
        assert_eq!(status(method, target), "403", "{method} {target}");
    }
    assert_eq!(app.seen(), 2, "nothing else reaches the application");
}

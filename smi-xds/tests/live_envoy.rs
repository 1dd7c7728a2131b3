//! A real Envoy, kept equal to snapshots that change under it. Needs `SMI_ENVOY`; binds loopback addresses as pods.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

#[path = "support/envoy/mod.rs"]
mod envoy;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use envoy::*;
use smi_xds::identity::secrets;
use smi_xds::{ByNodeId, DevIssuer, IdentitySource as _, Snapshot, linked, node};

/// Answers come from both pods at first; each change is visible in the next answer after its acknowledgement, and no request fails.
fn changes_under_load(base: u8, sotw: bool) {
    let mut shop = Shop::new(base);
    shop.serve();
    let mut mesh = Mesh::start(ByNodeId::default(), None);
    mesh.set(&shop);
    let proxy = mesh.envoy(&shop, "node~load", sotw);
    let started = Instant::now();
    proxy.live();
    assert!(started.elapsed() < Duration::from_secs(5), "ready after {:?}", started.elapsed());

    let over = Arc::new(AtomicBool::new(false));
    let (served, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let load = {
        let (over, served, failed, at) =
            (Arc::clone(&over), Arc::clone(&served), Arc::clone(&failed), shop.entry());
        let from = shop.web();
        std::thread::spawn(move || {
            let mut client = Caller::new(from, at);
            while !over.load(Relaxed) {
                match client.get("cart.shop.mesh", "/items") {
                    Some((200, _)) => served.fetch_add(1, Relaxed),
                    other => {
                        eprintln!("failed: {other:?}");
                        failed.fetch_add(1, Relaxed)
                    }
                };
                std::thread::sleep(Duration::from_millis(2));
            }
        })
    };
    let mut client = Caller::new(shop.web(), shop.entry());
    let started = Instant::now();
    for change in 0..50_u32 {
        // Weights and endpoints in turn.
        if change % 2 == 0 {
            shop.weights = if shop.weights == (1, 0) { (0, 1) } else { (1, 0) };
        } else {
            shop.second = !shop.second;
        }
        mesh.set(&shop);
        mesh.settled();
        for _ in 0..3 {
            let (status, body) = client.get("cart.shop.mesh", "/items").expect("an answer");
            assert_eq!(status, 200);
            assert_eq!(body, shop.expected(), "change {change} is not visible");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let took = started.elapsed();
    over.store(true, Relaxed);
    load.join().unwrap();
    println!("50 changes in {took:?}, {} requests, {} failed", served.load(Relaxed), failed.load(Relaxed));
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_eq!(failed.load(Relaxed), 0);
    assert!(served.load(Relaxed) > 50);
    proxy.no_faults();
}

#[test]
#[ignore = "needs Envoy"]
fn fifty_changes_under_load_lose_no_request_incremental() {
    changes_under_load(40, false);
}

#[test]
#[ignore = "needs Envoy"]
fn fifty_changes_under_load_lose_no_request_state_of_the_world() {
    changes_under_load(50, true);
}

#[test]
#[ignore = "needs Envoy"]
fn a_removed_grant_is_enforced_on_the_request_after_the_answer() {
    let mut shop = Shop::new(60);
    shop.serve();
    let mut mesh = Mesh::start(ByNodeId::default(), None);
    mesh.set(&shop);
    let proxy = mesh.envoy(&shop, "node", false);
    proxy.live();
    let mut client = Caller::new(shop.web(), shop.entry());
    for _ in 0..10 {
        shop.granted = true;
        mesh.set(&shop);
        mesh.settled();
        assert_eq!(client.get("cart.shop.mesh", "/items").unwrap().0, 200);
        shop.granted = false;
        mesh.set(&shop);
        mesh.settled();
        assert_eq!(client.get("cart.shop.mesh", "/items").unwrap().0, 403);
    }
    proxy.no_faults();
}

/// Envoy waits up to 15 s for the assignment of a changed cluster, and withholds its answer.
fn no_stall(base: u8, sotw: bool) {
    let mut shop = Shop::new(base);
    shop.serve();
    let mut mesh = Mesh::start(ByNodeId::default(), None);
    mesh.set(&shop);
    let proxy = mesh.envoy(&shop, "node", sotw);
    proxy.live();
    mesh.settled();
    for timeout in 2..7 {
        shop.connect_timeout = timeout * 1000;
        let started = Instant::now();
        mesh.set(&shop);
        mesh.settled();
        assert!(started.elapsed() < Duration::from_secs(3), "answered after {:?}", started.elapsed());
        assert_eq!(proxy.stat("cluster_manager.warming_clusters"), 0);
    }
    proxy.no_faults();
}

#[test]
#[ignore = "needs Envoy"]
fn a_changed_cluster_does_not_stall_incremental() {
    no_stall(70, false);
}

#[test]
#[ignore = "needs Envoy"]
fn a_changed_cluster_does_not_stall_state_of_the_world() {
    no_stall(80, true);
}

#[test]
#[ignore = "needs Envoy"]
fn a_restarted_server_finds_its_proxies_serving_and_sends_only_what_changed() {
    let mut shop = Shop::new(110);
    shop.serve();
    let mut mesh = Mesh::start(ByNodeId::default(), None);
    mesh.set(&shop);
    let proxy = mesh.envoy(&shop, "node", false);
    proxy.live();
    mesh.settled();
    let mut client = Caller::new(shop.web(), shop.entry());
    mesh.stop();
    for _ in 0..20 {
        assert_eq!(client.get("cart.shop.mesh", "/items").unwrap().0, 200, "it serves without the server");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Another replica, with a change made meanwhile.
    shop.weights = (0, 1);
    mesh.restart();
    mesh.set(&shop);
    mesh.settled();
    assert_eq!(client.get("cart.shop.mesh", "/items").unwrap(), (200, shop.expected()));
    let totals = mesh.server().totals();
    // A greeting for each of the two wildcards, the changed routes, and nothing else.
    assert!(totals.responses <= 5, "{totals:?}");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(mesh.server().totals().responses, totals.responses, "no storm");
    proxy.no_faults();
}

#[test]
#[ignore = "needs Envoy"]
fn nodes_are_known_by_certificate_and_secrets_rotate_while_serving() {
    const NODE: &str = "spiffe://cluster.local/ns/smi-system/sa/node";
    const XDS: &str = "spiffe://cluster.local/ns/smi-system/sa/xds";
    let issuer = Arc::new(DevIssuer::new("cluster.local", Duration::from_secs(3600)).unwrap());
    let mut shop = Shop::new(120);
    shop.serve();
    let placement = ByNodeId { trust_domain: "cluster.local".into(), nodes: vec![NODE.into()] };
    let tls = smi_xds::Tls::mutual(Arc::clone(&issuer) as Arc<dyn smi_xds::IdentitySource>, XDS).unwrap();
    let mesh = Mesh::start(placement, Some(tls));
    let with_secrets = |shop: &Shop| {
        let mut all = shop.resources();
        all.extend(secrets(&*issuer, NODE).unwrap());
        let cluster = shop.config().resources.clusters.keys().next().cloned().unwrap();
        all.push(tls_listener(shop.tls_entry(), NODE, &cluster));
        Snapshot::new(linked(all))
    };
    mesh.store.set(node::NODES, with_secrets(&shop));

    // A certificate of somebody else, none at all.
    let folder = Files::new("mtls", shop.base);
    folder.write("ca.crt", &issuer.trust()[0].authorities);
    let other = issuer.identity("spiffe://cluster.local/ns/shop/sa/web").unwrap();
    folder.write("other.crt", &other.chain);
    folder.write("other.key", &other.key);
    let own = issuer.identity(NODE).unwrap();
    folder.write("own.crt", &own.chain);
    folder.write("own.key", &own.key);
    for certificate in [Some("other"), None] {
        let denied = mesh.server().totals();
        let stranger = mesh.envoy_tls(&shop, "node", &folder, certificate, XDS);
        eventually("it tries", || mesh.server().totals().connections > denied.connections);
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(mesh.server().totals().responses, 0, "a stranger gets nothing");
        assert_eq!(mesh.server().clients().len(), 0);
        drop(stranger);
    }
    assert!(mesh.server().totals().denied > 0);

    let proxy = mesh.envoy_tls(&shop, "node", &folder, Some("own"), XDS);
    proxy.live();
    mesh.settled();
    let mut client = Caller::new(shop.web(), shop.entry());
    assert_eq!(client.get("cart.shop.mesh", "/items").unwrap().0, 200);
    eventually("TLS is served", || served_certificate(shop.tls_entry()).is_some());
    let mut before = served_certificate(shop.tls_entry()).unwrap();
    for _ in 0..5 {
        issuer.rotate();
        mesh.store.set(node::NODES, with_secrets(&shop));
        mesh.settled();
        let after = served_certificate(shop.tls_entry()).expect("no handshake fails");
        assert_ne!(after, before, "the new certificate is served");
        before = after;
    }
    shop.weights = (0, 1);
    mesh.store.set(node::NODES, with_secrets(&shop));
    mesh.settled();
    assert_eq!(client.get("cart.shop.mesh", "/items").unwrap(), (200, shop.expected()));
    proxy.no_faults();
}

//! A real Envoy refuses one resource of each type: it is reported with its origin and parked, and everything else goes on. Needs
//! `SMI_ENVOY`; binds loopback addresses as pods.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/envoy/mod.rs"]
mod envoy;

use std::net::TcpStream;
use std::time::Duration;

use envoy::*;
use prost::Message as _;
use smi_envoy::config::Any;
use smi_envoy::config::address::{Address, Protocol};
use smi_envoy::config::listener::{HttpConnectionManager, Listener};
use smi_envoy::config::matcher::RegexMatcher;
use smi_envoy::config::route::PathSpecifier;
use smi_xds::kind::{CLUSTER, LISTENER, ROUTE};
use smi_xds::{ByNodeId, Resource, Snapshot, linked, node};

/// A resource that Envoy refuses, the last of these, and what it takes for Envoy to ask for it.
type Unsound = fn(&Shop) -> Vec<Resource>;

/// A time-out of nothing spoils every cluster sent with it.
fn cluster(_: &Shop) -> Vec<Resource> {
    vec![unsound(Resource::new(CLUSTER, "unsound", b"\x0a\x07unsound\x22\x02\x08\x00"))]
}

/// A listener without filter chains.
fn listener(shop: &Shop) -> Vec<Resource> {
    let listener = Listener::at(Address::new(shop.tls_entry(), Protocol::Tcp));
    vec![unsound(Resource::new(LISTENER, listener.name.as_str(), &listener.encode_to_vec()))]
}

/// Two virtual hosts for everything, behind a listener that is sound.
fn routes(shop: &Shop) -> Vec<Resource> {
    let config = shop.config().resources;
    let address = Address::new(shop.tls_entry(), Protocol::Tcp);
    let mut listener = Listener {
        filter_chains: config.listeners.values().next().unwrap().filter_chains.clone(),
        ..Listener::at(address)
    };
    let filter = &mut listener.filter_chains[0].filters[0].typed_config;
    let mut manager = filter.as_ref().unwrap().unpack::<HttpConnectionManager>().unwrap();
    manager.rds.as_mut().unwrap().route_config_name = "unsound".into();
    *filter = Some(Any::pack(&manager));
    let mut routes = config.routes.values().next().unwrap().clone();
    routes.name = "unsound".into();
    let mut again = routes.virtual_hosts.last().unwrap().clone();
    again.name = "again".into();
    routes.virtual_hosts.push(again);
    vec![
        Resource::new(LISTENER, listener.name.as_str(), &listener.encode_to_vec()),
        unsound(Resource::new(ROUTE, "unsound", &routes.encode_to_vec())),
    ]
}

fn unsound(resource: Resource) -> Resource {
    resource.with_origins(["TrafficTarget shop/unsound".to_owned()])
}

fn refusal(base: u8, sotw: bool, faulty: Unsound) {
    let mut shop = Shop::new(base);
    shop.serve();
    let mut mesh = Mesh::start(ByNodeId::default(), None);
    let extra = faulty(&shop);
    let name = extra.last().unwrap().name().to_string();
    let with = |shop: &Shop| {
        let mut all = shop.resources();
        all.extend(extra.iter().cloned());
        Snapshot::new(linked(all))
    };
    mesh.store.set(node::NODES, with(&shop));
    let proxy = mesh.envoy(&shop, "node", sotw);
    proxy.live();
    eventually("it is refused", || !mesh.parked().is_empty());
    mesh.settled();
    let mut caller = Caller::new(shop.web(), shop.entry());
    assert_eq!(caller.get("cart.shop.mesh", "/items").unwrap().0, 200, "the others work");
    assert_eq!(mesh.parked(), [(name, vec!["TrafficTarget shop/unsound".to_owned()])]);
    let before = mesh.server().totals();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(mesh.server().totals().requests, before.requests, "it does not go round and round");
    // Changes of others take effect, and it is not sent with them.
    shop.weights = (0, 1);
    mesh.store.set(node::NODES, with(&shop));
    mesh.settled();
    assert_eq!(caller.get("cart.shop.mesh", "/items").unwrap(), (200, shop.expected()));
    shop.granted = false;
    mesh.store.set(node::NODES, with(&shop));
    mesh.settled();
    assert_eq!(caller.get("cart.shop.mesh", "/items").unwrap().0, 403);
    assert_eq!(mesh.server().totals().nacks, before.nacks, "it is not sent again");
    mesh.set(&shop);
    mesh.settled();
    assert_eq!(mesh.parked(), []);
}

#[test]
#[ignore = "needs Envoy"]
fn a_refused_cluster_is_reported_and_parked_incremental() {
    refusal(90, false, cluster);
}

#[test]
#[ignore = "needs Envoy"]
fn a_refused_cluster_is_reported_and_parked_state_of_the_world() {
    refusal(100, true, cluster);
}

#[test]
#[ignore = "needs Envoy"]
fn a_refused_listener_is_reported_and_parked_incremental() {
    refusal(130, false, listener);
}

#[test]
#[ignore = "needs Envoy"]
fn a_refused_listener_is_reported_and_parked_state_of_the_world() {
    refusal(140, true, listener);
}

#[test]
#[ignore = "needs Envoy"]
fn refused_routes_are_reported_and_parked_incremental() {
    refusal(150, false, routes);
}

#[test]
#[ignore = "needs Envoy"]
fn refused_routes_are_reported_and_parked_state_of_the_world() {
    refusal(160, true, routes);
}

/// Envoy refuses the routes of a port for one virtual host. A grant that is taken back in another host at the same moment, and any later,
/// takes effect all the same.
fn one_host(base: u8, sotw: bool) {
    let mut shop = Shop::new(base);
    shop.serve();
    let mut mesh = Mesh::start(ByNodeId::default(), None);
    mesh.set(&shop);
    let proxy = mesh.envoy(&shop, "node", sotw);
    proxy.live();
    mesh.settled();
    let mut caller = Caller::new(shop.web(), shop.entry());
    assert_eq!(caller.get("cart.shop.mesh", "/items").unwrap().0, 200);
    let with_unsound_host = |shop: &Shop| {
        let mut config = shop.config().resources;
        let routes = config.routes.values_mut().next().unwrap();
        let mut host = routes.virtual_hosts.last().unwrap().clone();
        (host.name, host.domains) = ("unsound".into(), vec!["unsound.mesh".into()]);
        let path = PathSpecifier::SafeRegex(RegexMatcher { regex: "(".into() });
        host.routes[0].r#match.as_mut().unwrap().path = Some(path);
        routes.virtual_hosts.insert(0, host);
        let resource = |r: smi_envoy::Resource| Resource::new(r.kind.type_url().as_str(), r.name, &r.encoded);
        Snapshot::new(linked(config.iter().map(resource)))
    };
    shop.granted = false;
    mesh.store.set(node::NODES, with_unsound_host(&shop));
    eventually("it is refused", || !mesh.parked().is_empty());
    mesh.settled();
    assert_eq!(caller.get("cart.shop.mesh", "/items").unwrap().0, 403, "what was taken back is closed");
    assert_ne!(caller.get("unsound.mesh", "/items").unwrap().0, 404, "its host is nobody else's");
    assert_eq!(mesh.closed(), ["unsound"]);
    let before = mesh.server().totals();
    shop.granted = true;
    shop.weights = (0, 1);
    mesh.store.set(node::NODES, with_unsound_host(&shop));
    mesh.settled();
    assert_eq!(caller.get("cart.shop.mesh", "/items").unwrap(), (200, shop.expected()));
    shop.granted = false;
    mesh.store.set(node::NODES, with_unsound_host(&shop));
    mesh.settled();
    assert_eq!(caller.get("cart.shop.mesh", "/items").unwrap().0, 403);
    assert_eq!(mesh.server().totals().nacks, before.nacks, "the host is not tried again");
    assert_eq!(mesh.closed(), ["unsound"]);
    mesh.set(&shop);
    mesh.settled();
    assert_eq!(mesh.parked(), []);
}

#[test]
#[ignore = "needs Envoy"]
fn one_refused_host_holds_nothing_back_incremental() {
    one_host(170, false);
}

#[test]
#[ignore = "needs Envoy"]
fn one_refused_host_holds_nothing_back_state_of_the_world() {
    one_host(180, true);
}

/// Envoy listens on what is sound of a response that it refuses. That closes when it is gone from the snapshot, whether the server has heard
/// of the refusal by then or not, and although Envoy reads nothing of the response that takes it away.
fn one_listener(base: u8, sotw: bool) {
    let shop = Shop::new(base);
    let mut mesh = Mesh::start(ByNodeId::default(), None);
    mesh.set(&shop);
    let proxy = mesh.envoy(&shop, "node", sotw);
    proxy.live();
    mesh.settled();
    let open = Listener {
        filter_chains: shop.config().resources.listeners.values().next().unwrap().filter_chains.clone(),
        ..Listener::at(Address::new(shop.tls_entry(), Protocol::Tcp))
    };
    let mut elsewhere = shop.tls_entry();
    elsewhere.set_port(elsewhere.port() - 1);
    let empty = Listener::at(Address::new(elsewhere, Protocol::Tcp));
    let listener = |l: &Listener| Resource::new(LISTENER, l.name.as_str(), &l.encode_to_vec());
    let unreadable = Resource::new(LISTENER, "unreadable", b"\xff");
    let with = |extra: &[Resource]| {
        let mut all = shop.resources();
        all.extend(extra.iter().cloned());
        Snapshot::new(linked(all))
    };
    let listens = || TcpStream::connect_timeout(&shop.tls_entry(), Duration::from_secs(1)).is_ok();
    let nacks = |mesh: &Mesh| mesh.server().totals().nacks;

    mesh.store.set(node::NODES, with(&[listener(&open), listener(&empty)]));
    eventually("the sound one listens", || listens() && !mesh.parked().is_empty());
    mesh.set(&shop);
    mesh.settled();
    eventually("it is closed after the refusal", || !listens());

    for wait in [0, 1, 2, 4, 8, 16, 32] {
        let before = nacks(&mesh);
        mesh.store.set(node::NODES, with(&[listener(&open), listener(&empty)]));
        std::thread::sleep(Duration::from_millis(wait));
        mesh.set(&shop);
        mesh.settled();
        eventually("it is closed whenever the refusal comes", || !listens());
        if wait == 32 {
            assert!(nacks(&mesh) > before, "it was refused");
        }

        mesh.store.set(node::NODES, with(&[listener(&open), listener(&empty)]));
        std::thread::sleep(Duration::from_millis(wait));
        mesh.store.set(node::NODES, with(std::slice::from_ref(&unreadable)));
        mesh.settled();
        eventually("it is closed although that was refused too", || !listens());
        assert_eq!(mesh.parked(), [("unreadable".to_owned(), vec![])]);
        mesh.set(&shop);
        mesh.settled();
    }
}

#[test]
#[ignore = "needs Envoy"]
fn a_listener_of_a_refused_response_closes_when_it_is_gone_incremental() {
    one_listener(190, false);
}

#[test]
#[ignore = "needs Envoy"]
fn a_listener_of_a_refused_response_closes_when_it_is_gone_state_of_the_world() {
    one_listener(200, true);
}

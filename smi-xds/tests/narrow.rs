//! A client refuses a route configuration for some of its virtual hosts: those are closed, and all else of it takes effect.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use prost::Message as _;
use smi_envoy::config::route::{
    DirectResponse, PathSpecifier, Route, RouteActionKind, RouteConfiguration, RouteMatch, VirtualHost,
};
use smi_xds::Protocol::{self, Delta, Sotw};
use smi_xds::kind::ROUTE;
use smi_xds::session::Response;
use smi_xds::status::Event;
use smi_xds::wire::{Any, DeltaDiscoveryRequest, DeltaResource, DiscoveryRequest, RpcStatus};
use smi_xds::{Limits, Published, Resource, Session, Snapshot};
use std::sync::Arc;

/// Hosts by name, with what they answer. Above this the client refuses them.
type Hosts = BTreeMap<u8, u32>;
const BAD: u32 = 600;
const CLOSED: u32 = 503;

fn routes(hosts: &Hosts) -> Resource {
    let host = |(name, status): (&u8, &u32)| VirtualHost {
        name: format!("h{name}"),
        domains: vec![format!("h{name}.mesh")],
        routes: vec![Route {
            r#match: Some(RouteMatch { path: Some(PathSpecifier::Prefix("/".into())), headers: vec![] }),
            action: Some(RouteActionKind::DirectResponse(DirectResponse { status: *status })),
            ..Route::default()
        }],
        ..VirtualHost::default()
    };
    let config = RouteConfiguration { name: "r".into(), virtual_hosts: hosts.iter().map(host).collect() };
    Resource::new(ROUTE, "r", &config.encode_to_vec()).with_origins(["Service r".to_owned()])
}

/// A client that refuses route configurations with a bad host.
struct Client {
    session: Session,
    published: Option<Arc<Published>>,
    uses: Hosts,
    /// Everything it ever used.
    history: Vec<Hosts>,
    refusals: usize,
    events: Vec<Event>,
}

impl Client {
    fn new(protocol: Protocol) -> Self {
        let mut client = Self {
            session: Session::new(protocol, None, Limits::default()),
            published: None,
            uses: Hosts::new(),
            history: Vec::new(),
            refusals: 0,
            events: Vec::new(),
        };
        client.say(String::new(), None);
        client
    }

    fn say(&mut self, nonce: String, error: Option<String>) {
        let error_detail = error.map(|message| RpcStatus { code: 13, message });
        let names = vec!["r".to_owned()];
        match self.session.protocol() {
            Sotw => self.session.on_sotw(DiscoveryRequest {
                type_url: ROUTE.into(),
                resource_names: names,
                response_nonce: nonce,
                error_detail,
                ..Default::default()
            }),
            Delta => self.session.on_delta(DeltaDiscoveryRequest {
                type_url: ROUTE.into(),
                resource_names_subscribe: if nonce.is_empty() { names } else { vec![] },
                response_nonce: nonce,
                error_detail,
                ..Default::default()
            }),
        }
        .unwrap();
    }

    fn publish(&mut self, hosts: &Hosts) {
        let snapshot = Snapshot::new([routes(hosts)]);
        let next = match &self.published {
            Some(old) => old.next(snapshot),
            None => Some(Published::first(snapshot)),
        };
        if let Some(next) = next.map(Arc::new) {
            self.published = Some(Arc::clone(&next));
            self.session.on_snapshot(next);
        }
    }

    /// Takes and answers at most so many responses.
    fn take(&mut self, most: usize) {
        for _ in 0..most {
            let Some(response) = self.session.poll(0) else { break };
            let (nonce, value) = match response {
                Response::Sotw(r) => (r.nonce, Any::decode(r.resources[0].clone()).unwrap().value),
                Response::Delta(r) => {
                    let resource = DeltaResource::decode(r.resources[0].clone()).unwrap();
                    (r.nonce, resource.resource.unwrap().value)
                }
            };
            let config = RouteConfiguration::decode(value).unwrap();
            let status = |host: VirtualHost| {
                let number = host.name.trim_start_matches('h').parse().unwrap();
                assert_eq!(host.domains, [format!("h{number}.mesh")]);
                let RouteActionKind::DirectResponse(answer) = host.routes[0].action.clone().unwrap() else {
                    panic!("{host:?}")
                };
                (number, answer.status)
            };
            let hosts: Hosts = config.virtual_hosts.into_iter().map(status).collect();
            if hosts.values().any(|status| *status > BAD) {
                self.refusals += 1;
                self.say(nonce, Some("no such status".into()));
            } else {
                self.history.push(hosts.clone());
                self.uses = hosts;
                self.say(nonce, None);
            }
        }
        self.events.extend(self.session.take_events());
    }

    fn closed(&self) -> Vec<String> {
        let topic = &self.session.status()[0];
        topic.parked.iter().flat_map(|parked| parked.closed.clone()).collect()
    }

    /// The last that was reported.
    fn reported(&self) -> Option<&[String]> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Closed { hosts, .. } => Some(&**hosts),
            Event::Sent { .. } | Event::Accepted { .. } | Event::Refused { .. } | _ => None,
        })
    }
}

fn hosts(of: &[(u8, u32)]) -> Hosts {
    of.iter().copied().collect()
}

#[test]
fn only_the_bad_host_is_closed_and_what_changed_beside_it_takes_effect() {
    for protocol in [Delta, Sotw] {
        let mut client = Client::new(protocol);
        client.publish(&hosts(&[(0, 200), (1, 200), (2, 200), (3, 200)]));
        client.take(9);
        client.history.clear();
        // A grant is taken back in one host, and another becomes bad.
        client.publish(&hosts(&[(0, 200), (1, 403), (2, 999), (3, 200)]));
        client.take(9);
        assert_eq!(client.uses, hosts(&[(0, 200), (1, 403), (2, CLOSED), (3, 200)]));
        // At once, and hosts that did not change were never closed.
        assert_eq!(client.history[0], hosts(&[(0, 200), (1, CLOSED), (2, CLOSED), (3, 200)]));
        assert_eq!(client.closed(), ["h2"]);
        assert_eq!(client.reported().unwrap(), ["h2"]);
        assert!(client.session.status()[0].is_settled());
        assert_eq!(client.session.status()[0].parked[0].origins, ["Service r"]);
        // Other changes neither try it again nor wait for it.
        let refusals = client.refusals;
        client.publish(&hosts(&[(0, 201), (1, 403), (2, 999), (4, 200)]));
        client.take(1);
        assert_eq!(client.uses, hosts(&[(0, 201), (1, 403), (2, CLOSED), (4, 200)]));
        assert_eq!(client.refusals, refusals);
        assert_eq!(client.closed(), ["h2"]);
        // It is mended.
        client.publish(&hosts(&[(0, 201), (2, 202)]));
        client.take(1);
        assert_eq!(client.uses, hosts(&[(0, 201), (2, 202)]));
        assert_eq!(client.closed(), [""; 0]);
        assert!(client.session.status()[0].parked.is_empty());
    }
}

#[test]
fn a_single_host_is_closed_after_one_refusal() {
    let mut client = Client::new(Delta);
    client.publish(&hosts(&[(0, 999)]));
    client.take(2);
    assert_eq!((client.uses.clone(), client.refusals), (hosts(&[(0, CLOSED)]), 1));
    client.take(1);
    assert_eq!(client.session.poll(0), None);
}

#[test]
fn one_of_many_is_found_by_halves() {
    let mut client = Client::new(Delta);
    let mut all: Hosts = (0..=255).map(|name| (name, 200)).collect();
    client.publish(&all);
    client.take(9);
    for (name, status) in &mut all {
        *status = if *name == 77 { 999 } else { 201 };
    }
    client.publish(&all);
    client.take(100);
    assert_eq!(client.closed(), ["h77"]);
    assert!(client.history.len() + client.refusals <= 20, "{} and {}", client.history.len(), client.refusals);
    all.insert(77, CLOSED);
    assert_eq!(client.uses, all);
}

#[test]
fn what_cannot_be_mended_by_closing_is_parked_as_before() {
    // The client refuses it whatever its hosts are.
    let mut client = Client::new(Delta);
    client.publish(&hosts(&[(0, 200)]));
    client.take(1);
    client.publish(&hosts(&[(0, 201)]));
    let mut told = 0;
    while let Some(Response::Delta(response)) = client.session.poll(0) {
        told += 1;
        client.say(response.nonce, Some("not today".into()));
        assert!(told < 5);
    }
    let status = &client.session.status()[0];
    assert_eq!((status.parked.len(), status.parked[0].closed.len()), (1, 0));
    assert!(status.is_settled());
    let events = client.session.take_events();
    let parked = events.iter().any(|e| matches!(e, Event::Refused { parked, .. } if parked.len() == 1));
    assert!(parked, "{events:?}");
}

fn world() -> impl Strategy<Value = Hosts> {
    let status = prop_oneof![4 => 200..203_u32, 1 => 700..702_u32];
    prop::collection::btree_map(0..12_u8, status, 0..12)
}

proptest! {
    #[test]
    fn every_host_ends_as_it_should_be_or_closed_and_is_never_open_to_what_was_never_published(
        delta in any::<bool>(),
        steps in prop::collection::vec((world(), 0..6_usize), 1..8),
    ) {
        let mut client = Client::new(if delta { Delta } else { Sotw });
        let mut ever: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
        for (world, takes) in &steps {
            world.iter().for_each(|(name, status)| ever.entry(*name).or_default().push(*status));
            client.publish(world);
            client.take(*takes);
        }
        client.take(1_000);
        let (last, _) = steps.last().unwrap();
        let expected: Hosts =
            last.iter().map(|(name, status)| (*name, if *status > BAD { CLOSED } else { *status })).collect();
        prop_assert_eq!(&client.uses, &expected);
        let bad: Vec<String> = last.iter().filter(|(_, s)| **s > BAD).map(|(n, _)| format!("h{n}")).collect();
        let mut closed = client.closed();
        closed.sort_by_key(|name| name.trim_start_matches('h').parse::<u8>().unwrap());
        prop_assert_eq!(closed, bad);
        prop_assert!(client.session.status()[0].is_settled());
        for (name, status) in client.history.iter().flatten() {
            prop_assert!(*status == CLOSED || ever[name].contains(status));
        }
        prop_assert!(client.refusals <= 30 * steps.len());
    }
}

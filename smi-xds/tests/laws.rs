//! Laws of the state machine, on random worlds, random clients and nonsense.
//!
//! - whatever happens on the way, a client that goes on answering ends with what the snapshot says, but for what it refuses;
//! - with sound snapshots and no refusal, no route a client uses ever refers to a cluster it does not use, and no cluster Envoy warms
//!   misses its assignment;
//! - no input panics, and a silent client is sent a bounded number of responses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;
use smi_xds::Protocol::{Delta, Sotw};
use smi_xds::kind::{CLUSTER, ENDPOINT, ROUTE};
use smi_xds::session::Response;
use smi_xds::wire::{Any, DeltaDiscoveryRequest, DeltaResource, DiscoveryRequest, RpcStatus};
use smi_xds::{Limits, Protocol, Resource, Session};
use support::*;

/// A world: clusters with a content each, routes with a content and the clusters they use.
#[derive(Clone, Default)]
struct World {
    clusters: BTreeMap<u8, u8>,
    assignments: BTreeMap<u8, u8>,
    routes: BTreeMap<u8, (u8, BTreeSet<u8>)>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values: Vec<_> =
            self.resources().iter().map(|r| (r.type_url().short().to_owned(), r.value())).collect();
        write!(f, "{values:?}")
    }
}

/// Contents above this are refused.
const BAD: u8 = 200;

impl World {
    fn resources(&self) -> Vec<Resource> {
        // Values carry name and references, so that the client can check what it uses.
        let mut all = Vec::new();
        for (name, value) in &self.clusters {
            all.push(cluster(&format!("c{name}"), &format!("c{name}={value}")));
        }
        for (name, value) in self.assignments.iter().filter(|(name, _)| self.clusters.contains_key(name)) {
            all.push(endpoints(&format!("c{name}"), &format!("c{name}={value}")));
        }
        for (name, (value, uses)) in &self.routes {
            let uses: Vec<String> =
                uses.iter().filter(|c| self.clusters.contains_key(c)).map(|c| format!("c{c}")).collect();
            let refs: Vec<&str> = uses.iter().map(String::as_str).collect();
            all.push(route(&format!("r{name}"), &format!("r{name}={value}|{}", uses.join(",")), &refs));
        }
        all
    }
}

fn world(contents: std::ops::Range<u8>) -> impl Strategy<Value = World> {
    let clusters = prop::collection::btree_map(0..6_u8, contents.clone(), 0..6);
    let assignments = prop::collection::btree_map(0..6_u8, 0..4_u8, 0..6);
    let uses = prop::collection::btree_set(0..6_u8, 0..4);
    let routes = prop::collection::btree_map(0..3_u8, (contents, uses), 0..3);
    (clusters, assignments, routes).prop_map(|(clusters, assignments, routes)| World {
        clusters,
        assignments,
        routes,
    })
}

#[derive(Clone, Debug)]
enum Step {
    Publish(World),
    /// The client takes a response.
    Take,
    /// The client answers the oldest response it has taken.
    Answer,
    /// Nonsense about a response that never was.
    Stale(u16),
}

fn steps(contents: std::ops::Range<u8>) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => world(contents).prop_map(Step::Publish),
        4 => Just(Step::Take),
        3 => Just(Step::Answer),
        1 => any::<u16>().prop_map(Step::Stale),
    ];
    prop::collection::vec(step, 1..60)
}

/// A client that keeps what it is sent, as Envoy does: it refuses a response with a bad resource as a whole, warms new clusters until
/// their assignment is there, asks for the assignments of its clusters, and answers in order.
struct Client {
    protocol: Protocol,
    session: Session,
    published: Option<std::sync::Arc<smi_xds::Published>>,
    now: u64,
    clusters: BTreeMap<String, String>,
    /// Sent, and waiting for their assignment since.
    warming: BTreeMap<String, String>,
    assignments: BTreeMap<String, String>,
    routes: BTreeMap<String, String>,
    unlinked: BTreeSet<String>,
    answers: VecDeque<(String, String, bool)>,
    /// Answers to cluster responses wait for warming.
    withheld: VecDeque<(String, String, bool)>,
    asked: BTreeSet<String>,
    nonces: BTreeMap<String, String>,
}

const ROUTES: [&str; 3] = ["r0", "r1", "r2"];

impl Client {
    fn new(protocol: Protocol) -> Self {
        let mut client = Self {
            protocol,
            session: Session::new(protocol, None, Limits::default()),
            published: None,
            now: 0,
            clusters: BTreeMap::new(),
            warming: BTreeMap::new(),
            assignments: BTreeMap::new(),
            routes: BTreeMap::new(),
            unlinked: BTreeSet::new(),
            answers: VecDeque::new(),
            withheld: VecDeque::new(),
            asked: BTreeSet::new(),
            nonces: BTreeMap::new(),
        };
        client.request(CLUSTER, &[], &[]);
        client.request(ROUTE, &ROUTES, &[]);
        client
    }

    /// Adds and removes names; state of the world tells the whole list.
    fn request(&mut self, kind: &str, add: &[&str], remove: &[&str]) {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        match self.protocol {
            Delta => {
                let request = DeltaDiscoveryRequest {
                    type_url: kind.into(),
                    resource_names_subscribe: owned(add),
                    resource_names_unsubscribe: owned(remove),
                    ..Default::default()
                };
                self.session.on_delta(request).unwrap();
            }
            Sotw => self.sotw(kind, self.nonces.get(kind).cloned().unwrap_or_default(), None),
        }
    }

    fn sotw(&mut self, kind: &str, nonce: String, error: Option<RpcStatus>) {
        let names = match kind {
            ENDPOINT => self.asked.iter().cloned().collect(),
            ROUTE => ROUTES.map(str::to_owned).to_vec(),
            _ => Vec::new(),
        };
        let request = DiscoveryRequest {
            type_url: kind.into(),
            resource_names: names,
            response_nonce: nonce,
            error_detail: error,
            ..Default::default()
        };
        self.session.on_sotw(request).unwrap();
    }

    fn publish(&mut self, world: &World) {
        let snapshot = smi_xds::Snapshot::new(world.resources());
        if self.protocol == Sotw {
            // State of the world cannot say that a route is gone: its listener drops it.
            self.unlinked
                .extend(self.routes.keys().filter(|name| snapshot.get(ROUTE, name).is_none()).cloned());
        }
        let next = match &self.published {
            Some(old) => old.next(snapshot),
            None => Some(smi_xds::Published::first(snapshot)),
        };
        if let Some(next) = next.map(std::sync::Arc::new) {
            self.published = Some(std::sync::Arc::clone(&next));
            self.session.on_snapshot(next);
        }
    }

    /// Takes a response; false: there is none.
    fn take(&mut self) -> bool {
        let Some(response) = self.session.poll(self.now) else { return false };
        let (kind, nonce, values, removed) = match response {
            Response::Sotw(r) => {
                let values =
                    r.resources.into_iter().map(|b| Any::decode(b).unwrap().value).collect::<Vec<_>>();
                (r.type_url, r.nonce, values, None)
            }
            Response::Delta(r) => {
                let values = r
                    .resources
                    .into_iter()
                    .map(|b| DeltaResource::decode(b).unwrap().resource.unwrap().value);
                (r.type_url, r.nonce, values.collect(), Some(r.removed_resources))
            }
        };
        self.nonces.insert(kind.clone(), nonce.clone());
        let pairs: BTreeMap<String, String> = values.iter().map(pair).collect();
        let refused = pairs.values().any(|v| content(v) > BAD && kind != ENDPOINT);
        if !refused {
            self.apply(&kind, pairs, removed);
        }
        let answer = (kind, nonce, refused);
        if answer.0 == CLUSTER && !self.warming.is_empty() {
            self.withheld.push_back(answer);
        } else {
            if self.warming.is_empty() {
                self.answers.append(&mut self.withheld);
            }
            self.answers.push_back(answer);
        }
        true
    }

    fn apply(&mut self, kind: &str, pairs: BTreeMap<String, String>, removed: Option<Vec<String>>) {
        match kind {
            CLUSTER => {
                let gone: Vec<String> = match removed {
                    Some(removed) => removed,
                    None => self
                        .clusters
                        .keys()
                        .chain(self.warming.keys())
                        .filter(|n| !pairs.contains_key(*n))
                        .cloned()
                        .collect(),
                };
                for name in &gone {
                    self.clusters.remove(name);
                    self.warming.remove(name);
                    self.assignments.remove(name);
                    self.asked.remove(name);
                }
                let changed: Vec<(String, String)> = pairs
                    .into_iter()
                    .filter(|(n, v)| self.warming.get(n).or(self.clusters.get(n)) != Some(v))
                    .collect();
                let mut add = Vec::new();
                for (name, value) in changed {
                    if self.asked.insert(name.clone()) {
                        add.push(name.clone());
                    }
                    self.warming.insert(name, value);
                }
                let add: Vec<&str> = add.iter().map(String::as_str).collect();
                let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
                // As Envoy: state of the world repeats the list after each change, incremental tells differences only.
                if self.protocol == Sotw || !add.is_empty() || !gone.is_empty() {
                    self.request(ENDPOINT, &add, &gone);
                }
            }
            ENDPOINT => {
                for (name, value) in pairs {
                    if let Some(cluster) = self.warming.remove(&name) {
                        self.clusters.insert(name.clone(), cluster);
                    }
                    self.assignments.insert(name, value);
                }
                if self.warming.is_empty() {
                    self.answers.append(&mut self.withheld);
                }
            }
            ROUTE => {
                self.unlinked.retain(|name| !pairs.contains_key(name));
                self.routes.extend(pairs);
                for name in removed.unwrap_or_default() {
                    self.routes.remove(&name);
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self) -> bool {
        let Some((kind, nonce, refused)) = self.answers.pop_front() else { return false };
        let error = refused.then(|| RpcStatus { code: 13, message: "no".into() });
        match self.protocol {
            Delta => {
                let request = DeltaDiscoveryRequest {
                    type_url: kind,
                    response_nonce: nonce,
                    error_detail: error,
                    ..Default::default()
                };
                self.session.on_delta(request).unwrap();
            }
            Sotw => self.sotw(&kind, nonce, error),
        }
        true
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Publish(world) => self.publish(world),
            Step::Take => drop(self.take()),
            Step::Answer => drop(self.answer()),
            Step::Stale(n) => {
                let nonce = format!("{}", 1_000_000 + u64::from(*n));
                let error = Some(RpcStatus { code: 1, message: "nonsense".into() });
                match self.protocol {
                    Delta => {
                        let request = DeltaDiscoveryRequest {
                            type_url: CLUSTER.into(),
                            response_nonce: nonce,
                            error_detail: error,
                            ..Default::default()
                        };
                        self.session.on_delta(request).unwrap();
                    }
                    Sotw => self.sotw(CLUSTER, nonce, error),
                }
            }
        }
    }

    /// Goes on until nothing more happens; `patient`: no wait of the server's may run out.
    fn finish(&mut self, patient: bool) {
        for _ in 0..10_000 {
            if self.answer() || self.take() {
                continue;
            }
            match self.session.deadline(self.now) {
                Some(at) if !patient => self.now = at,
                _ => return,
            }
        }
        panic!("it never ends");
    }

    /// No route refers to a cluster that cannot serve.
    fn check_references(&self) {
        for (name, value) in &self.routes {
            if self.unlinked.contains(name) {
                continue;
            }
            let uses = value.split_once('|').map_or("", |(_, uses)| uses);
            for cluster in uses.split(',').filter(|c| !c.is_empty()) {
                assert!(
                    self.clusters.contains_key(cluster),
                    "route {name} uses {cluster}, which is not there: {:?}",
                    self.clusters
                );
            }
        }
    }
}

fn pair(value: &Bytes) -> (String, String) {
    let text = String::from_utf8_lossy(value).into_owned();
    match text.split_once('=') {
        Some((name, _)) => (name.to_owned(), text.clone()),
        // The empty assignment: tag, length, name.
        None => (text.chars().skip(2).collect(), text),
    }
}

fn content(value: &str) -> u8 {
    let number = value.split_once('=').map_or("", |(_, rest)| rest);
    number.split('|').next().unwrap_or_default().parse().unwrap_or(0)
}

fn last_world(steps: &[Step]) -> Option<&World> {
    steps.iter().rev().find_map(|s| if let Step::Publish(world) = s { Some(world) } else { None })
}

fn expected(world: &World, kind: &str) -> BTreeMap<String, String> {
    let snapshot = smi_xds::Snapshot::new(world.resources());
    snapshot.iter().filter(|r| r.type_url().as_str() == kind).map(|r| pair(&r.value())).collect()
}

fn good(map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.iter().filter(|(_, v)| content(v) <= BAD).map(|(n, v)| (n.clone(), v.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_client_that_answers_ends_with_the_snapshot_and_never_refers_to_nothing(
        delta in any::<bool>(), steps in steps(0..3)
    ) {
        let mut client = Client::new(if delta { Delta } else { Sotw });
        for step in &steps {
            client.step(step);
            client.check_references();
        }
        // Not one wait may have to run out, or Envoy would stall.
        client.finish(true);
        client.check_references();
        let Some(world) = last_world(&steps) else { return Ok(()) };
        prop_assert!(client.warming.is_empty(), "clusters wait for assignments: {:?}", client.warming);
        prop_assert_eq!(&client.clusters, &expected(world, CLUSTER));
        let mut routes = client.routes.clone();
        if !delta {
            // State of the world cannot say that a route is gone.
            routes.retain(|name, _| expected(world, ROUTE).contains_key(name));
        }
        prop_assert_eq!(routes, expected(world, ROUTE));
        for (name, value) in expected(world, ENDPOINT) {
            prop_assert_eq!(client.assignments.get(&name), Some(&value));
        }
        prop_assert!(client.session.status().iter().all(|t| t.parked.is_empty() && t.unanswered == 0));
    }

    #[test]
    fn what_a_client_refuses_spoils_nothing_else(delta in any::<bool>(), steps in steps(198..204)) {
        let mut client = Client::new(if delta { Delta } else { Sotw });
        for step in &steps {
            client.step(step);
        }
        client.finish(false);
        let Some(world) = last_world(&steps) else { return Ok(()) };
        for (kind, have) in [(CLUSTER, &client.clusters), (ROUTE, &client.routes)] {
            let wanted = expected(world, kind);
            for (name, value) in good(&wanted) {
                prop_assert_eq!(have.get(&name), Some(&value), "{} {}", kind, name);
            }
            for name in have.keys() {
                prop_assert!(wanted.contains_key(name) || (kind == ROUTE && !delta), "{} {} is gone", kind, name);
            }
            let bad = wanted.len() - good(&wanted).len();
            let parked = client.session.status().into_iter().find(|t| t.type_url.as_str() == kind).map_or(0, |t| t.parked.len());
            prop_assert_eq!(parked, bad, "{}", kind);
        }
    }

    #[test]
    fn no_input_panics_and_silence_is_not_answered_without_end(
        delta in any::<bool>(),
        worlds in prop::collection::vec(world(0..255), 1..4),
        requests in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..40),
        typed in prop::collection::vec((0..5_usize, prop::collection::vec("[a-c*]{0,2}", 0..4), "[0-9]{0,2}", any::<bool>(), any::<bool>()), 0..40),
    ) {
        let mut session = Session::new(if delta { Delta } else { Sotw }, None, Limits::default());
        let mut published = smi_xds::Published::default();
        let mut responses = 0;
        let inputs = requests.len().max(typed.len());
        for i in 0..inputs {
            if let Some(next) = worlds.get(i % (worlds.len() + 1)).and_then(|w| published.next(smi_xds::Snapshot::new(w.resources()))) {
                published = next;
                session.on_snapshot(std::sync::Arc::new(published.clone()));
            }
            if let Some(bytes) = requests.get(i) {
                if let Ok(request) = DiscoveryRequest::decode(bytes.as_slice()) { let _ = session.on_sotw(request); }
                if let Ok(request) = DeltaDiscoveryRequest::decode(bytes.as_slice()) { let _ = session.on_delta(request); }
            }
            if let Some((kind, names, nonce, refuse, other)) = typed.get(i) {
                let type_url = [CLUSTER, ENDPOINT, ROUTE, "type.googleapis.com/x.Y", ""][*kind].to_owned();
                let error_detail = refuse.then(|| RpcStatus { code: 3, message: "c1 r1".into() });
                // Either protocol's requests on either stream.
                if delta ^ other {
                    let _ = session.on_delta(DeltaDiscoveryRequest {
                        type_url,
                        resource_names_subscribe: names.clone(),
                        resource_names_unsubscribe: names.iter().rev().skip(1).cloned().collect(),
                        response_nonce: nonce.clone(),
                        error_detail,
                        initial_resource_versions: names.iter().map(|n| (n.clone(), nonce.clone())).collect(),
                        node: None,
                    });
                } else {
                    let _ = session.on_sotw(DiscoveryRequest {
                        type_url,
                        resource_names: names.clone(),
                        response_nonce: nonce.clone(),
                        error_detail,
                        ..Default::default()
                    });
                }
            }
            while session.poll(u64::try_from(i).unwrap()).is_some() { responses += 1; }
            let _ = (session.status(), session.deadline(0), session.take_events());
        }
        prop_assert!(responses <= 12 * inputs + 12, "{responses} responses to {inputs} inputs");
    }
}

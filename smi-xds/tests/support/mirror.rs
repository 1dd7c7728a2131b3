//! A client in the way of Envoy.

#![allow(unreachable_pub, reason = "a part of a test")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use prost::Message as _;
use smi_xds::Protocol::{Delta, Sotw};
use smi_xds::kind::{CLUSTER, ENDPOINT, ROUTE};
use smi_xds::session::Response;
use smi_xds::wire::{Any, DeltaDiscoveryRequest, DeltaResource, DiscoveryRequest, RpcStatus};
use smi_xds::{Limits, Protocol, Published, Session, Snapshot};

use crate::world::{BAD, Step, World, content, pair};

/// What a client does with a response in which something is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusing {
    /// It uses nothing of it, and does not say what is bad.
    Whole,
    /// It uses what is good, names what is bad and answers with an error all the same, as Envoy does.
    Bad,
}

/// A client that keeps what it is sent, as Envoy does: it warms new clusters until their assignment is there, asks for the assignments of
/// its clusters, and answers in order.
pub struct Mirror {
    protocol: Protocol,
    refusing: Refusing,
    pub session: Session,
    published: Option<Arc<Published>>,
    now: u64,
    pub clusters: BTreeMap<String, String>,
    /// Sent, and waiting for their assignment since.
    pub warming: BTreeMap<String, String>,
    pub assignments: BTreeMap<String, String>,
    pub routes: BTreeMap<String, String>,
    unlinked: BTreeSet<String>,
    answers: VecDeque<Answer>,
    /// Answers to cluster responses wait for warming.
    withheld: VecDeque<Answer>,
    asked: BTreeSet<String>,
    nonces: BTreeMap<String, String>,
}

/// Type, nonce, and why it is refused.
type Answer = (String, String, Option<String>);

const ROUTES: [&str; 3] = ["r0", "r1", "r2"];

impl Mirror {
    pub fn new(protocol: Protocol, refusing: Refusing) -> Self {
        let mut client = Self {
            protocol,
            refusing,
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
        let snapshot = Snapshot::new(world.resources());
        if self.protocol == Sotw {
            // State of the world cannot say that a route is gone: its listener drops it.
            self.unlinked
                .extend(self.routes.keys().filter(|name| snapshot.get(ROUTE, name).is_none()).cloned());
        }
        let next = match &self.published {
            Some(old) => old.next(snapshot),
            None => Some(Published::first(snapshot)),
        };
        if let Some(next) = next.map(Arc::new) {
            self.published = Some(Arc::clone(&next));
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
        let bad: Vec<&str> = pairs
            .iter()
            .filter(|(_, value)| content(value) > BAD && kind != ENDPOINT)
            .map(|(name, _)| name.as_str())
            .collect();
        let refused = match self.refusing {
            _ if bad.is_empty() => None,
            Refusing::Whole => Some("no".to_owned()),
            Refusing::Bad => Some(bad.join(", ")),
        };
        if refused.is_none() || self.refusing == Refusing::Bad {
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
                    .filter(|(_, value)| content(value) <= BAD)
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
                self.routes.extend(pairs.into_iter().filter(|(_, value)| content(value) <= BAD));
                for name in removed.unwrap_or_default() {
                    self.routes.remove(&name);
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self) -> bool {
        let Some((kind, nonce, refused)) = self.answers.pop_front() else { return false };
        let error = refused.map(|message| RpcStatus { code: 13, message });
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

    pub fn step(&mut self, step: &Step) {
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
    pub fn finish(&mut self, patient: bool) {
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
    pub fn check_references(&self) {
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

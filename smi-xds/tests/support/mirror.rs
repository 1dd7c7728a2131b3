//! A client in the way of Envoy.

#![allow(unreachable_pub, reason = "a part of a test")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use prost::Message as _;
use smi_xds::Protocol::{Delta, Sotw};
use smi_xds::kind::{CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET};
use smi_xds::session::Response;
use smi_xds::wire::{Any, DeltaDiscoveryRequest, DeltaResource, DiscoveryRequest, RpcStatus};
use smi_xds::{Limits, Protocol, Published, Session, Snapshot};

use crate::world::{BAD, Step, UNREADABLE, World, cluster_name, content, pair, used};

/// The types, in the order in which Envoy asks for them.
pub const KINDS: [&str; 5] = [CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET];

/// How long Envoy waits for the assignment of a cluster.
const PATIENCE: u64 = 15_000;

/// What a client does with a response in which something is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusing {
    /// It uses nothing of it, and does not say what is bad.
    Whole,
    /// As Envoy does: of clusters and listeners it uses what is good, names what is bad, and answers with an error all the same. Of others
    /// it uses those before the first bad one. What it cannot read spoils the whole response.
    Bad,
}

/// What the client has of a type.
#[derive(Default)]
pub struct Holding {
    pub have: BTreeMap<String, String>,
    /// Incremental: versions of what it accepted.
    versions: BTreeMap<String, String>,
    /// What a response changed although it was refused: versions do not tell.
    unsaid: BTreeSet<String>,
    /// Names it asks for.
    asked: BTreeSet<String>,
    /// It says aloud that it wants all others too.
    star: bool,
    /// It asked for the type on this stream.
    open: bool,
    /// State of the world.
    nonce: String,
    version: String,
    error: Option<String>,
    /// Nonces, and why they are refused.
    answers: VecDeque<(String, Option<String>)>,
}

impl Holding {
    fn names(&self) -> Vec<String> {
        self.asked.iter().cloned().chain(self.star.then(|| "*".to_owned())).collect()
    }
}

enum Request {
    Sotw(DiscoveryRequest),
    Delta(DeltaDiscoveryRequest),
}

/// A client that keeps what it is sent, as Envoy does: it warms new clusters until their assignment is there, answers about clusters when all
/// are warm, and asks for the assignments, routes and secrets of what it has. Between it and the server are messages on their way.
pub struct Mirror {
    protocol: Protocol,
    refusing: Refusing,
    pub session: Session,
    published: Option<Arc<Published>>,
    now: u64,
    pub holdings: BTreeMap<&'static str, Holding>,
    /// Sent, and waiting for their assignment since.
    pub warming: BTreeMap<String, (String, u64)>,
    up: VecDeque<Request>,
    down: VecDeque<Response>,
    /// No wait may run out.
    patient: bool,
    /// Nobody knows what it refers to since it came back.
    forgotten: bool,
    pub responses: usize,
    pub bound: usize,
}

impl Mirror {
    pub fn new(protocol: Protocol, refusing: Refusing, patient: bool) -> Self {
        let mut client = Self {
            protocol,
            refusing,
            session: Session::new(protocol, None, Limits::default()),
            published: None,
            now: 0,
            holdings: KINDS.iter().map(|kind| (*kind, Holding::default())).collect(),
            warming: BTreeMap::new(),
            up: VecDeque::new(),
            down: VecDeque::new(),
            patient,
            forgotten: false,
            responses: 0,
            bound: 20,
        };
        client.open();
        client
    }

    pub fn have(&self, kind: &str) -> &BTreeMap<String, String> {
        &self.holdings[kind].have
    }

    /// Names it asks for; for everything if there are none of clusters and listeners.
    pub fn asked(&self, kind: &str) -> &BTreeSet<String> {
        &self.holdings[kind].asked
    }

    fn holding(&mut self, kind: &str) -> &mut Holding {
        self.holdings.get_mut(kind).unwrap()
    }

    /// Asks for the types that it has not asked for on this stream.
    fn open(&mut self) {
        for kind in KINDS {
            let holding = &self.holdings[kind];
            let wild = kind == CLUSTER || kind == LISTENER;
            // Who warms clusters says nothing about clusters.
            if holding.open
                || (!wild && holding.asked.is_empty())
                || (kind == CLUSTER && !self.warming.is_empty())
            {
                continue;
            }
            match self.protocol {
                Delta => {
                    let request = DeltaDiscoveryRequest {
                        type_url: kind.into(),
                        resource_names_subscribe: holding.names(),
                        initial_resource_versions: holding.versions.clone().into_iter().collect(),
                        ..Default::default()
                    };
                    self.up.push_back(Request::Delta(request));
                }
                Sotw => self.tell(kind),
            }
            self.bound += 2 + self.holdings[kind].asked.len();
            self.holding(kind).open = true;
        }
    }

    /// State of the world: names, and the answer to the last response. An error is of any response since the last request.
    fn tell(&mut self, kind: &str) {
        let holding = self.holdings.get_mut(kind).unwrap();
        holding.answers.drain(..).for_each(|(_, error)| holding.error = error.or(holding.error.take()));
        let error = holding.error.take();
        self.bound += 1 + holding.asked.len();
        self.up.push_back(Request::Sotw(DiscoveryRequest {
            type_url: kind.into(),
            version_info: holding.version.clone(),
            resource_names: holding.names(),
            response_nonce: holding.nonce.clone(),
            error_detail: error.map(|message| RpcStatus { code: 13, message }),
            ..Default::default()
        }));
    }

    /// Adds and removes names; state of the world tells the whole list.
    fn change(&mut self, kind: &str, add: Vec<String>, remove: Vec<String>) {
        let holding = self.holdings.get_mut(kind).unwrap();
        for name in &remove {
            holding.asked.remove(name);
        }
        holding.asked.extend(add.iter().cloned());
        let first = kind == CLUSTER && !std::mem::replace(&mut holding.star, kind == CLUSTER);
        if !holding.open {
            return self.open();
        }
        match self.protocol {
            Delta => {
                self.bound += 1 + add.len();
                self.up.push_back(Request::Delta(DeltaDiscoveryRequest {
                    type_url: kind.into(),
                    resource_names_subscribe: add.into_iter().chain(first.then(|| "*".to_owned())).collect(),
                    resource_names_unsubscribe: remove,
                    ..Default::default()
                }));
            }
            Sotw => self.tell(kind),
        }
    }

    fn publish(&mut self, world: &World) {
        let snapshot = Snapshot::new(world.resources());
        self.bound += 4 * snapshot.len();
        let next = match &self.published {
            Some(old) => old.next(snapshot),
            None => Some(Published::first(snapshot)),
        };
        if let Some(next) = next.map(Arc::new) {
            self.bound += 4 * next.snapshot().len() + 20;
            self.published = Some(Arc::clone(&next));
            self.session.on_snapshot(next);
        }
    }

    fn send(&mut self) -> bool {
        let Some(response) = self.session.poll(self.now) else { return false };
        self.responses += 1;
        self.down.push_back(response);
        true
    }

    fn hear(&mut self) -> bool {
        match self.up.pop_front() {
            Some(Request::Sotw(request)) => self.session.on_sotw(request).unwrap(),
            Some(Request::Delta(request)) => self.session.on_delta(request).unwrap(),
            None => return false,
        }
        true
    }

    fn take(&mut self) -> bool {
        let Some(response) = self.down.pop_front() else { return false };
        let (kind, nonce, version, values, removed) = match response {
            Response::Sotw(r) => {
                let value = |b| (Any::decode(b).unwrap().value, String::new());
                let values: Vec<_> = r.resources.into_iter().map(value).collect();
                (r.type_url, r.nonce, r.version_info, values, None)
            }
            Response::Delta(r) => {
                let value = |b| {
                    let resource = DeltaResource::decode(b).unwrap();
                    (resource.resource.unwrap().value, resource.version)
                };
                let values = r.resources.into_iter().map(value).collect();
                (r.type_url, r.nonce, String::new(), values, Some(r.removed_resources))
            }
        };
        let kind = KINDS.into_iter().find(|k| **k == kind).unwrap();
        let versions: BTreeMap<String, String> =
            values.iter().map(|(v, version)| (pair(v).0, version.clone())).collect();
        let pairs: BTreeMap<String, String> = values.iter().map(|(v, _)| pair(v)).collect();
        let error = self.apply(kind, pairs, removed.clone());
        let wild = kind == CLUSTER || kind == LISTENER;
        let holding = self.holding(kind);
        if error.is_none() {
            for (name, version) in versions.into_iter().filter(|(n, _)| wild || holding.asked.contains(n)) {
                holding.unsaid.remove(&name);
                holding.versions.insert(name, version);
            }
            for name in removed.unwrap_or_default() {
                holding.unsaid.remove(&name);
                holding.versions.remove(&name);
            }
            holding.version = version;
        } else {
            self.bound += 12;
        }
        let holding = self.holding(kind);
        holding.nonce.clone_from(&nonce);
        holding.answers.push_back((nonce, error));
        true
    }

    /// Uses what a response says; why it is refused.
    fn apply(
        &mut self,
        kind: &str,
        pairs: BTreeMap<String, String>,
        removed: Option<Vec<String>>,
    ) -> Option<String> {
        let wild = kind == CLUSTER || kind == LISTENER;
        let asked = &self.holdings[kind].asked;
        let pairs: Vec<(String, String)> =
            pairs.into_iter().filter(|(name, _)| wild || asked.contains(name)).collect();
        let bad: Vec<&str> =
            pairs.iter().filter(|(_, v)| content(v) > BAD).map(|(n, _)| n.as_str()).collect();
        if !bad.is_empty()
            && (self.refusing == Refusing::Whole || pairs.iter().any(|(_, v)| content(v) >= UNREADABLE))
        {
            // It quotes what it cannot read, with other names in it.
            return Some(if self.refusing == Refusing::Bad {
                format!("{:?}", pairs.last())
            } else {
                "no".into()
            });
        }
        let error = (!bad.is_empty()).then(|| if wild { bad.join(": no, ") } else { "missing )".to_owned() });
        let gone: Vec<String> = match removed {
            Some(removed) if wild || error.is_none() => removed,
            None if wild => {
                let had = self.have(kind).keys().chain(self.warming.keys().filter(|_| kind == CLUSTER));
                had.filter(|name| pairs.iter().all(|(n, _)| n != *name)).cloned().collect()
            }
            Some(_) | None => Vec::new(),
        };
        let good: Vec<(String, String)> = if wild {
            pairs.iter().filter(|(_, v)| content(v) <= BAD).cloned().collect()
        } else {
            pairs.iter().take_while(|(_, v)| content(v) <= BAD).cloned().collect()
        };
        if error.is_some() {
            let changed = good.iter().map(|(name, _)| name).chain(&gone);
            self.holding(kind).unsaid.extend(changed.cloned());
        }
        if kind == CLUSTER {
            self.clusters(gone, good);
        } else {
            let holding = self.holding(kind);
            for name in gone {
                holding.have.remove(&name);
            }
            holding.have.extend(good.clone());
            if kind == ENDPOINT {
                for (name, _) in good {
                    self.warm(&name);
                }
            } else if kind == LISTENER {
                self.follow(ROUTE, false);
                self.follow(SECRET, false);
            }
        }
        error
    }

    fn clusters(&mut self, gone: Vec<String>, good: Vec<(String, String)>) {
        for name in gone {
            self.holding(CLUSTER).have.remove(&name);
            self.warming.remove(&name);
        }
        // Asked for once it has a use for it, so the names that go come before those that are new.
        self.follow(ENDPOINT, false);
        let mut any = false;
        for (name, value) in good {
            let has = self.warming.get(&name).map(|(v, _)| v).or(self.have(CLUSTER).get(&name));
            if has != Some(&value) {
                self.warming.insert(name, (value, self.now));
                any = true;
            }
        }
        self.follow(ENDPOINT, any);
    }

    /// A cluster is ready.
    fn warm(&mut self, name: &str) {
        if let Some((cluster, _)) = self.warming.remove(name) {
            self.holding(CLUSTER).have.insert(name.to_owned(), cluster);
            // Of the stream before, on which it kept silent.
            self.open();
        }
    }

    /// Asks for what is used, and no longer for what is not; state of the world asks again for every cluster that is new.
    fn follow(&mut self, kind: &str, again: bool) {
        let want: BTreeSet<String> = match kind {
            ENDPOINT => self.have(CLUSTER).keys().chain(self.warming.keys()).cloned().collect(),
            ROUTE => self.listened("r"),
            _ => self.listened("s"),
        };
        let holding = self.holding(kind);
        let remove: Vec<String> = holding.asked.difference(&want).cloned().collect();
        let add: Vec<String> = want.difference(&holding.asked).cloned().collect();
        for name in &remove {
            holding.have.remove(name);
            holding.versions.remove(name);
            holding.unsaid.remove(name);
        }
        if !remove.is_empty() || !add.is_empty() || (again && self.protocol == Sotw) {
            self.change(kind, add, remove);
        }
    }

    fn listened(&self, prefix: &str) -> BTreeSet<String> {
        self.have(LISTENER).values().flat_map(|value| used(value, prefix)).map(str::to_owned).collect()
    }

    fn answer(&mut self, kind: &str, number: u8) -> bool {
        if kind == CLUSTER && !self.warming.is_empty() {
            return false;
        }
        if self.holdings[kind].answers.is_empty() {
            return false;
        }
        if self.protocol == Sotw {
            self.tell(kind);
            return true;
        }
        for _ in 0..number {
            let Some((nonce, error)) = self.holding(kind).answers.pop_front() else { break };
            self.up.push_back(Request::Delta(DeltaDiscoveryRequest {
                type_url: kind.into(),
                response_nonce: nonce,
                error_detail: error.map(|message| RpcStatus { code: 13, message }),
                ..Default::default()
            }));
        }
        true
    }

    /// The connection breaks; what was on its way is lost.
    fn reconnect(&mut self) {
        // What is used of a response that was refused cannot be told incrementally.
        if self.protocol == Delta && self.holdings.values().any(|h| !h.unsaid.is_empty()) {
            return;
        }
        // Of a cluster that is warming then it says nothing, and waits until its own patience ends.
        if self.patient && !self.warming.is_empty() {
            return;
        }
        self.forgotten |= self.protocol == Sotw;
        self.up.clear();
        self.down.clear();
        for holding in self.holdings.values_mut() {
            holding.answers.clear();
            holding.nonce.clear();
            holding.error = None;
            holding.open = false;
            holding.star &= !holding.asked.is_empty();
        }
        self.session = Session::new(self.protocol, None, Limits::default());
        if let Some(published) = &self.published {
            self.session.on_snapshot(Arc::clone(published));
            self.bound += 2 * published.snapshot().len();
        }
        self.open();
    }

    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Publish(world) => self.publish(world),
            Step::Send => drop(self.send()),
            Step::Take => drop(self.take()),
            Step::Answer(kind, number) => drop(self.answer(KINDS[usize::from(*kind)], *number)),
            Step::Hear => drop(self.hear()),
            Step::Wait(time) => self.wait(self.now + time),
            Step::Reconnect => self.reconnect(),
            Step::Ask(number) => self.name_cluster(*number, true),
            Step::GiveUp(number) => self.name_cluster(*number, false),
            Step::Stale(n) => self.nonsense(*n),
        }
    }

    fn name_cluster(&mut self, number: u8, wanted: bool) {
        let name = cluster_name(number).to_owned();
        let holding = &self.holdings[CLUSTER];
        if !self.warming.is_empty() || !holding.open || holding.asked.contains(&name) == wanted {
            return;
        }
        let (add, remove) = if wanted { (vec![name], vec![]) } else { (vec![], vec![name]) };
        self.change(CLUSTER, add, remove);
    }

    fn nonsense(&mut self, number: u16) {
        let response_nonce = format!("{}", 1_000_000 + u64::from(number));
        let error_detail = Some(RpcStatus { code: 1, message: "nonsense".into() });
        let type_url = CLUSTER.to_owned();
        if !self.holdings[CLUSTER].open {
            return;
        }
        self.up.push_back(match self.protocol {
            Delta => Request::Delta(DeltaDiscoveryRequest {
                type_url,
                response_nonce,
                error_detail,
                ..Default::default()
            }),
            Sotw => Request::Sotw(DiscoveryRequest {
                type_url,
                response_nonce,
                error_detail,
                ..Default::default()
            }),
        });
    }

    fn wait(&mut self, until: u64) {
        self.now = until;
        let late = |since: &u64| since + PATIENCE <= until;
        let late: Vec<String> =
            self.warming.iter().filter(|(_, (_, since))| late(since)).map(|(n, _)| n.clone()).collect();
        for name in late {
            self.warm(&name);
        }
    }

    /// Goes on until nothing more happens.
    pub fn finish(&mut self) {
        for _ in 0..3_000 {
            if self.hear() || self.take() || KINDS.iter().any(|kind| self.answer(kind, 1)) || self.send() {
                if self.patient {
                    self.check_references();
                }
                continue;
            }
            let warm = self.warming.values().map(|(_, since)| since + PATIENCE).min();
            match self.session.deadline(self.now).into_iter().chain(warm).min() {
                Some(at) if !self.patient => self.wait(at),
                _ => return,
            }
        }
        panic!("it never ends");
    }

    /// No route and no listener refers to a cluster that cannot serve.
    pub fn check_references(&self) {
        if self.forgotten {
            return;
        }
        for (name, value) in self.have(ROUTE).iter().chain(self.have(LISTENER)) {
            for cluster in used(value, "").filter(|n| n.contains('c')) {
                assert!(
                    self.have(CLUSTER).contains_key(cluster),
                    "{name} uses {cluster}, which is not there: {:?}",
                    self.have(CLUSTER)
                );
            }
        }
    }
}

//! One stream as a pure state machine: requests and snapshots in, responses out. No I/O, no clock, no locks.
//!
//! Shape: [`Session::on_sotw`] or [`Session::on_delta`] for what the client says, [`Session::on_snapshot`] for what it should have, then
//! [`Session::poll`] for one response after another, as fast as the client takes them. A response is made when it can be sent, from the
//! newest snapshot: a slow client skips what came between.
//!
//! **Order.** Types go in the order Secret, Cluster, Endpoint, Listener, Route. A resource waits until what it refers to was accepted
//! (Envoy accepts a cluster when it is warm). A removal waits until nothing the client may still run refers to what is removed. Both
//! waits are bounded.
//!
//! **Refusals.** A refused response of several resources is sent again in parts until the bad ones are found; these are parked, and not
//! sent again until they change or the client asks for them anew. A client may use parts of what it refuses, as Envoy does, or nothing:
//! what such a response changed is in doubt until it is said again.
//!
//! A route configuration is not parked as a whole if it has virtual hosts that are not at fault: the others are closed in it, and it is
//! sent again.
//!
//! - `subscription` · `topic`: one type of one stream · `plan`: what to send next · `narrow`: a refused route configuration

mod narrow;
mod plan;
mod subscription;
mod topic;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use crate::kind::{CLUSTER, ENDPOINT, TypeUrl};
use crate::resource::{Name, Resource, Version};
use crate::set::Set;
use crate::snapshot::Published;
use crate::status::{Event, TopicStatus};
use crate::wire::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, RpcStatus,
};

use subscription::{Subscribed, Subscription};
pub(crate) use topic::Topic;
pub use topic::{Counts, Millis};

/// The two forms of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// State of the world.
    Sotw,
    /// Incremental.
    Delta,
}

/// Bounds of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long a response may stay unanswered before others no longer wait for it.
    pub answer: Millis,
    /// How long a removal waits for resources that still refer to what is removed.
    pub removal: Millis,
    /// Names of one type.
    pub names: usize,
    /// Types of one stream.
    pub types: usize,
    /// Unanswered responses of one type, incremental. State of the world has one, as its answers name the last only.
    pub window: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { answer: 5_000, removal: 15_000, names: 100_000, types: 32, window: 8 }
    }
}

/// Why a stream cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// An aggregated stream must say which type it speaks of.
    #[error("a request of an aggregated stream needs a type_url")]
    NoType,
    /// Not a type URL.
    #[error("`{0}` is not a type URL")]
    NotAType(String),
    /// The service is for one type.
    #[error("this service is for `{0}`")]
    OtherType(TypeUrl),
    /// Too many types.
    #[error("more than {0} types on one stream")]
    TooManyTypes(usize),
    /// Too many names.
    #[error("more than {0} names of one type")]
    TooManyNames(usize),
}

/// A response of either protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// State of the world.
    Sotw(DiscoveryResponse),
    /// Incremental.
    Delta(DeltaDiscoveryResponse),
}

type Key = (u8, TypeUrl);

/// One stream.
#[derive(Clone, Debug)]
pub struct Session {
    protocol: Protocol,
    limits: Limits,
    only: Option<TypeUrl>,
    published: Option<Arc<Published>>,
    topics: BTreeMap<Key, Topic>,
    /// Assignments that Envoy waits for since a cluster was sent, until the response of that number is answered.
    owed: BTreeMap<Name, u64>,
    nonce: u64,
    events: Vec<Event>,
}

impl Session {
    /// A stream without requests yet. `only`: the type of a service that is not aggregated.
    #[must_use]
    pub fn new(protocol: Protocol, only: Option<TypeUrl>, limits: Limits) -> Self {
        Self {
            protocol,
            limits,
            only,
            published: None,
            topics: BTreeMap::new(),
            owed: BTreeMap::new(),
            nonce: 0,
            events: Vec::new(),
        }
    }

    /// The protocol it speaks.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// What the client should have from now on.
    pub fn on_snapshot(&mut self, published: Arc<Published>) {
        if self.published.as_ref().is_some_and(|old| Arc::ptr_eq(old, &published)) {
            return;
        }
        for topic in self.topics.values_mut() {
            match self.published.as_ref().and_then(|old| published.since(old)) {
                Some(changes) => {
                    let names = changes.filter_map(|c| c.get(&topic.url)).flatten();
                    topic.pending.extend(names.filter(|n| topic.subscription.covers(n)).cloned());
                }
                None => topic.compare(wanted(Some(&published), &topic.url)),
            }
        }
        for topic in self.topics.values_mut() {
            topic.renew(wanted(Some(&published), &topic.url));
        }
        self.published = Some(published);
    }

    /// A request, state of the world.
    ///
    /// # Errors
    /// When the stream has to end.
    pub fn on_sotw(&mut self, request: DiscoveryRequest) -> Result<(), Refusal> {
        let key = self.key(&request.type_url)?;
        let names = self.names(&key.1, request.resource_names)?;
        let Some(topic) = self.topics.get_mut(&key) else {
            let topic = Topic::new(key.1.clone(), Subscription::first(names));
            return self.open(key, topic);
        };
        let nonce = request.response_nonce.parse::<u64>().ok();
        let answers = nonce.is_some_and(|n| topic.flights.iter().any(|f| f.nonce == n));
        let current = request.response_nonce.is_empty() || nonce == Some(topic.last_nonce);
        if answers {
            self.answer(&key, nonce.unwrap_or_default(), request.error_detail);
        }
        let Some(topic) = self.topics.get_mut(&key) else { return Ok(()) };
        if !current {
            topic.counts.stale += u64::from(!answers);
            return Ok(());
        }
        let before = topic.subscription.clone();
        let mut changed = false;
        if topic.subscription.replace(names) {
            topic.forget_uncovered();
            let added = topic.subscription.names().iter().filter(|n| !before.has(n));
            let added: Vec<Name> = added.filter(|n| !topic.known_or_wild(&before, n)).cloned().collect();
            changed = !added.is_empty();
            topic.pending.extend(added.iter().cloned());
            topic.forced.extend(added);
            if topic.subscription.is_wildcard() && !before.is_wildcard() {
                topic.compare(wanted(self.published.as_ref(), &key.1));
            }
        }
        // A list that says nothing new is Envoy asking again for a cluster that it warms.
        if key.1.as_str() == ENDPOINT && (changed || !answers) {
            let owed: Vec<&Name> = self.owed.keys().filter(|n| topic.subscription.covers(n)).collect();
            topic.pending.extend(owed.iter().copied().cloned());
            topic.forced.extend(owed.into_iter().cloned());
        }
        self.bounded(&key)
    }

    /// Whether a client that takes no responses has not asked for more than it may have outstanding.
    fn bounded(&self, key: &Key) -> Result<(), Refusal> {
        let most = self.limits.names;
        let asked = self.topics.get(key).map_or(0, |topic| topic.forced.len());
        if asked > most { Err(Refusal::TooManyNames(most)) } else { Ok(()) }
    }

    /// A request, incremental.
    ///
    /// # Errors
    /// When the stream has to end.
    pub fn on_delta(&mut self, request: DeltaDiscoveryRequest) -> Result<(), Refusal> {
        let key = self.key(&request.type_url)?;
        let subscribe = self.names(&key.1, request.resource_names_subscribe)?;
        let unsubscribe = self.names(&key.1, request.resource_names_unsubscribe)?;
        if !self.topics.contains_key(&key) {
            if request.initial_resource_versions.len() > self.limits.names {
                return Err(Refusal::TooManyNames(self.limits.names));
            }
            let mut topic = Topic::new(key.1.clone(), Subscription::first(subscribe));
            for (name, version) in request.initial_resource_versions {
                if topic.subscription.covers(&name) {
                    let resource = self.as_told(&key.1, &name, &version);
                    topic.known.insert(Arc::clone(&resource));
                    topic.accepted.insert(resource);
                }
            }
            return self.open(key, topic);
        }
        if let Some(nonce) = Some(&request.response_nonce).filter(|n| !n.is_empty()) {
            let nonce = nonce.parse::<u64>().unwrap_or_default();
            self.answer(&key, nonce, request.error_detail);
        }
        let Some(topic) = self.topics.get_mut(&key) else { return Ok(()) };
        let Subscribed { everything, less } = topic.subscription.subscribe(&subscribe);
        if less {
            topic.forget_uncovered();
        }
        let named: Vec<Name> = subscribe.into_iter().filter(|n| &**n != "*").collect();
        topic.pending.extend(named.iter().cloned());
        topic.forced.extend(named);
        for name in unsubscribe {
            topic.subscription.unsubscribe(&name);
            if &*name == "*" {
                topic.forget_uncovered();
            } else if topic.subscription.is_wildcard() {
                topic.pending.insert(Arc::clone(&name));
                topic.forced.insert(name);
            } else {
                topic.forget(&name);
            }
        }
        if everything {
            topic.compare(wanted(self.published.as_ref(), &key.1));
        }
        if topic.subscription.names().len() > self.limits.names {
            return Err(Refusal::TooManyNames(self.limits.names));
        }
        self.bounded(&key)
    }

    /// What happened since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Number of the snapshot it works from; 0: none yet.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.published.as_ref().map_or(0, |p| p.sequence())
    }

    /// How the client stands, by type.
    #[must_use]
    pub fn status(&self) -> Vec<TopicStatus> {
        self.topics.values().map(TopicStatus::of).collect()
    }

    fn key(&self, type_url: &str) -> Result<Key, Refusal> {
        let url = match &self.only {
            Some(only) if type_url.is_empty() || type_url == only.as_str() => only.clone(),
            Some(only) => return Err(Refusal::OtherType(only.clone())),
            None if type_url.is_empty() => return Err(Refusal::NoType),
            None => TypeUrl::parse(type_url)
                .ok_or_else(|| Refusal::NotAType(type_url.chars().take(100).collect()))?,
        };
        let key = (url.rank(), url);
        if !self.topics.contains_key(&key) && self.topics.len() >= self.limits.types {
            return Err(Refusal::TooManyTypes(self.limits.types));
        }
        Ok(key)
    }

    /// Names as the snapshot holds them, so that each is in memory once.
    fn names(&self, url: &TypeUrl, names: Vec<String>) -> Result<BTreeSet<Name>, Refusal> {
        if names.len() > self.limits.names {
            return Err(Refusal::TooManyNames(self.limits.names));
        }
        let wanted = wanted(self.published.as_ref(), url);
        let name = |name: String| match wanted.get(&name) {
            Some(resource) => Arc::clone(resource.name()),
            None => name.into(),
        };
        Ok(names.into_iter().map(name).collect())
    }

    fn as_told(&self, url: &TypeUrl, name: &str, version: &str) -> Arc<Resource> {
        let version = Version::parse(version);
        match wanted(self.published.as_ref(), url).get(name).filter(|r| r.version() == version) {
            Some(resource) => Arc::clone(resource),
            None => Arc::new(Resource::remembered(url.clone(), name.into(), version)),
        }
    }

    fn open(&mut self, key: Key, mut topic: Topic) -> Result<(), Refusal> {
        if self.published.is_some() {
            topic.compare(wanted(self.published.as_ref(), &key.1));
        }
        if key.1.as_str() == ENDPOINT {
            let owed: Vec<Name> =
                self.owed.keys().filter(|n| topic.subscription.covers(n)).cloned().collect();
            topic.pending.extend(owed.iter().cloned());
            topic.forced.extend(owed);
        }
        self.topics.insert(key, topic);
        Ok(())
    }

    /// The client answers a response: with an error it is refused.
    fn answer(&mut self, key: &Key, nonce: u64, error: Option<RpcStatus>) {
        let Some(topic) = self.topics.get_mut(key) else { return };
        let Some(mut flight) = topic.land(nonce) else {
            topic.counts.stale += 1;
            return;
        };
        if self.protocol == Protocol::Sotw {
            // Envoy answers the last of several, with an error if it refused any of them.
            let earlier: Vec<u64> =
                topic.flights.iter().map(|f| f.nonce).filter(|n| *n < nonce).rev().collect();
            for earlier in earlier.into_iter().filter_map(|n| topic.land(n)).collect::<Vec<_>>() {
                flight.follow(earlier);
            }
        }
        match error {
            None => {
                let closed = topic.accept(&flight);
                self.events
                    .push(Event::Accepted { type_url: key.1.clone(), resources: flight.content.len() });
                self.events.extend(closed);
            }
            Some(error) => {
                // It can quote a whole resource, or many.
                let message: Arc<str> = topic::beginning(&error.message, 16_384).into();
                let fall_back = self.protocol == Protocol::Sotw && key.1.full_state();
                let refused = topic.refuse(flight, &message, fall_back);
                let (parked, retried) = (refused.parked, refused.retried);
                self.events.push(Event::Refused { type_url: key.1.clone(), message, parked, retried });
            }
        }
        topic.share(wanted(self.published.as_ref(), &key.1));
        if key.1.as_str() == CLUSTER {
            self.owed.retain(|_, sent| *sent > nonce);
        }
    }
}

/// What clients should have of a type.
fn wanted<'a>(published: Option<&'a Arc<Published>>, url: &TypeUrl) -> &'a Set {
    static NOTHING: LazyLock<Set> = LazyLock::new(Set::default);
    published.and_then(|p| p.snapshot().set(url.as_str())).unwrap_or(&NOTHING)
}

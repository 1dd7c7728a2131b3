//! A hand on each side of a session: resources to publish, requests to send, responses decoded.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message as _;
use smi_xds::kind::{CLUSTER, ENDPOINT, LISTENER, ROUTE};
use smi_xds::session::{Refusal, Response};
use smi_xds::status::TopicStatus;
use smi_xds::wire::{Any, DeltaDiscoveryRequest, DeltaResource, DiscoveryRequest, RpcStatus};
use smi_xds::{Limits, Protocol, Published, Reference, Resource, Session, Snapshot};

pub fn cluster(name: &str, value: &str) -> Resource {
    Resource::new(CLUSTER, name, value.as_bytes())
        .with_references([Reference::new(ENDPOINT, name)])
        .with_origins([format!("Service {name}")])
}

pub fn endpoints(name: &str, value: &str) -> Resource {
    Resource::new(ENDPOINT, name, value.as_bytes())
}

pub fn route(name: &str, value: &str, clusters: &[&str]) -> Resource {
    Resource::new(ROUTE, name, value.as_bytes())
        .with_references(clusters.iter().map(|c| Reference::new(CLUSTER, *c)))
}

pub fn listener(name: &str, value: &str, routes: &[&str]) -> Resource {
    Resource::new(LISTENER, name, value.as_bytes())
        .with_references(routes.iter().map(|r| Reference::new(ROUTE, *r)))
}

/// A response as its reader sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub kind: String,
    pub nonce: String,
    pub version: String,
    /// Name (delta only; state of the world has values only) and value.
    pub values: BTreeSet<String>,
    pub names: BTreeSet<String>,
    pub versions: BTreeMap<String, String>,
    pub removed: BTreeSet<String>,
}

pub fn see(response: Response) -> Seen {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match response {
        Response::Sotw(r) => Seen {
            kind: r.type_url,
            nonce: r.nonce,
            version: r.version_info,
            values: r.resources.iter().map(|b| text(&Any::decode(b.clone()).unwrap().value)).collect(),
            ..Seen::default()
        },
        Response::Delta(r) => {
            let resources: Vec<DeltaResource> =
                r.resources.iter().map(|b| DeltaResource::decode(b.clone()).unwrap()).collect();
            Seen {
                kind: r.type_url,
                nonce: r.nonce,
                version: r.system_version_info,
                values: resources.iter().map(|r| text(&r.resource.as_ref().unwrap().value)).collect(),
                names: resources.iter().map(|r| r.name.clone()).collect(),
                versions: resources.iter().map(|r| (r.name.clone(), r.version.clone())).collect(),
                removed: r.removed_resources.into_iter().collect(),
            }
        }
    }
}

/// A session with what both sides know of it.
pub struct Talk {
    pub session: Session,
    pub published: Option<Arc<Published>>,
    pub now: u64,
}

impl Talk {
    pub fn new(protocol: Protocol) -> Self {
        Self { session: Session::new(protocol, None, Limits::default()), published: None, now: 0 }
    }

    pub fn with(protocol: Protocol, resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut talk = Self::new(protocol);
        talk.publish(resources);
        talk
    }

    pub fn publish(&mut self, resources: impl IntoIterator<Item = Resource>) {
        let snapshot = Snapshot::new(resources);
        let next = match &self.published {
            Some(old) => old.next(snapshot),
            None => Some(Published::first(snapshot)),
        };
        if let Some(next) = next {
            let next = Arc::new(next);
            self.published = Some(Arc::clone(&next));
            self.session.on_snapshot(next);
        }
    }

    pub fn poll(&mut self) -> Option<Seen> {
        self.session.poll(self.now).map(see)
    }

    /// The one response that is due.
    pub fn one(&mut self) -> Seen {
        let seen = self.poll().expect("a response is due");
        let more = self.poll();
        assert_eq!(more, None, "one response only");
        seen
    }

    /// Accepts everything until nothing more comes; types of these repeat their names.
    pub fn settle(&mut self, names: &[(&str, &[&str])]) -> Vec<Seen> {
        let mut all = Vec::new();
        while let Some(seen) = self.poll() {
            let list = names.iter().find(|(kind, _)| *kind == seen.kind).map_or(&[][..], |(_, list)| *list);
            self.ack(&seen, list);
            all.push(seen);
        }
        all
    }

    /// Accepts everything that does not hold this value until nothing more comes.
    pub fn settle_unless(&mut self, bad: &str, message: &str) -> Vec<Seen> {
        let mut all = Vec::new();
        while let Some(seen) = self.poll() {
            if seen.values.contains(bad) {
                self.nack(&seen, &[], message);
            } else {
                self.ack(&seen, &[]);
            }
            all.push(seen);
        }
        all
    }

    pub fn none(&mut self) {
        assert_eq!(self.poll(), None);
    }

    pub fn sotw(&mut self, kind: &str, names: &[&str]) {
        self.try_sotw(kind, names, "", None).unwrap();
    }

    pub fn sotw_again(&mut self, kind: &str, names: &[&str], nonce: &str) {
        self.try_sotw(kind, names, nonce, None).unwrap();
    }

    pub fn try_sotw(
        &mut self,
        kind: &str,
        names: &[&str],
        nonce: &str,
        error: Option<&str>,
    ) -> Result<(), Refusal> {
        self.session.on_sotw(DiscoveryRequest {
            resource_names: names.iter().map(|n| (*n).to_owned()).collect(),
            type_url: kind.into(),
            response_nonce: nonce.into(),
            error_detail: error.map(|message| RpcStatus { code: 13, message: message.into() }),
            ..DiscoveryRequest::default()
        })
    }

    pub fn delta(&mut self, kind: &str, subscribe: &[&str]) {
        self.change(kind, subscribe, &[]);
    }

    pub fn change(&mut self, kind: &str, subscribe: &[&str], unsubscribe: &[&str]) {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let request = DeltaDiscoveryRequest {
            type_url: kind.into(),
            resource_names_subscribe: owned(subscribe),
            resource_names_unsubscribe: owned(unsubscribe),
            ..DeltaDiscoveryRequest::default()
        };
        self.session.on_delta(request).unwrap();
    }

    pub fn resume(&mut self, kind: &str, subscribe: &[&str], versions: &BTreeMap<String, String>) {
        let request = DeltaDiscoveryRequest {
            type_url: kind.into(),
            resource_names_subscribe: subscribe.iter().map(|n| (*n).to_owned()).collect(),
            initial_resource_versions: versions.clone(),
            ..DeltaDiscoveryRequest::default()
        };
        self.session.on_delta(request).unwrap();
    }

    /// Accepts a response; state of the world repeats the names.
    pub fn ack(&mut self, seen: &Seen, names: &[&str]) {
        self.answer(seen, names, None);
    }

    pub fn nack(&mut self, seen: &Seen, names: &[&str], message: &str) {
        self.answer(seen, names, Some(message));
    }

    fn answer(&mut self, seen: &Seen, names: &[&str], error: Option<&str>) {
        match self.session.protocol() {
            Protocol::Sotw => self.try_sotw(&seen.kind, names, &seen.nonce, error).unwrap(),
            Protocol::Delta => {
                let request = DeltaDiscoveryRequest {
                    type_url: seen.kind.clone(),
                    response_nonce: seen.nonce.clone(),
                    error_detail: error.map(|m| RpcStatus { code: 13, message: m.into() }),
                    ..DeltaDiscoveryRequest::default()
                };
                self.session.on_delta(request).unwrap();
            }
        }
    }

    pub fn status(&self, kind: &str) -> TopicStatus {
        self.session.status().into_iter().find(|s| s.type_url.as_str() == kind).unwrap()
    }
}

pub fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|s| (*s).to_owned()).collect()
}

//! What a client may say to the control plane: the bytes are a script of requests, answers, nonsense, snapshots and time.

use std::collections::BTreeSet;
use std::sync::Arc;

use prost::Message as _;
use prost::bytes::Bytes;
use smi_xds::kind::{CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET};
use smi_xds::session::Response;
use smi_xds::wire::{DeltaDiscoveryRequest, DiscoveryRequest, RpcStatus};
use smi_xds::{Limits, Protocol, Published, Reference, Resource, Session, Snapshot};

use crate::targets::{Mark, mark};

const KINDS: &[&str] =
    &[CLUSTER, ENDPOINT, ROUTE, LISTENER, SECRET, "type.googleapis.com/x.Y", "", "nonsense"];
const NAMES: &[&str] = &["a", "b", "c", "d", "r", "*", "", "no such thing"];

/// The bytes, one by one; zeros when there are no more.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn pick<'l>(&mut self, list: &[&'l str]) -> &'l str {
        list[usize::from(self.byte()) % list.len()]
    }

    fn names(&mut self) -> Vec<String> {
        match self.byte() % 16 {
            0 => (0..1000).map(|i| format!("nothing-{i}")).collect(),
            count => (0..count % 5).map(|_| self.pick(NAMES).to_owned()).collect(),
        }
    }

    /// A cluster and its assignment for every bit, with a content each; routes to all of them.
    fn snapshot(&mut self) -> Snapshot {
        let (bits, content) = (self.byte(), self.byte());
        let present: Vec<&str> =
            NAMES[..4].iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, n)| *n).collect();
        let mut all = Vec::new();
        for (i, name) in present.iter().enumerate() {
            let value = [content >> (i % 4) & 3];
            all.push(
                Resource::new(CLUSTER, *name, &value).with_references([Reference::new(ENDPOINT, *name)]),
            );
            if bits & 0x10 != 0 {
                all.push(Resource::new(ENDPOINT, *name, &value));
            }
        }
        let uses = present.iter().map(|name| Reference::new(CLUSTER, *name));
        all.push(Resource::new(ROUTE, "r", &[content]).with_references(uses));
        all.push(Resource::new(LISTENER, "l", &[content & 1]).with_references([Reference::new(ROUTE, "r")]));
        Snapshot::new(all)
    }
}

/// The kind and number of a response, after a look at what is in it.
fn look(response: Response, allowed: &BTreeSet<Bytes>, asked: &BTreeSet<String>) -> (String, String) {
    let (kind, nonce, resources) = match response {
        Response::Sotw(r) => (r.type_url, r.nonce, r.resources),
        Response::Delta(r) => (r.type_url, r.nonce, r.resources),
    };
    assert!(asked.contains(&kind), "nobody asked for {kind}");
    for resource in resources {
        assert!(allowed.contains(&resource), "{kind} that was never published: {resource:?}");
    }
    (kind, nonce)
}

/// Whatever a client says, its stream goes on or is ended with a reason, it is sent what was published and what it asked for, and no more
/// often than its words and the snapshots are a reason for.
pub fn xds_session(bytes: &[u8]) -> Mark {
    let mut script = Script(bytes);
    let protocol = if script.byte() & 1 == 0 { Protocol::Delta } else { Protocol::Sotw };
    let mut session = Session::new(protocol, None, Limits::default());
    let mut published = Published::first(script.snapshot());
    // An assignment that Envoy waits for is sent, if only an empty one, also when its cluster is about to go.
    let fillers =
        Snapshot::new(NAMES[..4].iter().map(|name| {
            Resource::new(CLUSTER, *name, b"").with_references([Reference::new(ENDPOINT, *name)])
        }));
    let fillers = fillers.set(ENDPOINT).into_iter().flat_map(|set| set.iter());
    let mut allowed: BTreeSet<Bytes> = fillers.flat_map(|r| [r.delta(), r.any()]).collect();
    let mut asked = BTreeSet::new();
    let mut last = (CLUSTER.to_owned(), String::new());
    let (mut now, mut steps, mut responses) = (0_u64, 0, 0);
    let mut reached = BTreeSet::new();
    while !script.0.is_empty() && steps < 300 {
        steps += 1;
        let step = script.byte() % 10;
        if step == 0 || steps == 1 {
            if let Some(next) = published.next(script.snapshot()) {
                published = next;
            }
            allowed.extend(published.snapshot().iter().flat_map(|r| [r.delta(), r.any()]));
            session.on_snapshot(Arc::new(published.clone()));
        }
        let mut request =
            DeltaDiscoveryRequest { type_url: last.0.clone(), ..DeltaDiscoveryRequest::default() };
        match step {
            // The last response is accepted, or refused.
            1 | 2 => request.response_nonce.clone_from(&last.1),
            3 => {
                request.response_nonce.clone_from(&last.1);
                request.error_detail = Some(RpcStatus { code: 13, message: script.pick(NAMES).into() });
            }
            4 => now += u64::from(script.byte()) * 100,
            5 => {
                let length = usize::from(script.byte()).min(script.0.len());
                let (frame, rest) = script.0.split_at(length);
                script.0 = rest;
                request = DeltaDiscoveryRequest::decode(frame).unwrap_or(request);
            }
            _ => {
                request.type_url = script.pick(KINDS).into();
                request.resource_names_subscribe = script.names();
                request.resource_names_unsubscribe = script.names();
                request.response_nonce =
                    script.pick(&["", "", "1", "2", "999", "-1", "x", "18446744073709551616"]).into();
                if step == 9 {
                    let versions = script.names().into_iter().map(|name| (name, format!("{:032x}", 7)));
                    request.initial_resource_versions = versions.collect();
                }
            }
        }
        asked.insert(request.type_url.clone());
        // Some requests of the other form, as a stream's form is the client's word only.
        let told = if (protocol == Protocol::Delta) ^ (steps % 17 == 0) {
            session.on_delta(request)
        } else {
            session.on_sotw(DiscoveryRequest {
                version_info: request.response_nonce.clone(),
                type_url: request.type_url,
                resource_names: request.resource_names_subscribe,
                response_nonce: request.response_nonce,
                error_detail: request.error_detail,
                node: None,
            })
        };
        reached.insert(told.map_err(|refusal| refusal.to_string().len()));
        while let Some(response) = session.poll(now) {
            last = look(response, &allowed, &asked);
            responses += 1;
            assert!(responses <= 16 * steps + 16, "{responses} responses in {steps} steps");
        }
        for topic in session.status() {
            reached.insert(Err(topic.parked.len() * 1000
                + topic.leaving * 100
                + topic.unanswered * 10
                + topic.names.min(9)));
        }
        assert!(session.deadline(now).is_none_or(|at| at > now), "a wait that is over");
        session.take_events();
    }
    mark(reached)
}

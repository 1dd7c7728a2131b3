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

#[path = "support/mirror.rs"]
mod mirror;
mod support;
#[path = "support/world.rs"]
mod world;

use mirror::{KINDS, Mirror, Refusing};
use proptest::prelude::*;
use prost::Message as _;
use smi_xds::Protocol::{Delta, Sotw};
use smi_xds::kind::{CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET};
use smi_xds::wire::{DeltaDiscoveryRequest, DiscoveryRequest, RpcStatus};
use smi_xds::{Limits, Session};
use world::{expected, good, last_world, steps, world};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_client_that_answers_ends_with_the_snapshot_and_never_refers_to_nothing(
        delta in any::<bool>(), steps in steps(0..3, false)
    ) {
        let mut client = Mirror::new(if delta { Delta } else { Sotw }, Refusing::Whole, true);
        for step in &steps {
            client.step(step);
            client.check_references();
        }
        // Not one wait may have to run out, or Envoy would stall.
        client.finish();
        prop_assert!(client.warming.is_empty(), "clusters wait for assignments: {:?}", client.warming);
        let Some(world) = last_world(&steps) else { return Ok(()) };
        prop_assert_eq!(client.have(CLUSTER), &expected(world, CLUSTER));
        prop_assert_eq!(client.have(LISTENER), &expected(world, LISTENER));
        for kind in [ENDPOINT, ROUTE, SECRET] {
            let mut asked = expected(world, kind);
            asked.retain(|name, _| client.asked(kind).contains(name));
            prop_assert_eq!(client.have(kind), &asked);
        }
        prop_assert!(client.session.status().iter().all(|t| t.parked.is_empty() && t.is_settled()));
        prop_assert!(client.responses <= client.bound);
    }

    #[test]
    fn what_a_client_refuses_spoils_nothing_else(delta in any::<bool>(), whole in any::<bool>(), steps in steps(198..204, true)) {
        let refusing = if whole { Refusing::Whole } else { Refusing::Bad };
        let mut client = Mirror::new(if delta { Delta } else { Sotw }, refusing, false);
        for step in &steps {
            client.step(step);
        }
        client.finish();
        prop_assert!(client.responses <= client.bound);
        let Some(world) = last_world(&steps) else { return Ok(()) };
        for kind in KINDS {
            let wild = kind == CLUSTER || kind == LISTENER;
            let mut wanted = expected(world, kind);
            wanted.retain(|name, _| wild || client.asked(kind).contains(name));
            for (name, value) in good(&wanted) {
                prop_assert_eq!(client.have(kind).get(&name), Some(&value), "{} {}", kind, name);
            }
            for name in client.have(kind).keys() {
                prop_assert!(wanted.contains_key(name) || !wild && !delta, "{} {} is gone", kind, name);
            }
            let bad: Vec<String> = wanted.keys().filter(|name| !good(&wanted).contains_key(*name)).cloned().collect();
            let status = client.session.status().into_iter().find(|t| t.type_url.as_str() == kind);
            let parked = status.iter().flat_map(|t| &t.parked).map(|p| p.name.to_string()).collect::<Vec<_>>();
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

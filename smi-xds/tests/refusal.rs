//! What a client refuses, in both forms of the protocol, one promise per test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use smi_xds::Protocol::{Delta, Sotw};
use smi_xds::kind::{CLUSTER, ROUTE};
use smi_xds::wire::DiscoveryRequest;
use support::*;

#[test]
fn a_refused_resource_is_found_parked_and_not_sent_again_until_it_changes() {
    let mut talk =
        Talk::with(Delta, (0..8).map(|i| cluster(&format!("c{i}"), if i == 5 { "bad" } else { "good" })));
    talk.delta(CLUSTER, &[]);
    let mut responses = 0;
    while let Some(seen) = talk.poll() {
        responses += 1;
        if seen.values.contains("bad") { talk.nack(&seen, &[], "unlucky") } else { talk.ack(&seen, &[]) }
    }
    assert!(responses <= 7, "{responses} responses to find one of eight");
    let status = talk.status(CLUSTER);
    assert_eq!(status.parked.len(), 1);
    assert_eq!((&*status.parked[0].name, &*status.parked[0].message), ("c5", "unlucky"));
    assert_eq!(status.parked[0].origins, ["Service c5"]);
    assert_eq!(status.accepted.0, 7);
    // Another change does not bring it back.
    talk.publish((0..9).map(|i| cluster(&format!("c{i}"), if i == 5 { "bad" } else { "good" })));
    assert_eq!(talk.one().names, set(&["c8"]));
    talk.publish((0..9).map(|i| cluster(&format!("c{i}"), "good")));
    let repaired = talk.one();
    assert_eq!(repaired.names, set(&["c5"]));
    talk.ack(&repaired, &[]);
    assert_eq!(talk.status(CLUSTER).parked.len(), 0);
}

#[test]
fn a_message_that_names_the_resource_shortens_the_search() {
    let mut talk = Talk::with(
        Delta,
        (0..1000).map(|i| cluster(&format!("<{i}>"), if i == 500 { "bad" } else { "good" })),
    );
    talk.delta(CLUSTER, &[]);
    let mut responses = 0;
    while let Some(seen) = talk.poll() {
        responses += 1;
        if seen.values.contains("bad") {
            talk.nack(&seen, &[], "cluster <500>: no")
        } else {
            talk.ack(&seen, &[])
        }
    }
    assert_eq!(responses, 3);
    assert_eq!(talk.status(CLUSTER).accepted.0, 999);
}

#[test]
fn a_client_that_refuses_everything_costs_a_bounded_number_of_responses() {
    let mut talk = Talk::with(Delta, (0..5000).map(|i| cluster(&format!("c{i}"), "x")));
    talk.delta(CLUSTER, &[]);
    let mut responses = 0;
    while let Some(seen) = talk.poll() {
        responses += 1;
        talk.nack(&seen, &[], "no");
        assert!(responses < 300);
    }
    assert_eq!(talk.status(CLUSTER).parked.len(), 5000);
}

#[test]
fn answers_to_what_was_never_sent_are_counted_only() {
    let mut talk = Talk::with(Delta, [cluster("a", "1")]);
    talk.delta(CLUSTER, &[]);
    let seen = talk.one();
    for nonce in ["", "999", "-1", "x", &"9".repeat(100)] {
        talk.nack(&Seen { nonce: nonce.into(), ..seen.clone() }, &[], "no");
    }
    assert_eq!(talk.status(CLUSTER).counts.stale, 4);
    assert_eq!(talk.status(CLUSTER).parked.len(), 0);
    talk.none();
}

#[test]
fn a_refused_resource_is_replaced_by_what_was_accepted_and_the_others_go_on() {
    let world = |bad: &'static str, rest: &'static str| {
        (0..8).map(move |i| {
            cluster(&format!("c{i}"), &if i == 3 { format!("c3-{bad}") } else { format!("c{i}-{rest}") })
        })
    };
    let mut talk = Talk::with(Sotw, world("good", "1"));
    talk.sotw(CLUSTER, &[]);
    talk.settle(&[]);
    talk.publish(world("bad", "2"));
    let mut last = Seen::default();
    let mut responses = 0;
    while let Some(seen) = talk.poll() {
        responses += 1;
        if seen.values.contains("c3-bad") {
            talk.nack(&seen, &[], "unlucky");
        } else {
            talk.ack(&seen, &[]);
            last = seen;
        }
    }
    assert!(responses <= 8, "{responses}");
    assert!(last.values.contains("c3-good") && last.values.contains("c7-2"), "{last:?}");
    assert_eq!(last.values.len(), 8);
    assert_eq!(talk.status(CLUSTER).parked.len(), 1);
    talk.publish(world("bad", "3"));
    let next = talk.one();
    assert!(next.values.contains("c3-good") && next.values.contains("c7-3"), "not sent again: {next:?}");
    talk.ack(&next, &[]);
    talk.publish(world("repaired", "3"));
    let next = talk.one();
    assert!(next.values.contains("c3-repaired"));
    talk.ack(&next, &[]);
    assert_eq!(talk.status(CLUSTER).parked.len(), 0);
}

#[test]
fn a_refusal_is_not_answered_with_the_same() {
    let mut talk = Talk::with(Sotw, [route("r", "bad", &[])]);
    talk.sotw(ROUTE, &["r"]);
    let seen = talk.one();
    talk.nack(&seen, &["r"], "missing )");
    talk.none();
    // Envoy repeats the request.
    talk.sotw_again(ROUTE, &["r"], &seen.nonce);
    talk.none();
    talk.publish([route("r", "good", &[])]);
    assert_eq!(talk.one().values, set(&["good"]));
}

#[test]
fn a_client_that_kept_its_state_loses_nothing_in_the_search_for_a_bad_resource() {
    let mut talk = Talk::with(Sotw, (0..8).map(|i| cluster(&format!("c{i}"), &format!("v{i}"))));
    let request =
        DiscoveryRequest { type_url: CLUSTER.into(), version_info: "before".into(), ..Default::default() };
    talk.session.on_sotw(request).unwrap();
    let seen = talk.one();
    talk.nack(&seen, &[], "something is wrong");
    // Halves would remove the others.
    talk.none();
    assert_eq!(talk.status(CLUSTER).parked.len(), 8);
}

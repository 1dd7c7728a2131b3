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
use smi_xds::kind::{CLUSTER, LISTENER, ROUTE};
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
fn a_client_that_kept_its_state_ends_with_all_that_is_sound() {
    // Parts take the others away until they are said again. Without them nothing would change any more, and what is gone would stay.
    let mut talk =
        Talk::with(Sotw, (0..8).map(|i| cluster(&format!("c{i}"), if i == 5 { "bad" } else { "v" })));
    let request =
        DiscoveryRequest { type_url: CLUSTER.into(), version_info: "before".into(), ..Default::default() };
    talk.session.on_sotw(request).unwrap();
    talk.settle_unless("bad", "something is wrong");
    let status = talk.status(CLUSTER);
    assert_eq!((status.parked.len(), status.accepted.0), (1, 7));
}

#[test]
fn what_a_returning_client_took_of_a_refused_response_is_gone_when_the_snapshot_says_so() {
    let mut talk = Talk::with(Sotw, [listener("open", "good", &[]), listener("other", "bad", &[])]);
    let request =
        DiscoveryRequest { type_url: LISTENER.into(), version_info: "before".into(), ..Default::default() };
    talk.session.on_sotw(request).unwrap();
    let seen = talk.one();
    talk.nack(&seen, &[], "unlucky");
    talk.publish([]);
    assert_eq!(talk.one().values, set(&[]));
}

#[test]
fn an_answer_to_the_last_of_several_responses_accepts_none_if_it_refuses() {
    let mut talk = Talk::with(Sotw, [cluster("a", "good")]);
    talk.sotw(CLUSTER, &[]);
    talk.one();
    talk.publish([cluster("a", "good"), cluster("b", "bad")]);
    // Envoy answers when its clusters are warm, and only the last.
    talk.now += 5_000;
    let second = talk.one();
    talk.nack(&second, &[], "b: no");
    let told = talk.settle_unless("bad", "b: no");
    assert_eq!(told.last().unwrap().values, set(&["good"]));
    let parked = talk.status(CLUSTER).parked;
    assert_eq!(parked.iter().map(|p| &*p.name).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn an_answer_that_may_be_about_an_earlier_response_parks_nothing_before_it_was_tried_alone() {
    let mut talk = Talk::with(Sotw, [cluster("a", "bad")]);
    talk.sotw(CLUSTER, &[]);
    talk.one();
    talk.publish([cluster("b", "good")]);
    talk.now += 5_000;
    let second = talk.one();
    talk.nack(&second, &[], "a: no");
    let told = talk.settle(&[]);
    assert_eq!(told.last().unwrap().values, set(&["good"]));
    assert_eq!(talk.status(CLUSTER).parked.len(), 0);
}

#[test]
fn a_removal_that_was_refused_is_said_again_although_the_client_never_accepted_what_it_removes() {
    // Envoy listens on `open` although it refuses the first, and reads nothing of the second.
    let mut talk = Talk::with(Delta, [listener("open", "good", &[]), listener("other", "bad", &[])]);
    talk.delta(LISTENER, &[]);
    let first = talk.one();
    talk.publish([listener("other", "worse", &[])]);
    let second = talk.one();
    assert_eq!(second.removed, set(&["open"]));
    talk.nack(&first, &[], "other: no");
    talk.nack(&second, &[], "unreadable");
    assert!(talk.settle(&[]).iter().any(|seen| seen.removed.contains("open")));
}

#[test]
fn a_name_inside_another_is_not_accused() {
    let mut talk = Talk::with(Delta, [cluster("c1", "good"), cluster("c10", "bad"), cluster("xc10", "good")]);
    talk.delta(CLUSTER, &[]);
    let seen = talk.one();
    talk.nack(&seen, &[], "error adding c10: no");
    assert_eq!(talk.poll().unwrap().names, set(&["c1", "xc10"]));
}

#[test]
fn a_part_waits_for_the_answer_to_the_part_before_it() {
    // The answer would be to both, and the search begin anew.
    let mut talk = Talk::with(Sotw, [cluster("a", "good"), cluster("b", "bad")]);
    talk.sotw(CLUSTER, &[]);
    let seen = talk.one();
    talk.nack(&seen, &[], "b: no");
    let first = talk.one();
    assert_eq!(first.values, set(&["good"]));
    talk.now += 15_000;
    talk.none();
    // But not for ever.
    talk.now = talk.session.deadline(talk.now).unwrap();
    assert_eq!(talk.one().values, set(&["good", "bad"]));
}

#[test]
fn a_part_waits_for_what_it_refers_to() {
    let mut talk = Talk::with(Delta, [route("r", "good", &[]), route("s", "bad", &[])]);
    talk.delta(CLUSTER, &[]);
    talk.delta(ROUTE, &["r", "s"]);
    let greeting = talk.poll().unwrap();
    talk.ack(&greeting, &[]);
    let routes = talk.one();
    talk.nack(&routes, &[], "missing )");
    talk.publish([cluster("new", "1"), route("r", "better", &["new"]), route("s", "bad", &[])]);
    let clusters = talk.one();
    assert_eq!((&*clusters.kind, &clusters.names), (CLUSTER, &set(&["new"])));
    talk.ack(&clusters, &[]);
    assert_eq!(talk.poll().unwrap().values, set(&["better"]));
}

#[test]
fn what_a_client_took_of_a_refused_response_keeps_what_it_refers_to() {
    let clusters = || [cluster("new", "1"), cluster("old", "1")];
    let with = |routes: [smi_xds::Resource; 2]| clusters().into_iter().chain(routes);
    let mut talk = Talk::with(Delta, with([route("r", "0", &[]), route("s", "0", &[])]));
    talk.delta(CLUSTER, &[]);
    talk.delta(ROUTE, &["r", "s"]);
    talk.settle(&[]);
    talk.publish(with([route("r", "1", &["old"]), route("s", "bad", &[])]));
    let routes = talk.one();
    // It uses `r` by now.
    talk.nack(&routes, &[], "missing )");
    talk.publish([cluster("new", "1"), route("r", "2", &["new"]), route("s", "0", &[])]);
    let told = talk.settle(&[]);
    let place = |found: &dyn Fn(&Seen) -> bool| told.iter().position(found).unwrap();
    assert!(
        place(&|seen| seen.values.contains("2")) < place(&|seen| seen.removed.contains("old")),
        "{told:?}"
    );
}

#[test]
fn a_response_repeats_what_earlier_ones_changed_so_its_refusal_is_not_only_about_what_is_new() {
    let mut talk = Talk::with(Sotw, [cluster("a", "bad")]);
    talk.sotw(CLUSTER, &[]);
    let first = talk.one();
    talk.publish([cluster("a", "bad"), cluster("b", "good")]);
    // Envoy answers when its clusters are warm, and that may take longer.
    talk.now += 5_000;
    let second = talk.one();
    assert_eq!(second.values, set(&["bad", "good"]));
    talk.nack(&first, &[], "unlucky");
    talk.nack(&second, &[], "unlucky");
    let told = talk.settle_unless("bad", "unlucky");
    assert_eq!(told.last().unwrap().values, set(&["good"]));
    let parked = talk.status(CLUSTER).parked;
    assert_eq!(parked.iter().map(|p| &*p.name).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn what_a_client_took_of_a_refused_response_is_gone_when_the_snapshot_says_so() {
    // Envoy listens on `open` although it refuses the response.
    let mut talk = Talk::with(Sotw, [listener("open", "good", &[]), listener("other", "bad", &[])]);
    talk.sotw(LISTENER, &[]);
    let seen = talk.one();
    talk.publish([]);
    talk.nack(&seen, &[], "other: no");
    assert_eq!(talk.one().values, set(&[]), "nothing is left, and that is said");
}

#[test]
fn a_client_goes_back_to_what_it_had_where_it_may_have_taken_what_is_in_doubt() {
    let mut talk = Talk::with(Sotw, [cluster("a", "a1"), cluster("b", "b1")]);
    talk.sotw(CLUSTER, &[]);
    talk.settle(&[]);
    talk.publish([cluster("a", "a2"), cluster("b", "bad")]);
    let seen = talk.one();
    talk.publish([cluster("a", "a1"), cluster("b", "b1")]);
    talk.nack(&seen, &[], "unlucky");
    assert_eq!(talk.one().values, set(&["a1", "b1"]));
    assert_eq!(talk.status(CLUSTER).parked.len(), 0);
}

#[test]
fn what_a_refused_response_took_away_does_not_come_back() {
    // Envoy would warm it again, and wait for an assignment that nobody sends.
    let mut talk = Talk::with(Sotw, [cluster("old", "old")]);
    talk.sotw(CLUSTER, &[]);
    talk.settle(&[]);
    talk.publish([cluster("a", "good"), cluster("b", "bad")]);
    let told = talk.settle_unless("bad", "b: no");
    assert!(told.iter().all(|seen| !seen.values.contains("old")), "{told:?}");
    assert_eq!(told.last().unwrap().values, set(&["good"]));
}

#[test]
fn a_removal_that_was_sent_again_meanwhile_is_not_thought_undone_by_an_earlier_refusal() {
    let mut talk = Talk::with(Delta, [cluster("a", "good")]);
    talk.delta(CLUSTER, &[]);
    talk.settle(&[]);
    let bad = || cluster("b", "bad");
    talk.publish([bad()]);
    let first = talk.one();
    talk.publish([cluster("a", "bad")]);
    let second = talk.one();
    talk.publish([bad()]);
    let third = talk.one();
    talk.nack(&first, &[], "b: no");
    let early = talk.poll();
    talk.publish([cluster("a", "good"), bad()]);
    talk.nack(&second, &[], "a: no");
    talk.nack(&third, &[], "b: no");
    if let Some(early) = early {
        talk.ack(&early, &[]);
    }
    // Whether the client still has it is unknown.
    assert!(talk.settle(&[]).iter().any(|seen| seen.names.contains("a")));
}

#[test]
fn a_refusal_is_remembered_until_something_else_was_sent() {
    for protocol in [Delta, Sotw] {
        let mut talk = Talk::with(protocol, [cluster("a", "1")]);
        match protocol {
            Delta => talk.delta(CLUSTER, &[]),
            Sotw => talk.sotw(CLUSTER, &[]),
        }
        talk.settle(&[]);
        talk.publish([cluster("a", "bad")]);
        talk.settle_unless("bad", "no");
        assert_eq!(talk.status(CLUSTER).parked.len(), 1, "{protocol:?}");
        // What the client has is wanted again.
        talk.publish([cluster("a", "1")]);
        talk.settle(&[]);
        assert_eq!(talk.status(CLUSTER).parked.len(), 0, "{protocol:?}");
        talk.publish([cluster("a", "2")]);
        talk.settle(&[]);
        // It has changed since, so it is tried again.
        talk.publish([cluster("a", "bad")]);
        let told = talk.settle_unless("bad", "no");
        assert!(told[0].values.contains("bad"), "{protocol:?}: {told:?}");
        assert_eq!(talk.status(CLUSTER).parked.len(), 1, "{protocol:?}");
    }
}

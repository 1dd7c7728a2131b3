//! The incremental protocol, one promise per test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::collections::BTreeMap;

use smi_xds::Protocol::Delta;
use smi_xds::kind::{CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET};
use smi_xds::session::{Limits, Refusal};
use smi_xds::wire::DeltaDiscoveryRequest;
use smi_xds::{Resource, Session};
use support::*;

#[test]
fn without_a_snapshot_the_request_waits() {
    let mut talk = Talk::new(Delta);
    talk.delta(CLUSTER, &[]);
    talk.none();
    talk.publish([cluster("a", "a1")]);
    assert_eq!(talk.one().values, set(&["a1"]));
}

#[test]
fn an_equal_snapshot_is_no_news_and_a_new_one_is_told_once() {
    let mut talk = Talk::with(Delta, [cluster("a", "a1"), cluster("b", "b1")]);
    talk.delta(CLUSTER, &[]);
    let first = talk.one();
    talk.ack(&first, &[]);
    talk.publish([cluster("a", "a1"), cluster("b", "b1")]);
    talk.none();
    talk.publish([cluster("a", "a1"), cluster("b", "b2")]);
    let second = talk.one();
    assert_eq!((second.values, second.names), (set(&["b2"]), set(&["b"])));
    assert_ne!(first.nonce, second.nonce);
}

#[test]
fn a_slow_client_skips_what_came_between() {
    let mut talk = Talk::with(Delta, [cluster("a", "a1")]);
    talk.delta(CLUSTER, &[]);
    talk.one();
    for i in 0..200 {
        talk.publish([cluster("a", &format!("v{i}")), cluster(&format!("x{i}"), "x")]);
    }
    let next = talk.one();
    assert_eq!(next.names, set(&["a", "x199"]));
    assert_eq!(next.removed, set(&[]));
}

#[test]
fn the_first_wildcard_response_comes_even_if_empty() {
    let mut talk = Talk::with(Delta, []);
    talk.delta(LISTENER, &[]);
    assert_eq!(talk.one().values, set(&[]));
    talk.delta(ROUTE, &["r"]);
    talk.none();
}

#[test]
fn legacy_wildcard_ends_with_the_first_name() {
    let mut talk = Talk::with(Delta, [cluster("a", "a1"), cluster("b", "b1")]);
    talk.delta(CLUSTER, &[]);
    let all = talk.one();
    assert_eq!(all.names, set(&["a", "b"]));
    talk.ack(&all, &[]);
    talk.delta(CLUSTER, &["a"]);
    assert_eq!(talk.one().names, set(&["a"]));
    talk.publish([cluster("a", "a2"), cluster("b", "b2")]);
    assert_eq!(talk.one().names, set(&["a"]));
}

#[test]
fn star_and_names_live_together() {
    let mut talk = Talk::with(Delta, [cluster("a", "a1"), cluster("b", "b1")]);
    talk.delta(CLUSTER, &["*", "a"]);
    assert_eq!(talk.one().names, set(&["a", "b"]));
    talk.change(CLUSTER, &[], &["*"]);
    talk.none();
    talk.publish([cluster("a", "a2"), cluster("b", "b2")]);
    assert_eq!(talk.one().names, set(&["a"]));
    talk.delta(CLUSTER, &["*"]);
    assert_eq!(talk.one().names, set(&["b"]));
}

#[test]
fn giving_up_a_name_while_everything_is_wanted_repeats_it_or_tells_that_it_is_not() {
    let mut talk = Talk::with(Delta, [cluster("a", "a1")]);
    talk.delta(CLUSTER, &["*", "a", "nothing"]);
    assert_eq!(talk.one().names, set(&["a"]));
    talk.change(CLUSTER, &[], &["a"]);
    assert_eq!(talk.one().names, set(&["a"]));
    talk.change(CLUSTER, &[], &["nothing"]);
    assert_eq!(talk.one().removed, set(&["nothing"]));
}

#[test]
fn subscribing_again_sends_again() {
    let mut talk = Talk::with(Delta, [endpoints("a", "a1")]);
    talk.delta(ENDPOINT, &["a"]);
    assert_eq!(talk.one().values, set(&["a1"]));
    talk.delta(ENDPOINT, &["a"]);
    assert_eq!(talk.one().values, set(&["a1"]));
    talk.change(ENDPOINT, &[], &["a"]);
    talk.none();
    talk.delta(ENDPOINT, &["a"]);
    assert_eq!(talk.one().values, set(&["a1"]));
}

#[test]
fn what_was_on_its_way_when_its_name_was_asked_for_again_is_taken_back() {
    let mut talk = Talk::with(Delta, [route("r", "r1", &[])]);
    talk.delta(ROUTE, &["r"]);
    talk.one();
    talk.publish([]);
    talk.change(ROUTE, &[], &["r"]);
    talk.delta(ROUTE, &["r"]);
    assert_eq!(talk.one().removed, set(&["r"]));
}

#[test]
fn a_name_that_is_nothing_yet_is_remembered() {
    let mut talk = Talk::with(Delta, []);
    talk.delta(ROUTE, &["r"]);
    talk.none();
    talk.publish([route("r", "r1", &[])]);
    assert_eq!(talk.one().values, set(&["r1"]));
}

#[test]
fn a_removed_named_resource_is_told_and_comes_back() {
    let mut talk = Talk::with(Delta, [route("r", "r1", &[])]);
    talk.delta(ROUTE, &["r"]);
    talk.one();
    talk.publish([]);
    let gone = talk.one();
    assert_eq!((gone.values, gone.removed), (set(&[]), set(&["r"])));
    talk.publish([route("r", "r1", &[])]);
    assert_eq!(talk.one().values, set(&["r1"]));
}

#[test]
fn initial_versions_leave_the_differences() {
    let mut first = Talk::with(Delta, [cluster("a", "a1"), cluster("b", "b1"), cluster("c", "c1")]);
    first.delta(CLUSTER, &[]);
    let versions = first.one().versions;
    let mut again = Talk::with(Delta, [cluster("a", "a1"), cluster("b", "b2")]);
    again.resume(CLUSTER, &[], &versions);
    let seen = again.one();
    assert_eq!((&seen.names, &seen.removed), (&set(&["b"]), &set(&[])));
    // Its routes may use `c`; by now it has told of all that it has.
    again.ack(&seen, &[]);
    assert_eq!(again.one().removed, set(&["c"]));
}

#[test]
fn what_a_returning_client_uses_goes_after_its_routes_have_changed() {
    let old = [cluster("old", "1"), route("r", "r1", &["old"])];
    let mut first = Talk::with(Delta, old);
    first.delta(CLUSTER, &[]);
    let clusters = first.settle(&[])[0].versions.clone();
    first.delta(ROUTE, &["r"]);
    let routes = first.settle(&[]).pop().unwrap().versions;
    let mut again = Talk::with(Delta, [cluster("new", "1"), route("r", "r2", &["new"])]);
    again.resume(CLUSTER, &[], &clusters);
    let seen = again.one();
    assert_eq!((&seen.names, &seen.removed), (&set(&["new"]), &set(&[])));
    again.resume(ROUTE, &["r"], &routes);
    again.ack(&seen, &[]);
    let moved = again.one();
    assert_eq!(moved.names, set(&["r"]));
    again.ack(&moved, &[]);
    assert_eq!(again.one().removed, set(&["old"]));
}

#[test]
fn initial_versions_are_no_subscription_and_do_not_end_the_wildcard() {
    let mut talk = Talk::with(Delta, [cluster("a", "a1"), cluster("b", "b1")]);
    talk.resume(CLUSTER, &[], &BTreeMap::from([("a".into(), "other".into())]));
    assert_eq!(talk.one().names, set(&["a", "b"]));
    talk.publish([cluster("a", "a1"), cluster("b", "b1"), cluster("c", "c1")]);
    assert_eq!(talk.one().names, set(&["c"]));
}

#[test]
fn initial_versions_before_the_snapshot_count_too() {
    let mut first = Talk::with(Delta, [endpoints("a", "a1")]);
    first.delta(ENDPOINT, &["a"]);
    let versions = first.one().versions;
    let mut again = Talk::new(Delta);
    again.resume(ENDPOINT, &["a"], &versions);
    again.none();
    again.publish([endpoints("a", "a1")]);
    again.none();
}

#[test]
fn versions_are_the_same_on_every_replica() {
    let versions = || {
        let mut talk = Talk::with(Delta, [cluster("b", "b1"), cluster("a", "a1")]);
        talk.delta(CLUSTER, &[]);
        let seen = talk.one();
        (seen.version, seen.versions)
    };
    assert_eq!(versions(), versions());
}

#[test]
fn assignments_follow_their_cluster_unasked_and_unchanged() {
    let mut talk = Talk::with(Delta, [cluster("a", "a1"), endpoints("a", "e1")]);
    talk.delta(CLUSTER, &[]);
    let first = talk.one();
    talk.delta(ENDPOINT, &["a"]);
    let eds = talk.one();
    talk.ack(&eds, &[]);
    talk.ack(&first, &[]);
    talk.publish([cluster("a", "a2"), endpoints("a", "e1")]);
    let changed = talk.poll().unwrap();
    assert_eq!((changed.kind.as_str(), changed.values), (CLUSTER, set(&["a2"])));
    let again = talk.one();
    assert_eq!((again.kind.as_str(), again.values), (ENDPOINT, set(&["e1"])));
}

#[test]
fn a_reconnecting_client_gets_the_assignment_of_a_cluster_that_changed_meanwhile() {
    let mut first = Talk::with(Delta, [cluster("a", "a1"), endpoints("a", "e1")]);
    first.delta(CLUSTER, &[]);
    let clusters = first.one().versions;
    first.delta(ENDPOINT, &["a"]);
    let assignments = first.one().versions;
    let mut again = Talk::with(Delta, [cluster("a", "a2"), endpoints("a", "e1")]);
    again.resume(CLUSTER, &[], &clusters);
    assert_eq!(again.one().values, set(&["a2"]));
    again.resume(ENDPOINT, &["a"], &assignments);
    assert_eq!(again.one().values, set(&["e1"]));
}

#[test]
fn a_known_cluster_without_endpoints_has_an_empty_assignment() {
    let mut talk = Talk::with(Delta, [cluster("a", "a1")]);
    talk.delta(ENDPOINT, &["a", "unknown"]);
    // Field 1, length 1, "a": the name and nothing else.
    assert_eq!(talk.one().values, set(&["\n\u{1}a"]));
}

#[test]
fn types_go_in_order_and_wait_for_what_they_refer_to() {
    let world = |v: &str, extra: &[&str]| {
        let mut all = vec![
            Resource::new(SECRET, "s", v.as_bytes()),
            listener("l", v, &["r"]),
            route("r", v, &["a"]),
            cluster("a", v),
            endpoints("a", v),
        ];
        all.extend(extra.iter().map(|name| cluster(name, v)));
        all
    };
    let mut talk = Talk::with(Delta, world("1", &[]));
    for (kind, names) in [
        (ROUTE, vec!["r"]),
        (LISTENER, vec![]),
        (ENDPOINT, vec!["a"]),
        (CLUSTER, vec![]),
        (SECRET, vec!["s"]),
    ] {
        talk.delta(kind, &names);
    }
    let kinds: Vec<_> = talk.settle(&[]).into_iter().map(|seen| seen.kind).collect();
    assert_eq!(kinds, [SECRET, CLUSTER, ENDPOINT, LISTENER, ROUTE]);
    talk.publish(world("2", &[]));
    let sent: Vec<_> = std::iter::from_fn(|| talk.poll()).collect();
    let kinds: Vec<_> = sent.iter().map(|s| s.kind.as_str()).collect();
    // The route waits for the cluster it refers to; the listener refers to the route by name only, so it need not.
    assert_eq!(kinds, [SECRET, CLUSTER, ENDPOINT, LISTENER]);
    talk.ack(&sent[1], &[]);
    assert_eq!(talk.one().kind, ROUTE);
}

#[test]
fn a_wait_is_bounded() {
    let mut talk = Talk::with(Delta, [cluster("a", "1"), route("r", "1", &["a"])]);
    talk.delta(CLUSTER, &[]);
    talk.delta(ROUTE, &["r"]);
    talk.settle(&[]);
    talk.publish([cluster("a", "2"), route("r", "2", &["a"])]);
    assert_eq!(talk.one().kind, CLUSTER);
    let at = talk.session.deadline(talk.now).expect("something waits");
    talk.now = at - 1;
    talk.none();
    talk.now = at;
    assert_eq!(talk.one().kind, ROUTE);
}

#[test]
fn a_change_that_refers_to_nothing_new_does_not_wait_for_a_slow_cluster() {
    let world = |c: &str, r: &str| [cluster("slow", c), cluster("a", "1"), route("r", r, &["a"])];
    let mut talk = Talk::with(Delta, world("1", "1"));
    talk.delta(CLUSTER, &[]);
    talk.delta(ROUTE, &["r"]);
    talk.settle(&[]);
    talk.publish(world("2", "1"));
    assert_eq!(talk.one().values, set(&["2"]));
    talk.publish(world("2", "grant removed"));
    assert_eq!(talk.one().values, set(&["grant removed"]));
}

#[test]
fn make_before_break_additions_first_and_removals_when_nothing_refers_to_them() {
    let mut talk = Talk::with(Delta, [cluster("old", "1"), route("r", "1", &["old"])]);
    talk.delta(CLUSTER, &[]);
    talk.delta(ROUTE, &["r"]);
    talk.settle(&[]);
    talk.publish([cluster("new", "1"), route("r", "2", &["new"])]);
    let union = talk.one();
    assert_eq!((union.names.clone(), union.removed.clone()), (set(&["new"]), set(&[])));
    talk.ack(&union, &[]);
    let moved = talk.one();
    assert_eq!(moved.kind, ROUTE);
    talk.none();
    talk.ack(&moved, &[]);
    assert_eq!(talk.one().removed, set(&["old"]));
}

#[test]
fn a_removal_waits_no_longer_than_its_bound() {
    let mut talk = Talk::with(Delta, [cluster("old", "1"), route("r", "1", &["old"])]);
    talk.delta(CLUSTER, &[]);
    talk.delta(ROUTE, &["r"]);
    talk.settle(&[]);
    talk.publish([route("r", "2", &[])]);
    let moved = talk.one();
    talk.nack(&moved, &[], "no");
    talk.none();
    let at = talk.session.deadline(talk.now).expect("the removal is due some time");
    talk.now = at - 1;
    talk.none();
    talk.now = at;
    assert_eq!(talk.one().removed, set(&["old"]));
}

#[test]
fn a_cluster_that_comes_back_before_its_removal_was_never_gone() {
    let with = [cluster("old", "1"), route("r", "1", &["old"])];
    let mut talk = Talk::with(Delta, with.clone());
    talk.delta(CLUSTER, &[]);
    talk.delta(ROUTE, &["r"]);
    talk.settle(&[]);
    talk.publish([route("r", "2", &[])]);
    let moved = talk.one();
    talk.publish(with);
    let back = talk.one();
    assert_eq!(back.kind, ROUTE);
    talk.ack(&moved, &[]);
    talk.ack(&back, &[]);
    talk.none();
}

#[test]
fn a_request_without_type_or_with_nonsense_ends_the_stream() {
    let mut session = Session::new(Delta, None, Limits::default());
    let mut ask =
        |url: &str| session.on_delta(DeltaDiscoveryRequest { type_url: url.into(), ..Default::default() });
    assert_eq!(ask(""), Err(Refusal::NoType));
    assert_eq!(ask("nonsense"), Err(Refusal::NotAType("nonsense".into())));
    assert_eq!(ask("type.googleapis.com/what.Ever"), Ok(()));
}

#[test]
fn a_thousand_subscriptions_to_nothing_are_held_and_types_and_names_are_bounded() {
    let mut talk = Talk::with(Delta, [cluster("a", "1")]);
    for i in 0..1000 {
        talk.delta(ENDPOINT, &[&format!("nothing-{i}")]);
    }
    talk.none();
    let mut session = Session::new(Delta, None, Limits::default());
    let results: Vec<_> = (0..100)
        .map(|i| {
            let type_url = format!("type.googleapis.com/t.T{i}");
            session.on_delta(DeltaDiscoveryRequest { type_url, ..Default::default() })
        })
        .collect();
    assert_eq!(results.iter().filter(|r| r.is_err()).count(), 100 - Limits::default().types);
}

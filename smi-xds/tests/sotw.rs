//! State of the world, one promise per test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use smi_xds::Protocol::Sotw;
use smi_xds::kind::{CLUSTER, ENDPOINT, LISTENER, ROUTE};
use support::*;

#[test]
fn without_a_snapshot_the_request_waits() {
    let mut talk = Talk::new(Sotw);
    talk.sotw(CLUSTER, &[]);
    talk.none();
    talk.publish([cluster("a", "a1")]);
    assert_eq!(talk.one().values, set(&["a1"]));
}

#[test]
fn only_the_types_that_changed_are_sent_once() {
    let mut talk = Talk::with(Sotw, [cluster("a", "a1"), listener("l", "l1", &[])]);
    talk.sotw(CLUSTER, &[]);
    talk.sotw(LISTENER, &[]);
    assert_eq!(talk.settle(&[]).len(), 2);
    talk.publish([cluster("a", "a1"), listener("l", "l1", &[])]);
    talk.none();
    talk.publish([cluster("a", "a1"), listener("l", "l2", &[])]);
    assert_eq!(talk.one().values, set(&["l2"]));
}

#[test]
fn the_world_of_clusters_is_whole_and_that_of_assignments_partial() {
    let mut talk = Talk::with(
        Sotw,
        [cluster("a", "a1"), cluster("b", "b1"), endpoints("a", "e1"), endpoints("b", "f1")],
    );
    talk.sotw(CLUSTER, &[]);
    talk.sotw(ENDPOINT, &["a", "b"]);
    talk.settle(&[(ENDPOINT, &["a", "b"])]);
    talk.publish([cluster("a", "a1"), cluster("b", "b1"), endpoints("a", "e2"), endpoints("b", "f1")]);
    let seen = talk.one();
    assert_eq!(seen.values, set(&["e2"]));
    talk.ack(&seen, &["b", "a"]);
    talk.publish([cluster("a", "a2"), cluster("b", "b1"), endpoints("a", "e2"), endpoints("b", "f1")]);
    assert_eq!(talk.poll().unwrap().values, set(&["a2", "b1"]));
}

#[test]
fn a_world_of_nothing_is_told() {
    let mut talk = Talk::with(Sotw, []);
    talk.sotw(LISTENER, &[]);
    let seen = talk.one();
    assert_eq!((seen.values, seen.version.is_empty()), (set(&[]), false));
}

#[test]
fn a_new_name_at_the_same_version_is_sent() {
    let mut talk = Talk::with(Sotw, [endpoints("a", "e1"), endpoints("b", "f1")]);
    talk.sotw(ENDPOINT, &["a"]);
    let first = talk.one();
    talk.ack(&first, &["a"]);
    talk.sotw_again(ENDPOINT, &["a", "b"], &first.nonce);
    assert_eq!(talk.one().values, set(&["f1"]));
}

#[test]
fn a_new_name_may_come_with_the_answer() {
    let mut talk = Talk::with(Sotw, [endpoints("a", "e1"), endpoints("b", "f1")]);
    talk.sotw(ENDPOINT, &["a"]);
    let first = talk.one();
    talk.ack(&first, &["b", "a"]);
    assert_eq!(talk.one().values, set(&["f1"]));
}

#[test]
fn giving_up_a_name_and_asking_again_sends_again() {
    let mut talk = Talk::with(Sotw, [endpoints("a", "e1"), endpoints("b", "f1")]);
    talk.sotw(ENDPOINT, &["a", "b"]);
    let first = talk.one();
    talk.ack(&first, &["a"]);
    talk.none();
    talk.sotw_again(ENDPOINT, &["a", "b"], &first.nonce);
    assert_eq!(talk.one().values, set(&["f1"]));
}

#[test]
fn a_reply_leaves_out_what_was_given_up_meanwhile() {
    let mut talk = Talk::with(Sotw, [endpoints("a", "e1"), endpoints("b", "f1")]);
    talk.sotw(ENDPOINT, &["a", "b"]);
    talk.sotw(ENDPOINT, &["b"]);
    assert_eq!(talk.one().values, set(&["f1"]));
}

#[test]
fn a_request_with_a_stale_nonce_is_ignored() {
    let mut talk = Talk::with(Sotw, [endpoints("a", "e1"), endpoints("b", "f1")]);
    talk.sotw(ENDPOINT, &["a"]);
    let first = talk.one();
    talk.ack(&first, &["a"]);
    talk.publish([endpoints("a", "e2"), endpoints("b", "f1")]);
    let second = talk.one();
    assert_ne!(first.nonce, second.nonce);
    talk.sotw_again(ENDPOINT, &["a", "b"], &first.nonce);
    talk.none();
    assert_eq!(talk.status(ENDPOINT).counts.stale, 1);
    talk.ack(&second, &["a", "b"]);
    assert_eq!(talk.one().values, set(&["f1"]));
}

#[test]
fn an_empty_list_after_names_is_no_wildcard() {
    let mut talk = Talk::with(Sotw, [cluster("a", "a1"), cluster("b", "b1")]);
    talk.sotw(CLUSTER, &["a"]);
    let first = talk.one();
    assert_eq!(first.values, set(&["a1"]));
    talk.ack(&first, &[]);
    talk.publish([cluster("a", "a2"), cluster("b", "b2")]);
    talk.none();
}

#[test]
fn legacy_wildcard_ends_with_a_name_and_star_is_explicit() {
    let mut talk = Talk::with(Sotw, [cluster("a", "a1"), cluster("b", "b1")]);
    talk.sotw(CLUSTER, &[]);
    let all = talk.one();
    assert_eq!(all.values, set(&["a1", "b1"]));
    talk.ack(&all, &["a"]);
    talk.publish([cluster("a", "a2"), cluster("b", "b2")]);
    let one = talk.one();
    assert_eq!(one.values, set(&["a2"]));
    talk.ack(&one, &["a", "*"]);
    assert_eq!(talk.one().values, set(&["a2", "b2"]));
}

#[test]
fn a_repeated_request_gets_the_assignment_while_its_cluster_is_not_accepted() {
    let mut talk = Talk::with(Sotw, [cluster("a", "a1"), endpoints("a", "e1")]);
    talk.sotw(CLUSTER, &[]);
    let clusters = talk.one();
    talk.sotw(ENDPOINT, &["a"]);
    let first = talk.one();
    talk.ack(&first, &["a"]);
    talk.ack(&clusters, &[]);
    talk.sotw_again(ENDPOINT, &["a"], &first.nonce);
    talk.none();
    talk.publish([cluster("a", "a2"), endpoints("a", "e1")]);
    let clusters = talk.poll().unwrap();
    assert_eq!(clusters.kind, CLUSTER);
    // Right after, unasked.
    let pushed = talk.one();
    assert_eq!((pushed.kind.as_str(), &pushed.values), (ENDPOINT, &set(&["e1"])));
    talk.ack(&pushed, &["a"]);
    talk.none();
    // And once more when asked.
    talk.sotw_again(ENDPOINT, &["a"], &pushed.nonce);
    let asked = talk.one();
    assert_eq!(asked.values, set(&["e1"]));
    talk.ack(&asked, &["a"]);
    talk.ack(&clusters, &[]);
    talk.sotw_again(ENDPOINT, &["a"], &asked.nonce);
    talk.none();
}

#[test]
fn make_before_break_the_union_first() {
    let mut talk = Talk::with(Sotw, [cluster("old", "o"), route("r", "r1", &["old"])]);
    talk.sotw(CLUSTER, &[]);
    talk.sotw(ROUTE, &["r"]);
    talk.settle(&[(ROUTE, &["r"])]);
    talk.publish([cluster("new", "n"), route("r", "r2", &["new"])]);
    let union = talk.one();
    assert_eq!(union.values, set(&["o", "n"]));
    talk.ack(&union, &[]);
    let moved = talk.one();
    assert_eq!(moved.values, set(&["r2"]));
    talk.ack(&moved, &["r"]);
    assert_eq!(talk.one().values, set(&["n"]));
}

#[test]
fn one_response_at_a_time_and_the_newest_next() {
    let mut talk = Talk::with(Sotw, [endpoints("a", "0")]);
    talk.sotw(ENDPOINT, &["a"]);
    let first = talk.one();
    for i in 1..5 {
        talk.publish([endpoints("a", &i.to_string())]);
        talk.none();
    }
    talk.ack(&first, &["a"]);
    assert_eq!(talk.one().values, set(&["4"]));
}

#[test]
fn a_client_that_never_answers_still_gets_the_newest() {
    let mut talk = Talk::with(Sotw, [endpoints("a", "0")]);
    talk.sotw(ENDPOINT, &["a"]);
    talk.one();
    talk.publish([endpoints("a", "1")]);
    talk.none();
    talk.now = talk.session.deadline(talk.now).unwrap();
    assert_eq!(talk.one().values, set(&["1"]));
}

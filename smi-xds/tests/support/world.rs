//! Worlds of clusters, assignments and routes that tell what they use, and steps between them.

#![allow(unreachable_pub, reason = "a part of a test")]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use smi_xds::{Resource, Snapshot};

use crate::support::{cluster, endpoints, route};

/// A world: clusters with a content each, routes with a content and the clusters they use.
#[derive(Clone, Default)]
pub struct World {
    pub clusters: BTreeMap<u8, u8>,
    pub assignments: BTreeMap<u8, u8>,
    pub routes: BTreeMap<u8, (u8, BTreeSet<u8>)>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values: Vec<_> =
            self.resources().iter().map(|r| (r.type_url().short().to_owned(), r.value())).collect();
        write!(f, "{values:?}")
    }
}

/// Contents above this are refused.
pub const BAD: u8 = 200;

impl World {
    pub fn resources(&self) -> Vec<Resource> {
        // Values carry name and references, so that the client can check what it uses.
        let mut all = Vec::new();
        for (name, value) in &self.clusters {
            all.push(cluster(&format!("c{name}"), &format!("c{name}={value}")));
        }
        for (name, value) in self.assignments.iter().filter(|(name, _)| self.clusters.contains_key(name)) {
            all.push(endpoints(&format!("c{name}"), &format!("c{name}={value}")));
        }
        for (name, (value, uses)) in &self.routes {
            let uses: Vec<String> =
                uses.iter().filter(|c| self.clusters.contains_key(c)).map(|c| format!("c{c}")).collect();
            let refs: Vec<&str> = uses.iter().map(String::as_str).collect();
            all.push(route(&format!("r{name}"), &format!("r{name}={value}|{}", uses.join(",")), &refs));
        }
        all
    }
}

pub fn world(contents: std::ops::Range<u8>) -> impl Strategy<Value = World> {
    let clusters = prop::collection::btree_map(0..6_u8, contents.clone(), 0..6);
    let assignments = prop::collection::btree_map(0..6_u8, 0..4_u8, 0..6);
    let uses = prop::collection::btree_set(0..6_u8, 0..4);
    let routes = prop::collection::btree_map(0..3_u8, (contents, uses), 0..3);
    (clusters, assignments, routes).prop_map(|(clusters, assignments, routes)| World {
        clusters,
        assignments,
        routes,
    })
}

#[derive(Clone, Debug)]
pub enum Step {
    Publish(World),
    /// The client takes a response.
    Take,
    /// The client answers the oldest response it has taken.
    Answer,
    /// Nonsense about a response that never was.
    Stale(u16),
}

pub fn steps(contents: std::ops::Range<u8>) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => world(contents).prop_map(Step::Publish),
        4 => Just(Step::Take),
        3 => Just(Step::Answer),
        1 => any::<u16>().prop_map(Step::Stale),
    ];
    prop::collection::vec(step, 1..60)
}

pub fn pair(value: &Bytes) -> (String, String) {
    let text = String::from_utf8_lossy(value).into_owned();
    match text.split_once('=') {
        Some((name, _)) => (name.to_owned(), text.clone()),
        // The empty assignment: tag, length, name.
        None => (text.chars().skip(2).collect(), text),
    }
}

pub fn content(value: &str) -> u8 {
    let number = value.split_once('=').map_or("", |(_, rest)| rest);
    number.split('|').next().unwrap_or_default().parse().unwrap_or(0)
}

pub fn last_world(steps: &[Step]) -> Option<&World> {
    steps.iter().rev().find_map(|s| if let Step::Publish(world) = s { Some(world) } else { None })
}

pub fn expected(world: &World, kind: &str) -> BTreeMap<String, String> {
    let snapshot = Snapshot::new(world.resources());
    snapshot.iter().filter(|r| r.type_url().as_str() == kind).map(|r| pair(&r.value())).collect()
}

pub fn good(map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.iter().filter(|(_, v)| content(v) <= BAD).map(|(n, v)| (n.clone(), v.clone())).collect()
}

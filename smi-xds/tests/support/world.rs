//! Worlds of secrets, clusters, assignments, listeners and routes that tell what they use, and steps between them.

#![allow(unreachable_pub, reason = "a part of a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use proptest::prelude::*;
use smi_xds::kind::{CLUSTER, LISTENER, ROUTE, SECRET};
use smi_xds::{Reference, Resource, Snapshot};

use crate::support::{cluster, endpoints};

/// A world: contents by number, and for listeners and routes what they use.
#[derive(Clone, Default)]
pub struct World {
    pub secrets: BTreeMap<u8, u8>,
    pub clusters: BTreeMap<u8, u8>,
    pub assignments: BTreeMap<u8, u8>,
    pub listeners: BTreeMap<u8, (u8, BTreeSet<u8>)>,
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

/// A content that spoils the whole response.
pub const UNREADABLE: u8 = 203;

/// Names of clusters; each is a part of the next.
const CLUSTERS: [&str; 6] = ["c", "c1", "c10", "c2", "c20", "xc1"];

impl World {
    pub fn resources(&self) -> Vec<Resource> {
        // Values carry name and references, so that the client can check what it uses.
        let mut all = Vec::new();
        for (number, value) in &self.secrets {
            all.push(Resource::new(SECRET, format!("s{number}"), format!("s{number}={value}").as_bytes()));
        }
        for (number, value) in &self.clusters {
            let name = CLUSTERS[usize::from(*number)];
            all.push(cluster(name, &format!("{name}={value}")));
        }
        for (number, value) in self.assignments.iter().filter(|(n, _)| self.clusters.contains_key(n)) {
            let name = CLUSTERS[usize::from(*number)];
            all.push(endpoints(name, &format!("{name}={value}")));
        }
        for (number, (value, uses)) in &self.listeners {
            let routes = uses.iter().filter(|n| self.routes.contains_key(n));
            let secrets = uses.iter().filter(|n| self.secrets.contains_key(n));
            let uses = self.clusters(uses).chain(
                routes.map(|n| (ROUTE, format!("r{n}"))).chain(secrets.map(|n| (SECRET, format!("s{n}")))),
            );
            all.push(using(LISTENER, format!("l{number}"), *value, uses.collect()));
        }
        for (number, (value, uses)) in &self.routes {
            all.push(using(ROUTE, format!("r{number}"), *value, self.clusters(uses).collect()));
        }
        all
    }

    fn clusters<'a>(&'a self, uses: &'a BTreeSet<u8>) -> impl Iterator<Item = (&'static str, String)> {
        let there = uses.iter().filter(|n| self.clusters.contains_key(n));
        there.map(|n| (CLUSTER, CLUSTERS[usize::from(*n)].to_owned()))
    }
}

fn using(kind: &str, name: String, value: u8, uses: Vec<(&str, String)>) -> Resource {
    let names: Vec<&str> = uses.iter().map(|(_, name)| name.as_str()).collect();
    Resource::new(kind, name.as_str(), format!("{name}={value}|{}", names.join(",")).as_bytes())
        .with_references(uses.iter().map(|(kind, name)| Reference::new(*kind, name.as_str())))
}

/// What a value uses, of the names that begin like this.
pub fn used<'a>(value: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let names = value.split_once('|').map_or("", |(_, uses)| uses).split(',');
    names.filter(move |name| name.starts_with(prefix))
}

pub fn world(contents: Range<u8>) -> impl Strategy<Value = World> {
    let map = |contents: Range<u8>, most| prop::collection::btree_map(0..6_u8, contents, 0..most);
    let using = |contents: Range<u8>| {
        prop::collection::btree_map(0..4_u8, (contents, prop::collection::btree_set(0..6_u8, 0..4)), 0..4)
    };
    let assignments = if contents.start < BAD && contents.end > BAD { contents.clone() } else { 0..4 };
    (
        map(contents.clone(), 4),
        map(contents.clone(), 6),
        map(assignments, 6),
        using(contents.clone()),
        using(contents),
    )
        .prop_map(|(secrets, clusters, assignments, listeners, routes)| World {
            secrets,
            clusters,
            assignments,
            listeners,
            routes,
        })
}

#[derive(Clone, Debug)]
pub enum Step {
    Publish(World),
    /// The server sends a response.
    Send,
    /// The client takes a response.
    Take,
    /// The client answers the oldest responses of a type that it has taken; state of the world: the last of so many.
    Answer(u8, u8),
    /// The server reads a request.
    Hear,
    /// Time passes.
    Wait(u64),
    /// The connection breaks, and there is another.
    Reconnect,
    /// The client asks for a cluster by name beside everything, or no longer.
    Ask(u8),
    GiveUp(u8),
    /// Nonsense about a response that never was.
    Stale(u16),
}

/// The name of a cluster.
pub fn cluster_name(number: u8) -> &'static str {
    CLUSTERS[usize::from(number)]
}

/// `waits`: time passes.
pub fn steps(contents: Range<u8>, waits: bool) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => world(contents).prop_map(Step::Publish),
        24 => Just(Step::Send),
        20 => Just(Step::Take),
        20 => (0..5_u8, 1..4_u8).prop_map(|(kind, number)| Step::Answer(kind, number)),
        24 => Just(Step::Hear),
        if waits { 4 } else { 0 } => prop::sample::select(vec![1_000, 5_000, 15_000]).prop_map(Step::Wait),
        1 => Just(Step::Reconnect),
        1 => (0..6_u8).prop_map(Step::Ask),
        1 => (0..6_u8).prop_map(Step::GiveUp),
        2 => any::<u16>().prop_map(Step::Stale),
    ];
    prop::collection::vec(step, 1..90)
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

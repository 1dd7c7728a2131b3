//! Worlds to compare.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use smi_core::cluster::Cluster;
use smi_core::compile::{CompileOptions, Compiled, compile};
use smi_core::eval::{Distribution, Outcome, Request, eval};
use smi_core::hub::names::Namespaced;
use smi_core::hub::{
    HttpMatch, Hub, Meta, RouteGroup, Rule, SplitBackend, Subject, TrafficSplit, TrafficTarget,
};
use smi_core::ir::Ir;
use smi_core::load::{Input, Limits, World, load};
use smi_core::testing::Draft;
use smi_core::testing::strategy::{cluster, hub, request};

/// Enough to meet every shape, few enough to run with every change.
pub(crate) fn cases() -> ProptestConfig {
    ProptestConfig { cases: 48, ..ProptestConfig::default() }
}

pub(crate) fn worlds() -> BoxedStrategy<(Hub, Cluster)> {
    (hub::hub(), cluster::cluster()).boxed()
}

pub(crate) fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    proptest::collection::vec(request::draft(), 1..24)
}

pub(crate) fn compiled(hub: &Hub, cluster: &Cluster) -> Compiled {
    compile(hub, cluster, &CompileOptions::default())
}

pub(crate) fn ir(hub: &Hub, cluster: &Cluster) -> Ir {
    compiled(hub, cluster).ir
}

pub(crate) fn read(text: &str) -> World {
    load(&[Input::new("world.yaml", text)], &Limits::default())
}

pub(crate) fn decide(ir: &Ir, request: &Request) -> Distribution {
    eval(ir, request).distribution()
}

pub(crate) fn is_served(ir: &Ir, request: &Request) -> bool {
    decide(ir, request).iter().any(|(outcome, _)| matches!(outcome, Outcome::Served(..)))
}

/// Both decide every request alike.
pub(crate) fn alike(a: &Ir, b: &Ir, drafts: &[Draft]) -> Result<(), TestCaseError> {
    for draft in drafts {
        let request = draft.request(a);
        prop_assert_eq!(decide(a, &request), decide(b, &request), "{:?}", request);
    }
    Ok(())
}

/// Whatever `less` serves, `more` serves too.
pub(crate) fn at_most(less: &Ir, more: &Ir, drafts: &[Draft]) -> Result<(), TestCaseError> {
    for request in drafts.iter().flat_map(|draft| [draft.request(less), draft.request(more)]) {
        prop_assert!(!is_served(less, &request) || is_served(more, &request), "{:?}", request);
    }
    Ok(())
}

pub(crate) fn meta(namespace: &str, name: &str) -> Meta {
    Meta {
        name: Namespaced::new(namespace, name),
        namespaced: true,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        created: None,
        version: "v1alpha4",
    }
}

pub(crate) fn account(namespace: &str, name: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".into(),
        group: None,
        name: name.into(),
        namespace: Some(namespace.into()),
        port: None,
    }
}

pub(crate) fn rule(kind: &str, name: &str) -> Rule {
    Rule { kind: kind.into(), name: name.into(), matches: None }
}

/// A target of namespace `a` that opens every account that pods of `a` have to every caller of the vocabulary.
pub(crate) fn targets(rules: &[Rule]) -> Vec<TrafficTarget> {
    let names = ["b-c", "c", "v1", "v2", "web", "shared", "default"];
    let sources: Vec<Subject> =
        ["a", "a-b"].iter().flat_map(|ns| names.iter().map(|name| account(ns, name))).collect();
    let target = |name: &&str| TrafficTarget {
        meta: meta("a", &format!("open-{name}")),
        destination: Some(account("a", name)),
        sources: sources.clone(),
        rules: rules.to_vec(),
    };
    names.iter().map(target).collect()
}

/// A hub of one namespace in which everything is open, so that routing alone decides.
pub(crate) fn open() -> Hub {
    let mut hub = Hub::default();
    let all = smi_core::hub::PortRoute {
        meta: meta("a", "all"),
        transport: smi_core::hub::names::Transport::Tcp,
        name: None,
        ports: None,
    };
    hub.udp_routes.insert(
        all.meta.name.clone(),
        smi_core::hub::PortRoute { transport: smi_core::hub::names::Transport::Udp, ..all.clone() },
    );
    hub.tcp_routes.insert(all.meta.name.clone(), all);
    for target in targets(&[rule("TCPRoute", "all"), rule("UDPRoute", "all")]) {
        hub.targets.insert(target.meta.name.clone(), target);
    }
    hub
}

pub(crate) fn split(name: &str, root: &str, backends: &[(&str, i64)]) -> TrafficSplit {
    let backend =
        |(service, weight): &(&str, i64)| SplitBackend { service: (*service).into(), weight: *weight };
    TrafficSplit {
        meta: meta("a", name),
        service: root.into(),
        backends: backends.iter().map(backend).collect(),
        matches: None,
    }
}

pub(crate) fn with_splits(mut hub: Hub, splits: impl IntoIterator<Item = TrafficSplit>) -> Hub {
    for split in splits {
        hub.splits.insert(split.meta.name.clone(), split);
    }
    hub
}

pub(crate) fn group(name: &str, matches: Vec<HttpMatch>) -> RouteGroup {
    RouteGroup { meta: meta("a", name), matches }
}

/// A hub in which the matches of one group decide about everything in namespace `a`.
pub(crate) fn by_group(matches: Vec<HttpMatch>) -> Hub {
    let mut hub = Hub::default();
    let group = group("g", matches);
    hub.route_groups.insert(group.meta.name.clone(), group);
    for target in targets(&[rule("HTTPRouteGroup", "g")]) {
        hub.targets.insert(target.meta.name.clone(), target);
    }
    hub
}

pub(crate) fn http_match(name: &str, path: &str) -> HttpMatch {
    HttpMatch { name: name.into(), path_regex: Some(path.into()), methods: None, headers: None }
}

/// The matches of random groups.
pub(crate) fn matches() -> impl Strategy<Value = Vec<HttpMatch>> {
    hub::hub().prop_map(|hub| hub.route_groups.into_values().flat_map(|g| g.matches).take(4).collect())
}

pub(crate) fn text(s: &str) -> Arc<str> {
    s.into()
}

//! What rules look at.

use std::collections::{HashMap, HashSet};

use crate::cluster::Cluster;
use crate::compile::CompileOptions;
use crate::diag::FieldPath;
use crate::hub::names::{Name, Namespace, Namespaced};
use crate::hub::{Hub, TrafficSplit, TrafficTarget};
use crate::ir::{Ir, WorkloadId};

/// Namespace and name, borrowed: look-ups hash texts and clone nothing.
pub(super) type Named<'a> = (&'a str, &'a str);

/// A world and look-ups into it.
#[derive(Debug)]
pub struct Context<'a> {
    /// SMI objects.
    pub hub: &'a Hub,
    /// Facts.
    pub cluster: &'a Cluster,
    /// What they mean.
    pub ir: &'a Ir,
    /// Under which options.
    pub options: &'a CompileOptions,
    /// Grants that open a workload.
    pub(super) opening: HashSet<&'a Namespaced>,
    /// Service accounts that pods have.
    pub(super) accounts: HashSet<Named<'a>>,
    /// Routes that a TrafficTarget or a TrafficSplit names, by kind.
    pub(super) used_routes: HashSet<(&'a str, Named<'a>)>,
    /// Names of HTTPRouteGroups that are a condition of a split in any namespace: of objects that do not name theirs it is not known.
    pub(super) split_groups: HashSet<&'a str>,
    /// Routes that a rule of a TrafficTarget names, by kind.
    pub(super) target_routes: HashSet<(&'a str, Named<'a>)>,
    /// Splits that hold, for one port at least.
    pub(super) holding: HashSet<Named<'a>>,
    /// Root services, each with the first of its splits that hold.
    pub(super) roots: HashMap<Named<'a>, &'a TrafficSplit>,
}

impl<'a> Context<'a> {
    pub(super) fn new(hub: &'a Hub, cluster: &'a Cluster, ir: &'a Ir, options: &'a CompileOptions) -> Self {
        let mut opening = HashSet::with_capacity(ir.grants.len());
        opening.extend(ir.workloads.values().flat_map(|workload| &workload.grants));
        let accounts = ir.workloads.keys().map(|id| (id.namespace.as_str(), id.account.as_str())).collect();
        let mut used_routes = HashSet::with_capacity(hub.targets.len());
        for (name, target) in &hub.targets {
            used_routes.extend(target.rules.iter().map(|rule| (&*rule.kind, beside(name, &rule.name))));
        }
        let target_routes = used_routes.clone();
        let mut split_groups = HashSet::new();
        let routes = ir.services.values().flat_map(|service| &service.ports).flat_map(|port| &port.routes);
        let splits =
            routes.map(|route| &*route.origin.object).filter(|object| &*object.kind == "TrafficSplit");
        let holding: HashSet<Named<'_>> =
            splits.map(|object| (object.namespace.as_str(), object.name.as_str())).collect();
        let mut roots = HashMap::with_capacity(hub.splits.len());
        for (name, split) in &hub.splits {
            for reference in split.matches.iter().flatten() {
                used_routes.insert((&*reference.kind, beside(name, &reference.name)));
                split_groups.insert(&*reference.name);
            }
            if holding.contains(&beside(name, name.name.as_str())) {
                roots.entry(beside(name, root(split))).or_insert(split);
            }
        }
        Self {
            hub,
            cluster,
            ir,
            options,
            opening,
            accounts,
            used_routes,
            split_groups,
            target_routes,
            holding,
            roots,
        }
    }

    /// Service accounts that pods of a namespace have, by name.
    pub(super) fn accounts_of(&self, namespace: &Namespace) -> impl Iterator<Item = &'a str> + use<'a> {
        let first = WorkloadId::new(namespace.clone(), Name::from(""), [].into());
        let namespace = namespace.clone();
        let ids = self.ir.workloads.range(first..).map(|(id, _)| id);
        let accounts = ids.take_while(move |id| id.namespace == namespace).map(|id| id.account.as_str());
        // Workloads that differ in their bindings alone follow each other.
        let mut last = None;
        accounts.filter(move |account| last.replace(*account) != Some(*account))
    }
}

/// An object of the same namespace.
pub(super) fn beside<'a>(name: &'a Namespaced, other: &'a str) -> Named<'a> {
    (name.namespace.as_str(), other)
}

/// The root service of a split, by its first label (S13).
pub(super) fn root(split: &TrafficSplit) -> &str {
    split.service.split('.').next().unwrap_or(&split.service)
}

/// A field of a TrafficTarget, in the shape of its version.
pub(super) fn target_path(target: &TrafficTarget, field: &'static str) -> FieldPath {
    match (target.meta.version, field) {
        ("v1alpha1", "rules") => FieldPath::root().field("specs"),
        ("v1alpha1", field) => FieldPath::root().field(field),
        (_, field) => FieldPath::root().fields(&["spec", field]),
    }
}

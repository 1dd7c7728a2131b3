//! What rules look at.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::Cluster;
use crate::compile::CompileOptions;
use crate::diag::FieldPath;
use crate::hub::names::{Name, Namespaced};
use crate::hub::{Hub, TrafficTarget};
use crate::ir::{Ir, WorkloadId};

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
    /// Workloads by grant.
    pub destinations: BTreeMap<&'a Namespaced, Vec<&'a WorkloadId>>,
    /// Service accounts that pods have.
    pub accounts: BTreeSet<Namespaced>,
    /// Routes that a TrafficTarget or a TrafficSplit names, by kind.
    pub used_routes: BTreeSet<(&'a str, Namespaced)>,
    /// HTTPRouteGroups that are a condition of a split.
    pub split_groups: BTreeSet<Namespaced>,
    /// Root services of splits.
    pub roots: BTreeMap<Namespaced, Vec<&'a Namespaced>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(hub: &'a Hub, cluster: &'a Cluster, ir: &'a Ir, options: &'a CompileOptions) -> Self {
        let mut destinations: BTreeMap<&Namespaced, Vec<&WorkloadId>> = BTreeMap::new();
        for (id, workload) in &ir.workloads {
            for grant in &workload.grants {
                destinations.entry(grant).or_default().push(id);
            }
        }
        let mut used_routes = BTreeSet::new();
        for (name, target) in &hub.targets {
            for rule in &target.rules {
                used_routes.insert((&*rule.kind, beside(name, &rule.name)));
            }
        }
        let mut split_groups = BTreeSet::new();
        let mut roots: BTreeMap<Namespaced, Vec<&Namespaced>> = BTreeMap::new();
        for (name, split) in &hub.splits {
            for reference in split.matches.iter().flatten() {
                used_routes.insert((&*reference.kind, beside(name, &reference.name)));
                split_groups.insert(beside(name, &reference.name));
            }
            roots.entry(root(name, &split.service)).or_default().push(name);
        }
        let accounts = ir.workloads.keys().map(WorkloadId::account).collect();
        Self { hub, cluster, ir, options, destinations, accounts, used_routes, split_groups, roots }
    }
}

/// An object of the same namespace.
pub(super) fn beside(name: &Namespaced, other: &str) -> Namespaced {
    Namespaced { namespace: name.namespace.clone(), name: Name::from(other) }
}

/// The root service of a split, by its first label (S13).
pub(super) fn root(split: &Namespaced, service: &str) -> Namespaced {
    beside(split, service.split('.').next().unwrap_or(service))
}

/// A field of a TrafficTarget, in the shape of its version.
pub(super) fn target_path(target: &TrafficTarget, field: &'static str) -> FieldPath {
    match (target.meta.version, field) {
        ("v1alpha1", "rules") => FieldPath::root().field("specs"),
        ("v1alpha1", field) => FieldPath::root().field(field),
        (_, field) => FieldPath::root().fields(&["spec", field]),
    }
}

//! Pods → workloads, and whose an address is (S28, S29, S32).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::{CompileOptions, codes};
use crate::cluster::{self, Cluster, PodId, Probe};
use crate::diag::{Diagnostic, FieldPath, Report};
use crate::eval::path::canonical_path;
use crate::hub::names::{Name, Namespace, Namespaced};
use crate::hub::{Hub, IdentityBinding};
use crate::ir::{Pod, Workload, WorkloadId};

/// The pods of a cluster, grouped.
pub(super) struct Workloads {
    pub(super) pods: BTreeMap<PodId, Pod>,
    pub(super) callers: BTreeMap<IpAddr, PodId>,
    /// Addresses of pods of different identity, which are nobody's.
    pub(super) shared: BTreeSet<IpAddr>,
    pub(super) workloads: BTreeMap<WorkloadId, Workload>,
    pub(super) by_account: BTreeMap<Namespaced, Vec<WorkloadId>>,
    pub(super) by_binding: BTreeMap<Namespaced, Vec<WorkloadId>>,
}

/// Whether a binding names anybody at all; both ways of choosing pods at once make it inert (S28).
pub(super) fn is_usable(binding: &IdentityBinding) -> bool {
    binding.pod_labels.is_none() || binding.service_account.is_none()
}

type Selectors<'a> = BTreeMap<&'a Namespace, Vec<(&'a Name, &'a BTreeMap<Arc<str>, Arc<str>>)>>;

pub(super) fn workloads(
    hub: &Hub,
    cluster: &Cluster,
    options: &CompileOptions,
    report: &mut Report,
) -> Workloads {
    let mut selectors = Selectors::new();
    for (name, binding) in &hub.bindings {
        check_binding(binding, report);
        if let Some(labels) = binding.pod_labels.as_ref().filter(|l| !l.is_empty() && is_usable(binding)) {
            selectors.entry(&name.namespace).or_default().push((&name.name, labels));
        }
    }
    let mut ids: BTreeMap<(&Namespace, &Name, Vec<&Name>), WorkloadId> = BTreeMap::new();
    let mut workloads: BTreeMap<WorkloadId, Workload> = BTreeMap::new();
    let mut pods: Vec<(PodId, Pod)> = Vec::with_capacity(cluster.pods.len());
    let mut addresses: Vec<(IpAddr, &PodId, WorkloadId)> = Vec::with_capacity(cluster.pods.len());
    let mut last: Option<(&PodId, &cluster::Pod, WorkloadId)> = None;
    for (id, pod) in cluster.pods.iter().filter(|(_, pod)| pod.alive) {
        let namespace = &id.name.namespace;
        // Pods of one template follow each other and are alike.
        let alike = last.as_ref().filter(|(other, p, _)| {
            other.name.namespace == *namespace
                && p.account == pod.account
                && p.labels.is_same(&pod.labels)
                && p.probes == pod.probes
        });
        let workload = if let Some((_, _, workload)) = alike {
            workload.clone()
        } else {
            let bindings: Vec<&Name> = selectors
                .get(namespace)
                .into_iter()
                .flatten()
                .filter(|(_, labels)| pod.labels.fit(*labels))
                .map(|(name, _)| *name)
                .collect();
            // One id per workload, shared by all its pods.
            let workload = ids
                .entry((namespace, &pod.account, bindings))
                .or_insert_with_key(|(namespace, account, bindings)| {
                    let bindings = bindings.iter().map(|b| (*b).clone()).collect();
                    WorkloadId::new((*namespace).clone(), (*account).clone(), bindings)
                })
                .clone();
            let entry = workloads.entry(workload.clone()).or_insert_with(|| Workload {
                mode: options.mode.of(cluster, namespace),
                grants: BTreeSet::new(),
                probes: BTreeSet::new(),
            });
            if options.allow_probes {
                entry.probes.extend(pod.probes.iter().filter_map(|probe| canonical(probe, options)));
            }
            last = Some((id, pod, workload.clone()));
            workload
        };
        addresses.extend(pod.addresses.iter().map(|address| (*address, id, workload.clone())));
        pods.push((id.clone(), Pod { workload, addresses: pod.addresses.clone() }));
    }
    let (callers, shared) = callers(cluster, addresses, report);
    let mut by_account: BTreeMap<Namespaced, Vec<WorkloadId>> = BTreeMap::new();
    let mut by_binding: BTreeMap<Namespaced, Vec<WorkloadId>> = BTreeMap::new();
    for id in workloads.keys() {
        by_account.entry(id.account()).or_default().push(id.clone());
        for binding in id.bindings.iter() {
            let name = Namespaced { namespace: id.namespace.clone(), name: binding.clone() };
            by_binding.entry(name).or_default().push(id.clone());
        }
    }
    Workloads { pods: pods.into_iter().collect(), callers, shared, workloads, by_account, by_binding }
}

/// The probe with the path that the kubelet's request has (S9, S32): it may be written without its slash, and with a query.
fn canonical(probe: &Probe, options: &CompileOptions) -> Option<Probe> {
    let path = match &probe.path {
        None => None,
        Some(path) => {
            let slash = if path.starts_with('/') { "" } else { "/" };
            Some(canonical_path(&format!("{slash}{path}"), options.settings.encoded_slashes).ok()?.into())
        }
    };
    Some(Probe { port: probe.port, path })
}

// SPEC: S29. An address of pods of different identity is nobody.
fn callers(
    cluster: &Cluster,
    mut addresses: Vec<(IpAddr, &PodId, WorkloadId)>,
    report: &mut Report,
) -> (BTreeMap<IpAddr, PodId>, BTreeSet<IpAddr>) {
    addresses.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    let mut out = Vec::with_capacity(addresses.len());
    let mut shared = BTreeSet::new();
    for same in addresses.chunk_by(|a, b| a.0 == b.0) {
        let [(address, id, workload), rest @ ..] = same else { continue };
        if rest.iter().all(|(_, _, other)| other == workload) {
            out.push((*address, (*id).clone()));
        } else {
            shared.insert(*address);
            let pods = same.iter().map(|(_, id, _)| *id).collect();
            report_shared(cluster, *address, &pods, report);
        }
    }
    (out.into_iter().collect(), shared)
}

fn report_shared(cluster: &Cluster, address: IpAddr, pods: &BTreeSet<&PodId>, report: &mut Report) {
    let mut pods = pods.iter().filter(|id| cluster.pods.contains_key(**id));
    if let Some(first) = pods.next() {
        let path = FieldPath::root().fields(&["status", "podIP"]);
        let message = format!("the address {address} belongs to pods of different identity and is nobody's");
        let mut d = Diagnostic::new(codes::ADDRESS_SHARED, &first.object_ref(), path.clone(), message);
        for other in pods {
            d = d.with_related("it is the address of this pod too", &other.object_ref(), path.clone());
        }
        report.push(d);
    }
}

fn check_binding(binding: &IdentityBinding, report: &mut Report) {
    let path = FieldPath::root().fields(&["spec", "schemes"]);
    let empty_labels = binding.pod_labels.as_ref().is_none_or(BTreeMap::is_empty);
    let no_ids = binding.spiffe_ids.as_ref().is_none_or(Vec::is_empty);
    if !is_usable(binding) {
        report.push(
            Diagnostic::new(
                codes::BINDING_CONTRADICTS,
                &binding.object_ref(),
                path,
                "`podLabelSelector` and `serviceAccount` exclude each other",
            )
            .with_help("keep one of them"),
        );
    } else if empty_labels && no_ids && binding.service_account.is_none() {
        report.push(Diagnostic::new(
            codes::BINDING_EMPTY,
            &binding.object_ref(),
            path,
            "the binding names nobody",
        ));
    } else if binding.pod_labels.is_some() && empty_labels {
        report.push(Diagnostic::new(
            codes::BINDING_EMPTY,
            &binding.object_ref(),
            path.field("podLabelSelector"),
            "an empty label selector names nobody",
        ));
    }
}

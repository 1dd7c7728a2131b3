//! Pods → workloads, and whose an address is (S28, S29, S32).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::{CompileOptions, codes};
use crate::cluster::{Cluster, PodId};
use crate::diag::{Diagnostic, FieldPath, Report};
use crate::hub::names::{Name, Namespace, Namespaced};
use crate::hub::{Hub, IdentityBinding};
use crate::ir::{Pod, Workload, WorkloadId};

/// The pods of a cluster, grouped.
pub(super) struct Workloads {
    pub(super) pods: BTreeMap<PodId, Pod>,
    pub(super) callers: BTreeMap<IpAddr, PodId>,
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
    let mut out = Workloads {
        pods: BTreeMap::new(),
        callers: BTreeMap::new(),
        workloads: BTreeMap::new(),
        by_account: BTreeMap::new(),
        by_binding: BTreeMap::new(),
    };
    // One id per workload, shared by all its pods.
    let mut ids: BTreeMap<(&Namespace, &Name, Vec<&Name>), WorkloadId> = BTreeMap::new();
    let mut shared: BTreeMap<IpAddr, BTreeSet<&PodId>> = BTreeMap::new();
    for (id, pod) in cluster.pods.iter().filter(|(_, pod)| pod.alive) {
        let namespace = &id.name.namespace;
        let bindings: Vec<&Name> = selectors
            .get(namespace)
            .into_iter()
            .flatten()
            .filter(|(_, labels)| labels.iter().all(|(key, value)| pod.labels.get(key) == Some(value)))
            .map(|(name, _)| *name)
            .collect();
        let workload = ids
            .entry((namespace, &pod.account, bindings))
            .or_insert_with_key(|(namespace, account, bindings)| WorkloadId {
                namespace: (*namespace).clone(),
                account: (*account).clone(),
                bindings: bindings.iter().map(|b| (*b).clone()).collect(),
            })
            .clone();
        for address in &pod.addresses {
            match out.callers.get(address) {
                None => {
                    out.callers.insert(*address, id.clone());
                }
                Some(first) if out.pods.get(first).is_some_and(|p| p.workload == workload) => {}
                Some(first) => {
                    let pods = shared.entry(*address).or_default();
                    pods.insert(id);
                    if let Some((first, _)) = cluster.pods.get_key_value(first) {
                        pods.insert(first);
                    }
                }
            }
        }
        let entry = out.workloads.entry(workload.clone()).or_insert_with(|| Workload {
            mode: options.mode.of(cluster.namespaces.get(namespace)),
            grants: BTreeSet::new(),
            probes: BTreeSet::new(),
        });
        if options.allow_probes {
            entry.probes.extend(pod.probes.iter().cloned());
        }
        out.pods.insert(id.clone(), Pod { workload, addresses: pod.addresses.clone() });
    }
    // SPEC: S29. An address of pods of different identity is nobody.
    for (address, pods) in shared {
        out.callers.remove(&address);
        report_shared(cluster, address, &pods, report);
    }
    for id in out.workloads.keys() {
        out.by_account.entry(id.account()).or_default().push(id.clone());
        for binding in id.bindings.iter() {
            let name = Namespaced { namespace: id.namespace.clone(), name: binding.clone() };
            out.by_binding.entry(name).or_default().push(id.clone());
        }
    }
    out
}

fn report_shared(cluster: &Cluster, address: IpAddr, pods: &BTreeSet<&PodId>, report: &mut Report) {
    let mut pods = pods.iter().filter_map(|id| cluster.pods.get(*id));
    if let Some(first) = pods.next() {
        let path = FieldPath::root().fields(&["status", "podIP"]);
        let message = format!("the address {address} belongs to pods of different identity and is nobody's");
        let mut d = Diagnostic::new(codes::ADDRESS_SHARED, &first.object, path.clone(), message);
        for other in pods {
            d = d.with_related("it is the address of this pod too", &other.object, path.clone());
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
    }
}

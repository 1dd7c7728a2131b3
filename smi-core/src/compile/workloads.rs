//! Pods → workloads, and whose an address is (S28, S29, S32).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use super::{AllowProbes, CompileOptions, codes};
use crate::cluster::{self, Cluster, PodId, PodSpec, Probe};
use crate::diag::{Diagnostic, FieldPath, Report};
use crate::eval::path::canonical_path;
use crate::hub::names::{Name, Namespace, Namespaced};
use crate::hub::{Hub, IdentityBinding};
use crate::ir::{Pod, Workload, WorkloadId};

/// A pod that is alive, and where it belongs.
pub(super) struct Living<'c> {
    pub(super) id: &'c PodId,
    pub(super) pod: &'c cluster::Pod,
    pub(super) workload: WorkloadId,
    pub(super) probes: Arc<[Probe]>,
}

/// Places of pods by the address that they share.
type Shared = BTreeMap<IpAddr, Vec<usize>>;

/// The pods of a cluster, grouped.
pub(super) struct Workloads<'c> {
    /// By id.
    pub(super) pods: Vec<Living<'c>>,
    /// By address; places in `pods`.
    pub(super) callers: Vec<(IpAddr, usize)>,
    /// Addresses that are nobody's: of pods of different identity, whose places in `pods` these are, or none of a pod that cannot be read.
    pub(super) shared: Shared,
    /// By id, so that those of one account follow each other.
    pub(super) workloads: Vec<(WorkloadId, Workload)>,
    /// Places in `workloads`.
    pub(super) by_binding: BTreeMap<Namespaced, Vec<usize>>,
}

/// Whose pods a grant is about.
pub(super) enum Destination {
    Account(Namespaced),
    Binding(Namespaced),
}

/// Pods that follow each other and share their spec.
struct Run<'c> {
    workload: WorkloadId,
    spec: &'c PodSpec,
    /// Places in the list of pods.
    pods: Range<usize>,
}

/// Whether a binding names anybody at all; both ways of choosing pods at once make it inert (S28).
pub(super) fn is_usable(binding: &IdentityBinding) -> bool {
    binding.pod_labels.is_none() || binding.service_account.is_none()
}

type Selectors<'a> = BTreeMap<&'a Namespace, Vec<(&'a Name, &'a BTreeMap<Arc<str>, Arc<str>>)>>;

pub(super) fn workloads<'c>(
    hub: &Hub,
    cluster: &'c Cluster,
    options: &CompileOptions,
    report: &mut Report,
) -> Workloads<'c> {
    let mut selectors = Selectors::new();
    for (name, binding) in &hub.bindings {
        check_binding(binding, report);
        if let Some(labels) = binding.pod_labels.as_ref().filter(|l| !l.is_empty() && is_usable(binding)) {
            selectors.entry(&name.namespace).or_default().push((&name.name, labels));
        }
    }
    let mut pods: Vec<Living<'c>> = Vec::with_capacity(cluster.pods.len());
    let mut runs: Vec<Run<'c>> = Vec::new();
    let none: Arc<[Probe]> = Arc::default();
    let mut addresses: Vec<(IpAddr, usize)> = Vec::with_capacity(cluster.pods.len());
    for (id, pod) in cluster.pods.iter().filter(|(_, pod)| pod.alive) {
        let namespace = &id.name.namespace;
        let place = pods.len();
        // Pods of one template mostly follow each other.
        let alike = pods.last().is_some_and(|before| {
            Arc::ptr_eq(&before.pod.spec, &pod.spec) && before.id.name.namespace == *namespace
        });
        let workload = match runs.last_mut().filter(|_| alike) {
            Some(run) => {
                run.pods.end = place + 1;
                run.workload.clone()
            }
            None => {
                let bindings = selectors
                    .get(namespace)
                    .into_iter()
                    .flatten()
                    .filter(|(_, labels)| pod.spec.labels.fit(*labels))
                    .map(|(name, _)| (*name).clone());
                let workload =
                    WorkloadId::new(namespace.clone(), pod.spec.account.clone(), bindings.collect());
                runs.push(Run { workload: workload.clone(), spec: &pod.spec, pods: place..place + 1 });
                workload
            }
        };
        addresses.extend(pod.addresses.iter().map(|address| (*address, place)));
        pods.push(Living { id, pod, workload, probes: Arc::clone(&none) });
    }
    let workloads = joined(runs, &mut pods, cluster, options);
    let (callers, shared) = callers(&pods, addresses, &cluster.unclear_addresses, report);
    let mut by_binding: BTreeMap<Namespaced, Vec<usize>> = BTreeMap::new();
    for (place, (id, _)) in workloads.iter().enumerate() {
        for binding in id.bindings.iter() {
            let name = Namespaced { namespace: id.namespace.clone(), name: binding.clone() };
            by_binding.entry(name).or_default().push(place);
        }
    }
    Workloads { pods, callers, shared, workloads, by_binding }
}

/// The workloads of all runs, by id; all pods of a workload share its id.
fn joined(
    mut runs: Vec<Run<'_>>,
    pods: &mut [Living<'_>],
    cluster: &Cluster,
    options: &CompileOptions,
) -> Vec<(WorkloadId, Workload)> {
    // Nearly sorted, as accounts mostly are called like the pods.
    runs.sort_by(|a, b| a.workload.cmp(&b.workload));
    let mut out = Vec::with_capacity(runs.len());
    for same in runs.chunk_by(|a, b| a.workload == b.workload) {
        let [Run { workload: id, .. }, ..] = same else { continue };
        // SPEC: S32. A probe is allowed at the pods that have it; others of their account may serve something else under its path. Test:
        // s32_a_probe_opens_the_pods_that_have_it.
        let mut by_probes: BTreeMap<BTreeSet<Probe>, Vec<&Run<'_>>> = BTreeMap::new();
        for run in same {
            let mut probes = BTreeSet::new();
            if options.allow_probes != AllowProbes::Never && !run.spec.probes.is_empty() {
                probes.extend(run.spec.probes.iter().filter_map(|probe| canonical(probe, options)));
                let of_pod: Arc<[Probe]> = probes.iter().cloned().collect();
                let pods = pods.get_mut(run.pods.clone()).into_iter().flatten();
                pods.for_each(|pod| pod.probes = Arc::clone(&of_pod));
            }
            if options.allow_probes != AllowProbes::Everywhere {
                probes.clear();
            }
            by_probes.entry(probes).or_default().push(run);
        }
        for (number, (probes, runs)) in (0..).zip(by_probes) {
            let id = if number == 0 { id.clone() } else { id.with_probe_set(number) };
            for run in runs {
                let pods = pods.get_mut(run.pods.clone()).into_iter().flatten();
                pods.for_each(|pod| pod.workload = id.clone());
            }
            let mode = options.mode.of(cluster, &id.namespace);
            out.push((id, Workload { mode, grants: Vec::new(), probes }));
        }
    }
    out
}

impl Workloads<'_> {
    /// What of it the IR keeps: pods, callers, workloads.
    pub(super) fn into_parts(
        self,
    ) -> (BTreeMap<PodId, Pod>, BTreeMap<IpAddr, PodId>, BTreeMap<WorkloadId, Workload>) {
        let callers = self.callers.iter().filter_map(|(address, place)| {
            let living = self.pods.get(*place)?;
            Some((*address, living.id.clone()))
        });
        let callers = callers.collect();
        let pods = self.pods.into_iter().map(|living| {
            let Living { workload, probes, .. } = living;
            let pod = Pod { workload, addresses: living.pod.addresses.clone(), probes };
            (living.id.clone(), pod)
        });
        (pods.collect(), callers, self.workloads.into_iter().collect())
    }

    /// Puts down which workloads a grant opens; the next grant's name is greater.
    pub(super) fn grant(&mut self, name: &Namespaced, destination: &Destination) {
        match destination {
            Destination::Account(Namespaced { namespace, name: account }) => {
                let key = |id: &WorkloadId| id.namespace.cmp(namespace).then_with(|| id.account.cmp(account));
                let first = self.workloads.partition_point(|(id, _)| key(id).is_lt());
                let same = self.workloads.iter_mut().skip(first).take_while(|(id, _)| key(id).is_eq());
                same.for_each(|(_, workload)| workload.grants.push(name.clone()));
            }
            Destination::Binding(binding) => {
                for place in self.by_binding.get(binding).into_iter().flatten() {
                    if let Some((_, workload)) = self.workloads.get_mut(*place) {
                        workload.grants.push(name.clone());
                    }
                }
            }
        }
    }
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
    pods: &[Living<'_>],
    mut addresses: Vec<(IpAddr, usize)>,
    unclear: &BTreeSet<IpAddr>,
    report: &mut Report,
) -> (Vec<(IpAddr, usize)>, Shared) {
    // Places in `pods` are in the order of ids.
    addresses.sort_unstable();
    let living = |place: usize| pods.get(place);
    let mut out = Vec::with_capacity(addresses.len());
    // Nobody's, whether or not another pod has them too: what an endpoint says of them is not believed either.
    let mut shared: Shared = unclear.iter().map(|a| (*a, Vec::new())).collect();
    for same in addresses.chunk_by(|a, b| a.0 == b.0) {
        let [first @ (address, place), rest @ ..] = same else { continue };
        let same_caller = |a: usize, b: usize| match (living(a), living(b)) {
            (Some(a), Some(b)) => a.workload.is_same_caller(&b.workload),
            (None, _) | (_, None) => false,
        };
        let mut ids: Vec<&PodId> = same.iter().filter_map(|(_, place)| Some(living(*place)?.id)).collect();
        ids.dedup();
        if unclear.contains(address) {
            let what = "belongs to a pod that cannot be read too";
            report_shared(*address, &ids, what, report);
        } else if rest.iter().all(|(_, other)| same_caller(*other, *place)) {
            out.push(*first);
        } else {
            shared.insert(*address, same.iter().map(|(_, place)| *place).collect());
            report_shared(*address, &ids, "belongs to pods of different identity", report);
        }
    }
    (out, shared)
}

fn report_shared(address: IpAddr, pods: &[&PodId], why: &str, report: &mut Report) {
    let [first, others @ ..] = pods else { return };
    let path = FieldPath::root().fields(&["status", "podIP"]);
    let message = format!("the address {address} {why} and is nobody's");
    let mut d = Diagnostic::new(codes::ADDRESS_SHARED, &first.object_ref(), path.clone(), message);
    for other in others {
        d = d.with_related("it is the address of this pod too", &other.object_ref(), path.clone());
    }
    report.push(d);
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

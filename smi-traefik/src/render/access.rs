//! Who may do what at which pods.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{Grant, HttpCondition, Ir, Mode, Principal, WorkloadId};

use super::condition::Condition;
use crate::rule::{Matcher, Rule};

/// What callers are granted at one kind of pod.
#[derive(Clone, Debug, Default)]
pub(super) struct Access<'a> {
    /// Nothing is refused.
    pub(super) open: bool,
    /// What anybody may do.
    pub(super) everybody: Option<Condition>,
    /// What the pods of a workload may do.
    pub(super) callers: BTreeMap<&'a WorkloadId, Condition>,
}

/// Looks up grants by what is called, and addresses by who calls.
pub(super) struct AccessIndex<'a> {
    ir: &'a Ir,
    /// Callers of each grant, as workloads that have addresses.
    sources: BTreeMap<&'a Namespaced, Vec<&'a WorkloadId>>,
    addresses: BTreeMap<&'a WorkloadId, Vec<IpAddr>>,
}

impl<'a> AccessIndex<'a> {
    pub(super) fn new(ir: &'a Ir) -> Self {
        let mut addresses: BTreeMap<&WorkloadId, Vec<IpAddr>> = BTreeMap::new();
        for (address, pod) in &ir.callers {
            if let Some(pod) = ir.pods.get(pod) {
                addresses.entry(&pod.workload).or_default().push(*address);
            }
        }
        let mut by_principal: BTreeMap<Principal, Vec<&WorkloadId>> = BTreeMap::new();
        for workload in addresses.keys() {
            by_principal.entry(Principal::Identity(ir.identity(workload))).or_default().push(workload);
            for binding in workload.bindings.iter() {
                let name = Namespaced { namespace: workload.namespace.clone(), name: binding.clone() };
                by_principal.entry(Principal::Binding(name)).or_default().push(workload);
            }
        }
        let sources = ir.grants.iter().map(|(name, grant)| {
            let of = |principal| by_principal.get(principal).cloned().unwrap_or_default();
            let callers: BTreeSet<&WorkloadId> =
                grant.sources.iter().flat_map(|s| of(&s.principal)).collect();
            (name, callers.into_iter().collect())
        });
        Self { ir, sources: sources.collect(), addresses }
    }

    fn access(
        &self,
        service_mode: Mode,
        workload: Option<&WorkloadId>,
        granted: impl Fn(&Grant) -> Condition,
    ) -> Access<'a> {
        let Some(found) = workload.and_then(|id| self.ir.workloads.get(id)) else {
            return Access { open: service_mode == Mode::Permissive, ..Access::default() };
        };
        let mut access = Access { open: found.mode == Mode::Permissive, ..Access::default() };
        for name in &found.grants {
            let Some(grant) = self.ir.grants.get(name) else { continue };
            let condition = granted(grant);
            if condition == Condition::Never {
                continue;
            }
            for caller in self.sources.get(name).into_iter().flatten() {
                let entry = access.callers.entry(*caller).or_insert(Condition::Never);
                *entry = entry.clone().or(condition.clone());
            }
        }
        access
    }

    /// HTTP at a port of a workload's pods.
    pub(super) fn http(&self, service_mode: Mode, workload: Option<&WorkloadId>, port: Port) -> Access<'a> {
        let mut access = self.access(service_mode, workload, |grant| match &grant.http {
            Some(http) if http.ports.contains(port) => match &http.condition {
                HttpCondition::Any => Condition::Always,
                HttpCondition::AnyOf(matches) => Condition::any_of(matches),
            },
            Some(_) | None => Condition::Never,
        });
        let probes = workload.and_then(|id| self.ir.workloads.get(id)).into_iter().flat_map(|w| &w.probes);
        let rules: BTreeSet<Rule> = probes
            .filter(|p| p.port == port)
            .filter_map(|p| p.path.as_deref())
            .filter_map(|path| Rule::all([Rule::one(Matcher::Path, path), Rule::one(Matcher::Method, "GET")]))
            .collect();
        if !rules.is_empty() {
            access.everybody = Some(Condition::AnyOf(rules));
        }
        access
    }

    /// TCP at a port of a workload's pods.
    pub(super) fn tcp(&self, service_mode: Mode, workload: Option<&WorkloadId>, port: Port) -> Access<'a> {
        self.access(service_mode, workload, |grant| match &grant.tcp {
            Some(ports) if ports.contains(port) => Condition::Always,
            Some(_) | None => Condition::Never,
        })
    }

    /// Addresses of callers, sorted.
    pub(super) fn addresses<'w>(
        &self,
        workloads: impl IntoIterator<Item = &'w &'w WorkloadId>,
    ) -> BTreeSet<IpAddr>
    where
        'a: 'w,
    {
        workloads.into_iter().filter_map(|w| self.addresses.get(*w)).flatten().copied().collect()
    }
}

/// `ClientIP` alternatives; `None` when there is no address.
pub(super) fn client_ips(addresses: &BTreeSet<IpAddr>) -> Option<Rule> {
    Rule::any(addresses.iter().map(|a| Rule::one(Matcher::ClientIp, a.to_string())))
}

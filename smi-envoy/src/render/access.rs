//! Who may do what at which pods: policies of Envoy's RBAC, and addresses for TCP and UDP.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use smi_core::hub::names::{Namespaced, Port, Transport};
use smi_core::ir::{HttpCondition, Ir, Mode, Principal, WorkloadId};

use super::condition;
use crate::config::Any;
use crate::config::address::CidrRange;
use crate::config::rbac::{HttpRbac, Permission, PermissionRule, Policy, PrincipalKind, Rbac, RbacPerRoute};

/// Looks up callers' addresses.
pub(super) struct AccessIndex<'a> {
    ir: &'a Ir,
    addresses: BTreeMap<Principal, Vec<IpAddr>>,
}

impl<'a> AccessIndex<'a> {
    pub(super) fn new(ir: &'a Ir) -> Self {
        let mut addresses: BTreeMap<Principal, Vec<IpAddr>> = BTreeMap::new();
        for (address, pod) in &ir.callers {
            let Some(workload) = ir.pods.get(pod).map(|p| &p.workload) else { continue };
            addresses.entry(Principal::Identity(ir.identity(workload))).or_default().push(*address);
            for binding in workload.bindings.iter() {
                let name = Namespaced { namespace: workload.namespace.clone(), name: binding.clone() };
                addresses.entry(Principal::Binding(name)).or_default().push(*address);
            }
        }
        Self { ir, addresses }
    }

    fn sources(&self, grant: &smi_core::ir::Grant) -> BTreeSet<IpAddr> {
        let of = |principal| self.addresses.get(principal).into_iter().flatten().copied();
        grant.sources.iter().flat_map(|s| of(&s.principal)).collect()
    }

    /// Access to a port of a workload's pods, as configuration of a weighted cluster. `host`: the name by which they were called.
    // SPEC: S22, S24, S31 — the union of all grants is one set of policies.
    pub(super) fn http(&self, mode: Mode, workload: Option<&WorkloadId>, port: Port, host: &str) -> Any {
        let found = workload.and_then(|id| self.ir.workloads.get(id));
        let mut policies = BTreeMap::new();
        for (name, grant) in
            found.into_iter().flat_map(|w| &w.grants).filter_map(|n| Some((n, self.ir.grants.get(n)?)))
        {
            let Some(http) = grant.http.as_ref().filter(|h| h.ports.contains(port)) else { continue };
            let permissions: Vec<Permission> = match &http.condition {
                HttpCondition::Any => vec![PermissionRule::Any(true).into()],
                HttpCondition::AnyOf(matches) => {
                    matches.iter().filter_map(|m| condition::permission(m, host)).collect()
                }
            };
            let principals: Vec<_> = self
                .sources(grant)
                .into_iter()
                .map(|a| PrincipalKind::DirectRemoteIp(CidrRange::host(a)).into())
                .collect();
            // Envoy refuses a policy without either, and it would allow nothing.
            if !permissions.is_empty() && !principals.is_empty() {
                policies.insert(name.to_string(), Policy { permissions, principals });
            }
        }
        // SPEC: S32
        let probes: Vec<Permission> = found
            .into_iter()
            .flat_map(|w| &w.probes)
            .filter(|p| p.port == port)
            .filter_map(|p| p.path.as_deref())
            .map(condition::probe)
            .collect();
        if !probes.is_empty() {
            // No Kubernetes name holds a `~`.
            let policy = Policy { permissions: probes, principals: vec![PrincipalKind::Any(true).into()] };
            policies.insert("~probe".into(), policy);
        }
        let rules = Rbac { policies, ..Rbac::default() };
        match found.map_or(mode, |w| w.mode) {
            Mode::Enforce => per_route(HttpRbac { rules: Some(rules), shadow_rules: None }),
            // SPEC: S21 — everything passes, and the shadow rules count what would not have.
            Mode::Permissive => per_route(HttpRbac { rules: Some(everybody()), shadow_rules: Some(rules) }),
        }
    }

    /// Who may reach a port of a workload's pods over TCP or UDP; `None`: everybody.
    pub(super) fn opaque(
        &self,
        mode: Mode,
        workload: Option<&WorkloadId>,
        port: Port,
        transport: Transport,
    ) -> Option<BTreeSet<IpAddr>> {
        let found = workload.and_then(|id| self.ir.workloads.get(id));
        if found.map_or(mode, |w| w.mode) == Mode::Permissive {
            return None;
        }
        let grants = found.into_iter().flat_map(|w| &w.grants).filter_map(|n| self.ir.grants.get(n));
        let granting = grants.filter(|grant| {
            let ports = match transport {
                Transport::Tcp => &grant.tcp,
                Transport::Udp => &grant.udp,
            };
            ports.as_ref().is_some_and(|p| p.contains(port))
        });
        Some(granting.flat_map(|grant| self.sources(grant)).collect())
    }
}

/// Rules that allow everything.
fn everybody() -> Rbac {
    let policy = Policy {
        permissions: vec![PermissionRule::Any(true).into()],
        principals: vec![PrincipalKind::Any(true).into()],
    };
    Rbac { policies: BTreeMap::from([("~anybody".to_owned(), policy)]), ..Rbac::default() }
}

fn per_route(rbac: HttpRbac) -> Any {
    Any::pack(&RbacPerRoute { rbac: Some(rbac) })
}

/// For answers that do not depend on who asks: 400, 404, 503.
pub(super) fn anybody() -> Any {
    per_route(HttpRbac { rules: Some(everybody()), shadow_rules: None })
}

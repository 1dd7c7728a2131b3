//! Who may do what at which pods: policies of Envoy's RBAC, and addresses or certificates for TCP and UDP.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use smi_core::cluster::Probe;
use smi_core::hub::names::{Namespaced, Port, SpiffeId, Transport};
use smi_core::ir::{Grant, HttpCondition, Ir, Mode, Pod, Principal, WorkloadId};

use super::{condition, tls};
use crate::config::address::CidrRange;
use crate::config::rbac::{
    self, HttpRbac, MtlsAuthenticated, Permission, PermissionRule, Policy, PrincipalKind, PrincipalSet, Rbac,
    RbacPerRoute,
};
use crate::config::{Any, TypedExtension};

/// How callers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// By the peer's own address (S29).
    Address,
    /// By the peer's certificate (S28).
    Certificate,
}

/// Which certificates may open a connection to an opaque port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// Any.
    All,
    /// Those of these identities, from anywhere or from the one address.
    These { anywhere: BTreeSet<SpiffeId>, at: BTreeMap<IpAddr, BTreeSet<SpiffeId>> },
}

/// Looks up callers.
#[derive(Debug)]
pub(super) struct AccessIndex<'a> {
    ir: &'a Ir,
    known: Known,
    /// Addresses of a principal's pods, and their workloads. Where certificates tell identities, of bindings alone.
    addresses: BTreeMap<Principal, Vec<(IpAddr, &'a WorkloadId)>>,
}

impl<'a> AccessIndex<'a> {
    pub(super) fn new(ir: &'a Ir, known: Known) -> Self {
        let mut addresses: BTreeMap<Principal, Vec<(IpAddr, &WorkloadId)>> = BTreeMap::new();
        // Pods of one workload mostly follow each other, and its principals are the same for all of them.
        let pods: Vec<_> = ir.pods.iter().collect();
        for alike in pods.chunk_by(|a, b| a.1.workload == b.1.workload) {
            let Some((_, Pod { workload, .. })) = alike.first() else { continue };
            let own =
                alike.iter().flat_map(|(id, pod)| pod.addresses.iter().map(move |address| (id, address)));
            let callers = own.filter(|(id, address)| ir.callers.get(address) == Some(id));
            let callers: Vec<_> = callers.map(|(_, address)| (*address, workload)).collect();
            let bound = workload.bindings.iter().map(|binding| {
                Principal::Binding(Namespaced {
                    namespace: workload.namespace.clone(),
                    name: binding.clone(),
                })
            });
            let identity = (known == Known::Address).then(|| Principal::Identity(ir.identity(workload)));
            for principal in bound.chain(identity) {
                addresses.entry(principal).or_default().extend_from_slice(&callers);
            }
        }
        Self { ir, known, addresses }
    }

    fn of(&self, principal: &Principal) -> impl Iterator<Item = (IpAddr, &'a WorkloadId)> + use<'_, 'a> {
        self.addresses.get(principal).into_iter().flatten().copied()
    }

    fn sources(&self, grant: &Grant) -> BTreeSet<IpAddr> {
        grant.sources.iter().flat_map(|s| self.of(&s.principal)).map(|(address, _)| address).collect()
    }

    fn principals(&self, grant: &Grant) -> Vec<rbac::Principal> {
        let host = |address| PrincipalKind::DirectRemoteIp(CidrRange::host(address)).into();
        if self.known == Known::Address {
            return self.sources(grant).into_iter().map(host).collect();
        }
        let mut identities = BTreeSet::new();
        let mut bound: BTreeMap<SpiffeId, BTreeSet<IpAddr>> = BTreeMap::new();
        for source in &grant.sources {
            match &source.principal {
                Principal::Identity(id) => {
                    identities.insert(id.clone());
                }
                // SPEC: S28 — a certificate does not tell pods of one account apart, so a binding by label is the account's certificate
                // AND the address of one of its pods. Exact: a pod that is not bound has neither another pod's address (a connection
                // is not opened from a forged one) nor, if its account differs, the certificate; pods that share an address are nobody
                // (S29) and are left out. Pinned by `strangers` in the live test of sidecars.
                Principal::Binding(_) => {
                    for (address, workload) in self.of(&source.principal) {
                        bound.entry(self.ir.identity(workload)).or_default().insert(address);
                    }
                }
            }
        }
        bound.retain(|id, _| !identities.contains(id));
        let bound = bound.into_iter().map(|(id, addresses)| {
            let addresses = addresses.into_iter().map(host).collect();
            let addresses = PrincipalKind::OrIds(PrincipalSet { ids: addresses }).into();
            PrincipalKind::AndIds(PrincipalSet { ids: vec![certificate(&id), addresses] }).into()
        });
        identities.iter().map(certificate).chain(bound).collect()
    }

    /// Which certificates may open a connection to a port of a workload's pods.
    pub(super) fn certificates(&self, workload: &WorkloadId, port: Port) -> Accepted {
        let Some(found) = self.ir.workloads.get(workload) else {
            return Accepted::These { anywhere: BTreeSet::new(), at: BTreeMap::new() };
        };
        if found.mode == Mode::Permissive {
            return Accepted::All;
        }
        let mut anywhere = BTreeSet::new();
        let mut at: BTreeMap<IpAddr, BTreeSet<SpiffeId>> = BTreeMap::new();
        let grants = found.grants.iter().filter_map(|n| self.ir.grants.get(n));
        let granting = grants.filter(|g| g.tcp.as_ref().is_some_and(|p| p.contains(port)));
        for source in granting.flat_map(|grant| &grant.sources) {
            match &source.principal {
                Principal::Identity(id) => {
                    anywhere.insert(id.clone());
                }
                Principal::Binding(_) => {
                    for (address, workload) in self.of(&source.principal) {
                        at.entry(address).or_default().insert(self.ir.identity(workload));
                    }
                }
            }
        }
        at.retain(|_, identities| !identities.is_subset(&anywhere));
        Accepted::These { anywhere, at }
    }

    /// Access to a port of a workload's pods, as configuration of the access filter. `names`: those by which
    /// they can be called.
    // SPEC: S22, S24, S31 — the union of all grants is one set of policies.
    pub(super) fn http(
        &self,
        mode: Mode,
        workload: Option<&WorkloadId>,
        port: Port,
        names: &BTreeSet<String>,
    ) -> Any {
        per_route(self.http_rules(mode, workload, port, names))
    }

    /// Whether every request that may go to the one pods may go to the others as well. True answers only are exact: policies are compared
    /// as they stand.
    pub(super) fn covers(
        &self,
        mode: Mode,
        (workload, port): (Option<&WorkloadId>, Port),
        (other, other_port): (Option<&WorkloadId>, Port),
        names: &BTreeSet<String>,
    ) -> bool {
        let policies = |workload, port| {
            let rules = self.http_rules(mode, workload, port, names).rules.unwrap_or_default();
            rules.policies.into_values().collect::<Vec<_>>()
        };
        let others = policies(other, other_port);
        let everybody: Vec<Policy> = everybody().policies.into_values().collect();
        others == everybody || policies(workload, port).iter().all(|policy| others.contains(policy))
    }

    fn http_rules(
        &self,
        mode: Mode,
        workload: Option<&WorkloadId>,
        port: Port,
        names: &BTreeSet<String>,
    ) -> HttpRbac {
        let found = workload.and_then(|id| self.ir.workloads.get(id));
        let mut policies = BTreeMap::new();
        for (name, grant) in
            found.into_iter().flat_map(|w| &w.grants).filter_map(|n| Some((n, self.ir.grants.get(n)?)))
        {
            let Some(http) = grant.http.as_ref().filter(|h| h.ports.contains(port)) else { continue };
            let permissions: Vec<Permission> = match &http.condition {
                HttpCondition::Any => vec![PermissionRule::Any(true).into()],
                HttpCondition::AnyOf(matches) => {
                    matches.iter().filter_map(|m| condition::permission(m, names)).collect()
                }
            };
            let principals = self.principals(grant);
            // Envoy refuses a policy without either, and it would allow nothing.
            if !permissions.is_empty() && !principals.is_empty() {
                policies.insert(name.to_string(), Policy { permissions, principals });
            }
        }
        policies.extend(found.and_then(|w| probe_policy(w.probes.iter(), port)));
        let rules = Rbac { policies, ..Rbac::default() };
        match found.map_or(mode, |w| w.mode) {
            Mode::Enforce => HttpRbac { rules: Some(rules), shadow_rules: None },
            // SPEC: S21 — everything passes, and the shadow rules count what would not have.
            Mode::Permissive => HttpRbac { rules: Some(everybody()), shadow_rules: Some(rules) },
        }
    }

    /// In permissive mode, what would be allowed of TCP to a port of a workload's pods; `None`: refusals are enforced.
    // SPEC: S21 — counted at a connection's first bytes from the caller; one that stays silent is not.
    pub(super) fn shadow(&self, mode: Mode, workload: Option<&WorkloadId>, port: Port) -> Option<Rbac> {
        let found = workload.and_then(|id| self.ir.workloads.get(id));
        if found.map_or(mode, |w| w.mode) == Mode::Enforce {
            return None;
        }
        let grants =
            found.into_iter().flat_map(|w| &w.grants).filter_map(|n| Some((n, self.ir.grants.get(n)?)));
        let granting = grants.filter(|(_, g)| g.tcp.as_ref().is_some_and(|p| p.contains(port)));
        let policy = |(name, grant): (&Namespaced, &Grant)| {
            let permissions = vec![PermissionRule::Any(true).into()];
            let policy = Policy { permissions, principals: self.principals(grant) };
            // Envoy refuses a policy without principals.
            (!policy.principals.is_empty()).then(|| (name.to_string(), policy))
        };
        Some(Rbac { policies: granting.filter_map(policy).collect(), ..Rbac::default() })
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

/// Probes of the kubelet, whoever asks.
// SPEC: S32
fn probe_policy<'p>(probes: impl Iterator<Item = &'p Probe>, port: Port) -> Option<(String, Policy)> {
    let of_port = probes.filter(|p| p.port == port);
    let permissions: Vec<Permission> =
        of_port.filter_map(|p| p.path.as_deref()).map(condition::probe).collect();
    let principals = vec![PrincipalKind::Any(true).into()];
    // No Kubernetes name holds a `~`.
    (!permissions.is_empty()).then(|| ("~probe".into(), Policy { permissions, principals }))
}

/// Probes of the kubelet and nothing else.
pub(super) fn probes(probes: &[Probe], port: Port) -> Any {
    let policies = probe_policy(probes.iter(), port).into_iter().collect();
    per_route(HttpRbac { rules: Some(Rbac { policies, ..Rbac::default() }), shadow_rules: None })
}

fn certificate(id: &SpiffeId) -> rbac::Principal {
    let name = MtlsAuthenticated { san_matcher: Some(tls::exactly(id)) };
    PrincipalKind::Custom(TypedExtension {
        name: "envoy.rbac.principals.mtls_authenticated".to_owned(),
        typed_config: Some(Any::pack(&name)),
    })
    .into()
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

/// What is refused whoever asks.
pub(super) fn nobody() -> Any {
    per_route(HttpRbac { rules: Some(Rbac::default()), shadow_rules: None })
}

/// For answers that do not depend on who asks: 400, 404, 503.
pub(super) fn anybody() -> Any {
    per_route(HttpRbac { rules: Some(everybody()), shadow_rules: None })
}

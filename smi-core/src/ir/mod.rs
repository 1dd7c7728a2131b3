//! The routing intermediate representation: what SMI means for one cluster, said aloud.
//!
//! Shape: three parts that change at different speeds. *Outbound*: per root service and port, ordered routes to weighted targets.
//! *Inbound*: per destination workload, a set of grants and its mode. *Endpoints*: per service and port, the pods' addresses.
//! Every unit carries its [`Origin`], so that `explain` and every backend can say why.
//! Invariants: checked by [`verify`]; an IR that [`crate::compile::compile`] returns always passes.
//! Determinism: only ordered maps; equal input gives an equal IR (S35). [`text`] and [`json`] print it in stable forms.
//! Absent: which endpoint inside a service is chosen; anything that names a proxy.

mod inbound;
pub mod json;
mod listener;
mod matcher;
mod origin;
mod outbound;
pub mod pattern;
mod policy;
pub mod text;
mod verify;

pub use inbound::{
    AllowedPorts, Grant, GrantRules, HttpCondition, HttpGrant, Mode, Principal, SourceGrant, Workload,
    WorkloadId, WorkloadKey,
};
pub use listener::{ListenerKey, PortTable};
pub use matcher::{HeaderMatch, HttpMatch, Methods};
pub use origin::{Field, Origin};
pub use outbound::{
    Endpoint, Pool, PoolKey, Protocol, ProtocolSource, Route, RouteCondition, Scheme, Service, ServicePort,
    Target,
};
pub use pattern::Pattern;
pub use policy::{BreakerExpr, Comparison, Mirror, RateLimit, Retry, TrafficPolicy};
pub use verify::{Violation, verify};

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::cluster::{Addresses, PodId, Probe};
use crate::hub::names::{Namespaced, SpiffeId};

/// What SMI means for one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ir {
    /// What holds everywhere.
    pub settings: Settings,
    /// Outbound: every Service that callers can name through the mesh.
    pub services: BTreeMap<Namespaced, Service>,
    /// Endpoints of every service port.
    pub pools: BTreeMap<PoolKey, Pool>,
    /// Inbound: pods that share identity and grants, by what makes them the same.
    pub workloads: BTreeMap<WorkloadId, Workload>,
    /// One per TrafficTarget that grants something, by its name.
    pub grants: BTreeMap<Namespaced, Grant>,
    /// Pods that are alive, and the workload each belongs to.
    pub pods: BTreeMap<PodId, Pod>,
    /// Whose an address is (S29); shared and unknown addresses are not in it.
    pub callers: BTreeMap<IpAddr, PodId>,
    /// Where node proxies listen (S37).
    pub listeners: PortTable,
}

/// What holds for the whole IR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Trust domain of service account identities, `cluster.local`.
    pub trust_domain: Arc<str>,
    /// Domains under which callers name services: `service.namespace.<domain>` (S37). Lower case, no dot at either end.
    pub mesh_domains: Vec<Arc<str>>,
    /// The cluster's DNS domain, `cluster.local`.
    pub cluster_domain: Arc<str>,
    /// What becomes of encoded slashes and backslashes in paths (S9).
    pub encoded_slashes: EncodedSlashes,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trust_domain: "cluster.local".into(),
            mesh_domains: vec!["mesh".into()],
            cluster_domain: "cluster.local".into(),
            encoded_slashes: EncodedSlashes::Refuse,
        }
    }
}

/// What becomes of `%2F` and `%5C` in a request's path (S9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodedSlashes {
    /// The request is answered 400 before routing.
    #[default]
    Refuse,
    /// They are opaque text, in matching and in what is forwarded; never decoded.
    Keep,
}

/// A pod that is alive, or a template that stands for pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Where it belongs.
    pub workload: WorkloadId,
    /// Its addresses; empty for templates.
    pub addresses: Addresses,
    /// Probes of the kubelet for which its own sidecar answers at the ports that they name (S32), sorted. No other proxy knows them.
    pub probes: Arc<[Probe]>,
}

impl Ir {
    /// The identity of a workload's pods.
    #[must_use]
    pub fn identity(&self, workload: &WorkloadId) -> SpiffeId {
        SpiffeId::for_account(&self.settings.trust_domain, &workload.account())
    }

    /// Whether a pod of `workload` is the principal.
    #[must_use]
    pub fn is_principal(&self, workload: &WorkloadId, principal: &Principal) -> bool {
        match principal {
            Principal::Identity(id) => self.identity(workload) == *id,
            Principal::Binding(binding) => {
                binding.namespace == workload.namespace && workload.bindings.contains(&binding.name)
            }
        }
    }

    /// Whether an endpoint of a pod is at an address that is this pod's alone; true for endpoints of no known pod.
    #[must_use]
    pub fn has_own_address(&self, endpoint: &Endpoint) -> bool {
        let Some(workload) = &endpoint.workload else { return true };
        let pod = self.callers.get(&endpoint.address).and_then(|pod| self.pods.get(pod));
        pod.is_some_and(|pod| pod.workload == *workload)
    }

    /// The addresses by which a proxy without mTLS knows a principal (S29), sorted. Empty when no pod of it is known.
    #[must_use]
    pub fn addresses_of(&self, principal: &Principal) -> Vec<IpAddr> {
        self.callers
            .iter()
            .filter(|(_, pod)| self.pods.get(*pod).is_some_and(|p| self.is_principal(&p.workload, principal)))
            .map(|(address, _)| *address)
            .collect()
    }
}

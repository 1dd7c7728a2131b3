//! Inbound: who may call a workload's pods. A set of grants, any of which suffices; no order, no priority (S22).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{HttpMatch, Origin};
use crate::cluster::Probe;
use crate::hub::names::{Name, Namespace, Namespaced, Port, SpiffeId};

/// Pods of one namespace that share a service account, the IdentityBindings that select them by label and the probes that are allowed.
/// All their access is equal. Copies share it.
#[derive(Clone, Hash)]
#[expect(
    clippy::derived_hash_with_manual_eq,
    reason = "equal ids hash alike: the comparison only takes a short cut"
)]
pub struct WorkloadId(Arc<WorkloadKey>);

/// What a [`WorkloadId`] says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadKey {
    /// Namespace of the pods.
    pub namespace: Namespace,
    /// Service account.
    pub account: Name,
    /// Names of the bindings of that namespace whose labels select the pods, sorted.
    pub bindings: Arc<[Name]>,
    /// Which of the sets of probes that such pods have, from 0: a probe is allowed at the pods that have it (S32). Always 0 unless probes
    /// are allowed everywhere.
    pub probe_set: u32,
}

impl WorkloadId {
    /// Pods of `namespace` with this account and these bindings, which are sorted.
    #[must_use]
    pub fn new(namespace: Namespace, account: Name, bindings: Arc<[Name]>) -> Self {
        Self(Arc::new(WorkloadKey { namespace, account, bindings, probe_set: 0 }))
    }

    /// Those of them that have another set of probes.
    #[must_use]
    pub(crate) fn with_probe_set(&self, probe_set: u32) -> Self {
        Self(Arc::new(WorkloadKey { probe_set, ..(**self).clone() }))
    }

    /// Whether both are the same to others whom they call.
    pub(crate) fn is_same_caller(&self, other: &Self) -> bool {
        self.namespace == other.namespace && self.account == other.account && self.bindings == other.bindings
    }

    /// The service account.
    #[must_use]
    pub fn account(&self) -> Namespaced {
        Namespaced { namespace: self.namespace.clone(), name: self.account.clone() }
    }
}

impl std::ops::Deref for WorkloadId {
    type Target = WorkloadKey;

    fn deref(&self) -> &WorkloadKey {
        &self.0
    }
}

impl PartialEq for WorkloadId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for WorkloadId {}

impl PartialOrd for WorkloadId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for WorkloadId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { std::cmp::Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.account)?;
        for binding in self.bindings.iter() {
            write!(f, "+{binding}")?;
        }
        match self.probe_set {
            0 => Ok(()),
            number => write!(f, "~{number}"),
        }
    }
}

impl fmt::Debug for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Whether refusals are enforced.
    pub mode: Mode,
    /// Names of the grants (keys of [`super::Ir::grants`]) whose destination it is, sorted.
    pub grants: Vec<Namespaced>,
    /// Probes of the kubelet that are allowed whoever asks whichever proxy (S32); empty unless the compiler was told to allow them
    /// everywhere.
    pub probes: BTreeSet<Probe>,
}

/// What happens to a call that no grant allows (S21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It passes and is counted.
    Permissive,
}

/// Who calls, as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A SPIFFE ID (S28).
    Identity(SpiffeId),
    /// Pods that an IdentityBinding selects by label.
    Binding(Namespaced),
}

/// A principal and where it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceGrant {
    /// Who.
    pub principal: Principal,
    /// `spec.sources[0]` of the TrafficTarget.
    pub origin: Origin,
}

/// What one TrafficTarget grants (S24). Ports are pod ports (S25).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Not empty.
    pub sources: Vec<SourceGrant>,
    /// HTTP requests, if any are granted.
    pub http: Option<HttpGrant>,
    /// Ports of opaque TCP, if any is granted.
    pub tcp: Option<AllowedPorts>,
    /// Ports of UDP, if any is granted.
    pub udp: Option<AllowedPorts>,
    /// Which rules (`spec.rules[1]`) made which part, for explanations.
    pub rules: GrantRules,
    /// The TrafficTarget.
    pub origin: Origin,
}

/// The rules behind the parts of a grant; empty for a part that is not granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantRules {
    /// Behind [`Grant::http`].
    pub http: Vec<Origin>,
    /// Behind [`Grant::tcp`].
    pub tcp: Vec<Origin>,
    /// Behind [`Grant::udp`].
    pub udp: Vec<Origin>,
}

/// HTTP requests that a grant allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpGrant {
    /// On which ports.
    pub ports: AllowedPorts,
    /// Which requests.
    pub condition: HttpCondition,
}

/// A condition on HTTP requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpCondition {
    /// Every request: a TCPRoute without an HTTPRouteGroup.
    Any,
    /// Requests that one of these matches; empty: none.
    AnyOf(Vec<Arc<HttpMatch>>),
}

/// A set of pod ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AllowedPorts {
    /// Every port.
    All,
    /// These; may be empty, then none.
    Only(BTreeSet<Port>),
}

impl AllowedPorts {
    /// Whether the port is in the set.
    #[must_use]
    pub fn contains(&self, port: Port) -> bool {
        match self {
            Self::All => true,
            Self::Only(ports) => ports.contains(&port),
        }
    }
}

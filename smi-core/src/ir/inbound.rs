//! Inbound: who may call a workload's pods. A set of grants, any of which suffices; no order, no priority (S22).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::{HttpMatch, Origin};
use crate::cluster::Probe;
use crate::hub::names::{Name, Namespace, Namespaced, Port, SpiffeId};

/// Pods of one namespace that share a service account and the IdentityBindings that select them by label. All their access is equal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadId {
    /// Namespace of the pods.
    pub namespace: Namespace,
    /// Service account.
    pub account: Name,
    /// Names of the bindings of that namespace whose labels select the pods, sorted.
    pub bindings: Arc<[Name]>,
}

impl WorkloadId {
    /// The service account.
    #[must_use]
    pub fn account(&self) -> Namespaced {
        Namespaced { namespace: self.namespace.clone(), name: self.account.clone() }
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.account)?;
        for binding in self.bindings.iter() {
            write!(f, "+{binding}")?;
        }
        Ok(())
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
    /// Names of the grants (keys of [`super::Ir::grants`]) whose destination it is.
    pub grants: BTreeSet<Namespaced>,
    /// Probes of the kubelet that are allowed whoever asks (S32); empty unless the compiler was told to allow them.
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
    /// Which rules (`spec.rules[1]`) made which part, for explanations: `http`, `tcp`, `udp`.
    pub rules: BTreeMap<&'static str, Vec<Origin>>,
    /// The TrafficTarget.
    pub origin: Origin,
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
    AnyOf(Vec<HttpMatch>),
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

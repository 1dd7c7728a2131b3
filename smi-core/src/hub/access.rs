//! TrafficTarget and IdentityBinding.
//!
//! Source: smi-spec `apis/traffic-access/v1alpha4/traffic-access.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Meta;

/// Who a TrafficTarget names, as destination or source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// `ServiceAccount` or `IdentityBinding`; anything else is unknown (S27).
    pub kind: Arc<str>,
    /// v1alpha4 only.
    pub group: Option<Arc<str>>,
    /// Name of the account or binding.
    pub name: Arc<str>,
    /// Absent: the TrafficTarget's own (S23).
    pub namespace: Option<Arc<str>>,
    /// v1alpha1 and v1alpha2: the Go type of a source has it too, without a meaning.
    pub port: Option<i64>,
}

impl Subject {
    /// The group, where it is none in which subjects are known: such a subject is of an unknown kind, whatever `kind` says (S27).
    #[must_use]
    pub fn foreign_group(&self) -> Option<&str> {
        self.group.as_deref().filter(|group| !matches!(*group, "" | "access.smi-spec.io"))
    }
}

/// One entry of `rules` (`specs` in v1alpha1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `HTTPRouteGroup`, `TCPRoute` or `UDPRoute`; anything else is unknown (S27).
    pub kind: Arc<str>,
    /// Name of the route, in the TrafficTarget's namespace.
    pub name: Arc<str>,
    /// Names of matches of the group; absent and empty both mean all (S26).
    pub matches: Option<Vec<Arc<str>>>,
}

/// Who may call whom, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficTarget {
    /// Name, labels, annotations.
    pub meta: Meta,
    /// The callee. Its `port` restricts the grant in v1alpha1 and v1alpha2 (S24). Absent: the object had none, and is inert.
    pub destination: Option<Subject>,
    /// The callers; empty: inert (S27).
    pub sources: Vec<Subject>,
    /// What is granted; empty: inert (S27).
    pub rules: Vec<Rule>,
}

/// Identities in other words than a service account (access v1alpha4, a draft).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityBinding {
    /// Name, labels, annotations.
    pub meta: Meta,
    /// `spec.schemes.podLabelSelector.matchLabels`.
    pub pod_labels: Option<BTreeMap<Arc<str>, Arc<str>>>,
    /// `spec.schemes.spiffeIdentities`.
    pub spiffe_ids: Option<Vec<Arc<str>>>,
    /// `spec.schemes.serviceAccount`, of the binding's namespace.
    pub service_account: Option<Arc<str>>,
}

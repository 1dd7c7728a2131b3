//! TrafficSplit.
//!
//! Shape: weights are relative whole numbers, not percent; 0 means no traffic (S15). Quantities of v1alpha1 are already scaled (S4).
//! Source: smi-spec `apis/traffic-split/v1alpha4/traffic-split.md`.

use std::sync::Arc;

use super::Meta;

/// One backend of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitBackend {
    /// A service of the split's namespace.
    pub service: Arc<str>,
    /// As written; negative numbers and numbers above `u32` are errors (S15).
    pub weight: i64,
}

/// A reference of `spec.matches`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchRef {
    /// The Go types' `apiGroup`.
    pub api_group: Option<Arc<str>>,
    /// `HTTPRouteGroup`; anything else is unknown.
    pub kind: Arc<str>,
    /// Name of the group, in the split's namespace.
    pub name: Arc<str>,
}

/// Weighted backends of a root service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficSplit {
    /// Name, labels, annotations.
    pub meta: Meta,
    /// `name`, `name.namespace` or `name.namespace.svc[.domain]` (S13).
    pub service: Arc<str>,
    /// In the order in which they were written.
    pub backends: Vec<SplitBackend>,
    /// Absent or empty: unconditional (S17).
    pub matches: Option<Vec<MatchRef>>,
}

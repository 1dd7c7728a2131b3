//! `metrics.smi-spec.io/v1alpha1` (S33). What the Go SDK calls v1alpha2 (`edge.side`, `backend`) is in the v1alpha1 of the specification.
//!
//! Units: `seconds` for latencies, whole numbers for counts; `ms` is read as well.
//! Source: smi-spec `apis/traffic-metrics/v1alpha1/traffic-metrics.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::Quantity;
use crate::api::kind::kind;
use crate::api::null::zero;

kind! {
    /// Traffic of one resource.
    TrafficMetrics: "metrics.smi-spec.io" "v1alpha1" "TrafficMetrics" "trafficmetrics" {
        /// What is measured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<ObjectReference>,
        /// To or from whom.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edge: Option<Edge>,
        /// Of which backend, for resources of kind TrafficSplit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backend: Option<Backend>,
        /// End of the window, RFC 3339.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timestamp: Option<Arc<str>>,
        /// Duration, `30s`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<Arc<str>>,
        /// The values.
        #[serde(default, deserialize_with = "zero")]
        metrics: Vec<Metric>,
    }
}

kind! {
    /// Traffic of several resources or edges.
    TrafficMetricsList: "metrics.smi-spec.io" "v1alpha1" "TrafficMetricsList" "trafficmetrics" {
        /// What is measured; without name for a list by kind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<ObjectReference>,
        /// Which of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        selector: Option<Selector>,
        /// One per resource or edge.
        #[serde(default, deserialize_with = "zero")]
        items: Vec<TrafficMetrics>,
    }
}

/// A reference to a Kubernetes object.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ObjectReference {
    /// `Deployment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Arc<str>>,
    /// Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Identity in time and space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Arc<str>>,
    /// `apps/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<Arc<str>>,
    /// For compare-and-swap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<Arc<str>>,
    /// A part of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_path: Option<Arc<str>>,
}

/// The other end of measured traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Edge {
    /// `to` or `from`.
    pub direction: Arc<str>,
    /// `client` or `server`: where it was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Arc<str>>,
    /// Absent or empty: anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ObjectReference>,
}

/// A backend of a TrafficSplit.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Backend {
    /// The root service.
    pub apex: Arc<str>,
    /// The backend service.
    pub name: Arc<str>,
    /// Its weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
}

/// One value.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Metric {
    /// `p99_response_latency`, `success_count`.
    pub name: Arc<str>,
    /// `seconds`; absent for counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Arc<str>>,
    /// The value.
    pub value: Quantity,
}

/// Resources by label.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Selector {
    /// Labels with their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_labels: Option<BTreeMap<Arc<str>, Arc<str>>>,
}

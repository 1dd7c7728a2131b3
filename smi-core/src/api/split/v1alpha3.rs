//! `split.smi-spec.io/v1alpha3`: adds `matches`.
//!
//! Source: smi-spec `apis/traffic-split/v1alpha3/traffic-split.md`.

use std::sync::Arc;

pub use super::v1alpha2::Backend;
use crate::api::kind::kind;
use crate::api::null::zero;

kind! {
    /// Weighted backends of a root service.
    TrafficSplit: "split.smi-spec.io" "v1alpha3" "TrafficSplit" "trafficsplits" {
        /// What is split and how.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<Spec>,
    }
}

/// What is split and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Spec {
    /// The root service.
    pub service: Arc<str>,
    /// Its backends.
    #[serde(default, deserialize_with = "zero")]
    pub backends: Vec<Backend>,
    /// Which requests are split; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<MatchRef>>,
}

/// A reference to a route group of the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MatchRef {
    /// In the Go types only; the official CRD prunes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_group: Option<Arc<str>>,
    /// `HTTPRouteGroup`.
    pub kind: Arc<str>,
    /// Name of the group.
    pub name: Arc<str>,
}

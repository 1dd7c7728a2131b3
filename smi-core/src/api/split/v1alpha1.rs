//! `split.smi-spec.io/v1alpha1`: weights are quantities (S4).
//!
//! Source: smi-spec `apis/traffic-split/v1alpha1/traffic-split.md`.

use std::sync::Arc;

use crate::api::Quantity;
use crate::api::kind::kind;
use crate::api::null::zero;

kind! {
    /// Weighted backends of a root service.
    TrafficSplit: "split.smi-spec.io" "v1alpha1" "TrafficSplit" "trafficsplits" {
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
}

/// One backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Backend {
    /// A service of the same namespace.
    pub service: Arc<str>,
    /// Relative weight.
    pub weight: Quantity,
}

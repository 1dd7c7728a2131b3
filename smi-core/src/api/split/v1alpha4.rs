//! `split.smi-spec.io/v1alpha4`: the shape of v1alpha3.
//!
//! Source: smi-spec `apis/traffic-split/v1alpha4/traffic-split.md`.

pub use super::v1alpha3::{Backend, MatchRef, Spec};
use crate::api::kind::kind;

kind! {
    /// Weighted backends of a root service.
    TrafficSplit: "split.smi-spec.io" "v1alpha4" "TrafficSplit" "trafficsplits" {
        /// What is split and how.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<Spec>,
    }
}

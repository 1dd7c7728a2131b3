//! `access.smi-spec.io/v1alpha1`: no `spec`; rules are called `specs`.
//!
//! Source: smi-spec `apis/traffic-access/v1alpha1/traffic-access.md`.

use crate::api::kind::kind;
use crate::api::null::zero;

pub use super::{Rule, SubjectWithPort as Subject};

kind! {
    /// Who may call whom, and with what.
    TrafficTarget: "access.smi-spec.io" "v1alpha1" "TrafficTarget" "traffictargets" {
        /// The callee.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        destination: Option<Subject>,
        /// What is granted.
        #[serde(default, deserialize_with = "zero")]
        specs: Vec<Rule>,
        /// The callers.
        #[serde(default, deserialize_with = "zero")]
        sources: Vec<Subject>,
    }
}

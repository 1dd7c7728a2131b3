//! `access.smi-spec.io/v1alpha3`: destinations lost their port; UDPRoute is new.
//!
//! Source: smi-spec `apis/traffic-access/v1alpha3/traffic-access.md`.

use crate::api::kind::kind;
use crate::api::null::zero;

pub use super::{Rule, Subject};

kind! {
    /// Who may call whom, and with what.
    TrafficTarget: "access.smi-spec.io" "v1alpha3" "TrafficTarget" "traffictargets" {
        /// Who, whom, what.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<Spec>,
    }
}

/// Who, whom, what.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Spec {
    /// The callee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Subject>,
    /// What is granted.
    #[serde(default, deserialize_with = "zero")]
    pub rules: Vec<Rule>,
    /// The callers.
    #[serde(default, deserialize_with = "zero")]
    pub sources: Vec<Subject>,
}

//! `access.smi-spec.io/v1alpha4`: subjects may be IdentityBindings. A draft, never released.
//!
//! Source: smi-spec `apis/traffic-access/v1alpha4/traffic-access.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::kind::kind;
use crate::api::null::zero;

pub use super::{Rule, SubjectWithGroup as Subject};

kind! {
    /// Who may call whom, and with what.
    TrafficTarget: "access.smi-spec.io" "v1alpha4" "TrafficTarget" "traffictargets" {
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

kind! {
    /// Identities in other words than a service account.
    IdentityBinding: "access.smi-spec.io" "v1alpha4" "IdentityBinding" "identitybindings" {
        /// The identities.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<BindingSpec>,
    }
}

/// The identities of a binding.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BindingSpec {
    /// Any of which suffices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schemes: Option<Schemes>,
}

/// Ways to name an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Schemes {
    /// Pods of the binding's namespace by label. Excludes `serviceAccount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_label_selector: Option<PodLabelSelector>,
    /// SPIFFE IDs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spiffe_identities: Option<Vec<Arc<str>>>,
    /// A service account of the binding's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<Arc<str>>,
}

/// Pods by label.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PodLabelSelector {
    /// Every one must be there with this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_labels: Option<BTreeMap<Arc<str>, Arc<str>>>,
}

//! `access.smi-spec.io`: TrafficTarget, IdentityBinding.

use std::sync::Arc;

pub mod v1alpha1;
pub mod v1alpha2;
pub mod v1alpha3;
pub mod v1alpha4;

/// One entry of `rules`, the same in every version (`specs` in v1alpha1).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rule {
    /// `HTTPRouteGroup`, `TCPRoute` or, since v1alpha3, `UDPRoute`.
    pub kind: Arc<str>,
    /// Name of the route.
    pub name: Arc<str>,
    /// Names of matches of an HTTPRouteGroup; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<Vec<Arc<str>>>,
}

/// Who calls or is called, in v1alpha1 and v1alpha2.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubjectWithPort {
    /// `ServiceAccount`.
    pub kind: Arc<str>,
    /// Name of the account.
    pub name: Arc<str>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// Of the destination: restricts the grant to this port. Sources have it in the Go types only, without a meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
}

/// Who calls or is called, in v1alpha3.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subject {
    /// `ServiceAccount`.
    pub kind: Arc<str>,
    /// Name of the account.
    pub name: Arc<str>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
}

/// Who calls or is called, in v1alpha4.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubjectWithGroup {
    /// `ServiceAccount` or `IdentityBinding`.
    pub kind: Arc<str>,
    /// `access.smi-spec.io` for a binding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    /// Name of the account or binding.
    pub name: Arc<str>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
}

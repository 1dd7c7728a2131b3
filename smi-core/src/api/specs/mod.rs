//! `specs.smi-spec.io`: HTTPRouteGroup, TCPRoute, UDPRoute.

use std::sync::Arc;

use super::Headers;

pub mod v1alpha1;
pub mod v1alpha2;
pub mod v1alpha3;
pub mod v1alpha4;

/// One match of an HTTPRouteGroup, the same in every version. (v1alpha1 has `headers` in the official CRD only.)
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HttpMatch {
    /// How TrafficTargets refer to it.
    pub name: Arc<str>,
    /// Regular expression, anchored at the start of the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_regex: Option<Arc<str>>,
    /// Methods, or `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<Arc<str>>>,
    /// Header filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,
}

/// `spec.matches` of TCPRoute and UDPRoute in v1alpha4: an object, not a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PortMatch {
    /// In the Go types only, without a meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Ports; absent or empty means all. The official CRD requires the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<i64>>,
}

//! `specs.smi-spec.io/v1alpha3`: `matches` moved into `spec`.
//!
//! Source: smi-spec `apis/traffic-specs/v1alpha3/traffic-specs.md`.

use crate::api::kind::kind;
use crate::api::null::zero;

pub use super::HttpMatch;

kind! {
    /// HTTP matches, any of which suffices.
    HttpRouteGroup: "specs.smi-spec.io" "v1alpha3" "HTTPRouteGroup" "httproutegroups" {
        /// The matches.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<HttpRouteGroupSpec>,
    }
}

/// The matches of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HttpRouteGroupSpec {
    /// The matches.
    #[serde(default, deserialize_with = "zero")]
    pub matches: Vec<HttpMatch>,
}

kind! {
    /// TCP on any port.
    TcpRoute: "specs.smi-spec.io" "v1alpha3" "TCPRoute" "tcproutes" {
        /// Has no fields.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<TcpRouteSpec>,
    }
}

/// Has no fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TcpRouteSpec {}

//! `specs.smi-spec.io/v1alpha4`: TCPRoute has ports, UDPRoute is new.
//!
//! Source: smi-spec `apis/traffic-specs/v1alpha4/traffic-specs.md`.

use crate::api::kind::kind;
use crate::api::null::zero;

pub use super::{HttpMatch, PortMatch};

kind! {
    /// HTTP matches, any of which suffices.
    HttpRouteGroup: "specs.smi-spec.io" "v1alpha4" "HTTPRouteGroup" "httproutegroups" {
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
    /// TCP on some ports.
    TcpRoute: "specs.smi-spec.io" "v1alpha4" "TCPRoute" "tcproutes" {
        /// The ports.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<PortRouteSpec>,
    }
}

kind! {
    /// UDP on some ports.
    UdpRoute: "specs.smi-spec.io" "v1alpha4" "UDPRoute" "udproutes" {
        /// The ports.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<PortRouteSpec>,
    }
}

/// The ports of a TCPRoute or UDPRoute.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PortRouteSpec {
    /// The ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<PortMatch>,
}

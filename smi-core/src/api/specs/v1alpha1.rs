//! `specs.smi-spec.io/v1alpha1`: `matches` stands at the top level, TCPRoute has no fields.
//!
//! Source: smi-spec `apis/traffic-specs/v1alpha1/traffic-specs.md`.

use crate::api::kind::kind;
use crate::api::null::zero;

pub use super::HttpMatch;

kind! {
    /// HTTP matches, any of which suffices.
    HttpRouteGroup: "specs.smi-spec.io" "v1alpha1" "HTTPRouteGroup" "httproutegroups" {
        /// The matches.
        #[serde(default, deserialize_with = "zero")]
        matches: Vec<HttpMatch>,
    }
}

kind! {
    /// TCP on any port.
    TcpRoute: "specs.smi-spec.io" "v1alpha1" "TCPRoute" "tcproutes" {}
}

//! Traefik's configuration, as far as it is emitted, in Traefik's own field names.
//!
//! Invariant: nothing prints as an empty object, because Traefik rejects a whole document for one; empty lists and absent fields are
//! fine. Numbers are whole.
//! Source: Traefik 3.7, reference of the dynamic and the install configuration.

pub mod http;
pub mod install;
pub mod l4;

use std::collections::BTreeMap;

use serde::Serialize;

/// The dynamic configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dynamic {
    /// HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<http::Http>,
    /// TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<l4::Tcp>,
    /// UDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<l4::Udp>,
}

/// Named objects, in order.
pub type Named<T> = BTreeMap<String, T>;

/// Callers that may pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IpAllowList {
    /// Addresses and ranges; never empty, which would disable every router that uses it.
    pub source_range: Vec<String>,
}

impl IpAllowList {
    /// Lets nobody pass: no peer has the broadcast address.
    #[must_use]
    pub fn nobody() -> Self {
        Self { source_range: vec!["255.255.255.255/32".into()] }
    }
}

/// One child of a weighted service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WeightedChild {
    /// Name of the service.
    pub name: String,
    /// Relative weight.
    pub weight: u32,
}

/// A weighted service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weighted {
    /// Children, not empty.
    pub services: Vec<WeightedChild>,
}

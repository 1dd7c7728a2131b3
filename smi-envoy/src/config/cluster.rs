//! Clusters and their endpoints.

use std::collections::BTreeMap;

use super::address::{Address, SocketAddress};
use super::discovery::ConfigSource;
use super::limit::{CircuitBreakers, OutlierDetection};
use super::metadata::{Metadata, Struct};
use super::tls::TransportSocket;
use super::types::{is_default, proto_enum};
use super::{Any, Duration};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct Cluster {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(enumeration = "DiscoveryType", tag = "2")]
    #[serde(serialize_with = "DiscoveryType::serialize")]
    pub r#type: i32,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eds_cluster_config: Option<EdsClusterConfig>,
    #[prost(message, optional, tag = "4")]
    pub connect_timeout: Option<Duration>,
    #[prost(message, optional, tag = "10")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breakers: Option<CircuitBreakers>,
    #[prost(message, optional, tag = "19")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<OutlierDetection>,
    #[prost(message, optional, tag = "22")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lb_subset_config: Option<LbSubsetConfig>,
    #[prost(message, optional, tag = "27")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_lb_config: Option<CommonLbConfig>,
    #[prost(message, repeated, tag = "43")]
    #[serde(skip_serializing_if = "is_default")]
    pub transport_socket_matches: Vec<TransportSocketMatch>,
    #[prost(message, optional, tag = "21")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_bind_config: Option<BindConfig>,
    #[prost(message, optional, tag = "24")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport_socket: Option<TransportSocket>,
    #[prost(message, optional, tag = "33")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_assignment: Option<ClusterLoadAssignment>,
    #[prost(btree_map = "string, message", tag = "36")]
    #[serde(skip_serializing_if = "is_default")]
    pub typed_extension_protocol_options: BTreeMap<String, Any>,
}

impl Cluster {
    /// All transport sockets, whichever endpoints they are for.
    pub fn sockets(&self) -> impl Iterator<Item = &TransportSocket> {
        let matched = self.transport_socket_matches.iter().filter_map(|m| m.transport_socket.as_ref());
        self.transport_socket.iter().chain(matched)
    }

    /// The same, to change them.
    pub fn sockets_mut(&mut self) -> impl Iterator<Item = &mut TransportSocket> {
        let matched = self.transport_socket_matches.iter_mut().filter_map(|m| m.transport_socket.as_mut());
        self.transport_socket.iter_mut().chain(matched)
    }
}

proto_enum! {
    /// Where endpoints come from.
    DiscoveryType { Static = 0 "STATIC", StrictDns = 1 "STRICT_DNS", Eds = 3 "EDS" }
}

/// Endpoints by their metadata `envoy.lb`.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct LbSubsetConfig {
    #[prost(enumeration = "SubsetFallback", tag = "1")]
    #[serde(serialize_with = "SubsetFallback::serialize")]
    pub fallback_policy: i32,
    #[prost(message, repeated, tag = "3")]
    pub subset_selectors: Vec<LbSubsetSelector>,
    #[prost(bool, tag = "7")]
    pub list_as_any: bool,
}

proto_enum! {
    /// What a request gets whose subset has no endpoints.
    SubsetFallback { NoFallback = 0 "NO_FALLBACK", AnyEndpoint = 1 "ANY_ENDPOINT", DefaultSubset = 2 "DEFAULT_SUBSET" }
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct LbSubsetSelector {
    #[prost(string, repeated, tag = "1")]
    pub keys: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct CommonLbConfig {
    #[prost(message, optional, tag = "1")]
    pub healthy_panic_threshold: Option<PanicThreshold>,
}

/// Below this share of endpoints that are in, in percent, all of them are used.
#[derive(Clone, Copy, PartialEq, prost::Message, serde::Serialize)]
pub struct PanicThreshold {
    #[prost(double, tag = "1")]
    pub value: f64,
}

/// How endpoints with this metadata `envoy.transport_socket_match` are spoken to.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct TransportSocketMatch {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#match: Option<Struct>,
    #[prost(message, optional, tag = "3")]
    pub transport_socket: Option<TransportSocket>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct BindConfig {
    #[prost(message, optional, tag = "1")]
    pub source_address: Option<SocketAddress>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct EdsClusterConfig {
    #[prost(message, optional, tag = "1")]
    pub eds_config: Option<ConfigSource>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct ClusterLoadAssignment {
    #[prost(string, tag = "1")]
    pub cluster_name: String,
    #[prost(message, repeated, tag = "2")]
    pub endpoints: Vec<LocalityEndpoints>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct LocalityEndpoints {
    #[prost(message, repeated, tag = "2")]
    pub lb_endpoints: Vec<LbEndpoint>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct LbEndpoint {
    #[prost(message, optional, tag = "1")]
    pub endpoint: Option<Endpoint>,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    #[prost(message, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancing_weight: Option<u32>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Endpoint {
    #[prost(message, optional, tag = "1")]
    pub address: Option<Address>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct HttpProtocolOptions {
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explicit_http_config: Option<ExplicitHttpConfig>,
    /// The version that the TLS handshake agrees on.
    #[prost(message, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_config: Option<AutoHttpConfig>,
}

/// HTTP/1.1 and HTTP/2.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct AutoHttpConfig {
    #[prost(message, optional, tag = "1")]
    pub http_protocol_options: Option<Http1ProtocolOptions>,
    #[prost(message, optional, tag = "2")]
    pub http2_protocol_options: Option<Http2ProtocolOptions>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Http1ProtocolOptions {}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct ExplicitHttpConfig {
    #[prost(message, optional, tag = "2")]
    pub http2_protocol_options: Option<Http2ProtocolOptions>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Http2ProtocolOptions {}

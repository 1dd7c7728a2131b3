//! Clusters and their endpoints.

use std::collections::BTreeMap;

use super::address::{Address, SocketAddress};
use super::discovery::ConfigSource;
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

proto_enum! {
    /// Where endpoints come from.
    DiscoveryType { Static = 0 "STATIC", StrictDns = 1 "STRICT_DNS", Eds = 3 "EDS" }
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

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct ClusterLoadAssignment {
    #[prost(string, tag = "1")]
    pub cluster_name: String,
    #[prost(message, repeated, tag = "2")]
    pub endpoints: Vec<LocalityEndpoints>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct LocalityEndpoints {
    #[prost(message, repeated, tag = "2")]
    pub lb_endpoints: Vec<LbEndpoint>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct LbEndpoint {
    #[prost(message, optional, tag = "1")]
    pub endpoint: Option<Endpoint>,
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
    pub explicit_http_config: Option<ExplicitHttpConfig>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct ExplicitHttpConfig {
    #[prost(message, optional, tag = "2")]
    pub http2_protocol_options: Option<Http2ProtocolOptions>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Http2ProtocolOptions {}

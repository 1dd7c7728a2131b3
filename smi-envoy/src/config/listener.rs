//! Listeners and the filters in them.

use super::address::{Address, CidrRange};
use super::discovery::ConfigSource;
use super::matcher::Matcher;
use super::route::RouteConfiguration;
use super::tls::TransportSocket;
use super::types::{is_default, proto_enum};
use super::{Any, Duration};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct Listener {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub address: Option<Address>,
    #[prost(message, repeated, tag = "9")]
    #[serde(skip_serializing_if = "is_default")]
    pub listener_filters: Vec<ListenerFilter>,
    #[prost(message, repeated, tag = "3")]
    #[serde(skip_serializing_if = "is_default")]
    pub filter_chains: Vec<FilterChain>,
    #[prost(message, optional, tag = "25")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_filter_chain: Option<FilterChain>,
    #[prost(message, optional, tag = "18")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp_listener_config: Option<UdpListenerConfig>,
}

impl Listener {
    /// A listener named by its address. Envoy replaces a listener of the same name in place, but refuses one at an address where another
    /// name listens, be it for the moment in which services change places.
    #[must_use]
    pub fn at(address: Address) -> Self {
        Self { name: address.to_string(), address: Some(address), ..Self::default() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct UdpListenerConfig {}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct ListenerFilter {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "3")]
    pub typed_config: Option<Any>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct FilterChain {
    #[prost(string, tag = "7")]
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_chain_match: Option<FilterChainMatch>,
    #[prost(message, repeated, tag = "3")]
    pub filters: Vec<Filter>,
    #[prost(message, optional, tag = "6")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport_socket: Option<TransportSocket>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct FilterChainMatch {
    #[prost(string, repeated, tag = "11")]
    #[serde(skip_serializing_if = "is_default")]
    pub server_names: Vec<String>,
    #[prost(string, tag = "9")]
    #[serde(skip_serializing_if = "is_default")]
    pub transport_protocol: String,
    #[prost(string, repeated, tag = "10")]
    #[serde(skip_serializing_if = "is_default")]
    pub application_protocols: Vec<String>,
    /// The peer's own address, whatever a listener filter says.
    #[prost(message, repeated, tag = "13")]
    #[serde(skip_serializing_if = "is_default")]
    pub direct_source_prefix_ranges: Vec<CidrRange>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Filter {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "4")]
    pub typed_config: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct HttpConnectionManager {
    #[prost(enumeration = "Codec", tag = "1")]
    #[serde(serialize_with = "Codec::serialize", skip_serializing_if = "is_default")]
    pub codec_type: i32,
    #[prost(string, tag = "2")]
    pub stat_prefix: String,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rds: Option<Rds>,
    #[prost(message, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_config: Option<RouteConfiguration>,
    #[prost(message, repeated, tag = "5")]
    pub http_filters: Vec<Filter>,
    #[prost(message, optional, tag = "14")]
    pub use_remote_address: Option<bool>,
    /// Absent means yes: an `x-request-id` that no caller sent, in place of the one that it did.
    #[prost(message, optional, tag = "15")]
    pub generate_request_id: Option<bool>,
    #[prost(message, optional, tag = "24")]
    pub stream_idle_timeout: Option<Duration>,
    #[prost(message, optional, tag = "30")]
    pub normalize_path: Option<bool>,
    #[prost(bool, tag = "33")]
    pub merge_slashes: bool,
    #[prost(enumeration = "EscapedSlashes", tag = "45")]
    #[serde(serialize_with = "EscapedSlashes::serialize")]
    pub path_with_escaped_slashes_action: i32,
    #[prost(bool, tag = "42")]
    pub strip_any_host_port: bool,
    #[prost(bool, tag = "47")]
    pub strip_trailing_host_dot: bool,
    #[prost(message, repeated, tag = "23")]
    pub upgrade_configs: Vec<UpgradeConfig>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Rds {
    #[prost(message, optional, tag = "1")]
    pub config_source: Option<ConfigSource>,
    #[prost(string, tag = "2")]
    pub route_config_name: String,
}

proto_enum! {
    /// Version of HTTP; `Auto`: found out by ALPN or, without one, by the first bytes.
    Codec { Auto = 0 "AUTO", Http1 = 1 "HTTP1", Http2 = 2 "HTTP2" }
}

proto_enum! {
    /// What becomes of `%2F` and `%5C`.
    EscapedSlashes { Default = 0 "IMPLEMENTATION_SPECIFIC_DEFAULT", Keep = 1 "KEEP_UNCHANGED", Reject = 2 "REJECT_REQUEST" }
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct UpgradeConfig {
    #[prost(string, tag = "1")]
    pub upgrade_type: String,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Router {}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct TlsInspector {}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct LocalRateLimit {
    #[prost(string, tag = "1")]
    pub stat_prefix: String,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_bucket: Option<TokenBucket>,
    #[prost(message, optional, tag = "4")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_enabled: Option<RuntimeFraction>,
    #[prost(message, optional, tag = "5")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_enforced: Option<RuntimeFraction>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct TokenBucket {
    #[prost(uint32, tag = "1")]
    pub max_tokens: u32,
    #[prost(message, optional, tag = "2")]
    pub tokens_per_fill: Option<u32>,
    #[prost(message, optional, tag = "3")]
    pub fill_interval: Option<Duration>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct RuntimeFraction {
    #[prost(message, optional, tag = "1")]
    pub default_value: Option<Percent>,
}

/// Out of a hundred.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Percent {
    #[prost(uint32, tag = "1")]
    pub numerator: u32,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct TcpProxy {
    #[prost(string, tag = "1")]
    pub stat_prefix: String,
    #[prost(message, optional, tag = "10")]
    pub weighted_clusters: Option<TcpWeightedCluster>,
    /// Absent means an hour.
    #[prost(message, optional, tag = "8")]
    pub idle_timeout: Option<Duration>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct TcpWeightedCluster {
    #[prost(message, repeated, tag = "1")]
    pub clusters: Vec<TcpClusterWeight>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct TcpClusterWeight {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(uint32, tag = "2")]
    pub weight: u32,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct UdpProxy {
    #[prost(string, tag = "1")]
    pub stat_prefix: String,
    #[prost(message, optional, tag = "9")]
    pub matcher: Option<Matcher>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct UdpRoute {
    #[prost(string, tag = "1")]
    pub cluster: String,
}

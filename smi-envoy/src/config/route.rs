//! Routes, virtual hosts, weighted clusters.

use super::listener::RuntimeFraction;
use super::matcher::{HeaderMatcher, PerFilter, RegexMatcher};
use super::metadata::Metadata;
use super::types::is_default;
use super::{Any, Duration};

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct RouteConfiguration {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub virtual_hosts: Vec<VirtualHost>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct VirtualHost {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, repeated, tag = "2")]
    pub domains: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    pub routes: Vec<Route>,
    #[prost(btree_map = "string, message", tag = "15")]
    #[serde(skip_serializing_if = "is_default")]
    pub typed_per_filter_config: PerFilter,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct Route {
    #[prost(string, tag = "14")]
    pub name: String,
    #[prost(message, optional, tag = "1")]
    pub r#match: Option<RouteMatch>,
    #[prost(oneof = "RouteActionKind", tags = "2, 7")]
    #[serde(flatten)]
    pub action: Option<RouteActionKind>,
    #[prost(btree_map = "string, message", tag = "13")]
    #[serde(skip_serializing_if = "is_default")]
    pub typed_per_filter_config: PerFilter,
}

#[derive(Clone, PartialEq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteActionKind {
    #[prost(message, tag = "2")]
    Route(RouteAction),
    #[prost(message, tag = "7")]
    DirectResponse(DirectResponse),
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct DirectResponse {
    #[prost(uint32, tag = "1")]
    pub status: u32,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct RouteMatch {
    #[prost(oneof = "PathSpecifier", tags = "1, 2, 10")]
    #[serde(flatten)]
    pub path: Option<PathSpecifier>,
    #[prost(message, repeated, tag = "6")]
    #[serde(skip_serializing_if = "is_default")]
    pub headers: Vec<HeaderMatcher>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PathSpecifier {
    #[prost(string, tag = "1")]
    Prefix(String),
    #[prost(string, tag = "2")]
    Path(String),
    #[prost(message, tag = "10")]
    SafeRegex(RegexMatcher),
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct RouteAction {
    #[prost(message, optional, tag = "3")]
    pub weighted_clusters: Option<WeightedCluster>,
    #[prost(message, optional, tag = "8")]
    pub timeout: Option<Duration>,
    #[prost(message, optional, tag = "9")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    #[prost(message, repeated, tag = "30")]
    #[serde(skip_serializing_if = "is_default")]
    pub request_mirror_policies: Vec<RequestMirrorPolicy>,
}

/// Copies of requests, whose answers are dropped.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct RequestMirrorPolicy {
    #[prost(string, tag = "1")]
    pub cluster: String,
    #[prost(message, optional, tag = "3")]
    pub runtime_fraction: Option<RuntimeFraction>,
    /// Without it, the copy's host ends in `-shadow`.
    #[prost(bool, tag = "6")]
    pub disable_shadow_host_suffix_append: bool,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct WeightedCluster {
    #[prost(message, repeated, tag = "1")]
    pub clusters: Vec<ClusterWeight>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct ClusterWeight {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub weight: Option<u32>,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_match: Option<Metadata>,
    #[prost(btree_map = "string, message", tag = "10")]
    #[serde(skip_serializing_if = "is_default")]
    pub typed_per_filter_config: PerFilter,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct RetryPolicy {
    #[prost(string, tag = "1")]
    pub retry_on: String,
    #[prost(message, optional, tag = "2")]
    pub num_retries: Option<u32>,
    #[prost(message, repeated, tag = "5")]
    pub retry_host_predicate: Vec<RetryHostPredicate>,
    /// How often another endpoint is looked for.
    #[prost(int64, tag = "6")]
    pub host_selection_retry_max_attempts: i64,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct RetryHostPredicate {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "3")]
    pub typed_config: Option<Any>,
}

/// Endpoints that were tried already.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct PreviousHosts {}

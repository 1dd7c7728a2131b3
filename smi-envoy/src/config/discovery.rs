//! Where resources come from: one aggregated stream, or files.

use super::types::{Any, is_default, proto_enum};

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct ConfigSource {
    #[prost(oneof = "ConfigSourceKind", tags = "3, 8")]
    #[serde(flatten)]
    pub kind: Option<ConfigSourceKind>,
    #[prost(enumeration = "ApiVersion", tag = "6")]
    #[serde(serialize_with = "ApiVersion::serialize", skip_serializing_if = "is_default")]
    pub resource_api_version: i32,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigSourceKind {
    #[prost(message, tag = "3")]
    Ads(AggregatedConfigSource),
    #[prost(message, tag = "8")]
    PathConfigSource(PathConfigSource),
}

impl ConfigSource {
    /// The stream that the bootstrap names.
    #[must_use]
    pub fn ads() -> Self {
        Self::of(ConfigSourceKind::Ads(AggregatedConfigSource {}))
    }

    /// A file that is watched.
    #[must_use]
    pub fn path(path: String) -> Self {
        Self::of(ConfigSourceKind::PathConfigSource(PathConfigSource { path }))
    }

    fn of(kind: ConfigSourceKind) -> Self {
        Self { kind: Some(kind), resource_api_version: ApiVersion::V3.into() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct AggregatedConfigSource {}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct PathConfigSource {
    #[prost(string, tag = "1")]
    pub path: String,
}

proto_enum! {
    /// Version of the xDS protocol.
    ApiVersion { Auto = 0 "AUTO", V3 = 2 "V3" }
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct DynamicResources {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lds_config: Option<ConfigSource>,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cds_config: Option<ConfigSource>,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ads_config: Option<ApiConfigSource>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct ApiConfigSource {
    #[prost(enumeration = "ApiType", tag = "1")]
    #[serde(serialize_with = "ApiType::serialize")]
    pub api_type: i32,
    #[prost(enumeration = "ApiVersion", tag = "8")]
    #[serde(serialize_with = "ApiVersion::serialize")]
    pub transport_api_version: i32,
    #[prost(message, repeated, tag = "4")]
    pub grpc_services: Vec<GrpcService>,
    #[prost(bool, tag = "7")]
    pub set_node_on_first_message_only: bool,
}

proto_enum! {
    /// Variant of the protocol.
    ApiType { Rest = 1 "REST", Grpc = 2 "GRPC", DeltaGrpc = 3 "DELTA_GRPC" }
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct GrpcService {
    #[prost(oneof = "GrpcTarget", tags = "1")]
    #[serde(flatten)]
    pub target: Option<GrpcTarget>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GrpcTarget {
    #[prost(message, tag = "1")]
    EnvoyGrpc(EnvoyGrpc),
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct EnvoyGrpc {
    #[prost(string, tag = "1")]
    pub cluster_name: String,
}

/// What a watched file holds.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct DiscoveryResponse {
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "is_default")]
    pub version_info: String,
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<Any>,
    #[prost(string, tag = "4")]
    #[serde(skip_serializing_if = "is_default")]
    pub type_url: String,
}

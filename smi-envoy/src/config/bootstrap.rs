//! What Envoy starts with.

use super::address::Address;
use super::cluster::Cluster;
use super::discovery::DynamicResources;
use super::listener::Listener;
use super::metadata::Struct;
use super::tls::Secret;
use super::types::is_default;

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct Bootstrap {
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    #[prost(message, optional, tag = "12")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<Admin>,
    #[prost(message, optional, tag = "17")]
    pub layered_runtime: Option<LayeredRuntime>,
    #[prost(message, optional, tag = "3")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_resources: Option<DynamicResources>,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub static_resources: Option<StaticResources>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Node {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub cluster: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Admin {
    #[prost(message, optional, tag = "3")]
    pub address: Option<Address>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct StaticResources {
    #[prost(message, repeated, tag = "1")]
    #[serde(skip_serializing_if = "is_default")]
    pub listeners: Vec<Listener>,
    #[prost(message, repeated, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub clusters: Vec<Cluster>,
    #[prost(message, repeated, tag = "3")]
    #[serde(skip_serializing_if = "is_default")]
    pub secrets: Vec<Secret>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct LayeredRuntime {
    #[prost(message, repeated, tag = "1")]
    pub layers: Vec<RuntimeLayer>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct RuntimeLayer {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub static_layer: Option<Struct>,
}

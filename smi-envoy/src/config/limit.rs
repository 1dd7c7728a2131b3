//! When a cluster stops sending, and to which of its endpoints.

use super::Duration;
use super::types::is_default;

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct CircuitBreakers {
    #[prost(message, repeated, tag = "1")]
    pub thresholds: Vec<Thresholds>,
}

/// What may be open at a time; Envoy's own limits are 1024 each, and 3 retries.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Thresholds {
    #[prost(message, optional, tag = "2")]
    pub max_connections: Option<u32>,
    #[prost(message, optional, tag = "3")]
    pub max_pending_requests: Option<u32>,
    #[prost(message, optional, tag = "4")]
    pub max_requests: Option<u32>,
    #[prost(message, optional, tag = "5")]
    pub max_retries: Option<u32>,
}

/// Takes endpoints out that fail. Every way of it that is not switched off is on.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct OutlierDetection {
    #[prost(message, optional, tag = "2")]
    pub interval: Option<Duration>,
    #[prost(message, optional, tag = "3")]
    pub base_ejection_time: Option<Duration>,
    #[prost(message, optional, tag = "4")]
    pub max_ejection_percent: Option<u32>,
    #[prost(message, optional, tag = "5")]
    pub enforcing_consecutive_5xx: Option<u32>,
    #[prost(message, optional, tag = "6")]
    pub enforcing_success_rate: Option<u32>,
    #[prost(message, optional, tag = "11")]
    pub enforcing_consecutive_gateway_failure: Option<u32>,
    #[prost(bool, tag = "12")]
    #[serde(skip_serializing_if = "is_default")]
    pub split_external_local_origin_errors: bool,
    #[prost(message, optional, tag = "14")]
    pub enforcing_consecutive_local_origin_failure: Option<u32>,
    #[prost(message, optional, tag = "15")]
    pub enforcing_local_origin_success_rate: Option<u32>,
    #[prost(message, optional, tag = "16")]
    pub failure_percentage_threshold: Option<u32>,
    #[prost(message, optional, tag = "17")]
    pub enforcing_failure_percentage: Option<u32>,
    #[prost(message, optional, tag = "18")]
    pub enforcing_failure_percentage_local_origin: Option<u32>,
    #[prost(message, optional, tag = "19")]
    pub failure_percentage_minimum_hosts: Option<u32>,
    #[prost(message, optional, tag = "20")]
    pub failure_percentage_request_volume: Option<u32>,
    #[prost(message, optional, tag = "21")]
    pub max_ejection_time: Option<Duration>,
}

//! TLS: contexts, and the certificates they name.

use super::discovery::ConfigSource;
use super::matcher::StringMatcher;
use super::types::{Any, is_default, proto_enum};

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct TransportSocket {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "3")]
    pub typed_config: Option<Any>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct UpstreamTlsContext {
    #[prost(message, optional, tag = "1")]
    pub common_tls_context: Option<CommonTlsContext>,
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub sni: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct DownstreamTlsContext {
    #[prost(message, optional, tag = "1")]
    pub common_tls_context: Option<CommonTlsContext>,
    #[prost(message, optional, tag = "2")]
    pub require_client_certificate: Option<bool>,
    #[prost(oneof = "SessionTickets", tags = "7")]
    #[serde(flatten)]
    pub session_tickets: Option<SessionTickets>,
    #[prost(bool, tag = "10")]
    #[serde(skip_serializing_if = "is_default")]
    pub disable_stateful_session_resumption: bool,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionTickets {
    #[prost(bool, tag = "7")]
    DisableStatelessSessionResumption(bool),
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct CommonTlsContext {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_params: Option<TlsParameters>,
    #[prost(message, repeated, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub tls_certificates: Vec<TlsCertificate>,
    #[prost(message, repeated, tag = "6")]
    #[serde(skip_serializing_if = "is_default")]
    pub tls_certificate_sds_secret_configs: Vec<SdsSecretConfig>,
    #[prost(oneof = "ValidationContextType", tags = "3, 7, 8")]
    #[serde(flatten)]
    pub validation: Option<ValidationContextType>,
    #[prost(string, repeated, tag = "4")]
    #[serde(skip_serializing_if = "is_default")]
    pub alpn_protocols: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidationContextType {
    #[prost(message, tag = "3")]
    ValidationContext(ValidationContext),
    #[prost(message, tag = "7")]
    ValidationContextSdsSecretConfig(SdsSecretConfig),
    #[prost(message, tag = "8")]
    CombinedValidationContext(CombinedValidationContext),
}

/// Trust from a secret, and whom to accept from the configuration.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct CombinedValidationContext {
    #[prost(message, optional, tag = "1")]
    pub default_validation_context: Option<ValidationContext>,
    #[prost(message, optional, tag = "2")]
    pub validation_context_sds_secret_config: Option<SdsSecretConfig>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct TlsParameters {
    #[prost(enumeration = "TlsProtocol", tag = "1")]
    #[serde(serialize_with = "TlsProtocol::serialize")]
    pub tls_minimum_protocol_version: i32,
}

proto_enum! {
    /// Version of TLS.
    TlsProtocol { Auto = 0 "TLS_AUTO", V12 = 3 "TLSv1_2", V13 = 4 "TLSv1_3" }
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct SdsSecretConfig {
    #[prost(string, tag = "1")]
    pub name: String,
    /// None: a secret of the bootstrap.
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sds_config: Option<ConfigSource>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct ValidationContext {
    #[prost(message, optional, tag = "1")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_ca: Option<DataSource>,
    #[prost(message, repeated, tag = "15")]
    #[serde(skip_serializing_if = "is_default")]
    pub match_typed_subject_alt_names: Vec<SubjectAltNameMatcher>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct SubjectAltNameMatcher {
    #[prost(enumeration = "SanType", tag = "1")]
    #[serde(serialize_with = "SanType::serialize")]
    pub san_type: i32,
    #[prost(message, optional, tag = "2")]
    pub matcher: Option<StringMatcher>,
}

proto_enum! {
    /// Kind of a subject alternative name.
    SanType { Unspecified = 0 "SAN_TYPE_UNSPECIFIED", Dns = 2 "DNS", Uri = 3 "URI" }
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct TlsCertificate {
    #[prost(message, optional, tag = "1")]
    pub certificate_chain: Option<DataSource>,
    #[prost(message, optional, tag = "2")]
    pub private_key: Option<DataSource>,
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct DataSource {
    #[prost(oneof = "DataSourceKind", tags = "1, 3")]
    #[serde(flatten)]
    pub kind: Option<DataSourceKind>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DataSourceKind {
    #[prost(string, tag = "1")]
    Filename(String),
    #[prost(string, tag = "3")]
    InlineString(String),
}

impl DataSource {
    /// A file of the proxy's machine.
    #[must_use]
    pub fn file(path: &str) -> Self {
        Self { kind: Some(DataSourceKind::Filename(path.to_owned())) }
    }

    /// The text itself.
    #[must_use]
    pub fn inline(text: &str) -> Self {
        Self { kind: Some(DataSourceKind::InlineString(text.to_owned())) }
    }
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Secret {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(oneof = "SecretKind", tags = "2, 4")]
    #[serde(flatten)]
    pub kind: Option<SecretKind>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    #[prost(message, tag = "2")]
    TlsCertificate(TlsCertificate),
    #[prost(message, tag = "4")]
    ValidationContext(ValidationContext),
}

//! The install configuration (formerly static): entry points and provider.

use serde::Serialize;

use super::Named;

/// The install configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Install {
    /// Where Traefik listens.
    pub entry_points: Named<EntryPoint>,
    /// Where the dynamic configuration comes from.
    pub providers: Providers,
    /// Readiness: answered by a route of the dynamic configuration, so that a proxy is ready only once it has one.
    pub ping: Ping,
    /// Traefik's API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// Nothing is sent home.
    pub global: Global,
}

/// An entry point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryPoint {
    /// `127.0.0.1:5000/tcp`.
    pub address: String,
    /// HTTP settings; Traefik asks for the alias strategy on TCP entry points too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<EntryPointHttp>,
    /// Of connections; none for UDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
}

/// What an entry point does with connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transport {
    /// How long it waits for callers.
    pub responding_timeouts: RespondingTimeouts,
}

/// How long an entry point waits for callers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RespondingTimeouts {
    /// For a whole request with its body, and for the first bytes of a TCP connection; `0s`: as long as it takes.
    pub read_timeout: &'static str,
}

/// HTTP settings of an entry point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryPointHttp {
    /// Headers whose name aliases another (`X_A` for `X-A`) are deleted, so that nothing is smuggled past a header match.
    pub alias_headers_strategy: &'static str,
    /// What may stand encoded in a path (S9).
    pub encoded_characters: EncodedCharacters,
}

/// What may stand encoded in a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EncodedCharacters {
    /// `%2F`.
    pub allow_encoded_slash: bool,
    /// `%5C`.
    pub allow_encoded_back_slash: bool,
    /// `%00`.
    pub allow_encoded_null_character: bool,
}

/// Providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Providers {
    /// At most one reload per this time.
    pub providers_throttle_duration: &'static str,
    /// A file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileProvider>,
    /// A URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpProvider>,
}

/// A file that is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileProvider {
    /// Its name.
    pub filename: String,
    /// Always true.
    pub watch: bool,
}

/// A URL that is polled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpProvider {
    /// The URL.
    pub endpoint: String,
    /// How often.
    pub poll_interval: &'static str,
}

/// Readiness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ping {
    /// Always true: a dynamic route answers.
    pub manual_routing: bool,
}

/// Traefik's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Api {
    /// Always false: a dynamic route serves it.
    pub insecure: bool,
    /// Always false.
    pub dashboard: bool,
}

/// Global settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Global {
    /// Always false.
    pub check_new_version: bool,
    /// Always false.
    pub send_anonymous_usage: bool,
}

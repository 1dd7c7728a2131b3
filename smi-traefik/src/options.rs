//! Options of the renderer.

use std::net::IpAddr;

/// How Traefik gets its dynamic configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// It watches a file.
    File(String),
    /// It polls a URL.
    Http(String),
}

/// What a rendering depends on beside the IR.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraefikOptions {
    /// Address that the entry points bind to; `None`: all.
    pub bind: Option<IpAddr>,
    /// Port of readiness and of the marker of the configuration's hash.
    pub ready_port: u16,
    /// Where the dynamic configuration comes from.
    pub provider: Provider,
    /// Whether certificates of pods that speak TLS go unchecked. Meshes without a certificate authority need it.
    pub insecure_pod_tls: bool,
    /// Render UDP ports that cannot be protected, open to every caller. Widens access; said aloud as a warning.
    pub open_udp: bool,
    /// Serve Traefik's API on the ready port, for tests and debugging.
    pub api: bool,
}

impl Default for TraefikOptions {
    fn default() -> Self {
        Self {
            bind: None,
            ready_port: 8082,
            provider: Provider::File("/etc/traefik/dynamic.yaml".into()),
            insecure_pod_tls: false,
            open_udp: false,
            api: false,
        }
    }
}

//! Flags → options of Envoy, in whichever way it gets its configuration.

use clap::{Args, ValueEnum};
use smi_envoy::{AppAddress, EnvoyOptions, PodTls};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum App {
    /// On the loopback address, where only its sidecar reaches it.
    Loopback,
    /// On the pod's address.
    Pod,
}

/// How proxies reach others, which policy does not say.
#[derive(Debug, Args)]
#[group(skip)]
#[command(next_help_heading = "Envoy")]
pub(crate) struct ProxyFlags {
    /// Sidecars: port at the pods' addresses on which sidecars speak mTLS with each other.
    #[arg(long, default_value_t = 15008)]
    inbound_port: u16,
    /// Sidecars: where the application listens.
    #[arg(long, value_enum, default_value_t = App::Loopback)]
    app: App,
    /// File with the certificates that are trusted for pods that speak TLS; without it they are not spoken to.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_pod_tls")]
    pod_trust: Option<String>,
}

impl ProxyFlags {
    /// `insecure_pod_tls`: the flag of that name.
    pub(crate) fn options(&self, insecure_pod_tls: bool) -> EnvoyOptions {
        let mut options = EnvoyOptions::default();
        options.sidecar.inbound_port = self.inbound_port;
        options.sidecar.app = match self.app {
            App::Loopback => AppAddress::Loopback,
            App::Pod => AppAddress::Pod,
        };
        options.pod_tls = match &self.pod_trust {
            _ if insecure_pod_tls => Some(PodTls::Unchecked),
            Some(file) => Some(PodTls::Trusted(file.clone())),
            None => None,
        };
        options
    }
}

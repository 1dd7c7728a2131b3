//! `smi render --backend traefik`.

use std::net::IpAddr;

use clap::Args;
use smi_core::backend::{Artifacts as _, Backend as _, ProxyTarget};
use smi_core::ir::Ir;
use smi_traefik::{Provider, Traefik, TraefikOptions};

use super::{File, Rendering};

/// Flags of this backend.
#[derive(Debug, Args)]
#[group(id = "traefik")]
#[command(next_help_heading = "Traefik")]
pub(crate) struct Flags {
    /// Port of readiness and of the marker of the loaded configuration.
    #[arg(long, default_value_t = 8082)]
    ready_port: u16,
    /// The file that the proxy watches for its dynamic configuration.
    #[arg(long, default_value = "/etc/traefik/dynamic.yaml", conflicts_with = "provider_url")]
    provider_file: String,
    /// The URL that the proxy polls for its dynamic configuration.
    #[arg(long)]
    provider_url: Option<String>,
    /// Serve UDP ports to every caller, as Traefik cannot tell UDP callers apart. Widens access.
    #[arg(long)]
    open_udp: bool,
    /// Serve Traefik's API on the ready port.
    #[arg(long)]
    api: bool,
}

pub(super) fn render(flags: &Flags, bind: Option<IpAddr>, insecure_pod_tls: bool, ir: &Ir) -> Rendering {
    let mut options = TraefikOptions::default();
    options.bind = bind;
    options.ready_port = flags.ready_port;
    options.provider = match &flags.provider_url {
        Some(url) => Provider::Http(url.clone()),
        None => Provider::File(flags.provider_file.clone()),
    };
    options.insecure_pod_tls = insecure_pod_tls;
    options.open_udp = flags.open_udp;
    options.api = flags.api;
    let rendered = Traefik { options }.render(ir, &ProxyTarget::Node);
    let files = rendered.output.artifacts().into_iter().map(|artifact| File {
        install: artifact.name != "dynamic.yaml",
        name: artifact.name,
        bytes: artifact.text.into_bytes(),
    });
    Rendering { files: files.collect(), report: rendered.report }
}

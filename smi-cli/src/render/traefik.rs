//! `smi render --backend traefik`.

use clap::Args;
use smi_core::backend::{Artifacts as _, Backend as _, ProxyTarget};
use smi_core::ir::Ir;
use smi_traefik::{Provider, Traefik, TraefikOptions};

use super::{File, RenderArgs, Rendering};

/// The artifact that the proxy watches.
const DYNAMIC: &str = "dynamic.yaml";

/// Flags of this backend.
#[derive(Debug, Args)]
#[group(id = "traefik")]
#[command(next_help_heading = "Traefik")]
pub(crate) struct Flags {
    /// Port of readiness and of the marker of the loaded configuration.
    #[arg(long, default_value_t = 8082)]
    ready_port: u16,
    /// The file that the proxy watches for its dynamic configuration; that in the folder of `--out` when absent, or
    /// /etc/traefik/dynamic.yaml.
    #[arg(long, value_name = "FILE", conflicts_with = "provider_url")]
    provider_file: Option<String>,
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

pub(super) fn render(args: &RenderArgs, ir: &Ir) -> anyhow::Result<Rendering> {
    let flags = &args.traefik;
    let mut options = TraefikOptions::default();
    options.bind = args.bind;
    options.ready_port = flags.ready_port;
    options.provider = match (&flags.provider_url, &flags.provider_file, &args.out) {
        (Some(url), ..) => Provider::Http(url.clone()),
        (None, Some(file), _) => Provider::File(file.clone()),
        // Absolute, as the proxy may be started elsewhere.
        (None, None, Some(out)) => {
            Provider::File(std::path::absolute(out)?.join(DYNAMIC).display().to_string())
        }
        (None, None, None) => Provider::File(format!("/etc/traefik/{DYNAMIC}")),
    };
    options.insecure_pod_tls = args.insecure_pod_tls;
    options.open_udp = flags.open_udp;
    options.api = flags.api;
    let rendered = Traefik { options }.render(ir, &ProxyTarget::Node);
    let files = rendered.output.artifacts().into_iter().map(|artifact| File {
        install: artifact.name != DYNAMIC,
        name: artifact.name,
        bytes: artifact.text.into_bytes(),
    });
    Ok(Rendering { files: files.collect(), report: rendered.report })
}

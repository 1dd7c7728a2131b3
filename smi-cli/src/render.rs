//! `smi render`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use smi_core::backend::{Artifacts as _, Backend as _, ProxyTarget};
use smi_traefik::{Provider, Traefik, TraefikOptions};

use crate::{diagnostics, input, options, port_table};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BackendName {
    /// Traefik 3.7 or newer, one proxy per node.
    Traefik,
}

/// Arguments of `smi render`.
#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    #[command(flatten)]
    input: input::Files,
    #[command(flatten)]
    options: options::CompileFlags,
    /// The proxy.
    #[arg(long, value_enum)]
    backend: BackendName,
    /// Write the files into this folder instead of one stream.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also print what the proxy starts with: entry points and provider.
    #[arg(long = "static")]
    install: bool,
    /// Address that the proxy binds to; all when absent.
    #[arg(long, help_heading = "Traefik")]
    bind: Option<std::net::IpAddr>,
    /// Port of readiness and of the marker of the loaded configuration.
    #[arg(long, default_value_t = 8082, help_heading = "Traefik")]
    ready_port: u16,
    /// The file that the proxy watches for its dynamic configuration.
    #[arg(
        long,
        default_value = "/etc/traefik/dynamic.yaml",
        conflicts_with = "provider_url",
        help_heading = "Traefik"
    )]
    provider_file: String,
    /// The URL that the proxy polls for its dynamic configuration.
    #[arg(long, help_heading = "Traefik")]
    provider_url: Option<String>,
    /// Do not check certificates of pods that speak TLS.
    #[arg(long, help_heading = "Traefik")]
    insecure_pod_tls: bool,
    /// Serve UDP ports to every caller, as Traefik cannot tell UDP callers apart. Widens access.
    #[arg(long, help_heading = "Traefik")]
    open_udp: bool,
    /// Serve Traefik's API on the ready port.
    #[arg(long, help_heading = "Traefik")]
    api: bool,
}

pub(crate) fn run(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    let BackendName::Traefik = args.backend;
    let world = args.input.load()?;
    let (compiled, mut report) = crate::compiled(&world, &args.options.options()?);
    let mut options = TraefikOptions::default();
    options.bind = args.bind;
    options.ready_port = args.ready_port;
    options.provider = match &args.provider_url {
        Some(url) => Provider::Http(url.clone()),
        None => Provider::File(args.provider_file.clone()),
    };
    options.insecure_pod_tls = args.insecure_pod_tls;
    options.open_udp = args.open_udp;
    options.api = args.api;
    let rendered = Traefik { options }.render(&compiled.ir, &ProxyTarget::Node);
    report.append(rendered.report);
    report.sort();
    diagnostics::to_stderr(&report, &world.sources)?;
    if let Some(path) = &args.options.port_table {
        port_table::write(path, &compiled.ir.listeners)?;
    }
    let files = rendered.output.artifacts();
    let wanted = files.iter().filter(|f| args.install || args.out.is_some() || f.name == "dynamic.yaml");
    match &args.out {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create `{}`", folder.display()))?;
            for file in wanted {
                let path = folder.join(&file.name);
                std::fs::write(&path, &file.text)
                    .with_context(|| format!("cannot write `{}`", path.display()))?;
            }
        }
        None => {
            let mut out = anstream::stdout();
            for file in wanted {
                if args.install {
                    writeln!(out, "---\n# {}", file.name)?;
                }
                out.write_all(file.text.as_bytes())?;
            }
        }
    }
    Ok(diagnostics::exit_code(&report, false))
}

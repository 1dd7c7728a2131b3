//! `smi render`.
//!
//! Shape: one file per proxy, with its flags and a function from the IR to files; what is done with the files is the same for all.

mod envoy;
mod traefik;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use smi_core::diag::Report;

use crate::{diagnostics, input, options, port_table};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BackendName {
    /// Traefik 3.7 or newer, one proxy per node.
    Traefik,
    /// Envoy 1.40 or newer.
    Envoy,
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
    /// Write all files into this folder instead of one stream.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also print what the proxy starts with (Traefik: entry points and provider; Envoy: it is one file, unless told otherwise).
    #[arg(long = "static")]
    install: bool,
    /// Address that the proxy binds to; all when absent, for sidecars the loopback address.
    #[arg(long)]
    bind: Option<std::net::IpAddr>,
    /// Do not check certificates of pods that speak TLS.
    #[arg(long)]
    insecure_pod_tls: bool,
    #[command(flatten)]
    traefik: traefik::Flags,
    #[command(flatten)]
    envoy: envoy::Flags,
}

/// A file of a proxy's configuration.
struct File {
    name: String,
    bytes: Vec<u8>,
    /// Whether the proxy starts with it: printed with `--static` only, always written to a folder.
    install: bool,
}

/// What a backend made of the IR.
struct Rendering {
    files: Vec<File>,
    report: Report,
}

pub(crate) fn run(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    let world = args.input.load()?;
    let (compiled, mut report) = crate::compiled(&world, &args.options.options()?);
    let rendering = match args.backend {
        BackendName::Traefik => {
            traefik::render(&args.traefik, args.bind, args.insecure_pod_tls, &compiled.ir)
        }
        BackendName::Envoy => envoy::render(args, &compiled.ir)?,
    };
    report.append(rendering.report);
    report.sort();
    diagnostics::to_stderr(&report, &world.sources)?;
    if let Some(path) = &args.options.port_table {
        port_table::write(path, &compiled.ir.listeners)?;
    }
    match &args.out {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create `{}`", folder.display()))?;
            for file in &rendering.files {
                let path = folder.join(&file.name);
                replace(&path, &file.bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
            }
        }
        None => {
            // Not through `anstream`, which would strip what looks like colour from a file of the proxy.
            let mut out = std::io::stdout().lock();
            let several = rendering.files.len() > 1;
            for file in rendering.files.iter().filter(|file| args.install || !file.install) {
                if args.install && several {
                    writeln!(out, "---\n# {}", file.name)?;
                }
                out.write_all(&file.bytes)?;
            }
        }
    }
    Ok(diagnostics::exit_code(&report, false))
}

/// Writes a file whole or not at all, as a proxy may be watching it; the same bytes are not written again.
fn replace(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    std::fs::write(&fresh, bytes)?;
    std::fs::rename(fresh, path)
}

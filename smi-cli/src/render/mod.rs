//! `smi render`.
//!
//! Shape: one file per proxy, with its flags and a function from the IR to files; what is done with the files is the same for all.

mod envoy;
mod traefik;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, ValueEnum};
use smi_core::diag::Report;

use crate::{diagnostics, input, options, output, port_table};

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

/// Refuses flags that would have no effect, as whoever gives them means something by them.
fn check_flags(args: &RenderArgs, given: &ArgMatches) -> anyhow::Result<()> {
    let (foreign, backend) = match args.backend {
        BackendName::Traefik => (given_of::<envoy::Flags>(given), "envoy"),
        BackendName::Envoy => (given_of::<traefik::Flags>(given), "traefik"),
    };
    if let Some(flag) = foreign.first() {
        anyhow::bail!("`--{flag}` is for `--backend {backend}`");
    }
    envoy::check_flags(&args.envoy, given)
}

fn is_given(given: &ArgMatches, id: &str) -> bool {
    given.value_source(id) == Some(ValueSource::CommandLine)
}

/// The flags of a group that were given.
fn given_of<F: Args>(given: &ArgMatches) -> Vec<String> {
    let group = F::augment_args(Command::new("group"));
    let flags = group.get_arguments().filter(|flag| is_given(given, flag.get_id().as_str()));
    flags.filter_map(|flag| flag.get_long().map(str::to_owned)).collect()
}

/// `given`: the same arguments as they were written.
pub(crate) fn run(args: &RenderArgs, given: &ArgMatches) -> anyhow::Result<ExitCode> {
    check_flags(args, given)?;
    let world = args.input.load()?;
    let options = args.options.options()?;
    let (compiled, mut report) = crate::compiled(&world, &options);
    let rendering = match args.backend {
        BackendName::Traefik => traefik::render(args, &compiled.ir)?,
        BackendName::Envoy => envoy::render(args, &compiled.ir)?,
    };
    report.append(rendering.report);
    report.sort();
    diagnostics::to_stderr(&report, &world.sources)?;
    if let Some(path) = &args.options.port_table {
        port_table::write(path, &port_table::kept(&compiled.ir.listeners, options.port_table))?;
    }
    match &args.out {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create `{}`", folder.display()))?;
            for file in &rendering.files {
                output::replace(&folder.join(&file.name), &file.bytes)?;
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

//! Chores of this repository. `cargo xtask --help` lists them; each says what it runs and ends within a bounded time.
#![expect(clippy::print_stdout, reason = "a program for people, which tells what it does")]

mod command;
mod deny;
mod peers;

use std::path::Path;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum as _};

use command::cargo;
use peers::Peer;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of this repository")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Find or install the real proxies that tests run against, and print where they are.
    Peers {
        /// Which ones; all when none is named.
        #[arg(value_enum)]
        names: Vec<Peer>,
    },
    /// Every test, those against real proxies included.
    Test,
    /// Formatting, lints, documentation, licences and every test.
    Ci,
    /// Licences, duplicates and origins of the dependencies, by cargo-deny, which is built when it is missing.
    Deny,
    /// Write the goldens anew; read the difference before you keep it.
    Golden,
    /// Compare the reference with a backend, on the golden cases and on random worlds and requests:
    /// `conform --backend envoy --shape sidecar --live --cases N --seed S --json FILE --keep DIR`.
    Conform {
        /// Arguments of `smi-conform`.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Look for inputs that break a law: `fuzz compile_total --seconds 600 --seed 2`; every target for a minute when nothing is said.
    Fuzz {
        /// Arguments of `smi-fuzz`; see `fuzz/README.md`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure: `bench compile --services 1000,10000 --runs 3 --json FILE`, `bench xds --clients 200`.
    Bench {
        /// What to measure, and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the repository")?;
    match arguments.verb {
        Verb::Peers { names } => {
            let named = if names.is_empty() { Peer::value_variants() } else { &names };
            named.iter().try_for_each(|peer| peers::get(*peer).map(|_| ()))
        }
        Verb::Test => test(root),
        Verb::Ci => ci(root),
        Verb::Deny => deny::check(root),
        Verb::Golden => {
            let environment = [("INSTA_UPDATE", "always".as_ref())];
            cargo(root, &["test", "--workspace", "--all-features"], &environment, 30)
        }
        Verb::Conform { arguments } => {
            conform(root, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
        }
        Verb::Fuzz { arguments } => fuzz(root, &arguments.iter().map(String::as_str).collect::<Vec<_>>()),
        Verb::Bench { arguments } => {
            let mut all = vec!["run", "--release", "-q", "-p", "smi-bench", "--"];
            all.extend(arguments.iter().map(String::as_str));
            if arguments.first().is_none_or(|what| what != "xds") {
                return cargo(root, &all, &[], 30);
            }
            let envoy = peers::get(Peer::Envoy)?;
            cargo(root, &all, &[(Peer::Envoy.variable(), envoy.as_os_str())], 30)
        }
    }
}

/// Golden cases and a campaign; with `--live` on the real proxy, which is fetched when it is missing.
fn conform(root: &Path, arguments: &[&str]) -> Result<()> {
    let mut all = vec!["run", "--release", "-q", "-p", "smi-conformance", "--bin", "smi-conform", "--"];
    all.extend(["--golden", "tests/cases"]);
    all.extend(arguments);
    if !arguments.contains(&"--live") {
        return cargo(root, &all, &[], 60);
    }
    let peer = if arguments.contains(&"envoy") { Peer::Envoy } else { Peer::Traefik };
    let program = peers::get(peer)?;
    cargo(root, &all, &[(peer.variable(), program.as_os_str())], 60)
}

/// What a test run asks of each backend, shape and delivery.
const CAMPAIGNS: &[&[&str]] = &[
    &["--backend", "traefik"],
    &["--backend", "envoy"],
    &["--backend", "envoy", "--delivery", "ads"],
    &["--backend", "envoy", "--delivery", "ads-sotw"],
    // A world of sidecars is many processes, so more is asked in each.
    &["--backend", "envoy", "--shape", "sidecar", "--requests", "100"],
    &["--backend", "envoy", "--shape", "sidecar", "--requests", "100", "--delivery", "ads"],
];

/// Runs fuzz targets on stable. The package is no member of the workspace and has a target folder of its own.
fn fuzz(root: &Path, arguments: &[&str]) -> Result<()> {
    let mut all = vec!["run", "-q", "--manifest-path", "fuzz/Cargo.toml", "--bin", "smi-fuzz", "--"];
    all.extend(arguments);
    cargo(root, &all, &[], 24 * 60)
}

fn test(root: &Path) -> Result<()> {
    let traefik = peers::get(Peer::Traefik)?;
    let envoy = peers::get(Peer::Envoy)?;
    let environment =
        [(Peer::Traefik.variable(), traefik.as_os_str()), (Peer::Envoy.variable(), envoy.as_os_str())];
    cargo(root, &["test", "--workspace", "--all-features", "--", "--include-ignored"], &environment, 45)?;
    CAMPAIGNS.iter().try_for_each(|campaign| {
        conform(root, &[campaign, ["--live", "--cases", "2000", "--seed", "1"].as_slice()].concat())
    })?;
    // Eight targets, a minute in all.
    fuzz(root, &["--seconds", "8"])
}

fn ci(root: &Path) -> Result<()> {
    cargo(root, &["fmt", "--all", "--check"], &[], 2)?;
    let lints =
        ["clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"];
    cargo(root, &lints, &[], 20)?;
    // As dependants build them.
    let libraries = ["smi-core", "smi-traefik", "smi-envoy", "smi-xds", "smi-cli"].map(|name| ["-p", name]);
    let plain = [&["clippy", "--locked"], libraries.as_flattened(), &["--", "-D", "warnings"]].concat();
    cargo(root, &plain, &[], 20)?;
    let documentation = ["doc", "--workspace", "--all-features", "--no-deps", "--locked"];
    cargo(root, &documentation, &[("RUSTDOCFLAGS", "-D warnings".as_ref())], 15)?;
    deny::check(root)?;
    test(root)
}

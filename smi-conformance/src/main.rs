//! `smi-conform`: cases and campaigns from the command line.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use smi_conformance::campaign::{self, Plan};
use smi_conformance::case::{self, Case};
use smi_conformance::envoy::{self, EnvoyNode, EnvoySidecars, LiveEnvoyNode, LiveEnvoySidecars};
use smi_conformance::requests::Attempt;
use smi_conformance::subject::{LiveProxy, Subject};
use smi_conformance::suite;
use smi_conformance::tally::Tally;
use smi_conformance::traefik::{LiveTraefik, TraefikNode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backend {
    Traefik,
    Envoy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// One proxy per node, which knows callers by address.
    Node,
    /// Envoy: one proxy per pod, which knows callers by certificate.
    Sidecar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Delivery {
    /// A file that the proxy starts with, or watches.
    Static,
    /// Envoy: a control plane, by what changed.
    Ads,
    /// Envoy: a control plane, the state of the world each time.
    AdsSotw,
}

/// Compares the reference with a backend on golden cases and on random worlds and requests.
#[derive(Debug, Parser)]
#[command(name = "smi-conform")]
struct Cli {
    /// The backend.
    #[arg(long, value_enum)]
    backend: Backend,
    /// Which proxies.
    #[arg(long, value_enum, default_value = "node")]
    shape: Shape,
    /// How the real proxy gets its configuration.
    #[arg(long, value_enum, default_value = "static")]
    delivery: Delivery,
    /// Ask the real proxy too, not only the simulator.
    #[arg(long)]
    live: bool,
    /// Traefik's program.
    #[arg(long, env = "SMI_TRAEFIK")]
    traefik: Option<PathBuf>,
    /// Envoy's program.
    #[arg(long, env = "SMI_ENVOY")]
    envoy: Option<PathBuf>,
    /// Folder of golden cases to ask first, two levels deep.
    #[arg(long)]
    golden: Option<PathBuf>,
    /// Pairs of world and request.
    #[arg(long, default_value_t = 2000)]
    cases: u64,
    /// Where random numbers start.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Requests in each world.
    #[arg(long, default_value_t = 40)]
    requests: u64,
    /// Where differences are written to, each a new case.
    #[arg(long, default_value = "target/conformance")]
    keep: PathBuf,
    /// Writes the counts as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if cli.backend == Backend::Traefik && cli.delivery != Delivery::Static {
        bail!("Traefik has no control plane: `--delivery static` is all there is");
    }
    if cli.backend == Backend::Traefik && cli.shape == Shape::Sidecar {
        bail!("Traefik is rendered for nodes: `--shape node` is all there is");
    }
    let start = Instant::now();
    let mut tally = Tally::default();
    let name = match (cli.backend, cli.live) {
        (Backend::Traefik, false) => simulated(&cli, &TraefikNode::default(), &mut tally)?,
        (Backend::Envoy, false) => match cli.shape {
            Shape::Node => simulated(&cli, &EnvoyNode::default(), &mut tally)?,
            Shape::Sidecar => simulated(&cli, &EnvoySidecars::default(), &mut tally)?,
        },
        (Backend::Traefik, true) => {
            let binary = binary(cli.traefik.as_ref(), "traefik", "SMI_TRAEFIK")?;
            live(&cli, &mut LiveTraefik::start(&binary)?, &mut tally)?
        }
        (Backend::Envoy, true) => {
            let binary = binary(cli.envoy.as_ref(), "envoy", "SMI_ENVOY")?;
            let delivery = match cli.delivery {
                Delivery::Static => envoy::Delivery::Static,
                Delivery::Ads => envoy::Delivery::Delta,
                Delivery::AdsSotw => envoy::Delivery::StateOfTheWorld,
            };
            match cli.shape {
                Shape::Node => live(&cli, &mut LiveEnvoyNode::new(&binary, delivery)?, &mut tally)?,
                Shape::Sidecar => live(&cli, &mut LiveEnvoySidecars::new(&binary, delivery)?, &mut tally)?,
            }
        }
    };
    report(&cli, &name, start.elapsed().as_secs(), &tally)
}

fn binary(given: Option<&PathBuf>, name: &str, variable: &str) -> anyhow::Result<PathBuf> {
    match given {
        Some(path) => Ok(path.clone()),
        None => bail!(
            "no {name}: run `cargo xtask peers {name}` and set {variable}, or use `cargo xtask conform`"
        ),
    }
}

fn plan(cli: &Cli) -> Plan {
    Plan { cases: cli.cases, seed: cli.seed, requests: cli.requests, keep: cli.keep.clone() }
}

fn golden(cli: &Cli) -> anyhow::Result<Vec<Case>> {
    let Some(root) = &cli.golden else { return Ok(Vec::new()) };
    let folders = case::find(root)?;
    anyhow::ensure!(!folders.is_empty(), "{} holds no cases", root.display());
    folders.iter().map(|folder| Case::read(folder)).collect()
}

fn simulated<S: Subject>(cli: &Cli, subject: &S, tally: &mut Tally) -> anyhow::Result<String> {
    suite::run(&golden(cli)?, subject, None, tally)?;
    campaign::run(&plan(cli), subject, None, tally)?;
    Ok(format!("{}, simulated", subject.name()))
}

fn live<L: LiveProxy>(cli: &Cli, live: &mut L, tally: &mut Tally) -> anyhow::Result<String>
where
    L::Subject: Clone,
{
    suite::run_live(&golden(cli)?, live, tally)?;
    campaign::run_live(&plan(cli), live, tally)?;
    Ok(format!("{}, live", live.subject().name()))
}

fn report(cli: &Cli, name: &str, seconds: u64, tally: &Tally) -> anyhow::Result<()> {
    println!("{:<40} {:>9}", "what", "count");
    for (what, count) in tally.counts.iter().filter(|(what, _)| !what.starts_with("attempt: ")) {
        println!("{what:<40} {count:>9}");
    }
    println!("{:<40} {:>9} {:>14}", "attempts to get past the policy", "count", "to be refused");
    let mut attempts = 0;
    for attempt in Attempt::all() {
        let count = tally.get(&format!("attempt: {}", attempt.name()));
        if count == 0 {
            continue;
        }
        attempts += count;
        let refused = tally.get(&format!("attempt: {}, to be refused", attempt.name()));
        println!("{:<40} {count:>9} {refused:>14}", attempt.name());
    }
    for difference in &tally.differences {
        println!("difference: {difference}");
    }
    if let Some(path) = &cli.json {
        let value = serde_json::json!({
            "name": name, "seed": cli.seed, "seconds": seconds,
            "counts": tally.counts, "differences": tally.differences,
        });
        std::fs::write(path, serde_json::to_string_pretty(&value)? + "\n")
            .with_context(|| path.display().to_string())?;
    }
    println!(
        "summary: {name}: {} cases in {} worlds, {} golden requests, {} sent, {attempts} attempts, seed {}, {seconds} s: {} undeclared differences",
        tally.get("cases"),
        tally.get("worlds"),
        tally.get("golden requests"),
        tally.get("requests sent"),
        cli.seed,
        tally.differences.len()
    );
    anyhow::ensure!(tally.differences.is_empty(), "the backend differs from the reference");
    Ok(())
}

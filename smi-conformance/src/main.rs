//! `smi-conform`: a campaign from the command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use smi_conformance::campaign::{Plan, run};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Backend {
    Traefik,
}

/// Compares the reference with a backend on random worlds and requests.
#[derive(Debug, Parser)]
#[command(name = "smi-conform")]
struct Cli {
    /// The backend.
    #[arg(long, value_enum)]
    backend: Backend,
    /// Ask the real proxy too, not only the simulator.
    #[arg(long)]
    live: bool,
    /// The proxy's binary.
    #[arg(long, env = "SMI_TRAEFIK")]
    traefik: Option<PathBuf>,
    /// Pairs of world and request.
    #[arg(long, default_value_t = 2000)]
    cases: usize,
    /// Where random numbers start.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the counts as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let Backend::Traefik = cli.backend;
    let traefik = if cli.live {
        Some(cli.traefik.ok_or_else(|| anyhow::anyhow!("no Traefik: run `cargo xtask peers traefik` and set SMI_TRAEFIK, or use `cargo xtask conform`"))?)
    } else {
        None
    };
    let plan = Plan { cases: cli.cases, seed: cli.seed, traefik, folder: "target/conformance".into() };
    let found = run(&plan)?;
    for (name, count) in &found.counts {
        println!("{name:<16} {count:>8}");
    }
    for difference in &found.differences {
        println!("{difference}");
    }
    if let Some(path) = cli.json {
        let value = serde_json::json!({ "seed": cli.seed, "live": cli.live, "counts": found.counts, "differences": found.differences });
        std::fs::write(path, serde_json::to_string_pretty(&value)? + "\n")?;
    }
    println!(
        "summary: traefik{}, {} cases, seed {}: {} undeclared differences",
        if cli.live { " live" } else { " simulated" },
        found.counts.get("cases").copied().unwrap_or_default(),
        cli.seed,
        found.differences.len()
    );
    anyhow::ensure!(found.differences.is_empty(), "the backend differs from the reference");
    Ok(())
}

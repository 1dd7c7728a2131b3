//! `smi-bench compile`: what loading, converting, validating and compiling cost, per stage and size.
//!
//! Everything runs on one thread. Times are the best of several runs in one process; allocations and memory are counted in the same
//! runs. YAML reading stands beside a peer (`yaml_serde`, typed) in the same run, as a ratio, because machines differ.

mod compile;
mod world;

use std::path::PathBuf;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

/// Benchmarks of the SMI SDK.
#[derive(Debug, Parser)]
enum Cli {
    /// Loading, converting, validating and compiling a synthetic cluster.
    Compile {
        /// Sizes in services; each has 10 pods and 2 SMI objects.
        #[arg(long, value_delimiter = ',', default_value = "1000,3000,10000,30000")]
        services: Vec<usize>,
        /// Runs per size, of which the best counts.
        #[arg(long, default_value_t = 3)]
        runs: usize,
        /// Writes the figures as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse() {
        Cli::Compile { services, runs, json } => compile::run(&services, runs.max(1), json.as_deref()),
    }
}

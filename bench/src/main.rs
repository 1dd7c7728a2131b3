//! `smi-bench compile`: what loading, converting, validating and compiling cost, per stage and size.
//!
//! Everything runs on one thread, and times are those that it was on its core, so that neighbours count less. Each stage runs several
//! times in one process and its fastest run counts, since whatever else the machine does only adds; allocations and memory are counted in
//! the same runs and are the same in each.

mod compile;
mod cost;
mod world;
mod xds;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// Benchmarks of the SMI SDK.
#[derive(Debug, Parser)]
enum Cli {
    /// Loading, converting, compiling, validating and rendering a synthetic cluster, on one thread.
    ///
    /// Each size has 10 pods and 2 SMI objects per service: a TrafficTarget for each, and in turn a TrafficSplit or an HTTPRouteGroup.
    ///
    /// Per stage: the time of its fastest run, how often it asked for memory (growing a list counts again), the most it held at once,
    /// and what it left behind. `load` reads all manifests into typed objects with the place of every key and value, and itself
    /// converts; `policy` is the sum of the three stages after it. Rendering gives what proxies get: Traefik's file, the encoded resources
    /// of an Envoy for a node and of Envoys beside 20 pods. `held` is what hub, cluster and IR hold together, their texts included, the
    /// manifests not; a text that several hold counts as the last one's of IR, cluster, hub.
    ///
    /// `peer` is the time that `yaml_serde` takes for the same SMI manifests divided by `load`'s for them, in the same run: above 1
    /// means that `load` is faster. The peer does less: it reads each document into an untyped tree, without places, types or checks.
    Compile {
        /// Sizes in services.
        #[arg(long, value_delimiter = ',', default_value = "1000,3000,10000,30000")]
        services: Vec<usize>,
        /// Runs of each stage after loading.
        #[arg(long, default_value_t = 7)]
        runs: usize,
        /// Runs of loading and of its peer, which take far longer than all other stages.
        #[arg(long, default_value_t = 2)]
        load_runs: usize,
        /// Writes the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// A control plane: one change among many clusters, many streams, and a real Envoy (with `SMI_ENVOY`).
    Xds {
        /// Sizes in clusters, each with its assignment.
        #[arg(long, value_delimiter = ',', default_value = "1000,3000,10000")]
        clusters: Vec<usize>,
        /// Streams, without sockets and with.
        #[arg(long, default_value_t = 200)]
        clients: usize,
        /// Writes the figures as JSON.
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// The clients of `xds`, in a process of their own.
    #[command(hide = true)]
    XdsClients {
        /// Where the server is.
        address: SocketAddr,
        /// How many.
        clients: usize,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse() {
        Cli::Compile { services, runs, load_runs, json } => {
            compile::run(&services, runs.max(1), load_runs.max(1), json.as_deref())
        }
        Cli::Xds { clusters, clients, json } => xds::run(&clusters, clients, json.as_deref()),
        Cli::XdsClients { address, clients } => xds::clients::run(address, clients),
    }
}

//! The `compile` table.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use smi_core::compile::{CompileOptions, compile};
use smi_core::diag::Severity;
use smi_core::hub::Hub;
use smi_core::load::{Input, Limits, load};
use smi_core::validate::validate;

use crate::ALLOCATOR;
use crate::world::{Manifests, manifests};

/// What one stage cost.
#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Cost {
    /// Milliseconds, best of all runs.
    ms: f64,
    /// Allocations of one run.
    allocations: usize,
    /// Bytes that were still allocated when the stage was done.
    retained_bytes: usize,
}

/// One size.
#[derive(Debug, serde::Serialize)]
struct Row {
    services: usize,
    pods: usize,
    objects: usize,
    yaml_bytes: usize,
    load: Cost,
    convert: Cost,
    compile: Cost,
    validate: Cost,
    /// Time of the peer on the SMI manifests divided by ours, typed on both sides.
    yaml_peer_ratio: f64,
    /// Of hub, cluster and IR together.
    bytes_per_pod: usize,
}

impl Row {
    fn policy_ms(&self) -> f64 {
        self.convert.ms + self.compile.ms + self.validate.ms
    }

    fn megabytes_per_second(&self) -> f64 {
        self.yaml_bytes as f64 / 1e6 / (self.load.ms / 1e3)
    }
}

pub(crate) fn run(sizes: &[usize], runs: usize, json: Option<&Path>) -> anyhow::Result<()> {
    println!(
        "{:>8} {:>8} {:>8} | {:>9} {:>7} {:>6} | {:>8} {:>9} {:>9} {:>9} {:>8} | {:>10} {:>8}",
        "services",
        "pods",
        "objects",
        "load ms",
        "MB/s",
        "× peer",
        "convert",
        "compile",
        "validate",
        "sum ms",
        "µs/svc",
        "allocs",
        "B/pod"
    );
    let mut rows = Vec::new();
    for size in sizes {
        let row = measure(&manifests(*size), runs)?;
        println!(
            "{:>8} {:>8} {:>8} | {:>9.1} {:>7.1} {:>6.2} | {:>8.1} {:>9.1} {:>9.1} {:>9.1} {:>8.2} | {:>10} {:>8}",
            row.services,
            row.pods,
            row.objects,
            row.load.ms,
            row.megabytes_per_second(),
            row.yaml_peer_ratio,
            row.convert.ms,
            row.compile.ms,
            row.validate.ms,
            row.policy_ms(),
            row.policy_ms() * 1e3 / row.services as f64,
            row.convert.allocations + row.compile.allocations + row.validate.allocations,
            row.bytes_per_pod,
        );
        rows.push(row);
    }
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)?)?;
    }
    if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
        let growth = (last.policy_ms() / last.services as f64) / (first.policy_ms() / first.services as f64);
        println!(
            "summary: {} services, {} pods, {} SMI objects: convert + compile + validate {:.0} ms on one core; cost per service grows {growth:.2}x from {} to {} services",
            last.services,
            last.pods,
            last.objects,
            last.policy_ms(),
            first.services,
            last.services
        );
    }
    Ok(())
}

fn measure(manifests: &Manifests, runs: usize) -> anyhow::Result<Row> {
    let inputs = [
        Input::new("cluster.yaml", manifests.cluster.as_bytes().to_vec()),
        Input::new("smi.yaml", manifests.smi.as_bytes().to_vec()),
    ];
    let smi_only = [Input::new("smi.yaml", manifests.smi.as_bytes().to_vec())];
    let options = CompileOptions::default();
    let limits = Limits::default();
    let mut best: Option<Row> = None;
    for _ in 0..runs {
        let (world, load_cost) = cost(|| load(&inputs, &limits));
        anyhow::ensure!(
            world.report.count(Severity::Error) == 0,
            "the synthetic cluster does not load: {:?}",
            world.report.iter().next()
        );
        let objects = world.objects.clone();
        let ((hub, report), convert_cost) = cost(|| Hub::from_objects(objects));
        anyhow::ensure!(report.count(Severity::Error) == 0, "the synthetic cluster does not convert");
        let (compiled, compile_cost) = cost(|| compile(&hub, &world.cluster, &options));
        anyhow::ensure!(
            compiled.report.count(Severity::Error) == 0,
            "the synthetic cluster does not compile: {:?}",
            compiled.report.iter().next()
        );
        let (report, validate_cost) = cost(|| validate(&hub, &world.cluster, &compiled.ir, &options));
        black_box(&report);
        let (_, ours) = cost(|| load(&smi_only, &limits));
        let (_, peer) = cost(|| peer_reads(&manifests.smi));
        // What goes when they go is what they held, their texts included.
        let smi_core::load::World { cluster, objects, sources, .. } = world;
        drop((objects, sources, report));
        let region = stats_alloc::Region::new(ALLOCATOR);
        drop((hub, cluster, compiled));
        let held = region.change().bytes_deallocated;
        let row = Row {
            services: manifests.services,
            pods: manifests.pods,
            objects: manifests.objects,
            yaml_bytes: manifests.cluster.len() + manifests.smi.len(),
            load: load_cost,
            convert: convert_cost,
            compile: compile_cost,
            validate: validate_cost,
            yaml_peer_ratio: peer.ms / ours.ms,
            bytes_per_pod: held / manifests.pods.max(1),
        };
        best = Some(match best.take() {
            Some(before) if before.policy_ms() + before.load.ms <= row.policy_ms() + row.load.ms => before,
            _ => row,
        });
    }
    best.ok_or_else(|| anyhow::anyhow!("no run"))
}

/// The same objects through the peer, into a plain tree, document by document.
fn peer_reads(text: &str) -> usize {
    use serde::Deserialize as _;
    yaml_serde::Deserializer::from_str(text).filter_map(|d| yaml_serde::Value::deserialize(d).ok()).count()
}

fn cost<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    let region = stats_alloc::Region::new(ALLOCATOR);
    let start = Instant::now();
    let value = black_box(work());
    let time: Duration = start.elapsed();
    let change = region.change();
    let cost = Cost {
        ms: time.as_secs_f64() * 1e3,
        allocations: change.allocations,
        retained_bytes: change.bytes_allocated.saturating_sub(change.bytes_deallocated),
    };
    (value, cost)
}

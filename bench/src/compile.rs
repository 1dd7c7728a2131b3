//! The `compile` table.

use std::hint::black_box;
use std::path::Path;

use smi_core::backend::{Artifacts as _, Backend as _, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::diag::{Report, Severity};
use smi_core::hub::Hub;
use smi_core::ir::Ir;
use smi_core::load::{Input, Limits, World, load};
use smi_core::validate::validate;
use smi_envoy::{Envoy, EnvoyConfig, Sidecars};
use smi_traefik::Traefik;

use crate::cost::{Cost, cost, held};
use crate::world::{Manifests, manifests};

/// Sidecars that are rendered of each size, spread over the cluster.
const SIDECARS: usize = 20;

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
    rendering: Rendering,
    /// Time of the peer on the SMI manifests divided by ours.
    yaml_peer_ratio: f64,
    held: Held,
}

/// From IR to what proxies get.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
struct Rendering {
    /// The file of a node proxy.
    traefik: Cost,
    /// The resources of a node proxy, encoded.
    envoy: Cost,
    /// The resources of [`SIDECARS`], encoded, with the look-ups that they share.
    sidecars: Cost,
}

impl Rendering {
    fn or(self, other: Self) -> Self {
        Self {
            traefik: self.traefik.or(other.traefik),
            envoy: self.envoy.or(other.envoy),
            sidecars: self.sidecars.or(other.sidecars),
        }
    }
}

/// Bytes that inputs and IR hold.
#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Held {
    /// What no other holds.
    ir_bytes: i64,
    /// What the hub does not hold.
    cluster_bytes: i64,
    hub_bytes: i64,
}

impl Row {
    /// What happens to policy once it is read.
    fn policy(&self) -> Cost {
        self.convert.and(self.compile).and(self.validate)
    }

    fn megabytes_per_second(&self) -> f64 {
        self.yaml_bytes as f64 / 1e6 / (self.load.ms / 1e3)
    }

    fn us_per_service(&self, cost: Cost) -> f64 {
        cost.ms * 1e3 / self.services.max(1) as f64
    }

    fn per_pod(&self, bytes: i64) -> f64 {
        bytes as f64 / self.pods.max(1) as f64
    }

    fn held_per_pod(&self) -> f64 {
        self.per_pod(self.held.ir_bytes + self.held.cluster_bytes + self.held.hub_bytes)
    }

    fn print(&self) {
        println!(
            "{} services, {} pods, {} SMI objects, {:.1} MB of YAML",
            self.services,
            self.pods,
            self.objects,
            self.yaml_bytes as f64 / 1e6
        );
        println!(
            "  {:<12} {:>9} {:>12} {:>12} {:>10} {:>12}",
            "stage", "ms", "µs/service", "allocations", "peak kB", "retained kB"
        );
        let sidecars = format!("{SIDECARS} sidecars");
        for (name, cost) in [
            ("load", self.load),
            ("convert", self.convert),
            ("compile", self.compile),
            ("validate", self.validate),
            ("policy", self.policy()),
            ("Traefik", self.rendering.traefik),
            ("Envoy", self.rendering.envoy),
            (sidecars.as_str(), self.rendering.sidecars),
        ] {
            println!(
                "  {name:<12} {:>9.1} {:>12.2} {:>12} {:>10} {:>12}",
                cost.ms,
                self.us_per_service(cost),
                cost.allocations,
                cost.peak_bytes / 1000,
                cost.retained_bytes / 1000
            );
        }
        println!(
            "  YAML {:.1} MB/s, {:.2} × peer; held {:.0} B per pod (IR {:.0}, cluster {:.0}, hub {:.0})\n",
            self.megabytes_per_second(),
            self.yaml_peer_ratio,
            self.held_per_pod(),
            self.per_pod(self.held.ir_bytes),
            self.per_pod(self.held.cluster_bytes),
            self.per_pod(self.held.hub_bytes)
        );
    }
}

pub(crate) fn run(sizes: &[usize], runs: usize, load_runs: usize, json: Option<&Path>) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for size in sizes {
        let row = measure(&manifests(*size), runs, load_runs)?;
        row.print();
        rows.push(row);
    }
    let growth: Vec<String> = rows
        .iter()
        .map(|row| format!("{:.1} at {}", row.us_per_service(row.policy()), row.services))
        .collect();
    println!("growth: convert + compile + validate, µs per service: {}", growth.join(", "));
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)?)?;
    }
    // The size that the goals are about, else the largest.
    if let Some(row) = rows.iter().find(|row| row.services == 10_000).or(rows.last()) {
        println!(
            "summary: {} services, {} pods, {} SMI objects on one core: convert + compile + validate {:.0} ms, inputs and IR {:.0} B per pod, YAML {:.0} MB/s",
            row.services,
            row.pods,
            row.objects,
            row.policy().ms,
            row.held_per_pod(),
            row.megabytes_per_second()
        );
    }
    Ok(())
}

fn measure(manifests: &Manifests, runs: usize, load_runs: usize) -> anyhow::Result<Row> {
    let cluster_text = Input::new("cluster.yaml", manifests.cluster.as_bytes());
    let smi_text = Input::new("smi.yaml", manifests.smi.as_bytes());
    let inputs = [cluster_text, smi_text.clone()];
    let (limits, options) = (Limits::default(), CompileOptions::default());

    let (mut world, mut load_cost) = cost(|| load(&inputs, &limits));
    for _ in 1..load_runs {
        // One at a time, as a larger heap is a slower one.
        drop(std::mem::take(&mut world));
        let (again, again_cost) = cost(|| load(&inputs, &limits));
        (world, load_cost) = (again, load_cost.or(again_cost));
    }
    sound("load", &world.report)?;

    let mut stages: Option<[Cost; 3]> = None;
    for _ in 0..runs {
        let objects = world.objects.clone();
        let ((hub, report), convert_cost) = cost(|| Hub::from_objects(objects));
        sound("convert", &report)?;
        let (compiled, compile_cost) = cost(|| compile(&hub, &world.cluster, &options));
        sound("compile", &compiled.report)?;
        let (advice, validate_cost) = cost(|| validate(&hub, &world.cluster, &compiled.ir, &options));
        black_box(&advice);
        let costs = [convert_cost, compile_cost, validate_cost];
        stages = Some(match stages {
            None => costs,
            Some(best) => std::array::from_fn(|stage| best[stage].or(costs[stage])),
        });
    }
    let [convert, compile_cost, validate] = stages.unwrap_or_default();

    // Whatever else holds their texts goes first.
    let World { hub, objects, cluster, sources, report, .. } = world;
    drop((objects, sources, report));
    let ir = compile(&hub, &cluster, &options).ir;
    let rendering = (1..load_runs).fold(rendering(&ir), |best, _| best.or(rendering(&ir)));
    let held = Held { ir_bytes: held(ir), cluster_bytes: held(cluster), hub_bytes: held(hub) };

    let smi_only = [smi_text];
    let (mut ours, mut peer) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..load_runs {
        ours = ours.min(cost(|| load(&smi_only, &limits)).1.ms);
        peer = peer.min(cost(|| peer_reads(&manifests.smi)).1.ms);
    }

    Ok(Row {
        services: manifests.services,
        pods: manifests.pods,
        objects: manifests.objects,
        yaml_bytes: manifests.cluster.len() + manifests.smi.len(),
        load: load_cost,
        convert,
        compile: compile_cost,
        validate,
        rendering,
        yaml_peer_ratio: peer / ours,
        held,
    })
}

fn rendering(ir: &Ir) -> Rendering {
    let encoded = |config: &EnvoyConfig| config.resources.iter().map(|r| r.encoded.len()).sum::<usize>();
    let envoy = Envoy::default();
    let (_, traefik) = cost(|| Traefik::default().render(ir, &ProxyTarget::Node).output.artifacts());
    let (_, node) = cost(|| encoded(&envoy.render(ir, &ProxyTarget::Node).output));
    let (_, sidecars) = cost(|| {
        let sidecars = Sidecars::new(ir, &envoy);
        let pods = ir.pods.keys().step_by(ir.pods.len().div_ceil(SIDECARS).max(1));
        pods.map(|pod| encoded(&sidecars.render(pod).output)).sum::<usize>()
    });
    Rendering { traefik, envoy: node, sidecars }
}

/// Work on a faulty world would be measured wrong.
fn sound(stage: &str, report: &Report) -> anyhow::Result<()> {
    anyhow::ensure!(
        report.count(Severity::Error) == 0,
        "{stage}: the synthetic cluster has errors: {:?}",
        report.iter().find(|d| d.severity == Severity::Error)
    );
    Ok(())
}

/// The same documents through the peer, each into an untyped tree.
fn peer_reads(text: &str) -> usize {
    use serde::Deserialize as _;
    yaml_serde::Deserializer::from_str(text)
        .filter_map(|document| yaml_serde::Value::deserialize(document).ok())
        .map(black_box)
        .count()
}

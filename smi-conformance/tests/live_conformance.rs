//! Golden cases and short campaigns on real proxies. Run by `cargo xtask test`, which runs longer campaigns too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use smi_conformance::campaign::{self, Plan};
use smi_conformance::case::{self, Case};
use smi_conformance::envoy::{Delivery, LiveEnvoyNode, LiveEnvoySidecars};
use smi_conformance::observe::Observation;
use smi_conformance::subject::{LiveProxy, Subject};
use smi_conformance::suite;
use smi_conformance::tally::Tally;
use smi_conformance::traefik::LiveTraefik;
use smi_core::compile::{CompileOptions, compile};
use smi_core::load::{Input, Limits, load};

fn binary(name: &str, variable: &str) -> PathBuf {
    std::env::var_os(variable).map(PathBuf::from).unwrap_or_else(|| {
        panic!("no {name}: run `cargo xtask test`, or `cargo xtask peers {name}` and set {variable}")
    })
}

fn traefik() -> LiveTraefik {
    LiveTraefik::start(&binary("traefik", "SMI_TRAEFIK")).unwrap()
}

fn envoy(delivery: Delivery) -> LiveEnvoyNode {
    LiveEnvoyNode::new(&binary("envoy", "SMI_ENVOY"), delivery).unwrap()
}

fn conforms(mut live: impl LiveProxy<Subject: Clone>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases");
    let cases: Vec<Case> = case::find(&root).unwrap().iter().map(|f| Case::read(f).unwrap()).collect();
    let mut tally = Tally::default();
    suite::run_live(&cases, &mut live, &mut tally).unwrap();
    assert_eq!(tally.differences, [] as [String; 0]);
    assert!(tally.get("golden requests") > 80, "{:?}", tally.counts);
    let keep = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    let plan = Plan { cases: 400, seed: 3, requests: 40, keep };
    campaign::run_live(&plan, &mut live, &mut tally).unwrap();
    assert_eq!(tally.differences, [] as [String; 0]);
    for what in ["served", "forbidden", "split", "tcp", "udp", "attempt: h2c smuggling"] {
        assert!(tally.get(what) >= 5, "{what}: {:?}", tally.counts);
    }
}

#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn traefik_conforms() {
    conforms(traefik());
}

#[test]
#[ignore = "needs Envoy: cargo xtask test"]
fn envoy_nodes_conform() {
    conforms(envoy(Delivery::Static));
}

#[test]
#[ignore = "needs Envoy: cargo xtask test"]
fn envoy_nodes_conform_through_a_control_plane() {
    conforms(envoy(Delivery::Delta));
    conforms(envoy(Delivery::StateOfTheWorld));
}

#[test]
#[ignore = "needs Envoy: cargo xtask test"]
fn sidecars_conform_through_a_control_plane() {
    // Two worlds, one after the other, in the same processes.
    for delivery in [Delivery::Delta, Delivery::StateOfTheWorld] {
        let mut live = LiveEnvoySidecars::new(&binary("envoy", "SMI_ENVOY"), delivery).unwrap();
        let keep = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conformance");
        let plan = Plan { cases: 160, seed: 1, requests: 80, keep };
        let mut tally = Tally::default();
        campaign::run_live(&plan, &mut live, &mut tally).unwrap();
        assert_eq!(tally.differences, [] as [String; 0]);
        for what in ["served", "forbidden", "tcp", "attempt: direct, around the split"] {
            assert!(tally.get(what) >= 5, "{what}: {:?}", tally.counts);
        }
    }
}

#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn the_store_loads_without_error_or_warning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/store");
    let mut inputs = Vec::new();
    for folder in [root.clone(), root.join("policy")] {
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()).collect();
        files.sort();
        for path in files {
            inputs.push(Input::new(path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    let world = load(&inputs, &Limits::default());
    let mut live = traefik();
    let mut options = CompileOptions::default();
    options.port_ranges = live.ranges();
    let compiled = compile(&world.hub, &world.cluster, &options);
    assert_eq!(compiled.report.diagnostics, []);
    let config = live.subject().render(&compiled.ir).unwrap();
    live.load(&compiled.ir, &config).unwrap();
}

/// A root whose traffic goes to `v0`, `v1`, … by these weights, open to all pods.
fn split(weights: &[usize]) -> String {
    let mut text = String::new();
    let mut backends = Vec::new();
    for (place, weight) in weights.iter().enumerate() {
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{place}, namespace: a, labels: {{v: v{place}}}}}\nspec: {{serviceAccountName: s, containers: [{{name: app}}]}}\nstatus: {{phase: Running, podIP: 10.0.0.{}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: v{place}, namespace: a}}\nspec: {{selector: {{v: v{place}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}\n",
            place + 1,
        ));
        backends.push(format!("{{service: v{place}, weight: {weight}}}"));
    }
    text.push_str(&format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: root, namespace: a}}\nspec: {{ports: [{{name: http, port: 80}}]}}\n---\napiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {{name: s, namespace: a}}\nspec: {{service: root, backends: [{}]}}\n---\napiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {{name: all, namespace: a}}\n---\napiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {{name: t, namespace: a}}\nspec: {{destination: {{kind: ServiceAccount, name: s, namespace: a}}, rules: [{{kind: TCPRoute, name: all}}], sources: [{{kind: ServiceAccount, name: s, namespace: a}}]}}\n",
        backends.join(", ")
    ));
    text
}

#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn s15_weights_are_exact_from_a_fresh_start() {
    let mut live = traefik();
    let mut options = CompileOptions::default();
    options.port_ranges = live.ranges();
    for weights in [[80, 20, 0], [1, 1, 1], [999, 1, 0], [1, 1, 2], [7, 2, 1]] {
        let world = load(&[Input::new("world.yaml", split(&weights))], &Limits::default());
        let written = compile(&world.hub, &world.cluster, &options).ir;
        let ir = live.network().relocate(&written).unwrap();
        let config = live.subject().render(&ir).unwrap();
        live.load(&ir, &config).unwrap();
        let request = case::request_of("GET root.a.mesh:80 / from 10.0.0.1").unwrap();
        let call = live.network().relocate_call(&request.into());
        let times = u64::try_from(weights.iter().sum::<usize>()).unwrap();
        let mut counts = [0, 0, 0];
        let pods: Vec<_> = (0..3)
            .map(|place| {
                let (_, pool) =
                    ir.pools.iter().find(|(k, _)| k.service.name.as_str() == format!("v{place}")).unwrap();
                pool.endpoints[0].socket()
            })
            .collect();
        for observation in live.observe(&ir, &call, times, Duration::from_secs(3)).unwrap() {
            let Observation::Served(at, _) = observation else { panic!("{observation:?}") };
            counts[pods.iter().position(|p| *p == at).unwrap()] += 1;
        }
        assert_eq!(counts, weights);
    }
}

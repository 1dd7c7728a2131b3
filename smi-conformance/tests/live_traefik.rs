//! The reference, the simulator and a real Traefik agree. Run by `cargo xtask test`.

use std::path::PathBuf;

use smi_conformance::campaign::{Plan, run};
use smi_conformance::live::Live;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::load::{Input, Limits, load};
use smi_traefik::Traefik;

fn traefik() -> PathBuf {
    let variable = std::env::var_os("SMI_TRAEFIK");
    variable
        .map(PathBuf::from)
        .expect("no Traefik: run `cargo xtask test`, or `cargo xtask peers traefik` and set SMI_TRAEFIK")
}

#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn a_short_campaign_finds_no_difference() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    let found = run(&Plan { cases: 400, seed: 3, traefik: Some(traefik()), folder }).unwrap();
    assert_eq!(found.differences, [] as [String; 0]);
    assert!(
        found.counts["served"] > 20 && found.counts["forbidden"] > 20 && found.counts["split"] > 5,
        "{:?}",
        found.counts
    );
}

#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn the_store_loads_without_error_or_warning() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/store");
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
    let mut live = Live::start(&traefik()).unwrap();
    let mut options = CompileOptions::default();
    options.port_ranges.http = (live.listen.0, 8);
    options.port_ranges.tcp = (live.listen.1, 8);
    let compiled = compile(&world.hub, &world.cluster, &options);
    assert_eq!(compiled.report.diagnostics, []);
    let rendered = Traefik { options: live.options() }.render(&compiled.ir, &ProxyTarget::Node);
    assert_eq!(rendered.report.diagnostics, []);
    live.load(&rendered.output).unwrap();
}

#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn s15_weights_are_exact_from_a_fresh_start() {
    use smi_conformance::live::Observation;
    use smi_core::eval::{Caller, HttpRequest, Payload, Request};
    use smi_core::hub::names::Port;
    let mut live = Live::start(&traefik()).unwrap();
    let mut options = CompileOptions::default();
    options.port_ranges.http = (live.listen.0, 8);
    options.port_ranges.tcp = (live.listen.1, 8);
    for weights in [[80, 20, 0], [1, 1, 1], [999, 1, 0], [1, 1, 2], [7, 2, 1]] {
        let mut text = String::new();
        for (place, weight) in weights.iter().enumerate() {
            text.push_str(&format!(
                "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{place}, namespace: a, labels: {{v: v{place}}}}}\nspec: {{serviceAccountName: s, containers: [{{name: app}}]}}\nstatus: {{phase: Running, podIP: 127.78.0.{}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: v{place}, namespace: a}}\nspec: {{selector: {{v: v{place}}}, ports: [{{name: http, port: 80, targetPort: {}}}]}}\n# {weight}\n",
                place + 1,
                live.ports.http
            ));
        }
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: root, namespace: a}}\nspec: {{ports: [{{name: http, port: 80}}]}}\n---\napiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {{name: s, namespace: a}}\nspec: {{service: root, backends: [{{service: v0, weight: {}}}, {{service: v1, weight: {}}}, {{service: v2, weight: {}}}]}}\n---\napiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {{name: all, namespace: a}}\n---\napiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {{name: t, namespace: a}}\nspec: {{destination: {{kind: ServiceAccount, name: s, namespace: a}}, rules: [{{kind: TCPRoute, name: all}}], sources: [{{kind: ServiceAccount, name: s, namespace: a}}]}}\n",
            weights[0], weights[1], weights[2]
        ));
        let world = load(&[Input::new("world.yaml", text)], &Limits::default());
        let ir = compile(&world.hub, &world.cluster, &options).ir;
        let rendered = Traefik { options: live.options() }.render(&ir, &ProxyTarget::Node);
        live.load(&rendered.output).unwrap();
        let http = HttpRequest {
            port: Port::new(80).unwrap(),
            host: "root.a.mesh".into(),
            method: "GET".into(),
            target: "/".into(),
            headers: vec![],
        };
        let request =
            Request { caller: Caller::Address("127.78.0.1".parse().unwrap()), payload: Payload::Http(http) };
        let mut counts = [0, 0, 0];
        for _ in 0..weights.iter().sum::<usize>() {
            match live.observe(&ir, &request).unwrap() {
                Observation::Served(at, _) => {
                    let last = at.ip().to_string().rsplit('.').next().unwrap().parse::<usize>().unwrap();
                    counts[last - 1] += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(counts, weights);
    }
}

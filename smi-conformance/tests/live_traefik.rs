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

//! A backend for an invented proxy that is configured by lines of text and knows only HTTP splits. Look at: what it cannot do it
//! declares as capabilities, and the losses come from comparing the IR with them.

use std::collections::BTreeSet;

use smi_core::backend::{
    AdditiveAccess, Artifact, Artifacts, Backend, Capabilities, Feature, IdentityKnowledge, ProxyTarget,
    Rendered, losses,
};
use smi_core::compile::{CompileOptions, MeshMode, compile};
use smi_core::diag::Report;
use smi_core::ir::Ir;
use smi_core::load::{Input, Limits, load};

struct Lines;

struct Config(Vec<String>);

impl Artifacts for Config {
    fn artifacts(&self) -> Vec<Artifact> {
        vec![Artifact { name: "routes.txt".into(), text: self.0.join("\n") + "\n" }]
    }
}

impl Backend for Lines {
    type Output = Config;

    fn name(&self) -> &'static str {
        "lines"
    }

    fn capabilities(&self, _target: &ProxyTarget) -> Capabilities {
        Capabilities {
            features: BTreeSet::from([Feature::Http, Feature::HttpSplit]),
            identity: IdentityKnowledge::Address,
            access: AdditiveAccess::AnyOf,
        }
    }

    fn render(&self, ir: &Ir, _target: &ProxyTarget) -> Rendered<Config> {
        let mut lines = Vec::new();
        for (name, service) in &ir.services {
            for port in &service.ports {
                let Some(route) = port.routes.last() else { continue };
                let targets: Vec<String> =
                    route.targets.iter().map(|t| format!("{}={}", t.pool, t.weight)).collect();
                lines.push(format!("{name}:{} -> {}", port.port, targets.join(" ")));
            }
        }
        Rendered { output: Config(lines), report: Report::new() }
    }
}

fn main() {
    let inputs = [
        Input::new("shop.yaml", include_str!("store/shop.yaml")),
        Input::new("policy.yaml", include_str!("store/policy/shop.yaml")),
    ];
    let world = load(&inputs, &Limits::default());
    let mut options = CompileOptions::default();
    // A proxy that cannot refuse anybody may only be used where nothing is to be refused.
    options.mode = MeshMode::Permissive;
    let ir = compile(&world.hub, &world.cluster, &options).ir;
    for file in Lines.render(&ir, &ProxyTarget::Node).output.artifacts() {
        print!("{}", file.text);
    }
    for loss in losses(&ir, &Lines.capabilities(&ProxyTarget::Node)) {
        println!("lost: {} ({:?}, {})", loss.message, loss.effect, loss.origin);
    }
}

//! A backend for an invented proxy that is configured by lines of text and knows only HTTP splits. Look at: what it cannot do it
//! declares as capabilities, and the losses come from comparing the IR with them. What it cannot refuse it does not serve.

use std::collections::BTreeSet;

use smi_core::backend::{
    AdditiveAccess, Artifact, Artifacts, Backend, Capabilities, Feature, IdentityKnowledge, ProxyTarget,
    Rendered, losses,
};
use smi_core::compile::{CompileOptions, MeshMode, compile};
use smi_core::diag::{Code, Diagnostic, Report, Severity};
use smi_core::ir::{Ir, Mode};
use smi_core::load::{Input, Limits, load};

/// One code is enough here. A real backend tells what narrows access from what is merely not there.
const LOST: Code = Code {
    id: "LINES1",
    name: "lines-lost",
    severity: Severity::Warning,
    summary: "a feature has no counterpart in this proxy",
    explanation: "## What it checks\nEverything beside HTTP splits.",
    rule: "S34",
};

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

    fn render(&self, ir: &Ir, target: &ProxyTarget) -> Rendered<Config> {
        let mut report = Report::new();
        for loss in losses(ir, &self.capabilities(target)) {
            report.push(Diagnostic::new(LOST, &loss.origin.object, loss.origin.path(), loss.message));
        }
        let mut lines = Vec::new();
        // A proxy that cannot refuse anybody may only serve where nothing is to be refused.
        let mut modes = ir.services.values().map(|s| s.mode).chain(ir.workloads.values().map(|w| w.mode));
        let open = modes.all(|mode| mode == Mode::Permissive);
        for (name, service) in ir.services.iter().filter(|_| open) {
            for port in &service.ports {
                let Some(route) = port.routes.last() else { continue };
                let targets: Vec<String> =
                    route.targets.iter().map(|t| format!("{}={}", t.pool, t.weight)).collect();
                lines.push(format!("{name}:{} -> {}", port.port, targets.join(" ")));
            }
        }
        Rendered { output: Config(lines), report }
    }
}

fn main() {
    let inputs = [
        Input::new("shop.yaml", include_str!("store/shop.yaml")),
        Input::new("policy.yaml", include_str!("store/policy/shop.yaml")),
    ];
    let world = load(&inputs, &Limits::default());
    let mut options = CompileOptions::default();
    options.mode = MeshMode::Permissive;
    let ir = compile(&world.hub, &world.cluster, &options).ir;
    let rendered = Lines.render(&ir, &ProxyTarget::Node);
    for file in rendered.output.artifacts() {
        print!("{}", file.text);
    }
    for lost in &rendered.report.diagnostics {
        println!("{lost}");
    }
}

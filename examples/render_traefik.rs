//! Renders a Traefik configuration and prints its files. Look at: output is typed, and knows its file names and text form.

use smi_core::backend::{Artifacts, Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::load::{Input, Limits, load};
use smi_traefik::Traefik;

fn main() {
    let inputs = [
        Input::new("data.yaml", include_str!("store/data.yaml")),
        Input::new("policy.yaml", include_str!("store/policy/data.yaml")),
    ];
    let world = load(&inputs, &Limits::default());
    let ir = compile(&world.hub, &world.cluster, &CompileOptions::default()).ir;
    let rendered = Traefik::default().render(&ir, &ProxyTarget::Node);
    for file in rendered.output.artifacts() {
        println!("# {}\n{}", file.name, file.text);
    }
}

//! Reads a manifest and prints what is wrong with it. Look at: every stage gives a value *and* a report.

use smi_core::compile::{CompileOptions, compile};
use smi_core::load::{Input, Limits, load};
use smi_core::validate::validate;

const MANIFEST: &str = include_str!("store/policy/shop.yaml");

fn main() {
    // Without the cluster's Services the splits have no root, which is what the report is about.
    let world = load(&[Input::new("shop.yaml", MANIFEST)], &Limits::default());
    let options = CompileOptions::default();
    let compiled = compile(&world.hub, &world.cluster, &options);
    let mut report = world.report.clone();
    report.append(compiled.report);
    report.append(validate(&world.hub, &world.cluster, &compiled.ir, &options));
    report.sort();
    for diagnostic in report.iter() {
        let span = diagnostic.object.as_ref().and_then(|o| world.sources.caret(o, &diagnostic.path));
        let line = span.map_or(0, |span| world.sources.line_column(span).line);
        println!("shop.yaml:{line}: {diagnostic}");
    }
}

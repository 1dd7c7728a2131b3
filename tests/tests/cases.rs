//! Golden cases: one folder each, through all stages.
//!
//! `input.yaml` is loaded, compiled and rendered; what each stage says of it stands in `expected/`. Each line of `requests.txt` is
//! decided by the reference and by every simulator: `smi_conformance::case` has the format.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::path::Path;

use smi_conformance::case::Case;
use smi_conformance::envoy::{EnvoyNode, EnvoySidecars};
use smi_conformance::suite;
use smi_conformance::tally::Tally;
use smi_conformance::traefik::TraefikNode;
use smi_core::backend::{Artifacts, Backend, ProxyTarget};
use smi_core::compile::compile;
use smi_core::diag::Report;
use smi_core::ir::verify;
use smi_core::load::{Input, Limits, Sources, load};
use smi_core::validate::validate;
use smi_traefik::Traefik;

#[test]
fn cases() {
    let faults = std::cell::RefCell::new(Vec::new());
    insta::glob!("..", "cases/*/*/input.yaml", |input| {
        let folder = input.parent().unwrap();
        let case = Case::read(folder).unwrap();
        goldens(folder, &case);
        let mut tally = Tally::default();
        let cases = std::slice::from_ref(&case);
        suite::run(cases, &TraefikNode::default(), None, &mut tally).unwrap();
        suite::run(cases, &EnvoyNode::default(), None, &mut tally).unwrap();
        suite::run(cases, &EnvoySidecars::default(), None, &mut tally).unwrap();
        faults.borrow_mut().append(&mut tally.differences);
    });
    let faults = faults.into_inner();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Compares what each stage makes of a case with what it made before.
fn goldens(folder: &Path, case: &Case) {
    let world = load(&[Input::new("input.yaml", case.input.as_str())], &Limits::default());
    let options = case.options.clone();
    let compiled = compile(&world.hub, &world.cluster, &options);
    assert_eq!(verify(&compiled.ir), [], "{}", folder.display());
    let rendered = Traefik::default().render(&compiled.ir, &ProxyTarget::Node);
    let mut report = world.report.clone();
    report.append(compiled.report.clone());
    report.append(validate(&world.hub, &world.cluster, &compiled.ir, &options));
    report.append(rendered.report.clone());
    report.sort();
    let dynamic = rendered.output.artifacts().into_iter().find(|a| a.name == "dynamic.yaml").unwrap().text;
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder.join("expected"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_suffix("");
    settings.set_omit_expression(true);
    settings.remove_input_file();
    settings.bind(|| {
        insta::assert_snapshot!("diagnostics", diagnostics(&report, &world.sources));
        insta::assert_snapshot!("ir", compiled.ir.to_string());
        insta::assert_snapshot!("traefik", dynamic);
    });
}

fn diagnostics(report: &Report, sources: &Sources) -> String {
    let mut out = String::new();
    for d in report.iter() {
        let span = d.span.or_else(|| sources.caret(d.object.as_ref()?, &d.path));
        if let Some(span) = span {
            let at = sources.line_column(span);
            write!(
                out,
                "{}:{} `{}`: ",
                at.line,
                at.column,
                sources.slice(span).lines().next().unwrap_or_default()
            )
            .unwrap();
        }
        writeln!(out, "{d}").unwrap();
        if let Some(help) = &d.help {
            writeln!(out, "  help: {help}").unwrap();
        }
    }
    if out.is_empty() { "none\n".into() } else { out }
}

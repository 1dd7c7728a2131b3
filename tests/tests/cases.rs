//! Golden cases: one folder each, through all stages.
//!
//! `input.yaml` is loaded, compiled and rendered; what each stage says of it stands in `expected/`. Each line of `requests.txt` is
//! decided by the reference and by the simulator of Traefik:
//! `GET cart.shop.mesh:80 /items from 10.0.0.1 x-user=beta -> 1/1 shop/cart:80 at shop/cart`, or
//! `TCP shop/db:5432 from 10.0.0.1 -> 1/1 forbidden`. `!traefik` before the arrow: a declared difference.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::fmt::Write as _;
use std::path::Path;

use smi_core::backend::{Artifacts, Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::diag::Report;
use smi_core::eval::{Caller, Decide, Distribution, HttpRequest, Payload, Request, eval};
use smi_core::hub::names::Port;
use smi_core::ir::verify;
use smi_core::load::{Input, Limits, Sources, load};
use smi_core::validate::validate;
use smi_traefik::Traefik;
use smi_traefik::sim::Simulator;

#[test]
fn cases() {
    let faults = std::cell::RefCell::new(Vec::new());
    insta::glob!("..", "cases/*/*/input.yaml", |input| {
        let folder = input.parent().unwrap();
        let text = std::fs::read_to_string(input).unwrap();
        let requests = std::fs::read_to_string(folder.join("requests.txt")).unwrap_or_default();
        faults.borrow_mut().append(&mut check(folder, &text, &requests));
    });
    let faults = faults.into_inner();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Runs one case; the decisions that differ from what its requests say.
fn check(folder: &Path, text: &str, requests: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let world = load(&[Input::new("input.yaml", text)], &Limits::default());
    let options = CompileOptions::default();
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
    let simulator = Simulator::new(&rendered.output, &compiled.ir);
    for line in requests.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
        let (left, expected) =
            line.split_once(" -> ").unwrap_or_else(|| panic!("{}: {line}", folder.display()));
        let (left, compared) = match left.strip_suffix(" !traefik") {
            Some(left) => (left, false),
            None => (left, true),
        };
        let request = request(left);
        let decision = eval(&compiled.ir, &request).distribution();
        if decision.to_string() != expected {
            faults.push(format!(
                "{}: {line}
  decided {decision}",
                folder.display()
            ));
        }
        if compared {
            let closed = |d: Distribution| {
                let text = d.to_string();
                match request.payload {
                    Payload::Http(_) => text,
                    Payload::Tcp { .. } | Payload::Udp { .. } => text.replace("forbidden", "unavailable"),
                }
            };
            let simulated = simulator.decide(&request);
            if closed(simulated.clone()) != closed(decision) {
                faults.push(format!("{}: {line}\n  Traefik decides {simulated}", folder.display()));
            }
        }
    }
    faults
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

fn request(text: &str) -> Request {
    let (what, rest) = text.split_once(" from ").unwrap();
    let mut rest = rest.split(' ');
    let caller = match rest.next().unwrap() {
        "nobody" => Caller::Nobody,
        address => Caller::Address(address.parse().unwrap()),
    };
    let words: Vec<&str> = what.split(' ').collect();
    let port = |text: &str| Port::new(text.parse().unwrap()).unwrap();
    let payload = match words.as_slice() {
        ["TCP", to] => {
            let (service, number) = to.rsplit_once(':').unwrap();
            Payload::Tcp { service: service.parse().unwrap(), port: port(number) }
        }
        ["UDP", to] => {
            let (service, number) = to.rsplit_once(':').unwrap();
            Payload::Udp { service: service.parse().unwrap(), port: port(number) }
        }
        [method, to, target] => {
            let (host, number) = to.rsplit_once(':').unwrap();
            let headers =
                rest.map(|h| h.split_once('=').unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            Payload::Http(HttpRequest {
                port: port(number),
                host: host.to_owned(),
                method: (*method).to_owned(),
                target: (*target).to_owned(),
                headers,
            })
        }
        _ => panic!("{text}"),
    };
    Request { caller, payload }
}

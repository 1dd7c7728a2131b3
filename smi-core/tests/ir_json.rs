//! The JSON form says what the text form says: from every case's JSON the text is put together again.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use smi_core::compile::{CompileOptions, compile};
use smi_core::ir::{Ir, json::FORMAT};
use smi_core::load::{Input, Limits, load};

fn ir(files: &[PathBuf]) -> Ir {
    let inputs: Vec<Input> =
        files.iter().map(|f| Input::new(f.display().to_string(), std::fs::read(f).unwrap())).collect();
    let world = load(&inputs, &Limits::default());
    compile(&world.hub, &world.cluster, &CompileOptions::default()).ir
}

/// Manifests of a folder and those below it.
fn manifests(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            manifests(&entry, out);
        } else if entry.extension().is_some_and(|e| e == "yaml") {
            out.push(entry);
        }
    }
}

#[test]
fn json_and_text_say_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut cases = Vec::new();
    manifests(&root.join("tests/cases"), &mut cases);
    assert!(cases.len() > 30, "{}", cases.len());
    let mut store = Vec::new();
    manifests(&root.join("examples/store"), &mut store);
    let worlds = cases.iter().map(|case| vec![case.clone()]).chain([store]);
    for files in worlds {
        let ir = ir(&files);
        let json = serde_json::to_string_pretty(&ir).unwrap();
        assert_eq!(json, serde_json::to_string_pretty(&ir.clone()).unwrap());
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["format"], FORMAT);
        assert_eq!(text(&value), ir.to_string(), "{files:?}");
    }
}

/// The text form, from the JSON form alone.
fn text(ir: &Value) -> String {
    let mut out = String::from("settings\n");
    let line = |out: &mut String, indent: usize, text: &str| {
        writeln!(out, "{}{text}", " ".repeat(indent)).unwrap();
    };
    line(&mut out, 2, &format!("trust domain {}", s(&ir["settings"]["trustDomain"])));
    line(&mut out, 2, &format!("mesh domains {}", joined(&ir["settings"]["meshDomains"], ", ")));
    section(&mut out, "listeners", &ir["listeners"]);
    for l in list(&ir["listeners"]) {
        let service = l.get("service").map(|name| format!("{}/", s(name))).unwrap_or_default();
        line(&mut out, 2, &format!("{} {}/{service}{}", l["listen"], s(&l["protocol"]), l["port"]));
    }
    section(&mut out, "services", &ir["services"]);
    for (name, service) in map(&ir["services"]) {
        let at = joined(&service["addresses"], ", ");
        let at = if at.is_empty() { at } else { format!(" at {at}") };
        line(&mut out, 2, &format!("{name} {}{at}", s(&service["mode"])));
        for port in list(&service["ports"]) {
            let by = match s(&port["decidedBy"]).as_str() {
                "app-protocol" => "appProtocol".to_owned(),
                other => other.replace('-', " "),
            };
            line(&mut out, 4, &format!("port {} {} by {by}", port["port"], s(&port["protocol"])));
            settings(&mut out, &port["policy"]);
            for route in list(&port["routes"]) {
                let kind = if route.get("anyOf").is_some() { "any of" } else { "everything" };
                line(&mut out, 6, &format!("route [{}] {kind}", origin(&route["origin"])));
                for m in route.get("anyOf").into_iter().flat_map(list) {
                    line(&mut out, 8, &format!("{} [{}]", match_text(m), origin(&m["origin"])));
                }
                for t in list(&route["targets"]) {
                    line(
                        &mut out,
                        8,
                        &format!("{} × {} [{}]", t["weight"], s(&t["pool"]), origin(&t["origin"])),
                    );
                }
            }
        }
    }
    section(&mut out, "pools", &ir["pools"]);
    for (key, pool) in map(&ir["pools"]) {
        line(&mut out, 2, key);
        for e in list(&pool["endpoints"]) {
            let ready = if e["ready"] == true { "ready" } else { "not ready" };
            let pod = e["pod"].as_str().unwrap_or("no known pod");
            assert_eq!(e["pod"].is_null(), e["workload"].is_null());
            line(&mut out, 4, &format!("{} {ready} {pod}", s(&e["address"])));
        }
        for t in pool.get("templates").into_iter().flat_map(list) {
            line(&mut out, 4, &format!("template {} port {}", s(&t["workload"]), t["port"]));
        }
    }
    section(&mut out, "workloads", &ir["workloads"]);
    for (id, workload) in map(&ir["workloads"]) {
        let bindings = workload.get("bindings").into_iter().flat_map(list).map(|b| format!("+{}", s(b)));
        let parts = format!(
            "{}/{}{}",
            s(&workload["namespace"]),
            s(&workload["account"]),
            bindings.collect::<String>()
        );
        assert_eq!(*id, parts);
        line(&mut out, 2, &format!("{id} {}", s(&workload["mode"])));
        for grant in list(&workload["grants"]) {
            line(&mut out, 4, &format!("grant {}", s(grant)));
        }
        probes(workload).for_each(|probe| line(&mut out, 4, &probe));
    }
    section(&mut out, "grants", &ir["grants"]);
    for (name, grant) in map(&ir["grants"]) {
        line(&mut out, 2, &format!("{name} [{}]", origin(&grant["origin"])));
        for source in list(&grant["sources"]) {
            let who = match (source.get("identity"), source.get("binding")) {
                (Some(id), None) => s(id),
                (None, Some(name)) => format!("pods of IdentityBinding {}", s(name)),
                other => panic!("{other:?}"),
            };
            line(&mut out, 4, &format!("from {who} [{}]", s(&source["origin"]["path"])));
        }
        if let Some(http) = grant.get("http") {
            let kind = if http.get("anyOf").is_some() { "any of" } else { "any request" };
            line(&mut out, 4, &format!("http on {}: {kind}", ports(http)));
            for m in http.get("anyOf").into_iter().flat_map(list) {
                line(&mut out, 6, &format!("{} [{}]", match_text(m), origin(&m["origin"])));
            }
        }
        for part in ["tcp", "udp"] {
            if let Some(found) = grant.get(part) {
                line(&mut out, 4, &format!("{part} on {}", ports(found)));
            }
        }
    }
    section(&mut out, "callers", &ir["callers"]);
    for (address, pod) in map(&ir["callers"]) {
        let workload = &ir["pods"][s(pod)]["workload"];
        line(&mut out, 2, &format!("{address} {} of {}", s(pod), s(workload)));
        probes(&ir["pods"][s(pod)]).for_each(|probe| line(&mut out, 4, &probe));
    }
    out
}

fn probes(of: &Value) -> impl Iterator<Item = String> {
    of.get("probes").into_iter().flat_map(list).map(|p| {
        let path = p.get("path").map_or("(tcp)".into(), s);
        format!("probe {} {path}", p["port"])
    })
}

fn settings(out: &mut String, policy: &Value) {
    let mut one = |name: &str, text: &dyn Fn(&Value) -> String| {
        if let Some(found) = policy.get(name) {
            writeln!(out, "      {} [{}]", text(found), origin(&found["origin"])).unwrap();
        }
    };
    one("retry", &|v| format!("retry {} tries", v["attempts"]));
    one("timeoutMs", &|v| format!("timeout {} ms", v["value"]));
    one("circuitBreaker", &|v| format!("circuit breaker {}", s(&v["expression"])));
    one("rateLimit", &|v| format!("rate limit {}/s, burst {}", v["average"], v["burst"]));
    one("maxInFlight", &|v| format!("at most {} in flight", v["value"]));
    one("mirror", &|v| format!("mirror {}% to {}", v["percent"], s(&v["pool"])));
}

fn section(out: &mut String, name: &str, of: &Value) {
    let empty = of.as_array().map_or_else(|| map(of).next().is_none(), Vec::is_empty);
    writeln!(out, "{name}{}", if empty { ": none" } else { "" }).unwrap();
}

fn match_text(m: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(path) = m.get("path") {
        parts.push(format!("path {}", pattern(path)));
    }
    if let Some(methods) = m.get("methods") {
        parts.push(format!("method {}", joined(methods, "|")));
    }
    for (name, value) in m.get("headers").into_iter().flat_map(map) {
        parts.push(format!("header {name} {}", pattern(value)));
    }
    if parts.is_empty() { "everything".into() } else { parts.join(" and ") }
}

fn pattern(p: &Value) -> String {
    assert!(p["regex"].is_string() && p["anchor"].is_string());
    let means = &p["means"];
    let of = |name: &str| means.get(name).and_then(Value::as_str);
    match (of("exact"), of("prefix"), of("regex")) {
        (Some(text), None, None) => format!("= {text:?}"),
        (None, Some(text), None) => format!("starts with {text:?}"),
        (None, None, Some(text)) => format!("~ {text:?}"),
        _ => {
            assert_eq!(means, "any");
            "any".into()
        }
    }
}

fn ports(part: &Value) -> String {
    match part.get("ports") {
        None => "all ports".into(),
        Some(ports) if list(ports).is_empty() => "no port".into(),
        Some(ports) => joined(ports, ", "),
    }
}

fn origin(origin: &Value) -> String {
    let object = &origin["object"];
    let name = match s(&object["namespace"]) {
        namespace if namespace.is_empty() => s(&object["name"]),
        namespace => format!("{namespace}/{}", s(&object["name"])),
    };
    let path = s(&origin["path"]);
    let path = if path.is_empty() { path } else { format!(" {path}") };
    format!("{} {name}{path}", s(&object["kind"]))
}

fn s(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

fn map(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().unwrap_or_else(|| panic!("{value} is no map")).iter()
}

fn joined(values: &Value, between: &str) -> String {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    list(values).iter().map(text).collect::<Vec<_>>().join(between)
}

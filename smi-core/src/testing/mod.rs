//! Random worlds and requests for property tests, with shrinking (feature `proptest`).
//!
//! Shape: [`world`] gives manifests as text, so that whatever fails can be read and kept as it is; [`request`] gives calls that often
//! hit something in such a world. Names are chosen so that `namespace-service` joins to the same text for two services.
//! Absent: TCP and UDP ports, headers, bindings, invalid objects.

use std::fmt::Write as _;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::sample::{select, subsequence};

use crate::eval::{Caller, HttpRequest, Payload, Request};
use crate::hub::names::Port;

/// Namespace, name and the pod's address of every service.
const SERVICES: [(&str, &str, &str); 4] = [
    ("a", "b-c", "127.1.0.1"),
    ("a-b", "c", "127.1.0.2"),
    ("a", "v1", "127.1.0.3"),
    ("a", "v2", "127.1.0.4"),
];

const PATHS: [&str; 6] = ["/", "/api", "/api/.*", "/a|/b", "^/items/[0-9]+$", "/x.y"];

const TARGETS: [&str; 14] = [
    "/",
    "/api",
    "/api/x",
    "/API",
    "/a",
    "/b/c",
    "/items/7",
    "/items/7/x",
    "/x.y",
    "/xzy",
    "/items/../api",
    "//api//x",
    "/api%2fx",
    "/%61pi?q=/b",
];

/// Manifests: services with a pod each, route groups, targets and a split.
pub fn world() -> impl Strategy<Value = String> {
    let sources = || subsequence(SERVICES.to_vec(), 1..=SERVICES.len());
    let methods = || select(vec!["[GET]", "[POST]", "['*']", "[GET, POST]"]);
    let target = (select(SERVICES.to_vec()), sources(), any::<bool>());
    let split = (vec(0u32..4, 2), any::<bool>());
    (
        vec(proptest::bool::weighted(0.85), SERVICES.len()),
        vec((select(PATHS.to_vec()), methods()), 1..3),
        vec(target, 0..9),
        proptest::option::of(split),
    )
        .prop_map(|(ready, matches, targets, split)| {
            let mut out = String::new();
            for ((namespace, name, address), ready) in SERVICES.iter().zip(ready) {
                service(&mut out, namespace, name, address, ready);
            }
            for namespace in ["a", "a-b"] {
                object(&mut out, "specs.smi-spec.io/v1alpha4", "HTTPRouteGroup", namespace, "routes");
                line(&mut out, "spec:\n  matches:");
                for (index, (path, methods)) in matches.iter().enumerate() {
                    line(
                        &mut out,
                        &format!("  - {{name: m{index}, pathRegex: '{path}', methods: {methods}}}"),
                    );
                }
            }
            for (index, ((namespace, name, _), sources, by_routes)) in targets.iter().enumerate() {
                let own = format!("t{index}");
                object(&mut out, "access.smi-spec.io/v1alpha3", "TrafficTarget", namespace, &own);
                let account = |namespace: &str, name: &str| {
                    format!("{{kind: ServiceAccount, name: {name}, namespace: {namespace}}}")
                };
                let all: Vec<String> = sources.iter().map(|(ns, n, _)| account(ns, n)).collect();
                let rules = if *by_routes { "{kind: HTTPRouteGroup, name: routes}" } else { "" };
                line(
                    &mut out,
                    &format!(
                        "spec:\n  destination: {}\n  sources: [{}]\n  rules: [{rules}]",
                        account(namespace, name),
                        all.join(", ")
                    ),
                );
            }
            if let Some((weights, conditional)) = split {
                object(&mut out, "split.smi-spec.io/v1alpha4", "TrafficSplit", "a", "canary");
                line(&mut out, "spec:\n  service: b-c\n  backends:");
                for (name, weight) in ["v1", "v2"].iter().zip(weights) {
                    line(&mut out, &format!("  - {{service: {name}, weight: {weight}}}"));
                }
                if conditional {
                    line(&mut out, "  matches: [{kind: HTTPRouteGroup, name: routes}]");
                }
            }
            out
        })
}

/// An HTTP request that may fit a [`world`].
pub fn request() -> impl Strategy<Value = Request> {
    let known = select(SERVICES.to_vec()).prop_map(|(namespace, name, _)| format!("{name}.{namespace}.mesh"));
    let host = (known, select(vec!["", ":80", "."]), any::<bool>()).prop_map(|(host, end, upper)| {
        let host = if upper { host.to_ascii_uppercase() } else { host };
        format!("{host}{end}")
    });
    let host = proptest::prop_oneof![9 => host, 1 => Just("nothing.a.mesh".to_owned())];
    let addresses: Vec<&str> = SERVICES.iter().map(|(_, _, a)| *a).chain(["127.9.9.9"]).collect();
    let caller = select(addresses).prop_map(|a| a.parse().map_or(Caller::Nobody, Caller::Address));
    (caller, host, select(vec!["GET", "POST", "get"]), select(TARGETS.to_vec())).prop_filter_map(
        "port 80 is a port",
        |(caller, host, method, target)| {
            let http = HttpRequest {
                port: Port::new(80)?,
                host,
                method: method.into(),
                target: target.into(),
                headers: Vec::new(),
            };
            Some(Request { caller, payload: Payload::Http(http) })
        },
    )
}

fn service(out: &mut String, namespace: &str, name: &str, address: &str, ready: bool) {
    object(out, "v1", "Service", namespace, name);
    line(
        out,
        &format!("spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}"),
    );
    line(out, "---\napiVersion: v1\nkind: Pod");
    line(out, &format!("metadata: {{name: {name}-1, namespace: {namespace}, labels: {{app: {name}}}}}"));
    line(out, &format!("spec: {{serviceAccountName: {name}, containers: [{{name: app}}]}}"));
    let ready = if ready { "True" } else { "False" };
    line(
        out,
        &format!(
            "status: {{phase: Running, podIP: {address}, conditions: [{{type: Ready, status: '{ready}'}}]}}"
        ),
    );
}

fn object(out: &mut String, version: &str, kind: &str, namespace: &str, name: &str) {
    line(out, &format!("---\napiVersion: {version}\nkind: {kind}"));
    line(out, &format!("metadata: {{name: {name}, namespace: {namespace}}}"));
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

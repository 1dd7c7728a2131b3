//! Worlds and requests from a seed.
//!
//! Shape: a world is a list of YAML documents, so that shrinking is leaving out documents. Pods have loopback addresses and two fixed
//! ports, HTTP and TCP ([`Ports`]), so that a real proxy can reach them. Names provoke joins that collide (`a`/`b-c`, `a-b`/`c`).

use std::net::{IpAddr, Ipv4Addr};

use smi_core::eval::{Caller, HttpRequest, Payload, Request};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{Ir, Protocol};

use crate::random::Random;

/// Where pods listen.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// HTTP.
    pub http: u16,
    /// HTTP, another one.
    pub other: u16,
    /// TCP, the server speaks first.
    pub tcp: u16,
}

const APPS: &[(&str, &str)] = &[
    ("a", "b-c"),
    ("a-b", "c"),
    ("a", "v1"),
    ("a", "v2"),
    ("a", "v3"),
    ("a-b", "v1"),
    ("a", "web"),
    ("a-b", "batch"),
];

const PATHS: &[&str] = &[
    "/items(/.*)?$",
    "/v[12]/.*",
    "/a|/b",
    "^/x$",
    "/api",
    "/api/.*",
    "/q%3fz",
    "/items/[0-9]+$",
    ".*",
    "/c\\.d$",
    "/(one|two)/x$",
    "/`$",
    "/\"q$",
    "/p\\|q$",
    "/and&&x$",
    "(?i)/case$",
    "/\\d+$",
    "/tail.*$",
    "/$",
];

const TARGETS: &[&str] = &[
    "/items",
    "/items/7",
    "/items/7/8",
    "/itemsx",
    "/v1/x",
    "/v2/",
    "/v3/x",
    "/a",
    "/bc",
    "/x",
    "/xy",
    "/api",
    "/api/x",
    "/apix",
    "/q%3Fz",
    "/q%3fz/1",
    "/c.d",
    "/cxd",
    "/one/x",
    "/two/x/y",
    "/%60",
    "/%22q",
    "/p%7Cq",
    "/and&&x",
    "/CASE",
    "/case",
    "/42",
    "/4x",
    "/tail/1",
    "/",
    "/items/../api/x",
    "/api/%2e%2e/items",
    "//items",
    "/items//7",
    "/./x",
    "/%78",
    "/items%2F7",
    "/api/..%5Citems",
    "/%00",
    "/x?y=/items",
    "/items?z",
    "/a/./b",
    "/z/../../a",
];

const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];

const HEADERS: &[(&str, &str)] = &[
    ("x-user", "beta"),
    ("x-user", "al.*"),
    ("X-Team", "t-[0-9]+"),
    ("x-user", "a|ab"),
    ("x-empty", ".*"),
    ("host", "b-c\\.a\\.mesh"),
    ("Host", "v[0-9]\\..*"),
];

const VALUES: &[(&str, &str)] = &[
    ("x-user", "beta"),
    ("X-User", "alice"),
    ("x-user", "ab"),
    ("x-user", "abc"),
    ("x-team", "t-12"),
    ("x-team", "t-x"),
    ("x-empty", ""),
    ("X-EMPTY", "v"),
    ("x-user", "a, ab"),
];

fn address(app: usize, pod: usize) -> IpAddr {
    let (app, pod) = (u8::try_from(app).unwrap_or(0), u8::try_from(pod).unwrap_or(0));
    IpAddr::V4(Ipv4Addr::new(127, 77, app + 1, pod + 1))
}

fn meta(namespace: &str, name: &str) -> String {
    format!("metadata: {{name: {name}, namespace: {namespace}}}\n")
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// Manifests of a world.
pub fn world(random: &mut Random, ports: Ports) -> Vec<String> {
    let mut out = Vec::new();
    for (app, (namespace, name)) in APPS.iter().enumerate() {
        let account = if random.chance(15) { "shared" } else { name };
        for pod in 0..1 + random.below(3) {
            let ready = if random.chance(88) { "True" } else { "False" };
            // Callers that share an address are nobody.
            let at = if random.chance(2) { address(0, 0) } else { address(app, pod) };
            out.push(format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}-{pod}, namespace: {namespace}, labels: {{app: {name}, group: all}}}}\nspec:\n  serviceAccountName: {account}\n  containers:\n  - {{name: app, ports: [{{name: http, containerPort: {}}}, {{name: pg, containerPort: {}}}]}}\nstatus: {{phase: Running, podIP: {at}, conditions: [{{type: Ready, status: '{ready}'}}]}}\n",
                ports.http, ports.tcp
            ));
        }
        let selector = if random.chance(15) { "group: all".to_owned() } else { format!("app: {name}") };
        let target = if random.chance(80) { "http".to_owned() } else { ports.other.to_string() };
        let second = if random.chance(40) {
            format!(", {{name: http-b, port: 81, targetPort: {}}}", ports.other)
        } else {
            String::new()
        };
        let tcp = if random.chance(50) { ", {name: tcp-pg, port: 5432, targetPort: pg}" } else { "" };
        out.push(format!(
            "apiVersion: v1\nkind: Service\n{}spec: {{selector: {{{selector}}}, ports: [{{name: http, port: 80, targetPort: {target}}}{second}{tcp}]}}\n",
            meta(namespace, name)
        ));
    }
    for namespace in ["a", "a-b"] {
        for group in ["g", "h"] {
            let count = if random.chance(10) { 0 } else { 1 + random.below(4) };
            let mut text = format!(
                "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\n{}spec:\n  matches:\n",
                meta(namespace, group)
            );
            for place in 0..count {
                text.push_str(&format!("  - name: m{place}\n"));
                if random.chance(80) {
                    text.push_str(&format!("    pathRegex: {}\n", quoted(random.pick::<&str>(PATHS))));
                }
                if random.chance(50) {
                    text.push_str(&format!(
                        "    methods: [{}, {}]\n",
                        random.pick(METHODS),
                        random.pick(METHODS)
                    ));
                }
                if random.chance(30) {
                    let (name, value) = random.pick(HEADERS);
                    text.push_str(&format!("    headers: [{{{name}: {}}}]\n", quoted(value)));
                }
            }
            out.push(text);
        }
        let list = match random.below(5) {
            0 | 4 => "[]".to_owned(),
            1 => format!("[{}]", ports.http),
            2 => format!("[{}, {}]", ports.other, ports.tcp),
            _ => format!("[{}]", ports.tcp),
        };
        out.push(format!("apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\n{}spec: {{matches: {{ports: {list}}}}}\n", meta(namespace, "p")));
    }
    for place in 0..10 + random.below(14) {
        out.push(target(random, place, ports));
    }
    for place in 0..random.below(5) {
        let (namespace, root) = *random.pick(APPS);
        let beside: Vec<&str> = APPS.iter().filter(|(n, _)| *n == namespace).map(|(_, name)| *name).collect();
        let mut text = format!(
            "apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\n{}spec:\n  service: {root}\n",
            meta(namespace, &format!("s{place}"))
        );
        if random.chance(40) {
            text.push_str(&format!(
                "  matches: [{{kind: HTTPRouteGroup, name: {}}}]\n",
                random.pick(&["g", "h"])
            ));
        }
        text.push_str("  backends:\n");
        for _ in 0..1 + random.below(3) {
            let service = if random.chance(5) { "missing" } else { random.pick(&beside) };
            text.push_str(&format!("  - {{service: {service}, weight: {}}}\n", random.below(5)));
        }
        out.push(text);
    }
    out
}

fn target(random: &mut Random, place: usize, ports: Ports) -> String {
    let (namespace, destination) = *random.pick(APPS);
    let destination = if random.chance(12) { "shared" } else { destination };
    let mut rules = Vec::new();
    if random.chance(65) {
        let matches =
            if random.chance(40) { format!(", matches: [m{}]", random.below(3)) } else { String::new() };
        let group = if random.chance(5) { "missing" } else { random.pick(&["g", "h"]) };
        rules.push(format!("{{kind: HTTPRouteGroup, name: {group}{matches}}}"));
    }
    if rules.is_empty() || random.chance(15) {
        let route = if random.chance(5) { "missing" } else { "p" };
        rules.push(format!("{{kind: TCPRoute, name: {route}}}"));
    }
    let mut sources = Vec::new();
    for _ in 0..2 + random.below(4) {
        let (namespace, account) = *random.pick(APPS);
        let account = if random.chance(10) { "shared" } else { account };
        sources.push(format!("{{kind: ServiceAccount, name: {account}, namespace: {namespace}}}"));
    }
    let (version, port) = if random.chance(10) {
        ("v1alpha2", format!(", port: {}", ports.http))
    } else {
        ("v1alpha3", String::new())
    };
    format!(
        "apiVersion: access.smi-spec.io/{version}\nkind: TrafficTarget\n{}spec:\n  destination: {{kind: ServiceAccount, name: {destination}, namespace: {namespace}{port}}}\n  rules: [{}]\n  sources: [{}]\n",
        meta(namespace, &format!("t{place}")),
        rules.join(", "),
        sources.join(", ")
    )
}

/// A request that often hits something.
pub fn request(random: &mut Random, ir: &Ir) -> Request {
    let addresses: Vec<IpAddr> = ir.pods.values().flat_map(|p| p.addresses.iter().copied()).collect();
    let caller = if addresses.is_empty() || random.chance(7) {
        IpAddr::V4(Ipv4Addr::new(127, 99, 0, 1))
    } else {
        *random.pick(&addresses)
    };
    let caller = Caller::Address(caller);
    let (namespace, name) = *random.pick(APPS);
    let service = Namespaced::new(namespace, name);
    let ports: Vec<(Port, Protocol)> = ir
        .services
        .get(&service)
        .into_iter()
        .flat_map(|s| s.ports.iter().map(|p| (p.port, p.protocol)))
        .collect();
    let tcp = ports.iter().find(|(_, protocol)| *protocol == Protocol::Tcp).filter(|_| random.chance(15));
    if let Some((port, _)) = tcp {
        return Request { caller, payload: Payload::Tcp { service, port: *port } };
    }
    let http: Vec<Port> =
        ports.iter().filter(|(_, p)| matches!(p, Protocol::Http(_))).map(|(n, _)| *n).collect();
    let fallback = Port::new(80).map(|p| vec![p]).unwrap_or_default();
    let port = *random.pick(if http.is_empty() { &fallback } else { &http });
    let host = match random.below(30) {
        0 => format!("{name}.{namespace}.mesh."),
        1 => format!("{}.{namespace}.mesh", name.to_uppercase()),
        2 => format!("{name}.{namespace}.mesh:8080"),
        3 => format!("x{name}.{namespace}.mesh"),
        4 => format!("{name}.{namespace}"),
        _ => format!("{name}.{namespace}.mesh"),
    };
    let mut headers = Vec::new();
    while random.chance(35) && headers.len() < 3 {
        let (name, value) = random.pick(VALUES);
        headers.push(((*name).to_owned(), (*value).to_owned()));
    }
    let http = HttpRequest {
        port,
        host,
        method: (*random.pick(METHODS)).to_owned(),
        target: (*random.pick(TARGETS)).to_owned(),
        headers,
    };
    Request { caller, payload: Payload::Http(http) }
}

//! Worlds from a seed.
//!
//! Shape: a world is a list of documents as trees, so that shrinking is leaving out parts of them, and the options to compile them
//! with. Names provoke joins that collide (`a`/`b-c`, `a-b`/`c`). All versions of all kinds occur; addresses and ports are the world's
//! own, and [`crate::loopback`] moves them to the machine at hand.

use std::sync::Arc;

use serde_json::{Value, json};
use smi_core::compile::{CompileOptions, DeadBackends, MeshMode};
use smi_core::ir::EncodedSlashes;
use smi_core::testing::random::Random;

use crate::random::one_of;

/// A world.
#[derive(Clone, Debug)]
pub struct World {
    /// Manifests.
    pub documents: Vec<Value>,
    /// How they are compiled.
    pub options: CompileOptions,
}

impl World {
    /// The manifests as YAML.
    #[must_use]
    pub fn text(&self) -> String {
        let one = |d: &Value| serde_saphyr::to_string(d).unwrap_or_default();
        self.documents
            .iter()
            .map(one)
            .map(|d| d.trim_end().to_owned() + "\n")
            .collect::<Vec<_>>()
            .join("---\n")
    }
}

/// Pod ports: HTTP, HTTP, TCP where the server speaks first, UDP.
const HTTP: u16 = 8080;
const OTHER: u16 = 8081;
const TCP: u16 = 5432;
const UDP: u16 = 5353;

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

const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];

const HEADERS: &[(&str, &str)] = &[
    ("x-user", "beta"),
    ("x-user", "al.*"),
    ("X-Team", "t-[0-9]+"),
    ("x-user", "a|ab"),
    ("x-empty", ".*"),
    // Proxies like to set it.
    ("x-request-id", ".*"),
    ("host", "b-c\\.a\\.mesh"),
    ("Host", "v[0-9]\\..*"),
    ("cookie", ".*beta=1.*"),
];

/// A world.
pub fn world(random: &mut Random) -> World {
    let mut maker = Maker { random, documents: Vec::new() };
    let options = maker.options();
    for namespace in ["a", "a-b"] {
        let label = if maker.random.chance(60) { "on" } else { "off" };
        maker.push("v1", "Namespace", json!({"name": namespace, "labels": {"mesh": label}}), json!({}));
    }
    let pods = maker.pods();
    maker.services();
    maker.listed(&pods);
    maker.routes();
    maker.bindings();
    for place in 0..10 + maker.random.below(14) {
        maker.target(place);
    }
    for place in 0..maker.random.below(5) {
        maker.split(place);
    }
    let Maker { documents, .. } = maker;
    World { documents, options }
}

struct Maker<'r> {
    random: &'r mut Random,
    documents: Vec<Value>,
}

impl Maker<'_> {
    fn options(&mut self) -> CompileOptions {
        let mut options = CompileOptions::default();
        options.mode = match self.random.below(20) {
            0 => MeshMode::Permissive,
            1..=3 => MeshMode::EnforceLabelled { key: "mesh".into(), value: "on".into() },
            _ => MeshMode::Enforce,
        };
        if self.random.chance(20) {
            options.dead_backends = DeadBackends::Drop;
        }
        if self.random.chance(20) {
            let more: &[&str] = one_of::<&[&str]>(self.random, &[&["mesh", "maesh"], &["svc.local", "mesh"]]);
            options.settings.mesh_domains = more.iter().map(|d| Arc::from(*d)).collect();
        }
        if self.random.chance(6) {
            options.settings.encoded_slashes = EncodedSlashes::Keep;
        }
        options
    }

    fn push(&mut self, version: &str, kind: &str, metadata: Value, body: Value) {
        let mut document = json!({"apiVersion": version, "kind": kind, "metadata": metadata});
        if let (Some(to), Value::Object(from)) = (document.as_object_mut(), body) {
            to.extend(from);
        }
        self.documents.push(document);
    }

    /// Pods; namespace, name and address of each.
    fn pods(&mut self) -> Vec<(&'static str, String, String)> {
        let mut out = Vec::new();
        for (app, (namespace, name)) in APPS.iter().enumerate() {
            let account = if self.random.chance(15) { "shared" } else { name };
            for pod in 0..1 + self.random.below(3) {
                let ready = if self.random.chance(88) { "True" } else { "False" };
                // Callers that share an address are nobody.
                let (app, pod) = if self.random.chance(2) { (0, 0) } else { (app, pod) };
                let address = format!("10.77.{app}.{}", pod + 1);
                let own = format!("{name}-{pod}-{}", out.len());
                let tier = *one_of(self.random, &["gold", "tin"]);
                self.push(
                    "v1",
                    "Pod",
                    json!({"name": own, "namespace": namespace, "labels": {"app": name, "group": "all", "tier": tier}}),
                    json!({
                        "spec": {"serviceAccountName": account, "containers": [{"name": "app", "ports": [
                            {"name": "http", "containerPort": HTTP},
                            {"name": "pg", "containerPort": TCP},
                            {"name": "dns", "containerPort": UDP, "protocol": "UDP"},
                        ]}]},
                        "status": {"phase": "Running", "podIP": address, "conditions": [{"type": "Ready", "status": ready}]},
                    }),
                );
                out.push((*namespace, own, address));
            }
        }
        out
    }

    fn services(&mut self) {
        for (namespace, name) in APPS {
            let selector =
                if self.random.chance(15) { json!({"group": "all"}) } else { json!({"app": name}) };
            let target = if self.random.chance(80) { json!("http") } else { json!(OTHER) };
            let mut ports = vec![json!({"name": "http", "port": 80, "targetPort": target})];
            if self.random.chance(40) {
                ports.push(json!({"name": "http-b", "port": 81, "targetPort": OTHER}));
            }
            if self.random.chance(50) {
                ports.push(json!({"name": "tcp-pg", "port": 5432, "targetPort": "pg"}));
            }
            if self.random.chance(40) {
                ports.push(json!({"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"}));
            }
            let metadata = json!({"name": name, "namespace": namespace});
            self.push("v1", "Service", metadata, json!({"spec": {"selector": selector, "ports": ports}}));
        }
    }

    /// Services without selector, whose endpoints are written down: of pods, and of nobody known.
    fn listed(&mut self, pods: &[(&'static str, String, String)]) {
        for (namespace, name) in [("a", "ext"), ("a-b", "ext-b")] {
            if self.random.chance(40) {
                continue;
            }
            let metadata = json!({"name": name, "namespace": namespace});
            let ports = json!([
                {"name": "http", "port": 80},
                {"name": "tcp-pg", "port": 5432},
                {"name": "dns", "port": 53, "protocol": "UDP"},
            ]);
            self.push("v1", "Service", metadata.clone(), json!({"spec": {"ports": ports}}));
            let mut listed = Vec::new();
            for number in 0..1 + self.random.below(3) {
                let ready = self.random.chance(85);
                if self.random.chance(70) {
                    let (of, pod, address) = one_of(self.random, pods);
                    let target = self.random.chance(80);
                    listed.push((
                        address.clone(),
                        ready,
                        target.then(|| json!({"kind": "Pod", "name": pod, "namespace": of})),
                    ));
                } else {
                    listed.push((format!("10.88.0.{}", number + 1), ready, None));
                }
            }
            let ports = json!([
                {"name": "http", "port": HTTP},
                {"name": "tcp-pg", "port": TCP},
                {"name": "dns", "port": UDP, "protocol": "UDP"},
            ]);
            if self.random.chance(60) {
                let endpoints: Vec<Value> = listed
                    .into_iter()
                    .map(|(address, ready, target)| {
                        let mut one = json!({"addresses": [address], "conditions": {"ready": ready}});
                        if let Some(target) = target {
                            one["targetRef"] = target;
                        }
                        one
                    })
                    .collect();
                let metadata = json!({
                    "name": format!("{name}-x"), "namespace": namespace,
                    "labels": {"kubernetes.io/service-name": name},
                });
                let body = json!({"addressType": "IPv4", "endpoints": endpoints, "ports": ports});
                self.push("discovery.k8s.io/v1", "EndpointSlice", metadata, body);
            } else {
                let side = |wanted: bool| -> Vec<Value> {
                    let of = listed.iter().filter(|(_, ready, _)| *ready == wanted);
                    of.map(|(address, _, target)| match target {
                        Some(target) => json!({"ip": address, "targetRef": target}),
                        None => json!({"ip": address}),
                    })
                    .collect()
                };
                let subset =
                    json!({"addresses": side(true), "notReadyAddresses": side(false), "ports": ports});
                self.push("v1", "Endpoints", metadata, json!({"subsets": [subset]}));
            }
        }
    }

    fn routes(&mut self) {
        for namespace in ["a", "a-b"] {
            for group in ["g", "h"] {
                let count = if self.random.chance(10) { 0 } else { 1 + self.random.below(4) };
                let matches: Vec<Value> = (0..count).map(|place| self.one_match(place)).collect();
                let metadata = json!({"name": group, "namespace": namespace});
                let version =
                    *one_of(self.random, &["v1alpha4", "v1alpha4", "v1alpha3", "v1alpha2", "v1alpha1"]);
                let body = match version {
                    "v1alpha1" | "v1alpha2" => json!({"matches": matches}),
                    _ => json!({"spec": {"matches": matches}}),
                };
                self.push(&format!("specs.smi-spec.io/{version}"), "HTTPRouteGroup", metadata, body);
            }
            let ports = match self.random.below(5) {
                0 | 4 => json!([]),
                1 => json!([HTTP]),
                2 => json!([OTHER, TCP]),
                _ => json!([TCP]),
            };
            let metadata = json!({"name": "p", "namespace": namespace});
            if self.random.chance(15) {
                let version = *one_of(self.random, &["v1alpha1", "v1alpha2", "v1alpha3"]);
                let body = if version == "v1alpha3" { json!({"spec": {}}) } else { json!({}) };
                self.push(&format!("specs.smi-spec.io/{version}"), "TCPRoute", metadata, body);
            } else {
                let body = json!({"spec": {"matches": {"ports": ports}}});
                self.push("specs.smi-spec.io/v1alpha4", "TCPRoute", metadata, body);
            }
            let ports =
                one_of(self.random, &[json!([UDP]), json!([UDP, 53]), json!([53]), json!([])]).clone();
            let metadata = json!({"name": "u", "namespace": namespace});
            let body = json!({"spec": {"matches": {"ports": ports}}});
            self.push("specs.smi-spec.io/v1alpha4", "UDPRoute", metadata, body);
        }
    }

    fn one_match(&mut self, place: usize) -> Value {
        let mut out = json!({"name": format!("m{place}")});
        if self.random.chance(80) {
            out["pathRegex"] = json!(one_of(self.random, PATHS));
        }
        if self.random.chance(50) {
            out["methods"] = json!([one_of(self.random, METHODS), one_of(self.random, METHODS)]);
        }
        if self.random.chance(30) {
            let (name, value) = *one_of(self.random, HEADERS);
            out["headers"] =
                if self.random.chance(50) { json!([{name: value}]) } else { json!({name: value}) };
        }
        out
    }

    fn bindings(&mut self) {
        for (namespace, account) in [("a", "web"), ("a-b", "batch")] {
            let schemes = [
                ("labelled", json!({"podLabelSelector": {"matchLabels": {"tier": "gold"}}})),
                ("account", json!({"serviceAccount": account})),
                (
                    "ids",
                    json!({"spiffeIdentities": ["spiffe://cluster.local/ns/a/sa/v1", "spiffe://elsewhere/ns/a/sa/v2"]}),
                ),
                (
                    "several",
                    json!({
                        "podLabelSelector": {"matchLabels": {"app": account, "group": "all"}},
                        "spiffeIdentities": ["cluster.local/ns/a-b/sa/c"],
                    }),
                ),
            ];
            for (name, schemes) in schemes {
                if self.random.chance(70) {
                    let metadata = json!({"name": name, "namespace": namespace});
                    let body = json!({"spec": {"schemes": schemes}});
                    self.push("access.smi-spec.io/v1alpha4", "IdentityBinding", metadata, body);
                }
            }
        }
    }

    fn target(&mut self, place: usize) {
        let (namespace, destination) = *one_of(self.random, APPS);
        let destination = if self.random.chance(12) { "shared" } else { destination };
        let version = match self.random.below(20) {
            0 => "v1alpha1",
            1 | 2 => "v1alpha2",
            3..=7 => "v1alpha4",
            _ => "v1alpha3",
        };
        let subject = |kind: &str, name: &str, namespace: &str| json!({"kind": kind, "name": name, "namespace": namespace});
        let mut rules = Vec::new();
        if self.random.chance(65) {
            let group = if self.random.chance(5) { "missing" } else { one_of(self.random, &["g", "h"]) };
            let mut rule = json!({"kind": "HTTPRouteGroup", "name": group});
            if self.random.chance(40) {
                rule["matches"] = json!([format!("m{}", self.random.below(3))]);
            }
            rules.push(rule);
        }
        if rules.is_empty() || self.random.chance(15) {
            let route = if self.random.chance(5) { "missing" } else { "p" };
            rules.push(json!({"kind": "TCPRoute", "name": route}));
        }
        if matches!(version, "v1alpha3" | "v1alpha4") && self.random.chance(30) {
            let route = if self.random.chance(5) { "missing" } else { "u" };
            rules.push(json!({"kind": "UDPRoute", "name": route}));
        }
        const BINDINGS: &[&str] = &["labelled", "account", "ids", "several", "missing"];
        let mut sources = Vec::new();
        for _ in 0..2 + self.random.below(4) {
            let (of, account) = *one_of(self.random, APPS);
            if version == "v1alpha4" && self.random.chance(40) {
                sources.push(subject("IdentityBinding", one_of::<&str>(self.random, BINDINGS), of));
            } else {
                let account = if self.random.chance(10) { "shared" } else { account };
                sources.push(subject("ServiceAccount", account, of));
            }
        }
        let mut to = subject("ServiceAccount", destination, namespace);
        if version == "v1alpha4" && self.random.chance(25) {
            to = subject("IdentityBinding", one_of::<&str>(self.random, BINDINGS), namespace);
        }
        if matches!(version, "v1alpha1" | "v1alpha2") && self.random.chance(60) {
            to["port"] = json!(*one_of(self.random, &[HTTP, OTHER, TCP]));
        }
        let metadata = json!({"name": format!("t{place}"), "namespace": namespace});
        let body = if version == "v1alpha1" {
            json!({"destination": to, "specs": rules, "sources": sources})
        } else {
            json!({"spec": {"destination": to, "rules": rules, "sources": sources}})
        };
        self.push(&format!("access.smi-spec.io/{version}"), "TrafficTarget", metadata, body);
    }

    fn split(&mut self, place: usize) {
        let (namespace, root) = *one_of(self.random, APPS);
        let mut beside: Vec<&str> =
            APPS.iter().filter(|(n, _)| *n == namespace).map(|(_, name)| *name).collect();
        beside.push(if namespace == "a" { "ext" } else { "ext-b" });
        let version = *one_of(self.random, &["v1alpha4", "v1alpha4", "v1alpha3", "v1alpha2", "v1alpha1"]);
        let root = match self.random.below(10) {
            0 => format!("{root}.{namespace}"),
            1 => format!("{root}.{namespace}.svc.cluster.local"),
            _ => root.to_owned(),
        };
        let mut backends = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let service = if self.random.chance(5) { "missing" } else { one_of(self.random, &beside) };
            let weight = if version == "v1alpha1" {
                one_of(self.random, &[json!("1"), json!("500m"), json!(2), json!("0"), json!("1.5")]).clone()
            } else {
                json!(self.random.below(5))
            };
            backends.push(json!({"service": service, "weight": weight}));
        }
        let mut spec = json!({"service": root, "backends": backends});
        if matches!(version, "v1alpha3" | "v1alpha4") && self.random.chance(50) {
            spec["matches"] = json!([{"kind": "HTTPRouteGroup", "name": one_of(self.random, &["g", "h"])}]);
        }
        let metadata = json!({"name": format!("s{place}"), "namespace": namespace});
        self.push(&format!("split.smi-spec.io/{version}"), "TrafficSplit", metadata, json!({"spec": spec}));
    }
}

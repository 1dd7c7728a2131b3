//! JSON form of an IR, for programs.
//!
//! Shape: mirrors [`Ir`], with a version on top ([`FORMAT`]). Maps have the ids of [`super::text`] as keys: `shop/cart` for services, grants and
//! pods, `shop/cart:80` and `shop/dns:53/udp` for pools, `shop/cart+binding` for workloads; whatever refers to a unit does so by its id. Names
//! of fields are in camel case, as in Kubernetes. Absent settings are absent fields; `null` stands for nothing else than an unknown pod.
//! Units: ports are numbers, addresses text, timeouts milliseconds.
//! Determinism: ordered maps and a fixed order of fields, so that equal IRs have equal bytes (S35).
//! Stability: fields may be added under the same format; whoever removes one or changes its meaning raises [`FORMAT`].
//! Absent: reading it back. The IR is made by the compiler alone, which upholds what [`super::verify`] checks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::pattern::{Anchor, Lowered};
use super::{
    AllowedPorts, EncodedSlashes, HttpCondition, HttpMatch, Ir, ListenerKey, Methods, Mode, Origin, Pattern,
    Principal, ProtocolSource, Route, RouteCondition, TrafficPolicy, text,
};
use crate::hub::names::{Namespaced, Port, Transport};

/// Version of the form.
pub const FORMAT: &str = "smi-ir/1";

impl Serialize for Ir {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document::of(self).serialize(serializer)
    }
}

/// Units by id, in the order of the IR.
struct Units<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for Units<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(id, unit)| (id, unit)))
    }
}

impl<T> FromIterator<(String, T)> for Units<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(units: I) -> Self {
        Self(units.into_iter().collect())
    }
}

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    settings: Settings<'a>,
    listeners: Vec<Listener<'a>>,
    services: Units<Service<'a>>,
    pools: Units<Pool<'a>>,
    workloads: Units<Workload<'a>>,
    grants: Units<Grant<'a>>,
    pods: Units<Pod<'a>>,
    callers: Units<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings<'a> {
    trust_domain: &'a str,
    mesh_domains: Vec<&'a str>,
    cluster_domain: &'a str,
    encoded_slashes: EncodedSlashes,
}

/// `protocol` is `http`, `tcp` or `udp`; `service` is absent for HTTP, whose services share the listener.
#[derive(Serialize)]
struct Listener<'a> {
    listen: Port,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a Namespaced>,
    port: Port,
}

#[derive(Serialize)]
struct Service<'a> {
    mode: Mode,
    addresses: &'a [IpAddr],
    ports: Vec<ServicePort<'a>>,
    origin: &'a Origin,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServicePort<'a> {
    port: Port,
    transport: Transport,
    /// `http`, `h2c`, `https`, `tcp` or `udp`.
    protocol: &'static str,
    decided_by: ProtocolSource,
    policy: Policy<'a>,
    routes: Vec<RouteView<'a>>,
}

/// `anyOf` is absent where the route is for everything.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    any_of: Option<Vec<Match<'a>>>,
    targets: Vec<Target<'a>>,
    origin: &'a Origin,
}

#[derive(Serialize)]
struct Target<'a> {
    pool: String,
    weight: u32,
    origin: &'a Origin,
}

/// `path` is absent for any path, `methods` for any method.
#[derive(Serialize)]
struct Match<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PatternView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    methods: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'a str, PatternView<'a>>,
    origin: &'a Origin,
}

#[derive(Serialize)]
struct PatternView<'a> {
    /// As the user wrote it.
    regex: &'a str,
    /// `start`: `^(?:RE)`; `whole`: `^(?:RE)$`.
    anchor: &'static str,
    means: Means<'a>,
}

/// The language of the pattern.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Means<'a> {
    Any,
    Exact(&'a str),
    Prefix(&'a str),
    Regex(&'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Policy<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<Setting<'a, Retry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<Setting<'a, Amount>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    circuit_breaker: Option<Setting<'a, Breaker>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<Setting<'a, RateLimit>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_in_flight: Option<Setting<'a, Amount>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror: Option<Setting<'a, Mirror>>,
}

/// A setting beside its annotation.
#[derive(Serialize)]
struct Setting<'a, T> {
    #[serde(flatten)]
    value: T,
    origin: &'a Origin,
}

#[derive(Serialize)]
struct Amount {
    value: u32,
}

#[derive(Serialize)]
struct Retry {
    attempts: u32,
}

#[derive(Serialize)]
struct Breaker {
    expression: String,
}

#[derive(Serialize)]
struct RateLimit {
    average: u32,
    burst: u32,
}

#[derive(Serialize)]
struct Mirror {
    pool: String,
    percent: u8,
}

#[derive(Serialize)]
struct Pool<'a> {
    endpoints: Vec<Endpoint<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    templates: Vec<Template>,
}

#[derive(Serialize)]
struct Endpoint<'a> {
    address: String,
    ready: bool,
    pod: Option<String>,
    workload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
}

#[derive(Serialize)]
struct Template {
    workload: String,
    port: Port,
}

#[derive(Serialize)]
struct Workload<'a> {
    namespace: &'a str,
    account: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bindings: Vec<&'a str>,
    mode: Mode,
    grants: Vec<&'a Namespaced>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    probes: Vec<Probe<'a>>,
}

/// `path` is absent for probes that only connect.
#[derive(Serialize)]
struct Probe<'a> {
    port: Port,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
}

/// A part that is not granted is absent.
#[derive(Serialize)]
struct Grant<'a> {
    sources: Vec<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Part<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    udp: Option<Part<'a>>,
    origin: &'a Origin,
}

/// Either `identity`, a SPIFFE ID, or `binding`, the name of an IdentityBinding.
#[derive(Serialize)]
struct Source<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binding: Option<&'a Namespaced>,
    origin: &'a Origin,
}

/// `ports` is absent for every port; `anyOf` is absent for every request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<Vec<Port>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    any_of: Option<Vec<Match<'a>>>,
    rules: &'a [Origin],
}

#[derive(Serialize)]
struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<Vec<Port>>,
    rules: &'a [Origin],
}

#[derive(Serialize)]
struct Pod<'a> {
    workload: String,
    addresses: &'a [IpAddr],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    probes: Vec<Probe<'a>>,
}

impl<'a> Document<'a> {
    fn of(ir: &'a Ir) -> Self {
        Self {
            format: FORMAT,
            settings: Settings {
                trust_domain: &ir.settings.trust_domain,
                mesh_domains: ir.settings.mesh_domains.iter().map(|d| &**d).collect(),
                cluster_domain: &ir.settings.cluster_domain,
                encoded_slashes: ir.settings.encoded_slashes,
            },
            listeners: ir.listeners.entries.iter().map(|(key, listen)| listener(key, *listen)).collect(),
            services: ir.services.iter().map(|(name, s)| (name.to_string(), service(s))).collect(),
            pools: ir.pools.iter().map(|(key, p)| (key.to_string(), pool(p))).collect(),
            workloads: ir.workloads.iter().map(|(id, w)| (id.to_string(), workload(id, w))).collect(),
            grants: ir.grants.iter().map(|(name, g)| (name.to_string(), grant(g))).collect(),
            pods: ir
                .pods
                .iter()
                .map(|(id, pod)| {
                    let (workload, probes) = (pod.workload.to_string(), probes(pod.probes.iter()));
                    (id.to_string(), Pod { workload, addresses: &pod.addresses, probes })
                })
                .collect(),
            callers: ir.callers.iter().map(|(address, pod)| (address.to_string(), pod.to_string())).collect(),
        }
    }
}

fn probes<'a>(probes: impl Iterator<Item = &'a crate::cluster::Probe>) -> Vec<Probe<'a>> {
    probes.map(|p| Probe { port: p.port, path: p.path.as_deref() }).collect()
}

fn listener(key: &ListenerKey, listen: Port) -> Listener<'_> {
    let (protocol, service, port) = match key {
        ListenerKey::Http(port) => ("http", None, *port),
        ListenerKey::Tcp(service, port) => ("tcp", Some(service), *port),
        ListenerKey::Udp(service, port) => ("udp", Some(service), *port),
    };
    Listener { listen, protocol, service, port }
}

fn service(service: &super::Service) -> Service<'_> {
    let ports = service.ports.iter().map(|p| ServicePort {
        port: p.port,
        transport: p.transport,
        protocol: text::protocol(p.protocol),
        decided_by: p.decided_by,
        policy: policy(&p.policy),
        routes: p.routes.iter().map(route).collect(),
    });
    Service {
        mode: service.mode,
        addresses: &service.addresses,
        ports: ports.collect(),
        origin: &service.origin,
    }
}

fn route(route: &Route) -> RouteView<'_> {
    let targets = route.targets.iter().map(|t| Target {
        pool: t.pool.to_string(),
        weight: t.weight,
        origin: &t.origin,
    });
    let any_of = match &route.condition {
        RouteCondition::Everything => None,
        RouteCondition::AnyOf(matches) => Some(matches.iter().map(|m| http_match(m)).collect()),
    };
    RouteView { any_of, targets: targets.collect(), origin: &route.origin }
}

fn http_match(m: &HttpMatch) -> Match<'_> {
    Match {
        path: m.path.as_ref().map(pattern),
        methods: match &m.methods {
            Methods::Any => None,
            Methods::Only(methods) => Some(methods.iter().map(|m| &**m).collect()),
        },
        headers: m.headers.iter().map(|h| (&*h.name, pattern(&h.value))).collect(),
        origin: &m.origin,
    }
}

fn pattern(pattern: &Pattern) -> PatternView<'_> {
    let anchor = match pattern.anchor() {
        Anchor::Start => "start",
        Anchor::Whole => "whole",
    };
    let means = match pattern.lowered() {
        Lowered::Any => Means::Any,
        Lowered::Exact(text) => Means::Exact(text),
        Lowered::Prefix(text) => Means::Prefix(text),
        Lowered::Regex(text) => Means::Regex(text),
    };
    PatternView { regex: pattern.text(), anchor, means }
}

fn policy(policy: &TrafficPolicy) -> Policy<'_> {
    fn setting<'a, V, T>(
        from: Option<&'a (V, Origin)>,
        value: impl Fn(&'a V) -> T,
    ) -> Option<Setting<'a, T>> {
        from.map(|(v, origin)| Setting { value: value(v), origin })
    }
    Policy {
        retry: setting(policy.retry.as_ref(), |r| Retry { attempts: r.attempts }),
        timeout_ms: setting(policy.timeout_ms.as_ref(), |ms| Amount { value: *ms }),
        circuit_breaker: setting(policy.circuit_breaker.as_ref(), |e| Breaker { expression: e.to_string() }),
        rate_limit: setting(policy.rate_limit.as_ref(), |l| RateLimit { average: l.average, burst: l.burst }),
        max_in_flight: setting(policy.max_in_flight.as_ref(), |most| Amount { value: *most }),
        mirror: setting(policy.mirror.as_ref(), |m| Mirror { pool: m.pool.to_string(), percent: m.percent }),
    }
}

fn pool(pool: &super::Pool) -> Pool<'_> {
    let endpoints = pool.endpoints.iter().map(|e| Endpoint {
        address: e.socket().to_string(),
        ready: e.ready,
        pod: e.pod.as_ref().map(ToString::to_string),
        workload: e.workload.as_ref().map(ToString::to_string),
        node: e.locality.as_ref().and_then(|l| l.node.as_deref()),
        zone: e.locality.as_ref().and_then(|l| l.zone.as_deref()),
    });
    let templates =
        pool.templates.iter().map(|(id, port)| Template { workload: id.to_string(), port: *port });
    Pool { endpoints: endpoints.collect(), templates: templates.collect() }
}

fn workload<'a>(id: &'a super::WorkloadId, workload: &'a super::Workload) -> Workload<'a> {
    Workload {
        namespace: id.namespace.as_str(),
        account: id.account.as_str(),
        bindings: id.bindings.iter().map(|b| b.as_str()).collect(),
        mode: workload.mode,
        grants: workload.grants.iter().collect(),
        probes: probes(workload.probes.iter()),
    }
}

fn grant(grant: &super::Grant) -> Grant<'_> {
    let sources = grant.sources.iter().map(|source| {
        let (identity, binding) = match &source.principal {
            Principal::Identity(id) => (Some(id.as_str()), None),
            Principal::Binding(name) => (None, Some(name)),
        };
        Source { identity, binding, origin: &source.origin }
    });
    let http = grant.http.as_ref().map(|http| HttpPart {
        ports: ports(&http.ports),
        any_of: match &http.condition {
            HttpCondition::Any => None,
            HttpCondition::AnyOf(matches) => Some(matches.iter().map(|m| http_match(m)).collect()),
        },
        rules: &grant.rules.http,
    });
    let tcp = grant.tcp.as_ref().map(|p| Part { ports: ports(p), rules: &grant.rules.tcp });
    let udp = grant.udp.as_ref().map(|p| Part { ports: ports(p), rules: &grant.rules.udp });
    Grant { sources: sources.collect(), http, tcp, udp, origin: &grant.origin }
}

fn ports(ports: &AllowedPorts) -> Option<Vec<Port>> {
    match ports {
        AllowedPorts::All => None,
        AllowedPorts::Only(ports) => Some(ports.iter().copied().collect()),
    }
}

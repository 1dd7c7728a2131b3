//! Clusters: namespaces, accounts, Services of every kind, pods in every state, templates, EndpointSlices and Endpoints.
//!
//! Shape: [`manifests`] gives documents, so that whatever fails can be applied or kept as a case; [`cluster`] reads them. Pods of one
//! service are alike but for their state. Some addresses are shared, some are the node's, some are nobody's.

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::sample::select;
use proptest::{bool, option, prop_oneof};
use serde_json::{Value, json};

use super::vocabulary::{APPS, NAMESPACES};
use crate::cluster::Cluster;
use crate::load::{Input, Limits, load};
use crate::testing::text;

/// What a pod is like.
#[derive(Clone, Debug)]
struct PodShape {
    account: Option<&'static str>,
    address: Address,
    dual: bool,
    state: State,
    grouped: bool,
    probed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Address {
    Own,
    /// The first pod's of the first service.
    Shared,
    /// The node's, by `hostNetwork`.
    Host,
    None,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Ready,
    NotReady,
    Pending,
    Succeeded,
    Deleted,
}

fn pod() -> BoxedStrategy<PodShape> {
    let account = prop_oneof![6 => Just(Some("own")), 1 => Just(Some("shared")), 1 => Just(None)];
    let address = prop_oneof![
        12 => Just(Address::Own),
        1 => Just(Address::Shared),
        1 => Just(Address::Host),
        1 => Just(Address::None),
    ];
    let state = prop_oneof![
        12 => Just(State::Ready),
        2 => Just(State::NotReady),
        1 => Just(State::Pending),
        1 => Just(State::Succeeded),
        1 => Just(State::Deleted),
    ];
    (account, address, bool::weighted(0.2), state, any::<bool>(), bool::weighted(0.1))
        .prop_map(|(account, address, dual, state, grouped, probed)| PodShape {
            account,
            address,
            dual,
            state,
            grouped,
            probed,
        })
        .boxed()
}

/// What a Service is like.
#[derive(Clone, Debug)]
struct ServiceShape {
    kind: &'static str,
    selector: &'static str,
    http: Http,
    second: bool,
    tcp: bool,
    udp: bool,
    sctp: bool,
    annotations: Option<&'static [(&'static str, &'static str)]>,
}

/// The port 80.
#[derive(Clone, Copy, Debug)]
struct Http {
    name: &'static str,
    app_protocol: Option<&'static str>,
    by_name: bool,
}

const ANNOTATIONS: [&[(&str, &str)]; 8] = [
    &[("mesh.smi-sdk.io/scheme", "h2c")],
    &[("mesh.traefik.io/traffic-type", "tcp")],
    &[("mesh.smi-sdk.io/traffic-type", "http"), ("mesh.traefik.io/retry-attempts", "2")],
    &[("mesh.smi-sdk.io/timeout", "1.5s"), ("mesh.smi-sdk.io/max-in-flight", "100")],
    &[("mesh.traefik.io/ratelimit-average", "100"), ("mesh.traefik.io/ratelimit-burst", "200")],
    &[("mesh.traefik.io/circuit-breaker-expression", "NetworkErrorRatio() > 0.5")],
    &[("mesh.smi-sdk.io/mirror-service", "v1"), ("mesh.smi-sdk.io/mirror-percent", "10")],
    &[("mesh.smi-sdk.io/retry-attempts", "many"), ("mesh.smi-sdk.io/retries", "2"), ("other.io/x", "y")],
];

fn service() -> BoxedStrategy<ServiceShape> {
    let kind = prop_oneof![10 => Just("ClusterIP"), 1 => Just("Headless"), 1 => Just("ExternalName")];
    let selector = prop_oneof![10 => Just("app"), 2 => Just("group"), 1 => Just("")];
    let http = (
        prop_oneof![8 => Just("http"), 1 => Just("tcp-raw"), 1 => Just("main"), 1 => Just("grpc")],
        option::weighted(0.15, select(&["http", "kubernetes.io/h2c", "https", "mysql"][..])),
        bool::weighted(0.8),
    )
        .prop_map(|(name, app_protocol, by_name)| Http { name, app_protocol, by_name });
    let ports = (http, bool::weighted(0.3), bool::weighted(0.5), bool::weighted(0.3), bool::weighted(0.05));
    (kind, selector, ports, option::weighted(0.15, select(&ANNOTATIONS[..])))
        .prop_map(|(kind, selector, (http, second, tcp, udp, sctp), annotations)| ServiceShape {
            kind,
            selector,
            http,
            second,
            tcp,
            udp,
            sctp,
            annotations,
        })
        .boxed()
}

/// One service always serves HTTP on the ports 80 and 81: what listens nowhere answers nothing, not even that a request is bad.
fn listening(service: Option<ServiceShape>) -> ServiceShape {
    let http = Http { name: "http", app_protocol: None, by_name: true };
    let (tcp, udp) = service.map_or((false, false), |service| (service.tcp, service.udp));
    ServiceShape {
        kind: "ClusterIP",
        selector: "app",
        http,
        second: true,
        tcp,
        udp,
        sctp: false,
        annotations: None,
    }
}

/// A service with what is behind it.
#[derive(Clone, Debug)]
struct AppShape {
    service: Option<ServiceShape>,
    pods: Vec<PodShape>,
    template: Option<&'static str>,
    listed: Listed,
    foreign: bool,
}

/// Who lists the endpoints.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Listed {
    Nobody,
    Slices,
    Endpoints,
    /// An EndpointSlice without an endpoint.
    Empty,
}

fn app() -> BoxedStrategy<AppShape> {
    let listed = prop_oneof![
        6 => Just(Listed::Nobody),
        3 => Just(Listed::Slices),
        1 => Just(Listed::Endpoints),
        1 => Just(Listed::Empty),
    ];
    let template = option::weighted(0.2, select(&["Deployment", "StatefulSet", "DaemonSet", "Job"][..]));
    (option::weighted(0.95, service()), vec(pod(), 0..4), template, listed, bool::weighted(0.1))
        .prop_map(|(service, pods, template, listed, foreign)| AppShape {
            service,
            pods,
            template,
            listed,
            foreign,
        })
        .boxed()
}

/// Manifests of a cluster. They load without errors.
pub fn manifests() -> BoxedStrategy<Vec<Value>> {
    let apps = [(); APPS.len()].map(|()| app());
    let labels = vec(option::of(select(&["on", "off"][..])), NAMESPACES.len());
    (apps, labels, any::<bool>())
        .prop_map(|(mut apps, labels, accounts)| {
            let mut out = Vec::new();
            if let Some(app) = apps.last_mut() {
                app.service = Some(listening(app.service.take()));
            }
            for (namespace, label) in NAMESPACES.iter().zip(labels) {
                if let Some(label) = label {
                    out.push(json!({"apiVersion": "v1", "kind": "Namespace",
                    "metadata": {"name": namespace, "labels": {"mesh": label}}}));
                }
                if accounts {
                    out.push(json!({"apiVersion": "v1", "kind": "ServiceAccount",
                    "metadata": {"name": "shared", "namespace": namespace}}));
                }
            }
            for (place, (shape, (namespace, name))) in apps.iter().zip(APPS).enumerate() {
                write_app(&mut out, place, namespace, name, shape);
            }
            out
        })
        .boxed()
}

/// A cluster.
pub fn cluster() -> BoxedStrategy<Cluster> {
    manifests()
        .prop_map(|documents| {
            load(&[Input::new("cluster.yaml", text(&documents))], &Limits::default()).cluster
        })
        .boxed()
}

fn write_app(out: &mut Vec<Value>, place: usize, namespace: &str, name: &str, app: &AppShape) {
    let addresses: Vec<Vec<String>> =
        app.pods.iter().enumerate().map(|(pod, shape)| addresses(place, pod, shape)).collect();
    for (number, (shape, addresses)) in app.pods.iter().zip(&addresses).enumerate() {
        out.push(write_pod(namespace, name, number, shape, addresses));
    }
    if let Some(kind) = app.template {
        let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
        out.push(json!({
            "apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace},
            "spec": {"template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"serviceAccountName": name, "containers": [container(false)]},
            }},
        }));
    }
    let Some(service) = &app.service else { return };
    out.push(write_service(namespace, name, service));
    if service.kind != "ExternalName" {
        write_endpoints(out, namespace, name, app, &addresses);
    }
}

fn addresses(place: usize, pod: usize, shape: &PodShape) -> Vec<String> {
    let mut out = match shape.address {
        Address::Own => vec![format!("127.1.{place}.{}", pod + 1)],
        Address::Shared => vec!["127.1.0.1".to_owned()],
        Address::Host => vec![format!("127.200.0.{}", pod + 1)],
        Address::None => return Vec::new(),
    };
    if shape.dual {
        out.push(format!("fd00::{}:{}", place + 1, pod + 1));
    }
    out
}

fn container(probed: bool) -> Value {
    let mut out = json!({"name": "app", "ports": [
        {"name": "http", "containerPort": 8080},
        {"name": "pg", "containerPort": 5432},
        {"name": "dns", "containerPort": 5353, "protocol": "UDP"},
    ]});
    if let (true, Some(map)) = (probed, out.as_object_mut()) {
        map.insert("livenessProbe".into(), json!({"httpGet": {"path": "/api", "port": "http"}}));
        map.insert("readinessProbe".into(), json!({"tcpSocket": {"port": 5432}}));
    }
    out
}

fn write_pod(namespace: &str, name: &str, number: usize, shape: &PodShape, addresses: &[String]) -> Value {
    let mut labels = json!({"app": name});
    if let (true, Some(map)) = (shape.grouped, labels.as_object_mut()) {
        map.insert("group".into(), json!("all"));
    }
    let mut spec = json!({"containers": [container(shape.probed)], "nodeName": format!("node-{number}")});
    if let Some(map) = spec.as_object_mut() {
        if let Some(account) = shape.account {
            map.insert("serviceAccountName".into(), json!(if account == "own" { name } else { account }));
        }
        if matches!(shape.address, Address::Host) {
            map.insert("hostNetwork".into(), json!(true));
        }
    }
    let phase = match shape.state {
        State::Ready | State::NotReady | State::Deleted => "Running",
        State::Pending => "Pending",
        State::Succeeded => "Succeeded",
    };
    let ready = if matches!(shape.state, State::Ready | State::Deleted) { "True" } else { "False" };
    let ips: Vec<Value> = addresses.iter().map(|ip| json!({"ip": ip})).collect();
    let mut metadata = json!({"name": format!("{name}-{number}"), "namespace": namespace, "labels": labels});
    if let (State::Deleted, Some(map)) = (shape.state, metadata.as_object_mut()) {
        map.insert("deletionTimestamp".into(), json!("2024-01-01T00:00:00Z"));
    }
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
        "status": {"phase": phase, "podIPs": ips, "conditions": [{"type": "Ready", "status": ready}]},
    })
}

fn write_service(namespace: &str, name: &str, shape: &ServiceShape) -> Value {
    let mut metadata = json!({"name": name, "namespace": namespace});
    if let (Some(pairs), Some(map)) = (shape.annotations, metadata.as_object_mut()) {
        let annotations: serde_json::Map<String, Value> =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
        map.insert("annotations".into(), annotations.into());
    }
    if shape.kind == "ExternalName" {
        return json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
            "spec": {"type": "ExternalName", "externalName": "outside.example"}});
    }
    let target = if shape.http.by_name { json!("http") } else { json!(8080) };
    let mut ports = vec![json!({"name": shape.http.name, "port": 80, "targetPort": target})];
    if let (Some(app), Some(map)) =
        (shape.http.app_protocol, ports.first_mut().and_then(Value::as_object_mut))
    {
        map.insert("appProtocol".into(), json!(app));
    }
    for (wanted, port) in [
        (shape.second, json!({"name": "http-b", "port": 81, "targetPort": 8081})),
        (shape.tcp, json!({"name": "tcp-pg", "port": 5432, "targetPort": "pg"})),
        (shape.udp, json!({"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"})),
        (shape.sctp, json!({"name": "sctp", "port": 99, "protocol": "SCTP"})),
    ] {
        if wanted {
            ports.push(port);
        }
    }
    let mut spec = json!({"ports": ports});
    if let Some(map) = spec.as_object_mut() {
        match shape.selector {
            "app" => drop(map.insert("selector".into(), json!({"app": name}))),
            "group" => drop(map.insert("selector".into(), json!({"group": "all"}))),
            _ => {}
        }
        if shape.kind == "Headless" {
            map.insert("clusterIP".into(), json!("None"));
        }
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

fn write_endpoints(
    out: &mut Vec<Value>,
    namespace: &str,
    name: &str,
    app: &AppShape,
    addresses: &[Vec<String>],
) {
    let Some(service) = &app.service else { return };
    let ports = json!([
        {"name": service.http.name, "port": 8080},
        {"name": "http-b", "port": 8081},
        {"name": "tcp-pg", "port": 5432},
        {"name": "dns", "port": 5353, "protocol": "UDP"},
    ]);
    let listed = app.pods.iter().zip(addresses).enumerate();
    match app.listed {
        Listed::Nobody => {}
        Listed::Endpoints => {
            let (mut ready, mut others) = (Vec::new(), Vec::new());
            for (number, (shape, addresses)) in listed {
                let Some(ip) = addresses.first() else { continue };
                let target =
                    json!({"kind": "Pod", "name": format!("{name}-{number}"), "namespace": namespace});
                let entry = json!({"ip": ip, "targetRef": target});
                if matches!(shape.state, State::Ready) { &mut ready } else { &mut others }.push(entry);
            }
            if app.foreign {
                ready.push(json!({"ip": "127.250.0.1"}));
            }
            out.push(json!({"apiVersion": "v1", "kind": "Endpoints",
                "metadata": {"name": name, "namespace": namespace},
                "subsets": [{"addresses": ready, "notReadyAddresses": others, "ports": ports}]}));
        }
        Listed::Slices | Listed::Empty => {
            for (family, suffix, place) in [("IPv4", "4", 0), ("IPv6", "6", 1)] {
                let mut endpoints = Vec::new();
                if app.listed == Listed::Slices {
                    for (number, (shape, addresses)) in listed.clone() {
                        let Some(ip) = addresses.get(place) else { continue };
                        let target = json!({"kind": "Pod", "name": format!("{name}-{number}"), "namespace": namespace});
                        endpoints.push(json!({"addresses": [ip], "targetRef": target, "zone": "z",
                            "conditions": {"ready": matches!(shape.state, State::Ready)}}));
                    }
                    if app.foreign && place == 0 {
                        endpoints.push(json!({"addresses": ["127.250.0.1"]}));
                    }
                }
                out.push(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                    "metadata": {"name": format!("{name}-{suffix}"), "namespace": namespace,
                        "labels": {"kubernetes.io/service-name": name}},
                    "addressType": family, "endpoints": endpoints, "ports": ports}));
            }
        }
    }
}

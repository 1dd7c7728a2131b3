//! A running proxy, worlds for it, and what callers see.

use std::path::PathBuf;

use smi_conformance::loopback::Speaks;
use smi_conformance::observe::Observation;
use smi_conformance::subject::LiveProxy as _;
use smi_conformance::traefik::LiveTraefik;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::eval::{Caller, HttpRequest, Payload, Request};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::Ir;
use smi_core::load::{Input, Limits, load};
use smi_traefik::Traefik;

use crate::wire::WAIT;

pub(crate) fn traefik() -> PathBuf {
    let variable = std::env::var_os("SMI_TRAEFIK");
    variable
        .map(PathBuf::from)
        .expect("no Traefik: run `cargo xtask test`, or `cargo xtask peers traefik` and set SMI_TRAEFIK")
}

/// A running proxy and what it holds now.
pub(crate) struct Mesh {
    pub(crate) live: LiveTraefik,
    pub(crate) ir: Ir,
}

impl Mesh {
    pub(crate) fn start() -> Self {
        Self { live: LiveTraefik::start(&traefik()).unwrap(), ir: Ir::default() }
    }

    /// A proxy that holds this world.
    pub(crate) fn of(text: &str) -> Self {
        let mut mesh = Self::start();
        mesh.load(text);
        mesh
    }

    /// Compiles, renders and loads; `$HTTP`, `$OTHER` and `$TCP` in the text are ports of pods.
    pub(crate) fn load(&mut self, text: &str) {
        self.load_with(text, CompileOptions::default());
    }

    /// The same with other options of the compiler.
    pub(crate) fn load_with(&mut self, text: &str, mut options: CompileOptions) {
        let mut port = |number, speaks| self.live.network().port(number, speaks).unwrap().to_string();
        let (http, other) = (port(8080, Speaks::Http), port(8081, Speaks::Http));
        let tcp = port(5432, Speaks::First);
        let text = text.replace("$HTTP", &http).replace("$OTHER", &other).replace("$TCP", &tcp);
        options.port_ranges = self.live.ranges();
        let world = load(&[Input::new("world.yaml", text)], &Limits::default());
        assert!(!world.report.has_errors(), "{:?}", world.report);
        self.ir = compile(&world.hub, &world.cluster, &options).ir;
        let rendered =
            Traefik { options: self.live.subject().options().clone() }.render(&self.ir, &ProxyTarget::Node);
        self.live.load(&self.ir, &rendered.output).unwrap();
    }

    pub(crate) fn send(&mut self, caller: &str, method: &str, url: &str, headers: &[(&str, &str)]) -> Seen {
        let (host, path) = url.split_once('/').unwrap();
        let (name, port) = host.rsplit_once('#').unwrap_or((host, "80"));
        let http = HttpRequest {
            port: Port::new(port.parse().unwrap()).unwrap(),
            host: name.into(),
            method: method.into(),
            target: format!("/{path}"),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        };
        let caller = Caller::Address(caller.parse().unwrap());
        self.observe(&Request { caller, payload: Payload::Http(http) })
    }

    pub(crate) fn observe(&mut self, request: &Request) -> Seen {
        seen(self.live.observe(&self.ir, &request.clone().into(), 1, WAIT).unwrap().remove(0))
    }

    pub(crate) fn get(&mut self, caller: &str, url: &str) -> Seen {
        self.send(caller, "GET", url, &[])
    }

    pub(crate) fn tcp(&mut self, caller: &str, service: &str, port: u16) -> Seen {
        let payload = Payload::Tcp { service: Namespaced::new("a", service), port: Port::new(port).unwrap() };
        let caller = Caller::Address(caller.parse().unwrap());
        self.observe(&Request { caller, payload })
    }
}

/// What a caller sees: the address of a pod, or a status.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    Pod(String),
    Status(u16),
    Closed,
    Silence,
}

pub(crate) fn seen(observation: Observation) -> Seen {
    match observation {
        Observation::Served(at, _) => Seen::Pod(at.ip().to_string()),
        Observation::Status(status) => Seen::Status(status),
        Observation::Closed => Seen::Closed,
        Observation::Silence => Seen::Silence,
        Observation::Tunnel(at) => panic!("a tunnel to {at}"),
    }
}

pub(crate) fn pod(at: &str) -> Seen {
    Seen::Pod(at.into())
}

pub(crate) const FORBIDDEN: Seen = Seen::Status(403);

/// A pod of namespace `a` that runs as an account of its name.
pub(crate) fn workload(name: &str, address: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, labels: {{app: {name}}}}}\nspec: {{serviceAccountName: {name}, containers: [{{name: app}}]}}\nstatus: {{phase: Running, podIP: {address}}}\n"
    )
}

/// A Service of namespace `a`; its selector is its name unless another is given.
pub(crate) fn service(name: &str, selector: &str, ports: &str, annotations: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: a, annotations: {{{annotations}}}}}\nspec: {{selector: {{app: {selector}}}, ports: [{ports}]}}\n"
    )
}

/// Grants of these rules, each from these accounts.
pub(crate) fn target(name: &str, destination: &str, rules: &str, sources: &[&str]) -> String {
    let sources: Vec<String> =
        sources.iter().map(|s| format!("{{kind: ServiceAccount, name: {s}, namespace: a}}")).collect();
    format!(
        "---\napiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {{name: {name}, namespace: a}}\nspec: {{destination: {{kind: ServiceAccount, name: {destination}, namespace: a}}, rules: [{rules}], sources: [{}]}}\n",
        sources.join(", ")
    )
}

/// A split of `root` over these backends.
pub(crate) fn split(backends: &str) -> String {
    format!(
        "---\napiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {{name: root, namespace: a}}\nspec: {{service: root, backends: [{backends}]}}\n"
    )
}

/// `g` has one match for each method and for `/one`, `/two`, and one for all; `tcp` is a TCPRoute of all ports.
pub(crate) const SPECS: &str = r#"---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: g, namespace: a}
spec:
  matches:
  - {name: all}
  - {name: read, methods: [GET]}
  - {name: one, pathRegex: "/one"}
  - {name: two, pathRegex: "/two"}
  - {name: beta, headers: [{x-user: beta}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: tcp, namespace: a}
spec: {}
"#;

pub(crate) const PORT: &str = "{name: http, port: 80, targetPort: $HTTP}";

pub(crate) fn http(matches: &str) -> String {
    format!("{{kind: HTTPRouteGroup, name: g, matches: [{matches}]}}")
}

/// `web` may send requests of these matches to `s`.
pub(crate) fn granted(matches: &str) -> String {
    [
        workload("web", "127.77.0.1"),
        workload("s", "127.77.1.1"),
        service("s", "s", PORT, ""),
        SPECS.to_owned(),
        target("s", "s", &http(matches), &["web"]),
    ]
    .concat()
}

/// Three callers of `s`: two with different grants, one with none.
pub(crate) fn limited(annotations: &str) -> String {
    [
        workload("web", "127.77.0.1"),
        workload("admin", "127.77.0.2"),
        workload("other", "127.77.0.3"),
        workload("s", "127.77.1.1"),
        service("s", "s", PORT, annotations),
        SPECS.to_owned(),
        target("web", "s", &http("read"), &["web"]),
        target("admin", "s", &http("all"), &["admin"]),
    ]
    .concat()
}

/// Two leaves behind `root`, half each: `web` may call the second only.
pub(crate) fn half_granted() -> String {
    [
        workload("web", "127.77.0.1"),
        workload("other", "127.77.0.3"),
        workload("v1", "127.77.1.1"),
        workload("v2", "127.77.1.2"),
        service("v1", "v1", PORT, ""),
        service("v2", "v2", PORT, ""),
        service("root", "none", PORT, ""),
        split("{service: v1, weight: 1}, {service: v2, weight: 1}"),
        SPECS.to_owned(),
        target("v2", "v2", &http("all"), &["web"]),
    ]
    .concat()
}

//! Worlds for tests of what a Service's pods speak and what its annotations ask for, and the proxies that serve them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, MeshMode, compile};
use smi_core::diag::Report;
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{Ir, ListenerKey};
use smi_core::load::{Input, Limits, load};
use smi_envoy::Envoy;

use super::mesh::{Mesh, check};
use super::{Running, curl, folder, free_port, start};

/// A world of pods at addresses below `127.0.<net>`, whose accounts are called as they are.
pub(crate) struct World {
    net: u8,
    text: String,
    /// With options for the proxies.
    pub(crate) backend: Envoy,
    pub(crate) mode: MeshMode,
}

impl World {
    pub(crate) fn new(net: u8) -> Self {
        Self { net, text: String::new(), backend: Envoy::default(), mode: MeshMode::Enforce }.pod("web", 1)
    }

    pub(crate) fn at(&self, host: u8) -> IpAddr {
        IpAddr::from([127, 0, self.net, host])
    }

    /// A pod of an account of this name, at port 8080.
    pub(crate) fn pod(self, name: &str, host: u8) -> Self {
        let at = self.at(host);
        self.more(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}-{host}, namespace: shop, labels: {{app: {name}, all: pods}}}}\n\
             spec: {{serviceAccountName: {name}, containers: [{{name: app, ports: [{{name: http, containerPort: 8080}}]}}]}}\n\
             status: {{phase: Running, podIP: {at}, conditions: [{{type: Ready, status: 'True'}}]}}\n"
        ))
    }

    /// A service of the account's pods, and everything that `web` may ask of them.
    pub(crate) fn service(self, name: &str, annotations: &[(&str, &str)]) -> Self {
        self.service_without_grant(name, annotations).grant(name, "all")
    }

    /// A TCP service of the account's pods at 5432, of which `web` may use as much as `granted` says.
    pub(crate) fn tcp_service(self, name: &str, account: &str, granted: bool) -> Self {
        let world = self.more(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{selector: {{app: {account}}}, ports: [{{name: tcp, port: 5432, targetPort: http}}]}}\n"
        ));
        let rule = "apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {name: tcp, namespace: shop}\nspec: {matches: {ports: []}}\n";
        let target = format!(
            "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {{name: {account}-tcp, namespace: shop}}\n\
             spec:\n  destination: {{kind: ServiceAccount, name: {account}, namespace: shop}}\n\
             \x20 rules: [{{kind: TCPRoute, name: tcp}}]\n  sources: [{{kind: ServiceAccount, name: web, namespace: shop}}]\n"
        );
        if granted { world.more(rule).more(&target) } else { world }
    }

    /// A service of the account's pods.
    pub(crate) fn service_without_grant(self, name: &str, annotations: &[(&str, &str)]) -> Self {
        let annotations: Vec<String> =
            annotations.iter().map(|(key, value)| format!("mesh.smi-sdk.io/{key}: '{value}'")).collect();
        let annotations = annotations.join(", ");
        self.more(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop, annotations: {{{annotations}}}}}\n\
             spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: http}}]}}\n"
        ))
    }

    pub(crate) fn grant(self, account: &str, rule: &str) -> Self {
        self.more(&format!(
            "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {{name: {account}-{rule}, namespace: shop}}\n\
             spec:\n  destination: {{kind: ServiceAccount, name: {account}, namespace: shop}}\n\
             \x20 rules: [{{kind: HTTPRouteGroup, name: {rule}}}]\n  sources: [{{kind: ServiceAccount, name: web, namespace: shop}}]\n"
        ))
    }

    pub(crate) fn more(mut self, text: &str) -> Self {
        self.text += "---\n";
        self.text += text;
        self
    }

    pub(crate) fn compiled(&self) -> Ir {
        let text = format!(
            "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {{name: all, namespace: shop}}\n\
             spec: {{matches: [{{name: all}}]}}\n{}",
            self.text
        );
        let world = load(&[Input::new("world.yaml", text)], &Limits::default());
        assert!(!world.report.has_errors(), "{:?}", world.report);
        let mut options = CompileOptions::default();
        options.settings.mesh_domains = vec!["mesh".into(), "maesh".into()];
        options.mode = self.mode.clone();
        let compiled = compile(&world.hub, &world.cluster, &options);
        assert!(!compiled.report.has_errors(), "{:?}", compiled.report);
        compiled.ir
    }

    /// An Envoy for the node, and one as `web`'s sidecar with those of all others.
    pub(crate) fn start(&self, name: &str) -> (Proxy, Proxy) {
        let ir = self.compiled();
        let port = ir.listeners.entries[&ListenerKey::Http(Port::new(80).unwrap())].get();
        let admin = free_port();
        let mut backend = self.backend.clone();
        // No pod's address.
        backend.options.listen = self.at(254);
        backend.options.admin_port = Some(admin);
        let rendered = backend.render(&ir, &ProxyTarget::Node);
        check(&backend, &rendered.output);
        let file = folder(name).join("node.json");
        std::fs::write(&file, rendered.output.static_bootstrap().json().unwrap()).unwrap();
        let node = Proxy {
            caller: self.at(1),
            at: SocketAddr::new(self.at(254), port),
            admin,
            report: rendered.report,
            running: vec![start(&file, admin)],
        };
        let mut mesh = Mesh::of(ir, name);
        mesh.backend.options.pod_tls = self.backend.options.pod_tls.clone();
        let running = mesh.start().into_values().collect();
        let sidecar = Proxy {
            caller: self.at(1),
            at: SocketAddr::new(self.at(1), port),
            admin: 0,
            report: Report::new(),
            running,
        };
        (node, sidecar)
    }
}

/// An Envoy that `web` calls through.
pub(crate) struct Proxy {
    pub(crate) caller: IpAddr,
    pub(crate) at: SocketAddr,
    pub(crate) admin: u16,
    pub(crate) report: Report,
    pub(crate) running: Vec<Running>,
}

impl Proxy {
    /// What a connection to a TCP service gets, which speaks HTTP nonetheless.
    pub(crate) fn connect(&self, ir: &Ir, service: &str) -> String {
        let key = ListenerKey::Tcp(Namespaced::new("shop", service), Port::new(5432).unwrap());
        let url = format!("http://{}:{}/", self.at.ip(), ir.listeners.entries[&key]);
        curl(&["--interface", &self.caller.to_string(), &url])
    }

    /// `200 pod 127.0.0.1`, or another status.
    pub(crate) fn ask(&self, host: &str, path: &str) -> String {
        let (from, host) = (self.caller.to_string(), format!("Host: {host}"));
        let url = format!("http://{}{path}", self.at);
        let answer =
            curl(&["--max-time", "5", "--interface", &from, "-H", &host, "-w", "\n%{http_code}", &url]);
        let (body, status) = answer.rsplit_once('\n').unwrap();
        if status == "200" { format!("200 {body}") } else { status.to_owned() }
    }

    /// The same for as many requests as fast as they come.
    pub(crate) fn ask_on(&self, host: &str, count: usize) -> Vec<String> {
        let (from, host) = (self.caller.to_string(), format!("Host: {host}"));
        let url = format!("http://{}/?[1-{count}]", self.at);
        let out =
            curl(&["--max-time", "9", "--interface", &from, "-H", &host, "-w", "\\n%{http_code}\\n", &url]);
        let lines: Vec<&str> = out.lines().collect();
        let answer = |pair: &[&str]| match pair {
            [body, "200"] => format!("200 {body}"),
            [_, status] => (*status).to_owned(),
            _ => panic!("{out}"),
        };
        lines.chunks(2).map(answer).collect()
    }

    /// Answers to as many at the same time, without the pods' addresses.
    pub(crate) fn at_once(
        &self,
        count: usize,
        ask: impl Fn(usize) -> String + Sync,
    ) -> BTreeMap<String, usize> {
        let mut out = BTreeMap::new();
        let answers: Vec<String> = std::thread::scope(|scope| {
            let ask = &ask;
            let all: Vec<_> = (0..count).map(|n| scope.spawn(move || ask(n))).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for answer in answers {
            *out.entry(answer.chars().take(3).collect()).or_insert(0) += 1;
        }
        out
    }

    pub(crate) fn codes(&self) -> Vec<&str> {
        self.report.diagnostics.iter().map(|d| d.code.id).collect()
    }
}

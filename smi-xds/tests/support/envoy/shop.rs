//! A shop whose carts have two versions, as manifests, pods and resources.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use smi_core::backend::{Backend as _, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::hub::names::Port;
use smi_core::ir::{Ir, ListenerKey};
use smi_core::load::{Input, Limits, load};
use smi_envoy::{Envoy, EnvoyConfig, EnvoyOptions};
use smi_xds::Resource;

/// A shop whose carts have two versions. Its pods live at 127.0.BASE.x.
#[derive(Clone)]
pub struct Shop {
    pub base: u8,
    pub weights: (u32, u32),
    /// Whether the second pods serve instead of the first.
    pub second: bool,
    pub granted: bool,
    pub connect_timeout: u32,
}

impl Shop {
    pub fn new(base: u8) -> Self {
        Self { base, weights: (1, 0), second: false, granted: true, connect_timeout: 5000 }
    }

    fn pod(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, self.base, last)
    }

    pub fn web(&self) -> IpAddr {
        self.pod(1).into()
    }

    pub fn expected(&self) -> String {
        let version = if self.weights.0 > 0 { 10 } else { 20 };
        format!("pod {}", self.pod(version + u8::from(self.second)))
    }

    /// Starts all pods.
    pub fn serve(&self) {
        for last in [10, 11, 20, 21] {
            let listener = TcpListener::bind((self.pod(last), 8080)).unwrap();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    std::thread::spawn(move || answer(stream));
                }
            });
        }
    }

    fn manifests(&self) -> String {
        let pod = |name: &str, app: &str, last: u8| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {app}, part: cart}}}}\n\
                 spec:\n  serviceAccountName: {app}\n  containers:\n  - {{name: app, ports: [{{name: http, containerPort: 8080}}]}}\n\
                 status: {{phase: Running, podIP: {}, conditions: [{{type: Ready, status: \"True\"}}]}}\n---\n",
                self.pod(last)
            )
        };
        let service = |name: &str, selector: &str| {
            format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n\
                 spec: {{selector: {{{selector}}}, ports: [{{name: http, port: 80, targetPort: http}}]}}\n---\n"
            )
        };
        let target = |name: &str| {
            format!(
                "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
                 destination: {{kind: ServiceAccount, name: {name}, namespace: shop}}\n  \
                 rules: [{{kind: HTTPRouteGroup, name: all}}]\n  sources: [{{kind: ServiceAccount, name: web, namespace: shop}}]\n---\n"
            )
        };
        let second = u8::from(self.second);
        let mut text = pod("web", "web", 1).replace(", part: cart", "");
        text += &pod(&format!("v1-{second}"), "cart-v1", 10 + second);
        text += &pod(&format!("v2-{second}"), "cart-v2", 20 + second);
        text += &service("cart", "part: cart");
        text += &service("cart-v1", "app: cart-v1");
        text += &service("cart-v2", "app: cart-v2");
        text += &format!(
            "apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {{name: canary, namespace: shop}}\n\
             spec: {{service: cart, backends: [{{service: cart-v1, weight: {}}}, {{service: cart-v2, weight: {}}}]}}\n---\n",
            self.weights.0, self.weights.1
        );
        text += "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: all, namespace: shop}\n\
                 spec: {matches: [{name: all, pathRegex: \"/.*\"}]}\n---\n";
        if self.granted {
            text += &target("cart-v1");
            text += &target("cart-v2");
        }
        text
    }

    fn ir(&self) -> Ir {
        let text = self.manifests();
        let world = load(&[Input::new("shop.yaml", text.as_bytes())], &Limits::default());
        assert!(!world.report.has_errors(), "{:?}", world.report);
        // Ports of its own, as several shops run at once.
        let mut options = CompileOptions::default();
        let listen = Port::new(20_000 + u16::from(self.base) * 20).unwrap();
        options.port_table.entries.insert(ListenerKey::Http(Port::new(80).unwrap()), listen);
        let compiled = compile(&world.hub, &world.cluster, &options);
        assert!(!compiled.report.has_errors(), "{:?}", compiled.report);
        compiled.ir
    }

    /// Where callers come in.
    pub fn entry(&self) -> SocketAddr {
        let listen = self.ir().listeners.entries[&ListenerKey::Http(Port::new(80).unwrap())].get();
        (Ipv4Addr::LOCALHOST, listen).into()
    }

    pub fn tls_entry(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 20_000 + u16::from(self.base) * 20 + 9).into()
    }

    pub fn admin(&self) -> u16 {
        20_000 + u16::from(self.base) * 20 + 10
    }

    pub fn config(&self) -> EnvoyConfig {
        let mut options = EnvoyOptions::default();
        options.listen = Ipv4Addr::LOCALHOST.into();
        options.admin_port = Some(self.admin());
        let mut config = Envoy { options }.render(&self.ir(), &ProxyTarget::Node).output;
        for cluster in config.resources.clusters.values_mut() {
            cluster.connect_timeout = Some(smi_envoy::config::Duration::from_ms(self.connect_timeout));
        }
        config
    }

    pub fn resources(&self) -> Vec<Resource> {
        let resources = self.config().resources;
        resources.iter().map(|r| Resource::new(r.kind.type_url().as_str(), r.name, &r.encoded)).collect()
    }
}

fn answer(mut stream: TcpStream) {
    let body = format!("pod {}", stream.local_addr().unwrap().ip());
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        while let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
            seen.drain(..end + 4);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(head.as_bytes()).is_err() {
                return;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(n) => seen.extend_from_slice(&buffer[..n]),
        }
    }
}

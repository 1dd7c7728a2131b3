//! A small shop behind a real Envoy, and the server that keeps it.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3 as listener;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
use envoy_types::pb::google::protobuf::Any;
use prost::Message as _;
use smi_core::backend::{Backend as _, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::hub::names::Port;
use smi_core::ir::{Ir, ListenerKey};
use smi_core::load::{Input, Limits, load};
use smi_envoy::{AdsServer, AdsTls, Envoy, EnvoyConfig, EnvoyOptions};
use smi_xds::kind::LISTENER;
use smi_xds::{Placement, Resource, Server, ServerOptions, Snapshot, Store, Tls, linked, node};
use tokio::sync::watch;

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

    fn admin(&self) -> u16 {
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

/// An HTTP client that keeps its connection, as callers do.
pub struct Client {
    from: IpAddr,
    to: SocketAddr,
    stream: Option<TcpStream>,
}

impl Client {
    pub fn new(from: IpAddr, to: SocketAddr) -> Self {
        Self { from, to, stream: None }
    }

    fn connect(&self) -> Option<TcpStream> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind((self.from, 0).into()).unwrap();
            let stream = socket.connect(self.to).await.ok()?.into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            Some(stream)
        })
    }

    /// Status and body.
    pub fn get(&mut self, host: &str, path: &str) -> Option<(u16, String)> {
        // A proxy may end a connection between two requests: HTTP clients then take a new one.
        let kept = self.stream.is_some();
        match self.try_get(host, path) {
            None if kept => {
                self.stream = None;
                self.try_get(host, path)
            }
            answer => answer,
        }
    }

    fn try_get(&mut self, host: &str, path: &str) -> Option<(u16, String)> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).ok()?;
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        let end = loop {
            if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                n => seen.extend_from_slice(&buffer[..n]),
            }
        };
        let head = String::from_utf8_lossy(&seen[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length: usize = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "))
            .map_or(0, |l| l.trim().parse().unwrap());
        while seen.len() < end + length {
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                n => seen.extend_from_slice(&buffer[..n]),
            }
        }
        if !head.contains("connection: close") {
            self.stream = Some(stream);
        }
        Some((status, String::from_utf8_lossy(&seen[end..]).into_owned()))
    }
}

/// The server, on a runtime of its own.
pub struct Mesh {
    runtime: tokio::runtime::Runtime,
    pub store: Arc<Store>,
    placement: Arc<dyn Placement>,
    tls: Option<Tls>,
    address: SocketAddr,
    running: Option<(Server, watch::Sender<bool>, tokio::task::JoinHandle<()>)>,
}

impl Mesh {
    pub fn start(placement: impl Placement, tls: Option<Tls>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let placement: Arc<dyn Placement> = Arc::new(placement);
        let mut mesh = Self { runtime, store: Arc::default(), placement, tls, address, running: None };
        mesh.restart();
        mesh
    }

    /// A new server with an empty store, at the same address.
    pub fn restart(&mut self) {
        self.store = Arc::default();
        let placement = Arc::clone(&self.placement);
        let place = move |node: &smi_xds::wire::Node, peer: &smi_xds::Peer| placement.place(node, peer);
        let server = Server::new(Arc::clone(&self.store), place, ServerOptions::default());
        let (stop, stopped) = watch::channel(false);
        let (serving, tls, address) = (server.clone(), self.tls.clone(), self.address);
        let listener = self.runtime.block_on(async { tokio::net::TcpListener::bind(address).await.unwrap() });
        let task = self.runtime.spawn(async move { serving.serve(listener, tls, stopped).await });
        self.running = Some((server, stop, task));
    }

    pub fn stop(&mut self) {
        let (_, stop, task) = self.running.take().unwrap();
        stop.send(true).unwrap();
        self.runtime.block_on(task).unwrap();
    }

    pub fn server(&self) -> &Server {
        &self.running.as_ref().unwrap().0
    }

    pub fn set(&mut self, shop: &Shop) {
        self.store.set(node::NODES, Snapshot::new(linked(shop.resources())));
    }

    /// Waits until a client has accepted all that there is.
    pub fn settled(&self) {
        let wanted = self.store.get(node::NODES).unwrap();
        eventually("all is accepted", || {
            let clients = self.server().clients();
            let Some(client) = clients.first() else { return false };
            if client.sequence != wanted.sequence() {
                return false;
            }
            let has = |kind: &str| client.topics.iter().find(|t| t.type_url.as_str() == kind);
            // Every type that Envoy always asks for, and nothing under way.
            let complete = [smi_xds::kind::CLUSTER, LISTENER].iter().all(|kind| {
                let count = wanted.snapshot().set(kind).map_or(0, |set| set.size());
                has(kind).is_some_and(|t| t.accepted.0 + t.parked.len() == count)
            });
            complete && client.topics.iter().all(|t| t.is_settled())
        });
    }

    pub fn parked(&self) -> Vec<(String, Vec<String>)> {
        let clients = self.server().clients();
        let all = clients.iter().flat_map(|c| &c.topics).flat_map(|t| &t.parked);
        all.map(|p| (p.name.to_string(), p.origins.clone())).collect()
    }

    pub fn envoy(&self, shop: &Shop, id: &str, sotw: bool) -> Proxy {
        let mut ads = AdsServer::new("127.0.0.1", self.address.port());
        ads.node_id = Some(id.into());
        ads.state_of_the_world = sotw;
        Proxy::start(shop, &ads)
    }

    pub fn envoy_tls(
        &self,
        shop: &Shop,
        id: &str,
        files: &Files,
        certificate: Option<&str>,
        server: &str,
    ) -> Proxy {
        let mut ads = AdsServer::new("127.0.0.1", self.address.port());
        ads.node_id = Some(id.into());
        ads.tls = Some(AdsTls {
            ca_file: files.path("ca.crt"),
            certificate: certificate
                .map(|c| (files.path(&format!("{c}.crt")), files.path(&format!("{c}.key")))),
            server_uri: Some(server.into()),
            server_name: None,
        });
        Proxy::start(shop, &ads)
    }
}

/// A folder that goes with the test.
pub struct Files(PathBuf);

impl Files {
    pub fn new(name: &str, base: u8) -> Self {
        let folder = std::env::temp_dir().join(format!("smi-xds-{name}-{base}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running Envoy.
pub struct Proxy {
    child: Child,
    admin: SocketAddr,
    _files: Files,
}

impl Proxy {
    fn start(shop: &Shop, ads: &AdsServer) -> Self {
        let binary = std::env::var_os("SMI_ENVOY")
            .expect("set SMI_ENVOY to Envoy's binary; `cargo xtask peers envoy` installs it");
        let files = Files::new("envoy", shop.base);
        std::fs::write(files.path("bootstrap.pb"), shop.config().ads_bootstrap(ads).protobuf()).unwrap();
        let child = Command::new(binary)
            .args(["-l", "error", "--concurrency", "1", "--use-dynamic-base-id", "-c"])
            .arg(files.path("bootstrap.pb"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(files.path("log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, admin: (Ipv4Addr::LOCALHOST, shop.admin()).into(), _files: files }
    }

    fn ask(&self, path: &str) -> String {
        let answer = || -> Option<String> {
            let mut stream = TcpStream::connect(self.admin).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            stream
                .write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes())
                .ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).ok()?;
            Some(text)
        };
        answer().unwrap_or_default()
    }

    pub fn live(&self) {
        eventually("Envoy is ready", || self.ask("/ready").contains("LIVE"));
    }

    pub fn stat(&self, name: &str) -> u64 {
        let text = self.ask(&format!("/stats?filter=^{name}$"));
        let line = text.lines().find_map(|l| l.strip_prefix(&format!("{name}: ")));
        line.map_or(0, |l| l.trim().parse().unwrap())
    }

    /// Nothing was refused, and nothing was waited for in vain.
    pub fn no_faults(&self) {
        let text =
            self.ask("/stats?filter=(update_rejected|init_fetch_timeout|warming_clusters|no_cluster)$");
        assert!(text.contains("update_rejected"), "{text}");
        for line in text.lines().filter(|l| l.contains(": ") && l.contains('_')) {
            assert!(line.trim().ends_with(": 0"), "{line}");
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(25) {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("never: {what}");
}

/// A listener that serves TLS with a secret, before a cluster.
pub fn tls_listener(at: SocketAddr, secret: &str, cluster: &str) -> Resource {
    let any = |url: &str, value: Vec<u8>| Any { type_url: format!("type.googleapis.com/{url}"), value };
    let ads = core::ConfigSource {
        resource_api_version: core::ApiVersion::V3.into(),
        config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(Default::default())),
        ..Default::default()
    };
    let common = tls::CommonTlsContext {
        tls_certificate_sds_secret_configs: vec![tls::SdsSecretConfig {
            name: secret.into(),
            sds_config: Some(ads),
        }],
        ..Default::default()
    };
    let context = tls::DownstreamTlsContext { common_tls_context: Some(common), ..Default::default() };
    let proxy = tcp::TcpProxy {
        stat_prefix: "tls".into(),
        cluster_specifier: Some(tcp::tcp_proxy::ClusterSpecifier::Cluster(cluster.into())),
        ..Default::default()
    };
    let filter = listener::Filter {
        name: "tcp".into(),
        config_type: Some(listener::filter::ConfigType::TypedConfig(any(
            "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            proxy.encode_to_vec(),
        ))),
    };
    let socket = core::TransportSocket {
        name: "tls".into(),
        config_type: Some(core::transport_socket::ConfigType::TypedConfig(any(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            context.encode_to_vec(),
        ))),
    };
    let chain =
        listener::FilterChain { filters: vec![filter], transport_socket: Some(socket), ..Default::default() };
    let address = core::SocketAddress {
        address: at.ip().to_string(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(at.port().into())),
        ..Default::default()
    };
    let listener = listener::Listener {
        name: "tls".into(),
        address: Some(core::Address { address: Some(core::address::Address::SocketAddress(address)) }),
        filter_chains: vec![chain],
        ..Default::default()
    };
    Resource::new(LISTENER, "tls", &listener.encode_to_vec())
}

/// The certificate that is served, without judging it.
pub fn served_certificate(at: SocketAddr) -> Option<Vec<u8>> {
    #[derive(Debug)]
    struct Anyone;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    impl ServerCertVerifier for Anyone {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let mut session =
        rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(at).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    while session.is_handshaking() {
        session.complete_io(&mut socket).ok()?;
    }
    Some(session.peer_certificates()?.first()?.to_vec())
}

//! Traps of Traefik, and of meshes that were built on it, that only a running one can spring. Numbers as in the table of
//! `smi-traefik/tests/traps.rs`. The last two show why timeouts and mirroring are not rendered.
//! Run by `cargo xtask test`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use smi_conformance::loopback::Speaks;
use smi_conformance::observe::Observation;
use smi_conformance::subject::LiveProxy as _;
use smi_conformance::traefik::LiveTraefik;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::eval::{Caller, HttpRequest, Payload, Request};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{Ir, ListenerKey};
use smi_core::load::{Input, Limits, load};
use smi_traefik::Traefik;

fn traefik() -> PathBuf {
    let variable = std::env::var_os("SMI_TRAEFIK");
    variable
        .map(PathBuf::from)
        .expect("no Traefik: run `cargo xtask test`, or `cargo xtask peers traefik` and set SMI_TRAEFIK")
}

/// A running proxy and what it holds now.
struct Mesh {
    live: LiveTraefik,
    ir: Ir,
}

impl Mesh {
    fn start() -> Self {
        Self { live: LiveTraefik::start(&traefik()).unwrap(), ir: Ir::default() }
    }

    /// Compiles, renders and loads; `$HTTP`, `$OTHER` and `$TCP` in the text are ports of pods.
    fn load(&mut self, text: &str) {
        let mut port = |number, speaks| self.live.network().port(number, speaks).unwrap().to_string();
        let (http, other) = (port(8080, Speaks::Http), port(8081, Speaks::Http));
        let tcp = port(5432, Speaks::First);
        let text = text.replace("$HTTP", &http).replace("$OTHER", &other).replace("$TCP", &tcp);
        let mut options = CompileOptions::default();
        options.port_ranges = self.live.ranges();
        let world = load(&[Input::new("world.yaml", text)], &Limits::default());
        assert!(!world.report.has_errors(), "{:?}", world.report);
        self.ir = compile(&world.hub, &world.cluster, &options).ir;
        let rendered =
            Traefik { options: self.live.subject().options().clone() }.render(&self.ir, &ProxyTarget::Node);
        self.live.load(&self.ir, &rendered.output).unwrap();
    }

    fn send(&mut self, caller: &str, method: &str, url: &str, headers: &[(&str, &str)]) -> Seen {
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

    fn observe(&mut self, request: &Request) -> Seen {
        seen(self.live.observe(&self.ir, &request.clone().into(), 1, WAIT).unwrap().remove(0))
    }

    fn get(&mut self, caller: &str, url: &str) -> Seen {
        self.send(caller, "GET", url, &[])
    }

    fn tcp(&mut self, caller: &str, service: &str, port: u16) -> Seen {
        let payload = Payload::Tcp { service: Namespaced::new("a", service), port: Port::new(port).unwrap() };
        let caller = Caller::Address(caller.parse().unwrap());
        self.observe(&Request { caller, payload })
    }
}

/// What a caller sees: the address of a pod, or a status.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Pod(String),
    Status(u16),
    Closed,
    Silence,
}

fn seen(observation: Observation) -> Seen {
    match observation {
        Observation::Served(at, _) => Seen::Pod(at.ip().to_string()),
        Observation::Status(status) => Seen::Status(status),
        Observation::Closed => Seen::Closed,
        Observation::Silence => Seen::Silence,
        Observation::Tunnel(at) => panic!("a tunnel to {at}"),
    }
}

fn pod(at: &str) -> Seen {
    Seen::Pod(at.into())
}

const FORBIDDEN: Seen = Seen::Status(403);

/// A pod of namespace `a` that runs as an account of its name.
fn workload(name: &str, address: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, labels: {{app: {name}}}}}\nspec: {{serviceAccountName: {name}, containers: [{{name: app}}]}}\nstatus: {{phase: Running, podIP: {address}}}\n"
    )
}

/// A Service of namespace `a`; its selector is its name unless another is given.
fn service(name: &str, selector: &str, ports: &str, annotations: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: a, annotations: {{{annotations}}}}}\nspec: {{selector: {{app: {selector}}}, ports: [{ports}]}}\n"
    )
}

/// Grants of these rules, each from these accounts.
fn target(name: &str, destination: &str, rules: &str, sources: &[&str]) -> String {
    let sources: Vec<String> =
        sources.iter().map(|s| format!("{{kind: ServiceAccount, name: {s}, namespace: a}}")).collect();
    format!(
        "---\napiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {{name: {name}, namespace: a}}\nspec: {{destination: {{kind: ServiceAccount, name: {destination}, namespace: a}}, rules: [{rules}], sources: [{}]}}\n",
        sources.join(", ")
    )
}

/// `g` has one match for each method and for `/one`, `/two`, and one for all; `tcp` is a TCPRoute of all ports.
const SPECS: &str = r#"---
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

const PORT: &str = "{name: http, port: 80, targetPort: $HTTP}";

fn http(matches: &str) -> String {
    format!("{{kind: HTTPRouteGroup, name: g, matches: [{matches}]}}")
}

/// Three callers of `s`: two with different grants, one with none.
fn limited(annotations: &str) -> String {
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

/// 5.1.11: by default Traefik counts per router and per caller; a limit is of a service, whoever calls and however the host is spelt.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_11_a_rate_limit_is_one_bucket_per_service() {
    let mut mesh = Mesh::start();
    mesh.load(&limited("mesh.smi-sdk.io/ratelimit-average: \"1\", mesh.smi-sdk.io/ratelimit-burst: \"8\""));
    // Who is refused does not count.
    for _ in 0..20 {
        assert_eq!(mesh.get("127.77.0.3", "s.a.mesh/"), FORBIDDEN);
        assert_eq!(mesh.send("127.77.0.1", "POST", "s.a.mesh/", &[]), FORBIDDEN);
    }
    let mut served = 0;
    for host in ["s.a.mesh/", "S.a.mesh/", "s.A.mesh/", "s.a.mesh./", "s.a.mesh:80/", "s.a.mesh:81/"] {
        for caller in ["127.77.0.1", "127.77.0.2"] {
            for forged in [vec![], vec![("X-Forwarded-Server", "x")], vec![("X_Forwarded_Server", "x")]] {
                match mesh.send(caller, "GET", host, &forged) {
                    Seen::Pod(_) => served += 1,
                    Seen::Status(429) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    // One more for each second that this took.
    assert!((8..18).contains(&served), "{served} of 36 served");
}

/// 0.2: a target whose sources have no pod makes an empty allow list, for which Traefik would keep its old document for ever.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_2_a_source_without_pods_freezes_nothing() {
    let mut mesh = Mesh::start();
    let base = [
        workload("other", "127.77.0.3"),
        workload("s", "127.77.1.1"),
        service("s", "s", PORT, ""),
        SPECS.to_owned(),
        target("web", "s", &http("all"), &["web"]),
    ]
    .concat();
    mesh.load(&base);
    assert_eq!(mesh.get("127.77.0.1", "s.a.mesh/"), FORBIDDEN);
    assert_eq!(mesh.get("127.77.0.3", "s.a.mesh/"), FORBIDDEN);
    mesh.load(&[base, workload("web", "127.77.0.1")].concat());
    assert_eq!(mesh.get("127.77.0.1", "s.a.mesh/"), pod("127.77.1.1"));
    assert_eq!(mesh.get("127.77.0.3", "s.a.mesh/"), FORBIDDEN);
}

/// Two leaves behind `root`, half each: `web` may call the second only.
fn half_granted() -> String {
    [
        workload("web", "127.77.0.1"),
        workload("other", "127.77.0.3"),
        workload("v1", "127.77.1.1"),
        workload("v2", "127.77.1.2"),
        service("v1", "v1", PORT, ""),
        service("v2", "v2", PORT, ""),
        service("root", "none", PORT, ""),
        "---\napiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: half, namespace: a}\nspec: {service: root, backends: [{service: v1, weight: 1}, {service: v2, weight: 1}]}\n".to_owned(),
        SPECS.to_owned(),
        target("v2", "v2", &http("all"), &["web"]),
    ]
    .concat()
}

/// 0.3, 5.1.14, 5.3.5: whoever writes another's address into a header stays who he is, behind a split and before it.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_3_forged_headers_name_nobody() {
    let mut mesh = Mesh::start();
    mesh.load(&half_granted());
    for name in ["X-Forwarded-For", "X-Real-Ip", "Forwarded", "X_Forwarded_For", "True-Client-IP"] {
        for value in ["127.77.0.1", "for=127.77.0.1", "127.77.0.1, 127.0.0.1", "127.77.0.1, 127.77.0.1"] {
            for host in ["v2.a.mesh/", "root.a.mesh/", "root.a.mesh/"] {
                assert_eq!(mesh.send("127.77.0.3", "GET", host, &[(name, value)]), FORBIDDEN, "{name}");
            }
            // Nor does it take anything from its owner.
            let forged = [(name, "127.77.0.3")];
            assert_eq!(mesh.send("127.77.0.1", "GET", "v2.a.mesh/", &forged), pod("127.77.1.2"));
        }
    }
}

/// 5.3.4, 0.11, S30: each leaf decides by itself in the same hop, and a refusal is part of the leaf's share.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_3_4_each_leaf_refuses_its_own_share() {
    let mut mesh = Mesh::start();
    mesh.load(&half_granted());
    let mut seen: Vec<Seen> = (0..10).map(|_| mesh.get("127.77.0.1", "root.a.mesh/")).collect();
    seen.sort();
    assert_eq!(seen, [vec![pod("127.77.1.2"); 5], vec![FORBIDDEN; 5]].concat());
}

/// 0.4, 5.1.7, 5.3.2, 5.3.3: targets add up on overlapping rules, in any order of documents, after any start.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_4_targets_add_up_after_every_start() {
    let mut documents = vec![
        workload("web", "127.77.0.1"),
        workload("admin", "127.77.0.2"),
        workload("other", "127.77.0.3"),
        workload("s", "127.77.1.1"),
        service("s", "s", PORT, ""),
        SPECS.to_owned(),
        target("same-1", "s", &http("one"), &["web"]),
        target("same-2", "s", &http("one"), &["admin"]),
        target("more", "s", &http("read"), &["admin"]),
    ];
    for _ in 0..5 {
        let mut mesh = Mesh::start();
        mesh.load(&documents.concat());
        let served = pod("127.77.1.1");
        for (caller, method, path, expected) in [
            ("127.77.0.1", "GET", "/one", &served),
            ("127.77.0.1", "POST", "/one", &served),
            ("127.77.0.1", "GET", "/two", &FORBIDDEN),
            ("127.77.0.2", "GET", "/one", &served),
            ("127.77.0.2", "POST", "/one", &served),
            ("127.77.0.2", "GET", "/two", &served),
            ("127.77.0.2", "POST", "/two", &FORBIDDEN),
            ("127.77.0.3", "GET", "/one", &FORBIDDEN),
            // 5.1.4: GET is not HEAD.
            ("127.77.0.2", "HEAD", "/two", &FORBIDDEN),
        ] {
            let url = format!("s.a.mesh{path}");
            assert_eq!(mesh.send(caller, method, &url, &[]), *expected, "{caller} {method} {path}");
        }
        documents.rotate_left(2);
    }
}

/// 0.5, 5.3.6, 5.3.7: TCP checks its callers, behind a split too, and closes on others at once instead of waiting for their first byte.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_5_tcp_checks_its_callers() {
    let mut mesh = Mesh::start();
    let port = "{name: tcp-db, port: 5432, targetPort: $TCP}";
    let documents = [
        workload("web", "127.77.0.1"),
        workload("other", "127.77.0.3"),
        workload("db", "127.77.1.1"),
        workload("db2", "127.77.1.2"),
        workload("db3", "127.77.1.3"),
        service("db", "db", port, ""),
        service("db2", "db2", port, ""),
        service("db3", "db3", port, ""),
        service("root", "none", port, ""),
        "---\napiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: half, namespace: a}\nspec: {service: root, backends: [{service: db, weight: 4}, {service: db2, weight: 1}]}\n".to_owned(),
        SPECS.to_owned(),
        target("db", "db", "{kind: TCPRoute, name: tcp}", &["web"]),
        target("db2", "db2", "{kind: TCPRoute, name: tcp}", &["web"]),
        target("db3", "db3", &http("all"), &["web"]),
    ];
    mesh.load(&documents.concat());
    assert_eq!(mesh.tcp("127.77.0.1", "db", 5432), pod("127.77.1.1"));
    assert_eq!(mesh.tcp("127.77.0.1", "db3", 5432), Seen::Closed, "an HTTP rule opens no TCP");
    for service in ["db", "db2", "db3", "root"] {
        assert_eq!(mesh.tcp("127.77.0.3", service, 5432), Seen::Closed, "{service}");
    }
    // 5.2.11: exact per connection. 0.6: at the port of the pods, not of the Service.
    let mut seen: Vec<Seen> = (0..20).map(|_| mesh.tcp("127.77.0.1", "root", 5432)).collect();
    seen.sort();
    assert_eq!(seen, [vec![pod("127.77.1.1"); 16], vec![pod("127.77.1.2"); 4]].concat());
}

/// 0.6: the second port of a Service is its own, with targets for it and behind a split.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_6_a_second_port_is_its_own() {
    let mut mesh = Mesh::start();
    let ports = "{name: http, port: 80, targetPort: $HTTP}, {name: http-b, port: 81, targetPort: $OTHER}";
    let documents = [
        workload("web", "127.77.0.1"),
        workload("s", "127.77.1.1"),
        service("s", "s", ports, ""),
        service("root", "none", ports, ""),
        "---\napiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: all, namespace: a}\nspec: {service: root, backends: [{service: s, weight: 1}]}\n".to_owned(),
        SPECS.to_owned(),
        "---\napiVersion: access.smi-spec.io/v1alpha2\nkind: TrafficTarget\nmetadata: {name: t, namespace: a}\nspec: {destination: {kind: ServiceAccount, name: s, namespace: a, port: $OTHER}, rules: [{kind: HTTPRouteGroup, name: g, matches: [all]}], sources: [{kind: ServiceAccount, name: web, namespace: a}]}\n".to_owned(),
    ];
    mesh.load(&documents.concat());
    for host in ["s.a.mesh", "root.a.mesh"] {
        assert_eq!(mesh.get("127.77.0.1", &format!("{host}#80/")), FORBIDDEN);
        assert_eq!(mesh.get("127.77.0.1", &format!("{host}#81/")), pod("127.77.1.1"));
    }
}

/// 0.7: a pattern that closes Traefik's string takes over nobody's traffic.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_0_7_a_backtick_in_a_pattern_is_a_backtick() {
    let mut mesh = Mesh::start();
    let hostile = "---\napiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: h, namespace: a}\nspec: {matches: [{name: p, pathRegex: '/x`) || Host(`s.a.mesh'}, {name: q, headers: [{x-a: '`) || PathPrefix(`/'}]}, {name: r, headers: [{x-a: 'a\"b&&c'}]}]}\n";
    let documents = [
        workload("web", "127.77.0.1"),
        workload("s", "127.77.1.1"),
        workload("evil", "127.77.1.6"),
        service("s", "s", PORT, ""),
        service("evil", "evil", PORT, ""),
        SPECS.to_owned(),
        hostile.to_owned(),
        target("s", "s", &http("all"), &["web"]),
        target("evil", "evil", "{kind: HTTPRouteGroup, name: h}", &["web"]),
    ];
    mesh.load(&documents.concat());
    assert_eq!(mesh.get("127.77.0.1", "s.a.mesh/"), pod("127.77.1.1"));
    assert_eq!(mesh.get("127.77.0.1", "evil.a.mesh/"), FORBIDDEN);
    assert_eq!(mesh.get("127.77.0.1", "nobody.a.mesh/"), Seen::Status(404));
    let exact = [("x-a", "a\"b&&c")];
    assert_eq!(mesh.send("127.77.0.1", "GET", "evil.a.mesh/", &exact), pod("127.77.1.6"));
}

/// 5.1.2, 5.1.15: any line of a header may match, a comma list is one value, an alias of its name is no such header.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_2_headers_match_by_line_and_name() {
    let mut mesh = Mesh::start();
    let documents = [
        workload("web", "127.77.0.1"),
        workload("s", "127.77.1.1"),
        service("s", "s", PORT, ""),
        SPECS.to_owned(),
        target("s", "s", &http("beta"), &["web"]),
    ];
    mesh.load(&documents.concat());
    let mut send = |headers: &[(&str, &str)]| mesh.send("127.77.0.1", "GET", "s.a.mesh/", headers);
    let served = pod("127.77.1.1");
    assert_eq!(send(&[("x-user", "beta")]), served);
    assert_eq!(send(&[("X-USER", "zz"), ("x-user", "beta")]), served);
    for refused in [
        [("x-user", "xbeta")],
        [("x-user", "beta2")],
        [("x-user", "a,beta")],
        [("x_user", "beta")],
        [("x.user", "beta")],
    ] {
        assert_eq!(send(&refused), FORBIDDEN, "{refused:?}");
    }
}

/// 5.1.13: what is matched is what the application receives; encoded slashes and the like go nowhere.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_13_paths_are_matched_as_they_are_forwarded() {
    let mut mesh = Mesh::start();
    let documents = [
        workload("web", "127.77.0.1"),
        workload("s", "127.77.1.1"),
        service("s", "s", PORT, ""),
        SPECS.to_owned(),
        target("s", "s", &http("one"), &["web"]),
    ];
    mesh.load(&documents.concat());
    for (path, expected) in [
        ("/one", pod("127.77.1.1")),
        ("//one", pod("127.77.1.1")),
        ("/two/../one", pod("127.77.1.1")),
        ("/%6Fne", pod("127.77.1.1")),
        ("/one/../two", FORBIDDEN),
        ("/one/%2e%2e/two", FORBIDDEN),
        ("/x/one", FORBIDDEN),
        ("/one%2F..%2Ftwo", Seen::Status(400)),
        ("/one%5Ctwo", Seen::Status(400)),
        ("/one%00", Seen::Status(400)),
    ] {
        assert_eq!(mesh.get("127.77.0.1", &format!("s.a.mesh{path}")), expected, "{path}");
    }
}

/// 5.1.16: a CONNECT is answered by Traefik itself and reaches no pod, whatever is granted.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_16_connect_reaches_nobody() {
    let mut mesh = Mesh::start();
    mesh.load(&limited(""));
    for caller in ["127.77.0.2", "127.77.0.3"] {
        assert_eq!(mesh.send(caller, "CONNECT", "s.a.mesh/", &[]), Seen::Status(501));
    }
}

/// 5.2.4, 5.2.5: a leaf without pods keeps its share and fails it; a leaf that is down fails its share unless retries are asked for.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_2_4_a_dead_leaf_keeps_its_share() {
    let mut mesh = Mesh::start();
    let world = |target_port: &str, v2: &str, annotations: &str| {
        [
            workload("web", "127.77.0.1"),
            workload("v1", "127.77.1.1"),
            workload("v2", "127.77.1.2"),
            service("v1", "v1", PORT, ""),
            service("v2", v2, &format!("{{name: http, port: 80, targetPort: {target_port}}}"), ""),
            service("root", "none", PORT, annotations),
            "---\napiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: s, namespace: a}\nspec: {service: root, backends: [{service: v1, weight: 3}, {service: v2, weight: 1}]}\n".to_owned(),
            SPECS.to_owned(),
            target("v1", "v1", &http("all"), &["web"]),
            target("v2", "v2", &http("all"), &["web"]),
        ]
        .concat()
    };
    let (_held, closed) = refusing("127.77.1.2");
    let closed = closed.to_string();
    let retry = "mesh.smi-sdk.io/retry-attempts: \"3\"";
    for (text, failed) in [
        (world("$HTTP", "nobody", ""), vec![Seen::Status(503); 5]),
        (world(&closed, "v2", ""), vec![Seen::Status(502); 5]),
        (world(&closed, "v2", retry), vec![]),
    ] {
        mesh.load(&text);
        let mut seen: Vec<Seen> = (0..20).map(|_| mesh.get("127.77.0.1", "root.a.mesh/")).collect();
        seen.sort();
        assert_eq!(seen, [vec![pod("127.77.1.1"); 20 - failed.len()], failed].concat());
    }
}

const WAIT: Duration = Duration::from_secs(10);

/// A connection from the address of a caller.
fn connect(caller: &str, port: u16) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(caller.parse::<IpAddr>().unwrap(), 0).into()).unwrap();
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream
}

/// The status of an answer.
fn status(stream: &mut TcpStream) -> u16 {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.split(' ').nth(1).unwrap_or_else(|| panic!("`{line}`")).parse().unwrap()
}

/// A pod of its own making; `serve` gets each connection.
fn listen(address: &str, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = std::sync::Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// A port that refuses connections and that nobody else gets while the socket lives.
fn refusing(address: &str) -> (socket2::Socket, u16) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(address.parse::<IpAddr>().unwrap(), 0).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    (socket, port)
}

/// Reads the head of a request.
fn head(stream: &TcpStream) -> String {
    let mut text = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut text).unwrap_or(0) > 2 {}
    text
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// One service `s` at this port of its pod, two callers with different grants.
fn at_port(port: u16, annotations: &str) -> String {
    limited(annotations).replace("targetPort: $HTTP", &format!("targetPort: {port}"))
}

/// 5.1.11: requests in flight are counted for the service, not for each router, caller or spelling.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_11b_in_flight_is_one_count_per_service() {
    let (arrived, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let port = listen("127.77.1.1", move |mut stream| {
        head(&stream);
        arrived.send(()).unwrap();
        // Until the other end is dropped; then nothing waits any more.
        let _ = released.lock().unwrap().recv();
        let _ = stream.write_all(OK);
    });
    let mut mesh = Mesh::start();
    mesh.load(&at_port(port, "mesh.smi-sdk.io/max-in-flight: \"1\""));
    let entry = mesh.ir.listeners.entries[&ListenerKey::Http(Port::new(80).unwrap())].get();
    let mut first = connect("127.77.0.1", entry);
    first.write_all(b"GET / HTTP/1.1\r\nHost: s.a.mesh\r\n\r\n").unwrap();
    arrivals.recv_timeout(WAIT).unwrap();
    for host in ["s.a.mesh/", "S.a.mesh:80/", "s.a.mesh./"] {
        assert_eq!(mesh.get("127.77.0.2", host), Seen::Status(429));
    }
    drop(release);
    assert_eq!(status(&mut first), 200);
    let start = Instant::now();
    let mut last = Seen::Silence;
    while last != Seen::Status(200) {
        assert!(start.elapsed() < WAIT, "{last:?}");
        let mut next = connect("127.77.0.2", entry);
        next.write_all(b"GET / HTTP/1.1\r\nHost: s.a.mesh\r\n\r\n").unwrap();
        last = Seen::Status(status(&mut next));
    }
}

/// 5.1.10: a breaker that one caller's requests opened is open for all callers of the service.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_10_a_breaker_is_one_per_service() {
    let (_held, closed) = refusing("127.77.1.1");
    let mut mesh = Mesh::start();
    mesh.load(&at_port(closed, "mesh.smi-sdk.io/circuit-breaker-expression: NetworkErrorRatio() > 0.5"));
    assert_eq!(mesh.get("127.77.0.2", "s.a.mesh/"), Seen::Status(502));
    let start = Instant::now();
    while mesh.get("127.77.0.1", "s.a.mesh/") == Seen::Status(502) {
        assert!(start.elapsed() < WAIT, "the breaker never opened");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(mesh.get("127.77.0.1", "s.a.mesh/"), Seen::Status(503));
    assert_eq!(mesh.get("127.77.0.2", "s.a.mesh/"), Seen::Status(503));
    assert_eq!(mesh.get("127.77.0.3", "s.a.mesh/"), FORBIDDEN);
}

/// 5.1.9: the number of tries includes the first, and only failed connections are tried again: here TLS that the pod does not speak.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_1_9_tries_include_the_first() {
    let (arrived, arrivals) = mpsc::channel();
    let port = listen("127.77.1.1", move |mut stream| {
        let _ = stream.read(&mut [0; 1]);
        arrived.send(()).unwrap();
    });
    let mut mesh = Mesh::start();
    for (scheme, attempts, tries) in [("https", 1, 1), ("https", 3, 3), ("http", 3, 1)] {
        let annotations =
            format!("mesh.smi-sdk.io/scheme: {scheme}, mesh.smi-sdk.io/retry-attempts: \"{attempts}\"");
        mesh.load(&at_port(port, &annotations));
        assert!(matches!(mesh.get("127.77.0.2", "s.a.mesh/"), Seen::Status(500..=502)));
        for _ in 0..tries {
            arrivals.recv_timeout(WAIT).unwrap();
        }
        assert_eq!(arrivals.try_iter().count(), 0, "{scheme} {attempts}");
    }
}

/// S34: what pods speak is what is spoken to them, from the first byte.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn schemes_are_spoken_on_the_wire() {
    let (first, bytes) = mpsc::channel();
    let port = listen("127.77.1.1", move |mut stream| {
        let mut start = [0; 3];
        stream.read_exact(&mut start).unwrap();
        first.send(start).unwrap();
    });
    let mut mesh = Mesh::start();
    for (scheme, expected) in [("http", *b"GET"), ("h2c", *b"PRI"), ("https", [0x16, 3, 1])] {
        mesh.load(&at_port(port, &format!("mesh.smi-sdk.io/scheme: {scheme}")));
        mesh.get("127.77.0.2", "s.a.mesh/");
        assert_eq!(bytes.recv_timeout(WAIT).unwrap(), expected, "{scheme}");
        while bytes.try_recv().is_ok() {}
    }
}

/// 5.4, 7.7: the marker tells which document a proxy has; readiness is a route of the document.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn trap_5_4_the_marker_is_of_the_document_that_is_loaded() {
    let mut mesh = Mesh::start();
    let ready = mesh.live.subject().options().ready_port;
    let get = |path: &str| {
        let mut stream = connect("127.0.0.1", ready);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        status(&mut stream)
    };
    // The entry point may come up after the one that the harness waits for.
    let start = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, ready)).is_err() && start.elapsed() < WAIT {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(get("/ready"), 404, "a proxy without a rendered document is not ready");
    let mut previous = None;
    for text in [limited(""), half_granted(), String::new()] {
        mesh.load(&text);
        let rendered =
            Traefik { options: mesh.live.subject().options().clone() }.render(&mesh.ir, &ProxyTarget::Node);
        let marker = format!("/config/{}", rendered.output.hash);
        assert_eq!((get("/ready"), get(&marker)), (200, 200));
        if let Some(previous) = previous.replace(marker) {
            assert_eq!(get(&previous), 404);
        }
    }
}

/// A Traefik with a document that is not rendered, to see what a construct would do.
struct Raw {
    child: Child,
    port: u16,
}

impl Raw {
    fn start(name: &str, services: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let dynamic = folder.join("dynamic.yaml");
        let routers = "up: {entryPoints: [web], rule: 'Path(`/up`)', service: 'ping@internal', priority: 9}, s: {entryPoints: [web], rule: 'Host(`s`)', service: s, priority: 8}, plain: {entryPoints: [web], rule: 'Host(`plain`)', service: plain, priority: 7}";
        std::fs::write(&dynamic, format!("http: {{routers: {{{routers}}}, {services}}}\n")).unwrap();
        let install = folder.join("traefik.yaml");
        std::fs::write(
            &install,
            format!(
                "entryPoints: {{web: {{address: '127.0.0.1:{port}'}}}}\nping: {{manualRouting: true}}\nproviders: {{file: {{filename: '{}'}}}}\nglobal: {{checkNewVersion: false, sendAnonymousUsage: false}}\n",
                dynamic.display()
            ),
        )
        .unwrap();
        let child = Command::new(traefik())
            .arg(format!("--configFile={}", install.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let raw = Self { child, port };
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < WAIT, "Traefik did not start");
            if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                && stream.write_all(b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n").is_ok()
                && status(&mut stream) == 200
            {
                return raw;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn send(&self, text: &str) -> TcpStream {
        let mut stream = connect("127.0.0.1", self.port);
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why timeouts are a declared loss: Traefik's only one per service ends with the head of the answer, so a body may take for ever.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn a_response_header_timeout_is_no_timeout_of_a_request() {
    let port = listen("127.77.2.1", |mut stream| {
        let late_head = head(&stream).starts_with("GET /late-head");
        let pause = Duration::from_millis(600);
        if late_head {
            std::thread::sleep(pause);
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n1");
        if !late_head {
            std::thread::sleep(pause);
        }
        let _ = stream.write_all(b"2");
    });
    let servers = format!("servers: [{{url: 'http://127.77.2.1:{port}'}}]");
    let raw = Raw::start(
        "timeout",
        &format!(
            "serversTransports: {{t: {{forwardingTimeouts: {{responseHeaderTimeout: 100ms}}}}}}, services: {{s: {{loadBalancer: {{serversTransport: t, {servers}}}}}, plain: {{loadBalancer: {{{servers}}}}}}}"
        ),
    );
    assert_eq!(status(&mut raw.send("GET /late-head HTTP/1.1\r\nHost: s\r\n\r\n")), 504);
    let mut text = String::new();
    let mut stream = raw.send("GET /late-body HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n");
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("12"), "{text}");
}

/// Why mirroring is a declared loss: Traefik reads a request to its end before it forwards anything, so requests that stream would hang.
#[test]
#[ignore = "needs Traefik: cargo xtask test"]
fn a_mirrored_request_is_held_back_until_its_end() {
    let (arrived, arrivals) = mpsc::channel();
    let port = listen("127.77.2.1", move |mut stream| {
        head(&stream);
        arrived.send(()).unwrap();
        let mut end = Vec::new();
        while !end.ends_with(b"0\r\n\r\n") {
            let mut byte = [0];
            if stream.read_exact(&mut byte).is_err() {
                return;
            }
            end.push(byte[0]);
        }
        let _ = stream.write_all(OK);
    });
    let servers = format!("loadBalancer: {{servers: [{{url: 'http://127.77.2.1:{port}'}}]}}");
    let raw = Raw::start(
        "mirror",
        &format!(
            "services: {{s: {{mirroring: {{service: plain, mirrors: [{{name: copy, percent: 100}}]}}}}, copy: {{{servers}}}, plain: {{{servers}}}}}"
        ),
    );
    let start = |host: &str| {
        raw.send(&format!("POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"))
    };
    let _plain = start("plain");
    arrivals.recv_timeout(WAIT).unwrap();
    let mut mirrored = start("s");
    assert!(arrivals.recv_timeout(Duration::from_millis(500)).is_err(), "nothing is forwarded yet");
    mirrored.write_all(b"0\r\n\r\n").unwrap();
    arrivals.recv_timeout(WAIT).unwrap();
}

//! Real Envoys as sidecars decide as the reference does. Needs `SMI_ENVOY` (the binary), `curl` and `openssl`.
//!
//! Every pod of the world has an address of the loopback interface and an Envoy of its own, which speaks mTLS with the others. The
//! application of a pod calls through its own sidecar's outbound listeners.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test"
)]

mod live;

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use smi_core::cluster::PodId;
use smi_core::eval::{Caller, HttpRequest, Outcome, Payload, Request, eval};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::ListenerKey;
use smi_xds::identity::DevIssuer;

use live::mesh::Mesh;
use live::{curl, folder, serve, visible};

/// What only a sidecar has to get right: a binding that tells pods of one account apart, a host condition, names of the cluster.
const MORE: &str = "
---
apiVersion: v1
kind: Pod
metadata: {name: web-2, namespace: shop, labels: {app: web, part: web, tier: admin}}
spec: {serviceAccountName: web, containers: [{name: app}]}
status: {phase: Running, podIP: 127.0.10.4, conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: access.smi-spec.io/v1alpha4
kind: IdentityBinding
metadata: {name: admins, namespace: shop}
spec: {schemes: {podLabelSelector: {matchLabels: {tier: admin}}}}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: admin, namespace: shop}
spec:
  matches:
  - {name: admin, pathRegex: /admin}
  - {name: hosted, pathRegex: '/$', headers: [{host: 'cart-v1.*'}]}
---
apiVersion: access.smi-spec.io/v1alpha4
kind: TrafficTarget
metadata: {name: admins, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: cart-v1}
  rules: [{kind: HTTPRouteGroup, name: admin}]
  sources: [{kind: IdentityBinding, name: admins}]
---
apiVersion: access.smi-spec.io/v1alpha4
kind: TrafficTarget
metadata: {name: admin-db, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: db}
  rules: [{kind: TCPRoute, name: pg}]
  sources: [{kind: IdentityBinding, name: admins}]
";

fn mesh(name: &str) -> Mesh {
    Mesh::new(name, &(include_str!("world.yaml").to_owned() + MORE))
}

fn validate(file: &Path) {
    let run = Command::new(live::envoy())
        .args(["--mode", "validate", "-l", "error", "-c"])
        .arg(file)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&run.stderr));
}

#[test]
#[ignore = "needs Envoy"]
fn every_format_validates() {
    let mesh = mesh("sidecar-validate");
    for pod in mesh.ir.pods.keys() {
        let bootstrap = mesh.render(pod, 1).static_bootstrap();
        let name = |end: &str| mesh.folder.join(format!("{}.{end}", pod.name.name));
        std::fs::write(name("pb"), bootstrap.protobuf()).unwrap();
        std::fs::write(name("json"), bootstrap.json().unwrap()).unwrap();
        std::fs::write(name("yaml"), bootstrap.yaml().unwrap()).unwrap();
        ["pb", "json", "yaml"].iter().for_each(|end| validate(&name(end)));
    }
}

#[test]
#[ignore = "needs Envoy"]
fn real_sidecars_decide_as_the_reference() {
    let mesh = mesh("sidecar-live");
    serve(&mesh.ir);
    let _running = mesh.start();
    let number = |n| Port::new(n).unwrap();
    let listen = |key: ListenerKey| mesh.ir.listeners.entries[&key].get();
    let http = listen(ListenerKey::Http(number(80)));
    let mut statuses = BTreeSet::new();
    for caller in ["web-1", "web-2", "beta-1", "batch-1", "cart-v1-1"] {
        let own = mesh.address(caller);
        let pod = PodId::pod(Namespaced::new("shop", caller));
        // The name as called, and the one that the reference knows.
        for (host, mesh_host) in [
            ("cart.shop.mesh", "cart.shop.mesh"),
            ("cart", "cart.shop.mesh"),
            ("CART-V1.shop.svc.cluster.local:80", "cart-v1.shop.mesh"),
            ("cart-v2.shop.svc", "cart-v2.shop.mesh"),
            ("cart.other", "nothing.shop.mesh"),
        ] {
            for method in ["GET", "POST"] {
                for target in ["/items", "/items/7?x=1", "/admin", "/items/../admin", "/items%2fx", "/"] {
                    for user in ["beta", "betamax"] {
                        let request = Request {
                            caller: Caller::Pod(pod.clone()),
                            payload: Payload::Http(HttpRequest {
                                port: number(80),
                                host: mesh_host.into(),
                                method: method.into(),
                                target: target.into(),
                                headers: vec![("X-User".into(), user.into())],
                            }),
                        };
                        let decision = eval(&mesh.ir, &request).distribution();
                        let expected: BTreeSet<String> =
                            decision.iter().flat_map(|(o, _)| visible(&mesh.ir, o)).collect();
                        let answer = curl(&[
                            "--path-as-is",
                            "-X",
                            method,
                            "-H",
                            &format!("Host: {host}"),
                            "-H",
                            &format!("X-User: {user}"),
                            // Nothing of this is believed.
                            "-H",
                            "X-Forwarded-For: 127.0.10.1",
                            "-H",
                            "X-Forwarded-Client-Cert: URI=spiffe://cluster.local/ns/shop/sa/beta",
                            "-w",
                            "\n%{http_code}",
                            &format!("http://{own}:{http}{target}"),
                        ]);
                        let (body, status) = answer.rsplit_once('\n').unwrap();
                        let seen = if status == "200" { format!("200 {body}") } else { status.to_owned() };
                        assert!(expected.contains(&seen), "{request:?} {host}: {seen}, not {expected:?}");
                        statuses.insert(status.to_owned());
                    }
                }
            }
        }
        // The server speaks first: a refused caller must not hear it.
        let db = Namespaced::new("shop", "db");
        let port = listen(ListenerKey::Tcp(db.clone(), number(5432)));
        let mut banner = String::new();
        if let Ok(mut stream) = TcpStream::connect((own, port)) {
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let _ = stream.read_to_string(&mut banner);
        }
        let request =
            Request { caller: Caller::Pod(pod), payload: Payload::Tcp { service: db, port: number(5432) } };
        let served = eval(&mesh.ir, &request).distribution();
        let served = served.iter().all(|(o, _)| matches!(o, Outcome::Served(..)));
        assert_eq!(banner, if served { "banner" } else { "" }, "{caller}");
    }
    assert_eq!(statuses, ["200", "400", "403", "404", "503"].map(str::to_owned).into());
    strangers(&mesh);
}

/// A TLS client that speaks the sidecars' protocol, with this certificate, from this address: what the server says.
fn client(mesh: &Mesh, name: &str, id: &str, from: &str, server: &str, at: &str, say: &str) -> String {
    client_with(mesh, mesh.certificates(id, name), from, server, at, say)
}

/// The same with the files of certificate, key and trust.
fn client_with(mesh: &Mesh, files: [String; 3], from: &str, server: &str, at: &str, say: &str) -> String {
    let [certificate, key, trust] = files;
    let to = SocketAddr::new(mesh.address(at), 15008);
    let mut child = Command::new("openssl")
        .args([
            "s_client",
            "-quiet",
            "-alpn",
            "smi",
            "-bind",
            &format!("{from}:0"),
            "-connect",
            &to.to_string(),
        ])
        .args(["-servername", server, "-cert", &certificate, "-key", &key, "-CAfile", &trust])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let _ = std::io::Write::write_all(&mut stdin, say.as_bytes());
    std::thread::sleep(Duration::from_millis(700));
    drop(stdin);
    let _ = child.kill();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let _ = child.wait();
    out
}

/// A certificate of the mesh's authority for `id`, with the DNS name and the subject `other`.
fn two_faced(mesh: &Mesh, id: &str, other: &str) -> [String; 3] {
    let authority = mesh.issuer.authority();
    let path = |end: &str| mesh.folder.join(format!("two-faced.{end}")).to_str().unwrap().to_owned();
    std::fs::write(path("authority"), &*authority.chain).unwrap();
    std::fs::write(path("authority-key"), &*authority.key).unwrap();
    std::fs::write(
        path("names"),
        format!("subjectAltName=URI:{id},DNS:{other}\nextendedKeyUsage=clientAuth\n"),
    )
    .unwrap();
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let subject = format!("/CN={}", other.replace('/', "\\/"));
    openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &path("key")]);
    openssl(&["req", "-new", "-key", &path("key"), "-subj", &subject, "-out", &path("request")]);
    openssl(&[
        "x509",
        "-req",
        "-in",
        &path("request"),
        "-CA",
        &path("authority"),
        "-CAkey",
        &path("authority-key"),
        "-set_serial",
        "7",
        "-days",
        "1",
        "-extfile",
        &path("names"),
        "-out",
        &path("crt"),
    ]);
    [path("crt"), path("key"), path("authority")]
}

/// Clients that go around their own sidecar.
fn strangers(mesh: &Mesh) {
    let id = |name: &str| format!("spiffe://cluster.local/ns/shop/sa/{name}");
    let get =
        |path: &str| format!("GET {path} HTTP/1.1\r\nHost: cart-v1.shop.mesh\r\nConnection: close\r\n\r\n");
    let http = "8080.http.smi";
    // With the right certificate, also from elsewhere: the certificate is the identity.
    let right = client(mesh, "right", &id("web"), "127.0.99.9", http, "cart-v1-1", &get("/items"));
    assert!(right.starts_with("HTTP/1.1 200"), "{right}");
    // Paths are read the same on the inbound side.
    let around = client(mesh, "around", &id("web"), "127.0.99.9", http, "cart-v1-1", &get("/items/../admin"));
    assert!(around.starts_with("HTTP/1.1 403"), "{around}");
    let slash =
        client(mesh, "slash", &id("web"), "127.0.99.9", http, "cart-v1-1", &get("/items%2f..%2fadmin"));
    assert!(slash.starts_with("HTTP/1.1 400"), "{slash}");
    let wrong = client(mesh, "wrong", &id("batch"), "127.0.99.9", http, "cart-v1-1", &get("/items"));
    assert!(wrong.starts_with("HTTP/1.1 403"), "{wrong}");
    // Who is called otherwise by DNS and subject is still who the URI says.
    let files = || two_faced(mesh, &id("batch"), &id("web"));
    let two = client_with(mesh, files(), "127.0.99.9", http, "cart-v1-1", &get("/items"));
    assert!(two.starts_with("HTTP/1.1 403"), "{two}");
    assert_eq!(client_with(mesh, files(), "127.0.99.9", "5432.tcp.smi", "db-1", ""), "");
    // A binding is a certificate at an address: neither alone suffices.
    let bound = |from: &str, account: &str| {
        client(mesh, "bound", &id(account), from, http, "cart-v1-1", &get("/admin"))
    };
    assert!(bound("127.0.10.4", "web").starts_with("HTTP/1.1 200"));
    assert!(bound("127.0.10.1", "web").starts_with("HTTP/1.1 403"));
    assert!(bound("127.0.10.4", "batch").starts_with("HTTP/1.1 403"));
    // Opaque TCP: the first bytes go to those only who may have them.
    let tcp = |from: &str, account: &str| client(mesh, "tcp", &id(account), from, "5432.tcp.smi", "db-1", "");
    assert_eq!(tcp("127.0.99.9", "web"), "banner");
    assert_eq!(tcp("127.0.10.2", "beta"), "");
    assert_eq!(tcp("127.0.10.4", "beta"), "");
    // No such port, and a port by the wrong protocol.
    assert_eq!(client(mesh, "port", &id("web"), "127.0.99.9", "9999.tcp.smi", "db-1", ""), "");
    assert_eq!(client(mesh, "http", &id("web"), "127.0.99.9", "5432.http.smi", "db-1", &get("/")), "");
    // In clear.
    let mut plain = TcpStream::connect((mesh.address("db-1"), 15008)).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let _ = std::io::Write::write_all(&mut plain, get("/").as_bytes());
    let mut out = Vec::new();
    let _ = plain.read_to_end(&mut out);
    assert_eq!(out, b"");
    // A certificate of the same name from another authority.
    let other = Mesh {
        ir: mesh.ir.clone(),
        folder: folder("other-issuer"),
        issuer: DevIssuer::new("cluster.local", Duration::from_secs(3600)).unwrap(),
        backend: mesh.backend.clone(),
    };
    assert_eq!(client(&other, "forged", &id("web"), "127.0.99.9", http, "cart-v1-1", &get("/items")), "");
}

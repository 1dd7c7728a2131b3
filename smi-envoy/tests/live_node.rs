//! A real Envoy decides as the reference does. Needs `SMI_ENVOY` (the binary) and `curl`; binds loopback addresses as pods.

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
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use smi_core::backend::{Artifact, Artifacts, Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::eval::{Caller, HttpRequest, Outcome, Payload, Request, eval};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{Ir, ListenerKey};
use smi_core::load::{Input, Limits, load};
use smi_envoy::{Envoy, EnvoyConfig};

use live::{curl, envoy, folder, free_port, serve, start, visible};

const TARGETS: [&str; 11] = [
    "/items",
    "/items/7?x=1",
    "/admin",
    "/items/../admin",
    "/items/%2e%2e/admin",
    "//items",
    "/items%2fx",
    "/items%5cx",
    "/i%zz",
    "/items/%",
    "/",
];

/// On the loopback address, with an admin port of its own.
fn node() -> (Envoy, u16) {
    let admin = free_port();
    let mut backend = Envoy::default();
    backend.options.listen = Ipv4Addr::LOCALHOST.into();
    backend.options.admin_port = Some(admin);
    (backend, admin)
}

fn world(backend: &Envoy) -> (Ir, EnvoyConfig) {
    let world = load(&[Input::new("world.yaml", include_str!("world.yaml"))], &Limits::default());
    assert!(!world.report.has_errors(), "{:?}", world.report);
    let compiled = compile(&world.hub, &world.cluster, &CompileOptions::default());
    assert!(!compiled.report.has_errors(), "{:?}", compiled.report);
    let rendered = backend.render(&compiled.ir, &ProxyTarget::Node);
    assert_eq!(rendered.report.diagnostics, [], "everything in this world can be rendered");
    assert_eq!(smi_envoy::lint::lint(&rendered.output.resources), []);
    (compiled.ir, rendered.output)
}

fn write(folder: &Path, config: &EnvoyConfig) -> Vec<PathBuf> {
    let mut files = vec![folder.join("envoy.pb")];
    std::fs::write(&files[0], config.static_bootstrap().protobuf()).unwrap();
    for artifact in config.artifacts() {
        files.push(folder.join(&artifact.name));
        std::fs::write(folder.join(artifact.name), artifact.text).unwrap();
    }
    files
}

#[test]
#[ignore = "needs Envoy"]
fn every_format_validates() {
    let (_, config) = world(&Envoy::default());
    for file in write(&folder("validate"), &config) {
        let run = Command::new(envoy())
            .args(["--mode", "validate", "-l", "error", "-c"])
            .arg(&file)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&run.stderr));
    }
}

/// Writes files as people should: whole ones, renamed over the old.
fn replace(folder: &Path, files: &[Artifact]) {
    for file in files {
        let path = folder.join(&file.name);
        if std::fs::read_to_string(&path).is_ok_and(|text| text == file.text) {
            continue;
        }
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, &file.text).unwrap();
        std::fs::rename(fresh, path).unwrap();
    }
}

/// Serves the world's pods and has each form enforced by an Envoy of its own.
#[test]
#[ignore = "needs Envoy"]
fn a_real_envoy_decides_as_the_reference() {
    let (backend, admin) = node();
    let (ir, config) = world(&backend);
    serve(&ir);
    {
        let file = write(&folder("static"), &config).swap_remove(0);
        let _running = start(&file, admin);
        decides_as_the_reference(&ir, &TARGETS);
    }
    let folder = folder("watched");
    replace(&folder, &config.watched_files(folder.to_str().unwrap()));
    let _running = start(&folder.join("bootstrap.json"), admin);
    decides_as_the_reference(&ir, &TARGETS[..3]);
    // A grant that is taken away holds for the next request.
    let mut poorer = ir.clone();
    poorer.grants.retain(|name, _| name.name.as_str() != "v1-read");
    poorer.workloads.values_mut().for_each(|w| w.grants.retain(|name| name.name.as_str() != "v1-read"));
    let rendered = backend.render(&poorer, &ProxyTarget::Node).output;
    replace(&folder, &rendered.watched_files(folder.to_str().unwrap()));
    let url = format!(
        "http://127.0.0.1:{}/items",
        ir.listeners.entries[&ListenerKey::Http(Port::new(80).unwrap())].get()
    );
    let status = || {
        curl(&[
            "--interface",
            "127.0.10.1",
            "-H",
            "Host: cart-v1.shop.mesh",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            &url,
        ])
    };
    for _ in 0..100 {
        if status() == "403" {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    decides_as_the_reference(&poorer, &TARGETS[..3]);
}

fn decides_as_the_reference(ir: &Ir, targets: &[&str]) {
    let callers: Vec<IpAddr> = ir.callers.keys().copied().chain(["127.0.99.9".parse().unwrap()]).collect();
    let listen = |key: ListenerKey| ir.listeners.entries[&key].get();
    let number = |n| Port::new(n).unwrap();
    let url_base = format!("http://127.0.0.1:{}", listen(ListenerKey::Http(number(80))));
    let mut statuses = BTreeSet::new();
    let mut pairs = 0;
    for caller in &callers {
        for host in [
            "cart.shop.mesh",
            "CART.shop.mesh:80",
            "cart-v1.shop.mesh",
            "cart-v2.shop.mesh.",
            "other.shop.mesh",
        ] {
            for method in ["GET", "POST"] {
                for target in targets {
                    for user in ["beta", "betamax"] {
                        let headers = vec![("X-User".to_owned(), user.to_owned())];
                        let http = HttpRequest {
                            port: number(80),
                            host: host.into(),
                            method: method.into(),
                            target: (*target).into(),
                            headers,
                        };
                        let request =
                            Request { caller: Caller::Address(*caller), payload: Payload::Http(http) };
                        let expected: BTreeSet<String> = eval(ir, &request)
                            .distribution()
                            .iter()
                            .flat_map(|(o, _)| visible(ir, o))
                            .collect();
                        let url = format!("{url_base}{target}");
                        let (host, user, from) =
                            (format!("Host: {host}"), format!("X-User: {user}"), caller.to_string());
                        // An address that is forged changes nothing.
                        let forged = "X-Forwarded-For: 127.0.10.1";
                        let answer = curl(&[
                            "--path-as-is",
                            "--interface",
                            &from,
                            "-X",
                            method,
                            "-H",
                            &host,
                            "-H",
                            &user,
                            "-H",
                            forged,
                            "-w",
                            "\n%{http_code}",
                            &url,
                        ]);
                        let (body, status) = answer.rsplit_once('\n').unwrap();
                        let seen = if status == "200" { format!("200 {body}") } else { status.to_owned() };
                        assert!(expected.contains(&seen), "{request:?}: {seen}, not {expected:?}");
                        statuses.insert(status.to_owned());
                        pairs += 1;
                    }
                }
            }
        }
        let allowed = |payload| {
            let decision = eval(ir, &Request { caller: Caller::Address(*caller), payload }).distribution();
            decision.iter().all(|(o, _)| matches!(o, Outcome::Served(..)))
        };
        let db = Namespaced::new("shop", "db");
        let url = format!("telnet://127.0.0.1:{}", listen(ListenerKey::Tcp(db.clone(), number(5432))));
        let banner = curl(&["--interface", &caller.to_string(), &url]);
        assert_eq!(
            banner == "banner",
            allowed(Payload::Tcp { service: db, port: number(5432) }),
            "{caller}: {banner:?}"
        );
        assert!(banner == "banner" || banner.is_empty());
        let dns = Namespaced::new("shop", "dns");
        let socket = UdpSocket::bind((*caller, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        socket.send_to(b"ask", ("127.0.0.1", listen(ListenerKey::Udp(dns.clone(), number(53))))).unwrap();
        let answered = socket.recv_from(&mut [0; 16]).is_ok();
        assert_eq!(answered, allowed(Payload::Udp { service: dns, port: number(53) }), "{caller}: UDP");
    }
    for status in ["200", "403", "404", "503"] {
        assert!(statuses.contains(status), "no {status} in {pairs} requests");
    }
}

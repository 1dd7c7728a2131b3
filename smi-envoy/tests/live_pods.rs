//! Pods that speak TLS or h2c are spoken to so (S34, S36) by a real Envoy, whose check of their certificates cannot be got around. Needs
//! `SMI_ENVOY` (the binary), `curl` and `openssl`; binds loopback addresses as pods.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test"
)]

mod live;

use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use smi_envoy::PodTls;

use live::world::World;
use live::{Running, folder, free_port, start};

fn openssl(folder: &Path, arguments: &[&str]) {
    let run = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
}

/// A certificate authority's certificate and key.
fn authority(folder: &Path, name: &str) {
    let subject = format!("/CN={name}");
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-keyout",
            &format!("{name}.key"),
            "-out",
            &format!("{name}.crt"),
        ],
    );
}

/// A server of TLS at a pod's address, with a certificate of this DNS name.
fn tls_pod(folder: &Path, at: IpAddr, authority: &str, dns: &str) -> Running {
    let file = |end: &str| format!("{at}.{end}");
    openssl(
        folder,
        &[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=pod",
            "-keyout",
            &file("key"),
            "-out",
            &file("csr"),
        ],
    );
    std::fs::write(folder.join(file("ext")), format!("subjectAltName=DNS:{dns}")).unwrap();
    openssl(
        folder,
        &[
            "x509",
            "-req",
            "-in",
            &file("csr"),
            "-CA",
            &format!("{authority}.crt"),
            "-CAkey",
            &format!("{authority}.key"),
            "-days",
            "2",
            "-extfile",
            &file("ext"),
            "-out",
            &file("crt"),
        ],
    );
    let child = Command::new("openssl")
        .args([
            "s_server",
            "-quiet",
            "-www",
            "-accept",
            &format!("{at}:8080"),
            "-cert",
            &file("crt"),
            "-key",
            &file("key"),
        ])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Running::of(child)
}

#[test]
#[ignore = "needs Envoy"]
fn pods_that_speak_tls_are_spoken_to_over_tls() {
    let tls: &[(&str, &str)] = &[("scheme", "https")];
    let split = |root: &str| {
        format!(
            "apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {{name: {root}, namespace: shop}}\n\
             spec: {{service: {root}, backends: [{{service: right, weight: 1}}]}}\n"
        )
    };
    let mut world = World::new(65)
        .pod("right", 11)
        .service("right", tls)
        .pod("wrong", 12)
        .service("wrong", tls)
        .pod("alien", 13)
        .service("alien", tls)
        .pod("mixed", 14)
        .service("mixed", &[])
        .more(&split("mixed"))
        .pod("limited", 15)
        .service("limited", &[("max-in-flight", "1")])
        .more(&split("limited"))
        .pod("hidden", 16)
        .service_without_grant("hidden", tls);
    let certificates = folder("pod-tls");
    authority(&certificates, "trusted");
    authority(&certificates, "other");
    let pods = [
        (11, "trusted", "right.shop.svc"),
        (12, "trusted", "right.shop.svc"),
        (13, "other", "alien.shop.svc"),
        (16, "trusted", "hidden.shop.svc"),
    ];
    let _pods = pods.map(|(host, authority, dns)| tls_pod(&certificates, world.at(host), authority, dns));
    let trusted = certificates.join("trusted.crt").to_str().unwrap().to_owned();
    for (check, [right, wrong, alien]) in [
        (Some(PodTls::Trusted(trusted)), ["200", "503", "503"]),
        (None, ["503", "503", "503"]),
        (Some(PodTls::Unchecked), ["200", "200", "200"]),
    ] {
        world.backend.options.pod_tls = check.clone();
        let (node, sidecar) = world.start("pod-tls-proxies");
        for proxy in [&node, &sidecar] {
            let status =
                |name: &str| proxy.ask(&format!("{name}.shop.mesh"), "/").chars().take(3).collect::<String>();
            assert_eq!(status("right"), right, "{check:?}");
            // Its pod shows the certificate of another service.
            assert_eq!(status("wrong"), wrong, "{check:?}");
            assert_eq!(status("alien"), alien, "{check:?}");
            // What pods speak is said by their own service.
            assert_eq!(status("mixed"), right, "{check:?}");
            assert_eq!(status("limited"), right, "{check:?}");
            // TLS is no grant.
            assert_eq!(status("hidden"), "403", "{check:?}");
        }
    }
}

#[test]
#[ignore = "needs Envoy"]
fn pods_that_speak_h2c_are_spoken_to_in_h2c() {
    let plain = "apiVersion: v1\nkind: Service\nmetadata: {name: plain, namespace: shop}\n\
         spec: {selector: {app: h2c}, ports: [{name: http, port: 80, targetPort: http}]}\n";
    let world = World::new(66).pod("h2c", 11).service("h2c", &[("scheme", "h2c")]).more(plain);
    // An Envoy that reads nothing but HTTP/2 with prior knowledge.
    let admin = free_port();
    let pod = serde_json::json!({
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "static_resources": {"listeners": [{
            "name": "pod",
            "address": {"socket_address": {"address": world.at(11), "port_value": 8080}},
            "filter_chains": [{"filters": [{
                "name": "http",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "pod",
                    "codec_type": "HTTP2",
                    "route_config": {"virtual_hosts": [{
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "h2c"}}}],
                    }]},
                    "http_filters": [{
                        "name": "router",
                        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
                    }],
                },
            }]}],
        }]},
    });
    let file = folder("h2c").join("pod.json");
    std::fs::write(&file, pod.to_string()).unwrap();
    let _pod = start(&file, admin);
    let (node, sidecar) = world.start("h2c-proxies");
    for proxy in [&node, &sidecar] {
        assert_eq!(proxy.ask("h2c.shop.mesh", "/"), "200 h2c");
        // The same pod, by a service that says HTTP/1.1.
        assert_ne!(proxy.ask("plain.shop.mesh", "/"), "200 h2c");
    }
}

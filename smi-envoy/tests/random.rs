//! Random worlds render to configurations without findings, with stable bytes, that a real Envoy takes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use proptest::prelude::*;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, MeshMode, compile};
use smi_core::ir::ListenerKey;
use smi_core::load::{Input, Limits, load};
use smi_core::testing::world;
use smi_envoy::lint::lint;
use smi_envoy::{Certificates, Envoy, EnvoyConfig, Kind, host_origins};
use smi_xds::identity::{DevIssuer, IdentitySource as _};

/// The node proxy's configuration and those of all sidecars.
fn rendered(text: &str, mode: MeshMode) -> Vec<EnvoyConfig> {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    let mut options = CompileOptions::default();
    options.mode = mode;
    let ir = compile(&world.hub, &world.cluster, &options).ir;
    let sidecars = ir.pods.keys().cloned().map(ProxyTarget::Sidecar);
    [ProxyTarget::Node].into_iter().chain(sidecars).map(|t| backend().render(&ir, &t).output).collect()
}

/// Files of a certificate, which Envoy wants to read.
fn backend() -> Envoy {
    static FILES: OnceLock<Certificates> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let issuer = DevIssuer::new("cluster.local", Duration::from_secs(3600)).unwrap();
        let identity = issuer.identity("spiffe://cluster.local/ns/a/sa/v1").unwrap();
        let folder = std::env::temp_dir().join(format!("smi-envoy-random-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        Certificates::Files {
            certificate: file("tls.crt", &identity.chain),
            key: file("tls.key", &identity.key),
            trust: file("ca.crt", &issuer.trust().first().unwrap().authorities),
        }
    });
    let mut backend = Envoy::default();
    backend.options.sidecar.certificates = files.clone();
    backend
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn hosts_are_made_of_what_their_routes_are_made_of(text in world()) {
        let world = load(&[Input::new("world.yaml", text.as_str())], &Limits::default());
        let ir = compile(&world.hub, &world.cluster, &CompileOptions::default()).ir;
        let sidecars = ir.pods.keys().cloned().map(ProxyTarget::Sidecar);
        for target in [ProxyTarget::Node].into_iter().chain(sidecars) {
            let resources = backend().render(&ir, &target).output.resources;
            for key in ir.listeners.entries.keys() {
                let ListenerKey::Http(_) = key else { continue };
                let name = key.to_string();
                let Some(routes) = resources.routes.get(&name) else { continue };
                let hosts = routes.virtual_hosts.iter().filter(|host| host.name != "*");
                let mut all = BTreeSet::new();
                for host in hosts {
                    let of_host = host_origins(&ir, &target, &name, &host.name);
                    prop_assert!(!of_host.is_empty(), "{target:?} {name} {}", host.name);
                    all.extend(of_host);
                }
                let whole = resources.origins.get(&(Kind::Route, name)).map(|all| (**all).clone()).unwrap_or_default();
                prop_assert!(all.is_subset(&whole));
                if target == ProxyTarget::Node {
                    prop_assert_eq!(all, whole);
                }
            }
        }
    }

    #[test]
    fn nothing_is_found_and_bytes_are_stable(text in world()) {
        for mode in [MeshMode::Enforce, MeshMode::Permissive] {
            for (once, again) in rendered(&text, mode.clone()).iter().zip(rendered(&text, mode.clone())) {
                prop_assert_eq!(lint(&once.resources), []);
                prop_assert_eq!(once, &again);
                let (once, again) = (once.static_bootstrap(), again.static_bootstrap());
                prop_assert_eq!(once.protobuf(), again.protobuf());
                prop_assert_eq!(once.json().unwrap(), again.json().unwrap());
            }
        }
    }

    #[test]
    #[ignore = "needs Envoy"]
    fn a_real_envoy_takes_it(text in world()) {
        let envoy = std::env::var_os("SMI_ENVOY").expect("set SMI_ENVOY to Envoy's binary");
        let file = |end: &str| std::env::temp_dir().join(format!("smi-envoy-random-{}.{end}", std::process::id()));
        for mode in [MeshMode::Enforce, MeshMode::Permissive] {
            // The node proxy and one sidecar: the others are alike.
            for config in rendered(&text, mode).iter().take(2) {
                let bootstrap = config.static_bootstrap();
                std::fs::write(file("pb"), bootstrap.protobuf()).unwrap();
                std::fs::write(file("json"), bootstrap.json().unwrap()).unwrap();
                std::fs::write(file("yaml"), bootstrap.yaml().unwrap()).unwrap();
                for end in ["pb", "json", "yaml"] {
                    let run = Command::new(&envoy).args(["--mode", "validate", "-l", "error", "-c"]).arg(file(end)).output().unwrap();
                    prop_assert!(run.status.success(), "{}: {}\n{}", end, text, String::from_utf8_lossy(&run.stderr));
                }
            }
        }
        ["pb", "json", "yaml"].iter().for_each(|end| std::fs::remove_file(file(end)).unwrap());
    }
}

//! A world whose every pod has a sidecar.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use smi_core::backend::{Backend, ProxyTarget};
use smi_core::cluster::PodId;
use smi_core::compile::{CompileOptions, compile};
use smi_core::hub::names::Namespaced;
use smi_core::ir::Ir;
use smi_core::load::{Input, Limits, load};
use smi_envoy::{AppAddress, Certificates, Envoy, EnvoyConfig, PodTls};
use smi_xds::identity::{DevIssuer, IdentitySource};

use super::{Running, folder, free_port, start};

/// Every pod with an Envoy of its own.
pub(crate) struct Mesh {
    pub(crate) ir: Ir,
    pub(crate) folder: PathBuf,
    pub(crate) issuer: DevIssuer,
    pub(crate) backend: Envoy,
}

impl Mesh {
    /// The mesh of a world, whose files go to a folder of this name.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let world = load(&[Input::new("world.yaml", text)], &Limits::default());
        assert!(!world.report.has_errors(), "{:?}", world.report);
        let compiled = compile(&world.hub, &world.cluster, &CompileOptions::default());
        assert!(!compiled.report.has_errors(), "{:?}", compiled.report);
        Self::of(compiled.ir, name)
    }

    /// The same of an IR.
    pub(crate) fn of(ir: Ir, name: &str) -> Self {
        let mut backend = Envoy::default();
        // All pods share one loopback address here, so applications and outbound listeners are at the pods' own.
        backend.options.sidecar.app = AppAddress::Pod;
        let issuer = DevIssuer::new("cluster.local", Duration::from_secs(3600)).unwrap();
        Self { ir, folder: folder(name), issuer, backend }
    }

    /// Writes certificate, key and trust of an identity.
    pub(crate) fn certificates(&self, id: &str, name: &str) -> [String; 3] {
        let identity = self.issuer.identity(id).unwrap();
        let trust = self.issuer.trust();
        [("crt", &identity.chain), ("key", &identity.key), ("ca", &trust[0].authorities)].map(
            |(end, text)| {
                let path = self.folder.join(format!("{name}.{end}"));
                std::fs::write(&path, text.as_bytes()).unwrap();
                path.to_str().unwrap().to_owned()
            },
        )
    }

    pub(crate) fn render(&self, pod: &PodId, admin: u16) -> EnvoyConfig {
        let found = &self.ir.pods[pod];
        let id = self.ir.identity(&found.workload);
        let [certificate, key, trust] = self.certificates(id.as_str(), pod.name.name.as_str());
        let mut backend = self.backend.clone();
        backend.options.admin_port = Some(admin);
        backend.options.sidecar.listen = found.addresses[0];
        backend.options.sidecar.certificates = Certificates::Files { certificate, key, trust };
        let config = backend.render(&self.ir, &ProxyTarget::Sidecar(pod.clone())).output;
        check(&backend, &config);
        config
    }

    pub(crate) fn start(&self) -> BTreeMap<PodId, Running> {
        let start_one = |pod: &PodId| {
            let admin = free_port();
            let file = self.folder.join(format!("{}.json", pod.name.name));
            std::fs::write(&file, self.render(pod, admin).static_bootstrap().json().unwrap()).unwrap();
            start(&file, admin)
        };
        self.ir.pods.keys().map(|pod| (pod.clone(), start_one(pod))).collect()
    }

    pub(crate) fn address(&self, pod: &str) -> IpAddr {
        self.ir.pods[&PodId::pod(Namespaced::new("shop", pod))].addresses[0]
    }
}

/// Nothing is found, unless it was asked for.
pub(crate) fn check(backend: &Envoy, config: &EnvoyConfig) {
    let found = smi_envoy::lint::lint(&config.resources);
    assert!(found.is_empty() || backend.options.pod_tls == Some(PodTls::Unchecked), "{found:?}");
}

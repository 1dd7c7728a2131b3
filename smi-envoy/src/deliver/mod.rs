//! How resources reach a proxy: inside the file it starts with, over a stream (ADS), or in files that it watches.
//!
//! - `reference`: what resources name, put elsewhere · `bootstrap`: what Envoy starts with · `files`: watched files

mod bootstrap;
mod files;
mod reference;

pub use bootstrap::{AdsServer, AdsTls};

use smi_core::backend::{Artifact, Artifacts, ProxyTarget};

use crate::config::bootstrap::Bootstrap;
use crate::options::EnvoyOptions;
use crate::resources::Resources;

/// A proxy's configuration: its resources, and the forms in which it can get them.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvoyConfig {
    /// What the policy asks for, in the form in which an ADS server serves it.
    pub resources: Resources,
    /// Which proxy it is for.
    pub target: ProxyTarget,
    pub(crate) options: EnvoyOptions,
}

impl EnvoyConfig {
    pub(crate) fn new(resources: Resources, target: &ProxyTarget, options: &EnvoyOptions) -> Self {
        Self { resources, target: target.clone(), options: options.clone() }
    }

    /// Everything in the one file that Envoy starts with.
    #[must_use]
    pub fn static_bootstrap(&self) -> Bootstrap {
        Bootstrap {
            static_resources: Some(reference::inlined(&self.resources)),
            ..bootstrap::common(&self.target, &self.options)
        }
    }

    /// What Envoy starts with to get its resources from an ADS server.
    #[must_use]
    pub fn ads_bootstrap(&self, server: &AdsServer) -> Bootstrap {
        bootstrap::ads(&self.target, &self.options, server)
    }

    /// Files for an Envoy that watches `folder` and starts with the first of them, in the order in which they are to be written. To change
    /// what it does, replace changed files by renaming new ones over them.
    #[must_use]
    pub fn watched_files(&self, folder: &str) -> Vec<Artifact> {
        files::files(self, folder)
    }
}

impl Artifacts for EnvoyConfig {
    /// The static form.
    fn artifacts(&self) -> Vec<Artifact> {
        let bootstrap = self.static_bootstrap();
        // What we render holds registered types only, so it always prints.
        vec![
            Artifact { name: "envoy.json".into(), text: bootstrap.json().unwrap_or_default() },
            Artifact { name: "envoy.yaml".into(), text: bootstrap.yaml().unwrap_or_default() },
        ]
    }
}

/// The node id that a proxy presents to an ADS server: `node`, or `sidecar~<namespace>~<pod>`.
#[must_use]
pub fn node_id(target: &ProxyTarget) -> String {
    match target {
        ProxyTarget::Node => "node".to_owned(),
        ProxyTarget::Sidecar(pod) => format!("sidecar~{}~{}", pod.name.namespace, pod.name.name),
    }
}

/// Which proxy presents a node id. Proxies of several nodes may call themselves `node~<name>`.
#[must_use]
pub fn target_of(node_id: &str) -> Option<ProxyTarget> {
    use smi_core::cluster::PodId;
    use smi_core::hub::names::{Namespaced, is_dns_label, is_dns_subdomain};

    match node_id.split_once('~').unwrap_or((node_id, "")) {
        ("node", _) => Some(ProxyTarget::Node),
        ("sidecar", pod) => {
            let (namespace, name) = pod.split_once('~')?;
            let named = is_dns_label(namespace) && is_dns_subdomain(name);
            named.then(|| ProxyTarget::Sidecar(PodId::pod(Namespaced::new(namespace, name))))
        }
        _ => None,
    }
}

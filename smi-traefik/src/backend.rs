//! The backend: capabilities, rendering, files.

use std::collections::BTreeSet;

use smi_core::backend::{
    AdditiveAccess, Artifact, Artifacts, Backend, Capabilities, Feature, IdentityKnowledge, ProxyTarget,
    Rendered,
};
use smi_core::diag::Diagnostic;
use smi_core::ir::Ir;

use crate::codes;
use crate::config::{Dynamic, install::Install};
use crate::options::TraefikOptions;
use crate::render;

/// Traefik, 3.7 or newer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traefik {
    /// Options.
    pub options: TraefikOptions,
}

/// A proxy's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraefikConfig {
    /// What changes while it runs.
    pub dynamic: Dynamic,
    /// What it starts with.
    pub install: Install,
    /// Hash of the dynamic configuration; `GET /config/<hash>` on the ready port answers 200 once it is loaded.
    pub hash: String,
}

impl TraefikConfig {
    /// The dynamic configuration as JSON, for Traefik's HTTP provider.
    #[must_use]
    pub fn dynamic_json(&self) -> String {
        // Plain data of our own types always serialises.
        serde_json::to_string(&self.dynamic).unwrap_or_default()
    }
}

impl Artifacts for TraefikConfig {
    fn artifacts(&self) -> Vec<Artifact> {
        vec![
            Artifact { name: "dynamic.yaml".into(), text: yaml(&self.dynamic) },
            Artifact { name: "traefik.yaml".into(), text: yaml(&self.install) },
        ]
    }
}

fn yaml(value: &impl serde::Serialize) -> String {
    // By way of a tree, so that enums print as Traefik reads them.
    let tree = serde_json::to_value(value).unwrap_or_default();
    // One line per rule: a rule that is folded reads badly and changes more lines than it must.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut text = String::new();
    if serde_saphyr::to_fmt_writer_with_options(&mut text, &tree, options).is_err() {
        return String::new();
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

impl Backend for Traefik {
    type Output = TraefikConfig;

    fn name(&self) -> &'static str {
        "traefik"
    }

    fn capabilities(&self, _target: &ProxyTarget) -> Capabilities {
        Capabilities {
            features: BTreeSet::from([
                Feature::Http,
                Feature::Tcp,
                Feature::Udp,
                Feature::HttpAccess,
                Feature::TcpAccess,
                Feature::HttpSplit,
                Feature::TcpSplit,
                Feature::UdpSplit,
                Feature::ConditionalSplit,
                Feature::AddressIdentity,
                Feature::BindingIdentity,
                Feature::H2cUpstream,
                Feature::HttpsUpstream,
                Feature::Retry,
                Feature::CircuitBreaker,
                Feature::RateLimit,
                Feature::InFlightLimit,
                Feature::KeepEncodedSlashes,
                Feature::SharedAddress,
            ]),
            identity: IdentityKnowledge::Address,
            access: AdditiveAccess::FirstMatch,
        }
    }

    fn render(&self, ir: &Ir, target: &ProxyTarget) -> Rendered<TraefikConfig> {
        let capabilities = self.capabilities(target);
        match target {
            ProxyTarget::Node => render::render(ir, &self.options, &capabilities),
            // A node's configuration would do for a pod's proxy, and open to it what is closed: everybody who calls through it has the
            // address of its pod.
            ProxyTarget::Sidecar(pod) => {
                let nothing = Ir { settings: ir.settings.clone(), ..Ir::default() };
                let mut rendered = render::render(&nothing, &self.options, &capabilities);
                let message = format!("pod `{pod}` cannot have Traefik as its sidecar");
                rendered.report.push(
                    Diagnostic::general(codes::NO_SIDECAR, message)
                        .with_help("render for the node, or for another proxy"),
                );
                rendered
            }
        }
    }
}

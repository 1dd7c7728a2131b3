//! The backend: capabilities, rendering, files.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use prost::Message as _;
use smi_core::backend::{
    AdditiveAccess, Artifact, Artifacts, Backend, Capabilities, Feature, IdentityKnowledge, ProxyTarget,
    Rendered,
};
use smi_core::diag::{Diagnostic, Report};
use smi_core::ir::Ir;

use crate::codes;
use crate::config::address::{Address, Protocol};
use crate::config::bootstrap::{
    Admin, Bootstrap, LayeredRuntime, Node, RuntimeLayer, StaticResources, Struct, Value, ValueKind,
};
use crate::config::cluster::Cluster;
use crate::config::listener::Listener;
use crate::render;

/// Envoy, 1.40 or newer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envoy {
    /// Options.
    pub options: EnvoyOptions,
}

/// What is not the policy's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvoyOptions {
    /// Address the listeners are bound to.
    pub listen: IpAddr,
    /// Port of the admin interface on the loopback address; none: no such interface.
    pub admin_port: Option<u16>,
    /// Largest RE2 program; Envoy's own default of 100 refuses ordinary patterns.
    pub max_program_size: u32,
}

impl Default for EnvoyOptions {
    fn default() -> Self {
        Self { listen: Ipv4Addr::UNSPECIFIED.into(), admin_port: Some(9901), max_program_size: 32768 }
    }
}

/// Resources by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// Listeners, with their routes inline.
    pub listeners: BTreeMap<String, Listener>,
    /// Clusters, with their endpoints inline.
    pub clusters: BTreeMap<String, Cluster>,
}

/// A proxy's configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvoyConfig {
    /// What the policy asks for.
    pub resources: Resources,
    /// All of it in the one file that Envoy starts with.
    pub bootstrap: Bootstrap,
}

impl EnvoyConfig {
    pub(crate) fn new(resources: Resources, options: &EnvoyOptions) -> Self {
        let loopback = |port| Address::new(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), Protocol::Tcp);
        let limit = Value { kind: Some(ValueKind::Number(options.max_program_size.into())) };
        let limits = BTreeMap::from([("re2.max_program_size.error_level".to_owned(), limit)]);
        let layer = RuntimeLayer { name: "smi".into(), static_layer: Some(Struct { fields: limits }) };
        let bootstrap = Bootstrap {
            node: Some(Node { id: "smi".into(), cluster: "smi".into() }),
            admin: options.admin_port.map(|port| Admin { address: Some(loopback(port)) }),
            layered_runtime: Some(LayeredRuntime { layers: vec![layer] }),
            static_resources: Some(StaticResources {
                listeners: resources.listeners.values().cloned().collect(),
                clusters: resources.clusters.values().cloned().collect(),
            }),
        };
        Self { resources, bootstrap }
    }

    /// As JSON.
    ///
    /// # Errors
    /// When a foreign message was put into an `Any`.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(&self.bootstrap)? + "\n")
    }

    /// As protobuf, for a file whose name ends in `.pb`.
    #[must_use]
    pub fn protobuf(&self) -> Vec<u8> {
        self.bootstrap.encode_to_vec()
    }
}

impl Artifacts for EnvoyConfig {
    fn artifacts(&self) -> Vec<Artifact> {
        // What we render holds registered types only, so it always prints.
        let tree = serde_json::to_value(&self.bootstrap).unwrap_or_default();
        let mut yaml = serde_saphyr::to_string(&tree).unwrap_or_default();
        if !yaml.ends_with('\n') {
            yaml.push('\n');
        }
        vec![
            Artifact { name: "envoy.json".into(), text: self.json().unwrap_or_default() },
            Artifact { name: "envoy.yaml".into(), text: yaml },
        ]
    }
}

impl Backend for Envoy {
    type Output = EnvoyConfig;

    fn name(&self) -> &'static str {
        "envoy"
    }

    fn capabilities(&self, target: &ProxyTarget) -> Capabilities {
        let features = match target {
            ProxyTarget::Node => BTreeSet::from([
                Feature::Http,
                Feature::Tcp,
                Feature::Udp,
                Feature::HttpAccess,
                Feature::TcpAccess,
                Feature::UdpAccess,
                Feature::HttpSplit,
                Feature::TcpSplit,
                Feature::UdpSplit,
                Feature::ConditionalSplit,
                Feature::AddressIdentity,
                Feature::BindingIdentity,
                Feature::H2cUpstream,
                Feature::Retry,
                Feature::Timeout,
                Feature::RateLimit,
                Feature::KeepEncodedSlashes,
            ]),
            ProxyTarget::Sidecar(_) => BTreeSet::new(),
        };
        Capabilities { features, identity: IdentityKnowledge::Address, access: AdditiveAccess::AnyOf }
    }

    fn render(&self, ir: &Ir, target: &ProxyTarget) -> Rendered<EnvoyConfig> {
        match target {
            ProxyTarget::Node => render::node(ir, &self.options, &self.capabilities(target)),
            ProxyTarget::Sidecar(pod) => {
                let mut report = Report::new();
                let message = format!("the configuration for the sidecar of `{pod}` is empty");
                report.push(Diagnostic::general(codes::NO_SIDECAR, message));
                Rendered { output: EnvoyConfig::new(Resources::default(), &self.options), report }
            }
        }
    }
}

//! The backend: capabilities, rendering, files.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use smi_core::backend::{
    AdditiveAccess, Backend, Capabilities, Feature, IdentityKnowledge, ProxyTarget, Rendered,
};
use smi_core::diag::{Diagnostic, Report};
use smi_core::ir::Ir;

use crate::codes;
use crate::deliver::EnvoyConfig;
use crate::render;
use crate::resources::Resources;

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
                Rendered { output: EnvoyConfig::new(Resources::default(), target, &self.options), report }
            }
        }
    }
}

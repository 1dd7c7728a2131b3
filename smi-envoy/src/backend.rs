//! The backend: capabilities and rendering.

use std::collections::BTreeSet;

use smi_core::backend::{
    AdditiveAccess, Backend, Capabilities, Feature, IdentityKnowledge, ProxyTarget, Rendered,
};
use smi_core::cluster::PodId;
use smi_core::hub::names::Namespaced;
use smi_core::ir::Ir;

use crate::deliver::EnvoyConfig;
use crate::options::EnvoyOptions;
use crate::render::{self, Common};

/// Envoy, 1.40 or newer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envoy {
    /// Options.
    pub options: EnvoyOptions,
}

impl Backend for Envoy {
    type Output = EnvoyConfig;

    fn name(&self) -> &'static str {
        "envoy"
    }

    fn capabilities(&self, target: &ProxyTarget) -> Capabilities {
        let mut features = match target {
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
                Feature::InFlightLimit,
                Feature::Mirror,
                Feature::CountedPermissive,
                Feature::CircuitBreaker,
                Feature::KeepEncodedSlashes,
                Feature::SharedAddress,
                Feature::KeepEncodedBackslashes,
            ]),
            ProxyTarget::Sidecar(_) => BTreeSet::from([
                Feature::Http,
                Feature::Tcp,
                Feature::HttpAccess,
                Feature::TcpAccess,
                Feature::HttpSplit,
                Feature::TcpSplit,
                Feature::ConditionalSplit,
                Feature::CertificateIdentity,
                Feature::BindingIdentity,
                Feature::H2cUpstream,
                Feature::Retry,
                Feature::Timeout,
                Feature::RateLimit,
                Feature::InFlightLimit,
                Feature::Mirror,
                Feature::CountedPermissive,
                Feature::CircuitBreaker,
                Feature::KeepEncodedSlashes,
                Feature::KeepEncodedBackslashes,
            ]),
        };
        if self.options.pod_tls.is_some() {
            features.insert(Feature::HttpsUpstream);
        }
        let identity = match target {
            ProxyTarget::Node => IdentityKnowledge::Address,
            ProxyTarget::Sidecar(_) => IdentityKnowledge::Certificate,
        };
        Capabilities { features, identity, access: AdditiveAccess::AnyOf }
    }

    fn render(&self, ir: &Ir, target: &ProxyTarget) -> Rendered<EnvoyConfig> {
        let sidecar = matches!(target, ProxyTarget::Sidecar(_));
        render::render(&Common::new(ir, sidecar, &self.capabilities(target)), target, &self.options)
    }
}

/// Renders the sidecars of many pods. What they have in common is looked up once, which [`Envoy::render`] does for each of them.
#[derive(Debug)]
pub struct Sidecars<'a> {
    common: Common<'a>,
    options: EnvoyOptions,
}

impl<'a> Sidecars<'a> {
    /// The sidecars of an IR.
    #[must_use]
    pub fn new(ir: &'a Ir, envoy: &Envoy) -> Self {
        // Sidecars of all pods can do the same.
        let any = ProxyTarget::Sidecar(PodId::pod(Namespaced::new("", "")));
        Self { common: Common::new(ir, true, &envoy.capabilities(&any)), options: envoy.options.clone() }
    }

    /// The configuration of the sidecar of a pod, as [`Envoy::render`] gives it.
    #[must_use]
    pub fn render(&self, pod: &PodId) -> Rendered<EnvoyConfig> {
        render::render(&self.common, &ProxyTarget::Sidecar(pod.clone()), &self.options)
    }
}

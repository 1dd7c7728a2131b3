//! The backend: capabilities, rendering, files.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use smi_core::backend::{
    AdditiveAccess, Backend, Capabilities, Feature, IdentityKnowledge, ProxyTarget, Rendered,
};
use smi_core::cluster::PodId;
use smi_core::hub::names::Namespaced;
use smi_core::ir::Ir;

use crate::deliver::EnvoyConfig;
use crate::render::{self, Common};

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
    /// Address the listeners of a node proxy are bound to.
    pub listen: IpAddr,
    /// Port of the admin interface on the loopback address; none: no such interface.
    pub admin_port: Option<u16>,
    /// Largest RE2 program; Envoy's own default of 100 refuses ordinary patterns.
    pub max_program_size: u32,
    /// What certificates of pods that speak TLS have to show; none: such pods are not spoken to, and their share answers 503.
    pub pod_tls: Option<PodTls>,
    /// Of sidecars.
    pub sidecar: SidecarOptions,
}

/// What certificates of pods that speak TLS (S34) have to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodTls {
    /// One of their Service's names (`cart.shop.svc` with and without the cluster's domain, `cart.shop`, the mesh names), signed by
    /// those in this file of the proxy's machine, PEM. Envoy has no notion of whom the machine itself trusts, and takes nothing of a
    /// configuration that names a file that is not there.
    Trusted(String),
    /// Nothing.
    Unchecked,
}

impl Default for EnvoyOptions {
    fn default() -> Self {
        Self {
            listen: Ipv4Addr::UNSPECIFIED.into(),
            admin_port: Some(9901),
            max_program_size: 32768,
            pod_tls: None,
            sidecar: SidecarOptions::default(),
        }
    }
}

/// What is not the policy's to say, of sidecars.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SidecarOptions {
    /// Address on which the application reaches its sidecar; the ports are those of the port table.
    pub listen: IpAddr,
    /// Port at the pods' addresses on which sidecars speak mTLS with each other, the same for all.
    pub inbound_port: u16,
    /// Where a sidecar reaches its application.
    pub app: AppAddress,
    /// Where a sidecar has its certificate from.
    pub certificates: Certificates,
}

impl Default for SidecarOptions {
    fn default() -> Self {
        Self {
            listen: Ipv4Addr::LOCALHOST.into(),
            inbound_port: 15008,
            app: AppAddress::Loopback,
            certificates: Certificates::Served,
        }
    }
}

/// Where an application listens. Whoever can connect to it there need not pass its sidecar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppAddress {
    /// On the loopback address, where nobody else reaches it.
    #[default]
    Loopback,
    /// On the pod's address. A NetworkPolicy or the like must keep others away.
    Pod,
}

/// Where a sidecar has its certificate and what it trusts from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Certificates {
    /// From the ADS server, as secrets: the certificate by the name of the pod's SPIFFE ID, the trusted certificates by the name of the
    /// trust domain (`spiffe://cluster.local`).
    #[default]
    Served,
    /// From files of the proxy's machine, PEM.
    Files {
        /// The pod's certificate and those between it and the trusted ones.
        certificate: String,
        /// Its key.
        key: String,
        /// Trusted certificates.
        trust: String,
    },
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

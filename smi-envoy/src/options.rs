//! What is not the policy's to say: addresses, ports, certificates.

use std::net::{IpAddr, Ipv4Addr};

/// Of all proxies.
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

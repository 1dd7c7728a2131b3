//! The pod whose sidecar is rendered, and how its sidecar reaches others.
//!
//! A sidecar routes for its own application and decides who may call it. Who may call others is decided by theirs, with one exception: a
//! share that is refused whatever is asked is refused at once, so that a sidecar gets no endpoints that it cannot use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use smi_core::cluster::{PodId, Probe};
use smi_core::hub::names::{Namespace, Namespaced, Port, SpiffeId};
use smi_core::ir::{Ir, ListenerKey, Mode, Protocol, Service, WorkloadId};

use super::leaf::{self, Leaf};
use super::tls::{self, Secrets};
use super::{At, Output};
use crate::config::address::{Protocol as Transport, SocketAddress};
use crate::config::cluster::BindConfig;
use crate::config::tls::TransportSocket;
use crate::options::{Certificates, EnvoyOptions};
use crate::resources::Resources;

/// The cluster without endpoints, where shares go that fail.
pub(super) const CLOSED: &str = "closed";

/// The pod whose sidecar is rendered.
#[derive(Clone, Debug)]
pub(super) struct Own<'a> {
    pub(super) workload: &'a WorkloadId,
    /// Not empty, and no other pod's.
    pub(super) addresses: Vec<IpAddr>,
    /// Probes of the kubelet for which it answers.
    pub(super) probes: &'a [Probe],
    pub(super) secrets: Secrets,
    pub(super) options: &'a EnvoyOptions,
}

impl<'a> Own<'a> {
    pub(super) fn new(ir: &'a Ir, pod: &PodId, options: &'a EnvoyOptions) -> Option<Self> {
        let found = ir.pods.get(pod)?;
        // SPEC: S29 — where several pods share an address, a connection to it is nobody's in particular: sidecars there would take each
        // other's. Such pods have none, and what goes to them fails. Pinned by `pods_that_share_an_address_have_no_sidecar`.
        let alone = |address: &IpAddr| ir.callers.get(address) == Some(pod);
        let addresses: Vec<IpAddr> = found.addresses.iter().copied().filter(alone).collect();
        if addresses.is_empty() {
            return None;
        }
        let secrets = Secrets::new(&ir.identity(&found.workload), &ir.settings.trust_domain);
        Some(Self { workload: &found.workload, addresses, probes: &found.probes, secrets, options })
    }

    /// Connections come from the pod's own address, by which bindings know it (S28), also where the system would choose another.
    pub(super) fn source<'e>(
        &self,
        endpoints: impl IntoIterator<Item = &'e SocketAddr>,
    ) -> Option<BindConfig> {
        let mut endpoints = endpoints.into_iter();
        let v4 = endpoints.next()?.is_ipv4();
        if endpoints.any(|e| e.is_ipv4() != v4) {
            return None;
        }
        let own = self.addresses.iter().find(|a| a.is_ipv4() == v4)?;
        let source = SocketAddress::new(SocketAddr::new(*own, 0), Transport::Tcp);
        Some(BindConfig { source_address: Some(source) })
    }

    /// Puts the pod's secrets in, or says that somebody else delivers them.
    pub(super) fn add_secrets(&self, resources: &mut Resources) {
        match &self.options.sidecar.certificates {
            Certificates::Served => {
                resources.awaited_secrets.insert(self.secrets.certificate.clone());
                resources.awaited_secrets.insert(self.secrets.trust.clone());
            }
            Certificates::Files { certificate, key, trust } => {
                for secret in tls::files(&self.secrets, certificate, key, trust) {
                    resources.secrets.insert(secret.name.clone(), secret);
                }
            }
        }
    }
}

/// How endpoints are connected to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Way {
    pub(super) endpoints: Vec<SocketAddr>,
    /// Not through the sidecars of the pods.
    pub(super) directly: bool,
    /// Who answers there; none: whoever does, in clear.
    pub(super) peer: Option<Peer>,
    pub(super) source: Option<BindConfig>,
}

/// A port of pods of one identity.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Peer {
    /// Tells it from others.
    pub(super) name: String,
    pub(super) socket: TransportSocket,
}

/// How a leaf is reached, and who decides about access to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// In clear, and this proxy decides.
    Here,
    /// Over mTLS, and the sidecar there decides.
    There,
    /// In clear: nobody knows whose the endpoints are, and the mode lets everything pass.
    Clear,
    /// Not at all: whatever is asked, it is refused.
    Refused,
}

impl Output<'_> {
    pub(super) fn reach(&self, at: &At<'_>, leaf: &Leaf<'_>) -> Reach {
        let Some(own) = &self.own else { return Reach::Here };
        let Some((workload, port)) = leaf.at else { return Reach::Clear };
        match workload {
            None if at.service.mode == Mode::Permissive => Reach::Clear,
            None => Reach::Refused,
            Some(workload) if self.never(own, workload, port, at.port.protocol) => Reach::Refused,
            Some(_) => Reach::There,
        }
    }

    /// Whether a pod's sidecar refuses whatever this one's application asks.
    fn never(&self, own: &Own<'_>, workload: &WorkloadId, port: Port, protocol: Protocol) -> bool {
        let Some(found) = self.ir.workloads.get(workload) else { return false };
        let mut grants = found.grants.iter().filter_map(|name| self.ir.grants.get(name));
        let granted = grants.any(|grant| {
            let ports = match protocol {
                Protocol::Http(_) => grant.http.as_ref().map(|h| &h.ports),
                Protocol::Tcp => grant.tcp.as_ref(),
                Protocol::Udp => grant.udp.as_ref(),
            };
            ports.is_some_and(|p| p.contains(port))
                && grant.sources.iter().any(|s| self.ir.is_principal(own.workload, &s.principal))
        });
        found.mode == Mode::Enforce && !granted && !found.probes.iter().any(|probe| probe.port == port)
    }

    /// How this proxy connects to a leaf's endpoints.
    pub(super) fn way(&self, leaf: &Leaf<'_>, spoken: &str, reach: Reach) -> Way {
        let mut way = Way { endpoints: leaf.endpoints.clone(), directly: true, peer: None, source: None };
        if let (Reach::There, Some(own), Some((Some(workload), port))) = (reach, &self.own, leaf.at) {
            let name = tls::server_name(port, spoken);
            let identity: SpiffeId = self.ir.identity(workload);
            way.peer = Some(Peer {
                socket: own.secrets.upstream(name.clone(), &identity),
                name: format!("{name} {identity}"),
            });
            way.endpoints.iter_mut().for_each(|e| e.set_port(own.options.sidecar.inbound_port));
            way.source = own.source(&way.endpoints);
            way.directly = false;
        } else if let Some(socket) = self.pod_tls(spoken, [&leaf.pool.service]) {
            way.peer = Some(Peer { name: format!("tls {}", leaf.pool.service), socket });
        }
        way
    }

    /// Adds the cluster of a leaf and gives its name.
    pub(super) fn leaf_cluster(
        &mut self,
        at: &At<'_>,
        leaf: &Leaf<'_>,
        spoken: &str,
        reach: Reach,
    ) -> String {
        if reach == Reach::Refused {
            return self.closed_cluster();
        }
        let name = leaf.name(spoken);
        let way = self.way(leaf, spoken, reach);
        let mut cluster = leaf::cluster(&name, leaf::versions(spoken, way.directly));
        cluster.transport_socket = way.peer.map(|peer| peer.socket);
        cluster.upstream_bind_config = way.source;
        let endpoints = way.endpoints.into_iter().map(|e| (e, None));
        let assignment = leaf::assignment(&name, endpoints, Transport::Tcp);
        self.add_cluster(cluster, assignment, [&at.service.origin]);
        name
    }

    pub(super) fn closed_cluster(&mut self) -> String {
        let cluster = leaf::cluster(CLOSED, BTreeMap::new());
        self.add_cluster(cluster, leaf::assignment(CLOSED, [].into_iter(), Transport::Tcp), []);
        CLOSED.to_owned()
    }

    /// The names of a service, for callers of this proxy.
    // SPEC: S37 — in a sidecar also by its cluster names and ClusterIP; the bare name is the caller's own namespace's.
    pub(super) fn names(&self, at: &At<'_>) -> BTreeSet<String> {
        let mut names = self.mesh_names(at.name);
        if let Some(own) = &self.own {
            names.extend(self.cluster_names(at, Some(&own.workload.namespace)));
        }
        names.into_iter().collect()
    }

    fn mesh_names(&self, service: &Namespaced) -> Vec<String> {
        let domains = self.ir.settings.mesh_domains.iter();
        domains
            .map(|domain| format!("{}.{}.{domain}", service.name, service.namespace).to_ascii_lowercase())
            .collect()
    }

    /// Names of a service that tell it from those of other namespaces.
    fn long_names(&self, service: &Namespaced) -> Vec<String> {
        let long = format!("{}.{}", service.name, service.namespace);
        let domain = &self.ir.settings.cluster_domain;
        let mut names = vec![format!("{long}.svc"), format!("{long}.svc.{domain}"), long];
        names.iter_mut().for_each(|name| name.make_ascii_lowercase());
        names
    }

    /// How pods of these services are spoken to, if that is over TLS (S34). Their certificates name one of the services.
    pub(super) fn pod_tls<'s>(
        &self,
        spoken: &str,
        services: impl IntoIterator<Item = &'s Namespaced>,
    ) -> Option<TransportSocket> {
        let check = self.options.pod_tls.as_ref().filter(|_| spoken == "https")?;
        let services = services.into_iter();
        let names = services.flat_map(|s| self.long_names(s).into_iter().chain(self.mesh_names(s)));
        Some(tls::pods(check, names.collect()))
    }

    /// Whether pods speak TLS and nothing says whom to trust: then they are not spoken to, least of all in clear.
    pub(super) fn unspoken(&self, spoken: &str) -> bool {
        spoken == "https" && self.options.pod_tls.is_none()
    }

    fn cluster_names(&self, at: &At<'_>, own: Option<&Namespace>) -> Vec<String> {
        let mut names = self.long_names(at.name);
        if own.is_none_or(|namespace| *namespace == at.name.namespace) {
            names.push(at.name.name.to_string());
        }
        names.extend(self.own_addresses(at.service));
        names.iter_mut().for_each(|name| name.make_ascii_lowercase());
        names
    }

    /// The addresses that are a service's alone, as hosts.
    fn own_addresses(&self, service: &Service) -> Vec<String> {
        let alone = |address: &&IpAddr| self.common.cluster_ips.get(address).is_some_and(|count| *count == 1);
        service
            .addresses
            .iter()
            .filter(alone)
            .map(|a| match a {
                IpAddr::V4(a) => a.to_string(),
                IpAddr::V6(a) => format!("[{a}]"),
            })
            .collect()
    }

    /// Every name by which a caller in any namespace may call a service.
    pub(super) fn all_names(&self, at: &At<'_>) -> Vec<String> {
        let mut names = self.mesh_names(at.name);
        names.extend(self.cluster_names(at, None));
        names
    }

    /// Address of a listener for the node's pods or the sidecar's application.
    pub(super) fn listen(&self, key: &ListenerKey, options: &EnvoyOptions) -> Option<SocketAddr> {
        let port = self.ir.listeners.entries.get(key)?;
        let address = if self.own.is_some() { options.sidecar.listen } else { options.listen };
        Some(SocketAddr::new(address, port.get()))
    }
}

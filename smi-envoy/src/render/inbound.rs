//! Inbound: who may call the pod whose sidecar is rendered.
//!
//! Shape: one listener per address of the pod, at the port of sidecars; one filter chain per pod port and how it is spoken to, chosen by
//! server name. HTTP: one set of policies per virtual host. Opaque TCP: the certificates that a chain accepts, so that a refused caller
//! does not get past the handshake and never sees a server's first bytes (S31).
//! Only ports that a service leads to have a chain; everything else is closed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use smi_core::diag::Diagnostic;
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{HttpCondition, ListenerKey, Mode, Origin, Protocol};

use super::access::Accepted;
use super::sidecar::Own;
use super::{Output, RBAC, access, condition, http, leaf, opaque, tls};
use crate::codes;
use crate::config::Any;
use crate::config::address::{Address, CidrRange, Protocol as Transport};
use crate::config::listener::{FilterChain, FilterChainMatch, Listener, ListenerFilter, TlsInspector};
use crate::config::matcher::PerFilter;
use crate::config::route::{ClusterWeight, RouteConfiguration, VirtualHost};
use crate::options::AppAddress;
use crate::resources::Kind;

/// A pod port and how it is spoken to.
type Served = (Port, &'static str);

/// By which names a pod port is called, and of which services it is a pod's.
#[derive(Debug, Default)]
struct Called {
    names: BTreeSet<String>,
    services: BTreeSet<Namespaced>,
}

impl<'a> Output<'a> {
    pub(super) fn inbound(&mut self, own: &Own<'a>) {
        let mut served = self.served(own);
        served.retain(|(port, _), called| {
            let own_port = own.addresses.iter().any(|address| self.is_own(own, app_address(own, *address, *port)));
            if own_port {
                let names: Vec<String> = called.services.iter().map(ToString::to_string).collect();
                let message = format!(
                    "port {port} of the pods of {} is one that the sidecar itself listens on, so the application cannot be reached",
                    names.join(", ")
                );
                self.report.push(Diagnostic::general(codes::OWN_PORT, message));
            }
            !own_port
        });
        let origins = self.own_origins(own);
        for (index, address) in own.addresses.iter().enumerate() {
            let mut filter_chains = Vec::new();
            for ((port, spoken), called) in &served {
                match *spoken {
                    "tcp" => filter_chains.extend(self.tcp_chains(own, *port, *address)),
                    _ => filter_chains.push(self.http_chain(own, (*port, spoken), *address, called)),
                }
            }
            let inbound = SocketAddr::new(*address, own.options.sidecar.inbound_port);
            if !filter_chains.is_empty() {
                let listener = Listener {
                    listener_filters: vec![ListenerFilter {
                        name: "envoy.filters.listener.tls_inspector".into(),
                        typed_config: Some(Any::pack(&TlsInspector {})),
                    }],
                    filter_chains,
                    ..Listener::at(Address::new(inbound, Transport::Tcp))
                };
                self.add_listener(listener, &origins);
            }
            self.probes(own, *address, index == 0);
        }
    }

    /// The pod's ports that services lead to.
    fn served(&self, own: &Own<'_>) -> BTreeMap<Served, Called> {
        let mut out: BTreeMap<Served, Called> = BTreeMap::new();
        for (at, pool) in self.common.led.get(own.workload).into_iter().flatten() {
            let spoken = match at.port.protocol {
                Protocol::Http(_) => self.spoken(pool),
                Protocol::Tcp => "tcp",
                Protocol::Udp => continue,
            };
            let endpoints = self.ir.pools.get(*pool).into_iter().flat_map(|p| &p.endpoints);
            let own = endpoints
                .filter(|e| own.addresses.contains(&e.address) && e.workload.as_ref() == Some(own.workload));
            let here: BTreeSet<Port> = own.map(|e| e.port).collect();
            for pod_port in here {
                let called = out.entry((pod_port, spoken)).or_default();
                called.names.extend(self.all_names(at));
                called.services.insert(pool.service.clone());
            }
        }
        out
    }

    fn own_origins(&self, own: &Own<'_>) -> BTreeSet<Origin> {
        let workload = self.ir.workloads.get(own.workload);
        let grants = workload.into_iter().flat_map(|w| &w.grants).filter_map(|name| self.ir.grants.get(name));
        let mut out = BTreeSet::new();
        for grant in grants {
            out.insert(grant.origin.clone());
            if let Some(HttpCondition::AnyOf(matches)) = grant.http.as_ref().map(|h| &h.condition) {
                out.extend(matches.iter().map(|m| m.origin.clone()));
            }
        }
        out
    }

    /// Whether the sidecar listens there. What came from others would pass it a second time, with the application's identity, or reach
    /// its admin interface.
    fn is_own(&self, own: &Own<'_>, at: SocketAddr) -> bool {
        let sidecar = &own.options.sidecar;
        let all_of = |listening: IpAddr| listening == at.ip() || listening.is_unspecified();
        let outbound = self.ir.listeners.entries.iter().any(|(key, port)| {
            !matches!(key, ListenerKey::Udp(..)) && port.get() == at.port() && all_of(sidecar.listen)
        });
        let admin = own.options.admin_port == Some(at.port()) && at.ip() == IpAddr::from(Ipv4Addr::LOCALHOST);
        let inbound = at.port() == sidecar.inbound_port && own.addresses.contains(&at.ip());
        outbound || admin || inbound
    }

    /// The cluster of the application's port.
    fn app(
        &mut self,
        own: &Own<'_>,
        (port, spoken): Served,
        address: IpAddr,
        services: &BTreeSet<Namespaced>,
    ) -> String {
        let at = app_address(own, address, port);
        if self.unspoken(spoken) {
            return self.closed_cluster();
        }
        let name = format!("app/{}/{port}/{spoken}", at.ip());
        let endpoints = [(at, None)].into_iter();
        let assignment = leaf::assignment(&name, endpoints, Transport::Tcp);
        let mut cluster = leaf::cluster(&name, leaf::versions(spoken, true));
        cluster.transport_socket = self.pod_tls(spoken, services);
        self.add_cluster(cluster, assignment, []);
        name
    }

    fn http_chain(&mut self, own: &Own<'_>, served: Served, address: IpAddr, called: &Called) -> FilterChain {
        let (port, spoken) = served;
        let cluster = self.app(own, served, address, &called.services);
        let name = format!("inbound/{address}/{port}/{spoken}");
        let leg = ClusterWeight { name: cluster, weight: Some(1), ..ClusterWeight::default() };
        let vhost = VirtualHost {
            name: "*".into(),
            domains: vec!["*".into()],
            routes: vec![
                http::answer("not-canonical", condition::not_canonical(), 400),
                http::to_clusters("app".into(), condition::everything(), vec![leg], &Default::default()),
            ],
            // SPEC: S22 — the union of all grants, for whatever path; never on a route, where the first of two overlapping ones would
            // hide the other's grants.
            typed_per_filter_config: PerFilter::from([(
                RBAC.to_owned(),
                self.access.http(Mode::Enforce, Some(own.workload), port, &called.names),
            )]),
        };
        let virtual_hosts = vec![vhost];
        self.resources.made_of(Kind::Route, &name, &self.own_origins(own));
        self.resources.routes.insert(name.clone(), RouteConfiguration { name: name.clone(), virtual_hosts });
        FilterChain {
            filter_chain_match: Some(chosen(port, spoken)),
            filters: vec![http::manager(
                &name,
                self.ir.settings.encoded_slashes,
                leaf::between_sidecars(spoken),
            )],
            transport_socket: Some(own.secrets.downstream(vec![tls::any_identity()])),
            name,
        }
    }

    fn tcp_chains(&mut self, own: &Own<'_>, port: Port, address: IpAddr) -> Vec<FilterChain> {
        let cluster = self.app(own, (port, "tcp"), address, &BTreeSet::new());
        let name = format!("inbound/{address}/{port}/tcp");
        let rules = self.access.shadow(Mode::Enforce, Some(own.workload), port);
        let counting = rules.map(|rules| opaque::counted(&name, rules));
        let chain = |name: String, accepted, sources| FilterChain {
            filter_chain_match: Some(FilterChainMatch {
                direct_source_prefix_ranges: sources,
                ..chosen(port, "tcp")
            }),
            filters: counting
                .iter()
                .cloned()
                .chain([opaque::proxy(&name, vec![(cluster.clone(), 1)])])
                .collect(),
            transport_socket: Some(own.secrets.downstream(accepted)),
            name,
        };
        let accepted = self.access.certificates(own.workload, port);
        let Accepted::These { anywhere, at } = accepted else {
            return vec![chain(name, vec![tls::any_identity()], Vec::new())];
        };
        let mut out = Vec::new();
        for (source, identities) in at {
            let all = anywhere.iter().chain(&identities).map(tls::exactly).collect();
            out.push(chain(format!("{name}/{source}"), all, vec![CidrRange::host(source)]));
        }
        // An empty list of names would accept everybody.
        if !anywhere.is_empty() {
            out.push(chain(name, anywhere.iter().map(tls::exactly).collect(), Vec::new()));
        }
        out
    }

    /// Probes of the kubelet, which come in clear to the port that the pod names.
    // SPEC: S32 — a sidecar answers for its application where nothing else listens, and lets through the probe's path and no other.
    // Probes that only connect would have to be let through to whatever speaks there, so they are not served.
    fn probes(&mut self, own: &Own<'a>, address: IpAddr, report: bool) {
        if own.options.sidecar.app == AppAddress::Pod {
            return;
        }
        let ports: BTreeMap<Port, bool> = own.probes.iter().fold(BTreeMap::new(), |mut ports, probe| {
            *ports.entry(probe.port).or_insert(false) |= probe.path.is_some();
            ports
        });
        for (port, over_http) in ports {
            let own_port = self.is_own(own, app_address(own, address, port));
            if !over_http || port.get() == own.options.sidecar.inbound_port || own_port {
                if report {
                    let message =
                        format!("probes of port {port} do not reach the application through its sidecar");
                    self.report.push(Diagnostic::general(codes::NARROWED, message));
                }
                continue;
            }
            let cluster = self.app(own, (port, "http"), address, &BTreeSet::new());
            let name = format!("probe/{address}/{port}");
            let leg = ClusterWeight { name: cluster, weight: Some(1), ..ClusterWeight::default() };
            let host = VirtualHost {
                name: "*".into(),
                domains: vec!["*".into()],
                routes: vec![
                    http::answer("not-canonical", condition::not_canonical(), 400),
                    http::to_clusters("app".into(), condition::everything(), vec![leg], &Default::default()),
                ],
                typed_per_filter_config: PerFilter::from([(
                    RBAC.to_owned(),
                    access::probes(own.probes, port),
                )]),
            };
            let routes = RouteConfiguration { name: name.clone(), virtual_hosts: vec![host] };
            self.resources.routes.insert(name.clone(), routes);
            let at = Address::new(SocketAddr::new(address, port.get()), Transport::Tcp);
            let listener = http::listener(&name, at, self.ir.settings.encoded_slashes);
            self.add_listener(listener, []);
        }
    }
}

/// Where the application listens.
fn app_address(own: &Own<'_>, address: IpAddr, port: Port) -> SocketAddr {
    let at = match (own.options.sidecar.app, address) {
        (AppAddress::Pod, address) => address,
        (AppAddress::Loopback, IpAddr::V4(_)) => Ipv4Addr::LOCALHOST.into(),
        (AppAddress::Loopback, IpAddr::V6(_)) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(at, port.get())
}

/// Connections of sidecars that mean this port.
fn chosen(port: Port, spoken: &str) -> FilterChainMatch {
    FilterChainMatch {
        server_names: vec![tls::server_name(port, spoken)],
        transport_protocol: "tls".into(),
        application_protocols: vec![tls::ALPN.to_owned()],
        direct_source_prefix_ranges: Vec::new(),
    }
}

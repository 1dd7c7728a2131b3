//! IR → resources of a node proxy, or of the sidecar of a pod.
//!
//! A node proxy decides about access in the same hop as it routes (S30): every weighted cluster holds pods that are alike and carries the whole set of
//! policies for them, so the leg that is picked either serves, refuses (403) or has no pods (503). Policies never hang on a route's
//! match, where the first of two overlapping matches would hide the grants of the other.
//!
//! A sidecar routes alike, and leaves access to the sidecars of the pods that it picks.
//!
//! - `access`: grants → RBAC · `condition`: matches · `leaf`: exact weights and clusters · `http`, `opaque`: listeners
//! - `joint`: one cluster for what is limited as a whole · `breaker`: circuit breakers · `mirror`: copies
//! - `sidecar`: whose it is, and how others are reached · `tls`: mTLS between sidecars · `inbound`: who may call its pod

mod access;
mod breaker;
mod condition;
mod http;
mod inbound;
mod joint;
mod leaf;
mod mirror;
mod opaque;
mod sidecar;
mod tls;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use smi_core::backend::{Capabilities, Effect, ProxyTarget, Rendered, losses};
use smi_core::diag::{Code, Diagnostic, Report};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{
    Grant, HttpCondition, HttpMatch, Ir, ListenerKey, Origin, PoolKey, Protocol, Route, RouteCondition,
    Service, ServicePort, WorkloadId,
};

use self::access::{AccessIndex, Known};
use self::sidecar::Own;
use crate::codes;
use crate::config::address::{Address, Protocol as Transport};
use crate::config::cluster::{Cluster, ClusterLoadAssignment};
use crate::config::listener::Listener;
use crate::config::route::VirtualHost;
use crate::deliver::EnvoyConfig;
use crate::options::EnvoyOptions;
use crate::resources::{Kind, Origins, Resources};

#[cfg(feature = "sim")]
pub(crate) use joint::SOCKET;
pub(crate) use joint::{LEAF, SUBSET};
#[cfg(feature = "sim")]
pub(crate) use leaf::cluster_name;
pub(crate) use leaf::http2_options;

/// Every way in which a cluster of a leaf is spoken to.
#[cfg(feature = "sim")]
pub(crate) const SPOKEN: [&str; 4] = ["http", "h2c", "https", "tcp"];
/// Name of the access filter, in the chain and in every place that configures it.
pub(crate) const RBAC: &str = "envoy.filters.http.rbac";
/// Name of the transport socket that speaks TLS.
pub(crate) const TLS: &str = "envoy.transport_sockets.tls";
/// Name of the rate limit filter.
pub(crate) const RATE_LIMIT: &str = "envoy.filters.http.local_ratelimit";

/// What the proxies of one kind have in common, whichever of them is rendered.
#[derive(Debug)]
pub(crate) struct Common<'a> {
    ir: &'a Ir,
    /// How many services have an address.
    cluster_ips: BTreeMap<IpAddr, usize>,
    access: AccessIndex<'a>,
    /// Service ports that lead to a workload's pods, and by which pools. For sidecars.
    led: BTreeMap<&'a WorkloadId, Vec<(At<'a>, &'a PoolKey)>>,
    /// What the routes of the HTTP services on one port number are made of.
    route_origins: BTreeMap<Port, Origins>,
    losses: Report,
}

impl<'a> Common<'a> {
    /// For sidecars, or for node proxies.
    pub(crate) fn new(ir: &'a Ir, sidecars: bool, capabilities: &Capabilities) -> Self {
        let mut report = Report::new();
        for loss in losses(ir, capabilities) {
            let code = if loss.effect == Effect::Ignored { codes::IGNORED } else { codes::NARROWED };
            report.push(Diagnostic::new(code, &loss.origin.object, loss.origin.path(), loss.message));
        }
        let mut cluster_ips = BTreeMap::new();
        for address in ir.services.values().flat_map(|s| s.addresses.iter()).filter(|_| sidecars) {
            *cluster_ips.entry(*address).or_insert(0) += 1;
        }
        let known = if sidecars { Known::Certificate } else { Known::Address };
        let access = AccessIndex::new(ir, known);
        let led = if sidecars { led(ir) } else { BTreeMap::new() };
        Self { ir, cluster_ips, access, led, route_origins: route_origins(ir), losses: report }
    }
}

fn led(ir: &Ir) -> BTreeMap<&WorkloadId, Vec<(At<'_>, &PoolKey)>> {
    let mut out: BTreeMap<&WorkloadId, Vec<(At<'_>, &PoolKey)>> = BTreeMap::new();
    for at in service_ports(ir) {
        for target in at.port.routes.iter().flat_map(|r| &r.targets).filter(|t| t.weight > 0) {
            let endpoints = ir.pools.get(&target.pool).into_iter().flat_map(|pool| &pool.endpoints);
            let workloads: BTreeSet<_> = endpoints.filter_map(|e| e.workload.as_ref()).collect();
            for workload in workloads {
                out.entry(workload).or_default().push((at, &target.pool));
            }
        }
    }
    out
}

fn route_origins(ir: &Ir) -> BTreeMap<Port, Origins> {
    let mut out: BTreeMap<Port, Vec<Origin>> = BTreeMap::new();
    for at in service_ports(ir).filter(|at| matches!(at.port.protocol, Protocol::Http(_))) {
        out.entry(at.number).or_default().extend(at.origins(ir));
    }
    out.into_iter().map(|(number, all)| (number, Arc::new(all.into_iter().collect()))).collect()
}

/// What a virtual host for callers is made of, for who reports that a proxy refuses it: `routes` and `host` are names of the route
/// configuration and of the virtual host in it, as rendered for `target`. Empty: they are not of this IR.
#[must_use]
pub fn host_origins(ir: &Ir, target: &ProxyTarget, routes: &str, host: &str) -> BTreeSet<Origin> {
    let mut labels = host.split('.');
    let name = labels.next().unwrap_or_default();
    let namespace = labels.next().unwrap_or(match target {
        ProxyTarget::Sidecar(pod) => pod.name.namespace.as_str(),
        ProxyTarget::Node => "",
    });
    service_ports(ir)
        .filter(|at| at.name.name.as_str() == name && at.name.namespace.as_str() == namespace)
        .filter(|at| ListenerKey::Http(at.number).to_string() == routes)
        .flat_map(|at| at.origins(ir))
        .collect()
}

fn service_ports(ir: &Ir) -> impl Iterator<Item = At<'_>> {
    ir.services.iter().flat_map(move |(name, service)| {
        service.ports.iter().map(move |port| At { ir, name, service, number: port.port, port })
    })
}

pub(crate) fn render(
    common: &Common<'_>,
    target: &ProxyTarget,
    options: &EnvoyOptions,
) -> Rendered<EnvoyConfig> {
    let ir = common.ir;
    let mut report = Report::new();
    let own = match target {
        ProxyTarget::Node => None,
        ProxyTarget::Sidecar(pod) => {
            let own = Own::new(ir, pod, options);
            if own.is_none() {
                let message = format!(
                    "there is no pod `{}` with an address of its own, so its sidecar does nothing",
                    pod.name
                );
                report.push(Diagnostic::general(codes::NO_POD, message));
                let output = EnvoyConfig::new(Resources::default(), target, options);
                return Rendered { output, report };
            }
            own
        }
    };
    report.append(common.losses.clone());
    let mut out = Output {
        ir,
        options,
        own,
        common,
        access: &common.access,
        resources: Resources::default(),
        hosts: BTreeMap::new(),
        report,
    };
    for at in service_ports(ir) {
        out.port(&at, options);
    }
    if let Some(own) = out.own.clone() {
        own.add_secrets(&mut out.resources);
        out.inbound(&own);
    }
    out.finish(target, options)
}

/// One service port.
#[derive(Clone, Copy, Debug)]
struct At<'a> {
    ir: &'a Ir,
    name: &'a Namespaced,
    service: &'a Service,
    number: Port,
    port: &'a ServicePort,
}

impl<'a> At<'a> {
    /// Matches that routing depends on, and access to the pods that are routed to.
    fn matches<'r>(&self, ir: &'r Ir) -> Vec<&'r HttpMatch>
    where
        'a: 'r,
    {
        let conditions = self.port.routes.iter().filter_map(|r| match &r.condition {
            RouteCondition::AnyOf(matches) => Some(matches.as_slice()),
            RouteCondition::Everything => None,
        });
        let granted = self.grants(ir).into_iter().filter_map(|grant| match &grant.http.as_ref()?.condition {
            HttpCondition::AnyOf(matches) => Some(matches.as_slice()),
            HttpCondition::Any => None,
        });
        conditions.chain(granted).flatten().map(Arc::as_ref).collect()
    }

    /// Grants for the pods that are routed to.
    fn grants<'r>(&self, ir: &'r Ir) -> Vec<&'r Grant> {
        let targets = self.port.routes.iter().flat_map(|r| &r.targets).filter(|t| t.weight > 0);
        let ready = targets.filter_map(|t| ir.pools.get(&t.pool)).flat_map(|p| p.ready());
        let workloads: BTreeSet<_> = ready.filter_map(|e| e.workload.as_ref()).collect();
        let workloads = workloads.into_iter().filter_map(|id| ir.workloads.get(id));
        let names: BTreeSet<_> = workloads.flat_map(|w| &w.grants).collect();
        names.into_iter().filter_map(|name| ir.grants.get(name)).collect()
    }

    /// What its routes and access are made of.
    fn origins(&self, ir: &Ir) -> BTreeSet<Origin> {
        let routes = self.port.routes.iter().map(|r| &r.origin);
        let grants = self.grants(ir).into_iter().map(|g| &g.origin);
        let matches = self.matches(ir).into_iter().map(|m| &m.origin);
        [&self.service.origin].into_iter().chain(routes).chain(grants).chain(matches).cloned().collect()
    }
}

/// What is being built.
struct Output<'a> {
    ir: &'a Ir,
    options: &'a EnvoyOptions,
    /// The pod whose sidecar it is; none: a node proxy.
    own: Option<Own<'a>>,
    common: &'a Common<'a>,
    access: &'a AccessIndex<'a>,
    resources: Resources,
    /// By service port number.
    hosts: BTreeMap<Port, Vec<VirtualHost>>,
    report: Report,
}

impl Output<'_> {
    /// What a proxy does for callers of a service port.
    fn port(&mut self, at: &At<'_>, options: &EnvoyOptions) {
        let (key, transport) = match at.port.protocol {
            Protocol::Http(_) => (ListenerKey::Http(at.number), Transport::Tcp),
            Protocol::Tcp => (ListenerKey::Tcp(at.name.clone(), at.number), Transport::Tcp),
            Protocol::Udp => (ListenerKey::Udp(at.name.clone(), at.number), Transport::Udp),
        };
        let Some(listen) = self.listen(&key, options) else {
            let message = format!("port {} has no listen port and is not served", at.number);
            self.find(codes::NOT_RENDERED, &at.service.origin, message);
            return;
        };
        self.report_breaker(at);
        let address = Address::new(listen, transport);
        match at.port.protocol {
            Protocol::Http(_) => self.http_port(at),
            Protocol::Tcp => self.tcp_port(at, address, key.to_string()),
            // A sidecar has no certificate to show or see here; `losses` says so.
            Protocol::Udp if self.own.is_some() => {}
            Protocol::Udp => self.udp_port(at, address, key.to_string()),
        }
    }

    fn find(&mut self, code: Code, origin: &Origin, message: impl Into<Box<str>>) {
        let message: Box<str> = message.into();
        self.report.push(Diagnostic::new(code, &origin.object, origin.path(), message.into_string()));
    }

    /// A cluster's name says all that is in it, so adding it twice changes nothing.
    fn add_cluster<'o>(
        &mut self,
        cluster: Cluster,
        endpoints: ClusterLoadAssignment,
        origins: impl IntoIterator<Item = &'o Origin> + Clone,
    ) {
        self.resources.made_of(Kind::Cluster, &cluster.name, origins.clone());
        self.resources.made_of(Kind::Endpoint, &cluster.name, origins);
        self.resources.endpoints.insert(cluster.name.clone(), endpoints);
        self.resources.clusters.insert(cluster.name.clone(), cluster);
    }

    fn add_listener<'o>(&mut self, listener: Listener, origins: impl IntoIterator<Item = &'o Origin>) {
        let name = listener.name.clone();
        match self.resources.listeners.entry(name.clone()) {
            Entry::Vacant(free) => drop(free.insert(listener)),
            Entry::Occupied(taken) => {
                let message = format!("a second listener at {} is not served", taken.key());
                self.report.push(Diagnostic::general(codes::NOT_RENDERED, message));
                return;
            }
        }
        self.resources.made_of(Kind::Listener, &name, origins);
    }

    fn weights_too_large(&mut self, route: &Route) {
        let message =
            "the weights, multiplied with the numbers of endpoints, exceed 2³² and the route is not served";
        self.find(codes::NARROWED, &route.origin, message);
    }

    fn finish(mut self, target: &ProxyTarget, options: &EnvoyOptions) -> Rendered<EnvoyConfig> {
        let ir = self.ir;
        for key in ir.listeners.entries.keys() {
            let (ListenerKey::Http(number), Some(listen)) = (key, self.listen(key, options)) else {
                continue;
            };
            let hosts = self.hosts.remove(number).unwrap_or_default();
            let address = Address::new(listen, Transport::Tcp);
            let name = key.to_string();
            self.add_listener(http::listener(&name, address, ir.settings.encoded_slashes), []);
            if let Some(origins) = self.common.route_origins.get(number) {
                self.resources.origins.insert((Kind::Route, name.clone()), Arc::clone(origins));
            }
            self.resources.routes.insert(name.clone(), http::routes(name, hosts));
        }
        let Self { resources, mut report, .. } = self;
        report.sort();
        report.diagnostics.dedup();
        Rendered { output: EnvoyConfig::new(resources, target, options), report }
    }
}

//! IR → resources of a node proxy.
//!
//! Access is decided in the same hop as routing (S30): every weighted cluster holds pods that are alike and carries the whole set of
//! policies for them, so the leg that is picked either serves, refuses (403) or has no pods (503). Policies never hang on a route's
//! match, where the first of two overlapping matches would hide the grants of the other.
//!
//! - `access`: grants → RBAC · `condition`: matches · `leaf`: exact weights and clusters · `http`, `opaque`: listeners

mod access;
mod condition;
mod http;
mod leaf;
mod opaque;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use smi_core::backend::{Capabilities, Effect, ProxyTarget, Rendered, losses};
use smi_core::diag::{Diagnostic, Report};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{
    HttpCondition, HttpMatch, Ir, ListenerKey, Origin, Protocol, Route, RouteCondition, Service, ServicePort,
};

use crate::backend::EnvoyOptions;
use crate::codes;
use crate::config::address::{Address, Protocol as Transport};
use crate::config::cluster::{Cluster, ClusterLoadAssignment};
use crate::config::listener::Listener;
use crate::config::route::VirtualHost;
use crate::deliver::EnvoyConfig;
use crate::resources::{Kind, Resources};

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

pub(crate) fn node(ir: &Ir, options: &EnvoyOptions, capabilities: &Capabilities) -> Rendered<EnvoyConfig> {
    let mut report = Report::new();
    for loss in losses(ir, capabilities) {
        let code = if loss.effect == Effect::Ignored { codes::IGNORED } else { codes::NARROWED };
        report.push(Diagnostic::new(code, &loss.origin.object, loss.origin.path(), loss.message));
    }
    let mut out = Output {
        ir,
        access: access::AccessIndex::new(ir),
        resources: Resources::default(),
        hosts: BTreeMap::new(),
        report,
    };
    for (name, service) in &ir.services {
        for port in &service.ports {
            let number = port.port;
            let at = At { ir, name, service, number, port };
            let (key, transport) = match port.protocol {
                Protocol::Http(_) => (ListenerKey::Http(number), Transport::Tcp),
                Protocol::Tcp => (ListenerKey::Tcp(name.clone(), number), Transport::Tcp),
                Protocol::Udp => (ListenerKey::Udp(name.clone(), number), Transport::Udp),
            };
            let Some(listen) = ir.listeners.entries.get(&key) else {
                let message = format!("port {number} has no listen port and is not served");
                let origin = &service.origin;
                out.report.push(Diagnostic::new(codes::NOT_RENDERED, &origin.object, origin.path(), message));
                continue;
            };
            if let Some((limit, origin)) =
                port.policy.rate_limit.as_ref().filter(|(l, _)| l.burst < l.average)
            {
                let message =
                    format!("the average of {} is lowered to the burst of {}", limit.average, limit.burst);
                out.report.push(Diagnostic::new(
                    codes::RATE_APPROXIMATED,
                    &origin.object,
                    origin.path(),
                    message,
                ));
            }
            let address = Address::new(SocketAddr::new(options.listen, listen.get()), transport);
            match port.protocol {
                Protocol::Http(scheme) => out.http_port(&at, scheme),
                Protocol::Tcp => out.tcp_port(&at, address, key.to_string()),
                Protocol::Udp => out.udp_port(&at, address, key.to_string()),
            }
        }
    }
    out.finish(options)
}

/// One service port.
struct At<'a> {
    ir: &'a Ir,
    name: &'a Namespaced,
    service: &'a Service,
    number: Port,
    port: &'a ServicePort,
}

impl At<'_> {
    /// What its routes and access are made of.
    fn origins(&self, ir: &Ir) -> BTreeSet<Origin> {
        let mut out = BTreeSet::from([self.service.origin.clone()]);
        let mut workloads = BTreeSet::new();
        let matches = |matches: &[Arc<HttpMatch>], out: &mut BTreeSet<Origin>| {
            out.extend(matches.iter().map(|m| m.origin.clone()));
        };
        for route in &self.port.routes {
            out.insert(route.origin.clone());
            if let RouteCondition::AnyOf(any) = &route.condition {
                matches(any, &mut out);
            }
            let pools = route.targets.iter().filter(|t| t.weight > 0).filter_map(|t| ir.pools.get(&t.pool));
            workloads.extend(pools.flat_map(|p| p.ready()).filter_map(|e| e.workload.as_ref()));
        }
        let grants = workloads.into_iter().filter_map(|id| ir.workloads.get(id)).flat_map(|w| &w.grants);
        for grant in grants.collect::<BTreeSet<_>>().into_iter().filter_map(|name| ir.grants.get(name)) {
            out.insert(grant.origin.clone());
            if let Some(HttpCondition::AnyOf(any)) = grant.http.as_ref().map(|h| &h.condition) {
                matches(any, &mut out);
            }
        }
        out
    }
}

/// What is being built.
struct Output<'a> {
    ir: &'a Ir,
    access: access::AccessIndex<'a>,
    resources: Resources,
    /// By service port number.
    hosts: BTreeMap<Port, Vec<VirtualHost>>,
    report: Report,
}

impl Output<'_> {
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
        self.resources.made_of(Kind::Listener, &listener.name, origins);
        self.resources.listeners.insert(listener.name.clone(), listener);
    }

    fn weights_too_large(&mut self, route: &Route) {
        let message =
            "the weights, multiplied with the numbers of endpoints, exceed 2³² and the route is not served";
        let origin = &route.origin;
        self.report.push(Diagnostic::new(codes::NARROWED, &origin.object, origin.path(), message));
    }

    fn finish(self, options: &EnvoyOptions) -> Rendered<EnvoyConfig> {
        let Self { ir, mut resources, hosts, mut report, .. } = self;
        for (key, listen) in &ir.listeners.entries {
            let ListenerKey::Http(number) = key else { continue };
            let hosts = hosts.get(number).cloned().unwrap_or_default();
            let address = Address::new(SocketAddr::new(options.listen, listen.get()), Transport::Tcp);
            let name = key.to_string();
            resources.made_of(Kind::Listener, &name, []);
            resources
                .listeners
                .insert(name.clone(), http::listener(&name, address, ir.settings.encoded_slashes));
            resources.routes.insert(name.clone(), http::routes(name, hosts));
        }
        report.sort();
        report.diagnostics.dedup();
        Rendered { output: EnvoyConfig::new(resources, &ProxyTarget::Node, options), report }
    }
}

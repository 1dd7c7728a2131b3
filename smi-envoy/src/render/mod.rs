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

use std::collections::BTreeMap;
use std::net::SocketAddr;

use smi_core::backend::{Capabilities, Effect, Rendered, losses};
use smi_core::diag::{Diagnostic, Report};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{Ir, ListenerKey, Protocol, Route, Service, ServicePort};

use crate::backend::{EnvoyConfig, EnvoyOptions, Resources};
use crate::codes;
use crate::config::address::{Address, Protocol as Transport};
use crate::config::cluster::Cluster;
use crate::config::route::VirtualHost;

#[cfg(feature = "sim")]
pub(crate) use leaf::cluster_name;

/// Every way in which a cluster of a leaf is spoken to.
#[cfg(feature = "sim")]
pub(crate) const SPOKEN: [&str; 4] = ["http", "h2c", "https", "tcp"];
/// Name of the access filter, in the chain and in every place that configures it.
pub(crate) const RBAC: &str = "envoy.filters.http.rbac";
/// Name of the rate limit filter.
pub(crate) const RATE_LIMIT: &str = "envoy.filters.http.local_ratelimit";

pub(crate) fn node(ir: &Ir, options: &EnvoyOptions, capabilities: &Capabilities) -> Rendered<EnvoyConfig> {
    let mut report = Report::new();
    for loss in losses(ir, capabilities) {
        let code = if loss.effect == Effect::Ignored { codes::IGNORED } else { codes::NARROWED };
        report.push(Diagnostic::new(code, &loss.origin.object, loss.origin.path, loss.message));
    }
    let mut out = Output {
        ir,
        access: access::AccessIndex::new(ir),
        resources: Resources::default(),
        hosts: BTreeMap::new(),
        report,
    };
    for (name, service) in &ir.services {
        for ((number, _), port) in &service.ports {
            let at = At { ir, name, service, number: *number, port };
            let (key, transport) = match port.protocol {
                Protocol::Http(_) => (ListenerKey::Http(*number), Transport::Tcp),
                Protocol::Tcp => (ListenerKey::Tcp(name.clone(), *number), Transport::Tcp),
                Protocol::Udp => (ListenerKey::Udp(name.clone(), *number), Transport::Udp),
            };
            let Some(listen) = ir.listeners.entries.get(&key) else {
                let message = format!("port {number} has no listen port and is not served");
                let origin = &service.origin;
                out.report.push(Diagnostic::new(
                    codes::NOT_RENDERED,
                    &origin.object,
                    origin.path.clone(),
                    message,
                ));
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
                    origin.path.clone(),
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
    fn add_cluster(&mut self, cluster: Cluster) {
        self.resources.clusters.insert(cluster.name.clone(), cluster);
    }

    fn weights_too_large(&mut self, route: &Route) {
        let message =
            "the weights, multiplied with the numbers of endpoints, exceed 2³² and the route is not served";
        let origin = &route.origin;
        self.report.push(Diagnostic::new(codes::NARROWED, &origin.object, origin.path.clone(), message));
    }

    fn finish(self, options: &EnvoyOptions) -> Rendered<EnvoyConfig> {
        let Self { ir, mut resources, hosts, mut report, .. } = self;
        for (key, listen) in &ir.listeners.entries {
            let ListenerKey::Http(number) = key else { continue };
            let hosts = hosts.get(number).cloned().unwrap_or_default();
            let address = Address::new(SocketAddr::new(options.listen, listen.get()), Transport::Tcp);
            let listener = http::listener(key.to_string(), address, hosts, ir.settings.encoded_slashes);
            resources.listeners.insert(listener.name.clone(), listener);
        }
        report.sort();
        report.diagnostics.dedup();
        Rendered { output: EnvoyConfig::new(resources, options), report }
    }
}

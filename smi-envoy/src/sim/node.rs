//! A node proxy, which knows callers by address and decides in the hop in which it routes.

use std::net::{IpAddr, SocketAddr};

use smi_core::eval::{Decide, Distribution, HttpRequest, Outcome, Payload, Request, Share};
use smi_core::hub::names::{Namespaced, Port, Transport};
use smi_core::ir::{Ir, ListenerKey};

use super::{Leaves, Leg, contains, http, leaves, listener};
use crate::config::listener::{FilterChain, Listener, TcpProxy, UdpProxy, UdpRoute};
use crate::config::matcher::{IpMatcher, OnMatch};
use crate::resources::Resources;

/// A configuration with what is needed to name its outcomes.
#[derive(Clone, Debug)]
pub struct Simulator<'a> {
    ir: &'a Ir,
    resources: &'a Resources,
    leaves: Leaves,
}

impl<'a> Simulator<'a> {
    /// A simulator of a node proxy's resources that were rendered from this IR.
    #[must_use]
    pub fn new(resources: &'a Resources, ir: &'a Ir) -> Self {
        Self { ir, resources, leaves: leaves(ir) }
    }

    fn http(&self, request: &Request, http: &HttpRequest) -> Distribution {
        let listener = listener(self.resources, self.ir, &ListenerKey::Http(http.port));
        let Some(manager) = listener.and_then(|l| http::manager(l.filter_chains.first()?)) else {
            return Distribution::certain(Outcome::NotFound);
        };
        let peer = (request.caller.peer_address(self.ir), None);
        let routed = match http::route(self.resources, &manager, peer, http) {
            Ok(routed) => routed,
            Err(answer) => return Distribution::certain(answer),
        };
        let mut out = Distribution::default();
        for (to, share) in routed.legs {
            out.add(to.map_or_else(|refused| refused, |leg| self.served(&leg)), share);
        }
        out
    }

    fn served(&self, leg: &Leg) -> Outcome {
        match self.leaves.get(leg.leaf(self.resources)) {
            Some((pool, workload)) if !leg.members(self.resources).is_empty() => {
                Outcome::Served(pool.clone(), workload.clone())
            }
            _ => Outcome::Unavailable,
        }
    }

    fn tcp(&self, request: &Request, service: &Namespaced, port: Port) -> Distribution {
        let Some(listener) = listener(self.resources, self.ir, &ListenerKey::Tcp(service.clone(), port))
        else {
            return Distribution::certain(Outcome::NotFound);
        };
        let client = request.caller.peer_address(self.ir);
        let wanted = |chain: &&FilterChain| {
            let ranges = chain.filter_chain_match.iter().flat_map(|m| &m.direct_source_prefix_ranges);
            ranges.into_iter().any(|r| contains(r, client))
        };
        let chain = listener.filter_chains.iter().find(wanted).or(listener.default_filter_chain.as_ref());
        let proxy =
            chain.and_then(|c| c.filters.iter().find_map(|f| f.typed_config.as_ref()?.unpack::<TcpProxy>()));
        let Some(proxy) = proxy else {
            return Distribution::certain(Outcome::Forbidden);
        };
        let clusters = proxy.weighted_clusters.map(|w| w.clusters).unwrap_or_default();
        let total: u64 = clusters.iter().map(|c| u64::from(c.weight)).sum();
        let mut out = Distribution::default();
        for cluster in clusters {
            out.add(self.served(&Leg::to(cluster.name)), Share::new(cluster.weight.into(), total));
        }
        out
    }

    fn udp(&self, request: &Request, service: &Namespaced, port: Port) -> Distribution {
        let Some(listener) = listener(self.resources, self.ir, &ListenerKey::Udp(service.clone(), port))
        else {
            return Distribution::certain(Outcome::NotFound);
        };
        let client = request.caller.peer_address(self.ir);
        let Some(cluster) = udp_cluster(listener, client) else {
            return Distribution::certain(Outcome::Forbidden);
        };
        let members = Leg::to(cluster).members(self.resources);
        let total: u64 = members.iter().map(|m| u64::from(m.weight)).sum();
        let mut out = Distribution::default();
        for member in members {
            let outcome = self.behind(service, port, member.at).unwrap_or(Outcome::Unavailable);
            out.add(outcome, Share::new(member.weight.into(), total));
        }
        if total == 0 { Distribution::certain(Outcome::Unavailable) } else { out }
    }

    /// Whose an endpoint of a UDP service is. Where several of its backends have it, it counts for the first by name, as one cluster
    /// holds them all.
    fn behind(&self, service: &Namespaced, port: Port, address: SocketAddr) -> Option<Outcome> {
        let port = self.ir.services.get(service)?.port(port, Transport::Udp)?;
        let pools = port.routes.last()?.targets.iter().filter(|t| t.weight > 0).map(|t| &t.pool);
        let mut found: Vec<Outcome> = pools
            .filter_map(|key| {
                let endpoint = self.ir.pools.get(key)?.ready().find(|e| e.socket() == address)?;
                Some(Outcome::Served(key.clone(), endpoint.workload.clone()))
            })
            .collect();
        found.sort();
        found.into_iter().next()
    }
}

impl Decide for Simulator<'_> {
    fn decide(&self, request: &Request) -> Distribution {
        match &request.payload {
            Payload::Http(http) => self.http(request, http),
            Payload::Tcp { service, port } => self.tcp(request, service, *port),
            Payload::Udp { service, port } => self.udp(request, service, *port),
        }
    }
}

fn udp_cluster(listener: &Listener, client: IpAddr) -> Option<String> {
    let proxy =
        listener.listener_filters.iter().find_map(|f| f.typed_config.as_ref()?.unpack::<UdpProxy>())?;
    let matcher = proxy.matcher?;
    let ranges = matcher.matcher_tree?.custom_match?.typed_config?.unpack::<IpMatcher>()?.range_matchers;
    let hit = ranges.into_iter().find(|m| m.ranges.iter().any(|r| contains(r, client)));
    let on_match: OnMatch = match hit {
        Some(hit) => hit.on_match?,
        None => *matcher.on_no_match?,
    };
    Some(on_match.action?.typed_config?.unpack::<UdpRoute>()?.cluster)
}

//! TCP and UDP service ports. A caller that may not connect finds no chain and no route, so not even a server's first bytes leave (S31).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use smi_core::hub::names::Transport;
use smi_core::ir::Mode;

use super::leaf::Leaf;
use super::sidecar::Reach;
use super::{At, Output, leaf};
use crate::codes;
use crate::config::TypedExtension;
use crate::config::address::{Address, CidrRange, Protocol};
use crate::config::listener::{
    Filter, FilterChain, FilterChainMatch, Listener, ListenerFilter, TcpClusterWeight, TcpProxy,
    TcpWeightedCluster, UdpListenerConfig, UdpProxy, UdpRoute,
};
use crate::config::matcher::{IpMatcher, IpRangeMatcher, Matcher, MatcherTree, OnMatch, SourceIpInput};
use crate::config::rbac::{NetworkRbac, Rbac};
use crate::config::{Any, Duration};

/// Where a share goes that fails: the broadcast address, to which a socket may not send unless it asks to.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::BROADCAST), 9);

/// Callers that are alike: which leaves they may reach.
struct Groups {
    /// Callers that are named by a grant, by the leaves they may reach.
    named: BTreeMap<Vec<bool>, BTreeSet<IpAddr>>,
    /// Which leaves everybody else may reach.
    others: Vec<bool>,
}

fn groups(out: &Output<'_>, at: &At<'_>, leaves: &[Leaf<'_>], transport: Transport) -> Groups {
    let allowed: Vec<Option<BTreeSet<IpAddr>>> = leaves
        .iter()
        .map(|leaf| match leaf.at {
            // The pods' sidecars decide.
            _ if matches!(out.reach(at, leaf), Reach::There | Reach::Clear) => None,
            Some(_) if out.own.is_some() => Some(BTreeSet::new()),
            Some((workload, port)) => out.access.opaque(at.service.mode, workload, port, transport),
            None => Some(BTreeSet::new()),
        })
        .collect();
    let callers: BTreeSet<IpAddr> = allowed.iter().flatten().flatten().copied().collect();
    let mut named: BTreeMap<Vec<bool>, BTreeSet<IpAddr>> = BTreeMap::new();
    for caller in callers {
        let may = allowed.iter().map(|a| a.as_ref().is_none_or(|a| a.contains(&caller))).collect();
        named.entry(may).or_default().insert(caller);
    }
    Groups { named, others: allowed.iter().map(Option::is_none).collect() }
}

impl Output<'_> {
    pub(super) fn tcp_port(&mut self, at: &At<'_>, address: Address, name: String) {
        let Some(leaves) = self.opaque_leaves(at) else { return };
        let groups = groups(self, at, &leaves, Transport::Tcp);
        let mut filter_chains = Vec::new();
        for (may, callers) in groups.named {
            // One chain per caller: when one of them loses access, the connections of the others live on.
            for caller in callers {
                let chain_match = FilterChainMatch {
                    direct_source_prefix_ranges: vec![CidrRange::host(caller)],
                    ..FilterChainMatch::default()
                };
                let mut chain = self.tcp_chain(at, &name, &leaves, &may);
                chain.name = caller.to_string();
                chain.filter_chain_match = Some(chain_match);
                filter_chains.push(chain);
            }
        }
        filter_chains.sort_by(|a, b| a.name.cmp(&b.name));
        let default_filter_chain =
            groups.others.contains(&true).then(|| self.tcp_chain(at, &name, &leaves, &groups.others));
        // Envoy wants a chain; a port nobody may use is not listened on, which looks the same: closed.
        if filter_chains.is_empty() && default_filter_chain.is_none() {
            return;
        }
        let listener = Listener { filter_chains, default_filter_chain, ..Listener::at(address) };
        self.add_listener(listener, &at.origins(self.ir));
    }

    fn tcp_chain(&mut self, at: &At<'_>, name: &str, leaves: &[Leaf<'_>], may: &[bool]) -> FilterChain {
        let mut clusters = Vec::new();
        let mut counting = BTreeMap::new();
        for (leaf, allowed) in leaves.iter().zip(may) {
            if let (Reach::Here, Some((workload, port))) = (self.reach(at, leaf), leaf.at)
                && let Some(rules) = self.access.shadow(at.service.mode, workload, port)
            {
                counting.insert((workload, port), rules);
            }
            // A refused share goes to a cluster without endpoints, which closes.
            let reach = if *allowed { self.reach(at, leaf) } else { Reach::Refused };
            clusters.push((self.leaf_cluster(at, leaf, "tcp", reach), leaf.weight));
        }
        FilterChain {
            name: "everybody".into(),
            filters: counting
                .into_values()
                .map(|rules| counted(name, rules))
                .chain([proxy(name, clusters)])
                .collect(),
            ..FilterChain::default()
        }
    }

    pub(super) fn udp_port(&mut self, at: &At<'_>, address: Address, name: String) {
        let Some(leaves) = self.opaque_leaves(at) else { return };
        if at.service.mode == Mode::Permissive {
            self.find(codes::IGNORED, &at.service.origin, "would-be denials are not counted on UDP ports");
        }
        let groups = groups(self, at, &leaves, Transport::Udp);
        let mut range_matchers = Vec::new();
        for (number, (may, callers)) in groups.named.into_iter().enumerate() {
            let on_match = self.udp_route(at, &format!("{name}/{number}"), &leaves, &may);
            let ranges = callers.into_iter().map(CidrRange::host).collect();
            range_matchers.push(IpRangeMatcher { ranges, on_match: Some(on_match), exclusive: false });
        }
        let on_no_match = groups
            .others
            .contains(&true)
            .then(|| Box::new(self.udp_route(at, &format!("{name}/others"), &leaves, &groups.others)));
        if range_matchers.is_empty() {
            let Some(route) = on_no_match else { return };
            // The matcher wants a range; this one matches nobody else than `on_no_match` would.
            let nobody = IpRangeMatcher {
                ranges: vec![CidrRange::host(Ipv4Addr::BROADCAST.into())],
                on_match: Some((*route).clone()),
                exclusive: false,
            };
            self.udp_listener(at, address, name, vec![nobody], Some(route));
        } else {
            self.udp_listener(at, address, name, range_matchers, on_no_match);
        }
    }

    fn udp_listener(
        &mut self,
        at: &At<'_>,
        address: Address,
        name: String,
        range_matchers: Vec<IpRangeMatcher>,
        on_no_match: Option<Box<OnMatch>>,
    ) {
        let matcher = Matcher {
            matcher_tree: Some(MatcherTree {
                input: Some(extension("source", Any::pack(&SourceIpInput {}))),
                custom_match: Some(extension("addresses", Any::pack(&IpMatcher { range_matchers }))),
            }),
            on_no_match,
        };
        let proxy = UdpProxy { stat_prefix: name, matcher: Some(matcher) };
        let filter = ListenerFilter {
            name: "envoy.filters.udp_listener.udp_proxy".into(),
            typed_config: Some(Any::pack(&proxy)),
        };
        let listener = Listener {
            listener_filters: vec![filter],
            udp_listener_config: Some(UdpListenerConfig {}),
            ..Listener::at(address)
        };
        self.add_listener(listener, &at.origins(self.ir));
    }

    /// One cluster with a weight per endpoint, as `udp_proxy` has no weighted clusters. Shares that fail keep their weight.
    fn udp_route(&mut self, at: &At<'_>, cluster: &str, leaves: &[Leaf<'_>], may: &[bool]) -> OnMatch {
        let mut endpoints: BTreeMap<SocketAddr, u32> = BTreeMap::new();
        for (leaf, allowed) in leaves.iter().zip(may) {
            if *allowed {
                for endpoint in &leaf.endpoints {
                    let weight = endpoints.entry(*endpoint).or_default();
                    *weight = weight.saturating_add(leaf.each);
                }
            } else {
                let weight = endpoints.entry(NOWHERE).or_default();
                *weight = weight.saturating_add(leaf.weight);
            }
        }
        let endpoints = endpoints.into_iter().map(|(e, weight)| (e, Some(weight)));
        self.add_cluster(
            leaf::cluster(cluster, BTreeMap::new()),
            leaf::assignment(cluster, endpoints, Protocol::Udp),
            [&at.service.origin],
        );
        OnMatch { action: Some(extension("route", Any::pack(&UdpRoute { cluster: cluster.to_owned() }))) }
    }

    fn opaque_leaves<'r>(&mut self, at: &At<'r>) -> Option<Vec<Leaf<'r>>>
    where
        Self: 'r,
    {
        let route = at.port.routes.last()?;
        let leaves = leaf::leaves(at.ir, route);
        if leaves.is_none() {
            self.weights_too_large(route);
        }
        leaves
    }
}

/// A filter that counts would-be denials. Where a split leads to several workloads there is one for each, as none knows which of them a
/// connection will go to.
pub(super) fn counted(name: &str, rules: Rbac) -> Filter {
    let rbac = NetworkRbac { rules: None, shadow_rules: Some(rules), stat_prefix: format!("{name}.") };
    Filter { name: "envoy.filters.network.rbac".into(), typed_config: Some(Any::pack(&rbac)) }
}

/// The filter that splits connections.
pub(super) fn proxy(name: &str, clusters: Vec<(String, u32)>) -> Filter {
    let clusters = clusters.into_iter().map(|(name, weight)| TcpClusterWeight { name, weight }).collect();
    let proxy = TcpProxy {
        stat_prefix: name.to_owned(),
        weighted_clusters: Some(TcpWeightedCluster { clusters }),
        idle_timeout: Some(Duration::from_ms(0)),
    };
    Filter { name: "envoy.filters.network.tcp_proxy".into(), typed_config: Some(Any::pack(&proxy)) }
}

fn extension(name: &str, config: Any) -> TypedExtension {
    TypedExtension { name: name.to_owned(), typed_config: Some(config) }
}

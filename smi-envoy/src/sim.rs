//! Decides requests on a rendered configuration as Envoy would: listeners, virtual hosts, routes, weighted clusters, access filters.
//!
//! Shape: [`Simulator`] holds a node proxy's resources and, to tell which pods a cluster is, the pools of the IR.
//! It reads the configuration alone, without a look at what the policy meant, so that a renderer's mistake shows.
//! Absent: retries, limits and timeouts, which do not change where a request may go; what Envoy refuses before it looks at the
//! configuration (unknown methods, malformed requests).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use smi_core::eval::{Caller, Decide, Distribution, HttpRequest, Outcome, Payload, Request, Share};
use smi_core::hub::names::{Namespaced, Port, Transport};
use smi_core::ir::{Ir, ListenerKey, PoolKey, WorkloadId};

use crate::config::address::CidrRange;
use crate::config::listener::{
    EscapedSlashes, FilterChain, HttpConnectionManager, Listener, TcpProxy, UdpProxy, UdpRoute,
};
use crate::config::matcher::{
    HeaderMatch, HeaderMatcher, IpMatcher, OnMatch, PathRule, PerFilter, StringMatcher, StringPattern,
};
use crate::config::metadata::{Metadata, ValueKind};
use crate::config::rbac::{
    HttpRbac, Permission, PermissionRule, Principal, PrincipalKind, Rbac, RbacPerRoute,
};
use crate::config::route::{PathSpecifier, Route, RouteActionKind, VirtualHost, WeightedCluster};
use crate::render::{self, LEAF, RBAC, SUBSET};
use crate::resources::Resources;

/// A configuration with what is needed to name its outcomes.
#[derive(Clone, Debug)]
pub struct Simulator<'a> {
    ir: &'a Ir,
    resources: &'a Resources,
    listeners: BTreeMap<SocketAddr, &'a Listener>,
    /// Which endpoints a cluster of one leaf has.
    leaves: BTreeMap<String, (PoolKey, Option<WorkloadId>)>,
}

/// A request as Envoy's matchers see it.
struct View<'r> {
    client: IpAddr,
    /// The URI of the peer's certificate.
    identity: Option<&'r str>,
    path: String,
    method: &'r str,
    /// In lower case, without port and trailing dot.
    authority: String,
    headers: &'r [(String, String)],
}

impl<'a> Simulator<'a> {
    /// A simulator of a node proxy's resources that were rendered from this IR.
    #[must_use]
    pub fn new(resources: &'a Resources, ir: &'a Ir) -> Self {
        let listeners =
            resources.listeners.values().filter_map(|l| Some((l.address.as_ref()?.socket()?, l))).collect();
        let mut leaves = BTreeMap::new();
        for (key, pool) in &ir.pools {
            for endpoint in &pool.endpoints {
                let port = endpoint.port;
                for spoken in render::SPOKEN {
                    let name = render::cluster_name(key, Some((endpoint.workload.as_ref(), port)), spoken);
                    leaves.insert(name, (key.clone(), endpoint.workload.clone()));
                }
            }
        }
        Self { ir, resources, listeners, leaves }
    }

    /// The peer's own address, which is all that a node proxy knows of a caller.
    fn client(&self, caller: &Caller) -> IpAddr {
        let nobody = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        match caller {
            Caller::Address(address) => *address,
            Caller::Pod(pod) => {
                let mut own = self.ir.callers.iter().filter(|(_, p)| *p == pod);
                own.next().map_or(nobody, |(address, _)| *address)
            }
            Caller::Identity(_) | Caller::Nobody => nobody,
        }
    }

    fn listener(&self, key: &ListenerKey) -> Option<&'a Listener> {
        let port = self.ir.listeners.entries.get(key)?.get();
        let udp = matches!(key, ListenerKey::Udp(..));
        let mut found = self
            .listeners
            .iter()
            .filter(|(at, listener)| at.port() == port && listener.udp_listener_config.is_some() == udp);
        found.next().map(|(_, listener)| *listener)
    }

    fn http(&self, request: &Request, http: &HttpRequest) -> Distribution {
        let manager =
            self.listener(&ListenerKey::Http(http.port)).and_then(|l| manager(l.filter_chains.first()?));
        let Some(manager) = manager else {
            return Distribution::certain(Outcome::NotFound);
        };
        let Some(path) = normalised(&http.target, &manager) else {
            return Distribution::certain(Outcome::BadRequest);
        };
        let host = host(&http.host, &manager);
        let view = View {
            client: self.client(&request.caller),
            identity: None,
            path,
            method: &http.method,
            authority: host.clone(),
            headers: &http.headers,
        };
        let routes = manager.rds.as_ref().and_then(|rds| self.resources.routes.get(&rds.route_config_name));
        let hosts = routes.map(|r| r.virtual_hosts.as_slice()).unwrap_or_default();
        let of = |domain: &str| hosts.iter().find(|h| h.domains.iter().any(|d| d == domain));
        let Some(vhost) = of(&host).or_else(|| of("*")) else {
            return Distribution::certain(Outcome::NotFound);
        };
        let Some(route) = vhost.routes.iter().find(|r| route_matches(r, &view)) else {
            return Distribution::certain(Outcome::NotFound);
        };
        self.route(&manager, vhost, route, &view)
    }

    fn route(
        &self,
        manager: &HttpConnectionManager,
        vhost: &VirtualHost,
        route: &Route,
        view: &View<'_>,
    ) -> Distribution {
        let passes = |leg: Option<&PerFilter>| passes(manager, leg, route, vhost, view);
        match &route.action {
            Some(RouteActionKind::DirectResponse(answer)) => {
                if !passes(None) {
                    return Distribution::certain(Outcome::Forbidden);
                }
                Distribution::certain(match answer.status {
                    400 => Outcome::BadRequest,
                    404 => Outcome::NotFound,
                    _ => Outcome::Unavailable,
                })
            }
            Some(RouteActionKind::Route(action)) => {
                let mut out = Distribution::default();
                for (leg, share) in action.weighted_clusters.iter().flat_map(shares) {
                    let outcome = if passes(Some(&leg.typed_per_filter_config)) {
                        self.served(&leg.name, leg.metadata_match.as_ref())
                    } else {
                        Outcome::Forbidden
                    };
                    out.add(outcome, share);
                }
                out
            }
            None => Distribution::certain(Outcome::NotFound),
        }
    }

    /// Endpoints of a cluster, or of the subset of it that a leg names.
    fn endpoints(&self, cluster: &str, leaf: Option<&str>) -> Vec<(SocketAddr, u32)> {
        let assignment =
            self.resources.clusters.get(cluster).and_then(|c| self.resources.endpoints.get(&c.name));
        let listed = assignment.into_iter().flat_map(|a| &a.endpoints).flat_map(|l| &l.lb_endpoints);
        listed
            .filter(|e| leaf.is_none_or(|leaf| leaves(e.metadata.as_ref()).contains(&leaf)))
            .filter_map(|e| {
                let address = e.endpoint.as_ref()?.address.as_ref()?.socket()?;
                Some((address, e.load_balancing_weight.unwrap_or(1)))
            })
            .collect()
    }

    fn served(&self, cluster: &str, leg: Option<&Metadata>) -> Outcome {
        let subsets = self.resources.clusters.get(cluster).and_then(|c| c.lb_subset_config.as_ref());
        // Without subsets, what a leg names is ignored.
        let leaf = leaves(leg).first().copied().filter(|_| subsets.is_some());
        match self.leaves.get(leaf.unwrap_or(cluster)) {
            Some((pool, workload)) if !self.endpoints(cluster, leaf).is_empty() => {
                Outcome::Served(pool.clone(), workload.clone())
            }
            _ => Outcome::Unavailable,
        }
    }

    fn tcp(&self, request: &Request, service: &Namespaced, port: Port) -> Distribution {
        let Some(listener) = self.listener(&ListenerKey::Tcp(service.clone(), port)) else {
            return Distribution::certain(Outcome::NotFound);
        };
        let client = self.client(&request.caller);
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
            out.add(self.served(&cluster.name, None), Share::new(cluster.weight.into(), total));
        }
        out
    }

    fn udp(&self, request: &Request, service: &Namespaced, port: Port) -> Distribution {
        let Some(listener) = self.listener(&ListenerKey::Udp(service.clone(), port)) else {
            return Distribution::certain(Outcome::NotFound);
        };
        let client = self.client(&request.caller);
        let Some(cluster) = udp_cluster(listener, client) else {
            return Distribution::certain(Outcome::Forbidden);
        };
        let endpoints = self.endpoints(&cluster, None);
        let total: u64 = endpoints.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut out = Distribution::default();
        for (address, weight) in endpoints {
            let outcome = self.behind(service, port, address).unwrap_or(Outcome::Unavailable);
            out.add(outcome, Share::new(weight.into(), total));
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

/// The leaves that metadata names.
fn leaves(metadata: Option<&Metadata>) -> Vec<&str> {
    let named = metadata.and_then(|m| m.filter_metadata.get(SUBSET)?.fields.get(LEAF)?.kind.as_ref());
    named.map(ValueKind::texts).unwrap_or_default()
}

fn manager(chain: &FilterChain) -> Option<HttpConnectionManager> {
    chain.filters.iter().find_map(|f| f.typed_config.as_ref()?.unpack())
}

fn shares(
    weighted: &WeightedCluster,
) -> impl Iterator<Item = (&crate::config::route::ClusterWeight, Share)> + use<'_> {
    let total: u64 = weighted.clusters.iter().map(|c| u64::from(c.weight.unwrap_or(0))).sum();
    weighted.clusters.iter().map(move |c| (c, Share::new(c.weight.unwrap_or(0).into(), total)))
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

/// Whether an address lies in a range. Only ranges of one address are rendered; any other is taken for empty, which shows as a refusal.
fn contains(range: &CidrRange, address: IpAddr) -> bool {
    *range == CidrRange::host(address)
}

/// The verdict of the access filter: the configuration nearest to the leg that was picked holds.
fn passes(
    manager: &HttpConnectionManager,
    leg: Option<&PerFilter>,
    route: &Route,
    vhost: &VirtualHost,
    view: &View<'_>,
) -> bool {
    let places = leg.into_iter().chain([&route.typed_per_filter_config, &vhost.typed_per_filter_config]);
    let nearest = places.into_iter().find_map(|place| place.get(RBAC));
    let rbac = match nearest {
        Some(config) => config.unpack::<RbacPerRoute>().and_then(|c| c.rbac),
        None => {
            let filter = manager.http_filters.iter().find(|f| f.name == RBAC);
            filter.and_then(|f| f.typed_config.as_ref()?.unpack::<HttpRbac>())
        }
    };
    // Absent rules are not enforced.
    rbac.and_then(|r| r.rules).is_none_or(|rules| allows(&rules, view))
}

fn allows(rules: &Rbac, view: &View<'_>) -> bool {
    rules.policies.values().any(|policy| {
        policy.permissions.iter().any(|p| permits(p, view)) && policy.principals.iter().any(|p| is(p, view))
    })
}

fn is(principal: &Principal, view: &View<'_>) -> bool {
    match &principal.kind {
        Some(PrincipalKind::AndIds(set)) => set.ids.iter().all(|p| is(p, view)),
        Some(PrincipalKind::OrIds(set)) => set.ids.iter().any(|p| is(p, view)),
        Some(PrincipalKind::Any(any)) => *any,
        Some(PrincipalKind::Authenticated(named)) => match (&named.principal_name, view.identity) {
            (Some(name), Some(identity)) => string_matches(name, identity),
            // Without a name, any certificate is one.
            (None, identity) => identity.is_some(),
            (Some(_), None) => false,
        },
        Some(PrincipalKind::DirectRemoteIp(range)) => contains(range, view.client),
        None => false,
    }
}

fn permits(permission: &Permission, view: &View<'_>) -> bool {
    match &permission.rule {
        Some(PermissionRule::AndRules(set)) => set.rules.iter().all(|p| permits(p, view)),
        Some(PermissionRule::OrRules(set)) => set.rules.iter().any(|p| permits(p, view)),
        Some(PermissionRule::Any(any)) => *any,
        Some(PermissionRule::Header(header)) => header_matches(header, view),
        Some(PermissionRule::UrlPath(path)) => match &path.rule {
            Some(PathRule::Path(matcher)) => string_matches(matcher, &view.path),
            None => false,
        },
        None => false,
    }
}

fn route_matches(route: &Route, view: &View<'_>) -> bool {
    let Some(wanted) = &route.r#match else { return false };
    let path = match &wanted.path {
        Some(PathSpecifier::Prefix(prefix)) => view.path.starts_with(prefix.as_str()),
        Some(PathSpecifier::Path(path)) => view.path == *path,
        Some(PathSpecifier::SafeRegex(regex)) => whole(&regex.regex, &view.path),
        None => false,
    };
    path && wanted.headers.iter().all(|h| header_matches(h, view))
}

/// One line suffices.
fn header_matches(header: &HeaderMatcher, view: &View<'_>) -> bool {
    let fits = |value: &str| match &header.value {
        Some(HeaderMatch::PresentMatch(present)) => *present,
        Some(HeaderMatch::StringMatch(matcher)) => string_matches(matcher, value),
        None => false,
    };
    if header.name == ":method" {
        return fits(view.method);
    }
    if header.name == ":authority" {
        return fits(&view.authority);
    }
    let mut lines = view.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&header.name));
    lines.any(|(_, value)| fits(value.trim_matches([' ', '\t'])))
}

fn string_matches(matcher: &StringMatcher, value: &str) -> bool {
    match &matcher.pattern {
        Some(StringPattern::Exact(text)) => value == text,
        Some(StringPattern::Prefix(text)) => value.starts_with(text.as_str()),
        Some(StringPattern::SafeRegex(regex)) => whole(&regex.regex, value),
        None => false,
    }
}

fn whole(pattern: &str, value: &str) -> bool {
    regex::bytes::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|r| r.is_match(value.as_bytes()))
}

fn host(text: &str, manager: &HttpConnectionManager) -> String {
    let mut host = match text.rsplit_once(':') {
        Some((name, _)) if manager.strip_any_host_port && !text.ends_with(']') => name,
        _ => text,
    };
    if manager.strip_trailing_host_dot {
        host = host.strip_suffix('.').unwrap_or(host);
    }
    host.to_ascii_lowercase()
}

/// The path that Envoy matches and forwards; `None`: 400.
fn normalised(target: &str, manager: &HttpConnectionManager) -> Option<String> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if !path.starts_with('/') || path.bytes().any(|b| b <= b' ' || b >= 0x7f || b == b'#') {
        return None;
    }
    let lower = path.to_ascii_lowercase();
    let slashes = lower.contains("%2f") || lower.contains("%5c");
    let reject = manager.path_with_escaped_slashes_action == i32::from(EscapedSlashes::Reject);
    if lower.contains("%00") || (slashes && reject) {
        return None;
    }
    if manager.normalize_path != Some(true) {
        return Some(path.to_owned());
    }
    // A raw backslash is a slash; what is no escape stays as it is.
    let decoded = decode_unreserved(&path.replace('\\', "/"));
    Some(without_dots(&decoded, manager.merge_slashes))
}

fn decode_unreserved(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let value = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match value.map(char::from) {
            Some(c) if c.is_ascii_alphanumeric() || "-._~".contains(c) => {
                out.push(c);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push('%');
                rest = after;
            }
        }
    }
    out + rest
}

fn without_dots(path: &str, merge: bool) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut last = "";
    for segment in path.split('/').skip(1) {
        last = segment;
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            "" if merge => {}
            other => kept.push(other),
        }
    }
    let directory = matches!(last, "." | "..") || (merge && last.is_empty());
    let mut out = kept.iter().fold(String::with_capacity(path.len()), |out, s| out + "/" + s);
    if directory || out.is_empty() {
        out.push('/');
    }
    out
}

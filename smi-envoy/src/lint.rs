//! What `envoy --mode validate` lets pass although it cannot work, or opens a door.
//!
//! Absent: the size of RE2 programs, which only RE2 knows; the bootstrap raises its limit.

use std::collections::BTreeSet;
use std::fmt;

use crate::config::bootstrap::Bootstrap;
use crate::config::listener::{HttpConnectionManager, Listener, TcpProxy, UdpProxy, UdpRoute};
use crate::config::matcher::{IpMatcher, PerFilter};
use crate::config::rbac::{HttpRbac, RbacPerRoute};
use crate::config::route::RouteActionKind;

/// A finding, in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding(String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All findings, in the order of the listeners.
#[must_use]
pub fn lint(bootstrap: &Bootstrap) -> Vec<Finding> {
    let Some(resources) = &bootstrap.static_resources else { return Vec::new() };
    let mut out = Vec::new();
    let clusters: BTreeSet<&str> = resources.clusters.iter().map(|c| c.name.as_str()).collect();
    let mut names = BTreeSet::new();
    for listener in &resources.listeners {
        if !names.insert(&listener.name) {
            out.push(Finding(format!("listener {} stands twice", listener.name)));
        }
        Lint { at: &listener.name, clusters: &clusters, out: &mut out }.listener(listener);
    }
    out
}

struct Lint<'a> {
    at: &'a str,
    clusters: &'a BTreeSet<&'a str>,
    out: &'a mut Vec<Finding>,
}

impl Lint<'_> {
    fn find(&mut self, what: impl fmt::Display) {
        self.out.push(Finding(format!("{}: {what}", self.at)));
    }

    fn cluster(&mut self, name: &str) {
        if !self.clusters.contains(name) {
            self.find(format_args!("no cluster {name}"));
        }
    }

    fn listener(&mut self, listener: &Listener) {
        for filter in
            listener.filter_chains.iter().chain(&listener.default_filter_chain).flat_map(|c| &c.filters)
        {
            let Some(config) = &filter.typed_config else { continue };
            if let Some(manager) = config.unpack::<HttpConnectionManager>() {
                self.http(&manager);
            } else if let Some(proxy) = config.unpack::<TcpProxy>() {
                for cluster in proxy.weighted_clusters.iter().flat_map(|w| &w.clusters) {
                    self.cluster(&cluster.name);
                }
            }
        }
        for config in listener.listener_filters.iter().filter_map(|f| f.typed_config.as_ref()) {
            let Some(matcher) = config.unpack::<UdpProxy>().and_then(|p| p.matcher) else { continue };
            let ranges = matcher
                .matcher_tree
                .and_then(|t| t.custom_match?.typed_config?.unpack::<IpMatcher>())
                .map(|m| m.range_matchers)
                .unwrap_or_default();
            let routes = ranges.into_iter().filter_map(|r| r.on_match).chain(matcher.on_no_match.map(|m| *m));
            for route in routes.filter_map(|m| m.action?.typed_config?.unpack::<UdpRoute>()) {
                self.cluster(&route.cluster);
            }
        }
    }

    fn http(&mut self, manager: &HttpConnectionManager) {
        let filters: BTreeSet<&str> = manager.http_filters.iter().map(|f| f.name.as_str()).collect();
        let guarded =
            manager.http_filters.iter().filter_map(|f| f.typed_config.as_ref()?.unpack::<HttpRbac>());
        // Rules that are absent are not enforced; present and empty ones deny.
        if !guarded.into_iter().any(|rbac| rbac.rules.is_some()) {
            self.find("no access filter that denies by default");
        }
        let mut names = BTreeSet::new();
        let mut domains = BTreeSet::new();
        for host in manager.route_config.iter().flat_map(|r| &r.virtual_hosts) {
            if !names.insert(&host.name) {
                self.find(format_args!("virtual host {} stands twice", host.name));
            }
            for domain in &host.domains {
                if !domains.insert(domain.to_ascii_lowercase()) {
                    self.find(format_args!("domain {domain} stands twice"));
                }
            }
            self.per_filter(&filters, &host.typed_per_filter_config);
            for route in &host.routes {
                self.per_filter(&filters, &route.typed_per_filter_config);
                let Some(RouteActionKind::Route(action)) = &route.action else { continue };
                for cluster in action.weighted_clusters.iter().flat_map(|w| &w.clusters) {
                    self.cluster(&cluster.name);
                    self.per_filter(&filters, &cluster.typed_per_filter_config);
                }
            }
        }
    }

    fn per_filter(&mut self, filters: &BTreeSet<&str>, config: &PerFilter) {
        for (name, config) in config {
            if !filters.contains(name.as_str()) {
                self.find(format_args!(
                    "configuration of {name}, which is no filter of the chain and is ignored"
                ));
            }
            if let Some(per_route) = config.unpack::<RbacPerRoute>()
                && per_route.rbac.is_none_or(|rbac| rbac.rules.is_none())
            {
                self.find(format_args!("{name} without rules opens everything"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::bootstrap::StaticResources;
    use crate::config::listener::{Filter, FilterChain};
    use crate::config::route::{
        ClusterWeight, Route, RouteAction, RouteConfiguration, VirtualHost, WeightedCluster,
    };
    use crate::config::{Any, types::Packed};

    fn filter<T: Packed>(name: &str, config: &T) -> Filter {
        Filter { name: name.into(), typed_config: Some(Any::pack(config)) }
    }

    #[test]
    fn what_validate_accepts_is_found() {
        let open = PerFilter::from([("absent".to_owned(), Any::pack(&RbacPerRoute::default()))]);
        let cluster = ClusterWeight { name: "nope".into(), weight: Some(1), typed_per_filter_config: open };
        let action = RouteAction {
            weighted_clusters: Some(WeightedCluster { clusters: vec![cluster] }),
            ..RouteAction::default()
        };
        let route = Route { action: Some(RouteActionKind::Route(action)), ..Route::default() };
        let host = VirtualHost {
            name: "a".into(),
            domains: vec!["A.mesh".into()],
            routes: vec![route],
            ..VirtualHost::default()
        };
        let twin = VirtualHost { name: "a".into(), domains: vec!["a.mesh".into()], ..VirtualHost::default() };
        let manager = HttpConnectionManager {
            route_config: Some(RouteConfiguration { name: "r".into(), virtual_hosts: vec![host, twin] }),
            http_filters: vec![filter("rbac", &HttpRbac::default())],
            ..HttpConnectionManager::default()
        };
        let chain = FilterChain { filters: vec![filter("hcm", &manager)], ..FilterChain::default() };
        let listener = Listener { name: "l".into(), filter_chains: vec![chain], ..Listener::default() };
        let bootstrap = Bootstrap {
            static_resources: Some(StaticResources { listeners: vec![listener], clusters: Vec::new() }),
            ..Bootstrap::default()
        };
        let found: Vec<String> = lint(&bootstrap).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "l: no access filter that denies by default",
                "l: no cluster nope",
                "l: configuration of absent, which is no filter of the chain and is ignored",
                "l: absent without rules opens everything",
                "l: virtual host a stands twice",
                "l: domain a.mesh stands twice",
            ]
        );
    }
}

//! What `envoy --mode validate` lets pass although it cannot work, or opens a door.
//!
//! Absent: the size of RE2 programs, which only RE2 knows; the bootstrap raises its limit.

use std::collections::BTreeSet;
use std::fmt;

use crate::config::Any;
use crate::config::cluster::SubsetFallback;
use crate::config::listener::{HttpConnectionManager, Listener, TcpProxy, UdpProxy, UdpRoute};
use crate::config::matcher::{IpMatcher, PerFilter};
use crate::config::metadata::Metadata;
use crate::config::rbac::{HttpRbac, RbacPerRoute};
use crate::config::route::{ClusterWeight, RouteActionKind, RouteConfiguration};
use crate::config::tls::{
    CommonTlsContext, DownstreamTlsContext, TransportSocket, UpstreamTlsContext, ValidationContextType,
};
use crate::render::{LEAF, SUBSET};
use crate::resources::Resources;

/// A finding, in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding(String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All findings, in the order of clusters and listeners.
#[must_use]
pub fn lint(resources: &Resources) -> Vec<Finding> {
    let mut lint = Lint { at: "", resources, out: Vec::new() };
    for (name, cluster) in &resources.clusters {
        lint.at = name;
        lint.named(name, &cluster.name);
        if cluster.eds_cluster_config.is_some() && !resources.endpoints.contains_key(name) {
            lint.find("no endpoints, not even none, so that Envoy waits for them");
        }
        cluster.sockets().for_each(|socket| lint.secrets(socket));
    }
    for (name, endpoints) in &resources.endpoints {
        lint.at = name;
        lint.named(name, &endpoints.cluster_name);
    }
    for (name, listener) in &resources.listeners {
        lint.at = name;
        lint.named(name, &listener.name);
        if listener.address.as_ref().is_none_or(|at| at.to_string() != *name) {
            lint.find("is not named by its address, so that it cannot take it over from another");
        }
        lint.listener(listener);
    }
    lint.out
}

struct Lint<'a> {
    at: &'a str,
    resources: &'a Resources,
    out: Vec<Finding>,
}

impl Lint<'_> {
    fn find(&mut self, what: impl fmt::Display) {
        self.out.push(Finding(format!("{}: {what}", self.at)));
    }

    fn named(&mut self, key: &str, name: &str) {
        if key != name {
            self.find(format_args!("calls itself {name}"));
        }
    }

    fn cluster(&mut self, name: &str) {
        if !self.resources.clusters.contains_key(name) {
            self.find(format_args!("no cluster {name}"));
        }
    }

    /// Access was decided for the endpoints that a leg names, and holds for no others.
    fn subset(&mut self, leg: &ClusterWeight) {
        let Some(cluster) = self.resources.clusters.get(&leg.name) else { return };
        let kept = cluster.lb_subset_config.as_ref().is_some_and(|c| {
            c.fallback_policy == i32::from(SubsetFallback::NoFallback)
                && c.subset_selectors.iter().any(|s| s.keys.iter().map(String::as_str).eq([LEAF]))
        });
        let named = |m: &Metadata| m.filter_metadata.get(SUBSET).is_some_and(|s| s.fields.keys().eq([LEAF]));
        match &leg.metadata_match {
            Some(leaf) if !kept || !named(leaf) => {
                self.find(format_args!("names endpoints of {}, which does not keep to them", leg.name));
            }
            None if cluster.lb_subset_config.is_some() => {
                self.find(format_args!("names no endpoints of {}", leg.name));
            }
            Some(_) | None => {}
        }
    }

    fn secrets(&mut self, socket: &TransportSocket) {
        let Some(config) = &socket.typed_config else { return };
        let common = |config: &Any| -> Option<CommonTlsContext> {
            let upstream = config.unpack::<UpstreamTlsContext>().and_then(|c| c.common_tls_context);
            upstream.or_else(|| config.unpack::<DownstreamTlsContext>()?.common_tls_context)
        };
        let asks = |context: DownstreamTlsContext| context.require_client_certificate == Some(true);
        if config.unpack::<DownstreamTlsContext>().is_some_and(|context| !asks(context)) {
            self.find("asks for no certificate");
        }
        let Some(common) = common(config) else { return };
        let names = match &common.validation {
            Some(ValidationContextType::ValidationContext(context)) => Some(context),
            Some(ValidationContextType::CombinedValidationContext(combined)) => {
                combined.default_validation_context.as_ref()
            }
            Some(ValidationContextType::ValidationContextSdsSecretConfig(_)) | None => None,
        };
        if names.is_none_or(|context| context.match_typed_subject_alt_names.is_empty()) {
            self.find("accepts a certificate of whatever name");
        }
        if let Some(ValidationContextType::ValidationContext(context)) = &common.validation
            && context.trusted_ca.is_none()
        {
            self.find("accepts a certificate whoever signed it");
        }
        let trust = match &common.validation {
            Some(ValidationContextType::CombinedValidationContext(combined)) => {
                combined.validation_context_sds_secret_config.as_ref()
            }
            Some(ValidationContextType::ValidationContextSdsSecretConfig(secret)) => Some(secret),
            Some(ValidationContextType::ValidationContext(_)) | None => None,
        };
        for secret in common.tls_certificate_sds_secret_configs.iter().chain(trust) {
            let known = self.resources.secrets.contains_key(&secret.name)
                || self.resources.awaited_secrets.contains(&secret.name);
            if !known {
                self.find(format_args!("no secret {}", secret.name));
            }
        }
    }

    fn listener(&mut self, listener: &Listener) {
        for chain in listener.filter_chains.iter().chain(&listener.default_filter_chain) {
            chain.transport_socket.iter().for_each(|socket| self.secrets(socket));
            for config in chain.filters.iter().filter_map(|f| f.typed_config.as_ref()) {
                if let Some(manager) = config.unpack::<HttpConnectionManager>() {
                    self.http(&manager);
                } else if let Some(proxy) = config.unpack::<TcpProxy>() {
                    for cluster in proxy.weighted_clusters.iter().flat_map(|w| &w.clusters) {
                        self.cluster(&cluster.name);
                    }
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
        let resources = self.resources;
        let routes = match &manager.rds {
            Some(rds) => resources.routes.get(&rds.route_config_name),
            None => manager.route_config.as_ref(),
        };
        match routes {
            Some(routes) => self.routes(&filters, routes),
            None => self.find("no routes"),
        }
    }

    fn routes(&mut self, filters: &BTreeSet<&str>, routes: &RouteConfiguration) {
        let mut names = BTreeSet::new();
        let mut domains = BTreeSet::new();
        for host in &routes.virtual_hosts {
            if !names.insert(&host.name) {
                self.find(format_args!("virtual host {} stands twice", host.name));
            }
            for domain in &host.domains {
                if !domains.insert(domain.to_ascii_lowercase()) {
                    self.find(format_args!("domain {domain} stands twice"));
                }
            }
            self.per_filter(filters, &host.typed_per_filter_config);
            for route in &host.routes {
                self.per_filter(filters, &route.typed_per_filter_config);
                let Some(RouteActionKind::Route(action)) = &route.action else { continue };
                for policy in &action.request_mirror_policies {
                    self.cluster(&policy.cluster);
                }
                for cluster in action.weighted_clusters.iter().flat_map(|w| &w.clusters) {
                    self.cluster(&cluster.name);
                    self.subset(cluster);
                    self.per_filter(filters, &cluster.typed_per_filter_config);
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
    use crate::config::cluster::{Cluster, EdsClusterConfig, LbSubsetConfig};
    use crate::config::discovery::ConfigSource;
    use crate::config::listener::{Filter, FilterChain};
    use crate::config::route::{
        ClusterWeight, Route, RouteAction, RouteConfiguration, VirtualHost, WeightedCluster,
    };
    use crate::config::tls::{SdsSecretConfig, ValidationContext};
    use crate::config::{Any, types::Packed};

    fn filter<T: Packed>(name: &str, config: &T) -> Filter {
        Filter { name: name.into(), typed_config: Some(Any::pack(config)) }
    }

    #[test]
    fn what_validate_accepts_is_found() {
        let open = PerFilter::from([("absent".to_owned(), Any::pack(&RbacPerRoute::default()))]);
        let cluster = ClusterWeight {
            name: "nope".into(),
            weight: Some(1),
            typed_per_filter_config: open,
            ..ClusterWeight::default()
        };
        let whole = ClusterWeight { name: "c".into(), ..ClusterWeight::default() };
        let subset = ClusterWeight { metadata_match: Some(Metadata::default()), ..whole.clone() };
        let action = RouteAction {
            weighted_clusters: Some(WeightedCluster { clusters: vec![cluster, whole, subset] }),
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
        let secret = SdsSecretConfig { name: "s".into(), sds_config: None };
        let tls = DownstreamTlsContext {
            common_tls_context: Some(CommonTlsContext {
                tls_certificate_sds_secret_configs: vec![secret],
                validation: Some(ValidationContextType::ValidationContext(ValidationContext::default())),
                ..CommonTlsContext::default()
            }),
            ..DownstreamTlsContext::default()
        };
        let socket = TransportSocket { name: "tls".into(), typed_config: Some(Any::pack(&tls)) };
        let chain = FilterChain {
            filters: vec![filter("hcm", &manager)],
            transport_socket: Some(socket),
            ..FilterChain::default()
        };
        let listener = Listener { name: "l".into(), filter_chains: vec![chain], ..Listener::default() };
        let eds = EdsClusterConfig { eds_config: Some(ConfigSource::ads()) };
        let cluster = Cluster {
            name: "c".into(),
            eds_cluster_config: Some(eds),
            lb_subset_config: Some(LbSubsetConfig::default()),
            ..Cluster::default()
        };
        let resources = Resources {
            listeners: [("l".to_owned(), listener)].into(),
            clusters: [("c".to_owned(), cluster)].into(),
            ..Resources::default()
        };
        let found: Vec<String> = lint(&resources).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "c: no endpoints, not even none, so that Envoy waits for them",
                "l: is not named by its address, so that it cannot take it over from another",
                "l: asks for no certificate",
                "l: accepts a certificate of whatever name",
                "l: accepts a certificate whoever signed it",
                "l: no secret s",
                "l: no access filter that denies by default",
                "l: no cluster nope",
                "l: configuration of absent, which is no filter of the chain and is ignored",
                "l: absent without rules opens everything",
                "l: names no endpoints of c",
                "l: names endpoints of c, which does not keep to them",
                "l: virtual host a stands twice",
                "l: domain a.mesh stands twice",
            ]
        );
    }
}

//! HTTP service ports → virtual hosts, and the listener they share.

use std::collections::BTreeSet;

use smi_core::ir::{EncodedSlashes, PoolKey, Protocol, RateLimit, RouteCondition, Scheme, TrafficPolicy};

use super::joint::Joint;
use super::sidecar::Reach;
use super::{At, Output, RATE_LIMIT, RBAC, access, condition, leaf};
use crate::config::address::Address;
use crate::config::discovery::ConfigSource;
use crate::config::listener::{
    Codec, EscapedSlashes, Filter, FilterChain, HttpConnectionManager, Listener, LocalRateLimit, Percent,
    Rds, Router, RuntimeFraction, TokenBucket, UpgradeConfig,
};
use crate::config::matcher::PerFilter;
use crate::config::rbac::{HttpRbac, Rbac};
use crate::config::route::{
    ClusterWeight, DirectResponse, PreviousHosts, RetryHostPredicate, RetryPolicy, Route, RouteAction,
    RouteActionKind, RouteConfiguration, RouteMatch, VirtualHost, WeightedCluster,
};
use crate::config::{Any, Duration};

impl Output<'_> {
    /// One virtual host per service: what counts in it counts for the service port, by whatever name it was called.
    pub(super) fn http_port(&mut self, at: &At<'_>) {
        let names = self.names(at);
        let Some(name) = names.first().cloned() else { return };
        let mut routes = vec![answer("not-canonical", condition::not_canonical(), 400)];
        let mut joint = self.joint(at);
        for (place, route) in at.port.routes.iter().enumerate() {
            let matches: Vec<RouteMatch> = match &route.condition {
                RouteCondition::Everything => vec![condition::everything()],
                RouteCondition::AnyOf(matches) => {
                    matches.iter().filter_map(|m| condition::route_match(m, &names)).collect()
                }
            };
            let clusters = self.weighted(at, route, &names, joint.as_mut());
            let mirror = self.mirror(at, route, &names);
            for (number, route_match) in matches.into_iter().enumerate() {
                let name = format!("{place}.{number}");
                let mut made = match &clusters {
                    Some(clusters) => to_clusters(name, route_match, clusters.clone(), &at.port.policy),
                    None => answer(&name, route_match, 503),
                };
                if let Some(RouteActionKind::Route(action)) = &mut made.action {
                    action.request_mirror_policies.extend(mirror.clone());
                }
                routes.push(made);
            }
        }
        if let Some(joint) = joint {
            self.joint_clusters(at, joint);
        }
        let typed_per_filter_config = match &at.port.policy.rate_limit {
            Some((limit, _)) => PerFilter::from([(RATE_LIMIT.to_owned(), rate_limit(limit))]),
            None => PerFilter::new(),
        };
        let domains = names.into_iter().collect();
        let vhost = VirtualHost { name, domains, routes, typed_per_filter_config };
        self.hosts.entry(at.number).or_default().push(vhost);
    }

    fn weighted(
        &mut self,
        at: &At<'_>,
        route: &smi_core::ir::Route,
        names: &BTreeSet<String>,
        mut joint: Option<&mut Joint>,
    ) -> Option<Vec<ClusterWeight>> {
        let Some(leaves) = leaf::leaves(self.ir, route) else {
            self.weights_too_large(route);
            return None;
        };
        let mut out = Vec::new();
        for leaf in leaves {
            let reach = self.reach(at, &leaf);
            let spoken = self.spoken(leaf.pool);
            let closed = reach == Reach::Refused || (reach != Reach::There && self.unspoken(spoken));
            let (name, metadata_match) = match joint.as_deref_mut() {
                _ if closed => (self.closed_cluster(), None),
                Some(joint) => {
                    let (name, leaf) = joint.add(at, &leaf, spoken, self.way(&leaf, spoken, reach));
                    (name, Some(leaf))
                }
                None => (self.leaf_cluster(at, &leaf, spoken, reach), None),
            };
            let rbac = match (reach, leaf.at) {
                (Reach::Here, Some((workload, port))) => {
                    self.access.http(at.service.mode, workload, port, names)
                }
                (Reach::Refused, _) => access::nobody(),
                // Somebody else decides; or nobody is there to refuse, and the share fails whoever asks (S20).
                (Reach::Here | Reach::There | Reach::Clear, _) => access::anybody(),
            };
            let typed_per_filter_config = PerFilter::from([(RBAC.to_owned(), rbac)]);
            let weight = Some(leaf.weight);
            out.push(ClusterWeight { name, weight, metadata_match, typed_per_filter_config });
        }
        Some(out)
    }
}

impl Output<'_> {
    /// What the pods of a pool speak: their own service's scheme, also behind a split.
    pub(super) fn spoken(&self, pool: &PoolKey) -> &'static str {
        let port = self.ir.services.get(&pool.service).and_then(|s| s.port(pool.port, pool.transport));
        match port.map(|p| p.protocol) {
            Some(Protocol::Http(Scheme::H2c)) => "h2c",
            Some(Protocol::Http(Scheme::Https)) => "https",
            Some(Protocol::Http(Scheme::Http) | Protocol::Tcp | Protocol::Udp) | None => "http",
        }
    }
}

pub(super) fn to_clusters(
    name: String,
    r#match: RouteMatch,
    clusters: Vec<ClusterWeight>,
    policy: &TrafficPolicy,
) -> Route {
    // Zero is Envoy's word for no limit; without it, it is 15 s.
    let timeout = Duration::from_ms(policy.timeout_ms.as_ref().map_or(0, |(ms, _)| *ms));
    let retry_policy = policy.retry.as_ref().filter(|(r, _)| r.attempts > 1).map(|(retry, _)| RetryPolicy {
        retry_on: "connect-failure,refused-stream,reset-before-request".into(),
        num_retries: Some(retry.attempts.saturating_sub(1)),
        // Elsewhere, as long as there is an elsewhere.
        retry_host_predicate: vec![RetryHostPredicate {
            name: "envoy.retry_host_predicates.previous_hosts".into(),
            typed_config: Some(Any::pack(&PreviousHosts {})),
        }],
        host_selection_retry_max_attempts: 8,
    });
    let action = RouteAction {
        weighted_clusters: Some(WeightedCluster { clusters }),
        timeout: Some(timeout),
        retry_policy,
        request_mirror_policies: Vec::new(),
    };
    Route {
        name,
        r#match: Some(r#match),
        action: Some(RouteActionKind::Route(action)),
        typed_per_filter_config: PerFilter::new(),
    }
}

/// An answer of the proxy's own, the same for everybody.
pub(super) fn answer(name: &str, r#match: RouteMatch, status: u32) -> Route {
    Route {
        name: name.to_owned(),
        r#match: Some(r#match),
        action: Some(RouteActionKind::DirectResponse(DirectResponse { status })),
        typed_per_filter_config: PerFilter::from([(RBAC.to_owned(), access::anybody())]),
    }
}

fn rate_limit(limit: &RateLimit) -> Any {
    let always = || Some(RuntimeFraction { default_value: Some(Percent { numerator: 100 }) });
    Any::pack(&LocalRateLimit {
        stat_prefix: "rate_limit".into(),
        token_bucket: Some(TokenBucket {
            max_tokens: limit.burst,
            // Filled little by little, so that it may be more than the bucket holds.
            tokens_per_fill: Some(limit.average),
            fill_interval: Some(Duration::from_ms(1000)),
        }),
        filter_enabled: always(),
        filter_enforced: always(),
    })
}

/// The routes of all HTTP services on one port number.
pub(super) fn routes(name: String, mut virtual_hosts: Vec<VirtualHost>) -> RouteConfiguration {
    // SPEC: S37 — the RBAC filter runs before the router's own 404, so unknown hosts need a host that lets them through to it.
    virtual_hosts.push(VirtualHost {
        name: "*".into(),
        domains: vec!["*".into()],
        routes: vec![
            answer("not-canonical", condition::not_canonical(), 400),
            answer("unknown-host", condition::everything(), 404),
        ],
        typed_per_filter_config: PerFilter::new(),
    });
    RouteConfiguration { name, virtual_hosts }
}

/// A listener of HTTP in clear, whose routes have its name.
pub(super) fn listener(name: &str, address: Address, slashes: EncodedSlashes) -> Listener {
    let filters = vec![manager(name, slashes, Codec::Auto)];
    Listener {
        filter_chains: vec![FilterChain { filters, ..FilterChain::default() }],
        ..Listener::at(address)
    }
}

/// The filter that speaks HTTP, whose routes have its name. What they do not open is refused.
pub(super) fn manager(name: &str, slashes: EncodedSlashes, codec: Codec) -> Filter {
    let filter = |name: &str, config: Any| Filter { name: name.to_owned(), typed_config: Some(config) };
    let closed = HttpRbac { rules: Some(Rbac::default()), shadow_rules: None };
    let inert = LocalRateLimit { stat_prefix: "rate_limit".into(), ..LocalRateLimit::default() };
    let manager = HttpConnectionManager {
        codec_type: codec.into(),
        stat_prefix: name.to_owned(),
        rds: Some(Rds { config_source: Some(ConfigSource::ads()), route_config_name: name.to_owned() }),
        route_config: None,
        http_filters: vec![
            filter(RBAC, Any::pack(&closed)),
            filter(RATE_LIMIT, Any::pack(&inert)),
            filter("envoy.filters.http.router", Any::pack(&Router {})),
        ],
        use_remote_address: Some(true),
        // SPEC: S7 — policy sees the caller's headers, and so does the application.
        generate_request_id: Some(false),
        stream_idle_timeout: Some(Duration::from_ms(0)),
        // SPEC: S9
        normalize_path: Some(true),
        merge_slashes: true,
        path_with_escaped_slashes_action: match slashes {
            EncodedSlashes::Refuse => EscapedSlashes::Reject,
            EncodedSlashes::Keep => EscapedSlashes::Keep,
        }
        .into(),
        strip_any_host_port: true,
        strip_trailing_host_dot: true,
        upgrade_configs: vec![UpgradeConfig { upgrade_type: "websocket".into() }],
    };
    filter("envoy.filters.network.http_connection_manager", Any::pack(&manager))
}

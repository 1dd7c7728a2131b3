//! Leaves: endpoints of one pool that are of one workload and one pod port, with exact weights, and the clusters they live in.
//!
//! A leaf is the unit at which access is decided (S30). Its weight is its leg's weight times its share of the leg's ready endpoints,
//! brought to whole numbers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use smi_core::backend::name;
use smi_core::hub::names::Port;
use smi_core::ir::{Ir, PoolKey, Route, WorkloadId};

use crate::config::address::{Address, Protocol};
use crate::config::cluster::{
    AutoHttpConfig, Cluster, ClusterLoadAssignment, DiscoveryType, EdsClusterConfig, Endpoint,
    ExplicitHttpConfig, Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions, LbEndpoint,
    LocalityEndpoints,
};
use crate::config::discovery::ConfigSource;
use crate::config::limit::{CircuitBreakers, Thresholds};
use crate::config::listener::Codec;
use crate::config::{Any, Duration};

/// Endpoints that are alike; `at` is `None` for a leg without ready endpoints, whose share fails (S20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf<'a> {
    pub(super) pool: &'a PoolKey,
    pub(super) at: Option<(Option<&'a WorkloadId>, Port)>,
    pub(super) endpoints: Vec<SocketAddr>,
    /// Of the whole leaf.
    pub(super) weight: u32,
    /// Of each of its endpoints; of the whole leaf when it has none.
    pub(super) each: u32,
}

/// The leaves of a route; `None` when the weights do not fit.
pub(super) fn leaves<'a>(ir: &'a Ir, route: &'a Route) -> Option<Vec<Leaf<'a>>> {
    type Alike<'a> = BTreeMap<(Option<&'a WorkloadId>, Port), Vec<SocketAddr>>;
    let mut legs: Vec<(&PoolKey, u32, u64, Alike<'_>)> = Vec::new();
    let mut scale: u128 = 1;
    for target in route.targets.iter().filter(|t| t.weight > 0) {
        let mut alike = Alike::new();
        for endpoint in ir.pools.get(&target.pool).into_iter().flat_map(|p| p.ready()) {
            alike.entry((endpoint.workload.as_ref(), endpoint.port)).or_default().push(endpoint.socket());
        }
        let count: u64 = alike.values().map(|e| u64::try_from(e.len()).unwrap_or(u64::MAX)).sum();
        scale = lcm(scale, u128::from(count.max(1)))?;
        legs.push((&target.pool, target.weight, count, alike));
    }
    let mut units: Vec<(Leaf<'a>, u128)> = Vec::new();
    for (pool, weight, count, alike) in legs {
        let each = u128::from(weight).checked_mul(scale / u128::from(count.max(1)))?;
        if alike.is_empty() {
            units.push((Leaf { pool, at: None, endpoints: Vec::new(), weight: 0, each: 0 }, each));
        }
        for (at, endpoints) in alike {
            units.push((Leaf { pool, at: Some(at), endpoints, weight: 0, each: 0 }, each));
        }
    }
    let divisor = units.iter().fold(0, |a, (_, each)| gcd(a, *each)).max(1);
    let mut total: u32 = 0;
    let mut out = Vec::new();
    for (mut leaf, each) in units {
        leaf.each = u32::try_from(each / divisor).ok()?;
        leaf.weight = leaf.each.checked_mul(u32::try_from(leaf.endpoints.len().max(1)).ok()?)?;
        total = total.checked_add(leaf.weight)?;
        out.push(leaf);
    }
    Some(out)
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn lcm(a: u128, b: u128) -> Option<u128> {
    (a / gcd(a, b)).checked_mul(b)
}

impl Leaf<'_> {
    /// Name of its cluster, by what is in it and how it is spoken to.
    pub(super) fn name(&self, spoken: &str) -> String {
        cluster_name(self.pool, self.at, spoken)
    }
}

/// Name of the cluster of a leaf.
pub(crate) fn cluster_name(pool: &PoolKey, at: Option<(Option<&WorkloadId>, Port)>, spoken: &str) -> String {
    let port = pool.port.to_string();
    let at =
        at.map(|(workload, port)| (workload.map(ToString::to_string).unwrap_or_default(), port.to_string()));
    let mut parts = vec![pool.service.namespace.as_str(), pool.service.name.as_str(), &port, spoken];
    if let Some((workload, port)) = &at {
        parts.extend([workload.as_str(), port.as_str()]);
    }
    name::join(&parts)
}

/// A cluster, whose endpoints come apart from it.
pub(super) fn cluster(name: &str, options: BTreeMap<String, Any>) -> Cluster {
    Cluster {
        name: name.to_owned(),
        r#type: DiscoveryType::Eds.into(),
        eds_cluster_config: Some(EdsClusterConfig { eds_config: Some(ConfigSource::ads()) }),
        connect_timeout: Some(Duration::from_ms(5000)),
        circuit_breakers: Some(CircuitBreakers { thresholds: vec![unlimited()] }),
        typed_extension_protocol_options: options,
        ..Cluster::default()
    }
}

/// No limit that nobody asked for: Envoy's own would refuse the 1025th connection, and a fourth retry at a time.
pub(super) fn unlimited() -> Thresholds {
    Thresholds {
        max_connections: Some(u32::MAX),
        max_pending_requests: Some(u32::MAX),
        max_requests: Some(u32::MAX),
        max_retries: Some(u32::MAX),
    }
}

/// The versions of HTTP in which pods are spoken to, or their sidecars when not directly.
pub(super) fn versions(spoken: &str, directly: bool) -> BTreeMap<String, Any> {
    match spoken {
        "https" if directly => http_options(&HttpProtocolOptions {
            auto_config: Some(AutoHttpConfig {
                http_protocol_options: Some(Http1ProtocolOptions {}),
                http2_protocol_options: Some(Http2ProtocolOptions {}),
            }),
            ..HttpProtocolOptions::default()
        }),
        _ if between_sidecars(spoken) == Codec::Http2 => http2_options(),
        _ => BTreeMap::new(),
    }
}

/// The version of HTTP that sidecars speak with each other for pods that speak so. Envoy does not find out by itself, as the handshake
/// agrees on [`super::tls::ALPN`].
pub(super) fn between_sidecars(spoken: &str) -> Codec {
    match spoken {
        // Pods that speak TLS may want HTTP/2, for gRPC, which cannot pass over HTTP/1.1.
        "h2c" | "https" => Codec::Http2,
        _ => Codec::Auto,
    }
}

/// HTTP/2 with prior knowledge.
pub(crate) fn http2_options() -> BTreeMap<String, Any> {
    http_options(&HttpProtocolOptions {
        explicit_http_config: Some(ExplicitHttpConfig {
            http2_protocol_options: Some(Http2ProtocolOptions {}),
        }),
        ..HttpProtocolOptions::default()
    })
}

fn http_options(options: &HttpProtocolOptions) -> BTreeMap<String, Any> {
    BTreeMap::from([("envoy.extensions.upstreams.http.v3.HttpProtocolOptions".into(), Any::pack(options))])
}

/// The endpoints of a cluster, with weights if they differ.
pub(super) fn assignment(
    name: &str,
    endpoints: impl Iterator<Item = (SocketAddr, Option<u32>)>,
    transport: Protocol,
) -> ClusterLoadAssignment {
    let lb_endpoints: Vec<LbEndpoint> = endpoints
        .map(|(address, load_balancing_weight)| LbEndpoint {
            endpoint: Some(Endpoint { address: Some(Address::new(address, transport)) }),
            metadata: None,
            load_balancing_weight,
        })
        .collect();
    let endpoints =
        if lb_endpoints.is_empty() { Vec::new() } else { vec![LocalityEndpoints { lb_endpoints }] };
    ClusterLoadAssignment { cluster_name: name.to_owned(), endpoints }
}

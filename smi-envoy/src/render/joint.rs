//! Joint clusters: all leaves of a service port in one, so that what a cluster counts is counted per service port (S34): requests in
//! flight, and failures that take endpoints out.
//!
//! Shape: every endpoint says to which leaves it belongs and, in a sidecar, whose it is; a leg of a route names its leaf. A leaf without
//! endpoints is a subset without members, and its share fails (S20).
//! The leaves' own clusters would not do: every service port that leads to the same pods shares them, and would use up the limits of the
//! others; and a service port with two leaves would have its limit twice.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use smi_core::backend::name;
use smi_core::ir::{Origin, PoolKey};

use super::leaf::{self, Leaf};
use super::sidecar::{Peer, Way};
use super::{At, Output};
use crate::codes;
use crate::config::address::{Address, Protocol};
use crate::config::cluster::{
    Cluster, ClusterLoadAssignment, CommonLbConfig, Endpoint, LbEndpoint, LbSubsetConfig, LbSubsetSelector,
    LocalityEndpoints, PanicThreshold, SubsetFallback, TransportSocketMatch,
};
use crate::config::limit::{CircuitBreakers, Thresholds};
use crate::config::metadata::{Metadata, Struct, ValueKind};

/// Metadata by which Envoy chooses endpoints.
pub(crate) const SUBSET: &str = "envoy.lb";
/// Its key.
pub(crate) const LEAF: &str = "leaf";
/// Metadata by which Envoy chooses how to speak to an endpoint.
pub(crate) const SOCKET: &str = "envoy.transport_socket_match";
/// Its key.
const PEER: &str = "peer";

/// The joint clusters of a service port: one, unless its pods cannot be in one.
#[derive(Debug, Default)]
pub(super) struct Joint {
    clusters: BTreeMap<(&'static str, usize), Members>,
}

#[derive(Debug, Default)]
struct Members {
    endpoints: BTreeMap<SocketAddr, Member>,
    peers: BTreeMap<String, Peer>,
    directly: bool,
}

/// The leaves an endpoint is of, and the name of its peer.
#[derive(Debug, Default)]
struct Member {
    leaves: BTreeSet<String>,
    peer: Option<String>,
}

impl Members {
    /// Envoy takes an address once, so it can be spoken to in one way only.
    fn fits(&self, way: &Way) -> bool {
        let peer = way.peer.as_ref().map(|p| &p.name);
        way.endpoints.iter().all(|e| self.endpoints.get(e).is_none_or(|member| member.peer.as_ref() == peer))
    }
}

impl Joint {
    /// Adds a leaf; gives the name of its cluster, and what a leg says to mean it.
    pub(super) fn add(
        &mut self,
        at: &At<'_>,
        leaf: &Leaf<'_>,
        spoken: &'static str,
        way: Way,
    ) -> (String, Metadata) {
        let mut number = 0;
        while self.clusters.get(&(spoken, number)).is_some_and(|members| !members.fits(&way)) {
            number += 1;
        }
        let members = self.clusters.entry((spoken, number)).or_default();
        let leaf = leaf.name(spoken);
        let peer = way.peer.as_ref().map(|p| p.name.clone());
        for endpoint in way.endpoints {
            let member = members.endpoints.entry(endpoint).or_default();
            member.leaves.insert(leaf.clone());
            member.peer.clone_from(&peer);
        }
        members.directly = way.directly;
        members.peers.extend(way.peer.map(|p| (p.name.clone(), p)));
        (cluster_name(at, spoken, number), metadata([(SUBSET, LEAF, ValueKind::String(leaf))]))
    }
}

fn cluster_name(at: &At<'_>, spoken: &str, number: usize) -> String {
    let (port, number) = (at.number.to_string(), number.to_string());
    // Five parts; leaves have four or six.
    name::join(&[at.name.namespace.as_str(), at.name.name.as_str(), &port, spoken, &number])
}

fn metadata<const N: usize>(entries: [(&str, &str, ValueKind); N]) -> Metadata {
    let entry = |(filter, key, value): (&str, &str, ValueKind)| (filter.to_owned(), Struct::of(key, value));
    Metadata { filter_metadata: entries.map(entry).into() }
}

impl Output<'_> {
    /// Whether a service port's settings ask for joint clusters.
    pub(super) fn joint(&self, at: &At<'_>) -> Option<Joint> {
        (at.port.policy.max_in_flight.is_some() || self.outliers(at).is_some()).then(Joint::default)
    }

    /// Adds the joint clusters of a service port.
    pub(super) fn joint_clusters(&mut self, at: &At<'_>, joint: Joint) {
        let policy = &at.port.policy;
        let mut origins = vec![&at.service.origin];
        origins.extend(policy.max_in_flight.as_ref().map(|(_, origin)| origin));
        origins.extend(policy.circuit_breaker.as_ref().map(|(_, origin)| origin));
        if let Some(origin) = origins.last().filter(|_| joint.clusters.len() > 1) {
            let message = "pods that are spoken to in several ways are counted apart";
            self.find(codes::APPROXIMATED, origin, message);
        }
        for ((spoken, number), members) in joint.clusters {
            self.joint_cluster(at, cluster_name(at, spoken, number), spoken, members, &origins);
        }
    }

    /// Adds the cluster of all pods of a pool that requests of a service port are mirrored to; `None`: it has none that can be reached.
    pub(super) fn mirror_cluster(&mut self, at: &At<'_>, pool: &PoolKey, joint: Joint) -> Option<String> {
        let origins: Vec<&Origin> = at.port.policy.mirror.iter().map(|(_, origin)| origin).collect();
        if let (Some(origin), true) = (origins.first(), joint.clusters.len() > 1) {
            self.find(
                codes::APPROXIMATED,
                origin,
                "of pods that are spoken to in several ways, some get no copies",
            );
        }
        let ((spoken, _), members) = joint.clusters.into_iter().next()?;
        let (own, port) = (at.number.to_string(), pool.port.to_string());
        // Seven parts; leaves have four or six, joint clusters five.
        let name = name::join(&[
            at.name.namespace.as_str(),
            at.name.name.as_str(),
            &own,
            spoken,
            "mirror",
            pool.service.name.as_str(),
            &port,
        ]);
        let mut cluster = self.cluster_of(&name, spoken, &members);
        // A copy goes to any of them.
        cluster.lb_subset_config = None;
        let assignment = assignment(&name, members.endpoints);
        self.add_cluster(cluster, assignment, origins);
        Some(name)
    }

    fn joint_cluster(
        &mut self,
        at: &At<'_>,
        name: String,
        spoken: &str,
        members: Members,
        origins: &[&Origin],
    ) {
        let policy = &at.port.policy;
        let mut cluster = self.cluster_of(&name, spoken, &members);
        if let Some((most, _)) = policy.max_in_flight {
            let thresholds = Thresholds { max_requests: Some(most), ..leaf::unlimited() };
            cluster.circuit_breakers = Some(CircuitBreakers { thresholds: vec![thresholds] });
        }
        cluster.outlier_detection = self.outliers(at);
        // With Envoy's default, all endpoints are used again once half of them are out.
        cluster.common_lb_config =
            Some(CommonLbConfig { healthy_panic_threshold: Some(PanicThreshold { value: 0.0 }) });
        let assignment = assignment(&name, members.endpoints);
        self.add_cluster(cluster, assignment, origins.iter().copied());
    }
}

impl Output<'_> {
    fn cluster_of(&self, name: &str, spoken: &str, members: &Members) -> Cluster {
        let mut cluster = leaf::cluster(name, leaf::versions(spoken, members.directly));
        cluster.lb_subset_config = Some(LbSubsetConfig {
            fallback_policy: SubsetFallback::NoFallback.into(),
            subset_selectors: vec![LbSubsetSelector { keys: vec![LEAF.to_owned()] }],
            list_as_any: true,
        });
        let own = self.own.as_ref().filter(|_| !members.directly);
        cluster.upstream_bind_config = own.and_then(|own| own.source(members.endpoints.keys()));
        if spoken == "https" {
            // For endpoints that match none of those below, of which there are none; Envoy wants to see that they can agree on HTTP/2.
            cluster.transport_socket = members.peers.values().next().map(|peer| peer.socket.clone());
        }
        cluster.transport_socket_matches = members
            .peers
            .values()
            .map(|peer| TransportSocketMatch {
                r#match: Some(Struct::of(PEER, ValueKind::String(peer.name.clone()))),
                name: peer.name.clone(),
                transport_socket: Some(peer.socket.clone()),
            })
            .collect();
        cluster
    }
}

fn assignment(name: &str, members: BTreeMap<SocketAddr, Member>) -> ClusterLoadAssignment {
    let endpoint = |(address, member): (SocketAddr, Member)| {
        let mut said = metadata([(SUBSET, LEAF, ValueKind::list(member.leaves))]);
        if let Some(peer) = member.peer {
            said.filter_metadata.insert(SOCKET.to_owned(), Struct::of(PEER, ValueKind::String(peer)));
        }
        LbEndpoint {
            endpoint: Some(Endpoint { address: Some(Address::new(address, Protocol::Tcp)) }),
            metadata: Some(said),
            load_balancing_weight: None,
        }
    };
    let lb_endpoints: Vec<LbEndpoint> = members.into_iter().map(endpoint).collect();
    let endpoints =
        if lb_endpoints.is_empty() { Vec::new() } else { vec![LocalityEndpoints { lb_endpoints }] };
    ClusterLoadAssignment { cluster_name: name.to_owned(), endpoints }
}

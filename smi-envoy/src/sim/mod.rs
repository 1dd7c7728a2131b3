//! Decides requests on rendered configurations as Envoy would: listeners, virtual hosts, routes, weighted clusters, access filters, TLS.
//!
//! Shape: [`Simulator`] holds a node proxy's resources, [`Sidecars`] those of every pod's sidecar; the IR tells which pods a cluster is.
//! Both read the configuration alone, without a look at what the policy meant, so that a renderer's mistake shows.
//! Absent: retries, limits and timeouts, which do not change where a request may go; what Envoy refuses before it looks at the
//! configuration (unknown methods, malformed requests).
//!
//! - `http`: what the connection manager makes of a request · `matching`: routes and policies · `tls`: handshakes · `node`, `sidecar`: the two shapes

mod http;
mod matching;
mod node;
mod sidecar;
mod tls;

pub use node::Simulator;
pub use sidecar::Sidecars;
pub use tls::{Certificate, ClientTls, Hello};

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use smi_core::ir::{Ir, ListenerKey, PoolKey, WorkloadId};

use crate::config::address::CidrRange;
use crate::config::cluster::{Cluster, LbEndpoint};
use crate::config::listener::Listener;
use crate::config::metadata::{Metadata, Struct, ValueKind};
use crate::config::tls::TransportSocket;
use crate::render;
use crate::resources::Resources;

/// Which endpoints a cluster of one leaf has.
type Leaves = BTreeMap<String, (PoolKey, Option<WorkloadId>)>;

fn leaves(ir: &Ir) -> Leaves {
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
    leaves
}

/// The listener at the port that the port table gives.
fn listener<'a>(resources: &'a Resources, ir: &Ir, key: &ListenerKey) -> Option<&'a Listener> {
    let port = ir.listeners.entries.get(key)?.get();
    let udp = matches!(key, ListenerKey::Udp(..));
    resources.listeners.values().find(|listener| {
        let at = listener.address.as_ref().and_then(|a| a.socket());
        at.is_some_and(|at| at.port() == port) && listener.udp_listener_config.is_some() == udp
    })
}

/// Where a share goes: a cluster, or the subset of it that the leg's metadata names.
#[derive(Clone, Debug)]
struct Leg {
    cluster: String,
    metadata: Option<Metadata>,
}

impl Leg {
    fn to(cluster: String) -> Self {
        Self { cluster, metadata: None }
    }

    /// The leaf that is meant: one of a joint cluster, or the cluster itself.
    fn leaf<'l>(&'l self, resources: &Resources) -> &'l str {
        let subsets = resources.clusters.get(&self.cluster).and_then(|c| c.lb_subset_config.as_ref());
        // Without subsets, what a leg names is ignored.
        let named = named(self.metadata.as_ref()).first().copied().filter(|_| subsets.is_some());
        named.unwrap_or(&self.cluster)
    }

    /// The endpoints.
    fn members<'r>(&self, resources: &'r Resources) -> Vec<Member<'r>> {
        let Some(cluster) = resources.clusters.get(&self.cluster) else { return Vec::new() };
        let leaf = self.leaf(resources);
        let assignment = resources.endpoints.get(&cluster.name);
        let listed = assignment.into_iter().flat_map(|a| &a.endpoints).flat_map(|l| &l.lb_endpoints);
        let meant = listed.filter(|e| leaf == self.cluster || named(e.metadata.as_ref()).contains(&leaf));
        let one = |e: &'r LbEndpoint| {
            let at = e.endpoint.as_ref()?.address.as_ref()?.socket()?;
            Some(Member { at, weight: e.load_balancing_weight.unwrap_or(1), socket: socket(cluster, e) })
        };
        meant.filter_map(one).collect()
    }
}

/// An endpoint, its weight, and how it is spoken to.
struct Member<'r> {
    at: SocketAddr,
    weight: u32,
    socket: Option<&'r TransportSocket>,
}

/// The first socket that fits what the endpoint says of itself; otherwise the cluster's.
fn socket<'r>(cluster: &'r Cluster, endpoint: &LbEndpoint) -> Option<&'r TransportSocket> {
    let said = endpoint.metadata.as_ref().and_then(|m| m.filter_metadata.get(render::SOCKET));
    let fits = |wanted: &Struct| {
        wanted.fields.iter().all(|(key, value)| said.and_then(|s| s.fields.get(key)) == Some(value))
    };
    let matched = cluster.transport_socket_matches.iter().find(|m| m.r#match.as_ref().is_some_and(fits));
    matched.map_or(cluster.transport_socket.as_ref(), |m| m.transport_socket.as_ref())
}

/// The leaves that metadata names.
fn named(metadata: Option<&Metadata>) -> Vec<&str> {
    let named =
        metadata.and_then(|m| m.filter_metadata.get(render::SUBSET)?.fields.get(render::LEAF)?.kind.as_ref());
    named.map(ValueKind::texts).unwrap_or_default()
}

/// Whether an address lies in a range. Only ranges of one address are rendered; any other is taken for empty, which shows as a refusal.
fn contains(range: &CidrRange, address: IpAddr) -> bool {
    *range == CidrRange::host(address)
}

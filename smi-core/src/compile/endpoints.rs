//! Services → pools: the endpoints of every service port (S20, S29).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::cluster::{
    Cluster, EndpointAddress, EndpointSet, Labels, Pod as ClusterPod, PodId, PortProtocol, Service,
    ServicePort, TargetPort,
};
use crate::hub::names::{Namespace, Namespaced, Port, Transport};
use crate::ir::{Endpoint, Pod, Pool, PoolKey};

/// Transport of a service port; `None` for SCTP.
pub(super) fn transport(protocol: PortProtocol) -> Option<Transport> {
    match protocol {
        PortProtocol::Tcp => Some(Transport::Tcp),
        PortProtocol::Udp => Some(Transport::Udp),
        PortProtocol::Sctp => None,
    }
}

/// Pods of one namespace that have the same labels.
struct Alike<'c> {
    labels: &'c Labels,
    pods: Vec<(&'c PodId, &'c ClusterPod)>,
}

/// A label in its namespace.
type Label<'c> = (&'c Namespace, &'c Arc<str>, &'c Arc<str>);

/// The endpoints of a slice, and whose each address is.
type Owned<'c> = (&'c EndpointSet, Vec<Option<Owner<'c>>>);

/// Pods by namespace and label. Selectors look at sets of labels, of which there are far fewer than pods.
struct Index<'c> {
    alike: Vec<Alike<'c>>,
    /// Places in `alike`.
    by_label: BTreeMap<Label<'c>, Vec<usize>>,
}

impl<'c> Index<'c> {
    fn new(cluster: &'c Cluster) -> Self {
        let mut alike: Vec<Alike<'c>> = Vec::new();
        let mut places: BTreeMap<(&Namespace, &Labels), usize> = BTreeMap::new();
        let mut last: Option<(&Namespace, &Labels, usize)> = None;
        for (id, pod) in cluster.pods.iter().filter(|(_, pod)| pod.alive) {
            let namespace = &id.name.namespace;
            let place = match last {
                Some((n, l, place)) if l.is_same(&pod.labels) && n == namespace => place,
                _ => *places.entry((namespace, &pod.labels)).or_insert_with(|| {
                    alike.push(Alike { labels: &pod.labels, pods: Vec::new() });
                    alike.len() - 1
                }),
            };
            last = Some((namespace, &pod.labels, place));
            if let Some(alike) = alike.get_mut(place) {
                alike.pods.push((id, pod));
            }
        }
        let mut by_label: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for ((namespace, labels), place) in places {
            for (key, value) in labels.iter() {
                by_label.entry((namespace, key, value)).or_default().push(place);
            }
        }
        Self { alike, by_label }
    }

    /// The pods that a Service selects, by name; a Service without selector selects none.
    fn selected(&self, name: &'c Namespaced, service: &'c Service) -> Vec<(&'c PodId, &'c ClusterPod)> {
        let candidates = service
            .selector
            .iter()
            .map(|(key, value)| {
                self.by_label.get(&(&name.namespace, key, value)).map(Vec::as_slice).unwrap_or_default()
            })
            .min_by_key(|places| places.len())
            .unwrap_or_default();
        let mut out = Vec::new();
        for alike in candidates.iter().filter_map(|place| self.alike.get(*place)) {
            if alike.labels.fit(&service.selector) {
                out.extend_from_slice(&alike.pods);
            }
        }
        out.sort_by(|a, b| a.0.cmp(b.0));
        out
    }
}

pub(super) fn pools(
    cluster: &Cluster,
    pods: &BTreeMap<PodId, Pod>,
    callers: &BTreeMap<IpAddr, PodId>,
    shared: &BTreeSet<IpAddr>,
) -> BTreeMap<PoolKey, Pool> {
    let index = Index::new(cluster);
    let mut out = Vec::new();
    for (name, service) in &cluster.services {
        let selected = index.selected(name, service);
        // Whose the addresses are does not depend on the port.
        let sets: Option<Vec<Owned<'_>>> = cluster.endpoints.get(name).map(|sets| {
            let owners =
                |set: &EndpointSet| set.endpoints.iter().map(|e| owner(e, pods, callers, shared)).collect();
            sets.iter().map(|set| (set, owners(set))).collect()
        });
        for port in &service.ports {
            let Some(transport) = transport(port.protocol) else { continue };
            let mut pool = match &sets {
                Some(sets) => {
                    let matching = sets.iter().flat_map(|(set, owners)| {
                        let ports =
                            set.ports.iter().filter(|p| p.name == port.name && p.protocol == port.protocol);
                        ports.flat_map(move |p| {
                            set.endpoints.iter().zip(owners).map(move |(e, o)| (e, *o, p.port))
                        })
                    });
                    listed(matching)
                }
                None => of_pods(&selected, port, pods),
            };
            pool.templates = templates(&selected, port, pods);
            out.push((PoolKey { service: name.clone(), port: port.port, transport }, pool));
        }
    }
    out.into_iter().collect()
}

/// The number behind a target port at a pod; `None` when the pod has no port of that name.
pub(crate) fn target_port(port: &ServicePort, pod: &ClusterPod) -> Option<Port> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => {
            pod.ports.iter().find(|p| p.name == *name && p.protocol == port.protocol).map(|p| p.port)
        }
    }
}

/// Endpoints of EndpointSlices or Endpoints.
fn listed<'c>(endpoints: impl Iterator<Item = (&'c EndpointAddress, Option<Owner<'c>>, Port)>) -> Pool {
    let mut listed: Vec<Endpoint> = Vec::with_capacity(endpoints.size_hint().0);
    for (endpoint, pod, port) in endpoints {
        listed.push(Endpoint {
            address: SocketAddr::new(endpoint.address, port.get()),
            ready: endpoint.ready,
            workload: pod.map(|(_, pod)| pod.workload.clone()),
            pod: pod.map(|(id, _)| id.clone()),
            node: endpoint.node.clone(),
            zone: endpoint.zone.clone(),
        });
    }
    listed.sort_by_key(|e| e.address);
    listed.dedup_by(|again, first| {
        let same = again.address == first.address;
        first.ready |= same && again.ready;
        // Said to be of two kinds of pods: nobody's, as no grant of either may hold for the other.
        if same && again.workload != first.workload {
            (first.workload, first.pod) = (None, None);
        }
        same
    });
    // SPEC: S15. Weights are of pods, so a pod that is listed in both families of addresses counts once, in IPv4. Test:
    // s15_a_dual_stack_pod_counts_once.
    if listed.iter().any(|e| e.address.is_ipv6()) {
        let in_v4: BTreeSet<PodId> =
            listed.iter().filter(|e| e.address.is_ipv4()).filter_map(|e| e.pod.clone()).collect();
        listed.retain(|e| e.address.is_ipv4() || e.pod.as_ref().is_none_or(|pod| !in_v4.contains(pod)));
    }
    listed.shrink_to_fit();
    Pool { endpoints: listed, templates: Vec::new() }
}

type Owner<'p> = (&'p PodId, &'p Pod);

/// The pod behind an address. What an EndpointSlice says counts only if the pod has that address, or none that is known while no other
/// pod has this one.
// SPEC: S30. Who may write EndpointSlices in one namespace could otherwise name a pod of his own for another's address, and so be
// authorised by his own grants. Test: s30_an_endpoint_slice_cannot_lend_a_pods_identity.
fn owner<'p>(
    endpoint: &EndpointAddress,
    pods: &'p BTreeMap<PodId, Pod>,
    callers: &'p BTreeMap<IpAddr, PodId>,
    shared: &BTreeSet<IpAddr>,
) -> Option<Owner<'p>> {
    // Nearly always the pod that has the address is the one that is meant, and no other needs to be looked for.
    let caller = callers.get(&endpoint.address);
    if let Some(name) = endpoint.pod.as_ref().filter(|name| caller.is_none_or(|id| id.name != **name))
        && let Some((id, pod)) = pods.get_key_value(&PodId::pod(name.clone()))
        && (pod.addresses.contains(&endpoint.address)
            || (pod.addresses.is_empty() && caller.is_none() && !shared.contains(&endpoint.address)))
    {
        return Some((id, pod));
    }
    caller.and_then(|id| pods.get_key_value(id))
}

/// Endpoints of the pods that a Service selects, for input that lists pods but no endpoints.
fn of_pods(selected: &[(&PodId, &ClusterPod)], port: &ServicePort, pods: &BTreeMap<PodId, Pod>) -> Pool {
    let mut by_address: BTreeMap<SocketAddr, Endpoint> = BTreeMap::new();
    for (id, pod) in selected {
        let (Some(number), Some(address)) = (target_port(port, pod), pod.addresses.first()) else { continue };
        let address = SocketAddr::new(*address, number.get());
        let endpoint = Endpoint {
            address,
            ready: pod.ready,
            pod: Some((*id).clone()),
            workload: pods.get(*id).map(|p| p.workload.clone()),
            node: pod.node.clone(),
            zone: None,
        };
        match by_address.entry(address) {
            Entry::Vacant(place) => {
                place.insert(endpoint);
            }
            Entry::Occupied(mut place) => {
                let first = place.get_mut();
                first.ready |= endpoint.ready;
                if first.workload != endpoint.workload {
                    (first.workload, first.pod) = (None, None);
                }
            }
        }
    }
    Pool { endpoints: by_address.into_values().collect(), templates: Vec::new() }
}

fn templates(
    selected: &[(&PodId, &ClusterPod)],
    port: &ServicePort,
    pods: &BTreeMap<PodId, Pod>,
) -> Vec<(crate::ir::WorkloadId, Port)> {
    let mut out: Vec<_> = selected
        .iter()
        .filter(|(id, _)| id.template_of.is_some())
        .filter_map(|(id, pod)| Some((pods.get(*id)?.workload.clone(), target_port(port, pod)?)))
        .collect();
    out.sort();
    out.dedup();
    out
}

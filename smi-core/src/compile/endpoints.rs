//! Services → pools: the endpoints of every service port (S20, S29).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::cluster::{
    Cluster, EndpointAddress, Pod as ClusterPod, PodId, PortProtocol, Service, ServicePort, TargetPort,
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

type Label<'a> = (&'a Namespace, &'a Arc<str>, &'a Arc<str>);

pub(super) fn pools(
    cluster: &Cluster,
    pods: &BTreeMap<PodId, Pod>,
    callers: &BTreeMap<IpAddr, PodId>,
) -> BTreeMap<PoolKey, Pool> {
    let index = index_of_labels(cluster);
    let mut out = BTreeMap::new();
    for (name, service) in &cluster.services {
        let selected = selected(cluster, &index, name, service);
        for port in &service.ports {
            let Some(transport) = transport(port.protocol) else { continue };
            let mut pool = match cluster.endpoints.get(name) {
                Some(sets) => {
                    let matching = sets.iter().flat_map(|set| {
                        let ports =
                            set.ports.iter().filter(|p| p.name == port.name && p.protocol == port.protocol);
                        ports.flat_map(move |p| set.endpoints.iter().map(move |e| (e, p.port)))
                    });
                    listed(matching, pods, callers)
                }
                None => of_pods(&selected, port, pods),
            };
            pool.templates = templates(&selected, port, pods);
            out.insert(PoolKey { service: name.clone(), port: port.port, transport }, pool);
        }
    }
    out
}

/// Pods by label, so that a selector looks at few of them.
fn index_of_labels(cluster: &Cluster) -> BTreeMap<Label<'_>, Vec<&PodId>> {
    let wanted: std::collections::BTreeSet<Label<'_>> = cluster
        .services
        .iter()
        .flat_map(|(name, service)| {
            service.selector.iter().map(move |(key, value)| (&name.namespace, key, value))
        })
        .collect();
    let mut index: BTreeMap<Label<'_>, Vec<&PodId>> = BTreeMap::new();
    for (id, pod) in &cluster.pods {
        for (key, value) in &pod.labels {
            let label = (&id.name.namespace, key, value);
            if wanted.contains(&label) {
                index.entry(label).or_default().push(id);
            }
        }
    }
    index
}

fn selected<'c>(
    cluster: &'c Cluster,
    index: &BTreeMap<Label<'c>, Vec<&'c PodId>>,
    name: &'c Namespaced,
    service: &'c Service,
) -> Vec<(&'c PodId, &'c ClusterPod)> {
    let candidates = service
        .selector
        .iter()
        .map(|(key, value)| index.get(&(&name.namespace, key, value)).map(Vec::as_slice).unwrap_or_default())
        .min_by_key(|pods| pods.len())
        .unwrap_or_default();
    candidates
        .iter()
        .filter_map(|id| Some((*id, cluster.pods.get(*id)?)))
        .filter(|(_, pod)| pod.alive && service.selector.iter().all(|(k, v)| pod.labels.get(k) == Some(v)))
        .collect()
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
fn listed<'c>(
    endpoints: impl Iterator<Item = (&'c EndpointAddress, Port)>,
    pods: &BTreeMap<PodId, Pod>,
    callers: &BTreeMap<IpAddr, PodId>,
) -> Pool {
    let mut by_address: BTreeMap<SocketAddr, Endpoint> = BTreeMap::new();
    for (endpoint, port) in endpoints {
        let address = SocketAddr::new(endpoint.address, port.get());
        let pod = owner(endpoint, pods, callers);
        let entry = by_address.entry(address).or_insert_with(|| Endpoint {
            address,
            ready: false,
            workload: pod.and_then(|id| pods.get(id)).map(|p| p.workload.clone()),
            pod: pod.cloned(),
            node: endpoint.node.clone(),
            zone: endpoint.zone.clone(),
        });
        entry.ready |= endpoint.ready;
    }
    // SPEC: S15. Weights are of pods, so a pod that is listed in both families of addresses counts once, in IPv4. Test:
    // s15_a_dual_stack_pod_counts_once.
    let in_v4: BTreeSet<PodId> =
        by_address.values().filter(|e| e.address.is_ipv4()).filter_map(|e| e.pod.clone()).collect();
    by_address
        .retain(|address, e| address.is_ipv4() || e.pod.as_ref().is_none_or(|pod| !in_v4.contains(pod)));
    Pool { endpoints: by_address.into_values().collect(), templates: Vec::new() }
}

/// The pod behind an address. What an EndpointSlice says counts only if the pod has that address, or none that is known.
fn owner<'p>(
    endpoint: &EndpointAddress,
    pods: &'p BTreeMap<PodId, Pod>,
    callers: &'p BTreeMap<IpAddr, PodId>,
) -> Option<&'p PodId> {
    if let Some(name) = &endpoint.pod {
        let id = PodId { name: name.clone(), template_of: None };
        if let Some((id, pod)) = pods.get_key_value(&id)
            && (pod.addresses.is_empty() || pod.addresses.contains(&endpoint.address))
        {
            return Some(id);
        }
    }
    callers.get(&endpoint.address)
}

/// Endpoints of the pods that a Service selects, for input that lists pods but no endpoints.
fn of_pods(selected: &[(&PodId, &ClusterPod)], port: &ServicePort, pods: &BTreeMap<PodId, Pod>) -> Pool {
    let mut by_address: BTreeMap<SocketAddr, Endpoint> = BTreeMap::new();
    for (id, pod) in selected {
        let (Some(number), Some(address)) = (target_port(port, pod), pod.addresses.first()) else { continue };
        let address = SocketAddr::new(*address, number.get());
        by_address.insert(
            address,
            Endpoint {
                address,
                ready: pod.ready,
                pod: Some((*id).clone()),
                workload: pods.get(*id).map(|p| p.workload.clone()),
                node: pod.node.clone(),
                zone: None,
            },
        );
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

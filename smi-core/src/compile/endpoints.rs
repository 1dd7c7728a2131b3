//! Services → pools: the endpoints of every service port (S20, S29).

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::workloads::{Living, Workloads};
use super::{CompileOptions, MeshMode};
use crate::cluster::{
    Cluster, ContainerPort, EndpointAddress, EndpointPort, EndpointSet, Labels, Pod as ClusterPod, PodId,
    PortProtocol, Service, ServicePort, TargetPort,
};
use crate::hub::names::{Namespace, Namespaced, Port, Transport};
use crate::ir::{Endpoint, Mode, Pool, PoolKey, WorkloadId};

/// Transport of a service port; `None` for SCTP.
pub(super) fn transport(protocol: PortProtocol) -> Option<Transport> {
    match protocol {
        PortProtocol::Tcp => Some(Transport::Tcp),
        PortProtocol::Udp => Some(Transport::Udp),
        PortProtocol::Sctp => None,
    }
}

/// Pods of one namespace that follow each other and have the same labels.
struct Alike<'p, 'c> {
    labels: &'c Labels,
    pods: &'p [Living<'c>],
}

/// A label in its namespace.
type Label<'c> = (&'c Namespace, &'c Arc<str>, &'c Arc<str>);

/// Pods by namespace and label. Selectors look at sets of labels, of which there are far fewer than pods.
struct Index<'p, 'c> {
    alike: Vec<Alike<'p, 'c>>,
    /// Places in `alike`.
    by_label: HashMap<Label<'c>, Vec<usize>>,
}

impl<'p, 'c> Index<'p, 'c> {
    fn new(pods: &'p [Living<'c>]) -> Self {
        let mut alike: Vec<Alike<'p, 'c>> = Vec::new();
        let mut by_label: HashMap<Label<'c>, Vec<usize>> = HashMap::new();
        let same = |a: &Living<'_>, b: &Living<'_>| {
            a.pod.spec.labels.is_same(&b.pod.spec.labels) && a.id.name.namespace == b.id.name.namespace
        };
        for pods in pods.chunk_by(same) {
            let [first, ..] = pods else { continue };
            let labels = &first.pod.spec.labels;
            for (key, value) in labels.iter() {
                by_label.entry((&first.id.name.namespace, key, value)).or_default().push(alike.len());
            }
            alike.push(Alike { labels, pods });
        }
        Self { alike, by_label }
    }

    /// The pods that a Service selects, by id; a Service without selector selects none.
    fn selected(&self, name: &'c Namespaced, service: &'c Service) -> Vec<&'p Living<'c>> {
        let candidates = service
            .selector
            .iter()
            .map(|(key, value)| {
                self.by_label.get(&(&name.namespace, key, value)).map(Vec::as_slice).unwrap_or_default()
            })
            .min_by_key(|places| places.len())
            .unwrap_or_default();
        let mut out = Vec::new();
        // Places, and pods in each of them, are in the order of ids.
        for alike in candidates.iter().filter_map(|place| self.alike.get(*place)) {
            if alike.labels.fit(service.selector.iter()) {
                out.extend(alike.pods);
            }
        }
        out
    }
}

/// As many pods are looked at one by one; further ones are searched for.
const FEW: usize = 32;

/// The endpoints of a slice, and whose each address is.
type Owned<'p, 'c> = (&'c EndpointSet, Vec<Option<&'p Living<'c>>>);

pub(super) fn pools(
    cluster: &Cluster,
    workloads: &Workloads<'_>,
    options: &CompileOptions,
) -> BTreeMap<PoolKey, Pool> {
    let index = Index::new(&workloads.pods);
    let mut out = Vec::new();
    for (name, service) in &cluster.services {
        let selected = index.selected(name, service);
        // Whose the addresses are does not depend on the port.
        let sets: Option<Vec<Owned<'_, '_>>> = cluster.endpoints.get(name).map(|sets| {
            let owners =
                |set: &EndpointSet| set.endpoints.iter().map(|e| owner(e, &selected, workloads)).collect();
            sets.iter().map(|set| (set, owners(set))).collect()
        });
        let closing = !workloads.shared.is_empty()
            && options.mode.of(cluster, &name.namespace) == Mode::Permissive
            && options.mode != MeshMode::Permissive;
        for port in &service.ports {
            let Some(transport) = transport(port.protocol) else { continue };
            let endpoints = match &sets {
                Some(sets) => listed(sets, port, workloads),
                None => of_pods(&selected, port, workloads),
            };
            let endpoints = if closing { closed(endpoints, cluster, workloads, options) } else { endpoints };
            let pool = Pool { endpoints, templates: templates(&selected, port) };
            out.push((PoolKey { service: name.clone(), port: port.port, transport }, pool));
        }
    }
    out.into_iter().collect()
}

/// The number behind a target port at a pod; `None` when the pod has no port of that name.
fn target_port(port: &ServicePort, pod: &ClusterPod) -> Option<Port> {
    match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => {
            let named = |p: &&ContainerPort| p.name == *name && p.protocol == port.protocol;
            pod.spec.ports.iter().find(named).map(|p| p.port)
        }
    }
}

/// Endpoints of EndpointSlices or Endpoints.
fn listed(sets: &[Owned<'_, '_>], port: &ServicePort, workloads: &Workloads<'_>) -> Vec<Endpoint> {
    let mut out: Vec<Endpoint> = Vec::new();
    let in_v4 = listed_in_v4(sets, port);
    for (set, owners) in sets {
        for number in set.ports.iter().filter(|p| is_of(p, port)) {
            out.reserve_exact(set.endpoints.len());
            let again = |(endpoint, owner): &(&EndpointAddress, &Option<&Living<'_>>)| {
                endpoint.address.is_ipv6() && owner.is_some_and(|living| in_v4.contains(living.id))
            };
            let listed = set.endpoints.iter().zip(owners).filter(|listed| !again(listed));
            out.extend(listed.map(|(endpoint, owner)| {
                let owner = owner.filter(|living| {
                    workloads.is_behind(living, endpoint.address, number.port, port.protocol)
                });
                Endpoint {
                    address: endpoint.address,
                    port: number.port,
                    ready: endpoint.ready,
                    workload: owner.map(|living| living.workload.clone()),
                    pod: owner.map(|living| living.id.clone()),
                    locality: endpoint.locality.clone(),
                }
            }));
        }
    }
    let key = |e: &Endpoint| (e.address, e.port);
    // A single slice is in order already.
    if !out.is_sorted_by(|a, b| key(a) < key(b)) {
        out.sort_by_key(key);
        out.dedup_by(|again, first| {
            let same = key(again) == key(first);
            if same {
                first.merge(again);
            }
            same
        });
    }
    out.shrink_to_fit();
    out
}

/// Whether a port of a set is what a service port leads to.
fn is_of(listed: &EndpointPort, port: &ServicePort) -> bool {
    listed.name == port.name && listed.protocol == port.protocol
}

/// Pods that are listed in IPv4, if any endpoint is in IPv6.
// SPEC: S15. Weights are of pods, so a pod that is listed in both families of addresses counts once, in IPv4, also where that address is
// not its alone. Test: s15_a_dual_stack_pod_counts_once.
fn listed_in_v4<'c>(sets: &[Owned<'_, 'c>], port: &ServicePort) -> BTreeSet<&'c PodId> {
    let all = || {
        let of_port = sets.iter().filter(|(set, _)| set.ports.iter().any(|p| is_of(p, port)));
        of_port.flat_map(|(set, owners)| set.endpoints.iter().zip(owners))
    };
    if !all().any(|(endpoint, _)| endpoint.address.is_ipv6()) {
        return BTreeSet::new();
    }
    all().filter(|(e, _)| e.address.is_ipv4()).filter_map(|(_, owner)| Some(owner.as_ref()?.id)).collect()
}

impl Endpoint {
    /// Takes in another mention of the same address and port.
    fn merge(&mut self, again: &Self) {
        self.ready |= again.ready;
        // Said to be of two kinds of pods: nobody's, as no grant of either may hold for the other.
        if self.workload != again.workload {
            (self.workload, self.pod) = (None, None);
        }
    }
}

/// The pod behind an address. What an EndpointSlice says counts only if the pod has that address, or none that is known while no other
/// pod has this one.
// SPEC: S30. Who may write EndpointSlices in one namespace could otherwise name a pod of his own for another's address, and so be
// authorised by his own grants. Test: s30_an_endpoint_slice_cannot_lend_a_pods_identity.
fn owner<'p, 'c>(
    endpoint: &EndpointAddress,
    selected: &[&'p Living<'c>],
    workloads: &'p Workloads<'c>,
) -> Option<&'p Living<'c>> {
    let all = &workloads.pods;
    let named = endpoint.pod.as_ref().and_then(|id| {
        // Nearly always one of those that the Service selects, which mostly are few and known without a look at their names.
        if let Some(same) = selected.iter().take(FEW).find(|living| living.id.is_same(id)) {
            return Some(*same);
        }
        match selected.binary_search_by(|living| living.id.cmp(id)) {
            Ok(place) => selected.get(place).copied(),
            Err(_) => all.binary_search_by(|living| living.id.cmp(id)).ok().and_then(|place| all.get(place)),
        }
    });
    if named.is_some_and(|living| living.pod.addresses.contains(&endpoint.address)) {
        return named;
    }
    let callers = &workloads.callers;
    match callers.binary_search_by_key(&endpoint.address, |(address, _)| *address) {
        Ok(place) => callers.get(place).and_then(|(_, place)| all.get(*place)),
        Err(_) if workloads.shared.contains_key(&endpoint.address) => None,
        Err(_) => named.filter(|living| living.pod.addresses.is_empty()),
    }
}

/// Endpoints of the pods that a Service selects, for input that lists pods but no endpoints.
fn of_pods(selected: &[&Living<'_>], port: &ServicePort, workloads: &Workloads<'_>) -> Vec<Endpoint> {
    let mut by_address: BTreeMap<(IpAddr, Port), Endpoint> = BTreeMap::new();
    for living in selected {
        let pod = living.pod;
        let (Some(number), Some(address)) = (target_port(port, pod), pod.addresses.first()) else { continue };
        let owner =
            Some(living).filter(|living| workloads.is_behind(living, *address, number, port.protocol));
        let endpoint = Endpoint {
            address: *address,
            port: number,
            ready: pod.ready,
            pod: owner.map(|living| living.id.clone()),
            workload: owner.map(|living| living.workload.clone()),
            locality: pod.locality.clone(),
        };
        match by_address.entry((*address, number)) {
            Entry::Vacant(place) => {
                place.insert(endpoint);
            }
            Entry::Occupied(mut place) => place.get_mut().merge(&endpoint),
        }
    }
    by_address.into_values().collect()
}

impl Workloads<'_> {
    /// Whether a port of an address is a pod's that has this address.
    // SPEC: S29, S30. Who is behind a port of an address that several pods share, as pods do on their node's network, only their lists of
    // ports say: it is the one's that alone lists it. Otherwise grants for one of them would open the others. Test:
    // s29_a_shared_address_is_opened_by_the_ports_of_its_pods.
    fn is_behind(&self, living: &Living<'_>, address: IpAddr, number: Port, protocol: PortProtocol) -> bool {
        let lists =
            |pod: &ClusterPod| pod.spec.ports.iter().any(|p| p.port == number && p.protocol == protocol);
        self.shared.get(&address).is_none_or(|places| {
            let others =
                places.iter().filter_map(|place| self.pods.get(*place)).filter(|o| o.id != living.id);
            !places.is_empty() && lists(living.pod) && !others.into_iter().any(|other| lists(other.pod))
        })
    }
}

/// Endpoints of a service in a namespace that is not enforced, without those that may be pods of one that is.
// SPEC: S21. Where it cannot be told whose pods are behind an address, the strictest of their modes counts. Test:
// s21_an_address_that_may_be_of_an_enforced_namespace_is_closed.
fn closed(
    mut endpoints: Vec<Endpoint>,
    cluster: &Cluster,
    workloads: &Workloads<'_>,
    options: &CompileOptions,
) -> Vec<Endpoint> {
    let enforced = |living: &Living<'_>| options.mode.of(cluster, &living.id.name.namespace) == Mode::Enforce;
    for endpoint in endpoints.iter_mut().filter(|e| e.workload.is_none()) {
        if let Some(places) = workloads.shared.get(&endpoint.address) {
            let mut pods = places.iter().filter_map(|place| workloads.pods.get(*place));
            endpoint.ready &= !places.is_empty() && !pods.any(enforced);
        }
    }
    endpoints
}

fn templates(selected: &[&Living<'_>], port: &ServicePort) -> Vec<(WorkloadId, Port)> {
    let mut out: Vec<_> = selected
        .iter()
        .filter(|living| living.id.template_of.is_some())
        .filter_map(|living| Some((living.workload.clone(), target_port(port, living.pod)?)))
        .collect();
    out.sort();
    out.dedup();
    out
}

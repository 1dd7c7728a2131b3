//! [`ClusterObject`]s → [`Cluster`].

use std::collections::btree_map::{BTreeMap, Entry};
use std::net::IpAddr;
use std::sync::Arc;

use super::read::ClusterObject;
use super::shared::Shared;
use super::{Cluster, EndpointAddress, EndpointPort, EndpointSet, Pod, PodId, PortProtocol, Service, codes};
use crate::diag::{Diagnostic, FieldPath, Report};
use crate::hub::names::{Namespaced, Port, packed};

impl Cluster {
    /// A cluster of objects in any order.
    ///
    /// The same object twice counts once (lint, `SMI0507`); the same name with different content is an error, and none of them is taken
    /// (`SMI0508`), since the result would depend on the order.
    #[must_use]
    pub fn from_objects(objects: impl IntoIterator<Item = ClusterObject>) -> (Self, Report) {
        // Objects of one kind mostly come in the order of their names, so that sorting them is a walk.
        let mut by_kind: BTreeMap<(&str, &str), Vec<ClusterObject>> = BTreeMap::new();
        for object in objects {
            by_kind.entry(object.kind()).or_default().push(object);
        }
        let mut report = Report::new();
        let mut all = Collected::default();
        for mut objects in by_kind.into_values() {
            objects.sort_by(|a, b| a.name().cmp(&b.name()));
            let mut objects = objects.into_iter().peekable();
            while let Some(object) = objects.next() {
                let mut same = Vec::new();
                while let Some(other) = objects.next_if(|other| other.name() == object.name()) {
                    same.push(other);
                }
                if !same.is_empty() {
                    let name = object.object_ref();
                    let count = same.len() + 1;
                    if same.iter().any(|other| *other != object) {
                        let message =
                            format!("{count} objects of this name differ, so none of them is taken");
                        report.push(Diagnostic::new(codes::CONFLICT, &name, FieldPath::root(), message));
                        same.push(object);
                        same.into_iter().for_each(|object| all.cluster.insert_unclear(object));
                        continue;
                    }
                    let message = format!("{count} objects of this name have the same content");
                    report.push(Diagnostic::new(codes::REPEATED, &name, FieldPath::root(), message));
                }
                all.insert(object);
            }
        }
        (all.cluster(), report)
    }

    /// Keeps what has to be known of an object that is not taken.
    fn insert_unclear(&mut self, object: ClusterObject) {
        match object {
            ClusterObject::Namespace { name, .. } | ClusterObject::UnclearNamespace(name) => {
                self.unclear_namespaces.insert(name);
            }
            ClusterObject::Pod { pod: Pod { addresses, .. }, .. }
            | ClusterObject::UnclearPod { addresses, .. } => {
                self.unclear_addresses.extend(addresses.iter());
            }
            ClusterObject::Service(_)
            | ClusterObject::EndpointSlice { .. }
            | ClusterObject::Endpoints { .. }
            | ClusterObject::Account(_) => {}
        }
    }
}

/// Objects whose names no other of their kind has.
#[derive(Default)]
struct Collected {
    cluster: Cluster,
    services: Vec<(Namespaced, Service)>,
    pods: Vec<(PodId, Pod)>,
    from_endpoints: BTreeMap<Namespaced, Vec<EndpointSet>>,
    shared: Shared,
}

impl Collected {
    fn insert(&mut self, object: ClusterObject) {
        let Self { cluster, shared, .. } = self;
        match object {
            ClusterObject::Service(mut service) => {
                shared.service(&mut service);
                self.services.push((service.name.clone(), service));
            }
            ClusterObject::EndpointSlice { service, mut set, .. } => {
                if let Some(mut service) = service {
                    shared.name(&mut service);
                    shared.endpoints(&mut set);
                    cluster.endpoints.entry(service).or_default().push(set);
                }
            }
            ClusterObject::Endpoints { mut service, mut sets } => {
                shared.name(&mut service);
                sets.iter_mut().for_each(|set| shared.endpoints(set));
                self.from_endpoints.insert(service, sets);
            }
            ClusterObject::Pod { mut id, mut pod } => {
                shared.pod(&mut pod);
                shared.pod_id(&mut id);
                self.pods.push((id, pod));
            }
            ClusterObject::Account(name) => {
                cluster.accounts.insert(name);
            }
            ClusterObject::Namespace { name, labels } => {
                cluster.namespaces.insert(name, labels);
            }
            ClusterObject::UnclearNamespace(_) | ClusterObject::UnclearPod { .. } => {
                cluster.insert_unclear(object)
            }
        }
    }

    fn cluster(self) -> Cluster {
        let Self { mut cluster, services, pods, from_endpoints, .. } = self;
        for (service, sets) in from_endpoints {
            cluster.endpoints.entry(service).or_insert(sets);
        }
        for sets in cluster.endpoints.values_mut() {
            *sets = merge_endpoints(std::mem::take(sets));
        }
        cluster.endpoints = packed(cluster.endpoints);
        cluster.services = services.into_iter().collect();
        cluster.pods = pods.into_iter().collect();
        cluster
    }
}

type Ports = Vec<(Arc<str>, PortProtocol, Port)>;

/// Joins the sets that have the same ports, so that an address of several slices counts once; ready if any of them says so, and no pod's
/// if they name several.
///
/// Sets are ordered by their ports and addresses by number: neither the names of slices nor their order is seen in the result.
#[must_use]
pub fn merge_endpoints(sets: Vec<EndpointSet>) -> Vec<EndpointSet> {
    // SPEC: S30. Who is named twice is believed neither time, or a name that sorts last would decide. Test:
    // s30_an_address_of_two_pods_is_neither_s.
    type Named = (EndpointAddress, bool);
    let mut merged: BTreeMap<Ports, BTreeMap<IpAddr, Named>> = BTreeMap::new();
    for EndpointSet { ports, endpoints } in sets {
        let mut key: Ports = ports.into_iter().map(|p| (p.name, p.protocol, p.port)).collect();
        key.sort();
        key.dedup();
        let addresses = merged.entry(key).or_default();
        for endpoint in endpoints {
            match addresses.entry(endpoint.address) {
                Entry::Vacant(free) => drop(free.insert((endpoint, false))),
                Entry::Occupied(mut taken) => {
                    let (other, disputed) = taken.get_mut();
                    *disputed |= matches!((&other.pod, &endpoint.pod), (Some(a), Some(b)) if a != b);
                    if rank(other) < rank(&endpoint) {
                        *other = endpoint;
                    }
                }
            }
        }
    }
    let address = |(endpoint, disputed): Named| {
        let pod = endpoint.pod.filter(|_| !disputed);
        EndpointAddress { pod, ..endpoint }
    };
    let set = |(ports, addresses): (Ports, BTreeMap<IpAddr, Named>)| EndpointSet {
        ports: ports
            .into_iter()
            .map(|(name, protocol, port)| EndpointPort { name, protocol, port })
            .collect(),
        endpoints: addresses.into_values().map(address).collect(),
    };
    merged.into_iter().map(set).collect()
}

/// Which of two entries for one address is kept: the ready one, then one that says more.
fn rank(endpoint: &EndpointAddress) -> impl Ord + '_ {
    (endpoint.ready, &endpoint.pod, &endpoint.locality)
}

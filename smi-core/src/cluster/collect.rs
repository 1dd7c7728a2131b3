//! [`ClusterObject`]s → [`Cluster`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::read::ClusterObject;
use super::shared::Shared;
use super::{Cluster, EndpointAddress, EndpointPort, EndpointSet, PortProtocol, codes};
use crate::diag::{Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::{Namespaced, Port, packed};

impl Cluster {
    /// A cluster of objects in any order.
    ///
    /// The same object twice counts once (lint, `SMI0507`); the same name with different content is an error, and none of them is taken
    /// (`SMI0508`), since the result would depend on the order.
    #[must_use]
    pub fn from_objects(objects: impl IntoIterator<Item = ClusterObject>) -> (Self, Report) {
        let mut by_name: BTreeMap<ObjectRef, Vec<ClusterObject>> = BTreeMap::new();
        for object in objects {
            by_name.entry(object.object_ref()).or_default().push(object);
        }
        let mut report = Report::new();
        let mut cluster = Self::default();
        let mut from_endpoints = BTreeMap::new();
        let mut shared = Shared::default();
        for (name, mut same) in by_name {
            let Some(object) = same.pop() else { continue };
            if !same.is_empty() {
                let count = same.len() + 1;
                if same.iter().any(|other| *other != object) {
                    let message = format!("{count} objects of this name differ, so none of them is taken");
                    report.push(Diagnostic::new(codes::CONFLICT, &name, FieldPath::root(), message));
                    if let ClusterObject::Namespace { name, .. } | ClusterObject::UnclearNamespace(name) =
                        object
                    {
                        cluster.unclear_namespaces.insert(name);
                    }
                    continue;
                }
                let message = format!("{count} objects of this name have the same content");
                report.push(Diagnostic::new(codes::REPEATED, &name, FieldPath::root(), message));
            }
            cluster.insert(object, &mut shared, &mut from_endpoints);
        }
        for (service, sets) in from_endpoints {
            cluster.endpoints.entry(service).or_insert(sets);
        }
        for sets in cluster.endpoints.values_mut() {
            *sets = merge_endpoints(std::mem::take(sets));
        }
        cluster.services = packed(cluster.services);
        cluster.endpoints = packed(cluster.endpoints);
        cluster.pods = packed(cluster.pods);
        (cluster, report)
    }

    fn insert(
        &mut self,
        object: ClusterObject,
        shared: &mut Shared,
        from_endpoints: &mut BTreeMap<Namespaced, Vec<EndpointSet>>,
    ) {
        match object {
            ClusterObject::Service(mut service) => {
                shared.service(&mut service);
                self.services.insert(service.name.clone(), service);
            }
            ClusterObject::EndpointSlice { service, mut set, .. } => {
                if let Some(mut service) = service {
                    shared.name(&mut service);
                    shared.endpoints(&mut set);
                    self.endpoints.entry(service).or_default().push(set);
                }
            }
            ClusterObject::Endpoints { mut service, mut sets } => {
                shared.name(&mut service);
                sets.iter_mut().for_each(|set| shared.endpoints(set));
                from_endpoints.insert(service, sets);
            }
            ClusterObject::Pod { mut id, mut pod } => {
                shared.pod(&mut pod);
                shared.pod_id(&mut id);
                self.pods.insert(id, pod);
            }
            ClusterObject::Account(name) => {
                self.accounts.insert(name);
            }
            ClusterObject::Namespace { name, labels } => {
                self.namespaces.insert(name, labels);
            }
            ClusterObject::UnclearNamespace(name) => {
                self.unclear_namespaces.insert(name);
            }
        }
    }
}

type Ports = Vec<(Arc<str>, PortProtocol, Port)>;

/// Joins the sets that have the same ports, so that an address of several slices counts once; ready if any of them says so.
///
/// Sets are ordered by their ports and addresses by number: neither the names of slices nor their order is seen in the result.
#[must_use]
pub fn merge_endpoints(sets: Vec<EndpointSet>) -> Vec<EndpointSet> {
    let mut merged: BTreeMap<Ports, BTreeMap<IpAddr, EndpointAddress>> = BTreeMap::new();
    for EndpointSet { ports, endpoints } in sets {
        let mut key: Ports = ports.into_iter().map(|p| (p.name, p.protocol, p.port)).collect();
        key.sort();
        key.dedup();
        let addresses = merged.entry(key).or_default();
        for endpoint in endpoints {
            match addresses.get(&endpoint.address) {
                Some(other) if rank(other) >= rank(&endpoint) => {}
                _ => {
                    addresses.insert(endpoint.address, endpoint);
                }
            }
        }
    }
    let set = |(ports, addresses): (Ports, BTreeMap<IpAddr, EndpointAddress>)| EndpointSet {
        ports: ports
            .into_iter()
            .map(|(name, protocol, port)| EndpointPort { name, protocol, port })
            .collect(),
        endpoints: addresses.into_values().collect(),
    };
    merged.into_iter().map(set).collect()
}

/// Which of two entries for one address is kept: the ready one, then one that says more.
fn rank(endpoint: &EndpointAddress) -> impl Ord + '_ {
    (endpoint.ready, &endpoint.pod, &endpoint.locality)
}

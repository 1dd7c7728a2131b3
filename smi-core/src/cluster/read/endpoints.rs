//! EndpointSlices and Endpoints.

use super::{At, ClusterObject, Reading};
use crate::cluster::{EndpointAddress, EndpointPort, EndpointSet, Locality, PodId, codes, wire};
use crate::diag::FieldPath;
use crate::hub::names::{Name, Namespace, Namespaced};

impl Reading {
    pub(super) fn endpoints(&mut self, wire: wire::Endpoints) -> Option<ClusterObject> {
        let service = self.name(wire.metadata.name, wire.metadata.namespace)?;
        let object = self.kind.object_ref(service.clone());
        let at = &mut At { object: &object, report: &mut self.report };
        let sets = wire.subsets.into_iter().enumerate().map(|(i, subset)| {
            let path = FieldPath::root().field("subsets").index(i);
            let mut endpoints = Vec::new();
            for (field, list, ready) in [
                ("addresses", subset.addresses, true),
                ("notReadyAddresses", subset.not_ready_addresses, false),
            ] {
                for (j, wire) in list.into_iter().enumerate() {
                    let path = path.clone().field(field).index(j).field("ip");
                    let Some(address) = at.address(&wire.ip, path) else { continue };
                    let pod = target_pod(wire.target_ref, &service.namespace);
                    let locality = Locality::new(wire.node_name, None);
                    endpoints.push(EndpointAddress { address, ready, pod, locality });
                }
            }
            EndpointSet { ports: endpoint_ports(at, subset.ports, &path.field("ports")), endpoints }
        });
        let sets = sets.collect();
        Some(ClusterObject::Endpoints { service, sets })
    }

    pub(super) fn slice(&mut self, wire: wire::EndpointSlice) -> Option<ClusterObject> {
        let service = wire.metadata.labels.get("kubernetes.io/service-name").cloned();
        let name = self.name(wire.metadata.name, wire.metadata.namespace)?;
        let object = self.kind.object_ref(name.clone());
        let at = &mut At { object: &object, report: &mut self.report };
        let root = FieldPath::root();
        match wire.address_type.as_deref() {
            Some("IPv4" | "IPv6") => {}
            Some("FQDN") => {
                let message = "an EndpointSlice with DNS names is ignored";
                at.fault(codes::FQDN, root.field("addressType"), message, None);
                return None;
            }
            Some(other) => {
                let message = format!("`{other}` is not a type of address");
                let help = "write `IPv4` or `IPv6`";
                at.fault(codes::MALFORMED, root.field("addressType"), message, Some(help));
                return None;
            }
            None => {
                at.fault(codes::MALFORMED, root, "`addressType` is missing", None);
                return None;
            }
        }
        let mut endpoints = Vec::new();
        for (i, wire) in wire.endpoints.into_iter().enumerate() {
            let path = root.clone().field("endpoints").index(i).field("addresses");
            // All addresses of an endpoint reach the same pod; like kube-proxy, only the first is used, so that no pod counts twice.
            let Some(first) = wire.addresses.first() else {
                at.fault(codes::MALFORMED, path, "an endpoint without addresses", None);
                continue;
            };
            let Some(address) = at.address(first, path.index(0)) else { continue };
            endpoints.push(EndpointAddress {
                address,
                ready: wire.conditions.ready.unwrap_or(true),
                pod: target_pod(wire.target_ref, &name.namespace),
                locality: Locality::new(wire.node_name, wire.zone),
            });
        }
        let ports = endpoint_ports(at, wire.ports, &root.field("ports"));
        let service = service
            .filter(|s| !s.is_empty())
            .map(|s| Namespaced { namespace: name.namespace.clone(), name: Name::new(s) });
        Some(ClusterObject::EndpointSlice { name, service, set: EndpointSet { ports, endpoints } })
    }
}

fn endpoint_ports(at: &mut At<'_>, wires: Vec<wire::EndpointPort>, path: &FieldPath) -> Vec<EndpointPort> {
    let read = wires.into_iter().enumerate().filter_map(|(i, wire)| {
        let path = path.clone().index(i);
        // A port without a number means every port, which no Service port can mean.
        let port = at.port(wire.port?, path.clone().field("port"))?;
        let protocol = at.protocol(wire.protocol.as_deref(), path.field("protocol"))?;
        Some(EndpointPort { name: wire.name.unwrap_or_default(), protocol, port })
    });
    read.collect()
}

fn target_pod(target: Option<wire::TargetRef>, namespace: &Namespace) -> Option<PodId> {
    let wire::TargetRef { kind, namespace: own, name } = target?;
    let name = name.filter(|_| kind.as_deref() == Some("Pod"))?;
    let namespace = own.map_or_else(|| namespace.clone(), Namespace::new);
    Some(PodId::pod(Namespaced { namespace, name: Name::new(name) }))
}

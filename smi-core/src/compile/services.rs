//! Services → ports with protocol and policy, each with the one route to its own endpoints (S34, S36).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::endpoints::transport;
use super::{CompileOptions, annotations, codes, protocol};
use crate::cluster::{Cluster, ServiceKind};
use crate::diag::{Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::Namespaced;
use crate::ir::{
    Origin, PoolKey, Protocol, Route, RouteCondition, Service, ServicePort, Target, TrafficPolicy,
};

pub(super) fn services(
    cluster: &Cluster,
    options: &CompileOptions,
    report: &mut Report,
) -> BTreeMap<Namespaced, Service> {
    let mut out = Vec::with_capacity(cluster.services.len());
    // Most ports have no annotations and share the empty policy.
    let plain = Arc::new(TrafficPolicy::default());
    for (name, service) in &cluster.services {
        // An alias for a name outside has no endpoints and no pods to authorise at.
        if matches!(service.kind, ServiceKind::ExternalName(_)) {
            continue;
        }
        let object = Arc::new(ObjectRef::new("", "v1", "Service", name));
        let settings = annotations::settings(service, &object, options, &cluster.services, report);
        let mut ports: Vec<ServicePort> = Vec::with_capacity(service.ports.len());
        for (place, port) in service.ports.iter().enumerate() {
            let found = protocol::protocol(port, settings.annotated, options.default_protocol);
            let (Some((protocol, decided_by)), Some(transport)) = (found, transport(port.protocol)) else {
                let path = FieldPath::root().fields(&["spec", "ports"]).index(place).field("protocol");
                let message = format!("port {} speaks SCTP and is not reachable through the mesh", port.port);
                report.push(Diagnostic::new(codes::SCTP, &object, path, message));
                continue;
            };
            let pool = PoolKey { service: name.clone(), port: port.port, transport };
            let has_pool = |key: &PoolKey| {
                cluster.services.get(&key.service).is_some_and(|s| {
                    s.ports.iter().any(|p| {
                        p.port == key.port && super::endpoints::transport(p.protocol) == Some(key.transport)
                    })
                })
            };
            let policy = match protocol {
                Protocol::Http(_) => {
                    let policy = settings.policy(&pool, has_pool);
                    if let Some((other, origin)) = settings.unmirrored(&policy) {
                        let message =
                            format!("`{}` has no port {}, which is not mirrored", other.name, port.port);
                        report.push(Diagnostic::new(codes::BAD_ANNOTATION, &object, origin.path(), message));
                    }
                    Some(policy).filter(|p| *p != *plain)
                }
                Protocol::Tcp | Protocol::Udp => None,
            };
            let policy = policy.map_or_else(|| plain.clone(), Arc::new);
            let origin = Origin::object(object.clone());
            let route = Route {
                condition: RouteCondition::Everything,
                targets: vec![Target { pool, weight: 1, origin: origin.clone() }],
                origin,
            };
            ports.push(ServicePort {
                port: port.port,
                transport,
                protocol,
                decided_by,
                routes: vec![route],
                policy,
            });
        }
        // Of several of one key the last one counts.
        ports.reverse();
        ports.sort_by_key(|p| (p.port, p.transport));
        ports.dedup_by_key(|p| (p.port, p.transport));
        let mode = options.mode.of(cluster, &name.namespace);
        let origin = Origin::object(object);
        out.push((name.clone(), Service { addresses: service.addresses.clone(), mode, ports, origin }));
    }
    // In order already, which a map takes up far faster than one by one.
    out.into_iter().collect()
}

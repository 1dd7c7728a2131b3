//! A port that is a Service's, not a pod's (S25).

use std::collections::{BTreeMap, BTreeSet};

use super::code;
use crate::diag::{Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::TrafficTarget;
use crate::hub::names::{Namespace, Port, Transport};
use crate::cluster::PortProtocol;
use crate::validate::Context;
use crate::validate::context::target_path;

code! {
    "SMI0455" "port-of-service" Lint "S25",
    "a route or destination names the port of a Service instead of the pods' port",
    "## What it checks\nPorts of TCPRoutes and UDPRoutes, and `destination.port` of TrafficTargets, that no pod of the namespace listens on, but that a Service there has.\n\n## Why it matters\nAccess is decided at pods, so ports are target ports; the number as it stands allows nothing.\n\n## Example\n`ports: [80]` for a Service with `port: 80, targetPort: 8080`.\n\n## Fix\nWrite the target port."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    // Only namespaces whose routes name ports are looked at.
    let routes = || context.hub.tcp_routes.iter().chain(&context.hub.udp_routes);
    let with_ports = routes().filter(|(_, route)| route.ports.as_ref().is_some_and(|p| !p.is_empty()));
    let restricted = || {
        let port = |target: &'_ TrafficTarget| target.destination.as_ref()?.port.and_then(Port::from_i64);
        context.hub.targets.iter().filter_map(move |(name, target)| Some((name, target, port(target)?)))
    };
    let namespaces = with_ports.map(|(name, _)| &name.namespace).chain(restricted().map(|(name, ..)| &name.namespace));
    let namespaces: BTreeSet<&Namespace> = namespaces.collect();
    if namespaces.is_empty() {
        return;
    }
    // Pod ports, and which pod ports each service port leads to, by namespace and transport.
    let mut targets: BTreeMap<(&Namespace, Transport), BTreeSet<Port>> = BTreeMap::new();
    let mut leads: BTreeMap<(&Namespace, Transport, Port), BTreeSet<Port>> = BTreeMap::new();
    for (key, pool) in context.ir.pools.iter().filter(|(key, _)| namespaces.contains(&key.service.namespace)) {
        let ports = pool.endpoints.iter().map(|e| e.port).chain(pool.templates.iter().map(|t| t.1));
        for port in ports {
            targets.entry((&key.service.namespace, key.transport)).or_default().insert(port);
            leads.entry((&key.service.namespace, key.transport, key.port)).or_default().insert(port);
        }
    }
    for (id, pod) in context.cluster.pods.iter().filter(|(id, _)| namespaces.contains(&id.name.namespace)) {
        for port in &pod.spec.ports {
            let transport = match port.protocol {
                PortProtocol::Tcp => Transport::Tcp,
                PortProtocol::Udp => Transport::Udp,
                PortProtocol::Sctp => continue,
            };
            targets.entry((&id.name.namespace, transport)).or_default().insert(port.port);
        }
    }
    // What was meant by a port that no pod listens on.
    let meant = |namespace, transport, port| {
        let listens = targets.get(&(namespace, transport)).is_some_and(|known| known.contains(&port));
        leads.get(&(namespace, transport, port)).filter(|_| !listens)
    };
    let mut found = |object: &ObjectRef, path, port: Port, meant: &BTreeSet<Port>| {
        let list: Vec<String> = meant.iter().map(ToString::to_string).collect();
        report.push(
            Diagnostic::new(CODE, object, path, format!("{port} is the port of a Service; no pod listens on it"))
                .with_help(format!("the pods listen on {}", list.join(", "))),
        );
    };
    for (name, route) in routes() {
        for (place, port) in route.ports.iter().flatten().enumerate() {
            let Some(port) = Port::from_i64(*port) else { continue };
            let Some(meant) = meant(&name.namespace, route.transport, port) else { continue };
            let path = FieldPath::root().fields(&["spec", "matches", "ports"]).index(place);
            found(&route.object_ref(), path, port, meant);
        }
    }
    for (name, target, port) in restricted() {
        // It is about both transports.
        let both = [Transport::Tcp, Transport::Udp];
        let listens = |t: &Transport| targets.get(&(&name.namespace, *t)).is_some_and(|known| known.contains(&port));
        let meant = both.into_iter().find_map(|transport| meant(&name.namespace, transport, port));
        if let Some(meant) = meant.filter(|_| !both.iter().any(listens)) {
            found(&target.object_ref(), target_path(target, "destination").field("port"), port, meant);
        }
    }
}

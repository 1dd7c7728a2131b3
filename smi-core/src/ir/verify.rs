//! Invariants of an IR, checked.

use std::collections::BTreeSet;
use std::fmt;

use super::{Endpoint, Ir, Protocol, RouteCondition, ServicePort};
use crate::hub::names::Transport;

/// An invariant that does not hold, in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation(String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every invariant that does not hold; empty for every IR that the compiler makes.
#[must_use]
pub fn verify(ir: &Ir) -> Vec<Violation> {
    let mut out = Vec::new();
    let mut need = |holds: bool, what: &dyn Fn() -> String| {
        if !holds {
            out.push(Violation(what()));
        }
    };
    for (name, service) in &ir.services {
        let key = |p: &ServicePort| (p.port, p.transport);
        need(service.ports.is_sorted_by(|a, b| key(a) < key(b)), &|| format!("{name}: ports out of order"));
        for service_port in &service.ports {
            let ServicePort { port, transport, .. } = service_port;
            let at = || format!("{name}:{port}/{transport}");
            let udp = service_port.protocol == Protocol::Udp;
            need(udp == (*transport == Transport::Udp), &|| {
                format!("{}: protocol and transport disagree", at())
            });
            let last = service_port.routes.len().saturating_sub(1);
            need(!service_port.routes.is_empty(), &|| format!("{}: no route", at()));
            for (place, route) in service_port.routes.iter().enumerate() {
                let everything = route.condition == RouteCondition::Everything;
                need(everything == (place == last), &|| {
                    format!("{}: route {place}: not only the last is for everything", at())
                });
                let sum = route.total_weight();
                need(sum > 0 && sum <= u64::from(u32::MAX), &|| {
                    format!("{}: route {place}: weights add up to {sum}", at())
                });
                let pools: BTreeSet<_> = route.targets.iter().map(|t| &t.pool).collect();
                need(pools.len() == route.targets.len(), &|| {
                    format!("{}: route {place}: a pool stands twice", at())
                });
                for target in &route.targets {
                    need(ir.pools.contains_key(&target.pool), &|| {
                        format!("{}: no pool {}", at(), target.pool)
                    });
                }
            }
            if !matches!(service_port.protocol, Protocol::Http(_)) {
                need(service_port.routes.len() == 1, &|| {
                    format!("{}: conditional routes of a port that is not HTTP", at())
                });
            }
        }
    }
    for (key, pool) in &ir.pools {
        let at = |e: &Endpoint| (e.address, e.port);
        need(pool.endpoints.is_sorted_by(|a, b| at(a) < at(b)), &|| {
            format!("pool {key}: endpoints out of order")
        });
        for endpoint in &pool.endpoints {
            let known = endpoint.workload.as_ref().is_none_or(|w| ir.workloads.contains_key(w));
            need(known, &|| format!("pool {key}: unknown workload at {}", endpoint.socket()));
        }
    }
    for (id, workload) in &ir.workloads {
        need(workload.grants.is_sorted_by(|a, b| a < b), &|| format!("workload {id}: grants out of order"));
        for grant in &workload.grants {
            need(ir.grants.contains_key(grant), &|| format!("workload {id}: no grant {grant}"));
        }
    }
    for (name, grant) in &ir.grants {
        need(!grant.sources.is_empty(), &|| format!("grant {name}: no sources"));
    }
    for (id, pod) in &ir.pods {
        need(ir.workloads.contains_key(&pod.workload), &|| format!("pod {id}: no workload {}", pod.workload));
    }
    for (address, pod) in &ir.callers {
        need(ir.pods.get(pod).is_some_and(|p| p.addresses.contains(address)), &|| {
            format!("caller {address}: not an address of {pod}")
        });
    }
    let mut listening = BTreeSet::new();
    for (key, port) in &ir.listeners.entries {
        need(listening.insert((key.transport(), *port)), &|| format!("listener {key}: port {port} is taken"));
    }
    out
}

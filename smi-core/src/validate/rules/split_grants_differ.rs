//! A split whose backends grant different callers (S30).

use std::collections::{BTreeMap, BTreeSet};

use super::code;
use crate::diag::{Diagnostic, FieldPath, Report};
use crate::hub::names::Namespaced;
use crate::ir::{Ir, Mode, PoolKey, Principal, Protocol};
use crate::validate::Context;

code! {
    "SMI0354" "split-grants-differ" Warning "S30",
    "the backends of a split allow different callers",
    "## What it checks\nCallers that a TrafficTarget allows at one backend of a split and none allows at another one.\n\n## Why it matters\nSuch a caller gets 403 for the other backend's share of its requests.\n\n## Example\nA canary with a service account of its own, for which nobody wrote a TrafficTarget.\n\n## Fix\nWrite TrafficTargets for the service accounts of all backends."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let mut seen: BTreeSet<Namespaced> = BTreeSet::new();
    let mut known: BTreeMap<&PoolKey, BTreeSet<&Principal>> = BTreeMap::new();
    for service in context.ir.services.values().filter(|s| s.mode == Mode::Enforce) {
        for port in &service.ports {
            for route in port.routes.iter().filter(|r| r.targets.iter().filter(|t| t.weight > 0).count() > 1) {
                // Once per split, whatever the number of its ports.
                if seen.contains(&route.origin.object.namespaced()) {
                    continue;
                }
                let pools = || route.targets.iter().filter(|t| t.weight > 0).map(|t| &t.pool);
                for pool in pools() {
                    known.entry(pool).or_insert_with(|| callers(context.ir, pool, port.protocol));
                }
                let all: BTreeSet<&Principal> = pools().filter_map(|p| known.get(p)).flatten().copied().collect();
                let lacking = pools().find_map(|pool| Some((pool, all.difference(known.get(pool)?).next()?)));
                let Some((pool, principal)) = lacking else { continue };
                if seen.insert(route.origin.object.namespaced()) {
                    let who = match principal {
                        Principal::Identity(id) => id.to_string(),
                        Principal::Binding(name) => format!("pods of IdentityBinding {name}"),
                    };
                    let path = FieldPath::root().fields(&["spec", "backends"]);
                    let message = format!("{who} is allowed at one backend, but not at `{}`", pool.service.name);
                    report.push(
                        Diagnostic::new(CODE, &route.origin.object, path, message)
                            .with_help("its requests to that backend get 403; add a TrafficTarget for the backend's service account"),
                    );
                }
            }
        }
    }
}

/// Who is allowed anything at all at the pods of a pool.
fn callers<'a>(ir: &'a Ir, pool: &PoolKey, protocol: Protocol) -> BTreeSet<&'a Principal> {
    let Some(pool) = ir.pools.get(pool) else { return BTreeSet::new() };
    let endpoints = pool.endpoints.iter().filter_map(|e| e.workload.as_ref());
    let mut workloads: Vec<_> = endpoints.chain(pool.templates.iter().map(|(w, _)| w)).collect();
    // Mostly all are one, and one look suffices to see it.
    workloads.dedup();
    workloads.sort();
    workloads.dedup();
    let grants = workloads.iter().filter_map(|w| ir.workloads.get(*w)).flat_map(|w| &w.grants);
    grants
        .filter_map(|name| ir.grants.get(name))
        .filter(|grant| match protocol {
            Protocol::Http(_) => grant.http.is_some(),
            Protocol::Tcp => grant.tcp.is_some(),
            Protocol::Udp => grant.udp.is_some(),
        })
        .flat_map(|grant| grant.sources.iter().map(|s| &s.principal))
        .collect()
}

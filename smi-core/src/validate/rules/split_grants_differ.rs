//! A split whose backends grant different callers (S30).

use std::collections::{BTreeSet, HashMap};

use super::code;
use crate::diag::{Diagnostic, FieldPath, ObjectRef, Report};
use crate::ir::{Ir, Mode, PoolKey, Principal, Protocol, WorkloadId};
use crate::validate::Context;

code! {
    "SMI0354" "split-grants-differ" Warning "S30",
    "the backends of a split allow different callers",
    "## What it checks\nCallers that a TrafficTarget allows at one backend of a split and none allows at another one.\n\n## Why it matters\nSuch a caller gets 403 for the other backend's share of its requests.\n\n## Example\nA canary with a service account of its own, for which nobody wrote a TrafficTarget.\n\n## Fix\nWrite TrafficTargets for the service accounts of all backends."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let mut known: HashMap<&PoolKey, Vec<&Principal>> = HashMap::new();
    for service in context.ir.services.values().filter(|s| s.mode == Mode::Enforce) {
        // Once per split, whatever the number of its ports.
        let mut seen: BTreeSet<&ObjectRef> = BTreeSet::new();
        for port in &service.ports {
            for route in port.routes.iter().filter(|r| r.targets.iter().filter(|t| t.weight > 0).count() > 1) {
                if seen.contains(&*route.origin.object) {
                    continue;
                }
                let pools = || route.targets.iter().filter(|t| t.weight > 0).map(|t| &t.pool);
                for pool in pools() {
                    known.entry(pool).or_insert_with(|| callers(context.ir, pool, port.protocol));
                }
                let allowed: Vec<_> = pools().filter_map(|pool| Some((pool, known.get(pool)?.as_slice()))).collect();
                let Some((pool, principal)) = lacking(&allowed) else { continue };
                seen.insert(&route.origin.object);
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

/// The first pool that does not allow somebody whom another one allows, and whom. Callers are sorted.
fn lacking<'a>(allowed: &[(&'a PoolKey, &[&'a Principal])]) -> Option<(&'a PoolKey, &'a Principal)> {
    if allowed.windows(2).all(|pair| matches!(pair, [(_, a), (_, b)] if a == b)) {
        return None;
    }
    let mut all: Vec<&Principal> = allowed.iter().flat_map(|(_, callers)| *callers).copied().collect();
    all.sort();
    let absent = |callers: &[&Principal]| all.iter().copied().find(|p| callers.binary_search(p).is_err());
    allowed.iter().find_map(|(pool, callers)| Some((*pool, absent(callers)?)))
}

/// Who is allowed anything at all at the pods of a pool, sorted.
fn callers<'a>(ir: &'a Ir, pool: &PoolKey, protocol: Protocol) -> Vec<&'a Principal> {
    let Some(pool) = ir.pools.get(pool) else { return Vec::new() };
    let endpoints = pool.endpoints.iter().filter_map(|e| e.workload.as_ref());
    let mut workloads: Vec<&WorkloadId> = Vec::new();
    for id in endpoints.chain(pool.templates.iter().map(|(id, _)| id)) {
        // Mostly all are one, and a look at the last suffices to see it.
        if workloads.last() != Some(&id) {
            workloads.push(id);
        }
    }
    workloads.sort();
    workloads.dedup();
    let grants = workloads.iter().filter_map(|id| ir.workloads.get(*id)).flat_map(|w| &w.grants);
    let mut callers: Vec<&Principal> = grants
        .filter_map(|name| ir.grants.get(name))
        .filter(|grant| match protocol {
            Protocol::Http(_) => grant.http.is_some(),
            Protocol::Tcp => grant.tcp.is_some(),
            Protocol::Udp => grant.udp.is_some(),
        })
        .flat_map(|grant| grant.sources.iter().map(|s| &s.principal))
        .collect();
    callers.sort();
    callers.dedup();
    callers
}

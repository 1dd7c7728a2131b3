//! The compiler: hub and cluster to IR.
//!
//! Shape: passes from values to values, in the order of the list below. The result always is a valid IR ([`crate::ir::verify`]);
//! whatever could not be used is in the report, and narrows.
//! Faults: `SMI02xx` matching, `SMI03xx` splits, `SMI04xx` access, `SMI052x` annotations and protocols, `SMI06xx` listeners.
//! Source: `docs/semantics.md`, S6–S37.
//! Determinism: every pass walks ordered maps; cost grows linearly with the input.
//!
//! 1. `workloads`: pods → workloads, and whose an address is · 2. `endpoints`: services → pools · 3. `matches`: route groups → matches
//! 4. `grants`: TrafficTargets → grants · 5. `services`: services → ports, protocols, policies · 6. `outbound`: splits → routes
//! 7. `listeners`: the port table

mod annotations;
mod breaker;
pub mod codes;
mod endpoints;
mod grants;
mod listeners;
mod matches;
pub(crate) use matches::matches_path;
mod options;
mod outbound;
mod protocol;
mod services;
#[cfg(test)]
mod tests;
mod workloads;

pub use options::{AllowProbes, CompileOptions, DeadBackends, DefaultProtocol, MeshMode, PortRanges};

use crate::cluster::Cluster;
use crate::diag::Report;
use crate::hub::Hub;
use crate::ir::Ir;

/// What a compilation gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compiled {
    /// What the input means.
    pub ir: Ir,
    /// What of the input could not be used, sorted.
    pub report: Report,
}

/// Compiles SMI objects against the facts of a cluster. Total: faulty input narrows and is reported.
#[must_use]
pub fn compile(hub: &Hub, cluster: &Cluster, options: &CompileOptions) -> Compiled {
    let mut report = Report::new();
    let mut workloads = workloads::workloads(hub, cluster, options, &mut report);
    let pools = endpoints::pools(cluster, &workloads, options);
    let groups = matches::groups(hub, &mut report);
    let grants = grants::grants(hub, options, &groups, &mut workloads, &mut report);
    let mut services = services::services(cluster, options, &mut report);
    outbound::routes((hub, cluster), &groups, &pools, options, &mut services, &mut report);
    let listeners = listeners::listeners(&services, options, &mut report);
    report.sort();
    let (pods, callers, workloads) = workloads.into_parts();
    let settings = options.settings.clone();
    let ir = Ir { settings, services, pools, workloads, grants, pods, callers, listeners };
    debug_assert_eq!(crate::ir::verify(&ir), []);
    Compiled { ir, report }
}

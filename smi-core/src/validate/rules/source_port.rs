//! A port of a source (S24).

use super::code;
use crate::diag::{Diagnostic, Report};
use crate::validate::Context;
use crate::validate::context::target_path;

code! {
    "SMI0458" "source-port-ignored" Warning "S24",
    "`port` of a source has no effect",
    "## What it checks\nSources of TrafficTargets v1alpha1 and v1alpha2 with `port`.\n\n## Why it matters\nThe field exists because sources and destinations share a type. Callers have no port of their own, so it restricts nothing.\n\n## Example\n`sources: [{kind: ServiceAccount, name: web, port: 8080}]`\n\n## Fix\nRemove it; write `destination.port` or a TCPRoute with ports to restrict the callee."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for target in context.hub.targets.values() {
        for (place, source) in target.sources.iter().enumerate() {
            let Some(port) = source.port else { continue };
            let path = target_path(target, "sources").index(place).field("port");
            let message = format!("the port {port} of the source `{}` restricts nothing", source.name);
            report.push(
                Diagnostic::new(CODE, &target.object_ref(), path, message)
                    .with_help("remove it, and restrict the destination's port or a TCPRoute"),
            );
        }
    }
}

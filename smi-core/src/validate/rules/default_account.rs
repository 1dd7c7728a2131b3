//! A TrafficTarget about the account of pods that name none (S28).

use super::code;
use crate::diag::{Diagnostic, Report};
use crate::validate::Context;
use crate::validate::context::target_path;

code! {
    "SMI0452" "default-account" Lint "S28",
    "a TrafficTarget names the service account `default`",
    "## What it checks\nSources and destinations that name the service account `default`.\n\n## Why it matters\nEvery pod of the namespace that names no account has it, so the policy is about more pods than it looks.\n\n## Example\n`sources: [{kind: ServiceAccount, name: default, namespace: shop}]`\n\n## Fix\nGive the pods a service account of their own."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for target in context.hub.targets.values() {
        let destination = target.destination.iter().map(|s| (s, None));
        let sources = target.sources.iter().enumerate().map(|(place, s)| (s, Some(place)));
        for (subject, place) in destination.chain(sources) {
            if &*subject.kind == "ServiceAccount" && matches!(&*subject.name, "default" | "") {
                let path = match place {
                    None => target_path(target, "destination"),
                    Some(place) => target_path(target, "sources").index(place),
                };
                let message = "`default` is the account of every pod of the namespace that names none";
                report.push(Diagnostic::new(CODE, &target.object_ref(), path.field("name"), message));
            }
        }
    }
}

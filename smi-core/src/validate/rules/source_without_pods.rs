//! A source that no pod is.

use super::code;
use crate::diag::suggest::closest;
use crate::diag::{Diagnostic, Report};
use crate::hub::names::Namespace;
use crate::validate::Context;
use crate::validate::context::target_path;

code! {
    "SMI0453" "source-without-pods" Lint "S29",
    "no pod has the service account that a source names",
    "## What it checks\nService accounts that TrafficTargets name as sources and that no pod or pod template of the input has.\n\n## Why it matters\nThe source allows nobody now, often because the name or namespace is misspelt.\n\n## Example\n`sources: [{kind: ServiceAccount, name: wbe, namespace: shop}]`\n\n## Fix\nCorrect the name, or ignore it while the caller is not deployed yet."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    // Without any pod nothing can be said.
    if context.accounts.is_empty() {
        return;
    }
    for (name, target) in &context.hub.targets {
        for (place, source) in target.sources.iter().enumerate().filter(|(_, s)| &*s.kind == "ServiceAccount") {
            let namespace = source.namespace.as_deref().filter(|n| !n.is_empty());
            let namespace = namespace.unwrap_or(name.namespace.as_str());
            if source.name.is_empty() || context.accounts.contains(&(namespace, &*source.name)) {
                continue;
            }
            let mut d = Diagnostic::new(
                CODE,
                &target.object_ref(),
                target_path(target, "sources").index(place).field("name"),
                format!("no pod has the service account `{namespace}/{}`", source.name),
            );
            let known = context.accounts_of(&Namespace::from(namespace));
            d.help = closest(&source.name, known).map(|n| format!("did you mean `{n}`?"));
            report.push(d);
        }
    }
}

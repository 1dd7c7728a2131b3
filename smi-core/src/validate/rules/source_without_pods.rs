//! A source that no pod is.

use super::code;
use crate::diag::suggest::closest;
use crate::diag::{Diagnostic, Report};
use crate::hub::names::{Name, Namespace, Namespaced};
use crate::hub::names::names_of_namespace;
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
            let own = name.namespace.clone();
            let namespace = source.namespace.clone().filter(|n| !n.is_empty()).map_or(own, Namespace::new);
            let account = Namespaced { namespace, name: Name::new(source.name.clone()) };
            if source.name.is_empty() || context.accounts.contains(&account) {
                continue;
            }
            let beside = names_of_namespace(&context.accounts, &account.namespace).map(|name| name.as_str());
            let mut d = Diagnostic::new(
                CODE,
                &target.object_ref(),
                target_path(target, "sources").index(place).field("name"),
                format!("no pod has the service account `{account}`"),
            );
            d.help = closest(account.name.as_str(), beside).map(|n| format!("did you mean `{n}`?"));
            report.push(d);
        }
    }
}

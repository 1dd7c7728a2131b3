//! A TrafficTarget that no pod is the destination of.

use super::code;
use crate::diag::suggest::closest;
use crate::diag::{Diagnostic, Report};
use crate::validate::Context;
use crate::validate::context::target_path;

code! {
    "SMI0454" "target-without-pods" Lint "S24",
    "a TrafficTarget selects no pod",
    "## What it checks\nTrafficTargets whose destination no pod or pod template of the input is.\n\n## Why it matters\nIt has no effect now, often because the service account is misspelt.\n\n## Example\n`destination: {kind: ServiceAccount, name: crat}`\n\n## Fix\nCorrect the name, or set `serviceAccountName` in the pods."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    if context.accounts.is_empty() {
        return;
    }
    for (name, _) in context.ir.grants.iter().filter(|(name, _)| !context.opening.contains(name)) {
        let Some((target, subject)) = context.hub.targets.get(name).and_then(|t| Some((t, t.destination.as_ref()?))) else {
            continue;
        };
        let mut d = Diagnostic::new(
            CODE,
            &target.object_ref(),
            target_path(target, "destination").field("name"),
            format!("no pod of namespace `{}` is the {} `{}`", name.namespace, subject.kind, subject.name),
        );
        d.help = closest(&subject.name, context.accounts_of(&name.namespace)).map(|n| format!("did you mean `{n}`?"));
        report.push(d);
    }
}

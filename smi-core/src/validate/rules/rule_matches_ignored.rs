//! `matches` of a rule that is not about HTTP.

use super::code;
use crate::diag::{Diagnostic, Edit, Fix, Report};
use crate::validate::Context;
use crate::validate::context::target_path;

code! {
    "SMI0457" "rule-matches-ignored" Warning "S26",
    "`matches` of a TCPRoute or UDPRoute rule has no effect",
    "## What it checks\nA rule of kind TCPRoute or UDPRoute with `matches`.\n\n## Why it matters\nOnly HTTPRouteGroups have named matches; the rule grants all ports of the route.\n\n## Example\n`{kind: TCPRoute, name: db, matches: [read]}`\n\n## Fix\nRemove `matches`; restrict ports in the TCPRoute."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for target in context.hub.targets.values() {
        for (place, rule) in target.rules.iter().enumerate() {
            if matches!(&*rule.kind, "TCPRoute" | "UDPRoute") && rule.matches.as_ref().is_some_and(|m| !m.is_empty()) {
                let path = target_path(target, "rules").index(place).field("matches");
                let fix = Fix {
                    title: "remove `matches`".into(),
                    edits: vec![Edit { path: path.clone(), value: None }],
                    safe: true,
                };
                report.push(
                    Diagnostic::new(CODE, &target.object_ref(), path, format!("a {} has no named matches", rule.kind))
                        .with_help("remove `matches`, and restrict ports in the route")
                        .with_fix(fix),
                );
            }
        }
    }
}

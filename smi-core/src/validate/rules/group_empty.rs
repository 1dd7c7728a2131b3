//! A group without matches (S11).

use super::code;
use crate::compile::matches_path;
use crate::diag::{Diagnostic, Report};
use crate::validate::Context;

code! {
    "SMI0253" "group-empty" Warning "S11",
    "an HTTPRouteGroup has no matches and matches nothing",
    "## What it checks\nAn HTTPRouteGroup whose list of matches is absent or empty.\n\n## Why it matters\nIt allows nothing, although other meshes let an empty group allow everything.\n\n## Example\n`matches: []`\n\n## Fix\nAdd a match; `pathRegex: \".*\"` matches everything."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for group in context.hub.route_groups.values().filter(|g| g.matches.is_empty()) {
        let path = matches_path(group.meta.version);
        report.push(Diagnostic::new(CODE, &group.object_ref(), path, "the group has no matches and matches nothing"));
    }
}

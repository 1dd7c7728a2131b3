//! A match that matches everything (S11).

use super::code;
use crate::compile::matches_path;
use crate::diag::{Diagnostic, Report};
use crate::validate::Context;

code! {
    "SMI0252" "match-everything" Lint "S11",
    "a match has only a name and matches everything",
    "## What it checks\nA match of an HTTPRouteGroup without path, methods and headers.\n\n## Why it matters\nIt allows every request, which is rarely what an unfinished match was meant for.\n\n## Example\n```yaml\nmatches:\n- name: everything\n```\n\n## Fix\nSay so with `pathRegex: \".*\"`, or finish the match."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for group in context.hub.route_groups.values() {
        for (place, m) in group.matches.iter().enumerate() {
            let headers = m.headers.as_ref().is_none_or(Vec::is_empty);
            if m.path_regex.is_none() && m.methods.as_ref().is_none_or(Vec::is_empty) && headers {
                let path = matches_path(group.meta.version).index(place);
                let message = format!("the match `{}` has no condition and matches every request", m.name);
                report.push(
                    Diagnostic::new(CODE, &group.object_ref(), path, message)
                        .with_help("if that is meant, say so with `pathRegex: \".*\"`"),
                );
            }
        }
    }
}

//! A match that an earlier one of its group covers.

use super::code;
use crate::compile::matches_path;
use crate::diag::{Diagnostic, Report};
use crate::hub::HttpMatch;
use crate::ir::Pattern;
use crate::validate::Context;

code! {
    "SMI0254" "match-shadowed" Lint "S11",
    "a match adds nothing to an earlier one of its group",
    "## What it checks\nA match whose requests all are matched by an earlier match of the same group. Only what can be proved is reported.\n\n## Why it matters\nWherever the whole group is used, the match has no effect.\n\n## Example\n`/api.*` before `/api/items`\n\n## Fix\nRemove one of them, or narrow the wider one."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for group in context.hub.route_groups.values() {
        // Quadratic in one group's matches, which a person wrote; long generated ones are looked at no further than this.
        for (place, later) in group.matches.iter().enumerate().take(64) {
            let earlier = group.matches.iter().take(place).position(|earlier| covers(earlier, later));
            if let Some(earlier) = earlier {
                let list = matches_path(group.meta.version);
                let message = format!("everything that `{}` matches is matched by an earlier match of the group", later.name);
                report.push(
                    Diagnostic::new(CODE, &group.object_ref(), list.clone().index(place), message)
                        .with_related("this one", &group.object_ref(), list.index(earlier)),
                );
            }
        }
    }
}

fn covers(wide: &HttpMatch, narrow: &HttpMatch) -> bool {
    let any = |m: &HttpMatch| m.methods.as_ref().is_none_or(|l| l.is_empty() || l.iter().any(|x| &**x == "*"));
    let methods = any(wide)
        || (!any(narrow)
            && narrow.methods.iter().flatten().all(|m| wide.methods.as_ref().is_some_and(|all| all.contains(m))));
    let headers = wide.headers.iter().flatten().all(|h| narrow.headers.as_ref().is_some_and(|all| all.contains(h)));
    // Last, as patterns have to be read for it.
    let path = || match (&wide.path_regex, &narrow.path_regex) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(a), Some(b)) => a == b || Pattern::path(a).ok().zip(Pattern::path(b).ok()).is_some_and(|(a, b)| a.covers(&b)),
    };
    methods && headers && path()
}

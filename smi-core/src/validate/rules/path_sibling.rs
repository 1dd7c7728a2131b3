//! A path pattern that also admits longer names (S6).

use std::collections::HashMap;

use super::code;
use crate::compile::matches_path;
use crate::diag::{Diagnostic, Edit, Fix, Report};
use crate::ir::Pattern;
use crate::validate::Context;
use crate::validate::context::beside;

code! {
    "SMI0251" "path-admits-sibling" Lint "S6",
    "a path pattern also admits longer names that start alike",
    "## What it checks\nA `pathRegex` of which an alternative ends in a letter or digit and is not closed by `$`, `/` or `.*`.\n\n## Why it matters\nPatterns are anchored at the start only, so `/metrics` also admits `/metrics-admin`. A `$` belongs to the alternative that it stands in: `/public|/static$` admits `/publicity`.\n\n## Example\n`pathRegex: /metrics`\n\n## Fix\nClose the pattern: `/metrics$` for the path alone, `/metrics(/.*)?$` for everything below it too, `(?:/public|/static)$` for alternatives."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    // Groups repeat each other's patterns.
    let mut known: HashMap<&str, Option<(String, String)>> = HashMap::new();
    for (name, group) in &context.hub.route_groups {
        for (place, m) in group.matches.iter().enumerate() {
            let Some(text) = m.path_regex.as_deref().filter(|text| !is_closed(text)) else { continue };
            let found = known
                .entry(text)
                .or_insert_with(|| Pattern::path(text).ok().as_ref().and_then(Pattern::admits_longer_sibling));
            let Some((own, sibling)) = found else { continue };
            let path = matches_path(group.meta.version).index(place).field("pathRegex");
            // Neither may close the last alternative only.
            let choice = text.contains('|');
            let whole = if choice { format!("(?:{text})") } else { text.to_owned() };
            let alone = format!("{whole}$");
            let closed = if text.ends_with("(/.*)?") { alone.clone() } else { format!("{whole}(/.*)?$") };
            let value = serde_json::Value::String(closed.clone()).to_string();
            let fix = Fix {
                title: format!("replace with `{closed}`"),
                edits: vec![Edit { path: path.clone(), value: Some(value) }],
                // What a narrower condition of a split no longer takes goes to other pods, which may allow more. A group that no
                // TrafficTarget here uses may be such a condition elsewhere. Which alternatives were meant to be open is for the author to say.
                safe: !choice
                    && context.target_routes.contains(&("HTTPRouteGroup", beside(name, name.name.as_str())))
                    && !context.split_groups.contains(name.name.as_str()),
            };
            let help = if closed == alone {
                format!("write `{closed}` to mean it and what is below it")
            } else {
                format!("write `{closed}` to mean it and what is below it, or `{alone}` for it alone")
            };
            report.push(
                Diagnostic::new(CODE, &group.object_ref(), path, format!("`{text}` matches `{own}` and also `{sibling}`"))
                    .with_help(help)
                    .with_fix(fix),
            );
        }
    }
}

/// Patterns that surely admit nothing longer need not be read.
fn is_closed(text: &str) -> bool {
    text.ends_with('$') && !text.contains('|')
}

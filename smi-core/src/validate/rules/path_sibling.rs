//! A path pattern that also admits longer names (S6).

use super::code;
use crate::compile::matches_path;
use crate::diag::{Diagnostic, Edit, Fix, Report};
use crate::ir::Pattern;
use crate::validate::Context;
use crate::validate::context::beside;

code! {
    "SMI0251" "path-admits-sibling" Lint "S6",
    "a path pattern also admits longer names that start alike",
    "## What it checks\nA `pathRegex` that ends in a plain character and is not closed by `$`, `/` or `.*`.\n\n## Why it matters\nPatterns are anchored at the start only, so `/metrics` also admits `/metrics-admin`.\n\n## Example\n`pathRegex: /metrics`\n\n## Fix\nClose the pattern: `/metrics$` for the path alone, `/metrics(/.*)?$` for everything below it too."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for (name, group) in &context.hub.route_groups {
        for (place, m) in group.matches.iter().enumerate() {
            // A pattern that is closed at its end admits nothing longer, and need not be read.
            let open = m.path_regex.as_deref().filter(|text| !text.ends_with('$'));
            let pattern = open.and_then(|text| Pattern::path(text).ok());
            let Some((own, sibling)) = pattern.as_ref().and_then(Pattern::admits_longer_sibling) else { continue };
            let text = m.path_regex.as_deref().unwrap_or_default();
            let path = matches_path(group.meta.version).index(place).field("pathRegex");
            let closed = format!("{text}(/.*)?$");
            let value = serde_json::Value::String(closed.clone()).to_string();
            let fix = Fix {
                title: format!("replace with `{closed}`"),
                edits: vec![Edit { path: path.clone(), value: Some(value) }],
                // What a narrower condition of a split no longer takes goes to other pods, which may allow more.
                safe: !context.split_groups.contains(&beside(name, name.name.as_str())),
            };
            report.push(
                Diagnostic::new(CODE, &group.object_ref(), path, format!("`{text}` matches `{own}` and also `{sibling}`"))
                    .with_help(format!("write `{closed}` to mean it and what is below it, or `{text}$` for it alone"))
                    .with_fix(fix),
            );
        }
    }
}

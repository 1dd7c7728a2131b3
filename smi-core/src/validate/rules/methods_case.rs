//! Methods in lower case (S10).

use super::code;
use crate::compile::matches_path;
use crate::diag::{Diagnostic, Edit, Fix, Report};
use crate::validate::Context;

const STANDARD: &[&str] = &["GET", "HEAD", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"];

code! {
    "SMI0255" "method-unusual" Warning "S10",
    "a method is not one that the official CRD accepts",
    "## What it checks\n`methods` are `GET HEAD PUT POST DELETE CONNECT OPTIONS TRACE PATCH` or `*`.\n\n## Why it matters\nMethods are case-sensitive, so `get` matches no ordinary request; the official CRD refuses such an object.\n\n## Example\n`methods: [get]`\n\n## Fix\nWrite `GET`."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for group in context.hub.route_groups.values() {
        for (place, m) in group.matches.iter().enumerate() {
            for (index, method) in m.methods.iter().flatten().enumerate().filter(|(_, m)| !STANDARD.contains(&&***m)) {
                let path = matches_path(group.meta.version).index(place).field("methods").index(index);
                let upper = method.to_ascii_uppercase();
                let mut d = Diagnostic::new(CODE, &group.object_ref(), path.clone(), format!("`{method}` is not a standard method"));
                if STANDARD.contains(&upper.as_str()) {
                    // Matching more than before is for the author to decide.
                    let fix = Fix { title: format!("replace with `{upper}`"), edits: vec![Edit { path, value: Some(serde_json::Value::String(upper.clone()).to_string()) }], safe: false };
                    d = d.with_help(format!("methods are case-sensitive; write `{upper}`")).with_fix(fix);
                }
                report.push(d);
            }
        }
    }
}

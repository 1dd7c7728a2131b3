//! A source without namespace (S23).

use super::code;
use crate::diag::{Diagnostic, Edit, Fix, Report};
use crate::validate::Context;
use crate::validate::context::target_path;

code! {
    "SMI0451" "source-without-namespace" Lint "S23",
    "a source names no namespace",
    "## What it checks\nSources of TrafficTargets without `namespace`.\n\n## Why it matters\nIt means the TrafficTarget's own namespace here; in other meshes such a source matches nobody.\n\n## Example\n`sources: [{kind: ServiceAccount, name: web}]`\n\n## Fix\nWrite the namespace."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for (name, target) in &context.hub.targets {
        for (place, source) in target.sources.iter().enumerate() {
            if source.namespace.as_ref().is_none_or(|n| n.is_empty()) {
                let path = target_path(target, "sources").index(place);
                let message = format!("the source `{}` has no namespace and is taken from `{}`", source.name, name.namespace);
                let value = serde_json::Value::String(name.namespace.to_string()).to_string();
                let fix = Fix {
                    title: format!("write `namespace: {}`", name.namespace),
                    edits: vec![Edit { path: path.clone().field("namespace"), value: Some(value) }],
                    // It says what is meant already, unless whoever applies the object chooses its namespace.
                    safe: target.meta.namespaced,
                };
                report.push(
                    Diagnostic::new(CODE, &target.object_ref(), path, message)
                        .with_help(format!("write `namespace: {}`", name.namespace))
                        .with_fix(fix),
                );
            }
        }
    }
}

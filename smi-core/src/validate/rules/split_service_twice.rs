//! A split that names a service twice (S15).

use std::collections::BTreeMap;

use super::code;
use crate::diag::{Diagnostic, Edit, FieldPath, Fix, Report};
use crate::validate::Context;

code! {
    "SMI0353" "split-service-twice" Lint "S15",
    "a split names the same service twice",
    "## What it checks\nTwo backends of a split with the same service.\n\n## Why it matters\nTheir weights add up; other meshes keep one of them.\n\n## Example\n`cart-v1` with weights 10 and 20.\n\n## Fix\nKeep one entry with the sum."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for split in context.hub.splits.values() {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, backend) in split.backends.iter().enumerate() {
            let list = FieldPath::root().fields(&["spec", "backends"]);
            if let Some(earlier) = first.get(&*backend.service) {
                let message = format!("`{}` stands twice; the weights add up", backend.service);
                let mut d = Diagnostic::new(CODE, &split.object_ref(), list.clone().index(place).field("service"), message)
                    .with_related("the first one", &split.object_ref(), list.clone().index(*earlier));
                let sum = split.backends.get(*earlier).and_then(|b| b.weight.checked_add(backend.weight));
                // Weights of v1alpha1 were scaled, and the text says other numbers.
                if let Some(sum) = sum.filter(|_| split.meta.version != "v1alpha1") {
                    let weight = list.clone().index(*earlier).field("weight");
                    d = d.with_help(format!("keep one entry, with weight {sum}")).with_fix(Fix {
                        title: format!("keep one entry, with weight {sum}"),
                        edits: vec![
                            Edit { path: weight, value: Some(sum.to_string()) },
                            Edit { path: list.index(place), value: None },
                        ],
                        safe: split.backends.iter().all(|b| b.weight >= 0),
                    });
                }
                report.push(d);
            } else {
                first.insert(&backend.service, place);
            }
        }
    }
}

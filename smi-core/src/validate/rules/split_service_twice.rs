//! A split that names a service twice (S15).

use std::collections::BTreeMap;

use super::code;
use crate::diag::{Diagnostic, FieldPath, Report};
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
                report.push(
                    Diagnostic::new(CODE, &split.object_ref(), list.clone().index(place).field("service"), message)
                        .with_related("the first one", &split.object_ref(), list.index(*earlier)),
                );
            } else {
                first.insert(&backend.service, place);
            }
        }
    }
}

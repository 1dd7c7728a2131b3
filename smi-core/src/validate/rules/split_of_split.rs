//! A backend that is split itself (S16).

use super::code;
use crate::diag::{Diagnostic, FieldPath, Report};
use crate::hub::names::Namespaced;
use crate::validate::Context;
use crate::validate::context::{beside, root};

code! {
    "SMI0352" "split-of-split" Lint "S16",
    "a backend of a split is the root of another split",
    "## What it checks\nA backend that is the root service of another TrafficSplit.\n\n## Why it matters\nBackends are never followed further: the inner split does not apply to this traffic.\n\n## Example\n`cart` is split to `cart-v1`, and `cart-v1` to `cart-v1-a`.\n\n## Fix\nList all leaves in one split, with multiplied weights."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    let holds = |name: &Namespaced| context.holding.contains(&beside(name, name.name.as_str()));
    for (name, split) in context.hub.splits.iter().filter(|(name, _)| holds(name)) {
        let own = root(split);
        for (place, backend) in split.backends.iter().enumerate() {
            let inner = context.roots.get(&beside(name, &backend.service));
            if let Some(inner) = inner.filter(|_| *backend.service != *own) {
                let path = FieldPath::root().fields(&["spec", "backends"]).index(place).field("service");
                let message = format!("`{}` is split itself, which does not apply to traffic of this split", backend.service);
                report.push(
                    Diagnostic::new(CODE, &split.object_ref(), path, message).with_related(
                        "the other split",
                        &inner.object_ref(),
                        FieldPath::root().fields(&["spec", "service"]),
                    ),
                );
            }
        }
    }
}

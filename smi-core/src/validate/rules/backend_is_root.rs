//! A split whose backend is its own root (S16).

use super::code;
use crate::diag::{Diagnostic, FieldPath, Report};
use crate::validate::Context;
use crate::validate::context::root;

code! {
    "SMI0351" "split-backend-is-root" Lint "S16",
    "a backend of a split is the root service itself",
    "## What it checks\nA backend that names the root service.\n\n## Why it matters\nIt means the root's own endpoints, as Argo Rollouts expects; the specification forbids it, and Traefik Mesh drops such a split.\n\n## Example\nRoot `cart` with backends `cart` and `cart-canary`.\n\n## Fix\nNothing to do here; use a Service of its own for the stable version to be portable."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for split in context.hub.splits.values() {
        let root = root(split);
        for (place, _) in split.backends.iter().enumerate().filter(|(_, b)| *b.service == *root) {
            let path = FieldPath::root().fields(&["spec", "backends"]).index(place).field("service");
            let message = format!("`{root}` is the root itself and means its own endpoints");
            report.push(Diagnostic::new(CODE, &split.object_ref(), path, message));
        }
    }
}

//! A pattern for the host that asks for capital letters (S7).

use regex_syntax::hir::{Class, Hir, HirKind};

use super::code;
use crate::compile::matches_path;
use crate::diag::{Diagnostic, Report};
use crate::validate::Context;

code! {
    "SMI0257" "host-upper-case" Warning "S7",
    "a pattern for the host has capital letters and never matches",
    "## What it checks\nPatterns for `host` and `:authority` that match only what has a capital letter.\n\n## Why it matters\nHosts are the same in any case and are matched in lower case, so the match takes no request.\n\n## Example\n`headers: [{host: Cart.shop.mesh}]`\n\n## Fix\nWrite it in lower case."
}

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for group in context.hub.route_groups.values() {
        for (place, m) in group.matches.iter().enumerate() {
            for (name, text) in m.headers.iter().flatten() {
                let host = name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case(":authority");
                let upper = || regex_syntax::parse(text).is_ok_and(|hir| needs_upper(&hir));
                if host && text.bytes().any(|b| b.is_ascii_uppercase()) && upper() {
                    let path = matches_path(group.meta.version).index(place).field("headers").key(name.clone());
                    let message = format!("`{text}` never matches, as hosts are matched in lower case");
                    report.push(
                        Diagnostic::new(CODE, &group.object_ref(), path, message)
                            .with_help("write it in lower case"),
                    );
                }
            }
        }
    }
}

/// Whether everything that matches has a capital letter.
fn needs_upper(hir: &Hir) -> bool {
    let upper = |c: char| c.is_ascii_uppercase();
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.iter().any(u8::is_ascii_uppercase),
        HirKind::Class(Class::Unicode(class)) => class.iter().all(|r| upper(r.start()) && upper(r.end())),
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().all(|r| r.start().is_ascii_uppercase() && r.end().is_ascii_uppercase())
        }
        HirKind::Repetition(repetition) => repetition.min > 0 && needs_upper(&repetition.sub),
        HirKind::Capture(capture) => needs_upper(&capture.sub),
        HirKind::Concat(parts) => parts.iter().any(needs_upper),
        HirKind::Alternation(parts) => parts.iter().all(needs_upper),
    }
}

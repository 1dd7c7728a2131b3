//! Exact texts and prefixes among the patterns (S8).
//!
//! Works on the language: anchors at the ends are taken off, literals joined, and what is left decides. Alternatives stay regular
//! expressions.

use std::sync::Arc;

use regex_syntax::ast::{Ast, RepetitionKind};
use regex_syntax::hir::{Hir, HirKind, Look};

use super::{Anchor, Lowered};

/// The plainest form of a portable pattern.
pub(super) fn lower(portable: &str, anchor: Anchor) -> Lowered {
    let regex = || Lowered::Regex(portable.into());
    let Ok(hir) = regex_syntax::parse(portable) else { return regex() };
    let mut parts = Vec::new();
    flatten(&hir, &mut parts);
    // A leading `^` adds nothing to the anchor; everything else of its kind is left to the engines.
    while matches!(parts.first(), Some(Part::Look(Look::Start))) {
        parts.remove(0);
    }
    let mut text = Vec::new();
    let mut rest = parts.as_slice();
    while let Some((Part::Literal(bytes), tail)) = rest.split_first() {
        text.extend_from_slice(bytes);
        rest = tail;
    }
    let Ok(text) = String::from_utf8(text) else { return regex() };
    let text: Arc<str> = text.into();
    let ends = |rest: &[Part]| {
        matches!(rest, [Part::Look(Look::End)] | [Part::Look(Look::End), Part::Look(Look::End)])
    };
    let open = |text: Arc<str>| if text.is_empty() { Lowered::Any } else { Lowered::Prefix(text) };
    match (anchor, rest) {
        (Anchor::Start, []) => open(text),
        (Anchor::Whole, []) => Lowered::Exact(text),
        (_, rest) if ends(rest) => Lowered::Exact(text),
        (Anchor::Start, [Part::Anything]) => open(text),
        (_, [Part::Anything, tail @ ..]) if (anchor == Anchor::Whole && tail.is_empty()) || ends(tail) => {
            open(text)
        }
        _ => regex(),
    }
}

/// Whether some part of a sequence surely is neither text nor `.*`, so that nothing plainer is to be found; [`lower`] would say the same at
/// the price of another reading.
pub(super) fn is_choice(tree: &Ast) -> bool {
    match tree {
        Ast::Concat(parts) => parts.asts.iter().any(is_choice),
        Ast::Repetition(repetition) => match repetition.op.kind {
            RepetitionKind::ZeroOrOne => true,
            RepetitionKind::OneOrMore => matches!(*repetition.ast, Ast::ClassBracketed(_)),
            RepetitionKind::ZeroOrMore | RepetitionKind::Range(_) => false,
        },
        Ast::Empty(_)
        | Ast::Flags(_)
        | Ast::Literal(_)
        | Ast::Dot(_)
        | Ast::Assertion(_)
        | Ast::ClassUnicode(_)
        | Ast::ClassPerl(_)
        | Ast::ClassBracketed(_)
        | Ast::Group(_)
        | Ast::Alternation(_) => false,
    }
}

enum Part {
    Literal(Vec<u8>),
    Look(Look),
    /// `.*`, greedy or not, with or without line feeds, captured or not.
    Anything,
    Other,
}

fn flatten(hir: &Hir, parts: &mut Vec<Part>) {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => parts.push(Part::Literal(literal.0.to_vec())),
        HirKind::Look(look) => parts.push(Part::Look(*look)),
        HirKind::Capture(capture) => flatten(&capture.sub, parts),
        HirKind::Concat(all) => all.iter().for_each(|part| flatten(part, parts)),
        HirKind::Repetition(repetition)
            if repetition.min == 0 && repetition.max.is_none() && is_dot(&repetition.sub) =>
        {
            parts.push(Part::Anything);
        }
        HirKind::Repetition(_) | HirKind::Class(_) | HirKind::Alternation(_) => parts.push(Part::Other),
    }
}

fn is_dot(hir: &Hir) -> bool {
    [regex_syntax::hir::Dot::AnyChar, regex_syntax::hir::Dot::AnyCharExceptLF]
        .into_iter()
        .any(|d| *hir == Hir::dot(d))
}

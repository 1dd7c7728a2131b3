//! HTTP matches → rules, and sets of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use regex_syntax::hir::{Class, Hir, HirKind};
use smi_core::ir::pattern::Lowered;
use smi_core::ir::{HttpMatch, Methods, Pattern};

use crate::rule::{Matcher, Rule};

/// Which requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// None.
    Never,
    /// Those that any of these takes; not empty.
    AnyOf(BTreeSet<Rule>),
    /// All.
    Always,
}

impl Condition {
    /// Requests that any of the matches takes.
    pub(super) fn any_of(matches: &[Arc<HttpMatch>]) -> Self {
        let mut rules = BTreeSet::new();
        for m in matches {
            match requests(m) {
                Self::Never => {}
                Self::AnyOf(more) => rules.extend(more),
                Self::Always => return Self::Always,
            }
        }
        if rules.is_empty() { Self::Never } else { Self::AnyOf(rules) }
    }

    /// Requests of either.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Never, other) => other,
            (this, Self::Never) => this,
            (Self::AnyOf(mut a), Self::AnyOf(b)) => {
                a.extend(b);
                Self::AnyOf(a)
            }
        }
    }

    /// As a rule; `None` for all requests. [`Condition::Never`] has no rule and is never asked for one.
    pub(super) fn rule(&self) -> Option<Rule> {
        match self {
            Self::Never | Self::Always => None,
            Self::AnyOf(rules) => Rule::any(rules.iter().cloned()),
        }
    }
}

/// Whether Traefik can ask for a method: it reads the names in its rules in upper case, so that `Method(`get`)` would take GET.
pub(super) fn is_askable(method: &str) -> bool {
    method.to_uppercase() == method
}

/// The requests of one match.
fn requests(m: &HttpMatch) -> Condition {
    let mut parts = Vec::new();
    if let Some(path) = &m.path
        && let Some(text) = anchored(path)
    {
        if !is_blind_to_decoding(&text) {
            parts.push(Rule::one(Matcher::PathRegexp, UNDECODED));
        }
        parts.push(Rule::one(Matcher::PathRegexp, text));
    }
    if let Methods::Only(methods) = &m.methods {
        let askable = methods.iter().filter(|m| is_askable(m));
        match Rule::any(askable.map(|method| Rule::one(Matcher::Method, &**method))) {
            Some(rule) => parts.push(rule),
            None => return Condition::Never,
        }
    }
    for header in &m.headers {
        // An absent header never matches, so even a pattern of anything is a rule (S7).
        let text = anchored(&header.value).unwrap_or_else(|| "^.*$".into());
        if &*header.name == "host" {
            parts.extend(host(&header.value));
        } else {
            parts.push(Rule::Match(Matcher::HeaderRegexp, vec![header.name.to_string(), text]));
        }
    }
    Rule::all(parts).map_or(Condition::Always, |rule| Condition::AnyOf(BTreeSet::from([rule])))
}

/// Traefik's `HostRegexp` sees the trailing dot that a host may have, which is no part of its name (S37). Hosts without it fit the
/// pattern, hosts with it fit the pattern and the dot.
fn host(pattern: &Pattern) -> Option<Rule> {
    let text = anchored(pattern)?;
    let start = match pattern.lowered() {
        Lowered::Prefix(_) => format!("{text}.*"),
        Lowered::Any | Lowered::Exact(_) | Lowered::Regex(_) => {
            text.strip_suffix('$').unwrap_or(&text).to_owned()
        }
    };
    let (text, dotted) = (format!("{start}$"), format!("{start}\\.$"));
    let plain = [Rule::one(Matcher::HostRegexp, text), Rule::one(Matcher::HostRegexp, "[^.]$")];
    Rule::any(Rule::all(plain).into_iter().chain([Rule::one(Matcher::HostRegexp, dotted)]))
}

/// Paths in which Traefik decoded nothing that the canonical path (S9) keeps encoded: unreserved and reserved characters and escapes.
///
/// Traefik matches on a path in which every escape but those of reserved characters is decoded: `%7C` is `|` to it. A pattern that could
/// tell the two apart is therefore asked only of paths without such escapes; others it refuses, which narrows.
const UNDECODED: &str = r"^[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*$";

/// Whether a pattern that matches a decoded path also matches the canonical one: whatever takes a decoded character takes its escape too.
fn is_blind_to_decoding(text: &str) -> bool {
    regex_syntax::parse(text).is_ok_and(|hir| is_blind(&hir, false))
}

/// Characters that the canonical path never holds as themselves.
fn is_decoded(c: char) -> bool {
    !c.is_ascii() || !(c.is_ascii_alphanumeric() || "._~:/?#[]@!$&'()*+,;=%-".contains(c))
}

fn is_blind(hir: &Hir, repeated: bool) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            std::str::from_utf8(&literal.0).is_ok_and(|text| !text.chars().any(|c| c == '%' || is_decoded(c)))
        }
        HirKind::Class(Class::Unicode(class)) => {
            let holds = |c: char| class.ranges().iter().any(|r| r.start() <= c && c <= r.end());
            let decoded = ('\0'..='\u{7f}').any(|c| is_decoded(c) && holds(c))
                || class.ranges().iter().any(|r| !r.end().is_ascii());
            let escape = "%0123456789ABCDEFabcdef".chars().all(holds);
            !decoded || (repeated && escape)
        }
        HirKind::Class(Class::Bytes(_)) => false,
        HirKind::Repetition(repetition) => is_blind(&repetition.sub, repetition.max.is_none()),
        HirKind::Capture(capture) => is_blind(&capture.sub, repeated),
        HirKind::Concat(parts) => parts.iter().all(|part| is_blind(part, false)),
        HirKind::Alternation(parts) => parts.iter().all(|part| is_blind(part, repeated)),
    }
}

/// Traefik searches, so the anchors are spelt out; `None`: everything.
fn anchored(pattern: &Pattern) -> Option<String> {
    match pattern.lowered() {
        Lowered::Any => None,
        Lowered::Exact(text) => Some(format!("^{}$", escape(text))),
        Lowered::Prefix(text) => Some(format!("^{}", escape(text))),
        Lowered::Regex(text) => Some(match pattern.anchor() {
            smi_core::ir::pattern::Anchor::Start => format!("^(?:{text})"),
            smi_core::ir::pattern::Anchor::Whole => format!("^(?:{text})$"),
        }),
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::is_blind_to_decoding;

    #[test]
    fn s9_patterns_that_could_tell_an_escape_from_its_character_are_guarded() {
        for blind in
            ["^/api", "^(?:/items(/.*)?$)", "^(?:/v[12]/.*)", "^(?:/[a-z0-9-]+$)", "^(?:/a/[^/]+/b$)", "^/x$"]
        {
            assert!(is_blind_to_decoding(blind), "{blind}");
        }
        for telling in
            [r"^(?:/p\|q$)", "^/`$", "^(?:/.$)", "^(?:/[^%]+$)", "^(?:/[a|]*$)", "^/%7C", "^(?:/☃)"]
        {
            assert!(!is_blind_to_decoding(telling), "{telling}");
        }
    }
}

//! HTTP matches → rules, and sets of them.

use std::collections::BTreeSet;

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
    pub(super) fn any_of<'m>(matches: impl IntoIterator<Item = &'m HttpMatch>) -> Self {
        let mut rules = BTreeSet::new();
        for m in matches {
            match rule(m) {
                Some(rule) => rules.insert(rule),
                None => return Self::Always,
            };
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

/// `None`: every request.
fn rule(m: &HttpMatch) -> Option<Rule> {
    let mut parts = Vec::new();
    if let Some(path) = &m.path
        && let Some(text) = anchored(path)
    {
        parts.push(Rule::one(Matcher::PathRegexp, text));
    }
    if let Methods::Only(methods) = &m.methods {
        parts.extend(Rule::any(methods.iter().map(|method| Rule::one(Matcher::Method, &**method))));
    }
    for header in &m.headers {
        // An absent header never matches, so even a pattern of anything is a rule (S7).
        let text = anchored(&header.value).unwrap_or_else(|| "^.*$".into());
        if &*header.name == "host" {
            parts.push(Rule::one(Matcher::HostRegexp, text));
        } else {
            parts.push(Rule::Match(Matcher::HeaderRegexp, vec![header.name.to_string(), text]));
        }
    }
    Rule::all(parts)
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

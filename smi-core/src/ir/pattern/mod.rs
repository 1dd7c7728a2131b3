//! Patterns: regular expressions that mean the same in every proxy (S6–S8).
//!
//! Shape: the text as the user wrote it, how it is anchored, its portable text, and the language it was lowered to where that is plainer
//! than a regular expression.
//! Faults: [`PatternFault`] for everything outside the intersection of RE2 (Envoy), Go `regexp` (Traefik) and the Rust `regex` crate.
//! Values: paths are canonical (S9) and header values are single lines, so neither holds a line feed; `.*` therefore means anything.
//! Source: the three engines' documentation, and their answers to the same patterns.
//!
//! - `portable`: what all three read alike · `bytes`: and of bytes as of characters · `lower`: exact texts and prefixes
//! - `sibling`: what an open end admits

mod bytes;
mod lower;
mod portable;
mod sibling;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A portable regular expression with its anchoring.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Arc<str>,
    anchor: Anchor,
    lowered: Lowered,
    /// Compiled when first used, once for all copies.
    regex: Arc<OnceLock<Option<regex::bytes::Regex>>>,
}

/// Where a pattern has to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Anchor {
    /// At the start and nowhere else: `^(?:RE)` (paths, S6).
    Start,
    /// As a whole: `^(?:RE)$` (header values, S7).
    Whole,
}

/// The language of a pattern, as plainly as it can be said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lowered {
    /// Every value.
    Any,
    /// This value and no other.
    Exact(Arc<str>),
    /// Every value that starts so.
    Prefix(Arc<str>),
    /// Values that the portable text matches, anchored as the pattern is.
    Regex(Arc<str>),
}

/// Why a pattern is not portable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternFault {
    /// The offending bytes of the pattern.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.anchor == other.anchor
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// A pattern of paths, anchored at the start (S6). An escape such as `%3f` matches its hex digits in either case (S9).
    ///
    /// # Errors
    /// When the engines would not all read it alike (S8).
    pub fn path(text: &str) -> Result<Self, PatternFault> {
        Self::new(text, Anchor::Start)
    }

    /// A pattern of header values, matched as a whole (S7).
    ///
    /// # Errors
    /// When the engines would not all read it alike (S8).
    pub fn value(text: &str) -> Result<Self, PatternFault> {
        Self::new(text, Anchor::Whole)
    }

    fn new(text: &str, anchor: Anchor) -> Result<Self, PatternFault> {
        let (portable, tree) = portable::check(text, anchor)?;
        let lowered = if tree.is_some_and(|tree| lower::is_choice(&tree)) {
            Lowered::Regex(portable.into())
        } else {
            lower::lower(&portable, anchor)
        };
        Ok(Self { text: text.into(), anchor, lowered, regex: Arc::default() })
    }

    /// The pattern as the user wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How it is anchored.
    #[must_use]
    pub const fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// Its language.
    #[must_use]
    pub const fn lowered(&self) -> &Lowered {
        &self.lowered
    }

    /// Whether it matches.
    #[must_use]
    pub fn is_match(&self, value: &[u8]) -> bool {
        match &self.lowered {
            Lowered::Any => true,
            Lowered::Exact(text) => value == text.as_bytes(),
            Lowered::Prefix(text) => value.starts_with(text.as_bytes()),
            Lowered::Regex(portable) => {
                let regex = self.regex.get_or_init(|| compiled(portable, self.anchor));
                regex.as_ref().is_some_and(|r| r.is_match(value))
            }
        }
    }

    /// Whether everything that `other` matches is matched by this one. Sound, not complete: `false` means unknown.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        match (&self.lowered, &other.lowered) {
            (Lowered::Any, _) => true,
            (Lowered::Prefix(p), Lowered::Exact(o) | Lowered::Prefix(o)) => o.starts_with(&**p),
            (Lowered::Exact(a), Lowered::Exact(b)) => a == b,
            (Lowered::Regex(_), Lowered::Exact(o)) => self.is_match(o.as_bytes()),
            (Lowered::Regex(a), Lowered::Regex(b)) => a == b && self.anchor == other.anchor,
            (Lowered::Exact(_), Lowered::Any | Lowered::Prefix(_) | Lowered::Regex(_))
            | (Lowered::Prefix(_), Lowered::Any | Lowered::Regex(_))
            | (Lowered::Regex(_), Lowered::Any | Lowered::Prefix(_)) => false,
        }
    }
}

fn compiled(portable: &str, anchor: Anchor) -> Option<regex::bytes::Regex> {
    regex::bytes::Regex::new(&match anchor {
        Anchor::Start => format!("^(?:{portable})"),
        Anchor::Whole => format!("^(?:{portable})$"),
    })
    .ok()
}

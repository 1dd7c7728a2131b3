//! Patterns: regular expressions that mean the same in every proxy (S6–S8).

use std::sync::{Arc, OnceLock};

/// A portable regular expression with its anchoring.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Arc<str>,
    anchor: Anchor,
    regex: OnceLock<Option<regex::bytes::Regex>>,
}

/// Where a pattern has to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Anchor {
    /// At the start and nowhere else: `^(?:RE)` (paths, S6).
    Start,
    /// As a whole: `^(?:RE)$` (header values, S7).
    Whole,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.anchor == other.anchor
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// The pattern as the user wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How it is anchored.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// Whether it matches.
    #[must_use]
    pub fn is_match(&self, value: &[u8]) -> bool {
        let regex = self.regex.get_or_init(|| {
            regex::bytes::Regex::new(&match self.anchor {
                Anchor::Start => format!("^(?:{})", self.text),
                Anchor::Whole => format!("^(?:{})$", self.text),
            })
            .ok()
        });
        regex.as_ref().is_some_and(|r| r.is_match(value))
    }
}

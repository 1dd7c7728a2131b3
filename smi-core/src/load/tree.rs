//! The tree that YAML and JSON are read into, with the place of every key and value.
//!
//! Shape: scalars (text and form, not yet resolved), lists, maps in the order of the text. Keys are texts already: numbers and booleans
//! as keys have become what kubectl makes of them. Aliases and `<<` are expanded.
//! Units: byte offsets into the whole source text.
//! Invariant: `start <= end`; an alias that stands for a scalar has the span of the alias, inner nodes of an expanded collection have
//! those of the anchor's text, since that is what a reader has to look at.

use std::borrow::Cow;

use super::scalar::{self, Scalar};

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// What it is.
    pub kind: Kind<'a>,
}

/// The three kinds of values.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind<'a> {
    /// Text, number, boolean or null.
    Scalar(Text<'a>),
    /// A list.
    Seq(Vec<Node<'a>>),
    /// A map, in the order of the text, keys possibly repeated.
    Map(Vec<Entry<'a>>),
}

/// The text of a scalar, unescaped.
#[derive(Clone, Debug, PartialEq)]
pub struct Text<'a> {
    /// The text.
    pub text: Cow<'a, str>,
    /// Whether it is written without quotes (and without `!!str`), so that it may be a number, boolean or null.
    pub plain: bool,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    /// The key as text.
    pub key: Cow<'a, str>,
    /// First byte of the key.
    pub key_start: u32,
    /// One past the last byte of the key.
    pub key_end: u32,
    /// The value.
    pub value: Node<'a>,
}

impl<'a> Node<'a> {
    /// The scalar as the API server would see it; `None` for lists and maps.
    #[must_use]
    pub fn scalar(&self) -> Option<Scalar<'_>> {
        match &self.kind {
            Kind::Scalar(text) => Some(scalar::resolve(&text.text, text.plain)),
            Kind::Seq(_) | Kind::Map(_) => None,
        }
    }

    /// The text of a scalar that is a string, not a number or boolean that looks like one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self.scalar() {
            Some(Scalar::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// The same tree with texts of its own.
    pub(super) fn to_owned_texts(&self) -> Node<'static> {
        let owned = |text: &Cow<'_, str>| Cow::Owned(text.clone().into_owned());
        let kind = match &self.kind {
            Kind::Scalar(scalar) => Kind::Scalar(Text { text: owned(&scalar.text), plain: scalar.plain }),
            Kind::Seq(items) => Kind::Seq(items.iter().map(Node::to_owned_texts).collect()),
            Kind::Map(entries) => {
                let entry = |e: &Entry<'_>| Entry {
                    key: owned(&e.key),
                    key_start: e.key_start,
                    key_end: e.key_end,
                    value: e.value.to_owned_texts(),
                };
                Kind::Map(entries.iter().map(entry).collect())
            }
        };
        Node { start: self.start, end: self.end, kind }
    }

    /// Every value of a key, which may stand several times.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &Node<'a>> {
        let entries = match &self.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Seq(_) | Kind::Scalar(_) => &[],
        };
        entries.iter().filter(move |e| e.key == key).map(|e| &e.value)
    }

    /// Whether this is null, which the API server treats as absent.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.scalar(), Some(Scalar::Null))
    }

    /// The entries of a map; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry<'a>] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Scalar(_) | Kind::Seq(_) => &[],
        }
    }

    /// The items of a list; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Node<'a>] {
        match &self.kind {
            Kind::Seq(items) => items,
            Kind::Scalar(_) | Kind::Map(_) => &[],
        }
    }

    /// The entry of a key. Of repeated keys the last, as kubectl has it; who decodes the map refuses repetitions.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries().iter().rev().find(|e| e.key == key)
    }

    /// The bytes that a caret should underline: a scalar itself, but the key of a list or map (`key` is the entry it is the value of), and
    /// the first key of a map that has none, so that the mark stays on one line.
    #[must_use]
    pub fn caret(&self, key: Option<&Entry<'_>>) -> (u32, u32) {
        match (&self.kind, key) {
            (Kind::Scalar(_), None) => (self.start, self.end),
            (Kind::Scalar(_), Some(_)) if self.start < self.end => (self.start, self.end),
            (_, Some(key)) => (key.key_start, key.key_end),
            (Kind::Map(entries), None) => {
                entries.first().map_or((self.start, self.end), |e| (e.key_start, e.key_end))
            }
            (Kind::Seq(items), None) => items.first().map_or((self.start, self.end), |n| n.caret(None)),
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.entry(key).map(|e| &e.value)
    }
}

/// The first key that stands twice in a map: both places, the earlier first.
#[must_use]
pub fn repeated_key<'n, 'a>(entries: &'n [Entry<'a>]) -> Option<(&'n Entry<'a>, &'n Entry<'a>)> {
    const FEW: usize = 24;
    if entries.len() <= FEW {
        return entries.iter().enumerate().find_map(|(i, later)| {
            entries.iter().take(i).find(|earlier| earlier.key == later.key).map(|earlier| (earlier, later))
        });
    }
    let mut seen: std::collections::BTreeMap<&str, &Entry<'a>> = std::collections::BTreeMap::new();
    entries.iter().find_map(|later| seen.insert(&later.key, later).map(|earlier| (earlier, later)))
}

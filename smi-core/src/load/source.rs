//! Loaded texts, and where the fields of an object stand in them.
//!
//! Shape: the texts, and per object the part of a text that it was read from. No tree is kept: a part is parsed again when a place in it
//! is asked for, which costs microseconds and saves a multiple of the text in memory.
//! Units: [`Span`]s are bytes of the text as [`Sources::text`] returns it; [`LineColumn`] counts from 1, columns in characters.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

use super::limits::Limits;
use super::tree::{Entry, Kind, Node};
use super::yaml;
use crate::diag::{FieldPath, ObjectRef, Segment, SourceId, Span};

/// The texts of a world.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    sources: Vec<Source>,
    places: BTreeMap<ObjectRef, Part>,
    limits: Limits,
    /// The part that was asked for last and, from the second time on, its tree: an object with many findings is not parsed for each.
    last: Arc<Mutex<Option<Last>>>,
}

type Last = (Part, Option<Arc<Node<'static>>>);

#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
    /// Byte offsets at which lines begin.
    lines: OnceLock<Vec<u32>>,
}

/// The part of a text that an object was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) source: SourceId,
    /// The piece between two `---`.
    pub(super) piece: (u32, u32),
    /// The how-manieth document of the piece.
    pub(super) document: u32,
    /// The bytes of the item, if the document is a list.
    pub(super) item: Option<(u32, u32)>,
}

/// A position for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Sources {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limits: limits.clone(), ..Self::default() }
    }

    /// Adds a text. Its id is its place in the order of inputs.
    pub(super) fn push(&mut self, name: String, text: String) {
        self.sources.push(Source { name, text, lines: OnceLock::new() });
    }

    /// Remembers where objects stand. Of several with the same name the first in the order of inputs is found.
    pub(super) fn set_places(&mut self, places: BTreeMap<ObjectRef, Part>) {
        self.places = places;
    }

    /// The ids of all texts, in the order of inputs.
    pub fn ids(&self) -> impl Iterator<Item = SourceId> + use<> {
        (0..u32::try_from(self.sources.len()).unwrap_or(u32::MAX)).map(SourceId)
    }

    fn source(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(usize::try_from(id.0).ok()?)
    }

    /// The text that spans of this source point into; empty for an id of other sources.
    #[must_use]
    pub fn text(&self, id: SourceId) -> &str {
        self.source(id).map_or("", |s| &s.text)
    }

    /// The name of the input, a path or `-`; empty for an id of other sources.
    #[must_use]
    pub fn name(&self, id: SourceId) -> &str {
        self.source(id).map_or("", |s| &s.name)
    }

    /// The text of a span.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.source).get(range(span.start, span.end)).unwrap_or_default()
    }

    /// Line and column of the first byte of a span.
    #[must_use]
    pub fn line_column(&self, span: Span) -> LineColumn {
        self.position(span.source, span.start)
    }

    /// Line and column of a byte.
    #[must_use]
    pub fn position(&self, source: SourceId, byte: u32) -> LineColumn {
        let Some(source) = self.source(source) else { return LineColumn { line: 1, column: 1 } };
        let lines = source.lines.get_or_init(|| line_starts(&source.text));
        // The first line begins at 0, so at least one line begins at or before any byte.
        let line = lines.partition_point(|start| *start <= byte).max(1);
        let start = lines.get(line - 1).copied().unwrap_or(0);
        let before = source.text.get(range(start, byte)).unwrap_or_default();
        let column = before.trim_start_matches('\u{feff}').chars().count() + 1;
        LineColumn { line, column }
    }

    /// The value of a field, or of the nearest field around it that exists. `None` for objects that were not read from text.
    #[must_use]
    pub fn locate(&self, object: &ObjectRef, path: &FieldPath) -> Option<Span> {
        self.find(object, path, |found| match found.key {
            // A key without a value: there is nothing to show but the key.
            Some(key) if found.node.start == found.node.end => (key.key_start, key.key_end),
            _ => (found.node.start, found.node.end),
        })
    }

    /// The key of a field, where it has one and exists.
    #[must_use]
    pub fn locate_key(&self, object: &ObjectRef, path: &FieldPath) -> Option<Span> {
        let part = self.part(object)?;
        let key = self.with_root(part, |root| {
            let found = walk(root, path);
            found.whole.then_some(found.key).flatten().map(|key| (key.key_start, key.key_end))
        })??;
        Some(Span { source: part.source, start: key.0, end: key.1 })
    }

    /// What a caret should underline for a finding about a field: a scalar value, the key of a list or map, the name of an object.
    /// Always within one line unless the value is text of several lines.
    #[must_use]
    pub fn caret(&self, object: &ObjectRef, path: &FieldPath) -> Option<Span> {
        self.find(object, path, |found| {
            let root = found.key.is_none().then(|| found.node.get("metadata")?.entry("name")).flatten();
            match root {
                Some(name) => name.value.caret(Some(name)),
                None => found.node.caret(found.key),
            }
        })
    }

    fn find(
        &self,
        object: &ObjectRef,
        path: &FieldPath,
        show: impl FnOnce(&Found<'_, '_>) -> (u32, u32),
    ) -> Option<Span> {
        let part = self.part(object)?;
        let (start, end) = self.with_root(part, |root| show(&walk(root, path)))?;
        Some(Span { source: part.source, start, end })
    }

    /// Where an object stands. An object that was converted goes by another version than its text.
    pub(super) fn part(&self, object: &ObjectRef) -> Option<&Part> {
        let same = |other: &ObjectRef| {
            (&other.group, &other.kind, &other.namespace, &other.name)
                == (&object.group, &object.kind, &object.namespace, &object.name)
        };
        self.places
            .get(object)
            .or_else(|| self.places.iter().find(|(other, _)| same(other)).map(|(_, part)| part))
    }

    /// The part of a text that an object stands in, as a tree.
    pub(super) fn with_root<T>(&self, part: &Part, use_root: impl FnOnce(&Node<'_>) -> T) -> Option<T> {
        let Ok(mut last) = self.last.lock() else { return self.parsed(part, use_root) };
        match &mut *last {
            Some((same, tree)) if same == part => {
                if tree.is_none() {
                    *tree = Some(Arc::new(self.parsed(part, |root| root.to_owned_texts())?));
                }
                let tree = tree.clone()?;
                drop(last);
                Some(use_root(&tree))
            }
            other => {
                *other = Some((*part, None));
                drop(last);
                self.parsed(part, use_root)
            }
        }
    }

    fn parsed<T>(&self, part: &Part, use_root: impl FnOnce(&Node<'_>) -> T) -> Option<T> {
        let text = self.text(part.source);
        if let Some((start, end)) = part.item {
            // An item of a block list begins in the middle of a line: indent it as far as it stood, so that its other lines fit.
            let slice = text.get(range(start, end))?;
            let line = text.get(..usize::try_from(start).ok()?)?.rfind('\n').map_or(0, |at| at + 1);
            let indent = usize::try_from(start).ok()?.saturating_sub(line);
            let padded = format!("{}{slice}", " ".repeat(indent));
            // Aliases to anchors outside the item need the whole document.
            if let Ok(documents) = yaml::parse(&padded, line, &self.limits)
                && let [root] = documents.as_slice()
                && (root.start, root.end) == (start, end)
            {
                return Some(use_root(root));
            }
        }
        let (start, end) = part.piece;
        let piece = text.get(range(start, end))?;
        let documents = yaml::parse(piece, usize::try_from(start).ok()?, &self.limits).ok()?;
        let root = documents.get(usize::try_from(part.document).ok()?)?;
        match part.item {
            None => Some(use_root(root)),
            Some(place) => {
                let item = root.get("items")?.items().iter().find(|n| (n.start, n.end) == place)?;
                Some(use_root(item))
            }
        }
    }
}

fn range(start: u32, end: u32) -> Range<usize> {
    let to = |byte| usize::try_from(byte).unwrap_or(usize::MAX);
    to(start)..to(end)
}

fn line_starts(text: &str) -> Vec<u32> {
    let after = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(after).filter_map(|at| u32::try_from(at).ok()).collect()
}

/// A field, or the nearest one around it.
pub(super) struct Found<'n, 'a> {
    pub(super) node: &'n Node<'a>,
    pub(super) key: Option<&'n Entry<'a>>,
    /// Whether the whole path was found.
    pub(super) whole: bool,
}

pub(super) fn walk<'n, 'a>(root: &'n Node<'a>, path: &FieldPath) -> Found<'n, 'a> {
    let mut found = Found { node: root, key: None, whole: true };
    // The oldest versions have at the top level what the others have in `spec`.
    let segments = match path.segments() {
        [Segment::Field(spec), rest @ ..] if **spec == *"spec" && root.entry("spec").is_none() => rest,
        all => all,
    };
    for segment in segments {
        let next = match (segment, &found.node.kind) {
            (Segment::Field(name), Kind::Map(_)) => found.node.entry(name).map(|e| (&e.value, Some(e))),
            // Header matches may be a list of maps, which the model shows as one map (S3).
            (Segment::Field(name), Kind::Seq(items)) => {
                items.iter().find_map(|n| n.entry(name)).map(|e| (&e.value, Some(e)))
            }
            (Segment::Index(index), Kind::Seq(items)) => items.get(*index).map(|n| (n, None)),
            (Segment::Index(index), Kind::Map(entries)) => entries.get(*index).map(|e| (&e.value, Some(e))),
            (Segment::Field(_) | Segment::Index(_), Kind::Scalar(_)) => None,
        };
        match next {
            Some((node, key)) => (found.node, found.key) = (node, key),
            None => {
                found.whole = false;
                break;
            }
        }
    }
    found
}

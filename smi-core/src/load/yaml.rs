//! YAML text → documents → trees.
//!
//! A text is cut at its `---` lines first, as kubectl does, and every piece is parsed by itself, so that a syntax error spoils one
//! document and no other. Events come from granit-parser; anchors, aliases, `<<` and tags are dealt with here.
//! Faults: one [`Fault`] per piece, of which nothing is taken then.
//! Absent: what scalars mean ([`super::scalar`]), and repeated keys, which matter only in objects that are decoded ([`super::de`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle, Tag};

use super::limits::Limits;
use super::scalar::{self, Scalar};
use super::tree::{Entry, Kind, Node, Text};
use super::{block, json};

/// Why a document cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// First byte of the text at fault.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// What kind of fault.
    pub kind: FaultKind,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Kinds of faults, which have codes of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Not YAML, or YAML that has no JSON form.
    Syntax,
    /// A key that two readers would take from different places.
    Repeated,
    /// More than [`Limits`] allow.
    TooLarge,
}

/// Cuts a text at the lines that begin with `---`, each piece beginning with its marker.
#[must_use]
pub fn pieces(text: &str) -> Vec<Range<usize>> {
    let mut cuts = vec![0];
    for (at, _) in text.match_indices("\n---") {
        let start = at + 1;
        let ends_marker = matches!(text.as_bytes().get(start + 3), None | Some(b' ' | b'\t' | b'\r' | b'\n'));
        let piece_start = cuts.last().copied().unwrap_or(0);
        // `%YAML` and `%TAG` lines belong to the document that follows them.
        if ends_marker && !text.get(piece_start..start).is_some_and(is_prologue) {
            cuts.push(start);
        }
    }
    let ends = cuts.iter().copied().skip(1).chain([text.len()]);
    cuts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

fn is_prologue(piece: &str) -> bool {
    let mut directives = false;
    // A document is longer than any prologue, so this stops at its first lines.
    piece.lines().all(|line| {
        let line = line.trim_start_matches('\u{feff}');
        directives |= line.starts_with('%');
        line.starts_with(['%', '#']) || line.trim().is_empty()
    }) && directives
}

/// The documents of one piece of a text. `offset` is added to every position.
///
/// # Errors
/// The first fault. Documents that `...` ends before it are not taken either: kubectl would refuse the whole piece.
pub fn parse<'a>(text: &'a str, offset: usize, limits: &Limits) -> Result<Vec<Node<'a>>, Fault> {
    if let Some(document) = block::parse(text, offset, limits) {
        return Ok(vec![document]);
    }
    if let Some(objects) = json::parse(text, offset, limits) {
        return Ok(objects);
    }
    parse_all(text, offset, limits)
}

/// The same with the complete parser.
pub(super) fn parse_all<'a>(text: &'a str, offset: usize, limits: &Limits) -> Result<Vec<Node<'a>>, Fault> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    // Like libyaml, which kubectl's reader is a port of.
    options.block_scalar_eof_without_line_feed = true;
    // Nesting is counted here, where aliases are known; this is only above it.
    options.flow_nesting_limit = limits.depth.saturating_add(1);
    options.block_nesting_limit = limits.depth.saturating_add(1);
    let mut builder = Builder::new(limits, offset);
    let mut documents = Vec::new();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| {
            let at = error.marker().byte_offset().unwrap_or(text.len());
            builder.syntax_error(text, at, error.kind())
        })?;
        builder.event(event, span.byte_range().unwrap_or_default(), &mut documents)?;
    }
    Ok(documents)
}

/// A list or map that is not complete yet.
#[derive(Debug)]
struct Frame<'a> {
    start: u32,
    flow: bool,
    anchor: usize,
    content: Content<'a>,
}

#[derive(Debug)]
enum Content<'a> {
    Seq(Vec<Node<'a>>),
    Map { entries: Vec<Entry<'a>>, key: Option<Key<'a>>, merges: Vec<Merge<'a>> },
}

#[derive(Debug)]
struct Key<'a> {
    text: Cow<'a, str>,
    start: u32,
    end: u32,
    merge: bool,
}

/// A `<<` and how many keys stood before it.
#[derive(Debug)]
struct Merge<'a> {
    after: usize,
    start: u32,
    end: u32,
    value: Node<'a>,
}

#[derive(Debug)]
struct Builder<'a, 'l> {
    limits: &'l Limits,
    offset: usize,
    stack: Vec<Frame<'a>>,
    anchors: BTreeMap<usize, (Node<'a>, Measure)>,
    nodes: usize,
    alias_nodes: usize,
    alias_bytes: usize,
}

/// Size of a tree.
#[derive(Clone, Copy, Debug, Default)]
struct Measure {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl<'a, 'l> Builder<'a, 'l> {
    const fn new(limits: &'l Limits, offset: usize) -> Self {
        Self {
            limits,
            offset,
            stack: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            alias_nodes: 0,
            alias_bytes: 0,
        }
    }

    /// A position in the whole text. Inputs above 4 GiB are refused before they come here.
    fn at(&self, byte: usize) -> u32 {
        u32::try_from(byte.saturating_add(self.offset)).unwrap_or(u32::MAX)
    }

    fn event(&mut self, event: Event<'a>, range: Range<usize>, out: &mut Vec<Node<'a>>) -> Result<(), Fault> {
        let (start, end) = (self.at(range.start), self.at(range.end));
        match event {
            Event::DocumentStart(..) => {
                self.anchors.clear();
                (self.nodes, self.alias_nodes, self.alias_bytes) = (0, 0, 0);
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, start, end)?;
                let plain = self.plain(&text, style, tag.as_deref(), start, end)?;
                let node = Node { start, end, kind: Kind::Scalar(Text { text, plain }) };
                self.close(node, anchor, out)
            }
            Event::SequenceStart(style, anchor, _) => {
                let flow = style == StructureStyle::Flow;
                self.open(Frame { start, flow, anchor, content: Content::Seq(Vec::new()) }, end)
            }
            Event::MappingStart(style, anchor, _) => {
                let flow = style == StructureStyle::Flow;
                let content = Content::Map { entries: Vec::new(), key: None, merges: Vec::new() };
                self.open(Frame { start, flow, anchor, content }, end)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else { return Ok(()) };
                let anchor = frame.anchor;
                let node = self.finish(frame, end)?;
                self.close(node, anchor, out)
            }
            Event::Alias(id) => self.alias(id, start, end, out),
            // An alias without an anchor is the parser's error, comments are not asked for, anchors arrive with their nodes.
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | Event::Comment(..)
            | _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize, start: u32, end: u32) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            return Err(too_large(
                start,
                end,
                format!("the document has more than {} values", self.limits.nodes),
            ));
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize, start: u32, end: u32) -> Result<(), Fault> {
        if depth > self.limits.depth {
            return Err(too_large(
                start,
                end,
                format!("lists and maps are nested more than {} deep", self.limits.depth),
            ));
        }
        Ok(())
    }

    fn open(&mut self, frame: Frame<'a>, end: u32) -> Result<(), Fault> {
        self.count(1, frame.start, end)?;
        self.check_depth(self.stack.len() + 1, frame.start, end)?;
        self.stack.push(frame);
        Ok(())
    }

    /// Whether a scalar may be a number, boolean or null.
    fn plain(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        start: u32,
        end: u32,
    ) -> Result<bool, Fault> {
        let Some(tag) = tag else { return Ok(style == ScalarStyle::Plain) };
        let resolved = scalar::resolve(text, true);
        let fits = match tag.core_suffix() {
            Some("int") => matches!(resolved, Scalar::Int(_) | Scalar::Uint(_)),
            Some("float") => matches!(resolved, Scalar::Int(_) | Scalar::Uint(_) | Scalar::Float(_)),
            Some("bool") => matches!(resolved, Scalar::Bool(_)),
            Some("null") => matches!(resolved, Scalar::Null),
            _ if tag.suffix_in_namespace("tag:yaml.org,2002:").as_deref() == Some("binary") => false,
            // `!!str`, and tags of applications, which kubectl ignores.
            _ => return Ok(false),
        };
        if fits {
            return Ok(true);
        }
        Err(syntax(start, end, format!("`{}` does not fit the tag `{}`", shorten(text), tag.original())))
    }

    fn finish(&self, frame: Frame<'a>, end: u32) -> Result<Node<'a>, Fault> {
        let Frame { start, flow, content, .. } = frame;
        match content {
            Content::Seq(items) => {
                // The end of a block collection is reported where the next token begins, the beginning sometimes at the first dash.
                let start = if flow { start } else { items.first().map_or(start, |n| n.start) };
                let end = if flow { end } else { items.last().map_or(start, |n| n.end) };
                Ok(Node { start, end, kind: Kind::Seq(items) })
            }
            Content::Map { mut entries, merges, .. } => {
                let last = entries.last().map(|e| e.value.end.max(e.key_end));
                let last = last.max(merges.last().map(|m| m.value.end.max(m.end)));
                let end = if flow { end } else { last.unwrap_or(start) };
                merge(&mut entries, merges)?;
                Ok(Node { start, end, kind: Kind::Map(entries) })
            }
        }
    }

    /// Puts a complete value where it belongs.
    fn close(&mut self, node: Node<'a>, anchor: usize, out: &mut Vec<Node<'a>>) -> Result<(), Fault> {
        if anchor != 0 {
            let measure = measure(&node);
            self.spend(measure, node.start, node.end)?;
            self.anchors.insert(anchor, (node.clone(), measure));
        }
        let Some(frame) = self.stack.last_mut() else {
            out.push(node);
            return Ok(());
        };
        match &mut frame.content {
            Content::Seq(items) => items.push(node),
            Content::Map { entries, key, merges } => match key.take() {
                None => *key = Some(read_key(node)?),
                Some(k) if k.merge => {
                    merges.push(Merge { after: entries.len(), start: k.start, end: k.end, value: node });
                }
                Some(k) => {
                    entries.push(Entry { key: k.text, key_start: k.start, key_end: k.end, value: node });
                }
            },
        }
        Ok(())
    }

    /// Counts a copy of a tree against the limits of aliases.
    fn spend(&mut self, measure: Measure, start: u32, end: u32) -> Result<(), Fault> {
        self.alias_nodes = self.alias_nodes.saturating_add(measure.nodes);
        self.alias_bytes = self.alias_bytes.saturating_add(measure.bytes);
        if self.alias_nodes > self.limits.alias_nodes || self.alias_bytes > self.limits.alias_bytes {
            return Err(too_large(
                start,
                end,
                "the aliases of this document expand to more than a manifest can need",
            ));
        }
        self.count(measure.nodes, start, end)
    }

    fn alias(&mut self, id: usize, start: u32, end: u32, out: &mut Vec<Node<'a>>) -> Result<(), Fault> {
        let Some((node, measure)) = self.anchors.get(&id).map(|(n, m)| (n.clone(), *m)) else {
            return Err(syntax(start, end, "the alias stands inside its own anchor"));
        };
        self.spend(measure, start, end)?;
        self.check_depth(self.stack.len() + measure.depth, start, end)?;
        self.close(Node { start, end, kind: node.kind }, 0, out)
    }

    fn syntax_error(&self, text: &str, at: usize, kind: &granit_parser::ErrorKind) -> Fault {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let width =
            text.get(at..).and_then(|t| t.chars().next()).filter(|c| *c != '\n').map_or(0, char::len_utf8);
        if *kind == granit_parser::ErrorKind::RecursionLimitExceeded {
            let message = format!("lists and maps are nested more than {} deep", self.limits.depth);
            return too_large(self.at(at), self.at(at + width), message);
        }
        syntax(self.at(at), self.at(at + width), kind.to_string().replace('\n', " "))
    }
}

fn syntax(start: u32, end: u32, message: impl Into<String>) -> Fault {
    Fault { start, end, kind: FaultKind::Syntax, message: message.into(), help: None }
}

fn too_large(start: u32, end: u32, message: impl Into<String>) -> Fault {
    Fault { start, end, kind: FaultKind::TooLarge, message: message.into(), help: None }
}

/// The first forty characters.
pub(super) fn shorten(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(40) {
        None => Cow::Borrowed(text),
        Some((at, _)) => Cow::Owned(format!("{}…", text.get(..at).unwrap_or_default())),
    }
}

fn read_key(node: Node<'_>) -> Result<Key<'_>, Fault> {
    let (start, end) = (node.start, node.end);
    match node.kind {
        Kind::Scalar(Text { text, plain }) => {
            let merge = plain && text == "<<";
            match scalar::key_text(text, plain) {
                Some(text) => Ok(Key { text, start, end, merge }),
                None => Err(syntax(start, end, "null is not a key")),
            }
        }
        Kind::Seq(_) => Err(syntax(start, end, "a list is not a key")),
        Kind::Map(_) => Err(syntax(start, end, "a map is not a key")),
    }
}

/// Adds the entries of `<<`. Keys of the map itself win, earlier maps of a list win over later ones.
///
/// SPEC: a key that stands *before* a `<<` which has it too is refused: YAML says the map's own key wins, go-yaml v2 (kubectl) takes the
/// merged one. Pinned by `merge_after_the_same_key_is_refused`.
fn merge<'a>(entries: &mut Vec<Entry<'a>>, merges: Vec<Merge<'a>>) -> Result<(), Fault> {
    if merges.is_empty() {
        return Ok(());
    }
    let own = entries.len();
    let mut index: BTreeMap<Cow<'a, str>, usize> =
        entries.iter().enumerate().map(|(i, e)| (e.key.clone(), i)).collect();
    for Merge { after, start, end, value } in merges {
        let maps = match value.kind {
            Kind::Map(_) => vec![value],
            Kind::Seq(items) => items,
            Kind::Scalar(_) => vec![value],
        };
        let first_merged = entries.len();
        for map in maps {
            let Kind::Map(merged) = map.kind else {
                return Err(syntax(start, end, "`<<` takes a map or a list of maps"));
            };
            for entry in merged {
                match index.get(&entry.key) {
                    None => {
                        index.insert(entry.key.clone(), entries.len());
                        entries.push(entry);
                    }
                    Some(at) if (after..own).contains(at) || *at >= first_merged => {}
                    Some(_) => {
                        return Err(Fault {
                            start,
                            end,
                            kind: FaultKind::Repeated,
                            message: format!(
                                "`<<` repeats the key `{}`, which stands before it",
                                shorten(&entry.key)
                            ),
                            help: Some(
                                "put `<<` first, so that every reader takes the key of the map itself"
                                    .to_owned(),
                            ),
                        });
                    }
                }
            }
        }
    }
    Ok(())
}

fn measure(node: &Node<'_>) -> Measure {
    match &node.kind {
        Kind::Scalar(text) => Measure { nodes: 1, bytes: text.text.len(), depth: 0 },
        Kind::Seq(items) => below(items.iter().map(measure)),
        Kind::Map(entries) => below(entries.iter().map(|e| {
            let value = measure(&e.value);
            Measure { bytes: value.bytes.saturating_add(e.key.len()), ..value }
        })),
    }
}

fn below(parts: impl Iterator<Item = Measure>) -> Measure {
    parts.fold(Measure { nodes: 1, bytes: 0, depth: 1 }, |sum, part| Measure {
        nodes: sum.nodes.saturating_add(part.nodes),
        bytes: sum.bytes.saturating_add(part.bytes),
        depth: sum.depth.max(part.depth + 1),
    })
}

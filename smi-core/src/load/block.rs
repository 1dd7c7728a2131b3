//! A fast reader for the YAML that manifests are mostly written in.
//!
//! Shape: one document of printable ASCII in block style: maps and lists by indentation, plain and quoted scalars of one line without
//! escapes, flow collections of one line with simple scalars, comments. It says `None` to everything else (anchors, tags, block and
//! multi-line scalars, escapes, tabs, errors), and [`super::yaml`] reads that with a complete parser.
//! Invariant: what it reads, the complete parser reads as the same tree with the same places (property `the_fast_reader_agrees`).
//! Reason: it is about ten times as fast.

use std::borrow::Cow;

use super::limits::Limits;
use super::scalar;
use super::tree::{Entry, Kind, Node, Text};

/// Nesting that is read here; deeper documents are left to the complete parser.
const DEPTH: usize = 40;
/// Longest key; the complete parser's own limit is higher.
const KEY_LENGTH: usize = 256;

/// The document of one piece of a text, if it is simple enough. `offset` is added to every position.
pub(super) fn parse<'a>(text: &'a str, offset: usize, limits: &Limits) -> Option<Node<'a>> {
    let bytes = text.as_bytes();
    if !bytes.iter().all(|b| matches!(b, b' '..=b'~' | b'\n')) {
        return None;
    }
    let depth = DEPTH.min(limits.depth);
    let mut reader = Reader { text, bytes, offset, line: None, next: 0, nodes: limits.nodes, depth };
    if text.starts_with("---") {
        reader.next = reader.end_of_line(3)?;
    }
    reader.advance();
    let (indent, at) = reader.line?;
    if indent != 0 || bytes.get(at) == Some(&b'-') {
        return None;
    }
    let root = reader.map(0, 0)?;
    reader.line.is_none().then_some(root)
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    offset: usize,
    /// Column and position of what is read next; `None` at the end.
    line: Option<(usize, usize)>,
    /// Where the line after that begins.
    next: usize,
    /// How many nodes may still come.
    nodes: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn skip_spaces(&self, mut at: usize) -> usize {
        while self.byte(at) == Some(b' ') {
            at += 1;
        }
        at
    }

    /// The position of the line break (or end of text) if nothing but spaces and a comment stands before it.
    fn end_of_line(&self, at: usize) -> Option<usize> {
        let content = self.skip_spaces(at);
        match self.byte(content) {
            None | Some(b'\n') => Some(content),
            Some(b'#') if content > at => Some(self.line_break(content)),
            Some(_) => None,
        }
    }

    fn line_break(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.iter().position(|b| *b == b'\n').map_or(self.bytes.len(), |n| at + n)
    }

    /// Goes to the next line with content.
    fn advance(&mut self) {
        let mut start = self.next;
        loop {
            let content = self.skip_spaces(start);
            match self.byte(content) {
                None => {
                    self.line = None;
                    return;
                }
                Some(b'\n') => start = content + 1,
                Some(b'#') => start = self.line_break(content) + 1,
                Some(_) => {
                    self.line = Some((content - start, content));
                    return;
                }
            }
        }
    }

    /// Ends the line at hand, whose break is at `end`.
    fn end_line(&mut self, end: usize) {
        self.next = end + 1;
        self.advance();
    }

    fn place(&self, at: usize) -> Option<u32> {
        u32::try_from(at + self.offset).ok()
    }

    fn node(&mut self, start: usize, end: usize, kind: Kind<'a>) -> Option<Node<'a>> {
        self.nodes = self.nodes.checked_sub(1)?;
        Some(Node { start: self.place(start)?, end: self.place(end)?, kind })
    }

    fn is_dash(&self, at: usize) -> bool {
        self.byte(at) == Some(b'-') && matches!(self.byte(at + 1), None | Some(b' ' | b'\n'))
    }

    /// The value that begins at the line at hand, which is more indented than what it belongs to.
    fn block(&mut self, depth: usize) -> Option<Node<'a>> {
        let (indent, at) = self.line?;
        if self.is_dash(at) { self.seq(indent, false, depth) } else { self.map(indent, depth) }
    }

    fn map(&mut self, indent: usize, depth: usize) -> Option<Node<'a>> {
        if depth >= self.depth {
            return None;
        }
        let mut entries: Vec<Entry<'a>> = Vec::new();
        loop {
            let (_, at) = self.line?;
            entries.push(self.entry(indent, at, depth)?);
            match self.line {
                Some((next, _)) if next == indent => {}
                Some((next, _)) if next > indent => return None,
                Some(_) | None => break,
            }
        }
        let (first, last) = (entries.first()?, entries.last()?);
        let (start, end) = (first.key_start, last.value.end.max(last.key_end));
        self.nodes = self.nodes.checked_sub(1)?;
        Some(Node { start, end, kind: Kind::Map(entries) })
    }

    fn entry(&mut self, indent: usize, at: usize, depth: usize) -> Option<Entry<'a>> {
        let (key, key_end, after) = self.key(at)?;
        let (key_start, key_end_place) = (self.place(at)?, self.place(key_end)?);
        let value = match self.end_of_line(after) {
            Some(end) => {
                self.end_line(end);
                match self.line {
                    Some((next, _)) if next > indent => self.block(depth + 1)?,
                    Some((next, at)) if next == indent && self.is_dash(at) => {
                        self.seq(indent, true, depth + 1)?
                    }
                    // Nothing: null, which has its place right after the key.
                    Some(_) | None => {
                        let text = Text { text: Cow::Borrowed("~"), plain: true };
                        self.node(key_end, key_end, Kind::Scalar(text))?
                    }
                }
            }
            None => self.inline(indent, self.skip_spaces(after), depth + 1)?,
        };
        Some(Entry { key, key_start, key_end: key_end_place, value })
    }

    fn seq(&mut self, indent: usize, in_map: bool, depth: usize) -> Option<Node<'a>> {
        if depth >= self.depth {
            return None;
        }
        let mut items = Vec::new();
        loop {
            let (_, dash) = self.line?;
            let content = self.skip_spaces(dash + 1);
            let item = match self.end_of_line(dash + 1) {
                Some(end) => {
                    self.end_line(end);
                    self.line.filter(|(next, _)| *next > indent)?;
                    self.block(depth + 1)?
                }
                None if self.key(content).is_some() => {
                    let column = indent + (content - dash);
                    self.line = Some((column, content));
                    self.map(column, depth + 1)?
                }
                None => self.inline(indent, content, depth + 1)?,
            };
            items.push(item);
            match self.line {
                Some((next, at)) if next == indent && self.is_dash(at) => {}
                Some((next, _)) if next > indent || (next == indent && !in_map) => return None,
                Some(_) | None => break,
            }
        }
        let (start, end) = (items.first()?.start, items.last()?.end);
        self.nodes = self.nodes.checked_sub(1)?;
        Some(Node { start, end, kind: Kind::Seq(items) })
    }

    /// A key, where it ends, and the position after its colon. `None` if this is not the beginning of an entry that is read here.
    fn key(&self, at: usize) -> Option<(Cow<'a, str>, usize, usize)> {
        let (text, plain, end) = match self.byte(at)? {
            quote @ (b'"' | b'\'') => {
                let (text, end) = self.quoted(at, quote)?;
                (text, false, end)
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'/' => {
                let mut end = at + 1;
                while self.byte(end).is_some_and(is_key_byte) {
                    end += 1;
                }
                (self.text.get(at..end)?, true, end)
            }
            _ => return None,
        };
        let colon = self.byte(end) == Some(b':') && matches!(self.byte(end + 1), None | Some(b' ' | b'\n'));
        if !colon || text.len() > KEY_LENGTH {
            return None;
        }
        Some((scalar::key_text(Cow::Borrowed(text), plain)?, end, end + 1))
    }

    /// A quoted text of one line without escapes, and the position after the closing quote.
    fn quoted(&self, at: usize, quote: u8) -> Option<(&'a str, usize)> {
        let mut end = at + 1;
        loop {
            match self.byte(end)? {
                b'\n' => return None,
                b'\\' if quote == b'"' => return None,
                byte if byte == quote => break,
                _ => end += 1,
            }
        }
        // `''` is an escape.
        if quote == b'\'' && self.byte(end + 1) == Some(b'\'') {
            return None;
        }
        Some((self.text.get(at + 1..end)?, end + 1))
    }

    /// A value on the line of its key or dash, which is indented by `indent`. Goes to the next line.
    fn inline(&mut self, indent: usize, at: usize, depth: usize) -> Option<Node<'a>> {
        let (node, end) = match self.byte(at)? {
            quote @ (b'"' | b'\'') => {
                let (text, end) = self.quoted(at, quote)?;
                let text = Text { text: Cow::Borrowed(text), plain: false };
                (self.node(at, end, Kind::Scalar(text))?, end)
            }
            b'[' | b'{' => self.flow(at, depth)?,
            b'-' if self.byte(at + 1).is_some_and(|b| b.is_ascii_alphanumeric() || b == b'.') => {
                self.plain(at)?
            }
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'_'
            | b'.'
            | b'/'
            | b'('
            | b'+'
            | b'$'
            | b'^'
            | b'~' => self.plain(at)?,
            _ => return None,
        };
        let end = self.end_of_line(end)?;
        self.end_line(end);
        // A more indented line would continue the scalar, or is an error.
        if self.line.is_some_and(|(next, _)| next > indent) { None } else { Some(node) }
    }

    /// A plain scalar up to the end of the line or a comment.
    fn plain(&mut self, at: usize) -> Option<(Node<'a>, usize)> {
        let mut end = at;
        let mut last = at;
        loop {
            match self.byte(end) {
                None | Some(b'\n') => break,
                Some(b'#') if end > at && self.byte(end - 1) == Some(b' ') => break,
                // An entry of a map where none may be, or of one that is not read here.
                Some(b':') if matches!(self.byte(end + 1), None | Some(b' ' | b'\n')) => return None,
                Some(b' ') => {}
                Some(_) => last = end,
            }
            end += 1;
        }
        let end = last + 1;
        let text = Text { text: Cow::Borrowed(self.text.get(at..end)?), plain: true };
        Some((self.node(at, end, Kind::Scalar(text))?, end))
    }

    /// A flow collection of one line, or a simple scalar in one.
    fn flow(&mut self, at: usize, depth: usize) -> Option<(Node<'a>, usize)> {
        let byte = self.byte(at)?;
        match byte {
            b'[' | b'{' if depth >= self.depth => None,
            b'[' => {
                let mut items = Vec::new();
                let mut next = self.skip_spaces(at + 1);
                while self.byte(next)? != b']' {
                    if !items.is_empty() {
                        next = self.comma(next)?;
                    }
                    let (item, end) = self.flow(next, depth + 1)?;
                    items.push(item);
                    next = self.skip_spaces(end);
                }
                Some((self.node(at, next + 1, Kind::Seq(items))?, next + 1))
            }
            b'{' => {
                let mut entries: Vec<Entry<'a>> = Vec::new();
                let mut next = self.skip_spaces(at + 1);
                while self.byte(next)? != b'}' {
                    if !entries.is_empty() {
                        next = self.comma(next)?;
                    }
                    let (key, key_end, after) = self.key(next)?;
                    let (value, end) = self.flow(self.skip_spaces(after), depth + 1)?;
                    let (key_start, key_end) = (self.place(next)?, self.place(key_end)?);
                    entries.push(Entry { key, key_start, key_end, value });
                    next = self.skip_spaces(end);
                }
                Some((self.node(at, next + 1, Kind::Map(entries))?, next + 1))
            }
            b'"' | b'\'' => {
                let (text, end) = self.quoted(at, byte)?;
                let text = Text { text: Cow::Borrowed(text), plain: false };
                self.ends_in_flow(end)?;
                Some((self.node(at, end, Kind::Scalar(text))?, end))
            }
            byte if is_key_byte(byte) && byte != b'-' => {
                let mut end = at + 1;
                while self.byte(end).is_some_and(is_key_byte) {
                    end += 1;
                }
                self.ends_in_flow(end)?;
                let text = Text { text: Cow::Borrowed(self.text.get(at..end)?), plain: true };
                Some((self.node(at, end, Kind::Scalar(text))?, end))
            }
            _ => None,
        }
    }

    /// Checks that a scalar in a flow collection ends here: words in a row, colons and the like are not read.
    fn ends_in_flow(&self, at: usize) -> Option<()> {
        matches!(self.byte(self.skip_spaces(at))?, b',' | b']' | b'}').then_some(())
    }

    /// The position of the next item after a comma.
    fn comma(&self, at: usize) -> Option<usize> {
        (self.byte(at)? == b',').then(|| self.skip_spaces(at + 1))
    }
}

const fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-')
}

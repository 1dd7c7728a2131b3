//! JSON texts → trees: one or more objects, one after the other.
//!
//! kubectl reads a text that begins with `{` as JSON first, and so takes several objects without `---`, which YAML does not. What is not
//! JSON to the letter (comments, a comma too many, plain words) is left to the YAML readers.
//! Faults: none; `None` means that this is not such a text.
//! Invariant: what both read, [`super::yaml`] reads as the same tree with the same places (property `json_is_yaml`).

use std::borrow::Cow;

use super::limits::Limits;
use super::tree::{Entry, Kind, Node, Text};

/// The objects of one piece of a text. `offset` is added to every position.
pub(super) fn parse<'a>(text: &'a str, offset: usize, limits: &Limits) -> Option<Vec<Node<'a>>> {
    // The marker that begins the piece, or a byte order mark.
    let start =
        if text.starts_with("---") { 3 } else { text.len() - text.trim_start_matches('\u{feff}').len() };
    let mut reader =
        Reader { text, bytes: text.as_bytes(), offset, at: start, nodes: limits.nodes, depth: limits.depth };
    reader.space();
    let mut objects = Vec::new();
    while reader.byte() == Some(b'{') {
        objects.push(reader.value(0)?);
        reader.space();
    }
    (reader.byte().is_none() && !objects.is_empty()).then_some(objects)
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    offset: usize,
    at: usize,
    /// How many nodes may still come.
    nodes: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Goes past this byte and the space after it.
    fn take(&mut self, byte: u8) -> Option<()> {
        if self.byte()? != byte {
            return None;
        }
        self.at += 1;
        self.space();
        Some(())
    }

    fn place(&self, at: usize) -> Option<u32> {
        u32::try_from(at + self.offset).ok()
    }

    fn value(&mut self, depth: usize) -> Option<Node<'a>> {
        if depth > self.depth {
            return None;
        }
        self.nodes = self.nodes.checked_sub(1)?;
        let start = self.at;
        let kind = match self.byte()? {
            b'{' => Kind::Map(self.map(depth)?),
            b'[' => Kind::Seq(self.list(depth)?),
            b'"' => Kind::Scalar(Text { text: self.string()?, plain: false }),
            _ => Kind::Scalar(Text { text: Cow::Borrowed(self.word()?), plain: true }),
        };
        Some(Node { start: self.place(start)?, end: self.place(self.at)?, kind })
    }

    fn map(&mut self, depth: usize) -> Option<Vec<Entry<'a>>> {
        let mut entries = Vec::new();
        self.take(b'{')?;
        while self.byte()? != b'}' {
            if !entries.is_empty() {
                self.take(b',')?;
            }
            let key_start = self.place(self.at)?;
            let key = self.string()?;
            let key_end = self.place(self.at)?;
            self.space();
            self.take(b':')?;
            entries.push(Entry { key, key_start, key_end, value: self.value(depth + 1)? });
            self.space();
        }
        self.at += 1;
        Some(entries)
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Node<'a>>> {
        let mut items = Vec::new();
        self.take(b'[')?;
        while self.byte()? != b']' {
            if !items.is_empty() {
                self.take(b',')?;
            }
            items.push(self.value(depth + 1)?);
            self.space();
        }
        self.at += 1;
        Some(items)
    }

    /// `true`, `false`, `null` or a number.
    fn word(&mut self) -> Option<&'a str> {
        let start = self.at;
        while self.byte().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
            self.at += 1;
        }
        let word = self.text.get(start..self.at)?;
        (matches!(word, "true" | "false" | "null") || is_number(word)).then_some(word)
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        if self.byte()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let mut escapes = false;
        self.at = start;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => {
                    escapes = true;
                    self.at += 2;
                }
                0..b' ' => return None,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        if escapes {
            // Escapes with their surrogate pairs are serde_json's business.
            serde_json::from_str(self.text.get(start - 1..self.at)?).ok().map(Cow::Owned)
        } else {
            self.text.get(start..self.at - 1).map(Cow::Borrowed)
        }
    }
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (text, exponent) = match text.split_once(['e', 'E']) {
        Some((text, exponent)) => (text, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (text, "0"),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(fraction) && digits(exponent) && (whole == "0" || !whole.starts_with('0'))
}

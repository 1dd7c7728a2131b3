//! Edits of fields → changes of the text that they were read from.
//!
//! Shape: [`Sources::text_edit`] finds what an [`Edit`] means for the text, [`apply`] carries several out at once. Everything that is not
//! named by an edit keeps its bytes: comments, line ends, quotes, order.
//! Faults: `None` where the text cannot be changed by such simple means (an item of its own line begins on another's line, a comment would
//! vanish). Whether the changed text means what was wanted is for the caller to check by reading it again: an edit behind an anchor changes
//! every place that uses it.
//! Absent: reformatting, edits of several objects at once.

use super::scalar::{self, Scalar};
use super::source::{Found, Sources, walk};
use super::tree::{Entry, Kind, Node};
use crate::diag::{Edit, FieldPath, ObjectRef, Segment, Span};

/// A change of a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextEdit {
    /// What is replaced; empty: something is inserted.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// A text with changes made. `None` when two of them overlap or one is outside.
#[must_use]
pub fn apply(text: &str, edits: &[TextEdit]) -> Option<String> {
    let mut edits: Vec<&TextEdit> = edits.iter().collect();
    edits.sort();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (index, edit) in edits.iter().enumerate() {
        let (start, end) = (usize::try_from(edit.span.start).ok()?, usize::try_from(edit.span.end).ok()?);
        // Two insertions at one place have no order.
        let clash = index > 0 && edits.get(index - 1).is_some_and(|before| overlap(before.span, edit.span));
        if clash {
            return None;
        }
        out.push_str(text.get(done..start)?);
        out.push_str(&edit.text);
        done = end;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}

/// Whether two changes cannot both be made.
#[must_use]
pub fn overlap(a: Span, b: Span) -> bool {
    a.source == b.source && (a.start < b.end && b.start < a.end || a.start == b.start || a.end == b.end)
}

impl Sources {
    /// What an edit of an object means for the text it was read from.
    #[must_use]
    pub fn text_edit(&self, object: &ObjectRef, edit: &Edit) -> Option<TextEdit> {
        let part = self.part(object)?;
        let text = self.text(part.source);
        let change = |root: &Node<'_>| {
            let found = walk(root, &edit.path);
            match (&edit.value, found.whole) {
                (Some(value), true) => replace(text, &found, value),
                (Some(value), false) => insert(text, root, &edit.path, value),
                (None, true) => remove(text, root, &edit.path),
                (None, false) => None,
            }
        };
        let (start, end, new) = self.with_root(part, change)??;
        Some(TextEdit { span: Span { source: part.source, start, end }, text: new })
    }
}

type Change = (u32, u32, String);

fn at(byte: u32) -> usize {
    usize::try_from(byte).unwrap_or(usize::MAX)
}

fn to_u32(byte: usize) -> Option<u32> {
    u32::try_from(byte).ok()
}

fn replace(text: &str, found: &Found<'_, '_>, value: &str) -> Option<Change> {
    let node = found.node;
    if !matches!(node.kind, Kind::Scalar(_)) {
        return None;
    }
    if node.start < node.end {
        let old = text.get(at(node.start)..at(node.end))?;
        // Text over several lines is written anew, as its lines are part of it.
        (!old.contains('\n')).then(|| (node.start, node.end, in_style_of(old, value)))
    } else {
        // A key without a value.
        let key_end = found.key?.key_end;
        let colon = text.get(at(key_end)..)?.find(':')?;
        let place = to_u32(at(key_end) + colon + 1)?;
        Some((place, place, format!(" {}", in_style_of("x", value))))
    }
}

/// A value (JSON) as the value that stands there is written: plain, in single or in double quotes.
fn in_style_of(old: &str, value: &str) -> String {
    let Ok(serde_json::Value::String(new)) = serde_json::from_str(value) else { return value.to_owned() };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._()*?+$^|-\\".contains(c);
    let starts = new.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '^');
    if old.starts_with('\'') && !new.contains(['\'', '\n', '\r']) && !new.contains(char::is_control) {
        format!("'{new}'")
    } else if !old.starts_with(['\'', '"'])
        && starts
        && new.chars().all(plain)
        && matches!(scalar::resolve(&new, true), Scalar::Str(_))
    {
        new
    } else {
        value.to_owned()
    }
}

/// A new entry in the map around the path.
fn insert(text: &str, root: &Node<'_>, path: &FieldPath, value: &str) -> Option<Change> {
    let Some(Segment::Field(name)) = path.segments().last() else { return None };
    let parent = walk(root, &path.parent()?);
    let entries = parent.node.entries();
    let (first, last) = (entries.first()?, entries.last()?);
    if !parent.whole {
        return None;
    }
    let json = text.get(at(first.key_start)..)?.starts_with('"');
    let (key, value) = if json {
        (serde_json::to_string(&**name).ok()?, value.to_owned())
    } else {
        ((**name).to_owned(), in_style_of("x", value))
    };
    if text.get(at(parent.node.start)..)?.starts_with('{') {
        let place = last.value.end.max(last.key_end);
        let before = text.get(line_start(text, last.key_start)..at(last.key_start))?;
        // An entry to each line, as programs print it: the new one gets a line too.
        let between = if before.trim().is_empty() && line_start(text, last.key_start) > at(parent.node.start)
        {
            let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
            format!(",{line_end}{before}")
        } else {
            ", ".to_owned()
        };
        return Some((place, place, format!("{between}{key}: {value}")));
    }
    // Below the last entry whose value is on its key's line.
    let on_its_line = |e: &&Entry<'_>| {
        matches!(e.value.kind, Kind::Scalar(_))
            && text.get(at(e.key_start)..at(e.value.end.max(e.key_end))).is_some_and(|t| !t.contains('\n'))
    };
    let above = entries.iter().rev().find(on_its_line)?;
    let from = at(above.value.end.max(above.key_end));
    let rest = text.get(from..)?;
    let line = rest.find('\n').unwrap_or(rest.len());
    let crlf = rest.get(..line)?.ends_with('\r');
    let place = to_u32(from + line - usize::from(crlf))?;
    let indent =
        " ".repeat(text.get(line_start(text, first.key_start)..at(first.key_start))?.chars().count());
    let line_end = if crlf { "\r\n" } else { "\n" };
    Some((place, place, format!("{line_end}{indent}{key}: {value}")))
}

/// The item of a list or the entry of a map, with its lines or its comma.
fn remove(text: &str, root: &Node<'_>, path: &FieldPath) -> Option<Change> {
    let parent = walk(root, &path.parent()?);
    // First and last byte of everything that stands beside it.
    let (beside, index): (Vec<(u32, u32)>, usize) = match (&parent.node.kind, path.segments().last()?) {
        (Kind::Map(entries), Segment::Field(name)) => (
            entries.iter().map(|e| (e.key_start, e.value.end.max(e.key_end))).collect(),
            entries.iter().position(|e| *e.key == **name)?,
        ),
        (Kind::Seq(items), Segment::Index(index)) => {
            (items.iter().map(|n| (n.start, n.end)).collect(), *index)
        }
        (Kind::Map(_) | Kind::Seq(_) | Kind::Scalar(_), Segment::Field(_) | Segment::Index(_)) => {
            return None;
        }
    };
    // An empty list or map would be written otherwise, and may mean something else.
    if beside.len() < 2 {
        return None;
    }
    // A comment must not vanish; whether a `#` begins one is not worth another reading.
    let without_comment = |from: usize, to: usize| {
        let gone = text.get(from..to)?;
        (!gone.contains('#')).then_some(())?;
        Some((to_u32(from)?, to_u32(to)?, String::new()))
    };
    let (start, end) = *beside.get(index)?;
    let end = at(start) + text.get(at(start)..at(end))?.trim_end().len();
    if !text.get(at(parent.node.start)..)?.starts_with(['{', '[']) {
        let line = line_start(text, start);
        let before = text.get(line..at(start))?;
        let dash = if matches!(parent.node.kind, Kind::Seq(_)) { "-" } else { "" };
        if before.trim() == dash {
            let rest = text.get(end..)?;
            let next = rest.find('\n').map_or(text.len(), |n| end + n + 1);
            return without_comment(line, next);
        }
    }
    let (from, to) = match beside.get(index + 1) {
        Some((next, _)) => (at(start), at(*next)),
        None => (at(beside.get(index.checked_sub(1)?)?.1), end),
    };
    without_comment(from, to)
}

fn line_start(text: &str, byte: u32) -> usize {
    text.get(..at(byte)).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Input, Limits, load};

    /// The text after an edit of its first object.
    fn edited(text: &str, path: FieldPath, value: Option<&str>) -> Option<String> {
        let world = load(&[Input::new("a.yaml", text)], &Limits::default());
        let object = world.objects.first()?.object_ref();
        let edit = Edit { path, value: value.map(str::to_owned) };
        let change = world.sources.text_edit(&object, &edit)?;
        apply(world.sources.text(change.span.source), &[change])
    }

    fn sources(index: usize) -> FieldPath {
        FieldPath::root().fields(&["spec", "sources"]).index(index)
    }

    const BLOCK: &str = "\
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: t, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: cart, namespace: shop}
  sources:
  # who
  - kind: ServiceAccount
    name: web   # the shop
  - name: 'admin'
    kind: ServiceAccount
    namespace: ops
  rules: []
";

    #[test]
    fn fields_are_added_in_the_style_of_their_map() {
        let got = edited(BLOCK, sources(0).field("namespace"), Some("\"shop\"")).unwrap();
        assert_eq!(got, BLOCK.replace("# the shop\n", "# the shop\n    namespace: shop\n"));
        let crlf = BLOCK.replace('\n', "\r\n");
        let got = edited(&crlf, sources(0).field("namespace"), Some("\"shop\"")).unwrap();
        assert_eq!(got, crlf.replace("# the shop\r\n", "# the shop\r\n    namespace: shop\r\n"));
        let flow = BLOCK.replace("cart, namespace: shop}", "cart}");
        let path = FieldPath::root().fields(&["spec", "destination", "namespace"]);
        assert_eq!(edited(&flow, path, Some("\"shop\"")).unwrap(), BLOCK);
        let json = r#"{"apiVersion": "access.smi-spec.io/v1alpha3", "kind": "TrafficTarget", "metadata": {"name": "t"},
 "spec": {"sources": [{"kind": "ServiceAccount", "name": "web"}]}}"#;
        let got = edited(json, sources(0).field("namespace"), Some("\"shop\"")).unwrap();
        assert_eq!(got, json.replace("\"web\"", "\"web\", \"namespace\": \"shop\""));
        let lines =
            json.replace("{\"kind\": \"ServiceAccount\", ", "{\n    \"kind\": \"ServiceAccount\",\n    ");
        let got = edited(&lines, sources(0).field("namespace"), Some("\"shop\"")).unwrap();
        assert_eq!(got, lines.replace("\"web\"", "\"web\",\n    \"namespace\": \"shop\""));
    }

    #[test]
    fn values_keep_their_quotes() {
        let name = sources(1).field("name");
        assert_eq!(edited(BLOCK, name.clone(), Some("\"a.*\"")).unwrap(), BLOCK.replace("'admin'", "'a.*'"));
        assert_eq!(edited(BLOCK, name, Some("\"it's\"")).unwrap(), BLOCK.replace("'admin'", "\"it's\""));
        let kind = sources(0).field("name");
        assert_eq!(
            edited(BLOCK, kind.clone(), Some("\"/a(/.*)?$\"")).unwrap(),
            BLOCK.replace("web", "/a(/.*)?$")
        );
        // Plain, it would be a boolean.
        assert_eq!(edited(BLOCK, kind, Some("\"yes\"")).unwrap(), BLOCK.replace("web", "\"yes\""));
        let null = BLOCK.replace("namespace: ops", "namespace:");
        let path = sources(1).field("namespace");
        assert_eq!(edited(&null, path, Some("\"ops\"")).unwrap(), BLOCK);
    }

    #[test]
    fn items_and_fields_are_removed_with_their_lines() {
        let bare = BLOCK.replace("   # the shop", "");
        let gone = "  - kind: ServiceAccount\n    name: web\n";
        assert_eq!(edited(&bare, sources(0), None).unwrap(), bare.replace(gone, ""));
        let last = "  - name: 'admin'\n    kind: ServiceAccount\n    namespace: ops\n";
        assert_eq!(edited(BLOCK, sources(1), None).unwrap(), BLOCK.replace(last, ""));
        let got = edited(BLOCK, sources(1).field("namespace"), None).unwrap();
        assert_eq!(got, BLOCK.replace("    namespace: ops\n", ""));
        // The first key of an item stands beside the dash.
        let got = edited(BLOCK, sources(1).field("name"), None).unwrap();
        assert_eq!(got, BLOCK.replace("name: 'admin'\n    kind", "kind"));
        let flow = BLOCK.replace(
            "rules: []",
            "rules: [{kind: TCPRoute, name: a, matches: [x]}, {kind: TCPRoute, name: b}]",
        );
        let rules = FieldPath::root().fields(&["spec", "rules"]);
        let got = edited(&flow, rules.clone().index(0).field("matches"), None).unwrap();
        assert_eq!(got, flow.replace(", matches: [x]", ""));
        let got = edited(&flow, rules.clone().index(0).field("kind"), None).unwrap();
        assert_eq!(got, flow.replace("[{kind: TCPRoute, name: a", "[{name: a"));
        let got = edited(&flow, rules.index(1), None).unwrap();
        assert_eq!(got, flow.replace(", {kind: TCPRoute, name: b}", ""));
    }

    #[test]
    fn what_cannot_be_done_simply_is_not_done() {
        // A comment would vanish.
        assert_eq!(edited(BLOCK, sources(0), None), None);
        let rules = "rules:\n  - kind: TCPRoute\n    matches: # TICKET-17\n    # and b\n    - a\n    - b\n    name: tcp";
        let path = FieldPath::root().fields(&["spec", "rules"]).index(0).field("matches");
        let text = BLOCK.replace("rules: []", rules);
        assert_eq!(edited(&text, path.clone(), None), None);
        let text =
            BLOCK.replace("rules: []", "rules: [{kind: TCPRoute, name: a, matches: [a, # why\n    b]}]");
        assert_eq!(edited(&text, path, None), None);
        let text = BLOCK.replace("- name: 'admin'\n", "- name: 'admin' # why\n");
        assert_eq!(edited(&text, sources(1).field("name"), None), None);
        // The only item of a list.
        let text = BLOCK.replace("rules: []", "rules: [{kind: TCPRoute, name: a}]");
        assert_eq!(edited(&text, FieldPath::root().fields(&["spec", "rules"]).index(0), None), None);
        assert_eq!(edited(BLOCK, sources(7), None), None);
    }

    #[test]
    fn overlapping_changes_are_refused() {
        let source = crate::diag::SourceId(0);
        let edit = |start, end, text: &str| TextEdit { span: Span { source, start, end }, text: text.into() };
        assert_eq!(apply("abcd", &[edit(2, 3, "X"), edit(0, 1, "YY")]).as_deref(), Some("YYbXd"));
        for (a, b) in [((0, 2), (1, 3)), ((1, 1), (1, 1)), ((0, 4), (1, 2)), ((1, 2), (1, 1))] {
            assert_eq!(apply("abcd", &[edit(a.0, a.1, "x"), edit(b.0, b.1, "y")]), None);
        }
        assert_eq!(apply("abcd", &[edit(3, 9, "x")]), None);
    }
}

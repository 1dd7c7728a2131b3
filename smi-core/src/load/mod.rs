//! Text → objects, read as the API server would read it through kubectl.
//!
//! Shape: [`load`] takes named texts and gives a [`World`]: SMI objects, facts of the cluster, the texts themselves for looking up places,
//! and a report. It reads no files.
//! Faults: `SMI0001`–`SMI0012`, and those of [`crate::hub::convert`] and [`crate::cluster`]; each leaves out one object (or, where it cannot be told apart, one
//! document) and never touches the others (S1).
//! Absent: unknown kinds outside `smi-spec.io` are somebody else's and skipped without a word.
//!
//! - [`yaml`]: text → trees · [`tree`] · [`scalar`]: what `yes` and `014` mean · [`de`]: trees → types
//! - `block`: a fast reader for simple YAML · `json`: JSON, several objects included · `object`: trees → objects · `unknown`: fields that a kind does not have · [`Sources`]: where things stand · [`edit`]: changes of the text · [`Limits`]

mod block;
pub mod codes;
pub mod de;
pub mod edit;
mod json;
mod kinds;
mod limits;
mod object;
pub mod scalar;
mod source;
pub mod tree;
mod unknown;
pub mod yaml;

#[cfg(test)]
mod tests;

pub use limits::Limits;
pub use object::listed;
pub use source::{LineColumn, Sources};

use std::ops::Range;

use crate::api::AnyObject;
use crate::cluster::Cluster;
use crate::diag::{Diagnostic, Report, SourceId, Span};
use crate::hub::Hub;
use object::Objects;
use source::Part;
use yaml::{Fault, FaultKind};

/// One text to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What messages call it: a path, or `-` for standard input.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Input {
    /// A named text.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

/// Everything that was read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct World {
    /// SMI objects in their version-free form.
    pub hub: Hub,
    /// The same objects as they were written, in the order of the texts.
    pub objects: Vec<AnyObject>,
    /// Services, pods and other facts.
    pub cluster: Cluster,
    /// The texts.
    pub sources: Sources,
    /// What is to be said about them.
    pub report: Report,
}

/// Reads texts.
#[must_use]
pub fn load(inputs: &[Input], limits: &Limits) -> World {
    let mut sources = Sources::new(limits);
    let mut report = Report::new();
    let mut broken: Vec<Vec<Range<usize>>> = Vec::new();
    for input in inputs {
        let (text, bad_bytes) = decode_text(input, limits, &mut report);
        sources.push(input.name.clone(), text);
        broken.push(bad_bytes);
    }
    let too_large = report.has_errors();
    let mut objects = Objects::new(report);
    for (source, bad_bytes) in sources.ids().zip(&broken) {
        read_text(source, sources.text(source), bad_bytes, limits, &mut objects, sources.name(source));
    }
    let Objects { places, mut refused, lost, smi: objects, cluster, mut report } = objects;
    // Of two objects of one name what is said of the one that is taken is said at its own place.
    refused.extend(places);
    sources.set_places(refused);
    let (hub, hub_report) = Hub::from_objects(objects.iter().cloned());
    report.append(hub_report);
    let (mut cluster, cluster_report) = Cluster::from_objects(cluster);
    cluster.namespaces_incomplete = lost || too_large;
    report.append(cluster_report);
    report.sort();
    World { hub, objects, cluster, sources, report }
}

/// The text of an input, and where bytes that are not UTF-8 were replaced.
fn decode_text(input: &Input, limits: &Limits, report: &mut Report) -> (String, Vec<Range<usize>>) {
    let limit = limits.bytes.min(usize::try_from(u32::MAX).unwrap_or(usize::MAX) / 2);
    if input.bytes.len() > limit {
        let message = format!("`{}` has {} bytes, more than {limit}", input.name, input.bytes.len());
        report.push(Diagnostic::general(codes::TOO_LARGE, message));
        return (String::new(), Vec::new());
    }
    let mut text = String::with_capacity(input.bytes.len());
    let mut replaced = Vec::new();
    for chunk in input.bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            let start = text.len();
            text.push(char::REPLACEMENT_CHARACTER);
            replaced.push(start..text.len());
        }
    }
    (text, replaced)
}

fn read_text(
    source: SourceId,
    text: &str,
    bad_bytes: &[Range<usize>],
    limits: &Limits,
    objects: &mut Objects,
    name: &str,
) {
    for piece in yaml::pieces(text) {
        let Some(content) = text.get(piece.clone()) else { continue };
        let next = bad_bytes.partition_point(|bad| bad.start < piece.start);
        if let Some(bad) = bad_bytes.get(next).filter(|bad| piece.contains(&bad.start)) {
            let message = "the document has bytes that are not UTF-8";
            let span = Span { source, start: to_u32(bad.start), end: to_u32(bad.end) };
            objects.lose(Diagnostic::general(codes::NOT_UTF8, message).with_span(span));
            continue;
        }
        match yaml::parse(content, piece.start, limits) {
            Err(fault) => objects.lose(fault_diagnostic(&fault, source, content, piece.start)),
            Ok(documents) => {
                let piece = (to_u32(piece.start), to_u32(piece.end));
                for (index, root) in documents.iter().enumerate() {
                    objects.document(root, Part { source, piece, document: to_u32(index), item: None }, name);
                }
            }
        }
    }
}

/// Positions are below `u32::MAX`, since larger inputs are refused.
fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn fault_diagnostic(fault: &Fault, source: SourceId, content: &str, offset: usize) -> Diagnostic {
    let at = usize::try_from(fault.start).unwrap_or(usize::MAX).saturating_sub(offset);
    let code = match fault.kind {
        FaultKind::Syntax => codes::SYNTAX,
        FaultKind::Repeated => codes::REPEATED_KEY,
        FaultKind::TooLarge => codes::TOO_LARGE,
    };
    if code == codes::SYNTAX
        && let Some(action) = template_action(content, at)
    {
        let span = Span { source, start: to_u32(offset + action.start), end: to_u32(offset + action.end) };
        return Diagnostic::general(codes::TEMPLATE, "this is a template, not a manifest")
            .with_span(span)
            .with_help("render it first, for example with `helm template`");
    }
    let span = Span { source, start: fault.start, end: fault.end };
    let diagnostic = Diagnostic::general(code, fault.message.clone()).with_span(span);
    match &fault.help {
        Some(help) => diagnostic.with_help(help.clone()),
        None => diagnostic,
    }
}

/// The `{{ … }}` that makes a text, which is not YAML, a Go template: in the line at fault, or else at the beginning of any line.
fn template_action(content: &str, at: usize) -> Option<Range<usize>> {
    let line_start = content.get(..at)?.rfind('\n').map_or(0, |n| n + 1);
    let line = content.get(line_start..)?.lines().next().unwrap_or_default();
    let start = match line.find("{{") {
        Some(column) => line_start + column,
        None => content.match_indices("{{").map(|(start, _)| start).find(|start| {
            let before = content.get(..*start).unwrap_or_default();
            before.rsplit('\n').next().is_some_and(|indent| indent.trim().is_empty())
        })?,
    };
    let line = content.get(start..)?.lines().next().unwrap_or_default();
    let length = line.find("}}").map_or(line.len(), |end| end + 2);
    Some(start..start + length)
}

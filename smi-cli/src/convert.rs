//! `smi convert`.

use std::borrow::Cow;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Deserialize as _;
use smi_core::api::{AnyObject, HeaderForm};
use smi_core::diag::{Report, Span};
use smi_core::hub::convert::{ConvertError, ConvertOptions, OnWidening, convert};
use smi_core::load::codes::NOT_UTF8;
use smi_core::load::de::decode;
use smi_core::load::tree::Node;
use smi_core::load::yaml::{parse, pieces};
use smi_core::load::{Limits, World, listed};

use crate::{diagnostics, input};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Widening {
    Refuse,
    Narrow,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Headers {
    List,
    Map,
}

/// Arguments of `smi convert`.
#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    input: input::Files,
    /// The wanted version, `split.smi-spec.io/v1alpha1`. Objects of other groups, of SMI or not, are printed as they are.
    #[arg(long, value_name = "GROUP/VERSION")]
    to: String,
    /// What to do where the version cannot say something that restricts the object.
    #[arg(long, value_enum, default_value_t = Widening::Refuse)]
    on_widening: Widening,
    /// Keep what the version cannot say in an annotation, so that converting back restores it.
    #[arg(long)]
    annotate: bool,
    /// Form of header filters; as they were when absent.
    #[arg(long, value_enum)]
    headers: Option<Headers>,
}

pub(crate) fn run(args: &ConvertArgs) -> anyhow::Result<ExitCode> {
    let (group, version) =
        args.to.split_once('/').ok_or_else(|| anyhow::anyhow!("`{}` is not GROUP/VERSION", args.to))?;
    anyhow::ensure!(
        smi_core::api::KINDS.iter().any(|k| k.group == group && k.version == version),
        "there is no version `{}`",
        args.to
    );
    let world = args.input.load()?;
    let mut options = ConvertOptions::default();
    options.annotate = args.annotate;
    options.on_widening = match args.on_widening {
        Widening::Refuse => OnWidening::Refuse,
        Widening::Narrow => OnWidening::Narrow,
    };
    options.header_form = args.headers.map(|form| match form {
        Headers::List => HeaderForm::List,
        Headers::Map => HeaderForm::Map,
    });
    let mut report = world.report.clone();
    let mut out = anstream::stdout();
    for document in documents(&world)? {
        let object = match document {
            Document::Smi(object) => object,
            Document::Other(text) => {
                let marker = if text.starts_with("---") { "" } else { "---\n" };
                let end = if text.ends_with('\n') { "" } else { "\n" };
                write!(out, "{marker}{text}{end}")?;
                continue;
            }
        };
        let converted = if object.info().group == group {
            match convert(object, version, &options) {
                Ok(converted) => {
                    report.append(converted.report);
                    converted.object
                }
                Err(ConvertError::Refused(refused)) => {
                    report.append(refused);
                    continue;
                }
                Err(other) => {
                    report.append(no_version(object, &other));
                    continue;
                }
            }
        } else {
            object.clone()
        };
        let tree = serde_json::to_value(&converted)?;
        write!(out, "---\n{}", serde_saphyr::to_string(&tree)?)?;
    }
    report.sort();
    diagnostics::to_stderr(&report, &world.sources)?;
    Ok(diagnostics::exit_code(&report, false))
}

/// What is printed, in the order of the input.
enum Document<'w> {
    Smi(&'w AnyObject),
    /// Of somebody else, as it stands.
    Other(Cow<'w, str>),
}

/// All objects that can be printed; whatever else there is, was reported when it was read.
fn documents(world: &World) -> anyhow::Result<Vec<Document<'_>>> {
    let mut out = Vec::new();
    let mut objects = world.objects.iter().peekable();
    let spans = world.report.iter().filter(|d| d.code == NOT_UTF8).filter_map(|d| d.span);
    let replaced: Vec<Span> = spans.collect();
    for source in world.sources.ids() {
        let text = world.sources.text(source);
        for piece in pieces(text) {
            let Some(content) = text.get(piece.clone()) else { continue };
            let Ok(roots) = parse(content, piece.start, &Limits::default()) else { continue };
            // What replaced other bytes is not what was written.
            let within = |s: &Span| usize::try_from(s.start).is_ok_and(|start| piece.contains(&start));
            if replaced.iter().any(|span| span.source == source && within(span)) {
                continue;
            }
            for root in &roots {
                let mut parts = Vec::new();
                split(root, None, &mut parts);
                if !parts.iter().any(|part| part.is_smi) {
                    // Directives hold for one document, and a text of several documents is not one of them.
                    let whole = roots.len() == 1 && !content.starts_with('%');
                    let place = usize::try_from(root.start)?..usize::try_from(root.end)?;
                    let own = if whole { Some(content) } else { text.get(place) };
                    let own = own.filter(|_| !parts.is_empty()).map(|t| t.trim_start_matches('\u{feff}'));
                    out.extend(own.map(|text| Document::Other(text.into())));
                    continue;
                }
                for part in parts {
                    if !part.is_smi {
                        let (value, _) = decode(part.node, |d| serde_json::Value::deserialize(d));
                        let Ok(value) = value else { continue };
                        out.push(Document::Other(serde_saphyr::to_string(&value)?.into()));
                    } else if let Some(object) = objects.next_if(|object| part.is(object)) {
                        // Objects that were refused are not among them.
                        out.push(Document::Smi(object));
                    }
                }
            }
        }
    }
    out.extend(objects.map(Document::Smi));
    Ok(out)
}

/// A document or an item of a list.
struct Part<'n> {
    node: &'n Node<'n>,
    kind: &'n str,
    is_smi: bool,
}

impl Part<'_> {
    fn is(&self, object: &AnyObject) -> bool {
        let meta = object.metadata();
        let text = |key| self.node.get("metadata").and_then(|m| m.get(key)).and_then(Node::as_str);
        object.info().kind == self.kind
            && text("name").unwrap_or_default() == &*meta.name
            && text("namespace") == meta.namespace.as_deref()
    }
}

/// The objects of a document: itself, or the items of a list.
fn split<'n>(node: &'n Node<'n>, defaults: Option<(&'n str, &'n str)>, out: &mut Vec<Part<'n>>) {
    let text = |key, default| node.get(key).and_then(Node::as_str).or(default);
    let api_version = text("apiVersion", defaults.map(|d| d.0));
    let Some((api_version, kind)) = api_version.zip(text("kind", defaults.map(|d| d.1))) else { return };
    if let Some((items, defaults)) = listed(node, api_version, kind) {
        let before = out.len();
        items.items().iter().for_each(|item| split(item, defaults, out));
        if out.iter().skip(before).any(|part| part.is_smi) {
            return;
        }
        // Somebody else's list.
        out.truncate(before);
    }
    // Kinds and versions that SMI does not have were refused.
    let group = api_version.split('/').next().unwrap_or_default();
    let is_smi = group == "smi-spec.io" || group.ends_with(".smi-spec.io");
    out.push(Part { node, kind, is_smi });
}

/// A kind that the version does not have is refused like anything else that it cannot say.
fn no_version(object: &AnyObject, error: &ConvertError) -> Report {
    let mut diagnostic = smi_core::diag::Diagnostic::new(
        smi_core::hub::convert::codes::WIDENS,
        &object.object_ref(),
        smi_core::diag::FieldPath::root(),
        error.to_string(),
    );
    diagnostic.severity = smi_core::diag::Severity::Error;
    Report { diagnostics: vec![diagnostic] }
}

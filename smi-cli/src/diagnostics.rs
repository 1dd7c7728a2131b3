//! Findings for people and tools.

use std::io::Write;
use std::process::ExitCode;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use clap::ValueEnum;
use serde_json::json;
use smi_core::diag::{Diagnostic, Report, Severity, SourceId, Span, printable};
use smi_core::load::Sources;

/// Form of the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// With the text and carets.
    Human,
    /// One line each.
    Short,
    /// A JSON list.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// Annotations of GitHub workflows.
    Github,
}

/// The report, perhaps without lints.
pub(crate) fn without_lints(mut report: Report, drop: bool) -> Report {
    if drop {
        report.diagnostics.retain(|d| d.severity > Severity::Lint);
    }
    report
}

/// 1 when the input has errors, or warnings under `strict`.
pub(crate) fn exit_code(report: &Report, strict: bool) -> ExitCode {
    let limit = if strict { Severity::Warning } else { Severity::Error };
    ExitCode::from(u8::from(report.worst() >= Some(limit)))
}

/// What verbs that print something else have to say besides.
pub(crate) fn to_stderr(report: &Report, sources: &Sources) -> anyhow::Result<()> {
    tell(&mut anstream::stderr(), report, sources)
}

/// The same to somewhere else.
pub(crate) fn tell(out: &mut impl Write, report: &Report, sources: &Sources) -> anyhow::Result<()> {
    let shown = without_lints(report.clone(), true);
    if shown.diagnostics.is_empty() { Ok(()) } else { print(out, &shown, sources, Format::Human) }
}

/// In the order in which the texts are read; findings without a place come last, by object.
fn in_reading_order(report: &Report, sources: &Sources) -> Report {
    let mut report = report.clone();
    report.diagnostics.sort_by_cached_key(|d| {
        let span = span(d, sources);
        (span.is_none(), span.map(|s| (s.source, s.start)))
    });
    report
}

/// Prints a report.
pub(crate) fn print(
    out: &mut impl Write,
    report: &Report,
    sources: &Sources,
    format: Format,
) -> anyhow::Result<()> {
    let report = &in_reading_order(report, sources);
    match format {
        Format::Human => {
            for diagnostic in report.iter() {
                writeln!(out, "{}\n", human(diagnostic, sources))?;
            }
            writeln!(out, "{}", summary(report))?;
        }
        Format::Short => {
            for diagnostic in report.iter() {
                writeln!(out, "{}", short(diagnostic, sources))?;
            }
        }
        Format::Json => {
            let list: Vec<_> = report.iter().map(|d| as_json(d, sources)).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        }
        Format::Sarif => writeln!(out, "{}", serde_json::to_string_pretty(&sarif(report, sources))?)?,
        Format::Github => {
            for diagnostic in report.iter() {
                writeln!(out, "{}", github(diagnostic, sources))?;
            }
        }
    }
    Ok(())
}

fn summary(report: &Report) -> String {
    let count = |severity, one: &str| match report.count(severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {one}s")),
    };
    let parts: Vec<String> =
        [count(Severity::Error, "error"), count(Severity::Warning, "warning"), count(Severity::Lint, "lint")]
            .into_iter()
            .flatten()
            .collect();
    if parts.is_empty() { "no findings".into() } else { parts.join(", ") }
}

/// Where a finding points.
pub(crate) fn span(diagnostic: &Diagnostic, sources: &Sources) -> Option<Span> {
    diagnostic.span.or_else(|| sources.caret(diagnostic.object.as_ref()?, &diagnostic.path))
}

/// `file:line:column`.
pub(crate) fn place(span: Span, sources: &Sources) -> String {
    let at = sources.line_column(span);
    format!("{}:{}:{}", printable(sources.name(span.source)), at.line, at.column)
}

fn subject(diagnostic: &Diagnostic) -> String {
    match (&diagnostic.object, diagnostic.path.is_root()) {
        (Some(object), true) => object.to_string(),
        (Some(object), false) => format!("{object} {}", diagnostic.path),
        (None, _) => String::new(),
    }
}

fn usize_range(span: Span, text: &str) -> std::ops::Range<usize> {
    let clamp = |at: u32| usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
    clamp(span.start)..clamp(span.end.max(span.start))
}

/// The texts of a finding as they may stand on a terminal. JSON and SARIF escape for themselves.
fn for_people(diagnostic: &Diagnostic) -> Diagnostic {
    let mut shown = diagnostic.clone();
    shown.message = printable(&shown.message).into_owned();
    shown.help = shown.help.map(|help| printable(&help).into_owned());
    for related in &mut shown.related {
        related.message = printable(&related.message).into_owned();
    }
    shown
}

fn human(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let diagnostic = &for_people(diagnostic);
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Lint => Level::INFO.with_name("lint"),
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code.id);
    let what = printable(&subject(diagnostic)).into_owned();
    let mut group = match span(diagnostic, sources) {
        Some(span) => {
            let text = sources.text(span.source);
            let annotation = AnnotationKind::Primary.span(usize_range(span, text)).label(&what);
            title.element(
                Snippet::source(text).path(printable(sources.name(span.source))).annotation(annotation),
            )
        }
        None if what.is_empty() => Group::with_title(title),
        None => title.element(Level::NOTE.message(format!("at {what}"))),
    };
    for related in &diagnostic.related {
        let found = related.span.or_else(|| sources.caret(related.object.as_ref()?, &related.path));
        if let Some(span) = found {
            let text = sources.text(span.source);
            let annotation = AnnotationKind::Context.span(usize_range(span, text)).label(&related.message);
            group = group.element(
                Snippet::source(text).path(printable(sources.name(span.source))).annotation(annotation),
            );
        }
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    Renderer::styled().render(&[group])
}

fn short(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let place = span(diagnostic, sources).map(|s| place(s, sources) + ": ").unwrap_or_default();
    let what = subject(diagnostic);
    let what = if what.is_empty() { what } else { what + ": " };
    let text = what + &diagnostic.message;
    format!("{place}{}[{}]: {}", diagnostic.severity, diagnostic.code.id, printable(&text))
}

fn as_json(diagnostic: &Diagnostic, sources: &Sources) -> serde_json::Value {
    let mut value = serde_json::to_value(diagnostic).unwrap_or_default();
    if let (Some(span), Some(map)) = (span(diagnostic, sources), value.as_object_mut()) {
        let at = sources.line_column(span);
        let location = json!({
            "file": sources.name(span.source), "line": at.line, "column": at.column, "start": span.start, "end": span.end,
        });
        map.insert("location".into(), location);
        map.remove("span");
    }
    value
}

fn github(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let kind = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Lint => "notice",
    };
    let escape = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escape(text).replace(',', "%2C").replace(':', "%3A");
    let place = span(diagnostic, sources).map(|span| {
        let at = sources.line_column(span);
        format!("file={},line={},col={},", property(sources.name(span.source)), at.line, at.column)
    });
    let what = subject(diagnostic);
    let what = if what.is_empty() { what } else { what + ": " };
    format!(
        "::{kind} {}title={}::{}",
        place.unwrap_or_default(),
        diagnostic.code.id,
        escape(&printable(&format!("{what}{}", diagnostic.message)))
    )
}

fn sarif(report: &Report, sources: &Sources) -> serde_json::Value {
    let level = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Lint => "note",
    };
    let mut rules: Vec<_> = report.iter().map(|d| d.code).collect();
    rules.sort();
    rules.dedup();
    let rules: Vec<_> = rules
        .iter()
        .map(|c| {
            json!({
                "id": c.id,
                "name": c.name,
                "shortDescription": { "text": c.summary },
                "fullDescription": { "text": c.summary },
                "help": { "text": c.explanation.trim(), "markdown": c.explanation.trim() },
                "defaultConfiguration": { "level": level(c.severity) },
            })
        })
        .collect();
    let results: Vec<_> = report
        .iter()
        .map(|d| {
            let what = subject(d);
            let what = if what.is_empty() { what } else { what + ": " };
            // A result without a place is not shown at all, so what has none is told at the beginning of the first input.
            let region = span(d, sources).map(|span| {
                let (from, to) = (sources.line_column(span), sources.position(span.source, span.end));
                (span.source, json!({
                    "startLine": from.line, "startColumn": from.column, "endLine": to.line, "endColumn": to.column,
                }))
            });
            let (source, region) = region.unwrap_or((SourceId(0), json!({ "startLine": 1 })));
            json!({
                "ruleId": d.code.id,
                "level": level(d.severity),
                "message": { "text": format!("{what}{}", d.message) },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": uri(sources.name(source)) },
                    "region": region,
                } }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": { "name": "smi", "version": env!("CARGO_PKG_VERSION"), "rules": rules } }, "columnKind": "unicodeCodePoints", "results": results }],
    })
}

/// A path as a relative reference of RFC 3986.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match char::from(byte) {
            c if c.is_ascii_alphanumeric() || "/-._~".contains(c) => out.push(c),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

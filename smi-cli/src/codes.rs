//! `smi codes`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;
use smi_core::diag::Code;

/// Arguments of `smi codes`.
#[derive(Debug, Args)]
pub(crate) struct CodesArgs {
    /// A code such as SMI0304, or its name.
    code: Option<String>,
    /// Form of the list or of the explanation.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A line for each code; of one code its explanation.
    Text,
    /// A list of objects with everything that is known of a code.
    Json,
    /// The reference page, with every explanation.
    Markdown,
}

/// Every code of this program, ordered by id.
fn all() -> Vec<Code> {
    let mut codes = smi_core::codes();
    codes.extend_from_slice(smi_envoy::codes::CODES);
    codes.extend_from_slice(smi_traefik::codes::CODES);
    codes.push(crate::input::UNREADABLE);
    codes.sort();
    codes
}

pub(crate) fn run(args: &CodesArgs) -> anyhow::Result<ExitCode> {
    let mut codes = all();
    if let Some(wanted) = &args.code {
        codes.retain(|c| c.id.eq_ignore_ascii_case(wanted) || c.name == wanted);
        anyhow::ensure!(!codes.is_empty(), "there is no code `{wanted}`; `smi codes` lists them");
    }
    let text = match (args.output, &args.code) {
        (Format::Text, None) => list(&codes),
        (Format::Text, Some(_)) => codes.iter().map(|c| explanation(c, 1)).collect(),
        (Format::Json, _) => {
            serde_json::to_string_pretty(&codes.iter().map(as_json).collect::<Vec<_>>())? + "\n"
        }
        (Format::Markdown, None) => page(&codes),
        (Format::Markdown, Some(_)) => codes.iter().map(|c| explanation(c, 1)).collect(),
    };
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn list(codes: &[Code]) -> String {
    let mut out = String::new();
    for code in codes {
        let severity = code.severity.to_string();
        let _ = writeln!(out, "{} {severity:<7} {:<34} {}", code.id, code.name, code.summary);
    }
    out
}

/// A code in Markdown, its heading so deep.
fn explanation(code: &Code, depth: usize) -> String {
    let rule = if code.rule.is_empty() { String::new() } else { format!(" (rule {})", code.rule) };
    let marks = "#".repeat(depth);
    let mut out =
        format!("{marks} {} {}\n\n{}: {}{rule}.\n", code.id, code.name, code.severity, code.summary);
    for line in std::iter::once("").chain(code.explanation.trim().lines()) {
        // Headings of an explanation are of the second degree.
        let deeper = line.strip_prefix("## ").map(|heading| format!("{marks}# {heading}"));
        let _ = writeln!(out, "{}", deeper.as_deref().unwrap_or(line));
    }
    out
}

/// The reference page.
fn page(codes: &[Code]) -> String {
    let mut out = String::from(
        "# Diagnostics\n\nWritten by `smi codes --output markdown`; edit the explanations where the codes are declared.\n\n\
         Errors leave out what they point at, warnings tell of something without effect or with a surprising one, lints advise.\n\
         Rules (`S15`) are those of [semantics.md](semantics.md).\n\n\
         | code | severity | name | what is wrong |\n|---|---|---|---|\n",
    );
    for code in codes {
        let anchor = format!("{}-{}", code.id.to_ascii_lowercase(), code.name);
        let summary = code.summary.replace('|', "\\|");
        let _ =
            writeln!(out, "| [{}](#{anchor}) | {} | `{}` | {summary} |", code.id, code.severity, code.name);
    }
    for code in codes {
        let _ = write!(out, "\n{}", explanation(code, 2));
    }
    out
}

fn as_json(code: &Code) -> serde_json::Value {
    json!({
        "id": code.id,
        "name": code.name,
        "severity": code.severity,
        "rule": code.rule,
        "summary": code.summary,
        "explanation": code.explanation.trim(),
    })
}

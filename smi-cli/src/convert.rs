//! `smi convert`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use smi_core::api::HeaderForm;
use smi_core::diag::Report;
use smi_core::hub::convert::{ConvertError, ConvertOptions, OnWidening, convert};

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
    /// The wanted version, `split.smi-spec.io/v1alpha1`. Objects of other groups are printed as they are.
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
    for object in &world.objects {
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

/// A kind that the version does not have is refused like anything else that it cannot say.
fn no_version(object: &smi_core::api::AnyObject, error: &ConvertError) -> Report {
    let mut diagnostic = smi_core::diag::Diagnostic::new(
        smi_core::hub::convert::codes::WIDENS,
        &object.object_ref(),
        smi_core::diag::FieldPath::root(),
        error.to_string(),
    );
    diagnostic.severity = smi_core::diag::Severity::Error;
    Report { diagnostics: vec![diagnostic] }
}

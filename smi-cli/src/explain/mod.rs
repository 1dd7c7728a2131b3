//! `smi explain`: `question` turns the arguments into a request, `answer` puts the decision into words.

mod answer;
mod question;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use question::Asked;
use smi_core::eval::{Assume, Request, eval_assuming, eval_in_sidecar};

use crate::{input, options};

/// Arguments of `smi explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    input: input::Files,
    #[command(flatten)]
    options: options::CompileFlags,
    /// Who calls: a service account or pod as `namespace/name`, an address, or a SPIFFE ID. Nobody when absent.
    #[arg(long)]
    from: Option<String>,
    /// What is called: `service.namespace`, or a longer name of it in the mesh or the cluster, with `:port` unless the Service has one
    /// port. Names of the cluster (`service.namespace.svc`) are asked of the caller's sidecar.
    #[arg(long)]
    to: String,
    /// HTTP method; GET when absent.
    #[arg(long, short = 'X')]
    method: Option<String>,
    /// Path and query; `/` when absent.
    #[arg(long)]
    path: Option<String>,
    /// A header as `name: value`; may be given several times.
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// UDP instead of TCP, where a Service has a port number twice.
    #[arg(long)]
    udp: bool,
}

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let world = args.input.load()?;
    let (compiled, report) = crate::compiled(&world, &args.options.options()?);
    let ir = &compiled.ir;
    let errors = report.count(smi_core::diag::Severity::Error);
    if errors > 0 {
        let errors = if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") };
        writeln!(anstream::stderr(), "note: the input has {errors}; `smi check` tells more")?;
    }
    let (caller, note) = question::caller(ir, &world.cluster, args.from.as_deref())?;
    if let Some(note) = note {
        writeln!(anstream::stderr(), "note: {note}")?;
    }
    let question::Question { payload, named } = question::payload(ir, args)?;
    let request = Request { caller, payload };
    let asked = named.asked(ir, &request.caller);
    let decide = if asked == Asked::Sidecar { eval_in_sidecar } else { eval_assuming };
    let decision = decide(ir, &request, Assume::TemplatesReady);
    let text = answer::Answer { ir, sources: &world.sources }.text(args, &request, &asked, &decision)?;
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

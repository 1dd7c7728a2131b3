//! `smi explain`: `question` turns the arguments into a request, `answer` puts the decision into words.

mod answer;
mod question;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;
use smi_core::eval::{Assume, Request, eval_assuming};

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
    /// port.
    #[arg(long)]
    to: String,
    /// HTTP method.
    #[arg(long, short = 'X', default_value = "GET")]
    method: String,
    /// Path and query.
    #[arg(long, default_value = "/")]
    path: String,
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
        writeln!(anstream::stderr(), "note: the input has {errors} errors; `smi check` tells them")?;
    }
    let (caller, note) = question::caller(ir, &world.cluster, args.from.as_deref())?;
    if let Some(note) = note {
        writeln!(anstream::stderr(), "note: {note}")?;
    }
    let request = Request { caller, payload: question::payload(ir, args)? };
    let decision = eval_assuming(ir, &request, Assume::TemplatesReady);
    let text = answer::Answer { ir, sources: &world.sources }.text(args, &request, &decision)?;
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

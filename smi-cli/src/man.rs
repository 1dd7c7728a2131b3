//! `smi man` and `smi completions`: what is made of the description of the arguments.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Command};

use crate::output;

/// Arguments of `smi man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The verb whose page is printed, `serve xds` for example; that of `smi` itself when absent.
    verb: Vec<String>,
    /// Write all pages into this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs, command: Command) -> anyhow::Result<ExitCode> {
    // Pages of `help` would say nothing.
    let mut command = command.disable_help_subcommand(true);
    // Gives verbs their full names.
    command.build();
    if let Some(folder) = &args.out {
        pages(&command, folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut found = &command;
    for verb in &args.verb {
        found = found.find_subcommand(verb).with_context(|| format!("there is no verb `{verb}`"))?;
    }
    std::io::stdout().lock().write_all(&page(found)?)?;
    Ok(ExitCode::SUCCESS)
}

/// A page of every verb.
fn pages(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    output::replace(&folder.join(format!("{name}.1")), &page(command)?)?;
    command.get_subcommands().try_for_each(|verb| pages(verb, folder))
}

fn page(command: &Command) -> anyhow::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .source(concat!("smi ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)?;
    Ok(page)
}

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell, mut command: Command) -> anyhow::Result<ExitCode> {
    // By way of memory, as the generators panic when they cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "smi", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

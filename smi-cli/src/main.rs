//! `smi`: checks, compiles, renders, explains and converts Service Mesh Interface policy.
//!
//! Shape: one module per verb; `input` reads files, `diagnostics` prints findings, `options` and `envoy` turn flags into options
//! of the compiler and of proxies.
//! Exit code: 0 when all is well, 1 when the input has errors (or, with `--strict`, warnings), 2 when the call itself is wrong.

mod codes;
mod convert;
mod diagnostics;
mod envoy;
mod explain;
mod fix;
mod input;
mod man;
mod options;
mod output;
mod port_table;
mod render;
#[cfg(feature = "serve")]
mod serve;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use smi_core::compile::{CompileOptions, Compiled, compile};
use smi_core::diag::Report;
use smi_core::load::{Limits, World, load};
use smi_core::validate::validate;

use diagnostics::Format;

/// Checks, compiles, renders, explains and converts Service Mesh Interface policy.
#[derive(Debug, Parser)]
#[command(name = "smi", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say what is wrong with manifests, with places and advice.
    Check {
        #[command(flatten)]
        input: input::Files,
        #[command(flatten)]
        options: options::CompileFlags,
        #[command(flatten)]
        findings: Findings,
        #[command(flatten)]
        fixing: Fixing,
    },
    /// Print what manifests mean: the routing intermediate representation.
    Compile {
        #[command(flatten)]
        input: input::Files,
        #[command(flatten)]
        options: options::CompileFlags,
        /// Form of the IR.
        #[arg(long, value_enum, default_value_t = IrFormat::Text)]
        output: IrFormat,
    },
    /// Print the configuration of a proxy.
    Render(Box<render::RenderArgs>),
    /// Tell what happens to a request, and which object, field and line decides.
    Explain(Box<explain::ExplainArgs>),
    /// Convert SMI objects to another version; losses go to stderr.
    Convert(convert::ConvertArgs),
    /// List the diagnostics, or explain one.
    Codes(codes::CodesArgs),
    /// Keep proxies equal to a folder of manifests.
    #[cfg(feature = "serve")]
    #[command(subcommand)]
    Serve(serve::ServeVerb),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print a manual page, or write all of them.
    Man(man::ManArgs),
}

/// Form of the IR.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum IrFormat {
    /// For people and snapshots.
    Text,
    /// For programs; `format` at its top names its version.
    Json,
}

/// How findings are printed and judged.
#[derive(Debug, Args)]
struct Findings {
    /// Form of the findings.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    output: Format,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
    /// Leave out lints.
    #[arg(long)]
    no_lints: bool,
}

/// Whether findings are mended.
#[derive(Debug, Args)]
struct Fixing {
    /// Mend what can be mended without asking: changes that keep or narrow what the policy allows. Files are changed in place, the text of
    /// standard input goes to standard output; findings that remain are printed.
    #[arg(long, help_heading = "Fixing")]
    fix: bool,
    /// Print what `--fix` would change as a unified diff, and change nothing. Exit code 1 if there is anything to change.
    #[arg(long, visible_alias = "dry-run", requires = "fix", help_heading = "Fixing")]
    diff: bool,
}

fn main() -> ExitCode {
    let result = parse().and_then(|(cli, given)| run(cli, &given));
    match result {
        Ok(code) => code,
        // A closed pipe (`smi … | head`) is not a fault.
        Err(error)
            if error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Reads the arguments, which are given as they were written, too; called as `kubectl-smi` it speaks of itself as `kubectl smi`.
fn parse() -> anyhow::Result<(Cli, ArgMatches)> {
    let mut command = Cli::command();
    let name = std::env::args().next().unwrap_or_default();
    let plugin =
        std::path::Path::new(&name).file_name().is_some_and(|n| n.to_string_lossy().starts_with("kubectl-"));
    if plugin {
        command = command.bin_name("kubectl smi");
    }
    let given = command.get_matches();
    Ok((Cli::from_arg_matches(&given)?, given))
}

fn run(cli: Cli, given: &ArgMatches) -> anyhow::Result<ExitCode> {
    // Of the verb.
    let given = given.subcommand().map_or(given, |(_, given)| given);
    match cli.verb {
        Verb::Check { input, options, findings, fixing } => {
            check(&input, &options.options()?, &findings, &fixing)
        }
        Verb::Compile { input, options, output } => {
            let world = input.load()?;
            let (compiled, report) = compiled(&world, &options.options()?);
            diagnostics::to_stderr(&report, &world.sources)?;
            match output {
                IrFormat::Text => write!(anstream::stdout(), "{}", compiled.ir)?,
                IrFormat::Json => {
                    writeln!(anstream::stdout(), "{}", serde_json::to_string_pretty(&compiled.ir)?)?;
                }
            }
            Ok(diagnostics::exit_code(&report, false))
        }
        Verb::Render(args) => render::run(&args, given),
        Verb::Explain(args) => explain::run(&args),
        Verb::Convert(args) => convert::run(&args),
        Verb::Codes(args) => codes::run(&args),
        #[cfg(feature = "serve")]
        Verb::Serve(verb) => serve::run(&verb),
        Verb::Completions { shell } => man::completions(shell, Cli::command()),
        Verb::Man(args) => man::run(&args, Cli::command()),
    }
}

fn check(
    files: &input::Files,
    options: &CompileOptions,
    findings: &Findings,
    fixing: &Fixing,
) -> anyhow::Result<ExitCode> {
    let input::Read { inputs, faults } = files.read()?;
    let with_faults = |mut report: Report| {
        faults.iter().for_each(|fault| report.push(fault.diagnostic()));
        report
    };
    if !fixing.fix {
        let world = load(&inputs, &Limits::default());
        let (_, report) = compiled(&world, options);
        let report = with_faults(report);
        let report = diagnostics::without_lints(report, findings.no_lints);
        diagnostics::print(&mut anstream::stdout(), &report, &world.sources, findings.output)?;
        return Ok(diagnostics::exit_code(&report, findings.strict));
    }
    let fixed = fix::fix(inputs.clone(), options);
    let report = diagnostics::without_lints(with_faults(fixed.report), findings.no_lints);
    let stdin = inputs.iter().any(|input| input.name == "-");
    if fixing.diff {
        let diff = fix::diff(&inputs, &fixed.inputs);
        std::io::stdout().lock().write_all(diff.as_bytes())?;
        diagnostics::print(&mut anstream::stderr(), &report, &fixed.world.sources, findings.output)?;
        let code = if diff.is_empty() { diagnostics::exit_code(&report, findings.strict) } else { 1.into() };
        return Ok(code);
    }
    fix::write(&inputs, &fixed.inputs, &mut std::io::stdout().lock())?;
    // Standard output holds the text where there is one.
    if stdin {
        diagnostics::print(&mut anstream::stderr(), &report, &fixed.world.sources, findings.output)?;
    } else {
        diagnostics::print(&mut anstream::stdout(), &report, &fixed.world.sources, findings.output)?;
    }
    if fixed.mended > 0 {
        let plural = if fixed.mended == 1 { "" } else { "s" };
        writeln!(anstream::stderr(), "{} finding{plural} mended", fixed.mended)?;
    }
    Ok(diagnostics::exit_code(&report, findings.strict))
}

/// Compiles a world; the report is that of all stages together.
fn compiled(world: &World, options: &CompileOptions) -> (Compiled, smi_core::diag::Report) {
    let compiled = compile(&world.hub, &world.cluster, options);
    let mut report = world.report.clone();
    report.append(compiled.report.clone());
    report.append(validate(&world.hub, &world.cluster, &compiled.ir, options));
    report.sort();
    (compiled, report)
}

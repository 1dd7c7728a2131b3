//! `smi-fuzz`: the fuzz targets on stable.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use smi_fuzz::drive::{Plan, drive, quiet_panics, seeds};
use smi_fuzz::targets::ALL;

/// Runs fuzz targets from the seeds of the repository's cases.
#[derive(Parser)]
#[command(name = "smi-fuzz")]
struct Arguments {
    /// Which targets; all when none is named.
    targets: Vec<String>,
    /// Time for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Inputs for each target.
    #[arg(long, default_value_t = u64::MAX)]
    runs: u64,
    /// Seed of all choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run this file once instead, with the fault's full message.
    #[arg(long)]
    input: Option<PathBuf>,
    /// Write each input here before it runs, to find one that ends the process.
    #[arg(long)]
    trace: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let known = || ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = arguments.targets.iter().find(|t| ALL.iter().all(|(name, _)| name != t)) {
        bail!("no target `{unknown}`; there are {}", known());
    }
    let wanted = ALL
        .iter()
        .filter(|(name, _)| arguments.targets.is_empty() || arguments.targets.iter().any(|t| t == name));
    if let Some(file) = &arguments.input {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        wanted.for_each(|(_, target)| {
            let _ = target(&bytes);
        });
        return Ok(());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = seeds(folder.parent().context("fuzz lies in the repository")?)?;
    quiet_panics();
    let mut findings = 0;
    println!("{:<24} {:>9} {:>6} {:>10}", "target", "inputs", "kept", "slowest");
    for (name, target) in wanted {
        let plan = Plan {
            seed: arguments.seed,
            runs: arguments.runs,
            time: Duration::from_secs(arguments.seconds),
            trace: arguments.trace.clone(),
        };
        let outcome = drive(*target, &seeds, &plan)?;
        println!("{name:<24} {:>9} {:>6} {:>7} ms", outcome.runs, outcome.kept, outcome.slowest.as_millis());
        if let Some((input, why)) = outcome.finding {
            findings += 1;
            let mut hasher = DefaultHasher::new();
            input.hash(&mut hasher);
            let file = folder.join("findings").join(format!("{name}-{:016x}", hasher.finish()));
            std::fs::create_dir_all(folder.join("findings"))
                .context("cannot make the folder for findings")?;
            std::fs::write(&file, &input).with_context(|| format!("cannot write {}", file.display()))?;
            println!("  finding: {why}");
            println!("  input: {}", file.display());
        }
    }
    if findings > 0 {
        bail!("{findings} targets have a finding");
    }
    println!("no findings");
    Ok(())
}

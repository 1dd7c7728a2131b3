//! Many inputs, one report: the stable driver.
//!
//! Shape: every input is a function of the seed and its number, as long as no target was changed. A finding is made smaller and written to
//! `fuzz/findings`.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use smi_core::testing::random::Random;

use crate::mutate::mutate;
use crate::targets::{Mark, Target};

/// How long, and from where.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seed of all choices.
    pub seed: u64,
    /// Stop after so many inputs.
    pub runs: u64,
    /// Stop after so long.
    pub time: Duration,
    /// Write each input here before it runs, to find what ends the process (a stack overflow).
    pub trace: Option<PathBuf>,
}

/// What a drive gave.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Inputs that ran.
    pub runs: u64,
    /// Inputs that reached something new.
    pub kept: usize,
    /// The longest time of one input.
    pub slowest: Duration,
    /// The smallest input that fails, and why.
    pub finding: Option<(Vec<u8>, String)>,
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Keeps the messages of panics that are caught off the screen.
pub fn quiet_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !QUIET.get() {
            usual(info);
        }
    }));
}

/// The fault of an input, if it has one.
fn run(target: Target, input: &[u8]) -> Result<Mark, String> {
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| target(input)));
    QUIET.set(false);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
    })
}

/// Runs a target on its seeds and on what is made of them.
///
/// # Errors
/// When the trace cannot be written.
pub fn drive(target: Target, seeds: &[Vec<u8>], plan: &Plan) -> Result<Outcome> {
    let start = Instant::now();
    let mut random = Random::new(plan.seed);
    let mut marks: HashSet<Mark> = HashSet::new();
    let mut corpus: Vec<Vec<u8>> = seeds.to_vec();
    let mut outcome = Outcome { runs: 0, kept: 0, slowest: Duration::ZERO, finding: None };
    while outcome.runs < plan.runs && start.elapsed() < plan.time {
        let place = usize::try_from(outcome.runs).unwrap_or(usize::MAX);
        let input = match seeds.get(place) {
            Some(seed) => seed.clone(),
            None => {
                let empty = Vec::new();
                let one = corpus.get(random.below(corpus.len())).unwrap_or(&empty);
                let other = corpus.get(random.below(corpus.len())).unwrap_or(&empty);
                mutate(&mut random, one, other)
            }
        };
        if let Some(trace) = &plan.trace {
            std::fs::write(trace, &input).with_context(|| format!("cannot write {}", trace.display()))?;
        }
        let began = Instant::now();
        let result = run(target, &input);
        outcome.slowest = outcome.slowest.max(began.elapsed());
        outcome.runs += 1;
        match result {
            Ok(mark) => {
                if marks.insert(mark) && outcome.runs > seeds.len() as u64 {
                    corpus.push(input);
                    outcome.kept += 1;
                }
            }
            Err(why) => {
                let (input, why) = smaller(target, input, why);
                outcome.finding = Some((input, why));
                break;
            }
        }
    }
    Ok(outcome)
}

/// Leaves out what the fault does not need: halves, then lines, then bytes.
fn smaller(target: Target, mut input: Vec<u8>, mut why: String) -> (Vec<u8>, String) {
    let start = Instant::now();
    let mut size = input.len() / 2;
    while size > 0 && start.elapsed() < Duration::from_secs(60) {
        let mut at = 0;
        while at < input.len() {
            let mut less = input.clone();
            less.drain(at..(at + size).min(input.len()));
            match run(target, &less) {
                Err(again) => {
                    input = less;
                    why = again;
                }
                Ok(_) => at += size,
            }
        }
        size /= 2;
    }
    (input, why)
}

/// The manifests of every case, and the documents of each by itself.
///
/// # Errors
/// When they cannot be read.
pub fn seeds(repository: &Path) -> Result<Vec<Vec<u8>>> {
    let mut files = Vec::new();
    for folder in ["tests/cases", "examples", "fuzz/seeds"] {
        collect(&repository.join(folder), &mut files)?;
    }
    files.sort();
    let mut out = Vec::new();
    for file in files {
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        if bytes.len() <= 16 << 10 {
            out.push(bytes);
        }
    }
    Ok(out)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "rule" || e == "json") {
            files.push(path);
        }
    }
    Ok(())
}

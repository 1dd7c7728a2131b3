//! Running other programs: each is printed before it runs, must succeed, and is ended when its time is over.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Runs cargo in a folder, for at most so many minutes.
pub(crate) fn cargo(
    folder: &Path,
    arguments: &[&str],
    environment: &[(&str, &OsStr)],
    minutes: u64,
) -> Result<()> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().copied()).current_dir(folder);
    run(&mut command, Duration::from_secs(minutes * 60))
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<()> {
    println!("run: {command:?}");
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("{command:?} failed: {status}");
            }
            return Ok(());
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("{command:?} took longer than {} s", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Where `PATH` has such a program.
pub(crate) fn on_path(name: &str) -> Option<std::path::PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|p| p.is_file())
}

//! `cargo-deny`, pinned and built from the registry into the cache of the peers when it is missing: a few minutes, once per machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::{cargo, on_path};
use crate::peers;

const VERSION: &str = "0.20.2";

/// Licences, duplicates and origins of all dependencies.
pub(crate) fn check(root: &Path) -> Result<()> {
    let program = get(root)?;
    let mut command = Command::new(program);
    command.args(["--locked", "check", "bans", "licenses", "sources"]).current_dir(root);
    crate::command::run(&mut command, std::time::Duration::from_secs(5 * 60))
}

fn get(root: &Path) -> Result<PathBuf> {
    let folder = peers::cache()?.join(format!("cargo-deny-{VERSION}"));
    let cached = folder.join("bin/cargo-deny");
    let found = if has_version(&cached) {
        Some((cached.clone(), "cache"))
    } else {
        on_path("cargo-deny").filter(|path| has_version(path)).map(|path| (path, "PATH"))
    };
    let (path, origin) = match found {
        Some(found) => found,
        None => {
            install(root, &folder)?;
            (cached, "built from crates.io")
        }
    };
    if !has_version(&path) {
        bail!("{} does not run, or is not version {VERSION}", path.display());
    }
    println!("cargo-deny {VERSION} {} ({origin})", path.display());
    Ok(path)
}

fn has_version(path: &Path) -> bool {
    let Ok(output) = Command::new(path).arg("--version").output() else { return false };
    String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == VERSION)
}

/// Built under another name and renamed, so that an interrupted run leaves nothing half there.
fn install(root: &Path, folder: &Path) -> Result<()> {
    let parent = folder.parent().context("the cache folder has a parent")?;
    let temporary = parent.join(format!("cargo-deny-{VERSION}.{}", std::process::id()));
    let name = temporary.to_str().context("the cache folder has a name in UTF-8")?;
    // The features left out only bring what fetches the advisories' database.
    let arguments = ["install", "cargo-deny", "--version", VERSION, "--locked", "--no-default-features"];
    // It runs for a second, so what it takes to build counts for more.
    let quick = [
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1".as_ref()),
        ("CARGO_PROFILE_RELEASE_LTO", "off".as_ref()),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16".as_ref()),
    ];
    let built = cargo(root, &[&arguments[..], &["--root", name]].concat(), &quick, 30);
    let moved = built.and_then(|()| {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        Ok(std::fs::rename(&temporary, folder)?)
    });
    if moved.is_err() {
        // The first fault is the one to tell; what cannot be removed is in nobody's way.
        drop(std::fs::remove_dir_all(&temporary));
    }
    moved
}

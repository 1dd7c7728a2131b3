//! Files, folders and standard input.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use smi_core::load::{Input, Limits, World, load};

/// Where manifests come from.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Files and folders with manifests (YAML or JSON); `-` is standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Files {
    /// The files and folders.
    #[cfg(feature = "serve")]
    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Reads and loads everything.
    pub(crate) fn load(&self) -> anyhow::Result<World> {
        Ok(load(&self.read()?, &Limits::default()))
    }

    /// Reads everything; a file that is named twice, perhaps by its folder, is read once.
    pub(crate) fn read(&self) -> anyhow::Result<Vec<Input>> {
        let mut inputs = Vec::new();
        let mut seen = BTreeSet::new();
        for path in &self.paths {
            if path.as_os_str() == "-" {
                let mut bytes = Vec::new();
                std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
                inputs.push(Input::new("-", bytes));
            } else {
                read(path, true, &mut seen, &mut inputs)?;
            }
        }
        Ok(inputs)
    }
}

/// Reads a file, or the manifests of a folder and those below it, in the order of their names.
fn read(
    path: &Path,
    named: bool,
    seen: &mut BTreeSet<PathBuf>,
    inputs: &mut Vec<Input>,
) -> anyhow::Result<()> {
    let name = path.display().to_string();
    let meta = std::fs::metadata(path).with_context(|| format!("cannot read `{name}`"))?;
    if meta.is_dir() {
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read folder `{name}`"))?;
        let mut children = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
        children.sort();
        for child in children {
            let hidden = child.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
            if !hidden {
                read(&child, false, seen, inputs)?;
            }
        }
    } else {
        let manifest =
            path.extension().is_some_and(|e| ["yaml", "yml", "json"].iter().any(|known| e == *known));
        // Two names of one file have one canonical path; pipes may have none.
        let mut new = || std::fs::canonicalize(path).map_or(true, |path| seen.insert(path));
        if (named || manifest) && new() {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read `{name}`"))?;
            inputs.push(Input::new(name, bytes));
        }
    }
    Ok(())
}

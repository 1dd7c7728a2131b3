//! Files, folders and standard input.
//!
//! Shape: a walk over what was named meets every manifest; `read` reads them, and whoever watches looks at the same ones.
//! Faults: what cannot be read spoils nothing else and is never taken for absent: it comes back beside what was read.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use smi_core::diag::{Code, Diagnostic, Severity};
use smi_core::load::{Input, Limits, World, load};

/// A file or folder that cannot be read.
pub(crate) const UNREADABLE: Code = Code {
    id: "SMI0013",
    name: "file-not-readable",
    severity: Severity::Error,
    summary: "a file or folder cannot be read",
    explanation: "## What it checks\n\nEvery manifest below a folder can be read.\n\n## Why it matters\n\nWhat it says is missing from the \
                  other findings and may change them. Others are checked; nothing is compiled or rendered without it, and `smi serve` \
                  keeps it as it was. What was never read may have been a Namespace: with `--enforce-label`, access is then \
                  enforced wherever no other one speaks.\n\n## Example\n\nA link to a file that is gone, a file of another user.\n\n## Fix\n\nMake it \
                  readable, or remove it.",
    rule: "S1",
};

/// Where manifests come from.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Files and folders with manifests (YAML or JSON); `-` is standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// What was read.
pub(crate) struct Read {
    pub(crate) inputs: Vec<Input>,
    /// What could not be read.
    pub(crate) faults: Vec<Fault>,
}

/// A file or folder that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) name: String,
    /// Whether it was named itself, and not met below a folder.
    named: bool,
    pub(crate) error: String,
}

impl Fault {
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        Diagnostic::general(UNREADABLE, self.text())
    }

    fn text(&self) -> String {
        format!("cannot read `{}`: {}", self.name, self.error)
    }

    #[cfg(all(test, feature = "serve"))]
    pub(crate) fn test(name: &str) -> Self {
        Self { name: name.into(), named: false, error: "gone".into() }
    }

    /// Whether it hides this file: is it, or a folder above it.
    #[cfg(feature = "serve")]
    pub(crate) fn hides(&self, name: &str) -> bool {
        Path::new(name).starts_with(&self.name)
    }
}

impl Files {
    #[cfg(test)]
    pub(crate) fn test(path: &Path) -> Self {
        Self { paths: vec![path.to_owned()] }
    }

    /// Reads and loads everything; fails if anything cannot be read, as others could mean something else without it.
    pub(crate) fn load(&self) -> anyhow::Result<World> {
        let read = self.read()?;
        if let Some(fault) = read.faults.first() {
            anyhow::bail!("{}", fault.text());
        }
        Ok(load(&read.inputs, &Limits::default()))
    }

    /// Reads everything; a file that is named twice, perhaps by its folder, is read once. Fails if what was named itself cannot be read.
    pub(crate) fn read(&self) -> anyhow::Result<Read> {
        let read = self.read_what_can_be();
        if let Some(fault) = read.faults.iter().find(|fault| fault.named) {
            anyhow::bail!("{}", fault.text());
        }
        if read.inputs.is_empty() && read.faults.is_empty() {
            let names: Vec<String> = self.paths.iter().map(|path| format!("`{}`", path.display())).collect();
            writeln!(anstream::stderr(), "note: no manifests in {}", names.join(", "))?;
        }
        Ok(read)
    }

    /// The same, but nothing that cannot be read makes it fail.
    pub(crate) fn read_what_can_be(&self) -> Read {
        let mut read = Read { inputs: Vec::new(), faults: Vec::new() };
        let mut seen = BTreeSet::new();
        if self.paths.iter().any(|path| is_stdin(path)) {
            let mut bytes = Vec::new();
            match io::stdin().lock().read_to_end(&mut bytes) {
                Ok(_) => read.inputs.push(Input::new("-", bytes)),
                Err(error) => {
                    read.faults.push(Fault { name: "-".into(), named: true, error: error.to_string() });
                }
            }
        }
        self.walk(|path, named, met| {
            let name = path.display().to_string();
            // Two names of one file have one canonical path; pipes may have none.
            if met.is_ok() && !std::fs::canonicalize(path).map_or(true, |path| seen.insert(path)) {
                return;
            }
            match met.and_then(|_| std::fs::read(path)) {
                Ok(bytes) => read.inputs.push(Input::new(name, bytes)),
                Err(error) => read.faults.push(Fault { name, named, error: error.to_string() }),
            }
        });
        read
    }

    /// Meets every manifest and everything that cannot be looked at, in the order of names: its path, whether it was named itself, and
    /// what it is.
    pub(crate) fn walk(&self, mut meet: impl FnMut(&Path, bool, io::Result<Metadata>)) {
        let mut folders = BTreeSet::new();
        for path in self.paths.iter().filter(|path| !is_stdin(path)) {
            walk(path, true, &mut folders, &mut meet);
        }
    }

    /// Fails if something was named that can be read only once.
    #[cfg(feature = "serve")]
    pub(crate) fn can_be_watched(&self) -> anyhow::Result<()> {
        for path in &self.paths {
            let special = std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
            anyhow::ensure!(
                !is_stdin(path) && !special,
                "`{}` is neither a file nor a folder, so it cannot be watched",
                path.display()
            );
        }
        Ok(())
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn walk(
    path: &Path,
    named: bool,
    folders: &mut BTreeSet<PathBuf>,
    meet: &mut impl FnMut(&Path, bool, io::Result<Metadata>),
) {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        // Gone since its folder was listed; a link to nothing is still there.
        Err(_) if !named && std::fs::symlink_metadata(path).is_err_and(|e| gone(&e)) => return,
        Err(error) => return meet(path, named, Err(error)),
    };
    if meta.is_dir() {
        // A link may lead back up.
        if !std::fs::canonicalize(path).map_or(true, |path| folders.insert(path)) {
            return;
        }
        let children = std::fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
        match children {
            Err(error) => meet(path, named, Err(error)),
            Ok(mut children) => {
                children.sort();
                for child in children.iter().filter(|child| !is_hidden(child)) {
                    walk(child, false, folders, meet);
                }
            }
        }
    } else if named || (meta.is_file() && is_manifest(path)) {
        // Below folders no pipes, which could keep a reader waiting for ever.
        meet(path, named, Ok(meta));
    }
}

fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|e| ["yaml", "yml", "json"].iter().any(|known| e == *known))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_no_manifest_keeps_nobody_waiting_and_what_is_one_is_not_absent() {
        let folder = std::env::temp_dir().join(format!("smi-input-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("below")).unwrap();
        std::fs::write(folder.join("below/a.yaml"), "a: 1").unwrap();
        std::fs::write(folder.join("notes.txt"), "no manifest").unwrap();
        let pipe = folder.join("pipe.yaml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        symlink("nowhere", folder.join("gone.yaml")).unwrap();
        symlink("loop.yaml", folder.join("loop.yaml")).unwrap();
        // Two links back up would make very many names of one file.
        symlink("..", folder.join("below/up")).unwrap();
        symlink("..", folder.join("below/again")).unwrap();
        let read = Files::test(&folder).read().unwrap();
        let names: Vec<&str> = read.inputs.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(names, [folder.join("below/a.yaml").to_str().unwrap()]);
        let faults: Vec<String> = read.faults.iter().map(Fault::text).collect();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("gone.yaml`: No such file"), "{faults:?}");
        assert!(faults[1].contains("loop.yaml`: ") && faults[1].contains("symbolic links"), "{faults:?}");
        assert!(Files::test(&folder).load().is_err());
        assert!(Files::test(&folder.join("gone.yaml")).read().is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }
}

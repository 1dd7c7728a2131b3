//! Files for a proxy that watches them, replaced in an order that loses no request.
//!
//! A proxy does not say when it has read a file. So what is added is written at once, clusters before what routes to them; what is removed
//! goes from the files a little later, when nothing refers to it any more, and a file of its own goes a little after that.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use smi_envoy::EnvoyConfig;

use super::say;
use super::world::Proxies;
use crate::output::replace;

/// How long a proxy gets to read clusters before routes go to them, and routes before clusters go.
const READ: Duration = Duration::from_millis(500);
const LINGER: Duration = Duration::from_secs(5);

/// The folder.
pub(super) struct Folder {
    path: PathBuf,
    at: String,
    /// What is in the files, what was removed and lingers included.
    written: Option<EnvoyConfig>,
    /// What remains when nothing lingers, and since when it is so.
    wanted: Option<(EnvoyConfig, Instant)>,
    /// Since when the files name nothing that lingers.
    settled: Option<Instant>,
    admin_port: u16,
}

impl Folder {
    pub(super) fn new(path: &Path, admin_port: u16) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot create `{}`", path.display()))?;
        let at = std::path::absolute(path)?.display().to_string();
        Ok(Self { path: path.to_owned(), at, written: None, wanted: None, settled: None, admin_port })
    }

    /// Writes what is new, and keeps what is no longer wanted for a while. If it fails, it can be tried again.
    pub(super) fn publish(&mut self, proxies: &Proxies) -> anyhow::Result<()> {
        let Some(config) = proxies.node() else { return Ok(()) };
        let mut union = config.clone();
        if let Some(before) = &self.written {
            for (name, cluster) in &before.resources.clusters {
                if !union.resources.clusters.contains_key(name) {
                    union.resources.clusters.insert(name.clone(), cluster.clone());
                    let endpoints = before.resources.endpoints.get(name).cloned().unwrap_or_default();
                    union.resources.endpoints.insert(name.clone(), endpoints);
                }
            }
        }
        // Should it fail half way, any of it may be in the files, and what was wanted before is not wanted any more.
        (self.wanted, self.settled) = (None, None);
        let written = self.write(&union);
        self.written = Some(union);
        written?;
        self.wanted = Some((config.clone(), Instant::now()));
        Ok(())
    }

    /// Removes what has lingered long enough. If it fails, it can be tried again.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        if let Some((config, since)) = &self.wanted
            && since.elapsed() >= LINGER
        {
            if self.written.as_ref() != Some(config) {
                self.write(config)?;
            }
            self.written = self.wanted.take().map(|(config, _)| config);
            self.settled = Some(Instant::now());
        }
        if let (Some(at), Some(config)) = (self.settled, &self.written)
            && at.elapsed() >= LINGER
        {
            let files: BTreeSet<PathBuf> =
                config.watched_files(&self.at).iter().map(|file| self.path.join(&file.name)).collect();
            for folder in OWN {
                sweep(&self.path.join(folder), &files)?;
            }
            self.settled = None;
        }
        Ok(())
    }

    fn write(&self, config: &EnvoyConfig) -> anyhow::Result<()> {
        let mut files = 0;
        let mut clusters = false;
        for artifact in config.watched_files(&self.at) {
            let path = self.path.join(&artifact.name);
            let routes = artifact.name.starts_with("routes/") || artifact.name == "listeners.json";
            if artifact.name == "bootstrap.json" {
                self.bootstrap(&path, &artifact.text)?;
                continue;
            }
            if std::fs::read_to_string(&path).is_ok_and(|old| old == artifact.text) {
                continue;
            }
            if routes && clusters {
                std::thread::sleep(READ);
                clusters = false;
            }
            clusters |= artifact.name == "clusters.json";
            replace(&path, artifact.text.as_bytes())?;
            files += 1;
        }
        say(format_args!("{files} files written"));
        Ok(())
    }

    /// With the admin port asked for.
    fn bootstrap(&self, path: &Path, text: &str) -> anyhow::Result<()> {
        let mut tree: serde_json::Value = serde_json::from_str(text)?;
        match self.admin_port {
            0 => {
                tree.as_object_mut().map(|bootstrap| bootstrap.remove("admin"));
            }
            port => {
                if let Some(value) = tree.pointer_mut("/admin/address/socket_address/port_value") {
                    *value = port.into();
                }
            }
        }
        let text = serde_json::to_string_pretty(&tree)? + "\n";
        replace(path, text.as_bytes())
    }
}

/// Folders in which every file is of one resource.
const OWN: [&str; 2] = ["endpoints", "routes"];

/// Removes the files that nothing names any more.
fn sweep(folder: &Path, named: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            sweep(&path, named)?;
        } else if path.extension().is_some_and(|e| e == "json") && !named.contains(&path) {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
    }
    Ok(())
}

//! Files for a proxy that watches them, replaced in an order that loses no request.
//!
//! A proxy does not say when it has read a file. So what is added is written at once, clusters before what routes to them; what is removed
//! goes from the files a little later, when nothing refers to it any more, and a file of its own goes a little after that. What lingers is
//! read from the files, so that nothing is lost after a restart either.
//! Faults: a file that cannot be written holds no other back, and is tried again. Until then it is as it was, and what names it opens
//! nothing: a virtual host or a listener that would be another one is closed, as the old one may allow what was revoked, and the new one
//! what the pods in the old file never allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use smi_core::backend::Artifact;
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
    /// What remains when nothing lingers, and since when the files hold it.
    wanted: Option<(EnvoyConfig, Instant)>,
    /// The same once the files name nothing that lingers, and since when.
    settled: Option<(EnvoyConfig, Instant)>,
    admin_port: u16,
}

impl Folder {
    pub(super) fn new(path: &Path, admin_port: u16) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot create `{}`", path.display()))?;
        let at = std::path::absolute(path)?.display().to_string();
        Ok(Self { path: path.to_owned(), at, wanted: None, settled: None, admin_port })
    }

    /// Writes what is new, and keeps what is no longer wanted for a while. If it fails, it can be tried again.
    pub(super) fn publish(&mut self, proxies: &Proxies) -> anyhow::Result<()> {
        let Some(config) = proxies.node() else { return Ok(()) };
        // Should it fail half way, what was wanted before is not wanted any more.
        (self.wanted, self.settled) = (None, None);
        self.write(config, true)?;
        self.wanted = Some((config.clone(), Instant::now()));
        Ok(())
    }

    /// Removes what has lingered long enough. If it fails, it can be tried again.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        if let Some((config, since)) = &self.wanted
            && since.elapsed() >= LINGER
        {
            self.write(config, false)?;
            self.settled = self.wanted.take().map(|(config, _)| (config, Instant::now()));
        }
        if let Some((config, since)) = &self.settled
            && since.elapsed() >= LINGER
        {
            let files: BTreeSet<PathBuf> =
                config.watched_files(&self.at).iter().map(|file| self.path.join(&file.name)).collect();
            let swept = OWN.map(|folder| sweep(&self.path.join(folder), &files));
            swept.into_iter().collect::<anyhow::Result<()>>()?;
            self.settled = None;
        }
        Ok(())
    }

    /// Writes all files that are other ones now; clusters that are in the files and no longer wanted may linger.
    fn write(&self, config: &EnvoyConfig, linger: bool) -> anyhow::Result<()> {
        let mut round = Round::default();
        let (mut files, mut clusters) = (0, false);
        for Artifact { name, text } in config.watched_files(&self.at) {
            let path = self.path.join(&name);
            let old = std::fs::read_to_string(&path).unwrap_or_default();
            let late = name.starts_with("routes/") || name == "listeners.json";
            let text = match name.as_str() {
                "bootstrap.json" => self.bootstrap(&text)?,
                "clusters.json" => round.clusters(text, &old, linger),
                "listeners.json" => round.listeners(text, &old),
                _ if late => round.routes(text, &old),
                _ => text,
            };
            if text == old {
                continue;
            }
            if late && clusters {
                std::thread::sleep(READ);
                clusters = false;
            }
            match replace(&path, text.as_bytes()) {
                Ok(()) => {
                    files += 1;
                    clusters |= name == "clusters.json";
                }
                Err(error) => round.failed(error, &text, &old),
            }
        }
        if files > 0 || linger {
            say(format_args!("{files} files written"));
        }
        round.end()
    }

    /// With the admin port asked for.
    fn bootstrap(&self, text: &str) -> anyhow::Result<String> {
        let mut tree: Value = serde_json::from_str(text)?;
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
        Ok(print(&tree))
    }
}

/// What could not be written in one go through the files, and what is closed for it.
#[derive(Default)]
struct Round {
    /// Names of resources that are still the old ones in the files, or not there at all.
    stale: BTreeSet<String>,
    closed: Vec<String>,
    errors: Vec<anyhow::Error>,
}

impl Round {
    fn failed(&mut self, error: anyhow::Error, text: &str, old: &str) {
        let (new, old) = (parse(text), parse(old));
        let old = by_name(&old, RESOURCES);
        let changed = by_name(&new, RESOURCES).into_iter().filter(|(name, item)| old.get(name) != Some(item));
        self.stale.extend(changed.map(|(name, _)| name.to_owned()));
        self.errors.push(error);
    }

    /// Whether it would be another one, and names what could not be written.
    fn must_wait(&self, item: &Value, old: &BTreeMap<&str, &Value>) -> bool {
        old.get(name(item)) != Some(&item) && names(item, &self.stale)
    }

    /// Those that have to wait are as they were, those that are gone linger.
    fn clusters(&mut self, text: String, old: &str, linger: bool) -> String {
        if text == old {
            return text;
        }
        let (mut new, old) = (parse(&text), parse(old));
        let mut gone = by_name(&old, RESOURCES);
        let Some(clusters) = list(&mut new, RESOURCES) else { return text };
        let mut changed = false;
        for cluster in std::mem::take(clusters) {
            let waits = self.must_wait(&cluster, &gone);
            let before = gone.remove(name(&cluster));
            if waits {
                changed = true;
                self.stale.insert(name(&cluster).to_owned());
                clusters.extend(before.cloned());
            } else {
                clusters.push(cluster);
            }
        }
        if linger {
            changed |= !gone.is_empty();
            clusters.extend(gone.into_values().cloned());
        }
        if changed { print(&new) } else { text }
    }

    /// Virtual hosts that have to wait answer for their domains, so that no wider one takes over, and open nothing.
    fn routes(&mut self, text: String, old: &str) -> String {
        let (mut new, old) = if self.stale.is_empty() { return text } else { (parse(&text), parse(old)) };
        let old = by_name(&old, HOSTS);
        let Some(hosts) = list(&mut new, HOSTS) else { return text };
        let closed = self.closed.len();
        for host in hosts.iter_mut() {
            if self.must_wait(host, &old) {
                self.closed.push(name(host).to_owned());
                let refusal = json!({"match": {"prefix": "/"}, "direct_response": {"status": 503}});
                let domains = host.get("domains").cloned();
                *host = json!({"name": name(host), "domains": domains, "routes": [refusal]});
            }
        }
        if self.closed.len() > closed { print(&new) } else { text }
    }

    /// Listeners that have to wait are not there.
    fn listeners(&mut self, text: String, old: &str) -> String {
        let (mut new, old) = if self.stale.is_empty() { return text } else { (parse(&text), parse(old)) };
        let old = by_name(&old, RESOURCES);
        let Some(listeners) = list(&mut new, RESOURCES) else { return text };
        let (waiting, open): (Vec<Value>, Vec<Value>) =
            std::mem::take(listeners).into_iter().partition(|listener| self.must_wait(listener, &old));
        *listeners = open;
        self.closed.extend(waiting.iter().map(|listener| name(listener).to_owned()));
        if waiting.is_empty() { text } else { print(&new) }
    }

    /// The first error, and how much else there is.
    fn end(self) -> anyhow::Result<()> {
        let Some((first, others)) = self.errors.split_first() else { return Ok(()) };
        let mut text = format!("{first:#}");
        if !others.is_empty() {
            text += &format!(", and {} more", others.len());
        }
        if let Some((first, others)) = self.closed.split_first() {
            text += &format!("; closed until then: `{first}`");
            if !others.is_empty() {
                text += &format!(" and {} more", others.len());
            }
        }
        Err(anyhow::Error::msg(text))
    }
}

/// Where resources are in a file, and virtual hosts in one of routes.
const RESOURCES: &str = "/resources";
const HOSTS: &str = "/resources/0/virtual_hosts";

/// What a file holds; nothing if it is not there or none of ours.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn print(tree: &Value) -> String {
    format!("{tree:#}\n")
}

fn list<'a>(tree: &'a mut Value, at: &str) -> Option<&'a mut Vec<Value>> {
    tree.pointer_mut(at)?.as_array_mut()
}

fn by_name<'a>(tree: &'a Value, at: &str) -> BTreeMap<&'a str, &'a Value> {
    let items = tree.pointer(at).and_then(Value::as_array);
    items.into_iter().flatten().map(|item| (name(item), item)).collect()
}

fn name(item: &Value) -> &str {
    let name = item.get("name").or_else(|| item.get("cluster_name"));
    name.and_then(Value::as_str).unwrap_or_default()
}

/// Whether one of these names stands anywhere in it.
fn names(item: &Value, these: &BTreeSet<String>) -> bool {
    match item {
        Value::String(text) => these.contains(text),
        Value::Array(items) => items.iter().any(|item| names(item, these)),
        Value::Object(fields) => fields.values().any(|item| names(item, these)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Folders in which every file is of one resource.
const OWN: [&str; 2] = ["endpoints", "routes"];

/// Removes the files that nothing names any more; one that stays keeps no other.
fn sweep(folder: &Path, named: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let mut swept = Ok(());
    for path in entries.flatten().map(|entry| entry.path()) {
        let gone = if path.is_dir() {
            sweep(&path, named)
        } else if path.extension().is_some_and(|e| e == "json") && !named.contains(&path) {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))
        } else {
            Ok(())
        };
        swept = swept.and(gone);
    }
    swept
}

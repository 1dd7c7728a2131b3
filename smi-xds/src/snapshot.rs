//! What a group of nodes should have: resources by type and name.
//!
//! Invariant: every cluster that refers to an assignment has one, if only an empty one, because Envoy waits 15 s for it otherwise.
//! A snapshot is a persistent tree: copies are free and an edit costs its own size.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

use crate::kind::{CLUSTER, ENDPOINT, TypeUrl};
use crate::resource::{Name, Reference, Resource};
use crate::set::Set;

/// Resources of all types.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    types: BTreeMap<TypeUrl, Set>,
    /// How many clusters refer to an assignment.
    users: RedBlackTreeMapSync<Name, usize>,
}

/// A reference that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dangling {
    /// Type and name of the resource that refers.
    pub from: Reference,
    /// What it refers to.
    pub to: Reference,
}

/// Names that differ between two snapshots, by type.
pub type Changes = BTreeMap<TypeUrl, BTreeSet<Name>>;

impl Snapshot {
    /// A snapshot of these resources. Of two with one type and name, the last counts.
    #[must_use]
    pub fn new(resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut snapshot = Self::default();
        for resource in resources {
            snapshot.put(Arc::new(resource));
        }
        let used: Vec<Name> = snapshot.users.keys().cloned().collect();
        for name in used {
            snapshot.fill(&name);
        }
        snapshot
    }

    /// What it replaces.
    fn put(&mut self, resource: Arc<Resource>) -> Option<Arc<Resource>> {
        let before = self.take(resource.type_url().as_str(), resource.name());
        for name in assignments(&resource) {
            let users = self.users.get(name).copied().unwrap_or(0);
            self.users.insert_mut(Arc::clone(name), users + 1);
        }
        self.types.entry(resource.type_url().clone()).or_default().insert(resource);
        before
    }

    fn take(&mut self, type_url: &str, name: &str) -> Option<Arc<Resource>> {
        let gone = self.types.get_mut(type_url)?.remove(name)?;
        for name in assignments(&gone) {
            match self.users.get(name).copied() {
                Some(users) if users > 1 => self.users.insert_mut(Arc::clone(name), users - 1),
                Some(_) | None => {
                    self.users.remove_mut(name);
                }
            }
        }
        Some(gone)
    }

    /// Makes the assignment of this name present exactly if it was set or a cluster refers to it.
    fn fill(&mut self, name: &Name) {
        let filler = empty_assignment(name);
        let present = self.get(ENDPOINT, name).map(|a| a.version() == filler.version());
        match (self.users.get(name).is_some(), present) {
            (true, None) => drop(self.put(Arc::new(filler))),
            (false, Some(true)) => drop(self.take(ENDPOINT, name)),
            (true, Some(_)) | (false, Some(false) | None) => {}
        }
    }

    /// Adds or replaces a resource.
    pub fn insert(&mut self, resource: Resource) {
        let resource = Arc::new(resource);
        let before = self.put(Arc::clone(&resource));
        for name in before.iter().flat_map(|before| assignments(before)).chain(assignments(&resource)) {
            self.fill(name);
        }
    }

    /// Removes a resource. An assignment that a cluster still refers to becomes empty instead.
    pub fn remove(&mut self, type_url: &str, name: &str) {
        let Some(gone) = self.take(type_url, name) else { return };
        if type_url == ENDPOINT {
            self.fill(gone.name());
        }
        for name in assignments(&gone) {
            self.fill(name);
        }
    }

    /// The resources of a type.
    #[must_use]
    pub fn set(&self, type_url: &str) -> Option<&Set> {
        self.types.get(type_url)
    }

    /// One resource.
    #[must_use]
    pub fn get(&self, type_url: &str, name: &str) -> Option<&Arc<Resource>> {
        self.types.get(type_url)?.get(name)
    }

    /// All resources, by type and name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.types.values().flat_map(Set::iter)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.types.values().map(Set::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// References that lead nowhere. The server sends such a snapshot all the same: whoever builds it decides.
    #[must_use]
    pub fn dangling(&self) -> Vec<Dangling> {
        let mut found = Vec::new();
        for resource in self.iter() {
            for to in resource.depends_on() {
                if self.get(to.type_url.as_str(), &to.name).is_none() {
                    let from = Reference::new(resource.type_url().clone(), Arc::clone(resource.name()));
                    found.push(Dangling { from, to: to.clone() });
                }
            }
        }
        found
    }

    /// What differs from an older snapshot. Resources that did not change are taken over from it, so that their bytes are held once.
    pub(crate) fn changes_since(&mut self, older: &Self) -> Changes {
        let mut changes = Changes::new();
        let urls: BTreeSet<TypeUrl> = self.types.keys().chain(older.types.keys()).cloned().collect();
        let empty = Set::default();
        for url in urls {
            let old = older.types.get(&url).unwrap_or(&empty);
            let new = self.types.entry(url.clone()).or_default();
            let (names, same) = new.since(old);
            for resource in same {
                new.insert(resource);
            }
            if !names.is_empty() {
                changes.insert(url, names);
            }
        }
        changes
    }
}

/// The assignments that a cluster refers to.
fn assignments(resource: &Resource) -> impl Iterator<Item = &Name> {
    let of_cluster = resource.type_url().as_str() == CLUSTER;
    let found = resource.depends_on().iter().filter(move |to| of_cluster && to.type_url.as_str() == ENDPOINT);
    found.map(|to| &to.name)
}

/// `ClusterLoadAssignment` with nothing but its name.
pub(crate) fn empty_assignment(name: &Name) -> Resource {
    #[derive(Clone, PartialEq, Eq, prost::Message)]
    struct Assignment {
        #[prost(string, tag = "1")]
        cluster_name: String,
    }
    let value = prost::Message::encode_to_vec(&Assignment { cluster_name: name.to_string() });
    Resource::new(ENDPOINT, Arc::clone(name), &value)
}

/// A snapshot with its place in the sequence of a group, and what changed lately.
#[derive(Clone, Debug, Default)]
pub struct Published {
    sequence: u64,
    /// Numbers of different sequences do not compare.
    lineage: Arc<()>,
    snapshot: Snapshot,
    recent: Vec<Arc<Changes>>,
}

/// How many changes a stream may lag behind before it compares whole snapshots.
const RECENT: usize = 64;

impl Published {
    /// The first snapshot of a group.
    #[must_use]
    pub fn first(snapshot: Snapshot) -> Self {
        Self { sequence: 1, lineage: Arc::new(()), snapshot, recent: Vec::new() }
    }

    /// The snapshot that follows; `None` when nothing differs.
    #[must_use]
    pub fn next(&self, mut snapshot: Snapshot) -> Option<Self> {
        let changes = snapshot.changes_since(&self.snapshot);
        if changes.is_empty() { None } else { Some(self.followed_by(snapshot, changes)) }
    }

    /// The snapshot after edits of single resources; `None` when nothing differs. Costs what the edits cost, whatever the size.
    #[must_use]
    pub fn edited(&self, insert: Vec<Resource>, remove: &[Reference]) -> Option<Self> {
        let mut snapshot = self.snapshot.clone();
        let mut touched: BTreeSet<Reference> = remove.iter().cloned().collect();
        touched.extend(insert.iter().map(|r| Reference::new(r.type_url().clone(), Arc::clone(r.name()))));
        // What an edit does to fillers shows at the assignments of the clusters it touches.
        for reference in touched.clone() {
            let old = self.snapshot.get(reference.type_url.as_str(), &reference.name);
            touched.extend(old.into_iter().flat_map(|r| r.depends_on().iter().cloned()));
        }
        touched.extend(insert.iter().flat_map(|r| r.depends_on().iter().cloned()));
        for reference in remove {
            snapshot.remove(reference.type_url.as_str(), &reference.name);
        }
        for resource in insert {
            snapshot.insert(resource);
        }
        let mut changes = Changes::new();
        for Reference { type_url, name } in touched {
            let version = |s: &Snapshot| s.get(type_url.as_str(), &name).map(|r| r.version());
            if version(&self.snapshot) != version(&snapshot) {
                changes.entry(type_url).or_default().insert(name);
            }
        }
        if changes.is_empty() { None } else { Some(self.followed_by(snapshot, changes)) }
    }

    fn followed_by(&self, snapshot: Snapshot, changes: Changes) -> Self {
        let skip = (self.recent.len() + 1).saturating_sub(RECENT);
        let mut recent: Vec<Arc<Changes>> = self.recent.iter().skip(skip).cloned().collect();
        recent.push(Arc::new(changes));
        Self { sequence: self.sequence + 1, lineage: Arc::clone(&self.lineage), snapshot, recent }
    }

    /// The snapshot.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Its number; grows by one with every change.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What changed after another of the same sequence; `None` when that is too long ago to tell.
    pub(crate) fn since(&self, seen: &Self) -> Option<impl Iterator<Item = &Arc<Changes>>> {
        if !Arc::ptr_eq(&self.lineage, &seen.lineage) {
            return None;
        }
        let missed = usize::try_from(self.sequence.checked_sub(seen.sequence)?).ok()?;
        let skip = self.recent.len().checked_sub(missed)?;
        Some(self.recent.iter().skip(skip))
    }
}

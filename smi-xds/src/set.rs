//! Resources of one type by name, with the version of the whole.
//!
//! A persistent tree: copies are free, and a copy that is edited shares all but the way to what was edited. Streams hold copies of the
//! snapshot's, so that what many clients have is in memory once.

use std::collections::BTreeSet;
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

use crate::resource::{Name, Resource, Version};

/// Resources of one type by name.
#[derive(Clone, Debug, Default)]
pub struct Set {
    resources: RedBlackTreeMapSync<Name, Arc<Resource>>,
    version: Version,
}

impl Set {
    /// One resource.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Resource>> {
        self.resources.get(name)
    }

    /// Names, in order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.resources.keys()
    }

    /// Resources, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.resources.size()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Version of the whole: equal for sets of the same names and versions.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn insert(&mut self, resource: Arc<Resource>) {
        self.remove(&Arc::clone(resource.name()));
        self.version = self.version.plus(resource.version());
        self.resources.insert_mut(Arc::clone(resource.name()), resource);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Arc<Resource>> {
        let old = self.resources.get(name).cloned()?;
        self.version = self.version.minus(old.version());
        self.resources.remove_mut(name);
        Some(old)
    }

    /// Becomes a copy of another that holds the same, so that it is in memory once.
    pub(crate) fn share(&mut self, other: &Self) {
        if self.version == other.version && self.len() == other.len() {
            *self = other.clone();
        }
    }

    /// Names whose versions differ from an older set's, and the old resources that can stand for equal new ones.
    pub(crate) fn since(&self, old: &Self) -> (BTreeSet<Name>, Vec<Arc<Resource>>) {
        let (mut names, mut same) = (BTreeSet::new(), Vec::new());
        let (mut left, mut right) = (old.resources.iter().peekable(), self.resources.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some((a, _)), Some((b, _))) => a.cmp(b),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => return (names, same),
            };
            let a = if order.is_le() { left.next() } else { None };
            let b = if order.is_ge() { right.next() } else { None };
            match (a, b) {
                (Some((_, a)), Some((_, b))) if Arc::ptr_eq(a, b) => {}
                // Origins and references may differ while the bytes do not; then the new one counts.
                (Some((_, a)), Some((_, b))) if a == b => same.push(Arc::clone(a)),
                (Some((_, a)), Some((_, b))) if a.version() == b.version() => {}
                (Some((name, _)), _) | (None, Some((name, _))) => {
                    names.insert(Arc::clone(name));
                }
                (None, None) => {}
            }
        }
    }
}

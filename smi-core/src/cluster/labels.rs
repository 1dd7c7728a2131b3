//! Labels of pods, and selectors of Services.
//!
//! Shape: pairs sorted by key, in one piece of memory that copies share.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Labels, sorted by key. Copies share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Arc<str>> {
        let place = self.0.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// Keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a selector of equalities selects them: every pair of it is one of theirs.
    #[must_use]
    pub fn fit<'s>(&self, selector: impl IntoIterator<Item = (&'s Arc<str>, &'s Arc<str>)>) -> bool {
        selector.into_iter().all(|(key, value)| self.get(key) == Some(value))
    }

    /// Whether both are one list; `false` says nothing.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl From<BTreeMap<Arc<str>, Arc<str>>> for Labels {
    fn from(map: BTreeMap<Arc<str>, Arc<str>>) -> Self {
        Self(map.into_iter().collect())
    }
}

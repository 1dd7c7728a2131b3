//! Labels of pods, and what shares the texts and lists that a cluster repeats.
//!
//! Shape: pairs sorted by key. Pods of one template share one list, which is most of what a large cluster holds.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::{ContainerPort, EndpointSet, Pod, Probe, Service};
use crate::hub::names::Namespaced;

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

/// Keeps equal texts and lists of a cluster once.
#[derive(Default)]
pub(super) struct Shared {
    texts: HashSet<Arc<str>>,
    labels: HashSet<Labels>,
    ports: HashSet<Arc<[ContainerPort]>>,
    probes: HashSet<Arc<[Probe]>>,
}

fn share<T: Eq + Hash + Clone>(seen: &mut HashSet<T>, value: &mut T) {
    match seen.get(value) {
        Some(first) => *value = first.clone(),
        None => {
            seen.insert(value.clone());
        }
    }
}

impl Shared {
    fn text(&mut self, text: &mut Arc<str>) {
        share(&mut self.texts, text);
    }

    pub(super) fn name(&mut self, name: &mut Namespaced) {
        self.text(name.namespace.shared());
        self.text(name.name.shared());
    }

    pub(super) fn pod(&mut self, pod: &mut Pod) {
        share(&mut self.labels, &mut pod.labels);
        share(&mut self.ports, &mut pod.ports);
        share(&mut self.probes, &mut pod.probes);
        self.text(pod.account.shared());
        pod.node.iter_mut().for_each(|node| self.text(node));
    }

    pub(super) fn service(&mut self, service: &mut Service) {
        self.name(&mut service.name);
        for port in &mut service.ports {
            self.text(&mut port.name);
        }
    }

    pub(super) fn endpoints(&mut self, set: &mut EndpointSet) {
        for port in &mut set.ports {
            self.text(&mut port.name);
        }
        for endpoint in &mut set.endpoints {
            endpoint.pod.iter_mut().for_each(|pod| self.name(pod));
            endpoint.node.iter_mut().chain(&mut endpoint.zone).for_each(|text| self.text(text));
        }
    }
}

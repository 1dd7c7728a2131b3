//! Keeps once what a cluster repeats: names, labels, what pods of one template have in common. That is most of what a large one holds.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use super::{EndpointSet, Labels, Locality, Pod, PodId, PodSpec, Service};
use crate::hub::names::Namespaced;

/// What was seen before.
#[derive(Default)]
pub(super) struct Shared {
    texts: HashSet<Arc<str>>,
    labels: HashSet<Labels>,
    specs: HashSet<Arc<PodSpec>>,
    last: Option<Arc<PodSpec>>,
    pods: HashSet<PodId>,
    localities: HashSet<Arc<Locality>>,
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

    /// The id, with its texts shared when it is new.
    pub(super) fn pod_id(&mut self, id: &mut PodId) {
        match self.pods.get(id) {
            Some(first) => *id = first.clone(),
            None => {
                let mut name = id.name.clone();
                self.name(&mut name);
                *id = match id.template_of {
                    None => PodId::pod(name),
                    Some(kind) => PodId::template(name, kind),
                };
                self.pods.insert(id.clone());
            }
        }
    }

    pub(super) fn pod(&mut self, pod: &mut Pod) {
        // Pods of one template mostly follow each other, and comparing costs less than hashing.
        if let Some(last) = self.last.as_ref().filter(|last| **last == pod.spec) {
            pod.spec = last.clone();
        } else if let Some(first) = self.specs.get(&pod.spec) {
            pod.spec = first.clone();
        } else {
            let spec = Arc::make_mut(&mut pod.spec);
            share(&mut self.labels, &mut spec.labels);
            self.text(spec.account.shared());
            self.specs.insert(pod.spec.clone());
        }
        self.last = Some(pod.spec.clone());
        self.locality(&mut pod.locality);
    }

    pub(super) fn service(&mut self, service: &mut Service) {
        self.name(&mut service.name);
        share(&mut self.labels, &mut service.selector);
        for port in &mut service.ports {
            self.text(&mut port.name);
        }
    }

    pub(super) fn endpoints(&mut self, set: &mut EndpointSet) {
        for port in &mut set.ports {
            self.text(&mut port.name);
        }
        for endpoint in &mut set.endpoints {
            endpoint.pod.iter_mut().for_each(|pod| self.pod_id(pod));
            self.locality(&mut endpoint.locality);
        }
    }

    fn locality(&mut self, locality: &mut Option<Arc<Locality>>) {
        locality.iter_mut().for_each(|locality| share(&mut self.localities, locality));
    }
}

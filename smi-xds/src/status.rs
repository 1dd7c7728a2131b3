//! What a client has, accepted and refused: events as they happen, and the state for those who ask.

use std::sync::Arc;

use crate::kind::TypeUrl;
use crate::resource::{Name, Resource, Version};
use crate::session::Counts;
use crate::session::Topic;

/// What happens on a stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A response was sent.
    Sent {
        /// Its type.
        type_url: TypeUrl,
        /// Resources that it adds, changes or repeats.
        resources: usize,
        /// Resources that it removes.
        removed: usize,
    },
    /// A response was accepted.
    Accepted {
        /// Its type.
        type_url: TypeUrl,
        /// Resources that it changed.
        resources: usize,
    },
    /// A response was refused.
    Refused {
        /// Its type.
        type_url: TypeUrl,
        /// The client's words. Its form is nobody's promise: for people only.
        message: Arc<str>,
        /// The resources at fault, with their origins. They are not sent again until they change.
        parked: Vec<Arc<Resource>>,
        /// How many resources of the response are tried again in smaller responses, to find those at fault.
        retried: usize,
    },
    /// A client that refuses a route configuration took it with some of its virtual hosts closed. They stay so until they change.
    Closed {
        /// The whole, with its origins.
        resource: Arc<Resource>,
        /// Names of the hosts that the client refuses, which it answers with 503 or, where a filter comes first, less.
        hosts: Vec<String>,
        /// The client's words about them.
        message: Arc<str>,
    },
}

/// A version that a client refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ParkedStatus {
    /// Name of the resource.
    pub name: Name,
    /// The version refused.
    pub version: Version,
    /// Virtual hosts that are closed; all else of the resource is in force. Empty: nothing of this version is.
    pub closed: Vec<String>,
    /// The objects it comes from.
    pub origins: Vec<String>,
    /// The client's words.
    pub message: Arc<str>,
}

/// How a client stands with one type.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TopicStatus {
    /// The type.
    pub type_url: TypeUrl,
    /// Whether it wants everything.
    pub wildcard: bool,
    /// How many names it asks for.
    pub names: usize,
    /// Resources sent, and the version of the whole.
    pub sent: (usize, Version),
    /// Resources accepted, and the version of the whole.
    pub accepted: (usize, Version),
    /// Names whose state may have to be sent, or sent again.
    pub pending: usize,
    /// Removals that wait until nothing refers to them.
    pub leaving: usize,
    /// Responses without answer.
    pub unanswered: usize,
    /// Refused versions.
    pub parked: Vec<ParkedStatus>,
    /// The last refusal, until something is accepted.
    pub last_error: Option<Arc<str>>,
    /// What happened so far.
    pub counts: Counts,
}

impl TopicStatus {
    pub(crate) fn of(topic: &Topic) -> Self {
        let parked = topic.parked.iter().map(|(name, parked)| ParkedStatus {
            name: Arc::clone(name),
            version: parked.resource.version(),
            closed: topic.narrowed.get(name).map(|n| n.closed()).unwrap_or_default(),
            origins: parked.resource.origins().to_vec(),
            message: Arc::clone(&parked.message),
        });
        Self {
            type_url: topic.url.clone(),
            wildcard: topic.subscription.is_wildcard(),
            names: topic.subscription.names().len(),
            sent: (topic.known.len(), topic.known.version()),
            accepted: (topic.accepted.len(), topic.accepted.version()),
            pending: topic.pending.len() + topic.trials.iter().map(Vec::len).sum::<usize>(),
            leaving: topic.leaving.len(),
            unanswered: topic.flights.len(),
            parked: parked.collect(),
            last_error: topic.last_error.clone(),
            counts: topic.counts,
        }
    }

    /// Whether nothing is under way: everything was sent, and answered.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unanswered == 0 && self.pending == 0 && self.leaving == 0
    }
}

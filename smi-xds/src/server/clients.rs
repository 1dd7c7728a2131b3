//! Who is connected, and how each stands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::session::{Protocol, Session};
use crate::status::{Event, TopicStatus};
use crate::store::Group;
use crate::wire::Node;

/// A stream of a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Client {
    /// Number of the stream.
    pub stream: u64,
    /// Who it is.
    pub node: Node,
    /// The group whose snapshot it gets.
    pub group: Group,
    /// The protocol it speaks.
    pub protocol: Protocol,
}

/// How a stream stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientStatus {
    /// Whose it is.
    pub client: Arc<Client>,
    /// Number of the snapshot it is brought to; 0: there is none.
    pub sequence: u64,
    /// By type.
    pub topics: Vec<TopicStatus>,
}

/// Is told what happens. Called from the stream's task: it should not block.
pub trait Observer: Send + Sync + 'static {
    /// A stream has said whose it is.
    fn connected(&self, client: &Client) {
        let _ = client;
    }

    /// Something happened on a stream.
    fn event(&self, client: &Client, event: &Event) {
        let _ = (client, event);
    }

    /// A stream ended, or was refused.
    fn disconnected(&self, client: &Client, reason: &str) {
        let _ = (client, reason);
    }

    /// A client was refused before it had a group.
    fn denied(&self, node: Option<&Node>, reason: &str) {
        let _ = (node, reason);
    }
}

impl Observer for () {}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Connections accepted.
    pub connections: u64,
    /// Streams opened.
    pub streams: u64,
    /// Requests read.
    pub requests: u64,
    /// Responses sent.
    pub responses: u64,
    /// Their bytes, without framing.
    pub bytes: u64,
    /// Responses refused.
    pub nacks: u64,
    /// Clients refused.
    pub denied: u64,
}

pub(crate) struct Clients {
    next: AtomicU64,
    streams: Mutex<BTreeMap<u64, ClientStatus>>,
    pub(crate) observer: Box<dyn Observer>,
    pub(crate) counters: Counters,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) streams: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) responses: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) nacks: AtomicU64,
    pub(crate) denied: AtomicU64,
}

impl Clients {
    pub(crate) fn new(observer: Box<dyn Observer>) -> Self {
        Self { next: AtomicU64::new(1), streams: Mutex::default(), observer, counters: Counters::default() }
    }

    pub(crate) fn join(&self, node: Node, group: Group, protocol: Protocol) -> Arc<Client> {
        let client = Arc::new(Client { stream: self.next.fetch_add(1, Relaxed), node, group, protocol });
        self.lock().insert(
            client.stream,
            ClientStatus { client: Arc::clone(&client), sequence: 0, topics: Vec::new() },
        );
        self.observer.connected(&client);
        client
    }

    pub(crate) fn leave(&self, client: &Client, reason: &str) {
        self.lock().remove(&client.stream);
        self.observer.disconnected(client, reason);
    }

    /// Passes on what happened, and keeps how the stream stands.
    pub(crate) fn update(&self, client: &Client, session: &mut Session) {
        for event in session.take_events() {
            if let Event::Refused { .. } = event {
                self.counters.nacks.fetch_add(1, Relaxed);
            }
            self.observer.event(client, &event);
        }
        let topics = session.status();
        if let Some(status) = self.lock().get_mut(&client.stream) {
            status.sequence = session.sequence();
            status.topics = topics;
        }
    }

    pub(crate) fn all(&self) -> Vec<ClientStatus> {
        self.lock().values().cloned().collect()
    }

    pub(crate) fn totals(&self) -> Totals {
        let c = &self.counters;
        Totals {
            connections: c.connections.load(Relaxed),
            streams: c.streams.load(Relaxed),
            requests: c.requests.load(Relaxed),
            responses: c.responses.load(Relaxed),
            bytes: c.bytes.load(Relaxed),
            nacks: c.nacks.load(Relaxed),
            denied: c.denied.load(Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, ClientStatus>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

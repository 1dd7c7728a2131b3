//! The server: connections and streams around the state machine of [`session`](crate::session).
//!
//! Each connection and each stream is a task of its own. A stream computes its reply when the client takes it, so that a slow client
//! costs one response of memory and delays nobody; a client that takes nothing for a while is cut off.
//!
//! - `service`: gRPC methods · `drive`: one stream · `reply`: its responses on the wire · `connection`: sockets, TLS, HTTP/2 · `clients`: who is connected, and how it stands

mod clients;
mod connection;
mod drive;
mod reply;
mod service;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::node::Placement;
use crate::session::Limits;
use crate::store::Store;

pub use clients::{Client, ClientStatus, Observer, Totals};
pub use connection::Tls;

use clients::Clients;

/// Options of a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Bounds of each stream.
    pub limits: Limits,
    /// Largest request. A refusal can quote whole resources.
    pub max_request: usize,
    /// Connections at a time.
    pub max_connections: usize,
    /// Streams of one connection at a time.
    pub max_streams: u32,
    /// How long a client may take to say hello, and to shake hands.
    pub hello_timeout: Duration,
    /// How long a client may leave a response untaken.
    pub send_timeout: Duration,
    /// Interval of pings, and how long an answer may take.
    pub keep_alive: (Duration, Duration),
    /// How long connections may take to end after the end of the server was asked for.
    pub drain: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            max_request: 16 << 20,
            max_connections: 10_000,
            max_streams: 64,
            hello_timeout: Duration::from_secs(10),
            send_timeout: Duration::from_secs(60),
            keep_alive: (Duration::from_secs(30), Duration::from_secs(20)),
            drain: Duration::from_secs(5),
        }
    }
}

/// A server of xDS.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) placement: Box<dyn Placement>,
    pub(crate) options: ServerOptions,
    pub(crate) clients: Clients,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl Server {
    /// A server of what is in the store.
    #[must_use]
    pub fn new(store: Arc<Store>, placement: impl Placement, options: ServerOptions) -> Self {
        Self::observed(store, placement, options, Box::new(()))
    }

    /// The same, with someone to tell what happens.
    #[must_use]
    pub fn observed(
        store: Arc<Store>,
        placement: impl Placement,
        options: ServerOptions,
        observer: Box<dyn Observer>,
    ) -> Self {
        let clients = Clients::new(observer);
        Self { shared: Arc::new(Shared { store, placement: Box::new(placement), options, clients }) }
    }

    /// Serves until `stop` turns true, or its sender is gone; then streams end with `UNAVAILABLE`, so that clients go elsewhere.
    pub async fn serve(&self, listener: TcpListener, tls: Option<Tls>, stop: watch::Receiver<bool>) {
        connection::accept(Arc::clone(&self.shared), listener, tls, stop).await;
    }

    /// Who is connected, and how each stands.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientStatus> {
        self.shared.clients.all()
    }

    /// Counts since the start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.shared.clients.totals()
    }
}

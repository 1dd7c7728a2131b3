//! xDS control plane: keeps what Envoy has equal to what it should have, incrementally and in an order that loses no request.
//!
//! ```text
//! Resource ─▶ Snapshot ─▶ Store ──watch──▶ Session ──▶ responses        one Session per stream
//!                                             ▲
//!                                  requests ──┘
//! ```
//!
//! - [`Resource`], [`Snapshot`]: what a group of nodes should have: encoded once, versioned by content, so that replicas agree.
//! - [`Store`]: the newest snapshot of each group. [`Placement`]: the group of a node, and whether it may have it.
//! - [`session`]: one stream as a pure state machine, for both forms of the protocol.
//! - [`Server`]: gRPC around it. [`server::Observer`] hears of refusals, [`Server::clients`] tells how each client stands.
//! - [`wire`]: the messages.
//!
//! - [`identity`]: certificates from files or from an issuer for development, as secrets, and a server that knows clients by them.
//! - [`linked`]: references between resources, found in their bytes.
//!
//! Resources are of any type; nothing here knows SMI or how a configuration is rendered.
//!
//! ```no_run
//! use std::sync::Arc;
//! use smi_xds::{ByNodeId, Resource, Server, ServerOptions, Snapshot, Store, kind, node};
//!
//! # async fn serve(listener: tokio::net::TcpListener, cluster: &[u8]) {
//! let store = Arc::new(Store::default());
//! store.set(node::NODES, Snapshot::new([Resource::new(kind::CLUSTER, "cart", cluster)]));
//! let server = Server::new(Arc::clone(&store), ByNodeId::default(), ServerOptions::default());
//! let (_stop, stopped) = tokio::sync::watch::channel(false);
//! server.serve(listener, None, stopped).await;
//! # }
//! ```

mod hosts;
pub mod identity;
pub mod kind;
mod link;
pub mod node;
pub mod resource;
pub mod server;
pub mod session;
mod set;
pub mod snapshot;
pub mod status;
pub mod store;
pub mod wire;

pub use identity::{DevIssuer, FileSource, Identity, IdentitySource};
pub use kind::TypeUrl;
pub use link::linked;
pub use node::{ByNodeId, Denied, NodeId, Peer, Placement};
pub use resource::{Name, Reference, Resource, Version};
pub use server::{Server, ServerOptions, Tls};
pub use session::{Limits, Protocol, Session};
pub use set::Set;
pub use snapshot::{Published, Snapshot};
pub use store::{Group, Store};

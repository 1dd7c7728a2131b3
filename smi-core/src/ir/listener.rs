//! The port table: where a node proxy listens for which service port (S37).
//!
//! Shape: HTTP services share one listener per service port number, each TCP and UDP service port has its own.
//! Invariant: no listen port twice per transport; an entry never moves while its service port exists.

use std::collections::BTreeMap;
use std::fmt;

use crate::hub::names::{Namespaced, Port, Transport};

/// What listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListenerKey {
    /// All HTTP services on this service port number.
    Http(Port),
    /// One TCP service port.
    Tcp(Namespaced, Port),
    /// One UDP service port.
    Udp(Namespaced, Port),
}

impl ListenerKey {
    /// What is listened for; TCP and UDP may have the same port.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match self {
            Self::Http(_) | Self::Tcp(..) => Transport::Tcp,
            Self::Udp(..) => Transport::Udp,
        }
    }
}

impl fmt::Display for ListenerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(port) => write!(f, "http/{port}"),
            Self::Tcp(service, port) => write!(f, "tcp/{service}/{port}"),
            Self::Udp(service, port) => write!(f, "udp/{service}/{port}"),
        }
    }
}

/// Listen port of every listener. An explicit input and output of the compiler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortTable {
    /// Listen ports.
    pub entries: BTreeMap<ListenerKey, Port>,
}

//! Requests, connections and datagrams to decide.

use std::net::{IpAddr, Ipv4Addr};

use crate::cluster::PodId;
use crate::hub::names::{Namespaced, Port, SpiffeId};
use crate::ir::Ir;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who calls.
    pub caller: Caller,
    /// What is asked of whom.
    pub payload: Payload,
}

/// Who calls, as the proxy knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// The peer's own address (S29).
    Address(IpAddr),
    /// The SPIFFE ID of the peer's certificate (S28).
    Identity(SpiffeId),
    /// A pod of the input, known for certain.
    Pod(PodId),
    /// Nobody that policy can name.
    Nobody,
}

impl Caller {
    /// The pod that calls, where it is one of the input; a certificate tells of an account only.
    #[must_use]
    pub fn pod<'a>(&'a self, ir: &'a Ir) -> Option<&'a PodId> {
        match self {
            // A socket for both families shows IPv4 peers as `::ffff:10.0.0.1`.
            Self::Address(address) => ir.callers.get(&address.to_canonical()),
            Self::Pod(pod) => Some(pod).filter(|pod| ir.pods.contains_key(*pod)),
            Self::Identity(_) | Self::Nobody => None,
        }
    }

    /// The peer's own address, which is all that a node proxy knows of a caller; one that no pod has, where there is none.
    #[must_use]
    pub fn peer_address(&self, ir: &Ir) -> IpAddr {
        let nobody = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        match self {
            Self::Address(address) => *address,
            Self::Pod(pod) => {
                let mut own = ir.callers.iter().filter(|(_, p)| *p == pod);
                own.next().map_or(nobody, |(address, _)| *address)
            }
            // A certificate means nothing to a proxy that knows callers by address.
            Self::Identity(_) | Self::Nobody => nobody,
        }
    }
}

/// What is asked of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// An HTTP request.
    Http(HttpRequest),
    /// A connection to a port of opaque TCP.
    Tcp {
        /// The Service.
        service: Namespaced,
        /// Service port.
        port: Port,
    },
    /// A datagram.
    Udp {
        /// The Service.
        service: Namespaced,
        /// Service port.
        port: Port,
    },
}

/// An HTTP request as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The service port number whose listener it arrives at (S37).
    pub port: Port,
    /// `Host` or `:authority`, as sent.
    pub host: String,
    /// Method, as sent.
    pub method: String,
    /// Request target in origin form, as sent: path and query.
    pub target: String,
    /// Header lines, as sent, without `Host`. A name may stand several times.
    pub headers: Vec<(String, String)>,
}

impl HttpRequest {
    /// A gRPC call, as clients send it (S12): `HttpRequest::grpc(port, "cart.shop.mesh", "shop.Cart", "Add")`.
    #[must_use]
    pub fn grpc(port: Port, host: &str, service: &str, method: &str) -> Self {
        Self {
            port,
            host: host.into(),
            method: "POST".into(),
            target: format!("/{service}/{method}"),
            headers: vec![
                ("content-type".into(), "application/grpc".into()),
                ("te".into(), "trailers".into()),
            ],
        }
    }
}

//! Outbound: root services, their routes, and the pools these lead to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{HttpMatch, Mode, Origin, TrafficPolicy, WorkloadId};
use crate::cluster::{Addresses, Locality, PodId};
use crate::hub::names::{Namespaced, Port, Transport};

/// A Service that callers can name through the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its ClusterIPs; empty when headless.
    pub addresses: Addresses,
    /// Mode of its namespace: what holds for endpoints that are no known pod's, which no grant can name.
    pub mode: Mode,
    /// Ports, sorted by number and transport, SCTP left out.
    pub ports: Vec<ServicePort>,
    /// The Service.
    pub origin: Origin,
}

impl Service {
    /// The port of this number and transport.
    #[must_use]
    pub fn port(&self, port: Port, transport: Transport) -> Option<&ServicePort> {
        let place = self.ports.binary_search_by_key(&(port, transport), |p| (p.port, p.transport)).ok()?;
        self.ports.get(place)
    }
}

/// One port of a root service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Service port.
    pub port: Port,
    /// Transport.
    pub transport: Transport,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Which of S36's sources decided that.
    pub decided_by: ProtocolSource,
    /// In order of precedence; the last one, and no other, is [`RouteCondition::Everything`]. Routes of a port that is not HTTP have
    /// no other.
    pub routes: Vec<Route>,
    /// Retries, limits and the like (S34).
    pub policy: Arc<TrafficPolicy>,
}

/// The protocol of a service port (S36).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP, with what the pods speak.
    Http(Scheme),
    /// Opaque TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// How a proxy speaks HTTP to pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// HTTP/1.1 in clear.
    Http,
    /// HTTP/2 in clear, with prior knowledge.
    H2c,
    /// HTTP over TLS.
    Https,
}

/// What decided the protocol of a port, in S36's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProtocolSource {
    /// An annotation of the Service.
    Annotation,
    /// `appProtocol`.
    AppProtocol,
    /// The port's name or its prefix.
    PortName,
    /// The transport: UDP ports are UDP.
    Transport,
    /// The option of the compiler for TCP ports.
    Default,
}

/// One route of a root service's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which requests take it.
    pub condition: RouteCondition,
    /// Where they go; the weights' sum is positive and fits in `u32`. No pool twice.
    pub targets: Vec<Target>,
    /// The TrafficSplit, or the Service for its own endpoints.
    pub origin: Origin,
}

impl Route {
    /// Sum of the weights.
    #[must_use]
    pub fn total_weight(&self) -> u64 {
        self.targets.iter().map(|t| u64::from(t.weight)).sum()
    }
}

/// Which requests take a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteCondition {
    /// All.
    Everything,
    /// Those that one of these matches. Empty: none (S11), and the route never applies.
    AnyOf(Vec<Arc<HttpMatch>>),
}

/// One weighted target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whose endpoints.
    pub pool: PoolKey,
    /// Relative; 0 means no traffic (S15).
    pub weight: u32,
    /// The backend in the TrafficSplit, or the Service.
    pub origin: Origin,
}

/// Names the endpoints of one service port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolKey {
    /// The Service.
    pub service: Namespaced,
    /// Service port.
    pub port: Port,
    /// Transport.
    pub transport: Transport,
}

impl fmt::Display for PoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transport {
            Transport::Tcp => write!(f, "{}:{}", self.service, self.port),
            Transport::Udp => write!(f, "{}:{}/udp", self.service, self.port),
        }
    }
}

/// The endpoints of one service port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Sorted by address and port, no address twice.
    pub endpoints: Vec<Endpoint>,
    /// Workloads and pod ports that the Service would select by the templates in the input, for input without pods. They have no
    /// address, so nothing is sent to them; `explain` uses them. Sorted.
    pub templates: Vec<(WorkloadId, Port)>,
}

impl Pool {
    /// Endpoints that take traffic.
    pub fn ready(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().filter(|e| e.ready)
    }
}

/// One address of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Address.
    pub address: IpAddr,
    /// Pod port.
    pub port: Port,
    /// Whether it takes traffic.
    pub ready: bool,
    /// The pod behind it; `None` when it is no known pod's, then no grant can name it.
    pub pod: Option<PodId>,
    /// The pod's workload.
    pub workload: Option<WorkloadId>,
    /// Node and zone.
    pub locality: Option<Arc<Locality>>,
}

impl Endpoint {
    /// Address and pod port.
    #[must_use]
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port.get())
    }
}

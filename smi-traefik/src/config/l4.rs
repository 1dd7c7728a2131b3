//! TCP and UDP.

use serde::Serialize;

use super::{IpAllowList, Named, Weighted};

/// `tcp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tcp {
    /// Routers, not empty.
    pub routers: Named<TcpRouter>,
    /// Services.
    pub services: Named<L4Service>,
    /// Middlewares.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub middlewares: Named<TcpMiddleware>,
}

/// A TCP router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TcpRouter {
    /// Where it listens.
    pub entry_points: Vec<String>,
    /// Which connections it takes.
    pub rule: String,
    /// Always explicit.
    pub priority: i64,
    /// In order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub middlewares: Vec<String>,
    /// Where connections go.
    pub service: String,
}

/// A TCP middleware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TcpMiddleware {
    /// Callers by address; others are closed.
    IpAllowList(IpAllowList),
}

/// `udp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Udp {
    /// Routers, not empty.
    pub routers: Named<UdpRouter>,
    /// Services.
    pub services: Named<L4Service>,
}

/// A UDP router; it takes everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UdpRouter {
    /// Where it listens.
    pub entry_points: Vec<String>,
    /// Where datagrams go.
    pub service: String,
}

/// A TCP or UDP service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum L4Service {
    /// Servers.
    LoadBalancer(L4LoadBalancer),
    /// Other services by weight.
    Weighted(Weighted),
}

/// Servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct L4LoadBalancer {
    /// Empty: connections are closed, datagrams dropped.
    pub servers: Vec<L4Server>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct L4Server {
    /// `10.0.0.1:5432`.
    pub address: String,
}

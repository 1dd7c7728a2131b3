//! HTTP routers, services, middlewares, transports.

use serde::Serialize;

use super::{IpAllowList, Named, Weighted};

/// `http`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// Routers; the readiness router is always there.
    pub routers: Named<Router>,
    /// Services.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub services: Named<Service>,
    /// Middlewares.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub middlewares: Named<Middleware>,
    /// How to speak to pods over TLS.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub servers_transports: Named<ServersTransport>,
}

/// A router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Router {
    /// Where it listens; nowhere by itself below another router.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entry_points: Vec<String>,
    /// Which requests it takes.
    pub rule: String,
    /// Always explicit; Traefik's own would be the length of the rule.
    pub priority: i64,
    /// In order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub middlewares: Vec<String>,
    /// The router whose requests it takes, after that one's middlewares.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<String>,
    /// Where requests go; absent: to the routers below this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// A service with its own middlewares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// What it is.
    #[serde(flatten)]
    pub kind: ServiceKind,
    /// Middlewares before it (Traefik 3.7), in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub middlewares: Vec<String>,
}

/// What a service is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ServiceKind {
    /// Servers.
    LoadBalancer(LoadBalancer),
    /// Other services by weight.
    Weighted(Weighted),
}

/// Servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancer {
    /// Empty: 503.
    pub servers: Vec<Server>,
    /// Name of a transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers_transport: Option<String>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    /// `http://10.0.0.1:8080`.
    pub url: String,
}

/// A middleware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Middleware {
    /// Callers by address; others get 403.
    IpAllowList(IpAllowList),
    /// Retries of requests whose connection failed.
    Retry(Retry),
    /// Circuit breaker.
    CircuitBreaker(CircuitBreaker),
    /// Requests per time.
    RateLimit(RateLimit),
    /// Requests at the same time.
    InFlightReq(InFlightReq),
}

/// Retries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Retry {
    /// Tries in all.
    pub attempts: u32,
}

/// Circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CircuitBreaker {
    /// When it opens.
    pub expression: String,
}

/// Requests per second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// In the long run.
    pub average: u32,
    /// At once.
    pub burst: u32,
    /// What is counted together.
    pub source_criterion: SourceCriterion,
}

/// Requests at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InFlightReq {
    /// At most.
    pub amount: u32,
    /// What is counted together.
    pub source_criterion: SourceCriterion,
}

/// What is counted together: everything that has the same value in a header. Traefik's default would be one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceCriterion {
    /// Name of the header.
    pub request_header_name: &'static str,
}

impl SourceCriterion {
    /// All requests together. The proxy writes its own name into this header of every request, whatever the caller sent there; the host,
    /// which is Traefik's own way to count all callers of a service, would give each spelling of it (`CART.shop.mesh:80`) a limit.
    pub const ALL: Self = Self { request_header_name: "X-Forwarded-Server" };
}

/// TLS towards pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServersTransport {
    /// Certificates are not checked.
    pub insecure_skip_verify: bool,
}

//! HTTPRouteGroup, TCPRoute, UDPRoute.
//!
//! Source: smi-spec `apis/traffic-specs/v1alpha4/traffic-specs.md`.

use std::sync::Arc;

use super::Meta;
use super::names::Transport;

/// One match of a group: path AND method AND every header (S11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpMatch {
    /// Unique in its group, by intent; a name that stands twice is unresolved (S26).
    pub name: Arc<str>,
    /// Anchored at the start only (S6). Absent: any path.
    pub path_regex: Option<Arc<str>>,
    /// Absent, empty or containing `*`: any (S10).
    pub methods: Option<Vec<Arc<str>>>,
    /// Name and pattern, in the order in which they were written; the pattern matches the whole value (S7).
    pub headers: Option<Vec<(Arc<str>, Arc<str>)>>,
}

/// HTTPRouteGroup: any of its matches. Without matches it matches nothing (S11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteGroup {
    /// Name, labels, annotations.
    pub meta: Meta,
    /// The matches.
    pub matches: Vec<HttpMatch>,
}

/// TCPRoute or UDPRoute: a set of pod ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRoute {
    /// Name, labels, annotations.
    pub meta: Meta,
    /// Which of the two.
    pub transport: Transport,
    /// The Go types' `spec.matches.name`, without a meaning.
    pub name: Option<Arc<str>>,
    /// Absent or empty: all ports (S24). Numbers outside 1–65535 are errors (S25).
    pub ports: Option<Vec<i64>>,
}

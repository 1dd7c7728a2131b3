//! Type URLs, and what is special about those that Envoy itself asks for.
//!
//! The server passes on resources of any type. Order and references matter for the known ones only.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// `envoy.config.cluster.v3.Cluster`.
pub const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
/// `envoy.config.endpoint.v3.ClusterLoadAssignment`.
pub const ENDPOINT: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
/// `envoy.config.listener.v3.Listener`.
pub const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
/// `envoy.config.route.v3.RouteConfiguration`.
pub const ROUTE: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
/// `envoy.config.route.v3.ScopedRouteConfiguration`.
pub const SCOPED_ROUTE: &str = "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration";
/// `envoy.config.route.v3.VirtualHost`.
pub const VIRTUAL_HOST: &str = "type.googleapis.com/envoy.config.route.v3.VirtualHost";
/// `envoy.extensions.transport_sockets.tls.v3.Secret`.
pub const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
/// `envoy.service.runtime.v3.Runtime`.
pub const RUNTIME: &str = "type.googleapis.com/envoy.service.runtime.v3.Runtime";
/// `envoy.config.core.v3.TypedExtensionConfig`.
pub const EXTENSION: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/// A type URL. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeUrl(Arc<str>);

impl TypeUrl {
    /// A type URL a client tells: a host or nothing, a slash, a message's name.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (_, message) = url.rsplit_once('/')?;
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
        let sound = !message.is_empty() && message.chars().all(letters) && url.len() <= 256;
        sound.then(|| url.into())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part of the message's name: `Cluster`.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.rsplit(['.', '/']).next().unwrap_or(&self.0)
    }

    /// Place in a push: what is referred to comes before what refers to it.
    #[must_use]
    pub(crate) fn rank(&self) -> u8 {
        match self.as_str() {
            SECRET => 0,
            CLUSTER => 1,
            ENDPOINT => 2,
            EXTENSION => 3,
            LISTENER => 4,
            SCOPED_ROUTE => 5,
            ROUTE => 6,
            VIRTUAL_HOST => 7,
            _ => 8,
        }
    }

    /// Whether a state-of-the-world response must hold every resource, absence meaning removal.
    #[must_use]
    pub(crate) fn full_state(&self) -> bool {
        matches!(self.as_str(), CLUSTER | LISTENER)
    }

    /// The types whose resources may refer to one of this type.
    #[must_use]
    pub(crate) fn referrers(&self) -> &'static [&'static str] {
        match self.as_str() {
            SECRET => &[CLUSTER, LISTENER, EXTENSION],
            ENDPOINT => &[CLUSTER],
            CLUSTER => &[LISTENER, ROUTE, SCOPED_ROUTE, VIRTUAL_HOST, EXTENSION],
            ROUTE => &[LISTENER, SCOPED_ROUTE],
            VIRTUAL_HOST => &[ROUTE],
            SCOPED_ROUTE | EXTENSION => &[LISTENER],
            _ => &[],
        }
    }
}

impl From<&str> for TypeUrl {
    fn from(url: &str) -> Self {
        Self(url.into())
    }
}

impl Borrow<str> for TypeUrl {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TypeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! Durations, enums by name, and `Any` with its registry of types.
//!
//! An `Any` prints as its decoded message beside `@type`, which works for the types of [`Packed`] only. That suffices, as nothing else
//! can be packed.

use serde::ser::{Error as _, Serializer};

/// `google.protobuf.Duration`; prints as `1.5s`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Duration {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Duration {
    #[must_use]
    pub fn from_ms(ms: u32) -> Self {
        let nanos = i32::try_from(ms % 1000).unwrap_or(0) * 1_000_000;
        Self { seconds: i64::from(ms / 1000), nanos }
    }
}

impl serde::Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = format!("{}.{:09}", self.seconds, self.nanos);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        serializer.collect_str(&format_args!("{text}s"))
    }
}

/// An enum whose values print by name. The number stays an `i32` in the message, as prost has it.
macro_rules! proto_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
        #[repr(i32)]
        pub enum $name { $($variant = $number),* }

        impl $name {
            /// Prints the number of a variant as its name.
            pub(crate) fn serialize<S: serde::Serializer>(number: &i32, serializer: S) -> Result<S::Ok, S::Error> {
                match Self::try_from(*number) {
                    $(Ok(Self::$variant) => serializer.serialize_str($text),)*
                    Err(_) => serializer.serialize_i32(*number),
                }
            }
        }
    };
}
pub(crate) use proto_enum;

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct Any {
    #[prost(string, tag = "1")]
    pub type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// A message that may stand in an [`Any`].
pub trait Packed: prost::Message + Default + serde::Serialize {
    /// Full name, without the `type.googleapis.com/` before it.
    const NAME: &'static str;
}

impl Any {
    #[must_use]
    pub fn pack<T: Packed>(message: &T) -> Self {
        Self { type_url: format!("type.googleapis.com/{}", T::NAME), value: message.encode_to_vec() }
    }

    /// The message, if it is of this type.
    #[must_use]
    pub fn unpack<T: Packed>(&self) -> Option<T> {
        (self.type_url.strip_prefix("type.googleapis.com/") == Some(T::NAME))
            .then(|| T::decode(self.value.as_slice()).ok())
            .flatten()
    }
}

macro_rules! packed {
    ($($type:path = $name:literal,)*) => {
        $(impl Packed for $type { const NAME: &'static str = $name; })*

        fn tree(any: &Any) -> Option<serde_json::Result<serde_json::Value>> {
            $(if let Some(message) = any.unpack::<$type>() { return Some(serde_json::to_value(message)); })*
            None
        }
    };
}

packed! {
    super::listener::Listener = "envoy.config.listener.v3.Listener",
    super::route::PreviousHosts = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
    super::route::RouteConfiguration = "envoy.config.route.v3.RouteConfiguration",
    super::cluster::Cluster = "envoy.config.cluster.v3.Cluster",
    super::cluster::ClusterLoadAssignment = "envoy.config.endpoint.v3.ClusterLoadAssignment",
    super::tls::Secret = "envoy.extensions.transport_sockets.tls.v3.Secret",
    super::tls::UpstreamTlsContext = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    super::tls::DownstreamTlsContext = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
    super::rbac::HttpRbac = "envoy.extensions.filters.http.rbac.v3.RBAC",
    super::rbac::NetworkRbac = "envoy.extensions.filters.network.rbac.v3.RBAC",
    super::rbac::RbacPerRoute = "envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
    super::rbac::MtlsAuthenticated = "envoy.extensions.rbac.principals.mtls_authenticated.v3.Config",
    super::listener::HttpConnectionManager =
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    super::listener::TcpProxy = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    super::listener::UdpProxy = "envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig",
    super::listener::UdpRoute = "envoy.extensions.filters.udp.udp_proxy.v3.Route",
    super::listener::TlsInspector = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
    super::listener::Router = "envoy.extensions.filters.http.router.v3.Router",
    super::listener::LocalRateLimit = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
    super::matcher::SourceIpInput = "envoy.extensions.matching.common_inputs.network.v3.SourceIPInput",
    super::matcher::IpMatcher = "xds.type.matcher.v3.IPMatcher",
    super::cluster::HttpProtocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
}

impl serde::Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(tree) = tree(self) else {
            return Err(S::Error::custom(format!("unknown message type {}", self.type_url)));
        };
        let mut object = serde_json::Map::from_iter([("@type".to_owned(), self.type_url.clone().into())]);
        if let serde_json::Value::Object(fields) = tree.map_err(S::Error::custom)? {
            object.extend(fields);
        }
        object.serialize(serializer)
    }
}

/// A named extension: `TypedExtensionConfig` and every message of the same shape with other field numbers.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message, serde::Serialize)]
pub struct TypedExtension {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typed_config: Option<Any>,
}

//! Addresses and ranges of them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::types::{is_default, proto_enum};

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct Address {
    #[prost(oneof = "AddressKind", tags = "1")]
    #[serde(flatten)]
    pub kind: Option<AddressKind>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    #[prost(message, tag = "1")]
    SocketAddress(SocketAddress),
}

#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct SocketAddress {
    #[prost(enumeration = "Protocol", tag = "1")]
    #[serde(serialize_with = "Protocol::serialize", skip_serializing_if = "is_default")]
    pub protocol: i32,
    #[prost(string, tag = "2")]
    pub address: String,
    #[prost(oneof = "PortSpecifier", tags = "3")]
    #[serde(flatten)]
    pub port: Option<PortSpecifier>,
}

#[derive(Clone, PartialEq, Eq, prost::Oneof, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PortSpecifier {
    #[prost(uint32, tag = "3")]
    PortValue(u32),
}

proto_enum! {
    /// Transport of a socket address.
    Protocol { Tcp = 0 "TCP", Udp = 1 "UDP" }
}

impl Address {
    #[must_use]
    pub fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self { kind: Some(AddressKind::SocketAddress(SocketAddress::new(address, protocol))) }
    }

    /// Back to a socket address.
    #[must_use]
    pub fn socket(&self) -> Option<SocketAddr> {
        let AddressKind::SocketAddress(socket) = self.kind.as_ref()?;
        socket.socket()
    }
}

/// `127.0.0.1:10080/tcp`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(AddressKind::SocketAddress(socket)) = &self.kind else { return Ok(()) };
        let transport = if socket.protocol == i32::from(Protocol::Udp) { "udp" } else { "tcp" };
        match self.socket() {
            Some(address) => write!(f, "{address}/{transport}"),
            None => write!(f, "{}/{transport}", socket.address),
        }
    }
}

impl SocketAddress {
    #[must_use]
    pub fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self {
            protocol: protocol.into(),
            address: address.ip().to_string(),
            port: Some(PortSpecifier::PortValue(address.port().into())),
        }
    }

    /// Back to a socket address.
    #[must_use]
    pub fn socket(&self) -> Option<SocketAddr> {
        let PortSpecifier::PortValue(port) = self.port.as_ref()?;
        Some(SocketAddr::new(self.address.parse().ok()?, u16::try_from(*port).ok()?))
    }
}

/// `CidrRange` of `envoy.config.core.v3` and of `xds.core.v3`, which are alike.
#[derive(Clone, PartialEq, Eq, prost::Message, serde::Serialize)]
pub struct CidrRange {
    #[prost(string, tag = "1")]
    pub address_prefix: String,
    #[prost(message, optional, tag = "2")]
    pub prefix_len: Option<u32>,
}

impl CidrRange {
    /// One address.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self { address_prefix: address.to_string(), prefix_len: Some(bits) }
    }
}

//! What is spoken on a Service port (S36).

use super::DefaultProtocol;
use crate::cluster::{PortProtocol, ServicePort};
use crate::ir::{Protocol, ProtocolSource, Scheme};

/// What annotations of the Service say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Annotated {
    /// `traffic-type`.
    pub(super) traffic_type: Option<TrafficType>,
    /// `scheme`.
    pub(super) scheme: Option<Scheme>,
}

/// Values of `traffic-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrafficType {
    Http,
    Tcp,
    Udp,
}

/// The protocol and what decided it; `None` for SCTP.
pub(super) fn protocol(
    port: &ServicePort,
    annotated: Annotated,
    default: DefaultProtocol,
) -> Option<(Protocol, ProtocolSource)> {
    match port.protocol {
        PortProtocol::Sctp => return None,
        PortProtocol::Udp => return Some((Protocol::Udp, ProtocolSource::Transport)),
        PortProtocol::Tcp => {}
    }
    let (found, source) = match annotated.traffic_type {
        Some(TrafficType::Http) => (Protocol::Http(Scheme::Http), ProtocolSource::Annotation),
        // A TCP port cannot carry UDP; the annotation is about the Service's UDP ports.
        Some(TrafficType::Tcp | TrafficType::Udp) => (Protocol::Tcp, ProtocolSource::Annotation),
        None => by_app_protocol(port)
            .map(|p| (p, ProtocolSource::AppProtocol))
            .or_else(|| by_name(&port.name).map(|p| (p, ProtocolSource::PortName)))
            .unwrap_or((
                match default {
                    DefaultProtocol::Http => Protocol::Http(Scheme::Http),
                    DefaultProtocol::Tcp => Protocol::Tcp,
                },
                ProtocolSource::Default,
            )),
    };
    Some(match (found, annotated.scheme) {
        (Protocol::Http(_), Some(scheme)) => (Protocol::Http(scheme), source),
        // `scheme: https` says that proxies speak TLS to the pods, so the port is HTTP to its callers.
        (Protocol::Tcp, Some(scheme)) if annotated.traffic_type.is_none() => {
            (Protocol::Http(scheme), ProtocolSource::Annotation)
        }
        (found, _) => (found, source),
    })
}

fn by_app_protocol(port: &ServicePort) -> Option<Protocol> {
    let name = port.app_protocol.as_deref()?;
    Some(match name.to_ascii_lowercase().as_str() {
        "http" | "kubernetes.io/ws" => Protocol::Http(Scheme::Http),
        "http2" | "kubernetes.io/h2c" | "grpc" => Protocol::Http(Scheme::H2c),
        _ => Protocol::Tcp,
    })
}

/// The port's name, or what stands before its first `-`.
fn by_name(name: &str) -> Option<Protocol> {
    let known = |text: &str| {
        Some(match text {
            "http" => Protocol::Http(Scheme::Http),
            "http2" | "h2c" | "grpc" => Protocol::Http(Scheme::H2c),
            "grpc-web" => Protocol::Http(Scheme::Http),
            "https" | "tls" | "tcp" | "udp" | "mysql" | "postgres" | "postgresql" | "redis" | "mongo"
            | "mongodb" | "kafka" | "amqp" | "mqtt" | "smtp" | "ldap" | "cassandra" | "memcached"
            | "nats" | "zookeeper" => Protocol::Tcp,
            _ => return None,
        })
    };
    known(name).or_else(|| known(name.split('-').next()?))
}

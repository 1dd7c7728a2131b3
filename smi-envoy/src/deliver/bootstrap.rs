//! What Envoy starts with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use prost::Message as _;
use smi_core::backend::ProxyTarget;

use super::node_id;
use crate::config::address::{Address, AddressKind, PortSpecifier, Protocol, SocketAddress};
use crate::config::bootstrap::{Admin, Bootstrap, LayeredRuntime, Node, RuntimeLayer, StaticResources};
use crate::config::cluster::{
    Cluster, ClusterLoadAssignment, DiscoveryType, Endpoint, LbEndpoint, LocalityEndpoints,
};
use crate::config::discovery::{
    ApiConfigSource, ApiType, ApiVersion, ConfigSource, DynamicResources, EnvoyGrpc, GrpcService, GrpcTarget,
};
use crate::config::matcher::{StringMatcher, StringPattern};
use crate::config::metadata::{Struct, ValueKind};
use crate::config::tls::{
    CommonTlsContext, DataSource, SanType, SubjectAltNameMatcher, TlsCertificate, TransportSocket,
    UpstreamTlsContext, ValidationContext, ValidationContextType,
};
use crate::config::{Any, Duration};
use crate::options::EnvoyOptions;
use crate::render::{TLS, http2_options};

/// Name of the cluster of the ADS server. No resource has it, as theirs hold a `~` or a `/`, or are `closed`.
const XDS: &str = "smi-xds";

/// The ADS server that a proxy talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdsServer {
    /// Address, or a name that is looked up.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The id that the proxy presents; none: that of its target.
    pub node_id: Option<String>,
    /// State of the world instead of deltas.
    pub state_of_the_world: bool,
    /// TLS to the server; none: in clear.
    pub tls: Option<AdsTls>,
}

impl AdsServer {
    /// A server, in clear and by deltas.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, node_id: None, state_of_the_world: false, tls: None }
    }
}

/// TLS to the ADS server; files of the proxy's machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdsTls {
    /// Whose certificates are trusted.
    pub ca_file: String,
    /// Certificate and key that the proxy presents.
    pub certificate: Option<(String, String)>,
    /// The one URI that the server's certificate must name, `spiffe://…`.
    pub server_uri: Option<String>,
    /// Name in the handshake, and that the certificate must name when no URI is asked for.
    pub server_name: Option<String>,
}

/// What every form has.
pub(super) fn common(target: &ProxyTarget, options: &EnvoyOptions) -> Bootstrap {
    let loopback = |port| Address::new(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), Protocol::Tcp);
    let limit = ValueKind::Number(options.max_program_size.into());
    let limits = Struct::of("re2.max_program_size.error_level", limit);
    let layer = RuntimeLayer { name: "smi".into(), static_layer: Some(limits) };
    Bootstrap {
        node: Some(Node { id: node_id(target), cluster: "smi".into() }),
        admin: options.admin_port.map(|port| Admin { address: Some(loopback(port)) }),
        layered_runtime: Some(LayeredRuntime { layers: vec![layer] }),
        dynamic_resources: None,
        static_resources: None,
    }
}

pub(super) fn ads(target: &ProxyTarget, options: &EnvoyOptions, server: &AdsServer) -> Bootstrap {
    let service = GrpcService { target: Some(GrpcTarget::EnvoyGrpc(EnvoyGrpc { cluster_name: XDS.into() })) };
    let kind = if server.state_of_the_world { ApiType::Grpc } else { ApiType::DeltaGrpc };
    let api = ApiConfigSource {
        api_type: kind.into(),
        transport_api_version: ApiVersion::V3.into(),
        grpc_services: vec![service],
        set_node_on_first_message_only: true,
    };
    let mut bootstrap = common(target, options);
    if let (Some(node), Some(id)) = (&mut bootstrap.node, &server.node_id) {
        node.id.clone_from(id);
    }
    bootstrap.dynamic_resources = Some(DynamicResources {
        lds_config: Some(ConfigSource::ads()),
        cds_config: Some(ConfigSource::ads()),
        ads_config: Some(api),
    });
    bootstrap.static_resources =
        Some(StaticResources { clusters: vec![xds_cluster(server)], ..StaticResources::default() });
    bootstrap
}

fn xds_cluster(server: &AdsServer) -> Cluster {
    let socket = SocketAddress {
        protocol: Protocol::Tcp.into(),
        address: server.host.clone(),
        port: Some(PortSpecifier::PortValue(server.port.into())),
    };
    let endpoint = LbEndpoint {
        metadata: None,
        endpoint: Some(Endpoint {
            address: Some(Address { kind: Some(AddressKind::SocketAddress(socket)) }),
        }),
        load_balancing_weight: None,
    };
    let kind = match server.host.parse::<IpAddr>() {
        Ok(_) => DiscoveryType::Static,
        Err(_) => DiscoveryType::StrictDns,
    };
    Cluster {
        name: XDS.into(),
        r#type: kind.into(),
        connect_timeout: Some(Duration::from_ms(5000)),
        load_assignment: Some(ClusterLoadAssignment {
            cluster_name: XDS.into(),
            endpoints: vec![LocalityEndpoints { lb_endpoints: vec![endpoint] }],
        }),
        // gRPC is HTTP/2.
        typed_extension_protocol_options: http2_options(),
        transport_socket: server.tls.as_ref().map(server_tls),
        ..Cluster::default()
    }
}

fn server_tls(tls: &AdsTls) -> TransportSocket {
    let wanted = match (&tls.server_uri, &tls.server_name) {
        (Some(uri), _) => Some((SanType::Uri, uri)),
        (None, Some(name)) => Some((SanType::Dns, name)),
        (None, None) => None,
    };
    let name = |(kind, text): (SanType, &String)| SubjectAltNameMatcher {
        san_type: kind.into(),
        matcher: Some(StringMatcher { pattern: Some(StringPattern::Exact(text.clone())) }),
    };
    let certificate = |(chain, key): &(String, String)| TlsCertificate {
        certificate_chain: Some(DataSource::file(chain)),
        private_key: Some(DataSource::file(key)),
    };
    let context = UpstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_certificates: tls.certificate.iter().map(certificate).collect(),
            validation: Some(ValidationContextType::ValidationContext(ValidationContext {
                trusted_ca: Some(DataSource::file(&tls.ca_file)),
                match_typed_subject_alt_names: wanted.map(name).into_iter().collect(),
            })),
            ..CommonTlsContext::default()
        }),
        sni: tls.server_name.clone().unwrap_or_default(),
    };
    TransportSocket { name: TLS.into(), typed_config: Some(Any::pack(&context)) }
}

impl Bootstrap {
    /// As JSON.
    ///
    /// # Errors
    /// When a foreign message was put into an `Any`.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// As YAML.
    ///
    /// # Errors
    /// When a foreign message was put into an `Any`.
    pub fn yaml(&self) -> serde_json::Result<String> {
        // By way of the tree, in which an `Any` is its message.
        let tree = serde_json::to_value(self)?;
        let mut yaml = serde_saphyr::to_string(&tree).map_err(serde::ser::Error::custom)?;
        if !yaml.ends_with('\n') {
            yaml.push('\n');
        }
        Ok(yaml)
    }

    /// As protobuf, for a file whose name ends in `.pb`.
    #[must_use]
    pub fn protobuf(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

//! Our messages have the field numbers of Envoy's: ours → theirs → ours loses nothing, at every depth.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test"
)]

use envoy_types::pb::envoy::config::bootstrap::v3::Bootstrap as TheirBootstrap;
use envoy_types::pb::envoy::config::cluster::v3::Cluster as TheirCluster;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment as TheirAssignment;
use envoy_types::pb::envoy::config::listener::v3::Listener as TheirListener;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration as TheirRoutes;
use envoy_types::pb::envoy::extensions::filters::http::local_ratelimit::v3::LocalRateLimit as TheirRateLimit;
use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::{
    Rbac as TheirRbac, RbacPerRoute as TheirPerRoute,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager as TheirManager;
use envoy_types::pb::envoy::extensions::filters::network::rbac::v3::Rbac as TheirNetworkRbac;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy as TheirTcp;
use envoy_types::pb::envoy::extensions::filters::udp::udp_proxy::v3::{
    Route as TheirUdpRoute, UdpProxyConfig as TheirUdp,
};
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate as TheirPreviousHosts;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    DownstreamTlsContext as TheirDownstream, Secret as TheirSecret, UpstreamTlsContext as TheirUpstream,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions as TheirOptions;
use prost::Message;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, Compiled, compile};
use smi_core::load::{Input, Limits, load};
use smi_envoy::config::cluster::HttpProtocolOptions;
use smi_envoy::config::listener::{HttpConnectionManager, LocalRateLimit, TcpProxy, UdpProxy, UdpRoute};
use smi_envoy::config::matcher::IpMatcher;
use smi_envoy::config::rbac::{HttpRbac, NetworkRbac, Rbac, RbacPerRoute};
use smi_envoy::config::route::PreviousHosts;
use smi_envoy::config::tls::{DownstreamTlsContext, UpstreamTlsContext};
use smi_envoy::config::{Any, bootstrap::Bootstrap, types::Packed};
use smi_envoy::{AdsServer, AdsTls, Certificates, Envoy, EnvoyConfig, PodTls};

/// Theirs drops fields whose number or type it does not know, so what comes back is equal only if they agree.
fn there_and_back<Ours: Message + Default + PartialEq + std::fmt::Debug, Theirs: Message + Default>(
    ours: &Ours,
) {
    let theirs = Theirs::decode(ours.encode_to_vec().as_slice()).unwrap();
    let back = Ours::decode(theirs.encode_to_vec().as_slice()).unwrap();
    assert!(back == *ours, "{ours:?}\n{back:?}");
}

fn any<Ours: Packed + PartialEq + std::fmt::Debug, Theirs: Message + Default>(
    any: &Any,
    seen: &mut Vec<&'static str>,
) -> Option<Ours> {
    let ours: Ours = any.unpack()?;
    there_and_back::<Ours, Theirs>(&ours);
    seen.push(Ours::NAME);
    Some(ours)
}

/// A world that asks for everything.
fn compiled() -> Compiled {
    let text = include_str!("world.yaml").replace(
        "metadata: {name: cart, namespace: shop}",
        "metadata: {name: cart, namespace: shop, annotations: {mesh.smi-sdk.io/scheme: h2c, mesh.smi-sdk.io/retry-attempts: '3', \
         mesh.smi-sdk.io/ratelimit-average: '5', mesh.smi-sdk.io/ratelimit-burst: '10', mesh.smi-sdk.io/max-in-flight: '7', \
         mesh.smi-sdk.io/circuit-breaker-expression: 'ResponseCodeRatio(500, 600, 0, 600) > 0.5'}}",
    );
    let text = text.replace(
        "metadata: {name: cart-v1, namespace: shop}",
        "metadata: {name: cart-v1, namespace: shop, annotations: {mesh.smi-sdk.io/scheme: https}}",
    );
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    compile(&world.hub, &world.cluster, &CompileOptions::default())
}

#[test]
fn field_numbers_are_envoys() {
    let compiled = compiled();
    let mut envoy = Envoy::default();
    envoy.options.pod_tls = Some(PodTls::Trusted("pods.pem".into()));
    let bootstrap = envoy.render(&compiled.ir, &ProxyTarget::Node).output.static_bootstrap();
    there_and_back::<Bootstrap, TheirBootstrap>(&bootstrap);
    there_and_back::<_, TheirNetworkRbac>(&NetworkRbac {
        rules: Some(Rbac::default()),
        shadow_rules: Some(Rbac::default()),
        stat_prefix: "tcp".into(),
    });
    let mut seen = Vec::new();
    assert!(
        bootstrap.static_resources.iter().flat_map(|r| &r.clusters).any(|c| c.outlier_detection.is_some())
    );
    let resources = bootstrap.static_resources.unwrap();
    for config in resources.clusters.iter().flat_map(|c| c.sockets()).filter_map(|s| s.typed_config.as_ref())
    {
        any::<UpstreamTlsContext, TheirUpstream>(config, &mut seen).unwrap();
    }
    for config in resources.clusters.iter().flat_map(|c| c.typed_extension_protocol_options.values()) {
        any::<HttpProtocolOptions, TheirOptions>(config, &mut seen).unwrap();
    }
    for listener in &resources.listeners {
        for config in
            listener.filter_chains.iter().flat_map(|c| &c.filters).filter_map(|f| f.typed_config.as_ref())
        {
            any::<TcpProxy, TheirTcp>(config, &mut seen);
            let Some(manager) = any::<HttpConnectionManager, TheirManager>(config, &mut seen) else {
                continue;
            };
            for config in manager.http_filters.iter().filter_map(|f| f.typed_config.as_ref()) {
                any::<HttpRbac, TheirRbac>(config, &mut seen);
            }
            for host in manager.route_config.unwrap().virtual_hosts {
                for config in host.typed_per_filter_config.values() {
                    any::<LocalRateLimit, TheirRateLimit>(config, &mut seen).unwrap();
                }
                for route in host.routes {
                    let Some(smi_envoy::config::route::RouteActionKind::Route(action)) = route.action else {
                        continue;
                    };
                    for predicate in action.retry_policy.iter().flat_map(|r| &r.retry_host_predicate) {
                        let config = predicate.typed_config.as_ref().unwrap();
                        any::<PreviousHosts, TheirPreviousHosts>(config, &mut seen).unwrap();
                    }
                    for cluster in action.weighted_clusters.unwrap().clusters {
                        for config in cluster.typed_per_filter_config.values() {
                            any::<RbacPerRoute, TheirPerRoute>(config, &mut seen).unwrap();
                        }
                    }
                }
            }
        }
        for config in listener.listener_filters.iter().filter_map(|f| f.typed_config.as_ref()) {
            let proxy = any::<UdpProxy, TheirUdp>(config, &mut seen).unwrap();
            // `envoy-types` lacks `IPMatcher`; the live test shows that Envoy reads ours.
            let addresses =
                proxy.matcher.unwrap().matcher_tree.unwrap().custom_match.unwrap().typed_config.unwrap();
            for range in addresses.unpack::<IpMatcher>().unwrap().range_matchers {
                let route = range.on_match.unwrap().action.unwrap().typed_config.unwrap();
                any::<UdpRoute, TheirUdpRoute>(&route, &mut seen).unwrap();
            }
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 10, "{seen:?}");
}

#[test]
fn field_numbers_of_sidecars_and_of_discovery_are_envoys() {
    let ir = compiled().ir;
    let mut envoy = Envoy::default();
    envoy.options.sidecar.certificates =
        Certificates::Files { certificate: "own.pem".into(), key: "own.key".into(), trust: "ca.pem".into() };
    let mut seen = Vec::new();
    for pod in ir.pods.keys() {
        let config: EnvoyConfig = envoy.render(&ir, &ProxyTarget::Sidecar(pod.clone())).output;
        there_and_back::<Bootstrap, TheirBootstrap>(&config.static_bootstrap());
        let mut server = AdsServer::new("127.0.0.1", 15010);
        server.tls = Some(AdsTls {
            ca_file: "ca.pem".into(),
            certificate: Some(("own.pem".into(), "own.key".into())),
            server_uri: Some("spiffe://cluster.local/ns/mesh/sa/control".into()),
            server_name: None,
        });
        for state_of_the_world in [false, true] {
            server.state_of_the_world = state_of_the_world;
            there_and_back::<Bootstrap, TheirBootstrap>(&config.ads_bootstrap(&server));
        }
        let resources = &config.resources;
        resources.secrets.values().for_each(there_and_back::<_, TheirSecret>);
        resources.endpoints.values().for_each(there_and_back::<_, TheirAssignment>);
        resources.routes.values().for_each(there_and_back::<_, TheirRoutes>);
        for cluster in resources.clusters.values() {
            there_and_back::<_, TheirCluster>(cluster);
            for config in cluster.sockets().filter_map(|t| t.typed_config.as_ref()) {
                any::<UpstreamTlsContext, TheirUpstream>(config, &mut seen).unwrap();
            }
        }
        for listener in resources.listeners.values() {
            there_and_back::<_, TheirListener>(listener);
            let sockets = listener.filter_chains.iter().filter_map(|c| c.transport_socket.as_ref());
            for config in sockets.filter_map(|t| t.typed_config.as_ref()) {
                any::<DownstreamTlsContext, TheirDownstream>(config, &mut seen).unwrap();
            }
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 2, "{seen:?}");
}

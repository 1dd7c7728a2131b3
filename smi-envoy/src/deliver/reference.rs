//! What resources name, put elsewhere: routes into listeners, endpoints into clusters, or other places to get them from.

use crate::config::Any;
use crate::config::bootstrap::StaticResources;
use crate::config::cluster::{Cluster, DiscoveryType, EdsClusterConfig};
use crate::config::discovery::ConfigSource;
use crate::config::listener::{FilterChain, HttpConnectionManager, Listener};
use crate::config::tls::{
    CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, TransportSocket, UpstreamTlsContext,
    ValidationContextType,
};
use crate::resources::{Kind, Resources};

/// Where to get a named resource from; `None`: from the bootstrap.
pub(super) type Source<'a> = &'a dyn Fn(Kind, &str) -> Option<ConfigSource>;

/// Everything in its place; secrets are named, and stand in the bootstrap.
pub(super) fn inlined(resources: &Resources) -> StaticResources {
    let bootstrap: Source<'_> = &|_, _| None;
    let listeners = resources.listeners.values().map(|listener| {
        let mut listener = listener.clone();
        for chain in chains(&mut listener) {
            managers(chain, |manager| {
                if let Some(rds) = manager.rds.take() {
                    let routes = resources.routes.get(&rds.route_config_name).cloned();
                    manager.route_config = Some(routes.unwrap_or_default());
                }
            });
            chain.transport_socket.iter_mut().for_each(|socket| secrets(socket, bootstrap));
        }
        listener
    });
    let clusters = resources.clusters.values().map(|cluster| {
        let mut cluster = cluster.clone();
        if cluster.eds_cluster_config.take().is_some() {
            cluster.r#type = DiscoveryType::Static.into();
            cluster.load_assignment = resources.endpoints.get(&cluster.name).cloned();
        }
        cluster.sockets_mut().for_each(|socket| secrets(socket, bootstrap));
        cluster
    });
    StaticResources {
        listeners: listeners.collect(),
        clusters: clusters.collect(),
        secrets: resources.secrets.values().cloned().collect(),
    }
}

/// A listener whose routes and secrets come from elsewhere.
pub(super) fn listener(listener: &Listener, source: Source<'_>) -> Listener {
    let mut listener = listener.clone();
    for chain in chains(&mut listener) {
        managers(chain, |manager| {
            if let Some(rds) = &mut manager.rds {
                rds.config_source = source(Kind::Route, &rds.route_config_name);
            }
        });
        chain.transport_socket.iter_mut().for_each(|socket| secrets(socket, source));
    }
    listener
}

/// A cluster whose endpoints and secrets come from elsewhere.
pub(super) fn cluster(cluster: &Cluster, source: Source<'_>) -> Cluster {
    let mut cluster = cluster.clone();
    if cluster.eds_cluster_config.is_some() {
        cluster.eds_cluster_config =
            Some(EdsClusterConfig { eds_config: source(Kind::Endpoint, &cluster.name) });
    }
    cluster.sockets_mut().for_each(|socket| secrets(socket, source));
    cluster
}

fn chains(listener: &mut Listener) -> impl Iterator<Item = &mut FilterChain> {
    listener.filter_chains.iter_mut().chain(&mut listener.default_filter_chain)
}

fn managers(chain: &mut FilterChain, change: impl Fn(&mut HttpConnectionManager)) {
    for config in chain.filters.iter_mut().filter_map(|f| f.typed_config.as_mut()) {
        if let Some(mut manager) = config.unpack::<HttpConnectionManager>() {
            change(&mut manager);
            *config = Any::pack(&manager);
        }
    }
}

fn secrets(socket: &mut TransportSocket, source: Source<'_>) {
    let Some(config) = &mut socket.typed_config else { return };
    if let Some(mut context) = config.unpack::<UpstreamTlsContext>() {
        context.common_tls_context.iter_mut().for_each(|common| common_secrets(common, source));
        *config = Any::pack(&context);
    } else if let Some(mut context) = config.unpack::<DownstreamTlsContext>() {
        context.common_tls_context.iter_mut().for_each(|common| common_secrets(common, source));
        *config = Any::pack(&context);
    }
}

fn common_secrets(context: &mut CommonTlsContext, source: Source<'_>) {
    let mut from = |secret: &mut SdsSecretConfig| secret.sds_config = source(Kind::Secret, &secret.name);
    context.tls_certificate_sds_secret_configs.iter_mut().for_each(&mut from);
    match &mut context.validation {
        Some(ValidationContextType::ValidationContextSdsSecretConfig(secret)) => from(secret),
        Some(ValidationContextType::CombinedValidationContext(combined)) => {
            combined.validation_context_sds_secret_config.iter_mut().for_each(from);
        }
        Some(ValidationContextType::ValidationContext(_)) | None => {}
    }
}

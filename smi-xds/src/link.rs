//! References between resources, found by name in their encoded form.
//!
//! A renderer need not tell what refers to what: a field that is exactly the name of a cluster, route configuration, assignment or secret
//! counts as a reference to it. A text that only looks like one makes a push wait for an answer that comes anyway, so that too many
//! references do no harm.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::encoding::decode_varint;

use crate::kind::TypeUrl;
use crate::resource::{Name, Reference, Resource};

/// How deep messages are read.
const DEPTH: usize = 48;

/// Adds to each resource its references to others of these.
#[must_use]
pub fn linked(resources: impl IntoIterator<Item = Resource>) -> Vec<Resource> {
    let resources: Vec<Resource> = resources.into_iter().collect();
    let mut names: Names = BTreeMap::new();
    for resource in &resources {
        names
            .entry(resource.name().as_bytes().to_vec())
            .or_default()
            .push(Reference::new(resource.type_url().clone(), Name::clone(resource.name())));
    }
    let link = |resource: Resource| {
        let mut found = BTreeSet::new();
        scan(&resource.value(), resource.type_url(), &names, &mut found, DEPTH);
        if found.is_empty() {
            return resource;
        }
        found.extend(resource.depends_on().iter().cloned());
        resource.with_references(found)
    };
    resources.into_iter().map(link).collect()
}

type Names = BTreeMap<Vec<u8>, Vec<Reference>>;

/// Reads a message field by field; what is no message ends the reading of it.
fn scan(message: &Bytes, of: &TypeUrl, names: &Names, found: &mut BTreeSet<Reference>, depth: usize) {
    let mut rest = message.clone();
    while !rest.is_empty() {
        let Ok(key) = decode_varint(&mut rest) else { return };
        let skip = match key & 7 {
            0 => {
                if decode_varint(&mut rest).is_err() {
                    return;
                }
                0
            }
            1 => 8,
            5 => 4,
            2 => {
                let Some(length) = decode_varint(&mut rest).ok().and_then(|n| usize::try_from(n).ok()) else {
                    return;
                };
                if length > rest.len() {
                    return;
                }
                let field = rest.split_to(length);
                if let Some(references) = names.get(&*field) {
                    let fitting = references.iter().filter(|r| r.type_url.referrers().contains(&of.as_str()));
                    found.extend(fitting.cloned());
                }
                if depth > 0 && field.len() > 2 {
                    scan(&field, of, names, found, depth - 1);
                }
                0
            }
            _ => return,
        };
        if skip > rest.len() {
            return;
        }
        let _ = rest.split_to(skip);
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::kind::{CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET};
    use envoy_types::pb::envoy::config::cluster::v3 as cluster;
    use envoy_types::pb::envoy::config::listener::v3 as listener;
    use envoy_types::pb::envoy::config::route::v3 as route;
    use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as http;
    use envoy_types::pb::google::protobuf::Any;

    #[test]
    fn names_are_found_at_any_depth_and_only_where_they_may_stand() {
        let action = route::RouteAction {
            cluster_specifier: Some(route::route_action::ClusterSpecifier::Cluster("cart".into())),
            ..Default::default()
        };
        let host = route::VirtualHost {
            name: "h".into(),
            routes: vec![route::Route {
                action: Some(route::route::Action::Route(action)),
                ..Default::default()
            }],
            ..Default::default()
        };
        let routes = route::RouteConfiguration {
            name: "http".into(),
            virtual_hosts: vec![host],
            ..Default::default()
        };
        let rds = http::Rds { route_config_name: "http".into(), ..Default::default() };
        let manager = http::HttpConnectionManager {
            route_specifier: Some(http::http_connection_manager::RouteSpecifier::Rds(rds)),
            ..Default::default()
        };
        let any = Any { type_url: "x/y".into(), value: manager.encode_to_vec() };
        let filter = listener::Filter {
            name: "hcm".into(),
            config_type: Some(listener::filter::ConfigType::TypedConfig(any)),
        };
        let chain = listener::FilterChain { filters: vec![filter], ..Default::default() };
        let listener =
            listener::Listener { name: "http".into(), filter_chains: vec![chain], ..Default::default() };
        let cart =
            cluster::Cluster { name: "cart".into(), alt_stat_name: "key".into(), ..Default::default() };
        let all = linked([
            Resource::new(LISTENER, "http", &listener.encode_to_vec()),
            Resource::new(ROUTE, "http", &routes.encode_to_vec()),
            Resource::new(CLUSTER, "cart", &cart.encode_to_vec()),
            Resource::new(ENDPOINT, "cart", b"\x0a\x04cart"),
            Resource::new(SECRET, "key", b"\x0a\x03key"),
        ]);
        let found: Vec<Vec<Reference>> = all.iter().map(|r| r.depends_on().to_vec()).collect();
        assert_eq!(
            found,
            [
                vec![Reference::new(ROUTE, "http")],
                vec![Reference::new(CLUSTER, "cart")],
                vec![Reference::new(ENDPOINT, "cart"), Reference::new(SECRET, "key")],
                vec![],
                vec![],
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let _ = linked([Resource::new(LISTENER, "a", &bytes), Resource::new(CLUSTER, "b", &bytes)]);
        }
    }
}

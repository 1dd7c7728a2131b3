//! The virtual hosts of a route configuration, apart from each other on the wire: each can be closed while the others stay as they are.
//!
//! A proxy refuses a route configuration as a whole, and it often holds the hosts of many services.

use std::collections::BTreeSet;
use std::ops::Range;

use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};

use crate::kind::ROUTE;
use crate::resource::{Resource, Version};

/// A route configuration by virtual host.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    hosts: Vec<Host>,
}

/// One virtual host.
#[derive(Clone, Debug)]
struct Host {
    /// The field in the encoded route configuration, key and length with it.
    field: Range<usize>,
    /// Name and domains.
    head: Head,
    /// Hash of the field.
    version: Version,
}

/// `envoy.config.route.v3.VirtualHost`, as far as it tells which requests it is for.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Head {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "2")]
    domains: Vec<String>,
    /// Left out when it is read from an open host.
    #[prost(message, optional, tag = "3")]
    route: Option<Refusal>,
}

/// `envoy.config.route.v3.Route`: 503 for everything.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Refusal {
    #[prost(message, optional, tag = "1")]
    r#match: Option<Prefix>,
    #[prost(message, optional, tag = "7")]
    direct_response: Option<Status>,
}

/// `envoy.config.route.v3.RouteMatch`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Prefix {
    #[prost(string, tag = "1")]
    prefix: String,
}

/// `envoy.config.route.v3.DirectResponseAction`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Status {
    #[prost(uint32, tag = "1")]
    status: u32,
}

/// `RouteConfiguration.virtual_hosts`.
const HOSTS: u32 = 2;

impl Hosts {
    /// `None`: it is no route configuration, or cannot be read as one.
    pub(crate) fn of(resource: &Resource) -> Option<Self> {
        if resource.type_url().as_str() != ROUTE || !resource.has_content() {
            return None;
        }
        let value = resource.value();
        let mut rest = value.clone();
        let mut hosts = Vec::new();
        while !rest.is_empty() {
            let start = value.len() - rest.len();
            let (tag, wire) = decode_key(&mut rest).ok()?;
            let body = rest.clone();
            skip_field(wire, tag, &mut rest, DecodeContext::default()).ok()?;
            if tag == HOSTS && wire == WireType::LengthDelimited {
                let field = start..value.len() - rest.len();
                let version = Version::of("", "", value.get(field.clone())?);
                let message = prost::bytes::Buf::take(body, value.len() - start - rest.len());
                let head = Head::decode_length_delimited(message).ok()?;
                hosts.push(Host { field, head: Head { route: None, ..head }, version });
            }
        }
        Some(Self { hosts })
    }

    /// What each is, in order.
    pub(crate) fn versions(&self) -> impl Iterator<Item = Version> + '_ {
        self.hosts.iter().map(|host| host.version)
    }

    /// Names of these.
    pub(crate) fn names(&self, of: &BTreeSet<usize>) -> Vec<String> {
        of.iter().filter_map(|at| self.hosts.get(*at)).map(|host| host.head.name.clone()).collect()
    }

    /// The route configuration with these hosts closed: they answer for the same domains, so that no wider host takes over, and open
    /// nothing.
    pub(crate) fn close(&self, whole: &Resource, closed: &BTreeSet<usize>) -> Resource {
        let value = whole.value();
        let mut narrowed = Vec::with_capacity(value.len());
        let mut from = 0;
        for host in closed.iter().filter_map(|at| self.hosts.get(*at)) {
            narrowed.extend_from_slice(value.get(from..host.field.start).unwrap_or_default());
            let refusal = Refusal {
                r#match: Some(Prefix { prefix: "/".into() }),
                direct_response: Some(Status { status: 503 }),
            };
            let shut = Head { route: Some(refusal), ..host.head.clone() };
            prost::encoding::message::encode(HOSTS, &shut, &mut narrowed);
            from = host.field.end;
        }
        narrowed.extend_from_slice(value.get(from..).unwrap_or_default());
        Resource::new(whole.type_url().clone(), whole.name().clone(), &narrowed)
            .with_origins(whole.shared_origins())
            .with_references(whole.depends_on().iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::route::v3 as route;

    use super::*;

    fn host(name: &str, status: u32) -> route::VirtualHost {
        let answer = route::DirectResponseAction { status, ..Default::default() };
        let path = route::route_match::PathSpecifier::Prefix("/".into());
        let everything = route::RouteMatch { path_specifier: Some(path), ..Default::default() };
        route::VirtualHost {
            name: name.into(),
            domains: vec![format!("{name}.mesh"), format!("{name}.mesh.")],
            routes: vec![route::Route {
                r#match: Some(everything),
                action: Some(route::route::Action::DirectResponse(answer)),
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    fn routes(hosts: Vec<route::VirtualHost>) -> route::RouteConfiguration {
        route::RouteConfiguration {
            name: "http".into(),
            virtual_hosts: hosts,
            most_specific_header_mutations_wins: true,
            ..Default::default()
        }
    }

    #[test]
    fn a_closed_host_answers_503_for_the_same_domains_and_the_others_keep_their_bytes() {
        let whole = routes(vec![host("a", 200), host("b", 201), host("c", 202)]);
        let resource = Resource::new(ROUTE, "http", &whole.encode_to_vec());
        let hosts = Hosts::of(&resource).unwrap();
        assert_eq!(hosts.hosts.len(), 3);
        let narrowed = hosts.close(&resource, &BTreeSet::from([1]));
        let expected = routes(vec![host("a", 200), host("b", 503), host("c", 202)]);
        assert_eq!(route::RouteConfiguration::decode(narrowed.value()).unwrap(), expected);
        assert_eq!(hosts.names(&BTreeSet::from([1])), ["b"]);
        let again = Hosts::of(&narrowed).unwrap();
        let same: Vec<bool> = hosts.versions().zip(again.versions()).map(|(a, b)| a == b).collect();
        assert_eq!(same, [true, false, true]);
        assert_eq!(hosts.close(&resource, &BTreeSet::new()).version(), resource.version());
    }

    #[test]
    fn other_types_have_no_hosts() {
        assert!(Hosts::of(&Resource::new(crate::kind::CLUSTER, "a", b"\x12\x00")).is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_read_and_closed(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let resource = Resource::new(ROUTE, "a", &bytes);
            if let Some(hosts) = Hosts::of(&resource) {
                let narrowed = hosts.close(&resource, &(0..hosts.hosts.len()).collect());
                assert_eq!(Hosts::of(&narrowed).unwrap().hosts.len(), hosts.hosts.len());
            }
        }
    }
}

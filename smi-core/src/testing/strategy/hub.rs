//! Policy that means something in a [`cluster`](super::cluster): objects of all kinds and versions whose references often hit.
//!
//! Shape: [`objects`] gives wire objects, no name twice; [`hub`] reads them. About one reference in ten is missing, misspelt or of an
//! unknown kind, and some weights, ports and patterns are ones that are refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::sample::select;
use proptest::{option, prop_oneof};

use super::vocabulary::{ACCOUNTS, APPS, BAD_PATHS, HEADERS, NAMESPACES, PATHS};
use crate::api::{AnyObject, HeaderForm, Headers, ObjectMeta, Quantity, access, specs, split};
use crate::hub::Hub;

fn meta(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta { name: name.into(), namespace: Some(namespace.into()), ..ObjectMeta::default() }
}

fn one_of(list: &'static [&'static str]) -> impl Strategy<Value = Arc<str>> {
    select(list).prop_map(Arc::from)
}

fn versions() -> impl Strategy<Value = u8> {
    prop_oneof![1 => Just(1_u8), 1 => Just(2), 3 => Just(3), 4 => Just(4)]
}

/// Objects of policy, without two of one kind, namespace and name.
pub fn objects() -> BoxedStrategy<Vec<AnyObject>> {
    (vec(group(), 1..5), vec(ports(), 0..4), vec(binding(), 0..3), vec(target(), 0..9), vec(split(), 0..4))
        .prop_map(|(groups, ports, bindings, targets, splits)| {
            let mut seen = BTreeSet::new();
            let all = groups.into_iter().chain(ports).chain(bindings).chain(targets).chain(splits);
            all.filter(|object| {
                let at = object.object_ref();
                seen.insert((at.kind.to_string(), at.namespace.clone(), at.name.clone()))
            })
            .collect()
        })
        .boxed()
}

/// A hub.
pub fn hub() -> BoxedStrategy<Hub> {
    objects().prop_map(|objects| Hub::from_objects(objects).0).boxed()
}

/// A match of a group; `place` gives its name.
fn http_match() -> BoxedStrategy<specs::HttpMatch> {
    let path = prop_oneof![20 => one_of(&PATHS), 1 => one_of(&BAD_PATHS)];
    let methods = vec(one_of(&["GET", "POST", "*", "get"]), 0..3);
    let entry = prop_oneof![
        20 => select(&HEADERS[..]),
        1 => Just(("x-forwarded-for", ".*")),
        1 => Just(("x-user", "(?=a)")),
    ];
    let headers = (any::<bool>(), vec(entry, 0..3)).prop_map(|(map, entries)| {
        let mut seen = BTreeSet::new();
        // A map cannot hold a name twice.
        let entries = entries
            .into_iter()
            .filter(|(name, _)| !map || seen.insert(*name))
            .map(|(n, v)| (n.into(), v.into()));
        Headers { form: if map { HeaderForm::Map } else { HeaderForm::List }, entries: entries.collect() }
    });
    let name = one_of(&["m0", "m1", "m2", "m3"]);
    (name, option::weighted(0.8, path), option::of(methods), option::weighted(0.3, headers))
        .prop_map(|(name, path_regex, methods, headers)| specs::HttpMatch {
            name,
            path_regex,
            methods,
            headers,
        })
        .boxed()
}

/// An HTTPRouteGroup.
pub fn group() -> BoxedStrategy<AnyObject> {
    (select(&NAMESPACES[..]), select(&["g", "h"][..]), versions(), vec(http_match(), 0..4))
        .prop_map(|(namespace, name, version, matches)| {
            let meta = meta(namespace, name);
            match version {
                1 => {
                    // v1alpha1 of the specification has no headers.
                    let plain =
                        matches.into_iter().map(|m| specs::HttpMatch { headers: None, ..m }).collect();
                    specs::v1alpha1::HttpRouteGroup::new(meta, plain).into()
                }
                2 => specs::v1alpha2::HttpRouteGroup::new(meta, matches).into(),
                3 => {
                    let spec = specs::v1alpha3::HttpRouteGroupSpec { matches };
                    specs::v1alpha3::HttpRouteGroup::new(meta, Some(spec)).into()
                }
                _ => {
                    let spec = specs::v1alpha4::HttpRouteGroupSpec { matches };
                    specs::v1alpha4::HttpRouteGroup::new(meta, Some(spec)).into()
                }
            }
        })
        .boxed()
}

/// A TCPRoute or UDPRoute.
pub fn ports() -> BoxedStrategy<AnyObject> {
    let number = prop_oneof![4 => Just(8080_i64), 2 => Just(8081), 3 => Just(5432), 2 => Just(5353), 1 => Just(80),
        1 => Just(65616)];
    (
        select(&NAMESPACES[..]),
        select(&["p", "q"][..]),
        versions(),
        any::<bool>(),
        option::of(vec(number, 0..3)),
    )
        .prop_map(|(namespace, name, version, udp, ports)| {
            let meta = meta(namespace, name);
            let spec = Some(specs::v1alpha4::PortRouteSpec {
                matches: Some(specs::PortMatch { name: None, ports: ports.clone() }),
            });
            match (version, udp) {
                (1, false) => specs::v1alpha1::TcpRoute::new(meta).into(),
                (2, false) => specs::v1alpha2::TcpRoute::new(meta).into(),
                (3, false) => specs::v1alpha3::TcpRoute::new(meta, None).into(),
                (_, false) => specs::v1alpha4::TcpRoute::new(meta, spec).into(),
                (_, true) => specs::v1alpha4::UdpRoute::new(meta, spec).into(),
            }
        })
        .boxed()
}

/// An IdentityBinding.
pub fn binding() -> BoxedStrategy<AnyObject> {
    let labels = prop_oneof![
        3 => Just(vec![("group", "all")]),
        2 => Just(vec![("app", "v1")]),
        1 => Just(vec![("app", "nobody")]),
        1 => Just(Vec::new()),
    ];
    let ids = vec(
        one_of(&[
            "spiffe://cluster.local/ns/a/sa/web",
            "cluster.local/ns/a/sa/v1",
            "spiffe://other.example/x",
            "spiffe://",
        ]),
        0..3,
    );
    (
        select(&NAMESPACES[..]),
        select(&["crew", "probe"][..]),
        option::of(labels),
        option::of(ids),
        option::weighted(0.3, one_of(&ACCOUNTS)),
    )
        .prop_map(|(namespace, name, labels, ids, service_account)| {
            let labels = labels.map(|labels| access::v1alpha4::PodLabelSelector {
                match_labels: Some(labels.into_iter().map(|(k, v)| (k.into(), v.into())).collect()),
            });
            let schemes = access::v1alpha4::Schemes {
                pod_label_selector: labels,
                spiffe_identities: ids,
                service_account,
            };
            let spec = access::v1alpha4::BindingSpec { schemes: Some(schemes) };
            access::v1alpha4::IdentityBinding::new(meta(namespace, name), Some(spec)).into()
        })
        .boxed()
}

/// Who calls or is called: kind, group, name, namespace.
type Subject = (&'static str, Option<&'static str>, Arc<str>, Option<Arc<str>>);

fn subject(namespace: BoxedStrategy<Option<&'static str>>) -> BoxedStrategy<Subject> {
    let kind = prop_oneof![
        40 => Just(("ServiceAccount", None)),
        6 => Just(("IdentityBinding", Some("access.smi-spec.io"))),
        2 => Just(("IdentityBinding", None)),
        1 => Just(("Group", None)),
        1 => Just(("ServiceAccount", Some("other.example"))),
    ];
    let names = (one_of(&ACCOUNTS), one_of(&["crew", "probe", "missing"]));
    (kind, names, namespace)
        .prop_map(|((kind, group), (account, binding), namespace)| {
            let name = if kind == "IdentityBinding" { binding } else { account };
            (kind, group, name, namespace.map(Arc::from))
        })
        .boxed()
}

fn rule() -> BoxedStrategy<access::Rule> {
    let matches = option::weighted(0.3, vec(one_of(&["m0", "m1", "m2", "missing"]), 0..3));
    prop_oneof![
        30 => (one_of(&["g", "h"]), matches).prop_map(|(name, matches)| ("HTTPRouteGroup", name, matches)),
        12 => one_of(&["p", "q"]).prop_map(|name| ("TCPRoute", name, None)),
        6 => one_of(&["p", "q"]).prop_map(|name| ("UDPRoute", name, None)),
        1 => Just(("HTTPRouteGroup", "missing".into(), None)),
        1 => Just(("TCPRoute", "missing".into(), None)),
        1 => Just(("GRPCRoute", "g".into(), None)),
    ]
    .prop_map(|(kind, name, matches)| access::Rule { kind: kind.into(), name, matches })
    .boxed()
}

/// A TrafficTarget.
pub fn target() -> BoxedStrategy<AnyObject> {
    let app = select(&APPS[..]);
    let own = prop_oneof![8 => Just(Some("own")), 2 => Just(None), 1 => Just(Some("elsewhere"))].boxed();
    let any_namespace = prop_oneof![9 => select(&NAMESPACES[..]).prop_map(Some), 1 => Just(None)].boxed();
    let port = option::weighted(0.3, select(&[8080_i64, 8081, 5432, 65616][..]));
    let sources = prop_oneof![20 => vec(subject(any_namespace), 1..6), 1 => Just(Vec::new())];
    let rules = prop_oneof![20 => vec(rule(), 1..4), 1 => Just(Vec::new())];
    (0_u8..12, app, subject(own), any::<bool>(), versions(), port, sources, rules)
        .prop_map(|(number, (namespace, account), destination, of_app, version, port, sources, rules)| {
            let meta = meta(namespace, &format!("t{number}"));
            let (kind, group, mut name, to) = destination;
            if of_app && kind == "ServiceAccount" {
                name = account.into();
            }
            let to = to.map(|to| if &*to == "own" { Arc::from(namespace) } else { to });
            let destination = (kind, group, name, to);
            let with_port = |(kind, _, name, namespace): Subject, port| access::SubjectWithPort {
                kind: kind.into(),
                name,
                namespace,
                port,
            };
            let plain =
                |(kind, _, name, namespace): Subject| access::Subject { kind: kind.into(), name, namespace };
            let with_group = |(kind, group, name, namespace): Subject| access::SubjectWithGroup {
                kind: kind.into(),
                group: group.map(Arc::from),
                name,
                namespace,
            };
            match version {
                1 => access::v1alpha1::TrafficTarget::new(
                    meta,
                    Some(with_port(destination, port)),
                    rules,
                    sources.into_iter().map(|s| with_port(s, None)).collect(),
                )
                .into(),
                2 => {
                    let spec = access::v1alpha2::Spec {
                        destination: Some(with_port(destination, port)),
                        rules,
                        sources: sources.into_iter().map(|s| with_port(s, None)).collect(),
                    };
                    access::v1alpha2::TrafficTarget::new(meta, Some(spec)).into()
                }
                3 => {
                    let spec = access::v1alpha3::Spec {
                        destination: Some(plain(destination)),
                        rules,
                        sources: sources.into_iter().map(plain).collect(),
                    };
                    access::v1alpha3::TrafficTarget::new(meta, Some(spec)).into()
                }
                _ => {
                    let spec = access::v1alpha4::Spec {
                        destination: Some(with_group(destination)),
                        rules,
                        sources: sources.into_iter().map(with_group).collect(),
                    };
                    access::v1alpha4::TrafficTarget::new(meta, Some(spec)).into()
                }
            }
        })
        .boxed()
}

/// A TrafficSplit.
pub fn split() -> BoxedStrategy<AnyObject> {
    let weight = prop_oneof![20 => 0_i64..6, 1 => Just(-1_i64), 1 => Just(1_i64 << 33)];
    let quantity = one_of(&["1", "500m", "0", "1.5", "2", "1k", "10m"]);
    let service =
        prop_oneof![12 => one_of(&["b-c", "v1", "v2", "web", "c"]), 1 => Just(Arc::from("missing"))];
    let root = (
        one_of(&["b-c", "b-c", "v1", "c", "web", "missing"]),
        prop_oneof![8 => Just(0_u8), 1 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(4)],
    );
    let reference = prop_oneof![
        12 => one_of(&["g", "h"]).prop_map(|name| (Arc::from("HTTPRouteGroup"), name)),
        1 => Just((Arc::from("HTTPRouteGroup"), Arc::from("missing"))),
        1 => Just((Arc::from("TCPRoute"), Arc::from("p"))),
    ];
    let created = option::weighted(0.3, one_of(&["2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z"]));
    (
        0_u8..6,
        select(&NAMESPACES[..]),
        versions(),
        root,
        vec((service, weight, quantity), 1..4),
        option::of(vec(reference, 0..3)),
        created,
    )
        .prop_map(|(number, namespace, version, (root, form), backends, matches, created)| {
            let meta = ObjectMeta { creation_timestamp: created, ..meta(namespace, &format!("s{number}")) };
            let service: Arc<str> = match form {
                0 => root,
                1 => format!("{root}.{namespace}").into(),
                2 => format!("{root}.{namespace}.svc").into(),
                3 => format!("{root}.{namespace}.svc.cluster.local").into(),
                _ => format!("{root}.elsewhere").into(),
            };
            let whole = |backends: Vec<(Arc<str>, i64, Arc<str>)>| {
                let backend = |(service, weight, _)| split::v1alpha2::Backend { service, weight };
                backends.into_iter().map(backend).collect()
            };
            let matches = matches.map(|list| {
                let of = |(kind, name)| split::v1alpha3::MatchRef { api_group: None, kind, name };
                list.into_iter().map(of).collect()
            });
            match version {
                1 => {
                    let backends = backends.into_iter().map(|(service, _, quantity)| {
                        split::v1alpha1::Backend { service, weight: Quantity::new(quantity) }
                    });
                    let spec = split::v1alpha1::Spec { service, backends: backends.collect() };
                    split::v1alpha1::TrafficSplit::new(meta, Some(spec)).into()
                }
                2 => {
                    let spec = split::v1alpha2::Spec { service, backends: whole(backends) };
                    split::v1alpha2::TrafficSplit::new(meta, Some(spec)).into()
                }
                3 => {
                    let spec = split::v1alpha3::Spec { service, backends: whole(backends), matches };
                    split::v1alpha3::TrafficSplit::new(meta, Some(spec)).into()
                }
                _ => {
                    let spec = split::v1alpha4::Spec { service, backends: whole(backends), matches };
                    split::v1alpha4::TrafficSplit::new(meta, Some(spec)).into()
                }
            }
        })
        .boxed()
}

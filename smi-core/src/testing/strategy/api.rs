//! Wire objects of every kind and version, with every optional field, and with odd values that are valid all the same.
//!
//! Shape: [`object`] gives any kind, [`object_of`] a given one. Texts are empty, long, outside ASCII, or look like numbers and
//! booleans; numbers are at their limits. Printing such an object and reading it again must give the same object.
//! See [`hub::objects`](super::hub::objects) for objects that mean something together.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::sample::select;
use proptest::{option, prop_oneof};
use serde_json::{Value, json};

use crate::api::metrics::v1alpha1 as metrics;
use crate::api::{
    AnyObject, HeaderForm, Headers, KINDS, KindInfo, ObjectMeta, Quantity, access, specs, split,
};

/// Any text, mostly one that a careless reader takes for something else.
pub fn any_text() -> BoxedStrategy<Arc<str>> {
    let odd = select(
        &[
            "",
            "a",
            "é",
            "*",
            "yes",
            "0x1f",
            "014",
            "null",
            "~",
            "1e3",
            " lead",
            "trail ",
            "a\nb",
            "`",
            "{{x}}",
            "\"",
            "'",
            "65616",
            "- a",
            "a: b",
            "# a",
            "\u{feff}",
            "\u{2028}",
            "\\",
            "&a",
            "*a",
            "!!str",
            "---",
            "<<",
            ".inf",
            "2024-01-01",
            "\t",
            "a\r\nb",
            "\u{7f}",
            "\u{85}",
        ][..],
    );
    prop_oneof![4 => odd.prop_map(Arc::from), 1 => "\\PC{0,12}".prop_map(Arc::from)].boxed()
}

fn number() -> BoxedStrategy<i64> {
    prop_oneof![select(&[0, 1, -1, 80, 65535, 65616, 4_294_967_295, i64::MAX, i64::MIN][..]), any::<i64>()]
        .boxed()
}

/// A valid name of an object.
fn name() -> BoxedStrategy<Arc<str>> {
    let long = "a".repeat(63);
    prop_oneof![
        Just(Arc::from("x")),
        Just(Arc::from("0")),
        Just(Arc::from("a.b-c.0")),
        Just(Arc::from(long)),
        "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?".prop_map(Arc::from),
    ]
    .boxed()
}

fn namespace() -> BoxedStrategy<Option<Arc<str>>> {
    let long = "n".repeat(63);
    prop_oneof![
        Just(None),
        Just(Some(Arc::from("a"))),
        Just(Some(Arc::from(long))),
        Just(Some(Arc::from("")))
    ]
    .boxed()
}

fn texts() -> BoxedStrategy<BTreeMap<Arc<str>, Arc<str>>> {
    btree_map(any_text(), any_text(), 0..3).boxed()
}

/// Metadata with any of its fields. The name is valid, as nothing else is stored by an API server.
pub fn meta() -> BoxedStrategy<ObjectMeta> {
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "1", "controller": true});
    let manager = json!({"manager": "kubectl", "fieldsV1": {"f:spec": {}}, "time": null});
    (
        (name(), namespace(), option::of(any_text()), texts(), texts()),
        (option::of(any_text()), option::of(any_text()), option::of(number()), option::of(number())),
        (option::of(any_text()), option::of(any_text()), option::of(any_text())),
        (vec(any_text(), 0..2), vec(Just(owner), 0..2), vec(Just(manager), 0..2)),
    )
        .prop_map(
            |(
                (name, namespace, generate_name, labels, annotations),
                (creation_timestamp, deletion_timestamp, deletion_grace_period_seconds, generation),
                (uid, resource_version, self_link),
                (finalizers, owner_references, managed_fields),
            )| ObjectMeta {
                name,
                generate_name,
                namespace,
                labels,
                annotations,
                creation_timestamp,
                deletion_timestamp,
                deletion_grace_period_seconds,
                uid,
                resource_version,
                generation,
                self_link,
                finalizers,
                owner_references,
                managed_fields,
            },
        )
        .boxed()
}

/// A quantity, written as a string or as a number.
pub fn quantity() -> BoxedStrategy<Quantity> {
    let text = select(
        &[
            "1", "500m", "0", "1.5", "0.001", "1k", "2Ki", "3Ei", "1n", "7u", "+1", "1e3", "2E-3", "00",
            "-1", ".5", "5.",
        ][..],
    );
    let whole = prop_oneof![Just(0), Just(-1), Just(i64::MAX), any::<i64>()];
    prop_oneof![
        2 => text.prop_map(Quantity::new),
        1 => (0_u32..1000, select(&["", "m", "k", "M", "Mi"][..])).prop_map(|(n, unit)| Quantity::new(format!("{n}{unit}"))),
        1 => whole.prop_map(|n| read(json!(n))),
        1 => select(&[1.5, 0.1, 1e21, -0.0, 123.456][..]).prop_map(|n: f64| read(json!(n))),
        1 => Just(u64::MAX).prop_map(|n| read(json!(n))),
    ]
    .boxed()
}

fn read(value: Value) -> Quantity {
    // Every number is a quantity.
    serde_json::from_value(value).unwrap_or_default()
}

/// Headers in both forms.
pub fn headers() -> BoxedStrategy<Headers> {
    (any::<bool>(), vec((any_text(), any_text()), 0..4))
        .prop_map(|(map, entries)| {
            let mut entries = entries;
            if map {
                // A map cannot hold a name twice.
                let unique: BTreeMap<_, _> = entries.into_iter().collect();
                entries = unique.into_iter().collect();
            }
            Headers { form: if map { HeaderForm::Map } else { HeaderForm::List }, entries }
        })
        .boxed()
}

fn http_match() -> BoxedStrategy<specs::HttpMatch> {
    (any_text(), option::of(any_text()), option::of(vec(any_text(), 0..3)), option::of(headers()))
        .prop_map(|(name, path_regex, methods, headers)| specs::HttpMatch {
            name,
            path_regex,
            methods,
            headers,
        })
        .boxed()
}

fn port_spec() -> BoxedStrategy<Option<specs::v1alpha4::PortRouteSpec>> {
    let matches = (option::of(any_text()), option::of(vec(number(), 0..3)))
        .prop_map(|(name, ports)| specs::PortMatch { name, ports });
    option::of(option::of(matches).prop_map(|matches| specs::v1alpha4::PortRouteSpec { matches })).boxed()
}

fn rules() -> BoxedStrategy<Vec<access::Rule>> {
    let rule = (any_text(), any_text(), option::of(vec(any_text(), 0..3)))
        .prop_map(|(kind, name, matches)| access::Rule { kind, name, matches });
    vec(rule, 0..3).boxed()
}

fn with_port() -> BoxedStrategy<access::SubjectWithPort> {
    (any_text(), any_text(), option::of(any_text()), option::of(number()))
        .prop_map(|(kind, name, namespace, port)| access::SubjectWithPort { kind, name, namespace, port })
        .boxed()
}

fn plain() -> BoxedStrategy<access::Subject> {
    (any_text(), any_text(), option::of(any_text()))
        .prop_map(|(kind, name, namespace)| access::Subject { kind, name, namespace })
        .boxed()
}

fn with_group() -> BoxedStrategy<access::SubjectWithGroup> {
    let kind = prop_oneof![Just(Arc::from("ServiceAccount")), Just(Arc::from("IdentityBinding")), any_text()];
    (kind, option::of(any_text()), any_text(), option::of(any_text()))
        .prop_map(|(kind, group, name, namespace)| access::SubjectWithGroup { kind, group, name, namespace })
        .boxed()
}

fn binding_spec() -> BoxedStrategy<Option<access::v1alpha4::BindingSpec>> {
    let labels =
        option::of(texts()).prop_map(|match_labels| access::v1alpha4::PodLabelSelector { match_labels });
    let schemes = (option::of(labels), option::of(vec(any_text(), 0..3)), option::of(any_text())).prop_map(
        |(pod_label_selector, spiffe_identities, service_account)| access::v1alpha4::Schemes {
            pod_label_selector,
            spiffe_identities,
            service_account,
        },
    );
    option::of(option::of(schemes).prop_map(|schemes| access::v1alpha4::BindingSpec { schemes })).boxed()
}

macro_rules! whole_split {
    ($version:ident) => {{
        let backend =
            (any_text(), number()).prop_map(|(service, weight)| split::$version::Backend { service, weight });
        let reference = (option::of(any_text()), any_text(), any_text())
            .prop_map(|(api_group, kind, name)| split::$version::MatchRef { api_group, kind, name });
        let spec = (any_text(), vec(backend, 0..4), option::of(vec(reference, 0..3)))
            .prop_map(|(service, backends, matches)| split::$version::Spec { service, backends, matches });
        (meta(), option::of(spec)).prop_map(|(m, s)| split::$version::TrafficSplit::new(m, s).into()).boxed()
    }};
}

macro_rules! target_in_spec {
    ($version:ident, $subject:ident) => {{
        let spec = (option::of($subject()), rules(), vec($subject(), 0..3))
            .prop_map(|(destination, rules, sources)| access::$version::Spec { destination, rules, sources });
        (meta(), option::of(spec))
            .prop_map(|(m, s)| access::$version::TrafficTarget::new(m, s).into())
            .boxed()
    }};
}

/// An object of any kind and version.
pub fn object() -> BoxedStrategy<AnyObject> {
    select(KINDS).prop_flat_map(|info| object_of(&info)).boxed()
}

/// An object of this kind and version.
pub fn object_of(info: &KindInfo) -> BoxedStrategy<AnyObject> {
    match (info.kind, info.version) {
        ("TrafficTarget", "v1alpha1") => (meta(), option::of(with_port()), rules(), vec(with_port(), 0..3))
            .prop_map(|(m, d, r, s)| access::v1alpha1::TrafficTarget::new(m, d, r, s).into())
            .boxed(),
        ("TrafficTarget", "v1alpha2") => target_in_spec!(v1alpha2, with_port),
        ("TrafficTarget", "v1alpha3") => target_in_spec!(v1alpha3, plain),
        ("TrafficTarget", _) => target_in_spec!(v1alpha4, with_group),
        ("IdentityBinding", _) => (meta(), binding_spec())
            .prop_map(|(m, s)| access::v1alpha4::IdentityBinding::new(m, s).into())
            .boxed(),
        ("HTTPRouteGroup", "v1alpha1") => (meta(), vec(http_match(), 0..3))
            .prop_map(|(m, list)| specs::v1alpha1::HttpRouteGroup::new(m, list).into())
            .boxed(),
        ("HTTPRouteGroup", "v1alpha2") => (meta(), vec(http_match(), 0..3))
            .prop_map(|(m, list)| specs::v1alpha2::HttpRouteGroup::new(m, list).into())
            .boxed(),
        ("HTTPRouteGroup", "v1alpha3") => (meta(), option::of(vec(http_match(), 0..3)))
            .prop_map(|(m, list)| {
                let spec = list.map(|matches| specs::v1alpha3::HttpRouteGroupSpec { matches });
                specs::v1alpha3::HttpRouteGroup::new(m, spec).into()
            })
            .boxed(),
        ("HTTPRouteGroup", _) => (meta(), option::of(vec(http_match(), 0..3)))
            .prop_map(|(m, list)| {
                let spec = list.map(|matches| specs::v1alpha4::HttpRouteGroupSpec { matches });
                specs::v1alpha4::HttpRouteGroup::new(m, spec).into()
            })
            .boxed(),
        ("TCPRoute", "v1alpha1") => meta().prop_map(|m| specs::v1alpha1::TcpRoute::new(m).into()).boxed(),
        ("TCPRoute", "v1alpha2") => meta().prop_map(|m| specs::v1alpha2::TcpRoute::new(m).into()).boxed(),
        ("TCPRoute", "v1alpha3") => (meta(), any::<bool>())
            .prop_map(|(m, spec)| {
                specs::v1alpha3::TcpRoute::new(m, spec.then_some(specs::v1alpha3::TcpRouteSpec {})).into()
            })
            .boxed(),
        ("TCPRoute", _) => {
            (meta(), port_spec()).prop_map(|(m, s)| specs::v1alpha4::TcpRoute::new(m, s).into()).boxed()
        }
        ("UDPRoute", _) => {
            (meta(), port_spec()).prop_map(|(m, s)| specs::v1alpha4::UdpRoute::new(m, s).into()).boxed()
        }
        ("TrafficSplit", "v1alpha1") => {
            let backend = (any_text(), quantity())
                .prop_map(|(service, weight)| split::v1alpha1::Backend { service, weight });
            let spec = (any_text(), vec(backend, 0..4))
                .prop_map(|(service, backends)| split::v1alpha1::Spec { service, backends });
            (meta(), option::of(spec))
                .prop_map(|(m, s)| split::v1alpha1::TrafficSplit::new(m, s).into())
                .boxed()
        }
        ("TrafficSplit", "v1alpha2") => {
            let backend = (any_text(), number())
                .prop_map(|(service, weight)| split::v1alpha2::Backend { service, weight });
            let spec = (any_text(), vec(backend, 0..4))
                .prop_map(|(service, backends)| split::v1alpha2::Spec { service, backends });
            (meta(), option::of(spec))
                .prop_map(|(m, s)| split::v1alpha2::TrafficSplit::new(m, s).into())
                .boxed()
        }
        ("TrafficSplit", "v1alpha3") => whole_split!(v1alpha3),
        ("TrafficSplit", _) => whole_split!(v1alpha4),
        ("TrafficMetrics", _) => traffic_metrics().prop_map(AnyObject::from).boxed(),
        _ => (
            meta(),
            option::of(object_reference()),
            option::of(option::of(texts())),
            vec(traffic_metrics(), 0..2),
        )
            .prop_map(|(m, resource, labels, items)| {
                let selector = labels.map(|match_labels| metrics::Selector { match_labels });
                metrics::TrafficMetricsList::new(m, resource, selector, items).into()
            })
            .boxed(),
    }
}

fn object_reference() -> BoxedStrategy<metrics::ObjectReference> {
    let text = || option::of(any_text());
    (text(), text(), text(), text(), text(), text(), text())
        .prop_map(|(kind, namespace, name, uid, api_version, resource_version, field_path)| {
            metrics::ObjectReference { kind, namespace, name, uid, api_version, resource_version, field_path }
        })
        .boxed()
}

fn traffic_metrics() -> BoxedStrategy<metrics::TrafficMetrics> {
    let edge = (any_text(), option::of(any_text()), option::of(object_reference()))
        .prop_map(|(direction, side, resource)| metrics::Edge { direction, side, resource });
    let backend = (any_text(), any_text(), option::of(number()))
        .prop_map(|(apex, name, weight)| metrics::Backend { apex, name, weight });
    let metric = (any_text(), option::of(any_text()), quantity())
        .prop_map(|(name, unit, value)| metrics::Metric { name, unit, value });
    (
        meta(),
        option::of(object_reference()),
        option::of(edge),
        option::of(backend),
        (option::of(any_text()), option::of(any_text())),
        vec(metric, 0..3),
    )
        .prop_map(|(m, resource, edge, backend, (timestamp, window), list)| {
            metrics::TrafficMetrics::new(m, resource, edge, backend, timestamp, window, list)
        })
        .boxed()
}

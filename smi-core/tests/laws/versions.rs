//! S1–S5: objects, versions, conversion.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use smi_core::api::{AnyObject, HeaderForm, KINDS, Quantity};
use smi_core::diag::Severity;
use smi_core::hub::Hub;
use smi_core::hub::convert::{ConvertError, ConvertOptions, HubObject, OnWidening, convert};
use smi_core::testing::strategy::{api, cluster, hub};
use smi_core::testing::{self, document, documents};

use crate::support::*;

/// Reads what was printed.
fn again(object: &AnyObject) -> AnyObject {
    let info = object.info();
    let text = serde_json::to_string(object).unwrap();
    let mut json = serde_json::Deserializer::from_str(&text);
    AnyObject::decode(&format!("{}/{}", info.group, info.version), info.kind, &mut json).unwrap().unwrap()
}

/// Any object beside a version that its kind has.
fn object_and_version() -> impl Strategy<Value = (AnyObject, &'static str)> {
    let of_kind = |kind: &str| KINDS.iter().filter(|k| k.kind == kind).map(|k| k.version).collect::<Vec<_>>();
    proptest::sample::select(KINDS)
        .prop_flat_map(move |info| (api::object_of(&info), proptest::sample::select(of_kind(info.kind))))
}

/// What a user wrote, apart from annotations of conversion.
fn content(object: &AnyObject) -> serde_json::Value {
    serde_json::to_value(object).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn s01_printed_objects_read_back(object in api::object()) {
        prop_assert_eq!(again(&object), object);
    }

    #[test]
    fn s01_printed_objects_are_loaded_as_they_were(object in api::object()) {
        let world = read(&document(&object));
        prop_assert_eq!(world.objects, [object], "{:?}", world.report);
    }

    /// Spoke → hub → the same spoke.
    #[test]
    fn s02_the_hub_keeps_every_object(object in api::object()) {
        let same = convert(&object, object.info().version, &ConvertOptions::default());
        prop_assert_eq!(same.unwrap().object, object);
    }

    /// Through every other version and back, with the annotation.
    #[test]
    fn s02_there_and_back_is_the_object((object, version) in object_and_version()) {
        match convert(&object, version, &ConvertOptions::default()) {
            Err(ConvertError::Refused(report)) => {
                // Only weights that are no exact ratio cannot be read.
                prop_assert!(report.iter().all(|d| d.code.id == "SMI0114"), "{:?}", report);
            }
            Err(other) => prop_assert!(false, "{other}"),
            Ok(there) => {
                prop_assert_eq!(&again(&there.object), &there.object);
                let back = convert(&there.object, object.info().version, &ConvertOptions::default()).unwrap();
                prop_assert_eq!(content(&back.object), content(&object));
            }
        }
    }

    /// Without the annotation, either nothing is lost or something is said.
    #[test]
    fn s02_a_loss_is_told((object, version) in object_and_version()) {
        let options = {
            let mut options = ConvertOptions::default();
            options.annotate = false;
            options
        };
        let Ok(there) = convert(&object, version, &options) else { return Ok(()) };
        let (Ok(Some(was)), Ok(Some(is))) = (HubObject::read(&object), HubObject::read(&there.object)) else { return Ok(()) };
        if told(&was) != told(&is) {
            prop_assert!(there.report.iter().next().is_some(), "{:?}\n{:?}", object, there.object);
        }
    }

    #[test]
    fn s04_quantities_keep_their_ratio(quantities in proptest::collection::vec(api::quantity(), 1..4)) {
        let split = smi_core::api::split::v1alpha1::TrafficSplit::new(
            smi_core::api::ObjectMeta { name: "s".into(), ..Default::default() },
            Some(smi_core::api::split::v1alpha1::Spec {
                service: "r".into(),
                backends: quantities.iter().map(|weight| smi_core::api::split::v1alpha1::Backend { service: "b".into(), weight: weight.clone() }).collect(),
            }),
        );
        let Ok(Some(HubObject::Split(split))) = HubObject::read(&split.into()) else { return Ok(()) };
        let weights: Vec<i64> = split.backends.iter().map(|b| b.weight).collect();
        for (a, qa) in weights.iter().zip(&quantities) {
            prop_assert_eq!(*a == 0, is_zero(qa));
            for (b, qb) in weights.iter().zip(&quantities) {
                prop_assert!(same_ratio((*a, qa), (*b, qb)), "{}:{} of {}:{}", a, b, qa, qb);
            }
        }
    }
}

/// The object without what its version is and where it came from.
fn told(object: &HubObject) -> String {
    let mut object = object.clone();
    let meta = match &mut object {
        HubObject::Target(o) => &mut o.meta,
        HubObject::Binding(o) => &mut o.meta,
        HubObject::Group(o) => &mut o.meta,
        HubObject::Ports(o) => &mut o.meta,
        HubObject::Split(o) => &mut o.meta,
    };
    meta.version = "";
    meta.annotations.retain(|key, _| !key.starts_with(smi_core::hub::convert::ANNOTATION_PREFIX));
    if let HubObject::Ports(route) = &mut object {
        // Absent and empty mean the same, and the name means nothing.
        route.ports = route.ports.take().filter(|p| !p.is_empty());
        route.name = None;
    }
    if let HubObject::Target(target) = &mut object {
        // Ports of sources mean nothing, and a group of the known ones is only a spelling.
        target.sources.iter_mut().for_each(|s| s.port = None);
        for subject in target.sources.iter_mut().chain(&mut target.destination) {
            if subject.foreign_group().is_none() {
                subject.group = None;
            }
        }
    }
    if let HubObject::Split(split) = &mut object {
        split.matches = split.matches.take().filter(|m| !m.is_empty());
        split.matches.iter_mut().flatten().for_each(|m| m.api_group = None);
    }
    if let HubObject::Group(group) = &mut object {
        for m in &mut group.matches {
            m.headers = m.headers.take().filter(|h| !h.is_empty());
        }
    }
    format!("{object:?}")
}

fn is_zero(quantity: &Quantity) -> bool {
    quantity.value().is_some_and(|d| d.digits == 0)
}

/// `a : b` is `x : y`, in whole numbers; decimals whose powers are too far apart to multiply out were refused before.
fn same_ratio((a, x): (i64, &Quantity), (b, y): (i64, &Quantity)) -> bool {
    let (Some(x), Some(y)) = (x.value(), y.value()) else { return false };
    let lowest = x.exponent.min(y.exponent);
    let whole = |d: smi_core::api::Decimal| {
        let power = u32::try_from(d.exponent - lowest).ok()?;
        if d.digits == 0 { Some(0) } else { d.digits.checked_mul(10_i128.checked_pow(power)?) }
    };
    let (Some(x), Some(y)) = (whole(x), whole(y)) else { return false };
    i128::from(a).checked_mul(y) == i128::from(b).checked_mul(x)
}

proptest! {
    #![proptest_config(cases())]

    /// A document that is broken, whatever it is, leaves the others as they were.
    #[test]
    fn s01_a_broken_object_spoils_no_other(
        texts in documents(),
        at in any::<proptest::sample::Index>(),
        broken in proptest::sample::select(&[
            "apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: x}\nspec: {backends: 7}\n",
            "apiVersion: split.smi-spec.io/v9\nkind: TrafficSplit\n",
            "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTargets\n",
            "{\n",
            "a: [b\n",
            "just text\n",
            "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 65616}]}\n",
            "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: x}\nspec: {matches: [{name: {}}]}\n",
        ][..]),
    ) {
        let mut spoilt = texts.clone();
        spoilt.insert(at.index(texts.len() + 1), broken.to_owned());
        let (sound, mut spoilt) = (read(&texts.join("---\n")), read(&spoilt.join("---\n")));
        prop_assert_eq!(sound.hub, spoilt.hub);
        // That something is missing is known (S21).
        spoilt.cluster.namespaces_incomplete = false;
        prop_assert_eq!(sound.cluster, spoilt.cluster);
        prop_assert!(spoilt.report.has_errors());
    }

    /// A split that cannot be said is as none: it takes no other's place (S18).
    #[test]
    fn s02_a_narrowed_split_leaves_the_others_alone(
        objects in hub::objects(),
        cluster in cluster::cluster(),
        version in proptest::sample::select(&["v1alpha1", "v1alpha2"][..]),
    ) {
        let mut options = ConvertOptions::default();
        options.annotate = false;
        options.on_widening = OnWidening::Narrow;
        let conditional = |object: &AnyObject| {
            matches!(HubObject::read(object), Ok(Some(HubObject::Split(s))) if s.matches.as_ref().is_some_and(|m| !m.is_empty()))
        };
        let narrowed = objects.iter().map(|object| match conditional(object) {
            true => convert(object, version, &options).unwrap().object,
            false => object.clone(),
        });
        let (narrowed, _) = Hub::from_objects(narrowed.collect::<Vec<_>>());
        let (without, _) = Hub::from_objects(objects.iter().filter(|o| !conditional(o)).cloned());
        // A name that stands twice with different content is nobody's.
        let same_names = |a: &Hub, b: &Hub| b.splits.keys().all(|name| a.splits.contains_key(name));
        prop_assume!(same_names(&narrowed, &without));
        prop_assert_eq!(ir(&narrowed, &cluster).services, ir(&without, &cluster).services);
    }

    /// What is written narrower never allows more, to readers who do not know the annotation.
    #[test]
    fn s02_a_narrowed_world_never_allows_more(
        objects in hub::objects(),
        cluster in cluster::cluster(),
        versions in proptest::collection::vec(1_u8..5, 24),
        drafts in drafts(),
    ) {
        // Splits choose among services; what is compared here is access.
        let objects: Vec<AnyObject> = objects.into_iter().filter(|o| o.info().kind != "TrafficSplit").collect();
        let mut options = ConvertOptions::default();
        options.annotate = false;
        options.on_widening = OnWidening::Narrow;
        let narrowed = objects.iter().zip(versions.iter().cycle()).filter_map(|(object, version)| {
            let version = format!("v1alpha{version}");
            match convert(object, &version, &options) {
                Ok(converted) => Some(converted.object),
                Err(ConvertError::NoSuchVersion { .. }) => Some(object.clone()),
                // Refused: whoever converts has no object to apply.
                Err(_) => None,
            }
        });
        let narrowed = Hub::from_objects(narrowed.collect::<Vec<_>>()).0;
        let whole = Hub::from_objects(objects).0;
        at_most(&ir(&narrowed, &cluster), &ir(&whole, &cluster), &drafts)?;
    }

    #[test]
    fn s03_both_forms_of_headers_mean_the_same(objects in hub::objects()) {
        let in_form = |form: HeaderForm| {
            let mut options = ConvertOptions::default();
            options.header_form = Some(form);
            let written = objects.iter().filter_map(|o| convert(o, o.info().version, &options).ok());
            Hub::from_objects(written.map(|c| c.object).collect::<Vec<_>>()).0
        };
        prop_assert_eq!(in_form(HeaderForm::List), in_form(HeaderForm::Map));
    }

    /// A field that nobody knows is told at its place. It changes nothing else, unless it may have been meant to restrict.
    #[test]
    fn s05_unknown_fields_are_told_and_change_nothing(object in api::object(), top in any::<bool>()) {
        let mut value = serde_json::to_value(&object).unwrap();
        let map = if top { value.as_object_mut() } else { value.get_mut("spec").and_then(|s| s.as_object_mut()) };
        let Some(map) = map else { return Ok(()) };
        map.insert("xyzzy".into(), 1.into());
        let world = read(&value.to_string());
        // What is unknown in a route of ports may have been its ports.
        let restricts = matches!(object.info().kind, "TCPRoute" | "UDPRoute");
        prop_assert_eq!(world.objects, if restricts { vec![] } else { vec![object] });
        let path = if top { "xyzzy" } else { "spec.xyzzy" };
        let told = world.report.iter().find(|d| d.path.to_string() == path).unwrap();
        prop_assert_eq!(told.severity, if restricts { Severity::Error } else { Severity::Warning });
    }

    /// Whichever field of a policy is misspelt: nothing is served that the policy does not serve.
    #[test]
    fn s05_a_misspelt_restriction_never_allows(
        objects in hub::objects(),
        cluster in cluster::cluster(),
        place in any::<Index>(),
        drafts in drafts(),
    ) {
        // Splits choose among services; what is compared here is access.
        let objects: Vec<AnyObject> = objects.into_iter().filter(|o| o.info().kind != "TrafficSplit").collect();
        let mut values: Vec<Value> = objects.iter().map(|o| serde_json::to_value(o).unwrap()).collect();
        let mut fields = Vec::new();
        for (at, value) in values.iter().enumerate() {
            own_fields(value, String::new(), &mut |map, key| fields.push((at, map.to_owned(), key.to_owned())));
        }
        prop_assume!(!fields.is_empty());
        let (at, map, key) = place.get(&fields);
        let map = values[*at].pointer_mut(map).unwrap().as_object_mut().unwrap();
        let value = map.remove(key).unwrap();
        map.insert(format!("{key}x"), value);
        let misspelt = read(&testing::text(&values)).hub;
        let meant = Hub::from_objects(objects).0;
        at_most(&ir(&misspelt, &cluster), &ir(&meant, &cluster), &drafts)?;
    }
}

/// The fields that a kind has, each by the pointer of its map and its key.
fn own_fields(value: &Value, at: String, see: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                if at.is_empty() && matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
                    continue;
                }
                see(&at, key);
                // Keys below these are the user's own.
                if !matches!(key.as_str(), "headers" | "matchLabels") {
                    own_fields(inner, format!("{at}/{key}"), see);
                }
            }
        }
        Value::Array(list) => {
            for (place, inner) in list.iter().enumerate() {
                own_fields(inner, format!("{at}/{place}"), see);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

//! Conversion as users meet it.

use super::*;
use crate::api::AnyObject;

fn object(text: &str) -> AnyObject {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let (version, kind) =
        (value["apiVersion"].as_str().unwrap().to_owned(), value["kind"].as_str().unwrap().to_owned());
    AnyObject::decode(&version, &kind, value).unwrap().unwrap()
}

const TARGET: &str = r#"{"apiVersion":"access.smi-spec.io/v1alpha2","kind":"TrafficTarget","metadata":{"name":"t","namespace":"a"},
"spec":{"destination":{"kind":"ServiceAccount","name":"d","port":8080},"rules":[{"kind":"TCPRoute","name":"r"}],"sources":[{"kind":"ServiceAccount","name":"s","namespace":"b"}]}}"#;
const SPLIT: &str = r#"{"apiVersion":"split.smi-spec.io/v1alpha4","kind":"TrafficSplit","metadata":{"name":"t","namespace":"a"},
"spec":{"service":"root","matches":[{"kind":"HTTPRouteGroup","name":"g"}],"backends":[{"service":"x","weight":1},{"service":"y","weight":3}]}}"#;
const QUANTITIES: &str = r#"{"apiVersion":"split.smi-spec.io/v1alpha1","kind":"TrafficSplit","metadata":{"name":"t","namespace":"a"},
"spec":{"service":"root","backends":[{"service":"x","weight":1},{"service":"y","weight":"500m"}]}}"#;

/// What v1alpha3 does not know, and v1alpha4 does: on the way back it would be narrowed.
const BINDING: &str = r#"{"apiVersion":"access.smi-spec.io/v1alpha3","kind":"TrafficTarget","metadata":{"name":"t","namespace":"a"},
"spec":{"rules":[],"sources":[{"kind":"IdentityBinding","name":"w"}]}}"#;

#[test]
fn s2_there_and_back_is_the_identity() {
    for (text, to) in [
        (TARGET, "v1alpha3"),
        (TARGET, "v1alpha4"),
        (TARGET, "v1alpha1"),
        (SPLIT, "v1alpha1"),
        (SPLIT, "v1alpha2"),
        (SPLIT, "v1alpha3"),
        (QUANTITIES, "v1alpha4"),
        (BINDING, "v1alpha4"),
    ] {
        let source = object(text);
        let there = convert(&source, to, &ConvertOptions::default()).unwrap();
        let back = convert(&there.object, source.info().version, &ConvertOptions::default()).unwrap();
        assert_eq!(back.object, source, "{to}");
    }
}

#[test]
fn s2_an_edit_after_the_conversion_wins() {
    let there = convert(&object(SPLIT), "v1alpha2", &ConvertOptions::default()).unwrap();
    let AnyObject::TrafficSplitV1alpha2(mut edited) = there.object else { panic!("v1alpha2") };
    edited.spec.as_mut().unwrap().backends[0].weight = 7;
    let back = convert(&edited.into(), "v1alpha4", &ConvertOptions::default()).unwrap();
    let AnyObject::TrafficSplitV1alpha4(back_split) = back.object else { panic!("v1alpha4") };
    assert_eq!(back_split.spec.as_ref().unwrap().backends[0].weight, 7);
    assert_eq!(back_split.spec.as_ref().unwrap().matches, None);
    assert!(back.report.iter().any(|d| d.code == codes::STALE_ANNOTATION));
}

#[test]
fn s2_widening_is_refused_or_narrowed_without_the_annotation() {
    let refuse = ConvertOptions { annotate: false, ..Default::default() };
    let narrow = ConvertOptions { annotate: false, on_widening: OnWidening::Narrow, ..Default::default() };
    for (text, to) in [(TARGET, "v1alpha3"), (SPLIT, "v1alpha2")] {
        assert!(matches!(convert(&object(text), to, &refuse), Err(ConvertError::Refused(_))), "{to}");
        let narrowed = convert(&object(text), to, &narrow).unwrap();
        assert!(narrowed.report.iter().any(|d| d.code == codes::NARROWS));
        if let AnyObject::TrafficTargetV1alpha3(t) = &narrowed.object {
            let spec = t.spec.as_ref().unwrap();
            assert_eq!((spec.rules.len(), spec.sources.len()), (0, 0));
        } else if let AnyObject::TrafficSplitV1alpha2(s) = &narrowed.object {
            assert_eq!(&*s.spec.as_ref().unwrap().service, "nobody~");
        } else {
            panic!("{:?}", narrowed.object);
        }
    }
}

#[test]
fn s2_the_hub_reads_what_an_annotation_kept() {
    let there = convert(&object(TARGET), "v1alpha3", &ConvertOptions::default()).unwrap();
    let (hub, report) = crate::hub::Hub::from_objects([there.object]);
    assert_eq!(report.diagnostics, []);
    let target = hub.targets.values().next().unwrap();
    assert_eq!(target.destination.as_ref().unwrap().port, Some(8080));
}

#[test]
fn conflicting_objects_are_all_left_out() {
    let other = SPLIT.replace("\"weight\":3", "\"weight\":4");
    for order in [[SPLIT, &other], [&other, SPLIT]] {
        let (hub, report) = crate::hub::Hub::from_objects(order.map(object));
        assert!(hub.splits.is_empty());
        assert!(report.has_errors());
    }
    let (hub, report) = crate::hub::Hub::from_objects([SPLIT, SPLIT].map(object));
    assert_eq!(hub.splits.len(), 1);
    assert!(!report.has_errors());
}

#[test]
fn s4_weights_keep_their_ratio() {
    let there =
        convert(&object(QUANTITIES), "v1alpha4", &ConvertOptions { annotate: false, ..Default::default() })
            .unwrap();
    let AnyObject::TrafficSplitV1alpha4(split) = there.object else { panic!("v1alpha4") };
    let weights: Vec<i64> = split.spec.unwrap().backends.iter().map(|b| b.weight).collect();
    assert_eq!(weights, [2, 1]);
}

fn value(object: &AnyObject) -> serde_json::Value {
    serde_json::to_value(object).unwrap()
}

#[test]
fn s2_an_annotated_object_is_narrower() {
    for (text, to) in [(TARGET, "v1alpha3"), (SPLIT, "v1alpha2")] {
        let mut there = convert(&object(text), to, &ConvertOptions::default()).unwrap().object;
        there.metadata_mut().annotations.clear();
        let narrow =
            ConvertOptions { annotate: false, on_widening: OnWidening::Narrow, ..Default::default() };
        assert_eq!(there, convert(&object(text), to, &narrow).unwrap().object);
    }
}

#[test]
fn s2_an_annotation_cannot_move_an_object() {
    for envelope in ["metadata", "kind", "apiVersion"] {
        let mut there = convert(&object(TARGET), "v1alpha3", &ConvertOptions::default()).unwrap().object;
        let kept = there.metadata_mut().annotations.values_mut().next().unwrap();
        let mut text: serde_json::Value = serde_json::from_str(kept).unwrap();
        text["was"][envelope] = serde_json::json!({"name": "t", "namespace": "victim"});
        *kept = text.to_string().into();
        let (hub, report) = crate::hub::Hub::from_objects([there]);
        assert_eq!(hub.targets.keys().map(ToString::to_string).collect::<Vec<_>>(), ["a/t"]);
        assert!(report.iter().any(|d| d.code == codes::STALE_ANNOTATION), "{envelope}");
    }
}

#[test]
fn s2_an_old_annotation_does_not_hide_a_new_one() {
    let there = convert(&object(QUANTITIES), "v1alpha3", &ConvertOptions::default()).unwrap().object;
    let mut edited = value(&there);
    edited["spec"]["matches"] = serde_json::json!([{"kind": "HTTPRouteGroup", "name": "g"}]);
    let older = convert(&object(&edited.to_string()), "v1alpha2", &ConvertOptions::default()).unwrap().object;
    assert_eq!(older.metadata().annotations.len(), 1);
    let (hub, _) = crate::hub::Hub::from_objects([older]);
    assert_eq!(hub.splits.values().next().unwrap().matches.as_ref().unwrap().len(), 1);
}

#[test]
fn s2_bindings_and_foreign_groups_never_become_accounts() {
    for source in [
        r#"{"kind":"IdentityBinding","name":"s"}"#,
        r#"{"kind":"ServiceAccount","group":"other.example","name":"s"}"#,
    ] {
        let text = TARGET.replace("v1alpha2", "v1alpha4").replace(",\"port\":8080", "");
        let mut whole: serde_json::Value = serde_json::from_str(&text).unwrap();
        whole["spec"]["sources"].as_array_mut().unwrap().push(serde_json::from_str(source).unwrap());
        let source = object(&whole.to_string());
        let refuse = ConvertOptions { annotate: false, ..Default::default() };
        assert!(matches!(convert(&source, "v1alpha3", &refuse), Err(ConvertError::Refused(_))));
        let there = convert(&source, "v1alpha3", &ConvertOptions::default()).unwrap().object;
        assert_eq!(value(&there)["spec"]["sources"].as_array().unwrap().len(), 1);
        assert_eq!(convert(&there, "v1alpha4", &ConvertOptions::default()).unwrap().object, source);
    }
}

const HEADERS: &str = r#"{"apiVersion":"specs.smi-spec.io/v1alpha3","kind":"HTTPRouteGroup","metadata":{"name":"g","namespace":"a"},
"spec":{"matches":[{"name":"m","headers":{"x":"1"}},{"name":"n","pathRegex":"/"}]}}"#;

#[test]
fn s3_the_list_is_written_unless_the_map_is_asked_for() {
    let there = convert(&object(HEADERS), "v1alpha4", &ConvertOptions::default()).unwrap().object;
    assert!(value(&there)["spec"]["matches"][0]["headers"].is_array());
    assert_eq!(convert(&there, "v1alpha3", &ConvertOptions::default()).unwrap().object, object(HEADERS));
    let map = ConvertOptions { header_form: Some(HeaderForm::Map), ..Default::default() };
    let there = convert(&object(HEADERS), "v1alpha4", &map).unwrap().object;
    assert!(value(&there)["spec"]["matches"][0]["headers"].is_object());
    let twice = HEADERS.replace(r#"{"x":"1"}"#, r#"[{"x":"1"},{"x":"2"}]"#);
    let there = convert(&object(&twice), "v1alpha4", &map).unwrap();
    assert_eq!(value(&there.object)["spec"]["matches"][0]["headers"].as_array().unwrap().len(), 2);
    assert!(there.report.iter().any(|d| d.code == codes::RESPELLS));
}

#[test]
fn s2_headers_are_not_lost_in_v1alpha1() {
    let refuse = ConvertOptions { annotate: false, ..Default::default() };
    assert!(matches!(convert(&object(HEADERS), "v1alpha1", &refuse), Err(ConvertError::Refused(_))));
    let there = convert(&object(HEADERS), "v1alpha1", &ConvertOptions::default()).unwrap().object;
    let matches = &value(&there)["matches"];
    assert_eq!(matches[0], serde_json::json!({"name": "m", "pathRegex": "$."}));
    assert_eq!(matches[1], serde_json::json!({"name": "n", "pathRegex": "/"}));
    assert_eq!(convert(&there, "v1alpha3", &ConvertOptions::default()).unwrap().object, object(HEADERS));
}

#[test]
fn s35_the_order_of_duplicates_does_not_change_the_report() {
    let other = SPLIT.replace("\"weight\":3", "\"weight\":4");
    let one = crate::hub::Hub::from_objects([SPLIT, SPLIT, &other].map(object));
    assert_eq!(one, crate::hub::Hub::from_objects([&other, SPLIT, SPLIT].map(object)));
    let older = SPLIT.replace("v1alpha4", "v1alpha3");
    let (hub, report) = crate::hub::Hub::from_objects([SPLIT, &older].map(object));
    assert_eq!(hub.splits.values().next().unwrap().meta.version, "v1alpha4");
    assert!(!report.has_errors());
    let related =
        report.iter().flat_map(|d| &d.related).map(|r| r.object.as_ref().unwrap().version.to_string());
    assert_eq!(related.collect::<Vec<_>>(), ["v1alpha3"]);
}

#[test]
fn s1_an_empty_namespace_is_the_default_one() {
    let text = SPLIT.replace(r#""namespace":"a""#, r#""namespace":"""#);
    let (hub, report) = crate::hub::Hub::from_objects([object(&text)]);
    assert_eq!(report.diagnostics, []);
    assert_eq!(&*hub.splits.keys().next().unwrap().to_string(), "default/t");
}

#[test]
fn s1_an_object_of_another_kind_is_not_read() {
    let text = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"x"}}"#;
    assert!(serde_json::from_str::<crate::api::split::v1alpha4::TrafficSplit>(text).is_err());
}

#[test]
fn s2_what_is_narrowed_is_inert_in_every_mesh() {
    let udp =
        TARGET.replace("v1alpha2", "v1alpha4").replace(",\"port\":8080", "").replace("TCPRoute", "UDPRoute");
    let binding = udp
        .replace("UDPRoute", "TCPRoute")
        .replace(r#"{"kind":"ServiceAccount","name":"d"}"#, r#"{"kind":"IdentityBinding","name":"d"}"#);
    for (text, to) in [(TARGET, "v1alpha3"), (&udp, "v1alpha2"), (&binding, "v1alpha3")] {
        let there = convert(&object(text), to, &ConvertOptions::default()).unwrap().object;
        let spec = &value(&there)["spec"];
        // Empty rules open everything to the sources in Traefik Mesh, empty sources to everybody in Open Service Mesh; the official CRD
        // wants a destination with kind and name. So the destination is an account that nobody can have.
        assert_eq!(spec["rules"], serde_json::json!([]), "{text}");
        assert_eq!(spec["sources"], serde_json::json!([]), "{text}");
        assert_eq!(
            spec["destination"],
            serde_json::json!({"kind": "ServiceAccount", "name": "nobody~"}),
            "{text}"
        );
        let back = convert(&there, object(text).info().version, &ConvertOptions::default()).unwrap();
        assert_eq!(back.object, object(text));
    }
}

#[test]
fn s2_a_match_that_cannot_be_said_takes_nothing() {
    // The name stands twice and so is unresolved (S26); without one of them it would be resolved.
    let twice = HEADERS.replace(r#""name":"n""#, r#""name":"m""#);
    let there = convert(&object(&twice), "v1alpha1", &ConvertOptions::default()).unwrap().object;
    assert_eq!(value(&there)["matches"].as_array().unwrap().len(), 2);
    let nothing = crate::ir::Pattern::path("$.").unwrap();
    for path in ["/", "/a", ""] {
        assert!(!nothing.is_match(path.as_bytes()));
    }
}

#[test]
fn s2_ports_of_sources_are_not_lost_in_silence() {
    let text =
        TARGET.replace(",\"port\":8080", "").replace(r#""namespace":"b"}"#, r#""namespace":"b","port":80}"#);
    let plain = ConvertOptions { annotate: false, ..Default::default() };
    let there = convert(&object(&text), "v1alpha3", &plain).unwrap();
    assert_eq!(there.report.iter().map(|d| d.code).collect::<Vec<_>>(), [codes::RESPELLS]);
}

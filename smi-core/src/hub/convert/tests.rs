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
        assert!(narrowed.report.iter().any(|d| d.code == codes::WIDENS));
        if let AnyObject::TrafficTargetV1alpha3(t) = &narrowed.object {
            assert_eq!(t.spec.as_ref().unwrap().rules, []);
        } else if let AnyObject::TrafficSplitV1alpha2(s) = &narrowed.object {
            assert_eq!(&*s.spec.as_ref().unwrap().backends[0].service, "root");
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

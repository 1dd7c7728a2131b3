//! SMI objects: fields, versions, and what one of them does to the others (nothing).

use super::{findings, read};
use crate::diag::{FieldPath, Severity};
use crate::load::{Input, Limits, load};

/// A split whose backends are this text.
fn split(backends: &str) -> String {
    format!(
        "apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {{name: web}}\nspec:\n  service: web\n  backends: {backends}\n"
    )
}

#[test]
fn weights_are_whole_numbers() {
    let table = [
        (
            "'5'",
            "SMI0007 6:35 \"'5'\" expected a whole number, found the string `5` (write `5` without quotes)",
        ),
        ("0.5", "SMI0007 6:35 \"0.5\" expected a whole number, found the number `0.5`"),
        ("1.0", "SMI0007 6:35 \"1.0\" expected a whole number, found the number `1.0` (write `1`)"),
        ("5%", "SMI0007 6:35 \"5%\" expected a whole number, found the string `5%`"),
        ("~", "SMI0007 6:15 \"service\" `weight` is missing"),
        (
            "99999999999999999999",
            "SMI0007 6:35 \"99999999999999999999\" expected a whole number, found the number `99999999999999999999`",
        ),
        (
            "18446744073709551615",
            "SMI0007 6:35 \"18446744073709551615\" expected a whole number, found the number `18446744073709551615`",
        ),
    ];
    for (weight, wanted) in table {
        let world = read(&split(&format!("[{{service: a, weight: {weight}}}]")));
        assert_eq!(findings(&world), [wanted]);
        assert!(world.hub.splits.is_empty() && world.objects.is_empty());
        assert_eq!(
            world.report.diagnostics[0].object.as_ref().unwrap().to_string(),
            "TrafficSplit default/web"
        );
    }
    for (weight, wanted) in [("5", 5), ("014", 12), ("1e3", 1000), ("1_0", 10), ("0x10", 16)] {
        let world = read(&split(&format!("[{{service: a, weight: {weight}}}]")));
        assert_eq!(findings(&world), Vec::<String>::new());
        let split = world.hub.splits.values().next().unwrap();
        assert_eq!(format!("{:?}", split.backends[0].weight), format!("{wanted:?}"), "{weight}");
    }
}

#[test]
fn s5_unknown_fields_are_warnings_with_a_suggestion() {
    let text = split("[{service: a, wieght: 1, weight: 1}]")
        .replace("service: web\n", "service: web\n  match: []\n");
    let world = read(&format!("{text}status: {{}}\n"));
    assert_eq!(
        findings(&world),
        [
            "SMI0008 7:27 \"wieght\" TrafficSplit has no field `wieght` here, so it has no effect (did you mean `weight`?)",
            "SMI0008 6:3 \"match\" TrafficSplit has no field `match` here, so it has no effect (did you mean `matches`?)",
            "SMI0008 8:1 \"status\" TrafficSplit has no field `status` here, so it has no effect",
        ]
    );
    assert!(world.report.iter().all(|d| d.severity == Severity::Warning));
    assert_eq!(world.report.diagnostics[0].path.to_string(), "spec.backends[0].wieght");
    assert_eq!(world.hub.splits.len(), 1);
}

#[test]
fn s5_matches_beside_spec_have_their_own_code() {
    for version in ["v1alpha3", "v1alpha4"] {
        let world = read(&format!(
            "apiVersion: specs.smi-spec.io/{version}\nkind: HTTPRouteGroup\nmetadata: {{name: a}}\nmatches: [{{name: m}}]\n"
        ));
        assert_eq!(
            findings(&world),
            [
                "SMI0131 4:1 \"matches\" `matches` stands beside `spec`, so it has no effect (move it below `spec`)"
            ]
        );
    }
    let world = read(
        "apiVersion: specs.smi-spec.io/v1alpha2\nkind: HTTPRouteGroup\nmetadata: {name: a}\nmatches: [{name: m}]\n",
    );
    assert_eq!(findings(&world), Vec::<String>::new());
}

#[test]
fn unknown_versions_are_errors() {
    let world = read(&split("[]").replace("v1alpha4", "v1alpha5"));
    assert_eq!(
        findings(&world),
        ["SMI0006 1:13 \"split.smi-spec.io/v1alpha5\" TrafficSplit has no version `v1alpha5` \
             (its versions are `v1alpha1`, `v1alpha2`, `v1alpha3`, `v1alpha4`)"]
    );
    assert!(world.report.has_errors());
}

#[test]
fn text_that_looks_like_something_else_is_not_text() {
    let table = [
        (
            "name: yes",
            "SMI0007 3:18 \"yes\" expected a string, found the boolean `yes` (quote it: `\"yes\"`)",
        ),
        (
            "name: a, labels: {v: 1.0}",
            "SMI0007 3:33 \"1.0\" expected a string, found the number `1.0` (quote it: `\"1.0\"`)",
        ),
        (
            "name: a, annotations: {on: off}",
            "SMI0007 3:39 \"off\" expected a string, found the boolean `off` (quote it: `\"off\"`)",
        ),
    ];
    for (meta, wanted) in table {
        let world = read(&split("[]").replace("name: web", meta));
        assert_eq!(findings(&world), [wanted.to_owned()], "{meta}");
    }
    // `y` as a key is the boolean, and a boolean key is its text.
    let world = read(&split("[]").replace("name: web", "name: web, labels: {y: a}"));
    let split = world.hub.splits.values().next().unwrap();
    assert_eq!(split.meta.labels.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["true"]);
}

#[test]
fn a_broken_object_leaves_the_others_as_they_were() {
    let good = split("[{service: a, weight: 1}]");
    let alone = read(&good);
    for broken in [
        split("[{service: a, weight: x}]").replace("name: web", "name: other"),
        split("[]").replace("v1alpha4", "v9").replace("name: web", "name: other"),
        "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {name: web}\nspec: {rules: 7}\n".to_owned(),
        "apiVersion: split.smi-spec.io/v1alpha4\nkind: [TrafficSplit]\n".to_owned(),
    ] {
        for text in [format!("{broken}---\n{good}"), format!("{good}---\n{broken}")] {
            let world = read(&text);
            assert_eq!(world.hub, alone.hub, "{text}");
            assert_eq!(world.objects, alone.objects, "{text}");
            assert!(world.report.has_errors(), "{text}");
        }
    }
}

#[test]
fn lists_of_smi_kinds_are_read() {
    let item = "{metadata: {name: a}, spec: {service: a, backends: [{service: b, weight: 1}]}}";
    let text = format!("apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplitList\nitems: [{item}]\n");
    let world = read(&text);
    assert_eq!((findings(&world), world.hub.splits.len()), (vec![], 1));
}

#[test]
fn fields_without_a_value_are_told() {
    let world = read(
        "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: a, creationTimestamp: ~}\nspec:\n  matches:\n  - name: m\n    pathRegex:\nstatus: ~\n",
    );
    assert_eq!(
        findings(&world),
        [
            "SMI0011 7:5 \"pathRegex\" `pathRegex` has no value, as if it were not there (write a value, or remove the field)"
        ]
    );
    assert_eq!(world.report.diagnostics[0].path.to_string(), "spec.matches[0].pathRegex");
    assert_eq!(world.hub.route_groups.len(), 1);
}

/// What is said of an object is said where it stands, also when another of its name was refused before it.
#[test]
fn a_refused_object_does_not_take_the_place_of_a_sound_one() {
    let target = |name: &str| {
        format!(
            "apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {{name: t, namespace: shop}}
spec: {{rules: [{{kind: TCPRoute, name: {name}}}]}}
"
        )
    };
    let [broken, sound] = [Input::new("broken.yaml", target("5")), Input::new("sound.yaml", target("nope"))];
    for inputs in [[broken.clone(), sound.clone()], [sound, broken]] {
        let world = load(&inputs, &Limits::default());
        let object = world.objects.first().unwrap().object_ref();
        let path = FieldPath::root().fields(&["spec", "rules"]);
        let place = world.sources.locate(&object, &path).unwrap();
        assert_eq!(world.sources.name(place.source), "sound.yaml");
        let refused = world.report.iter().find(|d| d.severity == Severity::Error).unwrap();
        assert_eq!(world.sources.name(refused.span.unwrap().source), "broken.yaml");
    }
}

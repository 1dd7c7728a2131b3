//! What is mended, what is left, and that nothing opens.

use proptest::prelude::*;
use smi_core::compile::{CompileOptions, compile};
use smi_core::eval::{Distribution, Outcome, eval};
use smi_core::testing;

use super::*;

fn fixed(text: &str) -> (String, usize, Vec<&'static str>) {
    let fixed = fix(vec![Input::new("a.yaml", text)], &CompileOptions::default());
    let text = String::from_utf8(fixed.inputs[0].bytes.clone()).unwrap();
    (text, fixed.mended, fixed.report.iter().map(|d| d.code.id).collect())
}

const WORLD: &str = "\
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart-v2, namespace: shop}
spec: {selector: {app: cart-v2}, ports: [{name: http, port: 80}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: api, namespace: shop}
spec:
  matches:
  - name: metrics
    pathRegex: /metrics   # Prometheus
    methods: [GET]
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: tcp, namespace: shop}
spec: {}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: t, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: cart, namespace: shop}
  sources:
  - kind: ServiceAccount
    name: web
  - {name: prometheus, kind: ServiceAccount}
  rules:
  - {kind: HTTPRouteGroup, name: api}
  - kind: TCPRoute
    name: tcp
    matches: [x]
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: s, namespace: shop}
spec:
  service: cart
  backends:
  - {service: cart-v2, weight: 1}
  - service: cart-v2
    weight: 2
  - {service: cart, weight: 90}
  - {service: cart-v2, weight: 4}
";

const MENDED: [(&str, &str); 6] = [
    ("pathRegex: /metrics ", "pathRegex: /metrics(/.*)?$ "),
    ("    name: web\n", "    name: web\n    namespace: shop\n"),
    ("kind: ServiceAccount}", "kind: ServiceAccount, namespace: shop}"),
    ("    matches: [x]\n", ""),
    ("weight: 1}\n  - service: cart-v2\n    weight: 2\n", "weight: 7}\n"),
    ("\n  - {service: cart-v2, weight: 4}", ""),
];

fn mended() -> String {
    MENDED.iter().fold(WORLD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn every_safe_fix_is_made_and_nothing_else_changes() {
    let (text, count, codes) = fixed(WORLD);
    assert_eq!(text, mended());
    assert_eq!(count, 6);
    for code in ["SMI0251", "SMI0451", "SMI0457", "SMI0353"] {
        assert!(!codes.contains(&code), "{codes:?}");
    }
    assert_eq!(fixed(&text), (text, 0, codes));
}

#[test]
fn line_ends_and_byte_order_mark_stay() {
    let crlf = format!("\u{feff}{}", WORLD.replace('\n', "\r\n"));
    assert_eq!(fixed(&crlf).0, format!("\u{feff}{}", mended().replace('\n', "\r\n")));
}

#[test]
fn json_stays_json() {
    let text = r#"{"apiVersion": "access.smi-spec.io/v1alpha3", "kind": "TrafficTarget",
 "metadata": {"name": "t", "namespace": "shop"}, "spec": {"destination": {"kind": "ServiceAccount", "name": "cart"},
 "sources": [{"kind": "ServiceAccount", "name": "web"}], "rules": [{"kind": "TCPRoute", "name": "tcp", "matches": ["x"]}]}}"#;
    let (got, count, _) = fixed(text);
    let wanted =
        text.replace("\"web\"", "\"web\", \"namespace\": \"shop\"").replace(", \"matches\": [\"x\"]", "");
    assert_eq!((got.as_str(), count), (wanted.as_str(), 2));
    serde_json::from_str::<Value>(&got).unwrap();
}

/// A narrower condition of a split sends requests to other pods, which may allow more.
#[test]
fn a_condition_of_a_split_is_left_alone() {
    let text = WORLD
        .replace("  service: cart\n", "  service: cart\n  matches: [{kind: HTTPRouteGroup, name: api}]\n");
    let (got, _, codes) = fixed(&text);
    assert!(got.contains("pathRegex: /metrics ") && codes.contains(&"SMI0251"));
}

/// What nothing here uses may be a condition of a split elsewhere, and so may a group of the same name where namespaces are not written.
#[test]
fn a_group_that_may_be_a_condition_elsewhere_is_left_alone() {
    let lone = "\
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: api, namespace: shop}
spec: {matches: [{name: a, pathRegex: /api}]}
";
    let (got, count, codes) = fixed(lone);
    assert_eq!((got.as_str(), count), (lone, 0));
    assert!(codes.contains(&"SMI0251"));
    let split = "  service: cart\n  matches: [{kind: HTTPRouteGroup, name: api}]\n";
    let unknown = WORLD
        .replace("metadata: {name: s, namespace: shop}", "metadata: {name: s}")
        .replace("  service: cart\n", split);
    let (got, _, codes) = fixed(&unknown);
    assert!(got.contains("pathRegex: /metrics ") && codes.contains(&"SMI0251"));
}

/// Who applies such an object decides in which namespace it is: `kubectl apply -n shop` gives the source that namespace too.
#[test]
fn an_unwritten_namespace_is_not_written_into_sources() {
    let text = WORLD.replace("metadata: {name: t, namespace: shop}", "metadata: {name: t}");
    let (got, _, codes) = fixed(&text);
    assert!(!got.contains("default"), "{got}");
    assert!(codes.contains(&"SMI0451"));
}

/// Whether each of the alternatives was meant to be open is for their author to say.
#[test]
fn alternatives_are_left_to_their_author() {
    let text = WORLD.replace("pathRegex: /metrics ", "pathRegex: /metrics|/health$ ");
    let (got, _, codes) = fixed(&text);
    assert!(got.contains("pathRegex: /metrics|/health$ ") && codes.contains(&"SMI0251"));
}

#[test]
fn changes_that_would_widen_are_left_to_their_author() {
    let text = WORLD.replace("[GET]", "[get]");
    let (got, _, codes) = fixed(&text);
    assert!(got.contains("[get]") && codes.contains(&"SMI0255"));
}

/// The anchor's text is used in two places, and only one of them is meant.
#[test]
fn a_change_behind_an_anchor_is_refused() {
    let text = WORLD
        .replace("  - {name: prometheus, kind: ServiceAccount}\n", "")
        .replace("  - kind: ServiceAccount\n    name: web\n", "  - &web\n    kind: ServiceAccount\n    name: web\n")
        .replace(
            "destination: {kind: ServiceAccount, name: cart, namespace: shop}\n  sources:\n  - &web\n    kind: ServiceAccount\n    name: web\n",
            "sources:\n  - &web\n    kind: ServiceAccount\n    name: web\n  destination: *web\n",
        );
    assert!(text.contains("destination: *web"));
    let (got, _, codes) = fixed(&text);
    assert!(got.contains("  - &web\n    kind: ServiceAccount\n    name: web\n  destination: *web"), "{got}");
    assert!(codes.contains(&"SMI0451"));
    // The others are made all the same.
    assert!(got.contains("/metrics(/.*)?$") && got.contains("weight: 7"), "{got}");
}

#[test]
fn a_text_that_is_not_utf_8_keeps_its_bytes() {
    let mut bytes = WORLD.as_bytes().to_vec();
    bytes.extend_from_slice(b"---\n# \xff\n");
    let fixed = fix(vec![Input::new("a.yaml", bytes.clone())], &CompileOptions::default());
    assert_eq!((fixed.inputs[0].bytes == bytes, fixed.mended), (true, 0));
}

#[test]
fn several_texts_are_mended_at_once() {
    let documents: Vec<Input> =
        WORLD.split("---\n").enumerate().map(|(i, d)| Input::new(format!("{i}.yaml"), d)).collect();
    let fixed = fix(documents.clone(), &CompileOptions::default());
    let text: Vec<String> =
        fixed.inputs.iter().map(|i| String::from_utf8(i.bytes.clone()).unwrap()).collect();
    assert_eq!((text.join("---\n"), fixed.mended), (mended(), 6));
    let diff = diff(&documents, &fixed.inputs);
    assert!(diff.starts_with("--- a/2.yaml\n+++ b/2.yaml\n@@"), "{diff}");
    assert!(diff.contains(
        "\n-    pathRegex: /metrics   # Prometheus\n+    pathRegex: /metrics(/.*)?$   # Prometheus\n"
    ));
    assert_eq!(diff.matches("--- a/").count(), 3);
}

/// Makes a random world worth mending: sources lose their namespace where it is their own, paths their ends, a backend stands twice.
fn spoilt(world: &str, namespaces: bool, twice: bool) -> String {
    let mut out = String::new();
    let mut own = "";
    for line in world.lines() {
        if let Some(rest) = line.strip_prefix("metadata: ") {
            own = if rest.contains("namespace: a-b") { "a-b" } else { "a" };
        }
        if namespaces && line.trim_start().starts_with("sources:") {
            out.push_str(&line.replace(&format!(", namespace: {own}}}"), "}"));
        } else {
            out.push_str(line);
        }
        out.push('\n');
        if twice && line.contains("{service: v1") {
            out.push_str("  - {service: v1, weight: 3}\n");
        }
    }
    out
}

fn share(distribution: &Distribution, outcome: &Outcome) -> f64 {
    distribution.iter().find(|(o, _)| *o == outcome).map_or(0.0, |(_, share)| share.as_f64())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_widens_and_a_second_run_changes_nothing(
        world in testing::world(),
        requests in proptest::collection::vec(testing::request(), 20..60),
        namespaces in any::<bool>(),
        twice in any::<bool>(),
    ) {
        let options = CompileOptions::default();
        let text = spoilt(&world, namespaces, twice);
        let before = State::of(vec![Input::new("a.yaml", text.clone())], &options);
        let fixed = fix(before.inputs.clone(), &options);
        let safe = |r: &Report| r.iter().filter(|d| d.fix.as_ref().is_some_and(|f| f.safe)).count();
        prop_assert_eq!(safe(&fixed.report), 0, "{}", text);
        prop_assert_eq!(fixed.mended > 0, safe(&before.report) > 0);
        prop_assert!(fixed.report.count(Severity::Error) <= before.report.count(Severity::Error));
        let again = fix(fixed.inputs.clone(), &options);
        prop_assert_eq!((&again.inputs, again.mended), (&fixed.inputs, 0));
        let ir = |world: &World| compile(&world.hub, &world.cluster, &options).ir;
        let (old, new) = (ir(&before.world), ir(&fixed.world));
        for request in &requests {
            let (was, is) = (eval(&old, request).distribution(), eval(&new, request).distribution());
            for (outcome, _) in is.iter().filter(|(o, _)| matches!(o, Outcome::Served { .. })) {
                prop_assert!(
                    share(&is, outcome) <= share(&was, outcome) + 1e-9,
                    "{:?}: {} became {}\n{}", request, was, is, text,
                );
            }
        }
    }
}

/// What `kubectl get -o yaml` and `-o json` print.
#[test]
fn items_of_lists_are_mended() {
    let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: access.smi-spec.io/v1alpha3
  kind: TrafficTarget
  metadata: {name: t, namespace: shop}
  spec:
    destination: {kind: ServiceAccount, name: cart, namespace: shop}
    sources:
    - kind: ServiceAccount
      name: web
    rules: [{kind: HTTPRouteGroup, name: g}, {kind: TCPRoute, name: tcp, matches: [x,
       z]}]
- apiVersion: specs.smi-spec.io/v1alpha2
  kind: HTTPRouteGroup
  metadata: {name: g, namespace: shop}
  matches:
  - name: in-quotes
    pathRegex: '/x'
  - name: over-several-lines
    pathRegex: >-
      /metrics
";
    let wanted = text
        .replace("      name: web\n", "      name: web\n      namespace: shop\n")
        .replace(", matches: [x,\n       z]", "")
        .replace("'/x'", "'/x(/.*)?$'");
    let (got, count, codes) = fixed(text);
    assert_eq!((got.as_str(), count), (wanted.as_str(), 3));
    // Text over several lines is left to its author.
    assert_eq!(codes.iter().filter(|c| **c == "SMI0251").count(), 1);
    let json = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [{
        "apiVersion": "access.smi-spec.io/v1alpha1", "kind": "TrafficTarget", "metadata": {"name": "t", "namespace": "shop"},
        "destination": {"kind": "ServiceAccount", "name": "cart", "namespace": "shop"},
        "sources": [{"kind": "ServiceAccount", "name": "web"}],
    }]});
    let json = serde_json::to_string_pretty(&json).unwrap();
    let indent = json.lines().find(|l| l.contains("\"web\"")).unwrap().split('"').next().unwrap();
    let wanted = json.replace("\"web\"", &format!("\"web\",\n{indent}\"namespace\": \"shop\""));
    assert_eq!(fixed(&json).0, wanted);
}

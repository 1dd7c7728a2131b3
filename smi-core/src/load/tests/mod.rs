//! What is read, refused and pointed at.

mod readers;
mod smi;

use super::*;
use crate::diag::{FieldPath, ObjectRef};
use crate::hub::names::Namespaced;

fn read(text: &str) -> World {
    load(&[Input::new("a.yaml", text)], &Limits::default())
}

/// `CODE line:column "text" message (help)` of every finding.
fn findings(world: &World) -> Vec<String> {
    let show = |d: &Diagnostic| {
        let place = d.span.or_else(|| world.sources.caret(d.object.as_ref()?, &d.path));
        let place = place.map_or_else(String::new, |span| {
            let at = world.sources.line_column(span);
            format!(" {}:{} {:?}", at.line, at.column, world.sources.slice(span))
        });
        let help = d.help.as_ref().map_or_else(String::new, |h| format!(" ({h})"));
        format!("{}{place} {}{help}", d.code, d.message)
    };
    world.report.iter().map(show).collect()
}

fn service(name: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec:\n  ports: [{{port: 80}}]\n")
}

fn service_names(world: &World) -> Vec<String> {
    world.cluster.services.keys().map(ToString::to_string).collect()
}

#[test]
fn reads_a_service() {
    let world = read(&service("web"));
    assert_eq!(findings(&world), Vec::<String>::new());
    assert_eq!(service_names(&world), ["default/web"]);
}

#[test]
fn a_broken_document_spoils_no_other() {
    let text = format!("{}---\na: b: c\n---\n{}", service("a"), service("b"));
    let world = read(&text);
    assert_eq!(service_names(&world), ["default/a", "default/b"]);
    assert_eq!(findings(&world), [r#"SMI0001 7:5 ":" mapping values are not allowed in this context"#]);
}

#[test]
fn fields_are_found_again() {
    let text = format!("# é\n---\n{}", service("web"));
    let world = read(&text);
    let object = ObjectRef::new("", "v1", "Service", &Namespaced::new("default", "web"));
    let at = |path: FieldPath| {
        let span = world.sources.locate(&object, &path).unwrap();
        let LineColumn { line, column } = world.sources.line_column(span);
        (line, column, world.sources.slice(span))
    };
    let ports = FieldPath::root().fields(&["spec", "ports"]);
    assert_eq!(at(ports.clone().index(0).field("port")), (7, 18, "80"));
    assert_eq!(at(ports.clone().index(7).field("port")), (7, 10, "[{port: 80}]"));
    let key = world.sources.locate_key(&object, &ports).unwrap();
    assert_eq!(world.sources.slice(key), "ports");
    let root = world.sources.caret(&object, &FieldPath::root()).unwrap();
    assert_eq!(world.sources.slice(root), "web");
}

/// A service whose `spec` is this text.
fn spec(spec: &str) -> World {
    read(&format!("apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {spec}\n"))
}

#[test]
fn places_are_right_after_a_byte_order_mark_and_with_crlf() {
    let text = format!(
        "\u{feff}{}",
        service("web").replace("name: web", "name: web, labels: {é: 'ü'}").replace('\n', "\r\n")
    );
    let world = read(&text);
    let object = ObjectRef::new("", "v1", "Service", &Namespaced::new("default", "web"));
    let at = |path: FieldPath| {
        let span = world.sources.locate(&object, &path).unwrap();
        let LineColumn { line, column } = world.sources.line_column(span);
        (line, column, world.sources.slice(span))
    };
    let root = FieldPath::root();
    assert_eq!(at(root.clone().field("apiVersion")), (1, 13, "v1"));
    assert_eq!(at(root.clone().field("kind")), (2, 7, "Service"));
    assert_eq!(at(root.clone().fields(&["metadata", "labels", "é"])), (3, 35, "'ü'"));
    let start =
        world.sources.locate(&object, &root.clone().fields(&["metadata", "labels", "é"])).unwrap().start;
    assert_eq!(text.find("'ü'"), Some(start as usize));
    assert_eq!(at(root.fields(&["spec", "ports"]).index(0).field("port")), (5, 18, "80"));
}

#[test]
fn old_shapes_and_converted_objects_are_found() {
    let text = "apiVersion: access.smi-spec.io/v1alpha1\nkind: TrafficTarget\nmetadata: {name: a}\ndestination: {kind: ServiceAccount, name: b}\n";
    let world = read(text);
    let object =
        ObjectRef::new("access.smi-spec.io", "v1alpha4", "TrafficTarget", &Namespaced::new("default", "a"));
    let path = FieldPath::root().fields(&["spec", "destination", "name"]);
    let place = world.sources.locate(&object, &path).unwrap();
    assert_eq!(world.sources.slice(place), "b");
}

#[test]
fn types_are_those_of_the_api_server() {
    let table = [
        (
            "{ports: [{port: '80'}]}",
            "SMI0501 4:23 \"'80'\" expected a whole number, found the string `80` (write `80` without quotes)",
        ),
        (
            "{ports: [{port: 80.0}]}",
            "SMI0501 4:23 \"80.0\" expected a whole number, found the number `80.0` (write `80`)",
        ),
        ("{ports: [{port: 80.5}]}", "SMI0501 4:23 \"80.5\" expected a whole number, found the number `80.5`"),
        ("{ports: [{port: yes}]}", "SMI0501 4:23 \"yes\" expected a whole number, found the boolean `yes`"),
        ("{ports: [{port: {}}]}", "SMI0501 4:17 \"port\" expected a whole number, found a map"),
        (
            "{ports: [{port: 80, name: on}]}",
            "SMI0501 4:33 \"on\" expected a string, found the boolean `on` (quote it: `\"on\"`)",
        ),
        (
            "{ports: [{port: 80, name: 1e3}]}",
            "SMI0501 4:33 \"1e3\" expected a string, found the number `1e3` (quote it: `\"1e3\"`)",
        ),
        ("{ports: {port: 80}}", "SMI0501 4:8 \"ports\" expected a list, found a map"),
        ("[80]", "SMI0501 4:1 \"spec\" expected a map, found a list"),
        ("{ports: [{name: http}]}", "SMI0501 4:17 \"name\" `port` is missing"),
        (
            "{ports: [{port: 80, targetPort: 1.5}]}",
            "SMI0501 4:39 \"1.5\" expected a port number or a port name, found the number `1.5`",
        ),
        (
            "{ports: [{port: 80, targetPort: [é]}]}",
            "SMI0501 4:27 \"targetPort\" expected a port number or a port name, found a list",
        ),
    ];
    for (text, wanted) in table {
        let world = spec(text);
        assert_eq!(findings(&world), [wanted], "{text}");
        assert_eq!(world.cluster.services.len(), 0, "{text}");
    }
    for text in [
        "{ports: [{port: 0x50}]}",
        "{ports: [{port: 0120}]}",
        "{ports: [{port: 8e1}]}",
        "{ports: [{port: 8_0}]}",
    ] {
        let world = spec(text);
        let port = world.cluster.services.values().next().map(|s| s.ports[0].port.get());
        assert_eq!(port, Some(80), "{text}");
    }
}

#[test]
fn null_is_absent_or_empty() {
    let world =
        spec("{ports: [{port: 80, name: ~, targetPort: null, protocol: }], selector: ~, clusterIPs: }");
    assert_eq!(findings(&world), Vec::<String>::new());
    let world = spec("{ports: [{port: ~}]}");
    assert_eq!(findings(&world), ["SMI0501 4:17 \"port\" `port` is missing"]);
    let world = spec("{ports: [{port: 80}], selector: {app: ~}}");
    assert_eq!(findings(&world), ["SMI0501 4:45 \"~\" expected a string, found null"]);
}

#[test]
fn repeated_keys_leave_the_object_out() {
    // SPEC: kubectl's last-one-wins is not followed, see `de`.
    let world = spec("{ports: [{port: 80, port: 81}]}");
    assert_eq!(findings(&world), ["SMI0004 4:27 \"port\" the key `port` stands twice"]);
    assert_eq!(world.report.diagnostics[0].path.to_string(), "spec.ports[0].port");
    let first = world.report.diagnostics[0].related[0].span.unwrap();
    assert_eq!(world.sources.line_column(first), LineColumn { line: 4, column: 17 });
    assert_eq!(service_names(&world), Vec::<String>::new());

    let world = read(&format!("{}{}", service("a"), service("b")));
    assert_eq!(
        findings(&world),
        [
            "SMI0004 6:1 \"apiVersion\" the key `apiVersion` stands twice (is a line `---` missing between two objects?)"
        ]
    );
    // Keys are compared as the texts that they become.
    let world = spec("{ports: [{port: 80}], selector: {1: a, '1': b}}");
    assert_eq!(findings(&world), ["SMI0004 4:46 \"'1'\" the key `1` stands twice"]);
    // Somebody else's objects are none of our business.
    assert_eq!(
        findings(&read("apiVersion: v1\nkind: ConfigMap\ndata: {a: b, a: c}\n")),
        Vec::<String>::new()
    );
    // Many keys are compared by another way.
    let keys: String = (0..100).map(|i| format!("k{i}: v, ")).collect();
    let world = spec(&format!("{{ports: [{{port: 80}}], selector: {{{keys} k7: w}}}}"));
    assert_eq!(world.report.diagnostics[0].message, "the key `k7` stands twice");
}

#[test]
fn aliases_and_merges_are_expanded() {
    let text = "apiVersion: v1
kind: Service
metadata: {name: web}
x-base: &base {app: web, tier: back}
spec:
  ports: [&port {port: 80}]
  selector: {<<: *base, tier: front}
";
    let world = read(text);
    let web = world.cluster.services.values().next().unwrap();
    let selector: Vec<_> = web.selector.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(selector, ["app=web", "tier=front"]);
    let object = ObjectRef::new("", "v1", "Service", &web.name);
    let path = FieldPath::root().fields(&["spec", "selector", "app"]);
    let place = world.sources.locate(&object, &path).unwrap();
    // The text to look at is that of the anchor.
    assert_eq!(world.sources.line_column(place), LineColumn { line: 4, column: 21 });
}

#[test]
fn merge_after_the_same_key_is_refused() {
    let base = "apiVersion: v1\nkind: Service\nx-base: &base {app: web}\nspec:\n  selector: ";
    let world = read(&format!("{base}{{app: shop, <<: *base}}\n"));
    assert_eq!(
        findings(&world),
        ["SMI0004 5:25 \"<<\" `<<` repeats the key `app`, which stands before it \
          (put `<<` first, so that every reader takes the key of the map itself)"]
    );
    let world = read(&format!("{base}{{<<: [*base, {{app: other}}]}}\nmetadata: {{name: web}}\n  \n"));
    assert_eq!(findings(&world), ["SMI0501 4:1 \"spec\" `ports` is missing"]);
    let world = read(&format!("{base}{{<<: 3}}\n"));
    assert_eq!(findings(&world), ["SMI0001 5:14 \"<<\" `<<` takes a map or a list of maps"]);
}

#[test]
fn bom_crlf_tabs_and_json_are_read() {
    let crlf = service("web").replace('\n', "\r\n");
    let texts = [
        format!("\u{feff}{crlf}---\r\n{}", crlf.replace("web", "b")),
        "apiVersion:\tv1\nkind:\tService\nmetadata:\t{name: web}\nspec:\t{ports: [{port:\t80}]}\n---\n# nothing\n---\n".to_owned(),
        "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Service\",\n\t\"metadata\": {\"name\": \"\\u0077eb\"},\n\t\"spec\": {\"ports\": [{\"port\": 80}]}\n}".to_owned(),
        "%YAML 1.1\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n...\n".to_owned(),
        "--- # comment\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n---\n---\n".to_owned(),
    ];
    for text in texts {
        let world = read(&text);
        assert_eq!(findings(&world), Vec::<String>::new(), "{text:?}");
        assert_eq!(service_names(&world).last().unwrap(), "default/web", "{text:?}");
    }
}

#[test]
fn json_objects_one_after_the_other_are_read() {
    let one = |name: &str, port: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"{name}"}},"spec":{{"ports":[{{"port":{port}}}]}}}}"#
        )
    };
    let world = read(&format!("{}\n{}{}", one("a", "80"), one("b", "true"), one("c", "80")));
    assert_eq!(service_names(&world), ["default/a", "default/c"]);
    assert_eq!(findings(&world), ["SMI0501 2:86 \"true\" expected a whole number, found the boolean `true`"]);
    let object = ObjectRef::new("", "v1", "Service", &Namespaced::new("default", "c"));
    let place = world.sources.locate(&object, &FieldPath::root().fields(&["metadata", "name"])).unwrap();
    assert_eq!(world.sources.slice(place), "\"c\"");
}

#[test]
fn lists_give_their_items() {
    let text = "apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata:
    name: a
  spec:
    ports:
    - port: 80
- apiVersion: v1
  kind: Service
  metadata: &meta
    name: b
  spec:
    ports:
    - port: 65616
- apiVersion: apps/v1
  kind: Deployment
  metadata: *meta
- 7
";
    let world = read(text);
    assert_eq!(service_names(&world), ["default/a"]);
    assert_eq!(world.cluster.pods.len(), 1);
    assert_eq!(
        findings(&world),
        [
            "SMI0005 21:3 \"7\" this is not an object",
            "SMI0502 17:13 \"65616\" `65616` is not a port (ports are 1 to 65535)",
        ]
    );
    // This one has its name from an anchor outside of it.
    let object = ObjectRef::new("apps", "v1", "Deployment", &Namespaced::new("default", "b"));
    let place = world.sources.locate(&object, &FieldPath::root().fields(&["metadata", "name"])).unwrap();
    assert_eq!(world.sources.line_column(place), LineColumn { line: 14, column: 11 });

    // Items of a typed list need neither version nor kind.
    let text =
        "apiVersion: v1\nkind: ServiceList\nitems: [{metadata: {name: a}, spec: {ports: [{port: 80}]}}]\n";
    let world = read(text);
    assert_eq!((findings(&world).len(), service_names(&world)), (0, vec!["default/a".to_owned()]));
    assert_eq!(findings(&read("apiVersion: v1\nkind: List\nitems: ~\n")), Vec::<String>::new());
    // A list in a list, and a list of things that are not ours.
    let inner =
        text.replace("ServiceList", "List").replace("{metadata", "{apiVersion: v1, kind: Service, metadata");
    let inner = inner.replace('\n', "\n  ");
    let world = read(&format!("apiVersion: v1\nkind: List\nitems:\n- {inner}\n"));
    assert_eq!((findings(&world), service_names(&world)), (vec![], vec!["default/a".to_owned()]));
    assert_eq!(findings(&read("apiVersion: a/v1\nkind: AllowList\nitems: [1]\n")), Vec::<String>::new());
    assert_eq!(
        findings(&read("apiVersion: v1\nkind: List\nitems: {}\n")),
        ["SMI0005 3:8 \"{}\" `items` is not a list"]
    );
}

#[test]
fn what_is_no_object_is_said() {
    let table = [
        ("metadata: {name: a}\n", vec!["SMI0005 1:1 \"metadata\" a document without `apiVersion`"]),
        ("apiVersion: v1\n", vec!["SMI0005 1:1 \"apiVersion\" a document without `kind`"]),
        ("apiVersion: 1\nkind: A\n", vec!["SMI0005 1:13 \"1\" `apiVersion` is not a string"]),
        ("just text\n", vec!["SMI0005 1:1 \"just text\" this is not an object"]),
        ("- a\n", vec!["SMI0005 1:3 \"a\" this is not an object"]),
        ("apiVersion: v1\nkind: Secret\n", vec![]),
        ("", vec![]),
        ("# a\n---\n~\n--- \n", vec![]),
        ("? [a]\n: b\n", vec!["SMI0001 1:3 \"[a]\" a list is not a key"]),
        ("~: b\n", vec!["SMI0001 1:1 \"~\" null is not a key"]),
        ("a: *b\n", vec!["SMI0001 1:4 \"*\" while parsing node, found unknown anchor"]),
        ("a: &b [*b]\n", vec!["SMI0001 1:8 \"*b\" the alias stands inside its own anchor"]),
        ("a: !!int x\n", vec!["SMI0001 1:10 \"x\" `x` does not fit the tag `!!int`"]),
        ("a: 'b\n", vec!["SMI0001 1:4 \"'\" unclosed quote"]),
    ];
    for (text, wanted) in table {
        assert_eq!(findings(&read(text)), wanted, "{text:?}");
    }
}

#[test]
fn templates_and_kustomizations_are_recognised() {
    let help = "(render it first, for example with `helm template`)";
    for (text, place) in [
        ("kind: Service\nmetadata:\n  name: {{ .Values.name }}\n", "3:9 \"{{ .Values.name }}\""),
        ("{{ if .Values.on }}\nkind: Service\n{{ end }}\n", "1:1 \"{{ if .Values.on }}\""),
        ("kind: Service\nspec:\n  {{- range . }}\n  a: 1\n", "3:3 \"{{- range . }}\""),
    ] {
        let found = findings(&read(text));
        assert_eq!(found.len(), 1, "{text}");
        assert!(found[0].starts_with("SMI0009"), "{found:?}");
        assert!(found[0].ends_with(help), "{found:?}");
        assert!(found[0].contains(place), "{found:?}");
    }
    // Braces in text are no template.
    let text = "kind: ConfigMap\napiVersion: v1\ndata:\n  a: |\n    {{ x }}\n---\na: b: c\n";
    assert!(findings(&read(text))[0].starts_with("SMI0001"));
    let inputs = [Input::new("base/kustomization.yaml", "resources: [a.yaml]\n")];
    let world = load(&inputs, &Limits::default());
    assert_eq!(world.report.diagnostics[0].code, codes::KUSTOMIZATION);
    let world = read("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n");
    assert_eq!(world.report.diagnostics[0].code, codes::KUSTOMIZATION);
}

#[test]
fn bytes_that_are_not_text_spoil_their_document() {
    let mut bytes = format!("{}---\n# \n{}---\n", service("a"), service("b")).into_bytes();
    let at = bytes.windows(2).position(|w| w == b"# ").unwrap();
    bytes[at + 1] = 0xff;
    bytes.extend(service("c").bytes());
    let world = load(&[Input::new("-", bytes)], &Limits::default());
    assert_eq!(service_names(&world), ["default/a", "default/c"]);
    assert_eq!(findings(&world), ["SMI0002 7:2 \"\u{fffd}\" the document has bytes that are not UTF-8"]);
    let utf16: Vec<u8> = service("a").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let world = load(&[Input::new("-", utf16)], &Limits::default());
    assert!(world.report.has_errors());
}

fn refused_as_too_large(text: &str) {
    let world = read(&format!("{text}\n---\n{}", service("web")));
    assert_eq!(world.report.diagnostics[0].code, codes::TOO_LARGE, "{:?}", findings(&world));
    assert_eq!(service_names(&world), ["default/web"]);
}

#[test]
fn attacks_are_refused_and_others_still_load() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..20 {
        let list = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs += &format!("a{i}: &a{i} [{list}]\n");
    }
    refused_as_too_large(&laughs);
    let aliases = format!("a: &a {}\nb:\n{}", "x".repeat(20_000), "- *a\n".repeat(20_000));
    refused_as_too_large(&aliases);
    let merges = format!("a: &a {{x: {}}}\nb:\n{}", "y".repeat(20_000), "- {<<: *a}\n".repeat(20_000));
    refused_as_too_large(&merges);
    refused_as_too_large(&"[".repeat(20_000));
    refused_as_too_large(&"{a: ".repeat(20_000));
    let mut deep = "a0: &a0 [x]\n".to_owned();
    for i in 1..1000 {
        deep += &format!("a{i}: &a{i} [*a{}]\n", i - 1);
    }
    refused_as_too_large(&deep);
    let mut indented = String::new();
    for i in 0..1000 {
        indented += &format!("{}a:\n", " ".repeat(i));
    }
    refused_as_too_large(&indented);
}

#[test]
fn limits_can_be_set() {
    let inputs = [Input::new("a", service("a")), Input::new("b", "#".repeat(300))];
    let world = load(&inputs, &Limits { bytes: 200, ..Limits::default() });
    assert_eq!(service_names(&world), ["default/a"]);
    assert_eq!(findings(&world), ["SMI0003 `b` has 300 bytes, more than 200"]);
    let world = load(&inputs, &Limits { nodes: 5, ..Limits::default() });
    assert_eq!(world.report.diagnostics[0].message, "the document has more than 5 values");
}

#[test]
fn order_of_documents_and_inputs_does_not_matter() {
    let a = service("a");
    let b = service("b").replace("80", "99999");
    let c = "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n";
    let one = load(&[Input::new("f", format!("{a}---\n{b}---\n{c}"))], &Limits::default());
    let other = load(&[Input::new("g", c), Input::new("h", format!("{b}---\n{a}"))], &Limits::default());
    assert_eq!(one.cluster, other.cluster);
    let messages = |world: &World| world.report.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(messages(&one), messages(&other));
}

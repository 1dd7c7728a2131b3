//! Laws of reading: any bytes give a world and no panic; a broken object leaves the others as they were; order does not matter; places
//! that are reported exist.

use proptest::prelude::*;
use smi_core::diag::FieldPath;
use smi_core::load::{Input, Limits, World, load};

fn read(bytes: &[u8]) -> World {
    load(&[Input::new("a.yaml", bytes)], &Limits::default())
}

fn service(name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  labels: {{a: 'b'}}\nspec:\n  ports:\n  - port: {port}\n    targetPort: \"web\"\n"
    )
}

/// Every place that a report names lies in its text, at character boundaries, and can be shown.
fn places_exist(world: &World) {
    for diagnostic in world.report.iter() {
        let own = diagnostic.span;
        let found = diagnostic.object.as_ref().and_then(|o| world.sources.caret(o, &diagnostic.path));
        let related = diagnostic.related.iter().filter_map(|r| r.span);
        for span in own.into_iter().chain(found).chain(related) {
            assert!(span.start <= span.end, "{diagnostic:?}");
            let text = world.sources.text(span.source);
            assert!(text.get(span.start as usize..span.end as usize).is_some(), "{diagnostic:?}");
            let at = world.sources.line_column(span);
            assert!(at.line >= 1 && at.column >= 1);
        }
    }
}

/// Pieces that meet in manifests, well and badly put together.
fn fragments() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "apiVersion: v1\n",
        "kind: Service\n",
        "kind: List\n",
        "items:\n",
        "- ",
        "  ",
        "\t",
        "metadata:\n",
        "name: a\n",
        "spec: ",
        "ports: [{port: 80}]\n",
        "{",
        "}",
        "[",
        "]",
        ",",
        ": ",
        "? ",
        "&a ",
        "*a",
        "<<: *a\n",
        "!!str ",
        "!x ",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "|\n",
        ">-\n",
        "'",
        "\"",
        "\\u00e9",
        "é",
        "\u{feff}",
        "\r\n",
        "\n",
        "#",
        "~",
        "yes",
        "0x1f",
        "{{ .Values.x }}",
        "\0",
        "\u{85}",
        "apiVersion: split.smi-spec.io/v1alpha4\n",
        "kind: TrafficSplit\n",
        "kind: EndpointSlice\n",
        "clusterIP: 10.0.0.1\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        places_exist(&read(&bytes));
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        places_exist(&read(text.as_bytes()));
    }

    #[test]
    fn fragments_are_read(text in fragments()) {
        places_exist(&read(text.as_bytes()));
    }

    #[test]
    fn spoilt_manifests_are_read(
        at in any::<prop::sample::Index>(),
        length in 0_usize..8,
        insert in "[\\x00-\\x7fé]{0,4}",
    ) {
        let text = format!("{}---\n{}", service("web", 80), service("shop", 81));
        let mut bytes = text.into_bytes();
        let start = at.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, insert.bytes());
        places_exist(&read(&bytes));
    }

    #[test]
    fn a_broken_document_changes_no_other(
        broken in fragments(),
        first in any::<bool>(),
    ) {
        // What begins or ends documents would be more than one broken document, and without names there are no objects.
        let broken = ["---", "...", "%", "name: a"].iter().fold(broken, |text, part| text.replace(part, ""));
        let (web, shop) = (service("web", 80), service("shop", 81));
        let alone = read(format!("{web}---\n{shop}").as_bytes());
        let text = if first { format!("{broken}\n---\n{web}---\n{shop}") } else { format!("{web}---\n{broken}\n---\n{shop}") };
        let mut with = read(text.as_bytes());
        // That something is missing is known (S21).
        with.cluster.namespaces_incomplete = false;
        prop_assert_eq!(&with.cluster, &alone.cluster);
    }

    #[test]
    fn documents_may_stand_in_any_order(order in Just((0..6).collect::<Vec<u16>>()).prop_shuffle()) {
        let document = |i: u16| match i {
            0 => "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n".to_owned(),
            1 => service("a", 0),
            2 | 3 => service("twice", 80 + i),
            i => service(&format!("s{i}"), i),
        };
        let sorted: Vec<u16> = (0..6).collect();
        let join = |order: &[u16]| order.iter().map(|i| document(*i)).collect::<Vec<_>>().join("---\n");
        let (one, other) = (read(join(&sorted).as_bytes()), read(join(&order).as_bytes()));
        prop_assert_eq!(&one.cluster, &other.cluster);
        let shown = |w: &World| w.report.iter().map(ToString::to_string).collect::<Vec<_>>();
        prop_assert_eq!(shown(&one), shown(&other));
        prop_assert!(one.report.has_errors());
    }

    #[test]
    fn values_are_found_where_they_stand(
        labels in prop::collection::btree_map("[a-z][a-z0-9./-]{0,10}é?", "[ -~é\u{4e2d}]{0,12}", 1..6),
        flow in any::<bool>(),
        in_list in any::<bool>(),
    ) {
        // Written by a YAML writer of the world outside: JSON strings are YAML strings.
        let quote = |text: &str| serde_json::to_string(text).unwrap();
        let entries: Vec<String> = labels.iter().map(|(k, v)| format!("{}: {}", quote(k), quote(v))).collect();
        let selector = if flow {
            format!(" {{{}}}", entries.join(", "))
        } else {
            entries.iter().map(|e| format!("\n    {e}")).collect()
        };
        let mut text = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec:\n  ports: [{{port: 80}}]\n  selector:{selector}\n"
        );
        if in_list {
            let lines: String = text.lines().enumerate().map(|(i, l)| format!("{} {l}\n", if i == 0 { "  -" } else { "   " })).collect();
            text = format!("apiVersion: v1\nkind: List\nitems:\n  - 1\n{lines}");
        }
        let world = read(text.as_bytes());
        let service = world.cluster.services.values().next().expect("the service is read");
        let object = smi_core::diag::ObjectRef::new("", "v1", "Service", &service.name);
        for (key, value) in &labels {
            prop_assert_eq!(service.selector.get(key.as_str()).map(AsRef::as_ref), Some(value.as_str()));
            let path = FieldPath::root().fields(&["spec", "selector"]).key(key.as_str());
            let place = world.sources.locate(&object, &path).expect("the value has a place");
            prop_assert_eq!(world.sources.slice(place), quote(value));
            let place = world.sources.locate_key(&object, &path).expect("the key has a place");
            prop_assert_eq!(world.sources.slice(place), quote(key));
        }
    }
}

//! What makes Traefik keep an old document, reload for nothing or start otherwise than it should.

use std::collections::BTreeSet;

use smi_core::backend::{Artifacts, Backend, ProxyTarget};
use smi_core::compile::CompileOptions;
use smi_core::ir::Ir;
use smi_traefik::Traefik;

use crate::support::{WORLD, config, ir, ir_with, routers, tree, walk};

#[test]
fn trap_0_2_no_sources_make_no_empty_object() {
    let mut text = WORLD.to_owned();
    for caller in 1..4 {
        text = text.replace(&format!("podIP: 10.0.0.{caller},"), "");
    }
    assert_ne!(text, WORLD);
    let config = config(&text);
    walk(&tree(&config), "", &mut |path, value| {
        assert_ne!(value, &serde_json::json!({}), "{path}");
        assert!(!path.ends_with("/sourceRange") || value != &serde_json::json!([]), "{path}");
    });
    // Nobody can call, so nobody is served.
    walk(&tree(&config), "", &mut |path, value| {
        assert!(!path.ends_with("/servers") || value == &serde_json::json!([]), "{path}");
    });
    assert!(routers(&config).values().any(|r| r.service.as_deref() == Some("smi~forbidden")));
    // An empty document is never written either (0.13).
    assert!(!routers(&config).is_empty());
}

#[test]
fn trap_0_8_keys_of_different_objects_differ() {
    let world = |namespace: &str, name: &str, address: u8| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: {namespace}, labels: {{app: {name}}}}}\nspec: {{serviceAccountName: {name}, containers: [{{name: app}}]}}\nstatus: {{phase: Running, podIP: 10.9.0.{address}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: 8080}}, {{name: tcp, port: 90, targetPort: 9090}}]}}\n---\napiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {{name: all, namespace: {namespace}}}\n---\napiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {{name: t, namespace: {namespace}}}\nspec: {{destination: {{kind: ServiceAccount, name: {name}, namespace: {namespace}}}, rules: [{{kind: TCPRoute, name: all}}], sources: [{{kind: ServiceAccount, name: {name}, namespace: {namespace}}}]}}\n"
        )
    };
    let long = "a".repeat(63);
    let places = [("a", "b-c"), ("a-b", "c"), ("a-b-c", "c"), (&*long, &*long), ("aa", "b-c")];
    let count = |text: &str| {
        let tree = tree(&config(text));
        let mut names = BTreeSet::new();
        for (layer, kinds) in tree.as_object().unwrap() {
            for (kind, objects) in kinds.as_object().unwrap() {
                let own = objects.as_object().unwrap().keys().filter(|n| !n.starts_with("smi~"));
                names.extend(own.map(|n| format!("{layer} {kind} {n}")));
            }
        }
        names.len()
    };
    let mut all = String::new();
    let mut sum = 0;
    for (place, (namespace, name)) in places.iter().enumerate() {
        let text = world(namespace, name, u8::try_from(place).unwrap() + 1);
        sum += count(&text);
        all.push_str(&text);
    }
    assert_eq!(count(&all), sum);
    assert!(sum > 20);
}

#[test]
fn trap_0_9_what_means_the_same_is_the_same_document() {
    let first = config(WORLD);
    let mut documents: Vec<&str> = WORLD.split("---\n").collect();
    documents.reverse();
    let relabelled = WORLD.replace("labels: {app: web,", "labels: {build: \"7\", app: web,");
    let renamed = WORLD.replace("name: v1-read, namespace", "name: other-name, namespace");
    assert_ne!(relabelled, WORLD);
    assert_ne!(renamed, WORLD);
    for text in [documents.join("---\n"), relabelled, renamed] {
        let again = config(&text);
        assert_eq!(again.hash, first.hash);
        assert_eq!(again.artifacts(), first.artifacts());
    }
}

#[test]
fn trap_0_10_an_unrelated_change_changes_no_other_object() {
    // Ports stay where they are by the table of the last time (S37).
    let mut options = CompileOptions::default();
    let first = ir_with(WORLD, &options);
    let before = tree(&Traefik::default().render(&first, &ProxyTarget::Node).output);
    options.port_table = first.listeners;
    let more = "---\napiVersion: v1\nkind: Service\nmetadata: {name: aaa, namespace: aaa}\nspec:\n  ports: [{name: http, port: 80}, {name: tcp-x, port: 1}]\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: aaa, namespace: aaa}\nspec: {serviceAccountName: aaa, containers: [{name: app}]}\nstatus: {phase: Running, podIP: 10.7.0.1}\n";
    let second = ir_with(&format!("{WORLD}{more}"), &options);
    let after = tree(&Traefik::default().render(&second, &ProxyTarget::Node).output);
    for (layer, kinds) in before.as_object().unwrap() {
        for (kind, objects) in kinds.as_object().unwrap() {
            for (name, object) in objects.as_object().unwrap().iter().filter(|(n, _)| *n != "smi~marker") {
                assert_eq!(after[layer][kind].get(name), Some(object), "{layer} {kind} {name}");
            }
        }
    }
    assert_ne!(before, after);
}

#[test]
fn trap_0_13_an_empty_world_is_no_empty_document() {
    let config = Traefik::default().render(&Ir::default(), &ProxyTarget::Node).output;
    let marker = &routers(&config)["smi~marker"];
    assert_eq!(marker.rule, format!("Path(`/config/{}`)", config.hash));
    assert_eq!(routers(&config)["smi~ready"].rule, "Path(`/ready`)");
    // A proxy without a document has no such route, so it is not ready.
    assert!(config.install.ping.manual_routing);
    assert_ne!(super::support::config(WORLD).hash, config.hash);
}

#[test]
fn trap_7_8_the_install_configuration() {
    let mut backend = Traefik::default();
    backend.options.api = true;
    backend.options.provider = smi_traefik::Provider::Http("http://127.0.0.1:1/config".into());
    let install = backend.render(&ir(WORLD), &ProxyTarget::Node).output.install;
    let tree = serde_json::to_value(&install).unwrap();
    walk(&tree, "", &mut |path, value| {
        for key in ["forwardedHeaders", "proxyProtocol", "tracing", "metrics", "core", "serversTransport"] {
            assert!(value.get(key).is_none(), "{path}/{key}");
        }
    });
    for (name, entry_point) in &install.entry_points {
        let http = entry_point.http.as_ref().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(http.alias_headers_strategy, "delete");
        assert!(
            !http.encoded_characters.allow_encoded_slash && !http.encoded_characters.allow_encoded_back_slash
        );
        assert!(!http.encoded_characters.allow_encoded_null_character);
    }
    assert_eq!(tree["api"]["insecure"], false);
    assert_eq!(tree["providers"]["http"]["pollInterval"], "1s");
    assert_eq!(tree["providers"]["providersThrottleDuration"], "200ms");
}

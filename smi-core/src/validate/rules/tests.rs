//! Each rule finds its fault, and nothing in a sound world.

use crate::compile::{CompileOptions, compile};
use crate::load::{Input, Limits, load};
use crate::validate::validate;

/// Codes that a world's advice has, in order.
fn advice(text: &str) -> Vec<&'static str> {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    let options = CompileOptions::default();
    let compiled = compile(&world.hub, &world.cluster, &options);
    validate(&world.hub, &world.cluster, &compiled.ir, &options).iter().map(|d| d.code.id).collect()
}

const SOUND: &str = include_str!("sound.yaml");

#[test]
fn a_sound_world_has_no_findings() {
    assert_eq!(advice(SOUND), [] as [&str; 0]);
}

#[test]
fn each_rule_finds_its_fault() {
    for (from, to, code) in [
        ("/items(/.*)?$", "/items", "SMI0251"),
        ("pathRegex: /items(/.*)?$, methods: [GET]", "", "SMI0252"),
        ("matches: [{name: beta, headers: [{x-user: beta}]}]", "matches: []", "SMI0253"),
        (
            "{name: write, pathRegex: /items$, methods: [POST]}",
            "{name: write, pathRegex: /items(/.*)?$, methods: [GET]}",
            "SMI0254",
        ),
        ("methods: [POST]", "methods: [post]", "SMI0255"),
        ("matches: [{kind: HTTPRouteGroup, name: beta}]", "matches: []", "SMI0256"),
        ("{kind: TCPRoute, name: pg}", "{kind: TCPRoute, name: pg, matches: [x]}", "SMI0457"),
        ("headers: [{x-user: beta}]", "headers: [{host: 'Beta\\..*'}]", "SMI0257"),
        ("headers: [{x-user: beta}]", "headers: [{':Authority': 'a|B'}, {HOST: '[A-Z]+|B'}]", "SMI0257"),
        ("{service: cart-v2, weight: 10}", "{service: cart, weight: 10}", "SMI0351"),
        ("{service: cart-v2, weight: 10}", "{service: cart-v1, weight: 10}", "SMI0353"),
        (
            "{name: canary, namespace: shop}\nspec:\n  service: cart\n",
            "{name: canary, namespace: shop}\nspec:\n  service: cart-v2\n",
            "SMI0352",
        ),
        (
            "destination: {kind: ServiceAccount, name: cart-v2, namespace: shop}",
            "destination: {kind: ServiceAccount, name: db, namespace: shop}",
            "SMI0354",
        ),
        ("name: web, namespace: shop}]", "name: web}]", "SMI0451"),
        ("name: web, namespace: shop}]", "name: default, namespace: shop}]", "SMI0452"),
        ("name: web, namespace: shop}]", "name: wbe, namespace: shop}]", "SMI0453"),
        (
            "destination: {kind: ServiceAccount, name: db,",
            "destination: {kind: ServiceAccount, name: bd,",
            "SMI0454",
        ),
        ("ports: [5432]", "ports: [5433]", "SMI0455"),
    ] {
        assert!(SOUND.contains(from), "{code}: `{from}` is not in the sound world");
        let found = advice(&SOUND.replacen(from, to, 1));
        assert!(found.contains(&code), "{code}: {found:?}");
    }
}

#[test]
fn older_versions_have_ports_of_their_own() {
    let older = SOUND.replace("access.smi-spec.io/v1alpha3", "access.smi-spec.io/v1alpha2");
    assert_eq!(advice(&older), [] as [&str; 0]);
    for (from, to, code) in [
        ("name: web, namespace: shop}]", "name: web, namespace: shop, port: 8080}]", "SMI0458"),
        (
            "ServiceAccount, name: cart-v1, namespace: shop}",
            "ServiceAccount, name: cart-v1, namespace: shop, port: 80}",
            "SMI0455",
        ),
    ] {
        assert!(older.contains(from), "{code}");
        assert_eq!(advice(&older.replacen(from, to, 1)), [code]);
    }
    // The port that pods listen on, and one that nobody knows.
    for port in [8080, 81] {
        let to = format!("ServiceAccount, name: cart-v1, namespace: shop, port: {port}}}");
        assert_eq!(
            advice(&older.replacen("ServiceAccount, name: cart-v1, namespace: shop}", &to, 1)),
            [] as [&str; 0]
        );
    }
}

#[test]
fn a_split_that_does_not_hold_splits_no_backend() {
    let inner = "\n---\napiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: inner, namespace: shop}\nspec: {service: cart-v2, backends: [{service: cart-v1, weight: W}]}\n";
    assert!(advice(&format!("{SOUND}{}", inner.replace('W', "1"))).contains(&"SMI0352"));
    assert!(!advice(&format!("{SOUND}{}", inner.replace('W', "0"))).contains(&"SMI0352"));
}

#[test]
fn hosts_that_have_a_form_in_lower_case_may_match() {
    for host in ["beta", "(?i)Beta", "[Bb]eta", "Beta|beta", "B?eta", "[A-Za-z]+", "(B|b)eta"] {
        let world = SOUND.replacen("headers: [{x-user: beta}]", &format!("headers: [{{host: '{host}'}}]"), 1);
        assert!(!advice(&world).contains(&"SMI0257"), "{host}");
    }
}

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

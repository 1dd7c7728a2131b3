//! A rendered world, and ways to look through it.

use std::collections::BTreeMap;

use serde_json::Value;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::diag::Report;
use smi_core::ir::Ir;
use smi_core::load::{Input, Limits, load};
use smi_traefik::config::http::Router;
use smi_traefik::rule::{Matcher, Rule, parse};
use smi_traefik::{Traefik, TraefikConfig, check};

pub(crate) const WORLD: &str = include_str!("../world.yaml");

pub(crate) fn ir(text: &str) -> Ir {
    ir_with(text, &CompileOptions::default())
}

pub(crate) fn ir_with(text: &str, options: &CompileOptions) -> Ir {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    assert!(!world.report.has_errors(), "{:?}", world.report);
    compile(&world.hub, &world.cluster, options).ir
}

pub(crate) fn rendered(text: &str) -> (TraefikConfig, Report) {
    let rendered = Traefik::default().render(&ir(text), &ProxyTarget::Node);
    assert_eq!(check::check(&rendered.output.dynamic, &rendered.output.install), []);
    (rendered.output, rendered.report)
}

pub(crate) fn config(text: &str) -> TraefikConfig {
    rendered(text).0
}

/// The world with these annotations on the Service `cart`.
pub(crate) fn annotated(annotations: &str) -> String {
    let text = WORLD.replace(
        "metadata: {name: cart, namespace: shop}",
        &format!("metadata: {{name: cart, namespace: shop, annotations: {{{annotations}}}}}"),
    );
    assert_ne!(text, WORLD);
    text
}

pub(crate) fn routers(config: &TraefikConfig) -> &BTreeMap<String, Router> {
    &config.dynamic.http.as_ref().unwrap().routers
}

pub(crate) fn tree(config: &TraefikConfig) -> Value {
    serde_json::from_str(&config.dynamic_json()).unwrap()
}

/// Calls with every object's path and value.
pub(crate) fn walk(value: &Value, path: &str, see: &mut dyn FnMut(&str, &Value)) {
    see(path, value);
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| walk(inner, &format!("{path}/{key}"), see)),
        Value::Array(list) => list.iter().for_each(|inner| walk(inner, path, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every matcher of a rule with its arguments.
pub(crate) fn matchers(rule: &Rule, see: &mut dyn FnMut(Matcher, &[String])) {
    match rule {
        Rule::Match(matcher, arguments) => see(*matcher, arguments),
        Rule::And(rules) | Rule::Or(rules) => rules.iter().for_each(|r| matchers(r, see)),
        Rule::Not(rule) => matchers(rule, see),
    }
}

pub(crate) fn all_matchers(config: &TraefikConfig, mut see: impl FnMut(Matcher, &[String])) {
    for router in routers(config).values() {
        matchers(&parse(&router.rule).unwrap(), &mut see);
    }
    for router in config.dynamic.tcp.iter().flat_map(|t| t.routers.values()) {
        matchers(&parse(&router.rule).unwrap(), &mut see);
    }
}

//! Traps of Traefik 3.7 and of meshes that were built on it: what makes it reject a document, disable a router, serve whom it should not
//! or forget what it counted. Each has a number and a test that shows that no rendered configuration steps into it.
//!
//! Tests without a file stand below; *live* is `smi-conformance/tests/live_traefik_traps.rs`, *weights* `live_traefik.rs` beside it, both
//! on a real Traefik; *cases* are folders of `tests/cases`; *random* is `random.rs` beside this file; *rules* are unit tests of `rule`.
//!
//! | trap | what goes wrong | test |
//! |---|---|---|
//! | 0.1 | names outside the mesh's domains are served, and pass unchecked | `trap_0_1` |
//! | 0.2 | a source without pods makes an empty object; the proxy keeps its old document for ever | `trap_0_2`, live `trap_0_2`, random |
//! | 0.3 | identity from `X-Forwarded-For` | `trap_0_3`, live `trap_0_3` |
//! | 0.4 | of two targets on one service one wins, another one at each start | `trap_0_4`, live `trap_0_4`, cases `s22-grants-add-up` |
//! | 0.5 | TCP and UDP unchecked; no rules, an empty group or a TCPRoute open HTTP | `trap_0_5`, live `trap_0_5`, cases `s24-*`, `s27-*`, `s11-empty-*` |
//! | 0.6 | the second port of a service is served as the first; Service port dialled at pods | live `trap_0_6`, live `trap_0_5`, cases `s24-destination-port` |
//! | 0.7 | a backtick in a pattern ends the rule's string | rules, live `trap_0_7`, cases `backticks-and-braces` |
//! | 0.8 | `a` + `b-c` and `a-b` + `c` share a key; long names | `trap_0_8`, cases `names-that-join-alike`, `long-names` |
//! | 0.9 | equal states, different documents | `trap_0_9`, `meaning.rs` `s35_*` |
//! | 0.10 | needless reloads, each of which resets limits, breakers and weights | `trap_0_10` |
//! | 0.11 | a second hop for access behind a split | `trap_0_11`, live `trap_5_3_4` |
//! | 0.12 | each host three times in every rule | `trap_0_1` |
//! | 0.13 | an empty document removes all routes; faults go unnoticed | `trap_0_13`, `trap_5_4`, live `trap_5_4` |
//! | 0.14 | TLS identities and UDP access promised and not there | `trap_0_14` |
//! | 0.15 | weights and refusals never counted | weights `s15_*`, live `trap_5_2_4`, `trap_0_5` |
//! | 5.1.1–5.1.6 | names and forms of version 2: `ipWhiteList`, `HeadersRegexp`, `PathPrefix` with a pattern, `Method` and `Host` with several arguments, `ruleSyntax` | `trap_5_1_1`, live `trap_5_1_2`, `trap_0_4` |
//! | 5.1.7, 5.1.8 | priorities left to Traefik, equal or 0 | `trap_5_1_7`, random |
//! | 5.1.9 | 0 retries disable a router; tries counted as retries | cases `s34-faulty-settings`, live `trap_5_2_4` |
//! | 5.1.10 | a circuit breaker for each router | `trap_5_1_10`, live `trap_5_1_10` |
//! | 5.1.11 | limits per router, per caller, per spelling of the host | `trap_5_1_10`, live `trap_5_1_11`, live `trap_5_1_11b` |
//! | 5.1.12, 5.1.14 | settings that are gone; `forwardedHeaders` | `trap_7_8` |
//! | 5.1.13 | paths matched otherwise than forwarded | live `trap_5_1_13`, cases `s09-*` |
//! | 5.1.15 | `X_A` smuggled past a match of `X-A` | `trap_7_8`, live `trap_5_1_2` |
//! | 5.1.16 | CONNECT is answered 501 by Traefik | live `trap_5_1_16` |
//! | 5.2.1, 5.2.11 | inexact weights | weights `s15_*`, live `trap_0_5` |
//! | 5.2.2, 5.2.3 | weight 0, all 0, negative, fractions | `trap_5_2_2`, cases `s15-*`, `s04-quantities` |
//! | 5.2.4, 5.2.5 | dead leaves | live `trap_5_2_4`, cases `s20-*` |
//! | 5.2.6 | a child named twice | cases `s15-a-service-twice-adds-up` |
//! | 5.2.7 | a child that does not exist disables the router | `trap_5_4`, random |
//! | 5.2.8 | health checks that all children must have | `trap_5_1_1` |
//! | 5.2.9, 5.2.10 | a reload restarts weights | `trap_0_10` |
//! | 5.3.1 | a router that is disabled opens what lies below | `trap_5_3_1` |
//! | 5.3.2, 5.3.3 | allow lists of two routers do not add up, `ClientIP` does | live `trap_0_4` |
//! | 5.3.4, 5.3.5 | access per leaf; a forged header at an indirect router | live `trap_5_3_4`, live `trap_0_3` |
//! | 5.3.6, 5.3.7 | a TCP client that no router takes hangs | `trap_5_3_7`, live `trap_0_5` |
//! | 5.3.8 | server names beside plain TCP on one entry point | `trap_5_3_7` |
//! | 5.3.9 | two UDP routers on one entry point | `trap_5_4`, `trap_0_5` |
//! | 5.3.10 | long lists of addresses in rules | `trap_5_3_10` |
//! | 5.4 | whatever disables routers or rejects documents | `trap_5_4`, `trap_0_13`, random, live `load` of every test |
//! | 5.5 | slow pick-up | `trap_7_8` |
//! | 7.1 | forwarding to names of the mesh | `trap_0_11` |
//! | 7.2 | no lowest router that refuses | `trap_5_3_1`, `trap_5_3_7` |
//! | 7.3 | priorities by counting operators; ambiguous keys | `trap_5_1_7`, `trap_0_8` |
//! | 7.4 | patterns that Go does not read | rules, cases `s08-*` |
//! | 7.5 | empty maps, empty sources, dead leaves | `trap_0_2`, `trap_5_2_2`, live `trap_5_2_4` |
//! | 7.6 | ClusterIP as a host | `trap_0_1` |
//! | 7.7 | nobody knows which configuration a proxy has | `trap_0_13`, live `trap_5_4` |
//! | 7.8 | the install configuration | `trap_7_8` |
//! | 7.9–7.14 | controllers, DNS, status | not of this crate |
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use smi_core::backend::{Artifacts, Backend, Feature, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::diag::Report;
use smi_core::ir::Ir;
use smi_core::load::{Input, Limits, load};
use smi_traefik::config::Weighted;
use smi_traefik::config::http::{Middleware, Router, ServiceKind};
use smi_traefik::config::l4::UdpRouter;
use smi_traefik::rule::{Matcher, Rule, parse};
use smi_traefik::{Traefik, TraefikConfig, check};

const WORLD: &str = include_str!("world.yaml");

fn ir(text: &str) -> Ir {
    ir_with(text, &CompileOptions::default())
}

fn ir_with(text: &str, options: &CompileOptions) -> Ir {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    assert!(!world.report.has_errors(), "{:?}", world.report);
    compile(&world.hub, &world.cluster, options).ir
}

fn rendered(text: &str) -> (TraefikConfig, Report) {
    let rendered = Traefik::default().render(&ir(text), &ProxyTarget::Node);
    assert_eq!(check::check(&rendered.output.dynamic, &rendered.output.install), []);
    (rendered.output, rendered.report)
}

fn config(text: &str) -> TraefikConfig {
    rendered(text).0
}

/// The world with these annotations on the Service `cart`.
fn annotated(annotations: &str) -> String {
    let text = WORLD.replace(
        "metadata: {name: cart, namespace: shop}",
        &format!("metadata: {{name: cart, namespace: shop, annotations: {{{annotations}}}}}"),
    );
    assert_ne!(text, WORLD);
    text
}

fn routers(config: &TraefikConfig) -> &BTreeMap<String, Router> {
    &config.dynamic.http.as_ref().unwrap().routers
}

fn tree(config: &TraefikConfig) -> Value {
    serde_json::from_str(&config.dynamic_json()).unwrap()
}

/// Calls with every object's path and value.
fn walk(value: &Value, path: &str, see: &mut dyn FnMut(&str, &Value)) {
    see(path, value);
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| walk(inner, &format!("{path}/{key}"), see)),
        Value::Array(list) => list.iter().for_each(|inner| walk(inner, path, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every matcher of a rule with its arguments.
fn matchers(rule: &Rule, see: &mut dyn FnMut(Matcher, &[String])) {
    match rule {
        Rule::Match(matcher, arguments) => see(*matcher, arguments),
        Rule::And(rules) | Rule::Or(rules) => rules.iter().for_each(|r| matchers(r, see)),
        Rule::Not(rule) => matchers(rule, see),
    }
}

fn all_matchers(config: &TraefikConfig, mut see: impl FnMut(Matcher, &[String])) {
    for router in routers(config).values() {
        matchers(&parse(&router.rule).unwrap(), &mut see);
    }
    for router in config.dynamic.tcp.iter().flat_map(|t| t.routers.values()) {
        matchers(&parse(&router.rule).unwrap(), &mut see);
    }
}

#[test]
fn trap_0_1_hosts_are_those_of_the_mesh_domains_once_each() {
    let config = config(
        &WORLD.replace("  selector: {part: cart}", "  clusterIP: 10.96.0.7\n  selector: {part: cart}"),
    );
    let mut seen = 0;
    for (name, router) in routers(&config).iter().filter(|(name, _)| !name.starts_with("smi~")) {
        let mut hosts = Vec::new();
        matchers(&parse(&router.rule).unwrap(), &mut |matcher, arguments| {
            if matcher == Matcher::Host {
                hosts.extend_from_slice(arguments);
            }
        });
        assert!(hosts.len() == 1 && hosts.iter().all(|h| h.ends_with(".shop.mesh")), "{name}: {hosts:?}");
        // Cheapest first: a router of another service is passed after one comparison.
        assert!(router.rule.starts_with("Host("), "{name}");
        seen += 1;
    }
    assert!(seen > 5);
}

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
fn trap_0_3_no_list_looks_at_headers() {
    let config = config(WORLD);
    let mut lists = 0;
    walk(&tree(&config), "", &mut |path, value| {
        lists += usize::from(path.ends_with("/ipAllowList"));
        for key in ["ipStrategy", "depth", "excludedIPs"] {
            assert!(value.get(key).is_none(), "{path}");
        }
    });
    assert!(lists > 0);
}

#[test]
fn trap_0_4_one_router_for_each_caller_unites_its_targets() {
    // `web` is granted GET by one target and POST by another.
    let config = config(WORLD);
    let rules: Vec<&str> = routers(&config)
        .values()
        .map(|r| r.rule.as_str())
        .filter(|r| r.contains("Host(`cart-v1.") && r.contains("ClientIP(`10.0.0.1`)"))
        .collect();
    assert!(rules.iter().any(|r| r.contains("Method(`GET`)") && r.contains("Method(`POST`)")), "{rules:?}");
}

#[test]
fn trap_0_5_udp_is_closed_and_tcp_lists_callers() {
    let dns = "---\napiVersion: v1\nkind: Service\nmetadata: {name: dns, namespace: shop}\nspec:\n  selector: {app: db}\n  ports: [{name: udp-dns, port: 53, protocol: UDP, targetPort: 5353}]\n";
    let (config, report) = rendered(&format!("{WORLD}{dns}"));
    // A router to nowhere, as Traefik keeps the router that an entry point had when there is no other.
    let udp = config.dynamic.udp.unwrap();
    let routed: Vec<&str> = udp.routers.values().map(|r| r.service.as_str()).collect();
    assert_eq!(routed, ["smi~unavailable"]);
    assert!(report.diagnostics.iter().any(|d| d.code.id == "SMI1001"), "{report:?}");
    let tcp = config.dynamic.tcp.unwrap();
    for (name, router) in &tcp.routers {
        assert_eq!(router.rule.contains("ClientIP("), router.service != "smi~unavailable", "{name}");
    }
    assert!(tcp.routers.len() > 1);
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
fn trap_0_11_every_server_is_a_pod() {
    let mut servers = 0;
    walk(&tree(&config(WORLD)), "", &mut |path, value| {
        let address = match (path.rsplit('/').next(), value.as_str()) {
            (Some("url"), Some(text)) => text.split_once("://").unwrap().1,
            (Some("address"), Some(text)) => text,
            _ => return,
        };
        assert!(address.parse::<std::net::SocketAddr>().is_ok(), "{path}: {address}");
        servers += 1;
    });
    assert!(servers > 3);
}

#[test]
fn trap_0_13_an_empty_world_is_no_empty_document() {
    let config = Traefik::default().render(&Ir::default(), &ProxyTarget::Node).output;
    let marker = &routers(&config)["smi~marker"];
    assert_eq!(marker.rule, format!("Path(`/config/{}`)", config.hash));
    assert_eq!(routers(&config)["smi~ready"].rule, "Path(`/ready`)");
    // A proxy without a document has no such route, so it is not ready.
    assert!(config.install.ping.manual_routing);
    assert_ne!(self::config(WORLD).hash, config.hash);
}

#[test]
fn trap_0_14_nothing_is_promised_that_is_not_there() {
    let capabilities = Traefik::default().capabilities(&ProxyTarget::Node);
    for feature in [
        Feature::UdpAccess,
        Feature::CertificateIdentity,
        Feature::CountedPermissive,
        Feature::Timeout,
        Feature::Mirror,
    ] {
        assert!(!capabilities.has(feature), "{feature:?}");
    }
    // What is not rendered is said, and changes nothing else.
    let settings = "mesh.smi-sdk.io/timeout: 2s, mesh.smi-sdk.io/mirror-service: cart-v2, mesh.smi-sdk.io/mirror-percent: \"50\"";
    let (with, report) = rendered(&annotated(settings));
    assert_eq!(with, config(WORLD));
    let said: Vec<&str> =
        report.diagnostics.iter().filter(|d| d.code.id == "SMI1003").map(|d| &*d.message).collect();
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn trap_5_1_1_no_form_of_version_2() {
    let settings = "mesh.smi-sdk.io/ratelimit-average: \"5\", mesh.smi-sdk.io/ratelimit-burst: \"5\"";
    for text in [WORLD.to_owned(), annotated(settings)] {
        let config = config(&text);
        walk(&tree(&config), "", &mut |path, value| {
            for key in ["ipWhiteList", "ruleSyntax", "healthCheck", "passHostHeader", "tls", "sticky"] {
                assert!(value.get(key).is_none(), "{path}/{key}");
            }
        });
        assert!(!serde_json::to_string(&config.install).unwrap().contains("defaultRuleSyntax"));
        all_matchers(&config, |matcher, arguments| {
            let wanted = if matcher == Matcher::HeaderRegexp { 2 } else { 1 };
            assert_eq!(arguments.len(), wanted, "{matcher:?} {arguments:?}");
            if let Matcher::PathRegexp | Matcher::HeaderRegexp = matcher {
                assert!(arguments.last().unwrap().starts_with('^'), "{arguments:?}");
            }
            assert_ne!(matcher, Matcher::PathPrefix, "patterns are no prefixes");
        });
    }
}

#[test]
fn trap_5_1_7_priorities_are_explicit_unique_and_apart() {
    for text in [WORLD.to_owned(), annotated("mesh.smi-sdk.io/max-in-flight: \"5\"")] {
        let config = config(&text);
        let mut by_place: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
        for router in routers(&config).values() {
            let mut host = String::new();
            matchers(&parse(&router.rule).unwrap(), &mut |matcher, arguments| {
                if matcher == Matcher::Host {
                    host.clone_from(&arguments[0]);
                }
            });
            let place = [router.entry_points.join(","), router.parent_refs.join(",")].concat();
            by_place.entry((place, host)).or_default().push(router.priority);
        }
        for router in config.dynamic.tcp.iter().flat_map(|t| t.routers.values()) {
            by_place.entry((router.entry_points.join(","), String::new())).or_default().push(router.priority);
        }
        for (place, mut priorities) in by_place {
            priorities.sort_unstable();
            assert!(priorities.iter().all(|p| *p > 0), "{place:?}");
            assert!(priorities.windows(2).all(|p| p[1] - p[0] >= 10), "{place:?} {priorities:?}");
        }
    }
}

#[test]
fn trap_5_1_10_what_counts_stands_in_one_place() {
    let settings = "mesh.smi-sdk.io/ratelimit-average: \"5\", mesh.smi-sdk.io/ratelimit-burst: \"5\", mesh.smi-sdk.io/max-in-flight: \"5\", mesh.smi-sdk.io/circuit-breaker-expression: NetworkErrorRatio() > 0.5";
    let config = config(&annotated(settings));
    let http = config.dynamic.http.as_ref().unwrap();
    let serving = http.routers.values().filter(|r| !r.parent_refs.is_empty()).count();
    assert!(serving > 3, "{serving}");
    let mut seen = 0;
    for (name, middleware) in &http.middlewares {
        let users = http.routers.values().filter(|r| r.middlewares.contains(name)).count();
        let criterion = match middleware {
            Middleware::RateLimit(limit) => Some(&limit.source_criterion),
            Middleware::InFlightReq(limit) => Some(&limit.source_criterion),
            Middleware::CircuitBreaker(_) => None,
            Middleware::IpAllowList(_) | Middleware::Retry(_) => continue,
        };
        assert_eq!(users, 1, "{name}");
        assert!(criterion.is_none_or(|c| c.request_header_name == "X-Forwarded-Server"), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn trap_5_2_2_weights_are_whole_and_positive() {
    for (from, to) in
        [("weight: 70", "weight: 0"), ("weight: 1}", "weight: 0}"), ("weight: 20", "weight: 4294967295")]
    {
        let text = WORLD.replace(from, to);
        assert_ne!(text, WORLD);
        walk(&tree(&config(&text)), "", &mut |path, value| {
            if path.ends_with("/weight") {
                assert!(value.as_u64().is_some_and(|w| w > 0), "{path} {value}");
            }
            assert!(!path.ends_with("/weighted/services") || value != &serde_json::json!([]), "{path}");
        });
    }
}

/// Whatever Traefik makes of the other routers, one refuses at the bottom or, where everybody is served, takes everything.
#[test]
fn trap_5_3_1_the_lowest_router_of_every_host_refuses() {
    for text in [WORLD.to_owned(), annotated("mesh.smi-sdk.io/max-in-flight: \"5\"")] {
        let config = config(&text);
        let http = config.dynamic.http.as_ref().unwrap();
        let mut lowest: BTreeMap<String, &Router> = BTreeMap::new();
        for router in http.routers.values().filter(|r| r.rule.contains("Host(") && !r.entry_points.is_empty())
        {
            let host = router.rule.split(" && ").next().unwrap().to_owned();
            let entry = lowest.entry(host).or_insert(router);
            if router.priority < entry.priority {
                *entry = router;
            }
        }
        assert_eq!(lowest.len(), 4, "{lowest:?}");
        for (host, router) in lowest {
            assert_eq!(router.rule, host, "it takes everything");
            let service = router.service.as_deref().unwrap();
            // Behind a split each leaf refuses; a leaf without pods fails (S20).
            let leaves: Vec<&str> = match &http.services[service].kind {
                ServiceKind::LoadBalancer(_) => vec![service],
                ServiceKind::Weighted(w) => w.services.iter().map(|c| c.name.as_str()).collect(),
            };
            for leaf in leaves {
                assert!(["smi~forbidden", "smi~unavailable"].contains(&leaf), "{host}: {leaf}");
            }
        }
        let nobody = serde_json::to_string(&http.middlewares["smi~nobody"]).unwrap();
        assert!(nobody.contains("255.255.255.255/32"));
        assert_eq!(http.services["smi~forbidden"].middlewares, ["smi~nobody"]);
    }
}

#[test]
fn trap_5_3_7_the_lowest_tcp_router_closes() {
    let config = config(WORLD);
    let tcp = config.dynamic.tcp.as_ref().unwrap();
    let mut by_entry_point: BTreeMap<&str, Vec<&smi_traefik::config::l4::TcpRouter>> = BTreeMap::new();
    for router in tcp.routers.values() {
        // No server names: beside them a server that speaks first would never be heard.
        assert!(router.rule.starts_with("HostSNI(`*`)"));
        by_entry_point.entry(&router.entry_points[0]).or_default().push(router);
    }
    for routers in by_entry_point.values() {
        let lowest = routers.iter().min_by_key(|r| r.priority).unwrap();
        assert_eq!((lowest.rule.as_str(), lowest.service.as_str()), ("HostSNI(`*`)", "smi~unavailable"));
    }
    assert!(!by_entry_point.is_empty());
}

/// Where all callers of a service may do the same, no rule lists their addresses: leaves do, which costs a fifth for long lists.
#[test]
fn trap_5_3_10_equal_grants_need_no_addresses_in_rules() {
    let documents: Vec<&str> = WORLD.split("---\n").filter(|d| !d.contains("name: v2-read")).collect();
    let config = config(&documents.join("---\n"));
    let rules: Vec<&str> =
        routers(&config).values().map(|r| r.rule.as_str()).filter(|r| r.contains("cart-v2.")).collect();
    assert!(!rules.is_empty() && rules.iter().all(|r| !r.contains("ClientIP")), "{rules:?}");
}

/// The structural check finds whatever Traefik would answer by disabling a router or rejecting the document.
#[test]
fn trap_5_4_faults_are_found_before_traefik_finds_them() {
    type Spoil = fn(&mut TraefikConfig);
    fn http(c: &mut TraefikConfig) -> &mut smi_traefik::config::http::Http {
        c.dynamic.http.as_mut().unwrap()
    }
    fn router(c: &mut TraefikConfig) -> &mut Router {
        http(c).routers.values_mut().find(|r| r.rule.contains("Host(")).unwrap()
    }
    fn list(c: &mut TraefikConfig) -> &mut Vec<String> {
        let mut lists = http(c).middlewares.values_mut().filter_map(|m| match m {
            Middleware::IpAllowList(list) => Some(&mut list.source_range),
            Middleware::Retry(_)
            | Middleware::CircuitBreaker(_)
            | Middleware::RateLimit(_)
            | Middleware::InFlightReq(_) => None,
        });
        lists.next().unwrap()
    }
    let spoils: &[(&str, Spoil)] = &[
        ("unknown service", |c| router(c).service = Some("none".into())),
        ("no service", |c| router(c).service = None),
        ("unknown middleware", |c| router(c).middlewares = vec!["none".into()]),
        ("unknown entry point", |c| router(c).entry_points = vec!["none".into()]),
        ("no entry point", |c| router(c).entry_points.clear()),
        ("unknown parent", |c| {
            router(c).entry_points.clear();
            router(c).parent_refs = vec!["none".into()];
        }),
        ("bad rule", |c| router(c).rule = "Host(`a`".into()),
        ("version 2 matcher", |c| router(c).rule = "HeadersRegexp(`a`, `b`)".into()),
        ("bad pattern", |c| router(c).rule = "Host(`a`) && PathRegexp(`^(`)".into()),
        ("bad pattern behind a negation", |c| router(c).rule = "Host(`a`) && !PathRegexp(`^(?=a)`)".into()),
        ("one priority twice", |c| {
            http(c)
                .routers
                .values_mut()
                .filter(|r| r.rule.contains("Host(`cart."))
                .for_each(|r| r.priority = 7);
        }),
        ("empty allow list", |c| list(c).clear()),
        ("no address", |c| list(c).push("10.0.0".into())),
        ("no range", |c| list(c).push("10.0.0.0/33".into())),
        ("no range in IPv6", |c| list(c).push("fd00::/x".into())),
        ("an @ in a name", |c| {
            let router = router(c).clone();
            http(c).routers.insert("a@b".into(), Router { priority: 9999, ..router });
        }),
        ("no children", |c| {
            let service =
                http(c).services.values_mut().find(|s| matches!(s.kind, ServiceKind::Weighted(_))).unwrap();
            service.kind = ServiceKind::Weighted(Weighted { services: Vec::new() });
        }),
        ("unknown child", |c| {
            for service in http(c).services.values_mut() {
                if let ServiceKind::Weighted(weighted) = &mut service.kind {
                    weighted.services[0].name = "none".into();
                }
            }
        }),
        ("an empty object", |c| http(c).routers.clear()),
        ("an empty object in TCP", |c| c.dynamic.tcp.as_mut().unwrap().routers.clear()),
        ("unknown TCP service", |c| {
            c.dynamic.tcp.as_mut().unwrap().routers.values_mut().for_each(|r| r.service = "none".into());
        }),
        ("one TCP priority twice", |c| {
            c.dynamic.tcp.as_mut().unwrap().routers.values_mut().for_each(|r| r.priority = 7);
        }),
        ("two UDP routers on one entry point", |c| {
            let entry_points = vec![c.install.entry_points.keys().next().unwrap().clone()];
            let router = UdpRouter { entry_points, service: "smi~unavailable".into() };
            let services = c.dynamic.tcp.as_ref().unwrap().services.clone();
            let routers = [("a".to_owned(), router.clone()), ("b".to_owned(), router)].into();
            c.dynamic.udp = Some(smi_traefik::config::l4::Udp { routers, services });
        }),
    ];
    let good = config(WORLD);
    for (what, spoil) in spoils {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert_ne!(check::check(&bad.dynamic, &bad.install), [], "{what}");
    }
    // Nothing is written that nobody uses, where Traefik would leave a fault unchecked.
    let http = good.dynamic.http.as_ref().unwrap();
    let used: BTreeSet<&String> = http
        .routers
        .values()
        .flat_map(|r| &r.middlewares)
        .chain(http.services.values().flat_map(|s| &s.middlewares))
        .collect();
    assert_eq!(used, http.middlewares.keys().collect());
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
    // Encoded slashes only where the application asked for them (S9).
    let mut ir = ir(WORLD);
    ir.settings.encoded_slashes = smi_core::ir::EncodedSlashes::Keep;
    let install = Traefik::default().render(&ir, &ProxyTarget::Node).output.install;
    let http = install.entry_points["ready"].http.as_ref().unwrap();
    assert!(http.encoded_characters.allow_encoded_slash && http.encoded_characters.allow_encoded_back_slash);
    assert!(!http.encoded_characters.allow_encoded_null_character);
}

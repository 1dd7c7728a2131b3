//! Traps of Traefik, and of meshes that were built on it, as far as the configuration alone shows that we do not fall into them. What
//! needs a running Traefik is in `smi-conformance/tests/live_traefik_traps.rs`; both count alike.
//!
//! 0.x: how Traefik Mesh failed · 5.1: what changed from Traefik 2 to 3.7 · 5.2: weights · 5.3: access · 5.4: what Traefik rejects ·
//! 7.x: what follows for a renderer.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use smi_core::backend::{Artifacts, Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::eval::{Caller, Decide, HttpRequest, Outcome, Payload, Request, eval};
use smi_core::hub::names::Port;
use smi_core::ir::Ir;
use smi_core::load::{Input, Limits, load};
use smi_core::testing;
use smi_traefik::check::check;
use smi_traefik::config::http::{Middleware, Router, ServiceKind};
use smi_traefik::config::l4::L4Service;
use smi_traefik::rule::{Matcher, Rule, parse};
use smi_traefik::sim::Simulator;
use smi_traefik::{Provider, Traefik, TraefikConfig, TraefikOptions};

const WORLD: &str = include_str!("world.yaml");
const SETTINGS: &str = include_str!("../../tests/cases/annotations/s34-settings/input.yaml");
const NAMES: &str = include_str!("../../tests/cases/hostile/names-that-join-alike/input.yaml");
const HOSTILE: &str = include_str!("../../tests/cases/hostile/backticks-and-braces/input.yaml");
const LONG: &str = include_str!("../../tests/cases/hostile/long-names/input.yaml");
const UDP: &str = include_str!("../../tests/cases/access/s24-udp/input.yaml");
const WORLDS: [&str; 6] = [WORLD, SETTINGS, NAMES, HOSTILE, LONG, UDP];

fn ir(text: &str) -> Ir {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    compile(&world.hub, &world.cluster, &CompileOptions::default()).ir
}

fn rendered(ir: &Ir) -> TraefikConfig {
    Traefik::default().render(ir, &ProxyTarget::Node).output
}

fn get(from: &str, host: &str, target: &str) -> Request {
    let http = HttpRequest {
        port: Port::new(80).unwrap(),
        host: host.into(),
        method: "GET".into(),
        target: target.into(),
        headers: vec![("X-Forwarded-For".into(), "10.0.0.2".into())],
    };
    Request { caller: Caller::Address(from.parse().unwrap()), payload: Payload::Http(http) }
}

fn matchers<'r>(rule: &'r Rule, out: &mut Vec<(Matcher, &'r [String])>) {
    match rule {
        Rule::Match(matcher, arguments) => out.push((*matcher, arguments)),
        Rule::And(rules) | Rule::Or(rules) => rules.iter().for_each(|r| matchers(r, out)),
        Rule::Not(rule) => matchers(rule, out),
    }
}

/// Every object's keys and every text of a configuration.
fn words(tree: &serde_json::Value, out: &mut BTreeSet<String>) {
    match tree {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                out.insert(key.clone());
                words(value, out);
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| words(value, out)),
        serde_json::Value::String(text) => drop(out.insert(text.clone())),
        _ => {}
    }
}

/// 0.2, 5.4.3, 7.5: nothing is an empty object, an empty allow list or a number with a point, in any world.
#[test]
fn trap_0_2_nothing_makes_traefik_keep_its_old_document() {
    for text in WORLDS {
        let config = rendered(&ir(text));
        assert_eq!(check(&config.dynamic, &config.install), []);
    }
    // A target whose sources have no pod, and one whose callers are nobody any more.
    let text = WORLD.replace("podIP: 10.0.0.", "podIP: 192.0.2.");
    assert_eq!(check(&rendered(&ir(&text)).dynamic, &rendered(&ir(&text)).install), []);
    let mut without = String::new();
    for document in WORLD.split("---\n").filter(|d| !d.contains("kind: Pod")) {
        without.push_str(&format!("---\n{document}"));
    }
    let config = rendered(&ir(&without));
    assert_eq!(check(&config.dynamic, &config.install), []);
}

/// 0.3, 5.1.14, 7.1: callers are the connection's peer. No matcher and no middleware looks at forwarded headers, entry points trust none.
#[test]
fn trap_0_3_no_header_says_who_calls() {
    for text in WORLDS {
        let config = rendered(&ir(text));
        let mut seen = BTreeSet::new();
        words(&serde_json::to_value(&config.dynamic).unwrap(), &mut seen);
        words(&serde_json::to_value(&config.install).unwrap(), &mut seen);
        for word in ["ipStrategy", "depth", "forwardedHeaders", "proxyProtocol", "trustedIPs", "insecure"] {
            assert!(!seen.contains(word), "{word}");
        }
        for router in config.dynamic.http.iter().flat_map(|h| h.routers.values()) {
            assert!(!router.rule.to_ascii_lowercase().contains("forwarded"), "{}", router.rule);
        }
    }
    let ir = ir(WORLD);
    let config = rendered(&ir);
    let forged = Simulator::new(&config, &ir).decide(&get("10.0.0.3", "cart-v2.shop.mesh", "/items"));
    assert_eq!(forged.to_string(), "1/1 forbidden");
}

/// 0.4, 7.2: one caller's routers do not hide another's, whichever targets overlap: all grants of a caller are in one rule.
#[test]
fn trap_0_4_grants_of_several_targets_add_up() {
    let ir = ir(WORLD);
    let config = rendered(&ir);
    let simulator = Simulator::new(&config, &ir);
    for (from, target, decision) in [
        ("10.0.0.1", "/items", "1/1 shop/cart-v1:80 at shop/cart-v1"),
        ("10.0.0.2", "/items", "1/1 shop/cart-v1:80 at shop/cart-v1"),
        ("10.0.0.3", "/items", "1/1 forbidden"),
    ] {
        assert_eq!(simulator.decide(&get(from, "cart-v1.shop.mesh", target)).to_string(), decision);
    }
}

/// 0.5: UDP, which Traefik cannot guard, is closed where access is enforced, and open only when that is asked for.
#[test]
fn trap_0_5_udp_is_closed_rather_than_open() {
    let ir = ir(UDP);
    assert!(ir.services.values().any(|s| s.ports.keys().any(|(_, t)| t.to_string() == "UDP")));
    assert_eq!(rendered(&ir).dynamic.udp, None);
    let mut options = TraefikOptions::default();
    options.open_udp = true;
    let open = Traefik { options }.render(&ir, &ProxyTarget::Node);
    assert!(open.output.dynamic.udp.is_some());
    assert!(open.report.iter().any(|d| d.code.id == "SMI1002"));
}

/// 0.7, 7.4: what a user wrote stands inside a string of its rule, whatever it holds, and reads back as it was.
#[test]
fn trap_0_7_rules_read_back() {
    for text in WORLDS {
        for router in rendered(&ir(text)).dynamic.http.unwrap().routers.values() {
            assert_eq!(parse(&router.rule).unwrap().to_string(), router.rule);
        }
    }
    for argument in ["`", "\"", "`\"`", "\\", "a`) || Host(`b", "{x:.*}", "\u{7f}\u{1}\u{2603}", "&&||!"] {
        let rule = Rule::one(Matcher::PathRegexp, argument);
        assert_eq!(parse(&rule.to_string()).unwrap(), rule, "{rule}");
    }
}

/// 0.8, 7.3: names of different services, and of different parts of one, never meet; long ones stay apart.
#[test]
fn trap_0_8_names_are_injective() {
    for text in [NAMES, LONG, WORLD] {
        let ir = ir(text);
        let config = rendered(&ir);
        let http = config.dynamic.http.unwrap();
        // A service that took another's name would leave its host without a router.
        let hosts: BTreeSet<String> =
            ir.services.keys().map(|s| format!("Host(`{}.{}.mesh`)", s.name, s.namespace)).collect();
        for host in hosts {
            let of_http = http.routers.values().any(|r| r.rule.contains(&host));
            let of_tcp = config.dynamic.tcp.is_some();
            assert!(of_http || of_tcp, "{host} has no router");
        }
        for name in http.routers.keys().chain(http.services.keys()).chain(http.middlewares.keys()) {
            assert!(!name.contains('@'), "{name}");
        }
    }
}

/// 0.9, 0.10, 7.3: a change touches what it is about and nothing else, so that limits, breakers and weights start anew as seldom as can be.
#[test]
fn trap_0_10_an_unrelated_change_changes_no_other_object() {
    let before = rendered(&ir(WORLD));
    let more = format!(
        "{WORLD}---\napiVersion: v1\nkind: Service\nmetadata: {{name: aaa, namespace: aaa}}\nspec: {{ports: [{{name: http, port: 80}}]}}\n"
    );
    let after = rendered(&ir(&more));
    assert_ne!(before.hash, after.hash);
    let (old, new) = (before.dynamic.http.unwrap(), after.dynamic.http.unwrap());
    for (name, router) in old.routers.iter().filter(|(_, r)| r.entry_points != ["ready"]) {
        assert_eq!(new.routers.get(name), Some(router), "{name}");
    }
    for (name, service) in &old.services {
        assert_eq!(new.services.get(name), Some(service), "{name}");
    }
    for (name, middleware) in &old.middlewares {
        assert_eq!(new.middlewares.get(name), Some(middleware), "{name}");
    }
}

/// 0.13, 5.4.6: a document of nothing would wipe all routes; there is always the ready route, and a marker that names the document.
#[test]
fn trap_0_13_no_document_is_empty() {
    let empty = rendered(&Ir::default());
    let text = empty.artifacts().into_iter().find(|a| a.name == "dynamic.yaml").unwrap().text;
    assert!(text.len() > 50 && text.starts_with("http:"), "{text}");
    let marker = format!("Path(`/config/{}`)", empty.hash);
    let http = empty.dynamic.http.unwrap();
    assert!(http.routers.values().any(|r| r.rule == marker), "{http:?}");
    assert_ne!(empty.hash, rendered(&ir(WORLD)).hash);
}

/// 5.1.1–5.1.6: only matchers of Traefik 3, each with as many arguments as it takes, none with a template, no rule syntax of version 2.
#[test]
fn trap_5_1_3_rules_are_of_version_3() {
    for text in WORLDS {
        let config = rendered(&ir(text));
        let mut seen = BTreeSet::new();
        words(&serde_json::to_value(&config.dynamic).unwrap(), &mut seen);
        for word in ["ipWhiteList", "ruleSyntax", "sourceRange6"] {
            assert!(!seen.contains(word), "{word}");
        }
        for router in config.dynamic.http.unwrap().routers.values() {
            let rule = parse(&router.rule).unwrap();
            let mut all = Vec::new();
            matchers(&rule, &mut all);
            for (matcher, arguments) in all {
                let wanted = if matcher == Matcher::HeaderRegexp { 2 } else { 1 };
                assert_eq!(arguments.len(), wanted, "{}", router.rule);
                if matcher == Matcher::PathRegexp || matcher == Matcher::HeaderRegexp {
                    let regex = arguments.last().unwrap();
                    // The one that searches for a character and needs no anchor at its start is about the end of hosts.
                    assert!(regex.starts_with('^'), "unanchored: {regex}");
                }
            }
        }
    }
}

/// 5.1.7, 5.1.8, 7.3: every priority is explicit and positive, and no two routers that may both fit have the same.
#[test]
fn trap_5_1_7_priorities_are_explicit_and_unique() {
    for text in WORLDS {
        let config = rendered(&ir(text));
        // `check` compares them per entry point and host.
        assert_eq!(check(&config.dynamic, &config.install), []);
        for router in config.dynamic.http.iter().flat_map(|h| h.routers.values()) {
            assert!(router.priority > 0);
        }
        for router in config.dynamic.tcp.iter().flat_map(|t| t.routers.values()) {
            assert!(router.priority > 0);
        }
    }
}

/// 5.1.9, 5.1.10, 5.1.11: retries count the first try and are at least one; limits are positive and of the service, not of one caller.
#[test]
fn trap_5_1_9_settings_are_said_aloud() {
    let mut kinds = BTreeSet::new();
    for middleware in rendered(&ir(SETTINGS)).dynamic.http.unwrap().middlewares.values() {
        let tree = serde_json::to_value(middleware).unwrap();
        kinds.extend(tree.as_object().unwrap().keys().cloned());
        match middleware {
            Middleware::Retry(retry) => assert!(retry.attempts > 0),
            Middleware::RateLimit(limit) => {
                assert!(limit.average > 0 && limit.burst > 0);
                assert!(tree.pointer("/rateLimit/sourceCriterion").is_some());
            }
            Middleware::InFlightReq(_) => assert!(tree.pointer("/inFlightReq/sourceCriterion").is_some()),
            Middleware::CircuitBreaker(_) | Middleware::IpAllowList(_) => {}
        }
    }
    for kind in ["retry", "rateLimit", "inFlightReq", "circuitBreaker"] {
        assert!(kinds.contains(kind), "{kind} is not in the world: {kinds:?}");
    }
}

/// 5.1.12, 5.1.15, 7.8: aliases of headers are deleted at every entry point that reads any, encoded characters are as the rules want,
/// the API is not open, polling and throttle are quick, nothing of version 2 is set.
#[test]
fn trap_5_1_15_entry_points_are_strict() {
    let mut options = TraefikOptions::default();
    options.provider = Provider::Http("http://127.0.0.1:9000/".into());
    options.api = true;
    let install = Traefik { options }.render(&ir(WORLD), &ProxyTarget::Node).output.install;
    assert!(install.entry_points.len() > 2);
    for (name, entry) in install.entry_points.iter().filter(|(_, e)| !e.address.ends_with("/udp")) {
        let http = entry.http.as_ref().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(http.alias_headers_strategy, "delete");
        let characters = &http.encoded_characters;
        assert!(!characters.allow_encoded_slash && !characters.allow_encoded_back_slash);
        assert!(!characters.allow_encoded_null_character);
    }
    let tree = serde_json::to_value(&install).unwrap();
    assert_eq!(tree.pointer("/api/insecure"), Some(&false.into()));
    assert_eq!(tree.pointer("/providers/http/pollInterval"), Some(&"1s".into()));
    assert_eq!(tree.pointer("/providers/providersThrottleDuration"), Some(&"200ms".into()));
    assert_eq!(tree.pointer("/ping/manualRouting"), Some(&true.into()));
    for word in ["core", "tracing", "experimental"] {
        assert!(tree.get(word).is_none(), "{word}");
    }
}

/// 5.2.2, 5.2.6, 5.2.7: children of a weighted service exist, stand once, and have a positive whole weight: Traefik would disable the
/// router, count twice, or wait for a child that is never chosen.
#[test]
fn trap_5_2_6_weighted_children_are_sound() {
    let mut seen = 0;
    for text in WORLDS {
        let config = rendered(&ir(text));
        let http = config.dynamic.http.iter().flat_map(|h| &h.services).filter_map(|(_, s)| match &s.kind {
            ServiceKind::Weighted(weighted) => Some(weighted),
            ServiceKind::LoadBalancer(_) => None,
        });
        let tcp = config.dynamic.tcp.iter().flat_map(|t| t.services.values()).filter_map(|s| match s {
            L4Service::Weighted(weighted) => Some(weighted),
            L4Service::LoadBalancer(_) => None,
        });
        for weighted in http.chain(tcp) {
            let names: BTreeSet<&str> = weighted.services.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names.len(), weighted.services.len());
            assert!(names.len() > 1 && weighted.services.iter().all(|c| c.weight > 0));
            seen += 1;
        }
    }
    assert!(seen > 2, "{seen}");
}

/// 5.3.7, 5.3.8: every TCP entry point has a router for everybody, without which a client that no rule takes would hang.
#[test]
fn trap_5_3_7_every_tcp_entry_point_ends_with_a_router_for_everybody() {
    let config = rendered(&ir(WORLD));
    let tcp = config.dynamic.tcp.unwrap();
    let mut last: BTreeMap<&str, (i64, &str)> = BTreeMap::new();
    for router in tcp.routers.values() {
        for entry in &router.entry_points {
            let lowest = last.entry(entry).or_insert((router.priority, &router.rule));
            *lowest = (*lowest).min((router.priority, &router.rule));
        }
    }
    assert!(!last.is_empty());
    assert!(last.values().all(|(_, rule)| *rule == "HostSNI(`*`)"), "{last:?}");
}

/// 5.4: what Traefik rejects, or answers by disabling a router, is found before it sees it.
#[test]
fn trap_5_4_the_checker_knows_what_traefik_rejects() {
    let sound = rendered(&ir(WORLD));
    let faults = |change: &dyn Fn(&mut TraefikConfig)| {
        let mut config = sound.clone();
        change(&mut config);
        let faults = check(&config.dynamic, &config.install);
        faults.into_iter().map(|f| f.0).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(faults(&|_| {}), "");
    let router = |c: &mut TraefikConfig, change: &dyn Fn(&mut Router)| {
        let routers = &mut c.dynamic.http.as_mut().unwrap().routers;
        change(routers.iter_mut().find(|(_, r)| r.rule.contains("ClientIP")).unwrap().1);
    };
    for (what, change) in [
        ("faulty rule", (&|r: &mut Router| r.rule.push_str(" &&")) as &dyn Fn(&mut Router)),
        ("look-around", &|r: &mut Router| r.rule = "PathRegexp(`^(?!x)`)".into()),
        ("unknown matcher", &|r: &mut Router| r.rule = "HeadersRegexp(`a`, `b`)".into()),
        ("unknown service", &|r: &mut Router| r.service = Some("nowhere".into())),
        ("unknown middleware", &|r: &mut Router| r.middlewares = vec!["nothing".into()]),
        ("unknown entry point", &|r: &mut Router| r.entry_points = vec!["http-1".into()]),
    ] {
        assert_ne!(faults(&|c| router(c, change)), "", "{what}");
    }
    let middleware = |c: &mut TraefikConfig, text: Middleware| {
        drop(c.dynamic.http.as_mut().unwrap().middlewares.insert("x".into(), text));
    };
    let list = |ranges: &[&str]| {
        Middleware::IpAllowList(smi_traefik::config::IpAllowList {
            source_range: ranges.iter().map(|r| (*r).to_owned()).collect(),
        })
    };
    for (what, ranges) in [("empty list", &[][..]), ("no range", &["10.0.0.0/33"]), ("no address", &["web"])]
    {
        assert_ne!(faults(&|c| middleware(c, list(ranges))), "", "{what}");
    }
    let retry = Middleware::Retry(smi_traefik::config::http::Retry { attempts: 0 });
    assert_ne!(faults(&|c| middleware(c, retry.clone())), "", "retry 0");
    let breaker = smi_traefik::config::http::CircuitBreaker { expression: String::new() };
    assert_ne!(faults(&|c| middleware(c, Middleware::CircuitBreaker(breaker.clone()))), "", "no expression");
    // A name with an `@` means another provider's object; one priority twice makes the winner change from start to start.
    let renamed = |c: &mut TraefikConfig| {
        let routers = &mut c.dynamic.http.as_mut().unwrap().routers;
        let (_, router) = routers.pop_last().unwrap();
        routers.insert("a@b".into(), router);
    };
    assert_ne!(faults(&renamed), "", "@");
    let twice = |c: &mut TraefikConfig| {
        let routers = &mut c.dynamic.http.as_mut().unwrap().routers;
        let copy = routers.values().find(|r| r.rule.contains("ClientIP")).unwrap().clone();
        routers.insert("copy".into(), copy);
    };
    assert_ne!(faults(&twice), "", "a priority twice");
    let empty = |c: &mut TraefikConfig| c.dynamic.tcp = Some(smi_traefik::config::l4::Tcp::default());
    assert_ne!(faults(&empty), "", "an empty object");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// 5.3.1, 5.4.1, 7.2: Traefik disables a router that it finds a fault in, and the next lower one answers. Whichever are disabled,
    /// nothing opens.
    #[test]
    fn trap_7_2_disabled_routers_open_nothing(
        text in testing::world(),
        requests in proptest::collection::vec(testing::request(), 10..40),
        kept in proptest::collection::vec(proptest::bool::weighted(0.6), 64),
    ) {
        // With a split, another route may be taken, whose pods allow other things.
        let text: String =
            text.split_inclusive("---\n").filter(|d| !d.contains("kind: TrafficSplit")).collect();
        let ir = ir(&text);
        let mut config = rendered(&ir);
        let mut kept = kept.into_iter().cycle();
        config.dynamic.http.as_mut().unwrap().routers.retain(|_, _| kept.next() == Some(true));
        let simulator = Simulator::new(&config, &ir);
        for request in &requests {
            let wanted = eval(&ir, request).distribution();
            for (outcome, share) in simulator.decide(request).iter() {
                if matches!(outcome, Outcome::Served(..)) {
                    let allowed = wanted.iter().find(|(o, _)| *o == outcome).map_or(0.0, |(_, s)| s.as_f64());
                    prop_assert!(share.as_f64() <= allowed + 1e-9, "{:?}\n{}", request, text);
                }
            }
        }
    }
}

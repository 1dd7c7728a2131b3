//! What makes Traefik disable a router, read it otherwise, or count in the wrong place.

use std::collections::{BTreeMap, BTreeSet};

use smi_core::backend::{Backend, ProxyTarget};
use smi_core::ir::EncodedSlashes;
use smi_traefik::config::Weighted;
use smi_traefik::config::http::{Middleware, Router, ServiceKind};
use smi_traefik::config::l4::UdpRouter;
use smi_traefik::rule::{Matcher, parse};
use smi_traefik::{Traefik, TraefikConfig, check};

use crate::support::{WORLD, all_matchers, annotated, config, ir, matchers, routers, tree, walk};

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

/// Whether a backslash was raw, which S9 always refuses, cannot be seen in a rule: matchers see both forms as a backslash, and Traefik
/// forwards both as `%5C`.
#[test]
fn trap_5_1_13_no_backslash_is_let_through() {
    for (slashes, kept) in [(EncodedSlashes::Refuse, false), (EncodedSlashes::Keep, true)] {
        let mut ir = ir(WORLD);
        ir.settings.encoded_slashes = slashes;
        let rendered = Traefik::default().render(&ir, &ProxyTarget::Node);
        for (name, entry_point) in &rendered.output.install.entry_points {
            let allowed = &entry_point.http.as_ref().unwrap_or_else(|| panic!("{name}")).encoded_characters;
            assert!(!allowed.allow_encoded_back_slash && !allowed.allow_encoded_null_character, "{name}");
            assert_eq!(allowed.allow_encoded_slash, kept, "{name}");
        }
        let told = rendered.report.diagnostics.iter().any(|d| d.code.id == "SMI1007");
        assert_eq!(told, kept, "{:?}", rendered.report);
    }
}

/// Traefik's own default would answer 499 after 60 s.
#[test]
fn trap_5_1_17_nothing_ends_a_slow_body() {
    let config = config(WORLD);
    let install = serde_json::to_value(&config.install).unwrap();
    let mut seen = 0;
    for (name, entry_point) in install["entryPoints"].as_object().unwrap() {
        let timeout = entry_point.pointer("/transport/respondingTimeouts/readTimeout");
        let waits = name != "ready" && !name.starts_with("udp");
        assert_eq!(
            timeout.and_then(serde_json::Value::as_str),
            waits.then_some("0s"),
            "{name} {entry_point}"
        );
        seen += u32::from(waits);
    }
    assert!(seen > 1, "{seen}");
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

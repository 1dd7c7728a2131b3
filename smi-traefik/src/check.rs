//! What makes Traefik reject a document or disable a router, checked before it sees one. Traefik itself has no such command.
//!
//! Source: Traefik 3.7.15, each form tried on the binary.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::http::{Middleware, ServiceKind};
use crate::config::install::Install;
use crate::config::l4::{L4Service, TcpMiddleware};
use crate::config::{Dynamic, IpAllowList, Weighted};
use crate::rule::{Matcher, Rule, parse};

/// One fault, in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault(pub String);

/// Every fault of a configuration; empty for everything that is rendered.
#[must_use]
pub fn check(dynamic: &Dynamic, install: &Install) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Ok(tree) = serde_json::to_value(dynamic) {
        empty_objects(&tree, "", &mut faults);
    }
    let mut need = |holds: bool, what: String| {
        if !holds {
            faults.push(Fault(what));
        }
    };
    // Two routers that may both fit must not have one priority: which of them wins would change from start to start.
    let mut priorities: BTreeMap<(String, String), BTreeSet<i64>> = BTreeMap::new();
    if let Some(http) = &dynamic.http {
        let parents: BTreeSet<&String> = http.routers.values().flat_map(|r| &r.parent_refs).collect();
        for (name, router) in &http.routers {
            need(!name.contains('@'), format!("router `{name}`: `@` in its name"));
            match &router.service {
                Some(service) => need(
                    service.ends_with("@internal") || http.services.contains_key(service),
                    format!("router `{name}`: no service `{service}`"),
                ),
                None => need(
                    parents.contains(name),
                    format!("router `{name}`: neither a service nor routers below"),
                ),
            }
            need(
                router.entry_points.is_empty() != router.parent_refs.is_empty(),
                format!("router `{name}`: stands either at entry points or below a router"),
            );
            for parent in &router.parent_refs {
                need(
                    http.routers.get(parent).is_some_and(|p| p.service.is_none()),
                    format!("router `{name}`: no router `{parent}` without a service above"),
                );
            }
            for m in &router.middlewares {
                need(http.middlewares.contains_key(m), format!("router `{name}`: no middleware `{m}`"));
            }
            for e in &router.entry_points {
                need(install.entry_points.contains_key(e), format!("router `{name}`: no entry point `{e}`"));
            }
            match parse(&router.rule) {
                Err(fault) => need(false, format!("router `{name}`: {fault}")),
                Ok(rule) => {
                    if let Some(why) = faulty_regex(&rule) {
                        need(false, format!("router `{name}`: {why}"));
                    }
                    let places = router.entry_points.iter().chain(&router.parent_refs);
                    let places: Vec<&str> = places.map(String::as_str).collect();
                    let key = (places.join(","), host(&rule).unwrap_or_default());
                    need(
                        priorities.entry(key).or_default().insert(router.priority),
                        format!("router `{name}`: priority {} twice", router.priority),
                    );
                }
            }
        }
        for (name, service) in &http.services {
            need(!name.contains('@'), format!("service `{name}`: `@` in its name"));
            for m in &service.middlewares {
                need(http.middlewares.contains_key(m), format!("service `{name}`: no middleware `{m}`"));
            }
            match &service.kind {
                ServiceKind::Weighted(weighted) => {
                    children(name, weighted, &|c| http.services.contains_key(c), &mut need)
                }
                ServiceKind::LoadBalancer(balancer) => {
                    let transport = balancer.servers_transport.as_ref();
                    need(
                        transport.is_none_or(|t| http.servers_transports.contains_key(t)),
                        format!("service `{name}`: no transport"),
                    );
                }
            }
        }
        for (name, middleware) in &http.middlewares {
            match middleware {
                Middleware::IpAllowList(list) => ranges(name, list, &mut need),
                Middleware::Retry(retry) => {
                    need(retry.attempts > 0, format!("middleware `{name}`: 0 attempts"))
                }
                Middleware::RateLimit(limit) => {
                    need(limit.average > 0 && limit.burst > 0, format!("middleware `{name}`: a limit of 0"))
                }
                Middleware::InFlightReq(limit) => {
                    need(limit.amount > 0, format!("middleware `{name}`: a limit of 0"))
                }
                Middleware::CircuitBreaker(breaker) => {
                    need(!breaker.expression.is_empty(), format!("middleware `{name}`: no expression"))
                }
            }
        }
    }
    if let Some(tcp) = &dynamic.tcp {
        let mut priorities = BTreeSet::new();
        for (name, router) in &tcp.routers {
            need(
                tcp.services.contains_key(&router.service),
                format!("TCP router `{name}`: no service `{}`", router.service),
            );
            need(parse(&router.rule).is_ok(), format!("TCP router `{name}`: faulty rule"));
            for e in &router.entry_points {
                need(
                    install.entry_points.contains_key(e),
                    format!("TCP router `{name}`: no entry point `{e}`"),
                );
                need(
                    priorities.insert((e, router.priority)),
                    format!("TCP router `{name}`: priority {} twice", router.priority),
                );
            }
        }
        for (name, middleware) in &tcp.middlewares {
            let TcpMiddleware::IpAllowList(list) = middleware;
            ranges(name, list, &mut need);
        }
        for (name, service) in &tcp.services {
            if let L4Service::Weighted(weighted) = service {
                children(name, weighted, &|c| tcp.services.contains_key(c), &mut need);
            }
        }
    }
    if let Some(udp) = &dynamic.udp {
        let mut taken = BTreeSet::new();
        for (name, router) in &udp.routers {
            need(
                udp.services.contains_key(&router.service),
                format!("UDP router `{name}`: no service `{}`", router.service),
            );
            for e in &router.entry_points {
                need(
                    install.entry_points.contains_key(e),
                    format!("UDP router `{name}`: no entry point `{e}`"),
                );
                need(taken.insert(e), format!("UDP router `{name}`: entry point `{e}` has another router"));
            }
        }
        for (name, service) in &udp.services {
            if let L4Service::Weighted(weighted) = service {
                children(name, weighted, &|c| udp.services.contains_key(c), &mut need);
            }
        }
    }
    faults
}

fn children(
    name: &str,
    weighted: &Weighted,
    exists: &dyn Fn(&str) -> bool,
    need: &mut impl FnMut(bool, String),
) {
    need(!weighted.services.is_empty(), format!("service `{name}`: no children"));
    for child in &weighted.services {
        need(exists(&child.name), format!("service `{name}`: no child `{}`", child.name));
    }
}

fn ranges(name: &str, list: &IpAllowList, need: &mut impl FnMut(bool, String)) {
    need(
        !list.source_range.is_empty(),
        format!("middleware `{name}`: an empty allow list disables its routers"),
    );
    for range in &list.source_range {
        need(is_range(range), format!("middleware `{name}`: `{range}` is no range"));
    }
}

fn is_range(text: &str) -> bool {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|l| l.parse::<u8>().is_ok_and(|l| l <= most))
}

/// Empty objects reject the whole document.
fn empty_objects(tree: &serde_json::Value, path: &str, faults: &mut Vec<Fault>) {
    match tree {
        serde_json::Value::Object(map) => {
            if map.is_empty() && !path.is_empty() {
                faults.push(Fault(format!(
                    "`{path}` is an empty object, for which Traefik rejects the whole document"
                )));
            }
            for (key, value) in map {
                empty_objects(value, &format!("{path}/{key}"), faults);
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| empty_objects(value, path, faults)),
        serde_json::Value::Number(number) if number.is_f64() => {
            faults.push(Fault(format!("`{path}` is not a whole number")));
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

/// The host that a rule asks for, as text.
fn host(rule: &Rule) -> Option<String> {
    match rule {
        Rule::Match(Matcher::Host, _) => Some(rule.to_string()),
        Rule::Match(..) | Rule::Not(_) => None,
        Rule::And(rules) => rules.iter().find_map(host),
        Rule::Or(rules) => rules.iter().all(|r| host(r).is_some()).then(|| rule.to_string()),
    }
}

/// Go refuses whatever the portable patterns refuse, and what it refuses disables the router.
fn faulty_regex(rule: &Rule) -> Option<String> {
    match rule {
        Rule::Match(Matcher::PathRegexp | Matcher::HostRegexp | Matcher::HeaderRegexp, arguments) => {
            let text = arguments.last()?;
            smi_core::ir::Pattern::value(text).err().map(|fault| format!("`{text}`: {fault}"))
        }
        Rule::Match(..) => None,
        Rule::And(rules) | Rule::Or(rules) => rules.iter().find_map(faulty_regex),
        Rule::Not(rule) => faulty_regex(rule),
    }
}

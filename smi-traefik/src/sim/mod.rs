//! Decides requests on a rendered configuration as Traefik would: routers by priority, rules, middlewares, weights.
//!
//! Shape: [`Simulator`] holds the configuration and, to tell which pods a server is, the pools of the IR. Where Traefik reads a path
//! otherwise than `docs/semantics.md` says (S9), so does the simulator: [`path`].
//! Absent: retries, limits and breakers, which do not change where a request may go.

pub mod path;

use std::collections::BTreeMap;
use std::net::IpAddr;

use smi_core::eval::{Decide, Distribution, HttpRequest, Outcome, Payload, Request, Share};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{Ir, ListenerKey, PoolKey, WorkloadId};

use crate::backend::TraefikConfig;
use crate::config::WeightedChild;
use crate::config::http::{Http, Middleware, Router, ServiceKind};
use crate::config::l4::L4Service;
use crate::name;
use crate::rule::{Matcher, Rule, parse};

/// A configuration with what is needed to name its outcomes.
#[derive(Clone, Debug)]
pub struct Simulator<'a> {
    config: &'a TraefikConfig,
    ir: &'a Ir,
    /// Which endpoints a leaf service has.
    leaves: BTreeMap<String, (PoolKey, Option<WorkloadId>)>,
}

/// A request as Traefik's matchers see it.
struct View<'r> {
    client: IpAddr,
    host: String,
    path: String,
    method: &'r str,
    headers: &'r [(String, String)],
}

impl<'a> Simulator<'a> {
    /// A simulator of a configuration that was rendered from this IR.
    #[must_use]
    pub fn new(config: &'a TraefikConfig, ir: &'a Ir) -> Self {
        let mut leaves = BTreeMap::new();
        for (key, pool) in &ir.pools {
            for endpoint in &pool.endpoints {
                let leaf = name::group(key, endpoint.workload.as_ref(), endpoint.port);
                leaves.insert(leaf, (key.clone(), endpoint.workload.clone()));
            }
        }
        Self { config, ir, leaves }
    }

    fn entry_point(&self, key: &ListenerKey) -> Option<String> {
        self.ir.listeners.entries.get(key).map(|listen| name::entry_point(key, *listen))
    }

    fn http(&self, request: &Request, http: &HttpRequest) -> Distribution {
        let Some(path) = path::received(&http.target) else {
            return Distribution::certain(Outcome::BadRequest);
        };
        let (Some(entry_point), Some(config)) =
            (self.entry_point(&ListenerKey::Http(http.port)), self.config.dynamic.http.as_ref())
        else {
            return Distribution::certain(Outcome::NotFound);
        };
        let view = View {
            client: request.caller.peer_address(self.ir),
            host: host(&http.host),
            path: path::matched(&path),
            method: &http.method,
            headers: &http.headers,
        };
        let found =
            first(config, &view, |r| r.entry_points.contains(&entry_point)).map(
                |(name, router)| match first(config, &view, |r| r.parent_refs.contains(name)) {
                    Some((_, below)) => &below.service,
                    None => &router.service,
                },
            );
        let mut out = Distribution::default();
        match found.and_then(|service| service.as_ref()) {
            // Escapes are looked at once there is a router.
            Some(_) if self.is_refused(&entry_point, &path) => out.add(Outcome::BadRequest, Share::ONE),
            Some(service) => self.http_service(config, service, &view, Share::ONE, 0, &mut out),
            None => out.add(Outcome::NotFound, Share::ONE),
        }
        out
    }

    /// Whether an entry point refuses what stands encoded in a path.
    fn is_refused(&self, entry_point: &str, path: &str) -> bool {
        let entry_point = self.config.install.entry_points.get(entry_point);
        entry_point.and_then(|e| e.http.as_ref()).is_some_and(|http| {
            let allowed = &http.encoded_characters;
            [
                ("%2F", allowed.allow_encoded_slash),
                ("%5C", allowed.allow_encoded_back_slash),
                ("%00", allowed.allow_encoded_null_character),
            ]
            .iter()
            .any(|(escape, allowed)| !allowed && path.contains(escape))
        })
    }

    fn http_service(
        &self,
        config: &Http,
        name: &str,
        view: &View<'_>,
        share: Share,
        depth: usize,
        out: &mut Distribution,
    ) {
        let Some(service) = config.services.get(name).filter(|_| depth < 8) else {
            return out.add(Outcome::NotFound, share);
        };
        let refused = service.middlewares.iter().filter_map(|m| config.middlewares.get(m)).any(|m| match m {
            Middleware::IpAllowList(list) => {
                !list.source_range.iter().any(|range| range.parse() == Ok(view.client))
            }
            Middleware::Retry(_)
            | Middleware::CircuitBreaker(_)
            | Middleware::RateLimit(_)
            | Middleware::InFlightReq(_) => false,
        });
        if refused {
            return out.add(Outcome::Forbidden, share);
        }
        match &service.kind {
            ServiceKind::LoadBalancer(balancer) if balancer.servers.is_empty() => {
                out.add(Outcome::Unavailable, share)
            }
            ServiceKind::LoadBalancer(_) => out.add(self.served(name), share),
            ServiceKind::Weighted(weighted) => {
                for (child, part) in shares(&weighted.services) {
                    self.http_service(config, child, view, share.times(part), depth + 1, out);
                }
            }
        }
    }

    fn served(&self, leaf: &str) -> Outcome {
        match self.leaves.get(leaf.strip_suffix("~guarded").unwrap_or(leaf)) {
            Some((pool, workload)) => Outcome::Served(pool.clone(), workload.clone()),
            None => Outcome::NotFound,
        }
    }

    fn tcp(&self, request: &Request, service: &Namespaced, port: Port) -> Distribution {
        let entry_point = self.entry_point(&ListenerKey::Tcp(service.clone(), port));
        let (Some(entry_point), Some(config)) = (entry_point, self.config.dynamic.tcp.as_ref()) else {
            return Distribution::certain(Outcome::NotFound);
        };
        let view = View {
            client: request.caller.peer_address(self.ir),
            host: String::new(),
            path: String::new(),
            method: "",
            headers: &[],
        };
        let mut routers: Vec<_> =
            config.routers.values().filter(|r| r.entry_points.contains(&entry_point)).collect();
        routers.sort_by_key(|r| std::cmp::Reverse(r.priority));
        let found = routers.into_iter().find(|r| parse(&r.rule).is_ok_and(|rule| matches(&rule, &view)));
        match found {
            Some(router) => self.l4(&config.services, &router.service),
            None => Distribution::certain(Outcome::NotFound),
        }
    }

    fn udp(&self, service: &Namespaced, port: Port) -> Distribution {
        let entry_point = self.entry_point(&ListenerKey::Udp(service.clone(), port));
        let (Some(entry_point), Some(config)) = (entry_point, self.config.dynamic.udp.as_ref()) else {
            return Distribution::certain(Outcome::Unavailable);
        };
        match config.routers.values().find(|r| r.entry_points.contains(&entry_point)) {
            Some(router) => self.l4(&config.services, &router.service),
            None => Distribution::certain(Outcome::Unavailable),
        }
    }

    fn l4(&self, services: &BTreeMap<String, L4Service>, name: &str) -> Distribution {
        let mut out = Distribution::default();
        self.l4_service(services, name, Share::ONE, 0, &mut out);
        out
    }

    fn l4_service(
        &self,
        services: &BTreeMap<String, L4Service>,
        name: &str,
        share: Share,
        depth: usize,
        out: &mut Distribution,
    ) {
        match services.get(name).filter(|_| depth < 8) {
            None => out.add(Outcome::NotFound, share),
            Some(L4Service::LoadBalancer(balancer)) if balancer.servers.is_empty() => {
                out.add(Outcome::Unavailable, share)
            }
            Some(L4Service::LoadBalancer(_)) => out.add(self.served(name), share),
            Some(L4Service::Weighted(weighted)) => {
                for (child, part) in shares(&weighted.services) {
                    self.l4_service(services, child, share.times(part), depth + 1, out);
                }
            }
        }
    }
}

impl Decide for Simulator<'_> {
    fn decide(&self, request: &Request) -> Distribution {
        match &request.payload {
            Payload::Http(http) => self.http(request, http),
            Payload::Tcp { service, port } => self.tcp(request, service, *port),
            Payload::Udp { service, port } => self.udp(service, *port),
        }
    }
}

/// The router that takes a request among those that are asked.
fn first<'c>(
    config: &'c Http,
    view: &View<'_>,
    asked: impl Fn(&Router) -> bool,
) -> Option<(&'c String, &'c Router)> {
    let mut routers: Vec<_> = config.routers.iter().filter(|(_, r)| asked(r)).collect();
    routers.sort_by_key(|(_, r)| std::cmp::Reverse(r.priority));
    routers.into_iter().find(|(_, r)| parse(&r.rule).is_ok_and(|rule| matches(&rule, view)))
}

fn shares(children: &[WeightedChild]) -> impl Iterator<Item = (&str, Share)> {
    let total: u64 = children.iter().map(|c| u64::from(c.weight)).sum();
    children.iter().map(move |c| (c.name.as_str(), Share::new(u64::from(c.weight), total)))
}

/// Lower case and without port. `Host` ignores a trailing dot, `HostRegexp` sees it.
fn host(text: &str) -> String {
    let host = match text.rsplit_once(':') {
        Some((name, _)) if !text.ends_with(']') => name,
        _ => text,
    };
    host.to_ascii_lowercase()
}

fn matches(rule: &Rule, view: &View<'_>) -> bool {
    match rule {
        Rule::And(rules) => rules.iter().all(|r| matches(r, view)),
        Rule::Or(rules) => rules.iter().any(|r| matches(r, view)),
        Rule::Not(rule) => !matches(rule, view),
        Rule::Match(matcher, arguments) => {
            let Some(last) = arguments.last() else { return false };
            let search =
                |value: &str| regex::bytes::Regex::new(last).is_ok_and(|r| r.is_match(value.as_bytes()));
            match matcher {
                Matcher::Host => view.host.strip_suffix('.').unwrap_or(&view.host) == last,
                Matcher::HostRegexp => search(&view.host),
                Matcher::Path => *last == view.path,
                Matcher::PathRegexp => search(&view.path),
                Matcher::PathPrefix => view.path.starts_with(last.as_str()),
                // Traefik reads the rule's method, not the request's, in upper case.
                Matcher::Method => last.to_uppercase() == view.method,
                Matcher::HeaderRegexp => {
                    let Some(name) = arguments.first() else { return false };
                    let mut lines = view.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
                    lines.any(|(_, value)| search(value.trim_matches([' ', '\t'])))
                }
                Matcher::ClientIp => last.parse() == Ok(view.client),
                Matcher::HostSni => last == "*",
            }
        }
    }
}

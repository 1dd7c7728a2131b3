//! What the connection manager makes of a request: host and path as they are matched and forwarded, then the route and its legs.

use std::net::IpAddr;

use smi_core::eval::{HttpRequest, Outcome, Share};

use super::Leg;
use super::matching::{passes, route_matches};
use crate::config::listener::{EscapedSlashes, FilterChain, HttpConnectionManager};
use crate::config::route::{ClusterWeight, RouteActionKind, WeightedCluster};
use crate::resources::Resources;

/// A request as Envoy's matchers see it.
pub(super) struct View<'r> {
    pub(super) client: IpAddr,
    /// The URI of the peer's certificate.
    pub(super) identity: Option<&'r str>,
    pub(super) path: String,
    pub(super) method: &'r str,
    /// In lower case, without port and trailing dot.
    pub(super) authority: String,
    pub(super) headers: &'r [(String, String)],
}

/// What becomes of a request.
pub(super) struct Routed {
    /// The request as it is forwarded.
    pub(super) forwarded: HttpRequest,
    /// Clusters with their share; an outcome where the access filter refuses.
    pub(super) legs: Vec<(Result<Leg, Outcome>, Share)>,
}

pub(super) fn manager(chain: &FilterChain) -> Option<HttpConnectionManager> {
    chain.filters.iter().find_map(|f| f.typed_config.as_ref()?.unpack())
}

/// Routes a request of a peer that is known by address and, over TLS, by certificate. An outcome: the proxy answers by itself.
pub(super) fn route(
    resources: &Resources,
    manager: &HttpConnectionManager,
    (client, identity): (IpAddr, Option<&str>),
    http: &HttpRequest,
) -> Result<Routed, Outcome> {
    let path = normalised(&http.target, manager).ok_or(Outcome::BadRequest)?;
    let host = host(&http.host, manager);
    let view = View {
        client,
        identity,
        path,
        method: &http.method,
        authority: host.clone(),
        headers: &http.headers,
    };
    let routes = manager.rds.as_ref().and_then(|rds| resources.routes.get(&rds.route_config_name));
    let hosts = routes.map(|r| r.virtual_hosts.as_slice()).unwrap_or_default();
    let of = |domain: &str| hosts.iter().find(|h| h.domains.iter().any(|d| d == domain));
    let vhost = of(&host).or_else(|| of("*")).ok_or(Outcome::NotFound)?;
    let route = vhost.routes.iter().find(|r| route_matches(r, &view)).ok_or(Outcome::NotFound)?;
    let allows = |leg: Option<&ClusterWeight>| {
        passes(manager, leg.map(|l| &l.typed_per_filter_config), route, vhost, &view)
    };
    let legs = match &route.action {
        Some(RouteActionKind::DirectResponse(_)) if !allows(None) => return Err(Outcome::Forbidden),
        Some(RouteActionKind::DirectResponse(answer)) => {
            return Err(match answer.status {
                400 => Outcome::BadRequest,
                404 => Outcome::NotFound,
                _ => Outcome::Unavailable,
            });
        }
        Some(RouteActionKind::Route(action)) => action
            .weighted_clusters
            .iter()
            .flat_map(shares)
            .map(|(leg, share)| {
                let to = if allows(Some(leg)) { Ok(meant(leg)) } else { Err(Outcome::Forbidden) };
                (to, share)
            })
            .collect(),
        None => return Err(Outcome::NotFound),
    };
    let query = http.target.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
    let forwarded = HttpRequest { host, target: view.path + &query, ..http.clone() };
    Ok(Routed { forwarded, legs })
}

fn meant(leg: &ClusterWeight) -> Leg {
    Leg { cluster: leg.name.clone(), metadata: leg.metadata_match.clone() }
}

fn shares(weighted: &WeightedCluster) -> impl Iterator<Item = (&ClusterWeight, Share)> + use<'_> {
    let total: u64 = weighted.clusters.iter().map(|c| u64::from(c.weight.unwrap_or(0))).sum();
    weighted.clusters.iter().map(move |c| (c, Share::new(c.weight.unwrap_or(0).into(), total)))
}

fn host(text: &str, manager: &HttpConnectionManager) -> String {
    let mut host = match text.rsplit_once(':') {
        Some((name, _)) if manager.strip_any_host_port && !text.ends_with(']') => name,
        _ => text,
    };
    if manager.strip_trailing_host_dot {
        host = host.strip_suffix('.').unwrap_or(host);
    }
    host.to_ascii_lowercase()
}

/// The path that Envoy matches and forwards; `None`: 400.
fn normalised(target: &str, manager: &HttpConnectionManager) -> Option<String> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if !path.starts_with('/') || path.bytes().any(|b| b <= b' ' || b >= 0x7f || b == b'#') {
        return None;
    }
    let lower = path.to_ascii_lowercase();
    let slashes = lower.contains("%2f") || lower.contains("%5c");
    let reject = manager.path_with_escaped_slashes_action == i32::from(EscapedSlashes::Reject);
    if lower.contains("%00") || (slashes && reject) {
        return None;
    }
    if manager.normalize_path != Some(true) {
        return Some(path.to_owned());
    }
    // A raw backslash is a slash; what is no escape stays as it is.
    let decoded = decode_unreserved(&path.replace('\\', "/"));
    Some(without_dots(&decoded, manager.merge_slashes))
}

fn decode_unreserved(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let value = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match value.map(char::from) {
            Some(c) if c.is_ascii_alphanumeric() || "-._~".contains(c) => {
                out.push(c);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push('%');
                rest = after;
            }
        }
    }
    out + rest
}

fn without_dots(path: &str, merge: bool) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut last = "";
    for segment in path.split('/').skip(1) {
        last = segment;
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            "" if merge => {}
            other => kept.push(other),
        }
    }
    let directory = matches!(last, "." | "..") || (merge && last.is_empty());
    let mut out = kept.iter().fold(String::with_capacity(path.len()), |out, s| out + "/" + s);
    if directory || out.is_empty() {
        out.push('/');
    }
    out
}

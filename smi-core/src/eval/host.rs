//! Which service a host names (S37).

use std::net::IpAddr;

use crate::hub::names::{Namespace, Namespaced};
use crate::ir::{Ir, Service};

/// Lower case, without port and trailing dot.
#[must_use]
pub fn canonical(host: &str) -> String {
    let host = match host.rsplit_once(':') {
        // An IPv6 literal without port ends in `]`.
        Some((name, _)) if !host.ends_with(']') => name,
        _ => host,
    };
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// By `service.namespace.<mesh domain>`, canonical: what every proxy knows.
#[must_use]
pub fn in_mesh<'ir>(ir: &'ir Ir, host: &str) -> Option<(Namespaced, &'ir Service)> {
    ir.settings.mesh_domains.iter().find_map(|domain| {
        let (service, namespace) = host.strip_suffix(&**domain)?.strip_suffix('.')?.split_once('.')?;
        let name = Namespaced::new(namespace, service);
        ir.services.get(&name).map(|service| (name, service))
    })
}

/// `service` of the caller's own namespace, `service.namespace`, the same with `.svc` and the cluster's domain, or an address that is one
/// service's alone: what an application calls through its own sidecar. The host is canonical.
#[must_use]
pub fn in_cluster<'ir>(
    ir: &'ir Ir,
    host: &str,
    own: Option<&Namespace>,
) -> Option<(Namespaced, &'ir Service)> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        let mut having = ir.services.iter().filter(|(_, s)| s.addresses.contains(&address));
        let (name, service) = having.next()?;
        return having.next().is_none().then(|| (name.clone(), service));
    }
    let short = host.strip_suffix(&*ir.settings.cluster_domain).and_then(|rest| rest.strip_suffix('.'));
    let (service, namespace) = match short.unwrap_or(host).split_once('.') {
        Some((service, rest)) => match rest.strip_suffix(".svc") {
            Some(namespace) => (service, namespace),
            // The cluster's domain follows `.svc` only.
            None if short.is_some() => return None,
            None => (service, rest),
        },
        None if short.is_some() => return None,
        None => (host, own?.as_str()),
    };
    let name = Namespaced::new(namespace, service);
    ir.services.get(&name).map(|service| (name, service))
}

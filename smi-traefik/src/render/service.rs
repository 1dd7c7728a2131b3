//! Leaves and weights of one route.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use smi_core::hub::names::Port;
use smi_core::ir::{PoolKey, Protocol, Route, Scheme, WorkloadId};

use super::access::Access;
use super::{At, Output};
use crate::config::WeightedChild;
use crate::config::http::{LoadBalancer, Server, ServersTransport, Service, ServiceKind};
use crate::config::l4::{L4LoadBalancer, L4Server, L4Service};
use crate::config::{IpAllowList, Weighted, http::Middleware};
use crate::name;

/// Ready endpoints of a target that are alike: one workload, one pod port.
pub(super) struct Group<'a> {
    pub(super) pool: &'a PoolKey,
    pub(super) workload: Option<&'a WorkloadId>,
    pub(super) port: Port,
    pub(super) endpoints: Vec<SocketAddr>,
    pub(super) access: Access<'a>,
}

/// One target with a positive weight.
pub(super) struct Leg<'a> {
    pub(super) weight: u32,
    /// Empty: no ready endpoint, the share fails (S20).
    pub(super) groups: Vec<Group<'a>>,
}

/// Which groups of a route serve; the others refuse. In the order of legs and groups.
pub(super) type Serving = Vec<bool>;

/// The legs of a route.
pub(super) fn legs<'a>(
    out: &Output<'a>,
    route: &'a Route,
    access: impl Fn(Option<&'a WorkloadId>, Port) -> Access<'a>,
) -> Vec<Leg<'a>> {
    let mut legs = Vec::new();
    for target in route.targets.iter().filter(|t| t.weight > 0) {
        let mut alike: BTreeMap<(Option<&WorkloadId>, Port), Vec<SocketAddr>> = BTreeMap::new();
        for endpoint in out.ir.pools.get(&target.pool).into_iter().flat_map(|p| p.ready()) {
            alike.entry((endpoint.workload.as_ref(), endpoint.port)).or_default().push(endpoint.socket());
        }
        let groups = alike.into_iter().map(|((workload, port), endpoints)| Group {
            pool: &target.pool,
            workload,
            port,
            endpoints,
            access: access(workload, port),
        });
        legs.push(Leg { weight: target.weight, groups: groups.collect() });
    }
    legs
}

/// `1` for each group that serves, `0` for each that refuses.
pub(super) fn bits(serving: &[bool]) -> String {
    serving.iter().map(|s| if *s { '1' } else { '0' }).collect()
}

/// Adds up children of the same name.
fn merged(children: Vec<(String, u32)>) -> Vec<WeightedChild> {
    let mut out: Vec<WeightedChild> = Vec::new();
    for (name, weight) in children {
        match out.iter_mut().find(|c| c.name == name) {
            // Weights of one route add up to at most u32::MAX.
            Some(child) => child.weight = child.weight.saturating_add(weight),
            None => out.push(WeightedChild { name, weight }),
        }
    }
    out
}

/// How services are made at one layer.
pub(super) trait Layer {
    fn leaf(&mut self, group: &Group<'_>) -> String;
    fn refusing(&mut self) -> String;
    fn unavailable(&mut self) -> String;
    fn weighted(&mut self, name: String, children: Vec<WeightedChild>) -> String;
}

/// The service that serves where `serving` says so; its name.
pub(super) fn weighted(
    layer: &mut impl Layer,
    at: &At<'_>,
    route: usize,
    legs: &[Leg<'_>],
    serving: &[bool],
) -> String {
    let name = |parts: &[&str]| {
        let route = route.to_string();
        let bits = bits(serving);
        let mut all = vec!["route", &route, "serving", &bits];
        all.extend_from_slice(parts);
        name::of_port(at.name, at.number, &all)
    };
    let mut serving = serving.iter();
    let mut children = Vec::new();
    for (place, leg) in legs.iter().enumerate() {
        let mut alike = Vec::new();
        for group in &leg.groups {
            let child = if serving.next() == Some(&true) { layer.leaf(group) } else { layer.refusing() };
            alike.push((child, u32::try_from(group.endpoints.len()).unwrap_or(u32::MAX)));
        }
        let alike = merged(alike);
        let child = match alike.as_slice() {
            [] => layer.unavailable(),
            [only] => only.name.clone(),
            _ => layer.weighted(name(&["leg", &place.to_string()]), alike),
        };
        children.push((child, leg.weight));
    }
    let children = merged(children);
    match children.as_slice() {
        [] => layer.unavailable(),
        [only] => only.name.clone(),
        _ => layer.weighted(name(&[]), children),
    }
}

/// HTTP services. `guarded`: leaves check their callers themselves.
pub(super) struct HttpLayer<'o, 'a> {
    pub(super) out: &'o mut Output<'a>,
    pub(super) guarded: bool,
}

impl Layer for HttpLayer<'_, '_> {
    fn leaf(&mut self, group: &Group<'_>) -> String {
        let plain = name::group(group.pool, group.workload, group.port);
        if !self.guarded || group.access.open {
            self.load_balancer(plain.clone(), group, Vec::new());
            return plain;
        }
        let callers = self.out.access.addresses(group.access.callers.keys());
        if callers.is_empty() {
            return self.refusing();
        }
        let guarded = format!("{plain}~guarded");
        let allow = IpAllowList { source_range: callers.iter().map(ToString::to_string).collect() };
        self.out.http.middlewares.insert(guarded.clone(), Middleware::IpAllowList(allow));
        self.load_balancer(guarded.clone(), group, vec![guarded.clone()]);
        guarded
    }

    fn refusing(&mut self) -> String {
        let http = &mut self.out.http;
        if !http.services.contains_key(name::FORBIDDEN) {
            http.middlewares.insert(name::NOBODY.into(), Middleware::IpAllowList(IpAllowList::nobody()));
            let kind =
                ServiceKind::LoadBalancer(LoadBalancer { servers: Vec::new(), servers_transport: None });
            http.services
                .insert(name::FORBIDDEN.into(), Service { kind, middlewares: vec![name::NOBODY.into()] });
        }
        name::FORBIDDEN.into()
    }

    fn unavailable(&mut self) -> String {
        let kind = ServiceKind::LoadBalancer(LoadBalancer { servers: Vec::new(), servers_transport: None });
        self.out
            .http
            .services
            .entry(name::UNAVAILABLE.into())
            .or_insert(Service { kind, middlewares: Vec::new() });
        name::UNAVAILABLE.into()
    }

    fn weighted(&mut self, name: String, services: Vec<WeightedChild>) -> String {
        let kind = ServiceKind::Weighted(Weighted { services });
        self.out.http.services.entry(name.clone()).or_insert(Service { kind, middlewares: Vec::new() });
        name
    }
}

impl HttpLayer<'_, '_> {
    fn load_balancer(&mut self, name: String, group: &Group<'_>, middlewares: Vec<String>) {
        if self.out.http.services.contains_key(&name) {
            return;
        }
        let scheme = self.scheme(group.pool);
        let prefix = match scheme {
            Scheme::Http => "http",
            Scheme::H2c => "h2c",
            Scheme::Https => "https",
        };
        let servers = group.endpoints.iter().map(|a| Server { url: format!("{prefix}://{a}") }).collect();
        let servers_transport = (scheme == Scheme::Https && self.out.options.insecure_pod_tls).then(|| {
            let transport = ServersTransport { insecure_skip_verify: true };
            self.out.http.servers_transports.insert(name::POD_TLS.into(), transport);
            name::POD_TLS.to_owned()
        });
        let kind = ServiceKind::LoadBalancer(LoadBalancer { servers, servers_transport });
        self.out.http.services.insert(name, Service { kind, middlewares });
    }

    /// What the pods of a pool speak: their own Service's scheme, also behind a split.
    fn scheme(&self, pool: &PoolKey) -> Scheme {
        let port = self.out.ir.services.get(&pool.service).and_then(|s| s.port(pool.port, pool.transport));
        match port.map(|p| p.protocol) {
            Some(Protocol::Http(scheme)) => scheme,
            Some(Protocol::Tcp | Protocol::Udp) | None => Scheme::Http,
        }
    }
}

/// TCP or UDP services.
pub(super) struct L4Layer<'o>(pub(super) &'o mut BTreeMap<String, L4Service>);

impl Layer for L4Layer<'_> {
    fn leaf(&mut self, group: &Group<'_>) -> String {
        let name = name::group(group.pool, group.workload, group.port);
        let servers = group.endpoints.iter().map(|a| L4Server { address: a.to_string() }).collect();
        self.0.insert(name.clone(), L4Service::LoadBalancer(L4LoadBalancer { servers }));
        name
    }

    /// A service without servers closes connections before their first byte.
    fn refusing(&mut self) -> String {
        self.unavailable()
    }

    fn unavailable(&mut self) -> String {
        let none = L4Service::LoadBalancer(L4LoadBalancer { servers: Vec::new() });
        self.0.insert(name::UNAVAILABLE.into(), none);
        name::UNAVAILABLE.into()
    }

    fn weighted(&mut self, name: String, services: Vec<WeightedChild>) -> String {
        self.0.insert(name.clone(), L4Service::Weighted(Weighted { services }));
        name
    }
}

//! IRs: what the compiler makes of random worlds, and some that it never makes.
//!
//! Invariant: every IR here passes [`verify`](crate::ir::verify).
//! Shape: [`compiled`] goes through hub, cluster and [`options`]; [`direct`] is put together by hand and reaches what the compiler does
//! not: routes across namespaces, conditions that hold for nothing, several conditional routes, targets of weight 0 beside huge ones,
//! SPIFFE IDs of other trust domains, endpoints of no known pod, empty port sets, pools without endpoints, several mesh domains.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::sample::{Index, select, subsequence};
use proptest::{bool, option, prop_oneof};

use super::vocabulary::{ACCOUNTS, APPS, HEADERS, PATHS};
use super::{cluster, hub};
use crate::cluster::PodId;
use crate::compile::{AllowProbes, CompileOptions, DeadBackends, DefaultProtocol, MeshMode, compile};
use crate::diag::ObjectRef;
use crate::hub::names::{Name, Namespaced, Port, SpiffeId, Transport};
use crate::ir::{
    AllowedPorts, EncodedSlashes, Endpoint, Grant, GrantRules, HeaderMatch, HttpCondition, HttpGrant,
    HttpMatch, Ir, ListenerKey, Methods, Mode, Origin, Pattern, Pod, Pool, PoolKey, PortTable, Principal,
    Protocol, ProtocolSource, Route, RouteCondition, Scheme, Service, ServicePort, Settings, SourceGrant,
    Target, Workload, WorkloadId,
};

/// Options of the compiler, mostly the default ones.
pub fn options() -> BoxedStrategy<CompileOptions> {
    let mode = prop_oneof![
        6 => Just(MeshMode::Enforce),
        1 => Just(MeshMode::Permissive),
        1 => Just(MeshMode::EnforceLabelled { key: "mesh".into(), value: "on".into() }),
    ];
    let probes = prop_oneof![
        1 => Just(AllowProbes::Never),
        6 => Just(AllowProbes::Sidecars),
        2 => Just(AllowProbes::Everywhere),
    ];
    (mode, settings(), bool::weighted(0.2), bool::weighted(0.2), probes)
        .prop_map(|(mode, settings, drop, tcp, probes)| CompileOptions {
            settings,
            mode,
            dead_backends: if drop { DeadBackends::Drop } else { DeadBackends::Fail },
            default_protocol: if tcp { DefaultProtocol::Tcp } else { DefaultProtocol::Http },
            allow_probes: probes,
            ..CompileOptions::default()
        })
        .boxed()
}

fn settings() -> BoxedStrategy<Settings> {
    (bool::weighted(0.2), bool::weighted(0.2))
        .prop_map(|(keep, several)| Settings {
            encoded_slashes: if keep { EncodedSlashes::Keep } else { EncodedSlashes::Refuse },
            mesh_domains: if several {
                vec!["mesh".into(), "mesh.example".into()]
            } else {
                Settings::default().mesh_domains
            },
            ..Settings::default()
        })
        .boxed()
}

/// IRs of both ways.
pub fn ir() -> BoxedStrategy<Ir> {
    prop_oneof![3 => compiled(), 1 => direct()].boxed()
}

/// What the compiler makes of a random world.
pub fn compiled() -> BoxedStrategy<Ir> {
    (cluster::cluster(), hub::hub(), options())
        .prop_map(|(cluster, hub, options)| compile(&hub, &cluster, &options).ir)
        .boxed()
}

fn origin(kind: &'static str, name: &Namespaced) -> Origin {
    Origin::object(Arc::new(ObjectRef::new("", "v1", kind, name)))
}

/// A match, with patterns that are portable.
fn http_match() -> BoxedStrategy<Arc<HttpMatch>> {
    let methods = prop_oneof![
        Just(Methods::Any),
        Just(Methods::Only(BTreeSet::from(["GET".into()]))),
        Just(Methods::Only(BTreeSet::from(["POST".into(), "get".into()]))),
    ];
    (option::of(select(&PATHS[..])), methods, option::weighted(0.3, select(&HEADERS[..])))
        .prop_map(|(path, methods, header)| {
            let headers = header.and_then(|(name, value)| {
                let name = name.to_ascii_lowercase().replace(":authority", "host");
                Some(HeaderMatch { name: name.into(), value: Pattern::value(value).ok()? })
            });
            Arc::new(HttpMatch {
                path: path.and_then(|p| Pattern::path(p).ok()),
                methods,
                headers: headers.into_iter().collect(),
                origin: origin("HTTPRouteGroup", &Namespaced::new("a", "g")),
            })
        })
        .boxed()
}

fn allowed() -> BoxedStrategy<AllowedPorts> {
    let some = subsequence(vec![80_u16, 5432, 5353, 65535], 0..3)
        .prop_map(|ports| AllowedPorts::Only(ports.into_iter().filter_map(Port::new).collect()));
    prop_oneof![Just(AllowedPorts::All), some].boxed()
}

fn mode() -> BoxedStrategy<Mode> {
    prop_oneof![4 => Just(Mode::Enforce), 1 => Just(Mode::Permissive)].boxed()
}

#[derive(Clone, Debug)]
struct GrantDraft {
    sources: Vec<(u8, Index)>,
    http: Option<(AllowedPorts, Option<Vec<Arc<HttpMatch>>>)>,
    tcp: Option<AllowedPorts>,
    udp: Option<AllowedPorts>,
    destinations: Vec<Index>,
}

fn grant() -> BoxedStrategy<GrantDraft> {
    let http = option::weighted(0.8, (allowed(), option::weighted(0.7, vec(http_match(), 0..4))));
    (
        vec((0_u8..4, any::<Index>()), 1..4),
        http,
        option::of(allowed()),
        option::of(allowed()),
        vec(any::<Index>(), 0..3),
    )
        .prop_map(|(sources, http, tcp, udp, destinations)| GrantDraft {
            sources,
            http,
            tcp,
            udp,
            destinations,
        })
        .boxed()
}

/// Places of pools, with weights.
type Weighted = Vec<(Index, u32)>;

#[derive(Clone, Debug)]
struct PortDraft {
    protocol: Protocol,
    conditional: Vec<(Vec<Arc<HttpMatch>>, Weighted)>,
    targets: Weighted,
}

fn port() -> BoxedStrategy<PortDraft> {
    let protocol = prop_oneof![
        4 => Just(Protocol::Http(Scheme::Http)),
        1 => Just(Protocol::Http(Scheme::H2c)),
        2 => Just(Protocol::Tcp),
        1 => Just(Protocol::Udp),
    ];
    let weight = || prop_oneof![6 => 0_u32..5, 1 => Just(u32::MAX / 8)];
    let targets = move || vec((any::<Index>(), weight()), 1..5);
    (protocol, vec((vec(http_match(), 0..3), targets()), 0..3), targets())
        .prop_map(|(protocol, conditional, targets)| PortDraft { protocol, conditional, targets })
        .boxed()
}

/// Whose pod an endpoint is: place among the pods, or nobody's; and whether it is ready.
type EndpointDraft = (Option<Index>, bool);

/// An IR that was put together by hand.
pub fn direct() -> BoxedStrategy<Ir> {
    let workload =
        (select(&["a", "a-b"][..]), select(&ACCOUNTS[..]), subsequence(vec!["crew", "probe"], 0..=2), mode());
    let endpoint = (option::weighted(0.9, any::<Index>()), bool::weighted(0.8));
    let service = (port(), vec(endpoint, 0..4), mode());
    (settings(), vec((workload, 0_u8..4), 1..5), vec(service, 1..=APPS.len()), vec(grant(), 0..6))
        .prop_map(|(settings, workloads, services, grants)| {
            let mut ir = Ir { settings, ..Ir::default() };
            add_workloads(&mut ir, workloads);
            add_services(&mut ir, services);
            add_grants(&mut ir, grants);
            ir
        })
        .boxed()
}

type WorkloadDraft = ((&'static str, &'static str, Vec<&'static str>, Mode), u8);

fn add_workloads(ir: &mut Ir, drafts: Vec<WorkloadDraft>) {
    for (place, ((namespace, account, bindings, mode), pods)) in (1_u8..).zip(drafts) {
        let id = WorkloadId::new(
            namespace.into(),
            Name::from(account),
            bindings.into_iter().map(Name::from).collect::<Vec<_>>().into(),
        );
        for number in 1..=pods {
            let pod = PodId::pod(Namespaced::new(namespace, &*format!("{account}-{place}-{number}")));
            let address = IpAddr::from([127, 1, place, number]);
            ir.callers.insert(address, pod.clone());
            let addresses = [address].into_iter().collect();
            ir.pods.insert(pod, Pod { workload: id.clone(), addresses, probes: [].into() });
        }
        let fresh = Workload { mode, grants: Vec::new(), probes: BTreeSet::new() };
        ir.workloads.entry(id).or_insert(fresh);
    }
}

fn add_services(ir: &mut Ir, drafts: Vec<(PortDraft, Vec<EndpointDraft>, Mode)>) {
    let pods: Vec<(PodId, Pod)> = ir.pods.iter().map(|(id, pod)| (id.clone(), pod.clone())).collect();
    let key = |place: usize, draft: &PortDraft| {
        let (namespace, name) = APPS.get(place).copied().unwrap_or(("a", "rest"));
        let (number, transport) = match draft.protocol {
            Protocol::Http(_) => (80, Transport::Tcp),
            Protocol::Tcp => (5432, Transport::Tcp),
            Protocol::Udp => (53, Transport::Udp),
        };
        let port = Port::new(number).unwrap_or(Port::MAX);
        PoolKey { service: Namespaced::new(namespace, name), port, transport }
    };
    // A route may only lead to pools that speak what it carries.
    let alike = |a: Protocol, b: Protocol| std::mem::discriminant(&a) == std::mem::discriminant(&b);
    let keys: Vec<(PoolKey, Protocol)> =
        drafts.iter().enumerate().map(|(place, (port, ..))| (key(place, port), port.protocol)).collect();
    for (place, (draft, endpoints, mode)) in drafts.into_iter().enumerate() {
        let own = key(place, &draft);
        let number = match draft.protocol {
            Protocol::Http(_) => 8080,
            Protocol::Tcp => 5432,
            Protocol::Udp => 5353,
        };
        let mut listed: BTreeMap<SocketAddr, Endpoint> = BTreeMap::new();
        for (count, (pod, ready)) in (1_u8..).zip(endpoints) {
            let pod = pod.filter(|_| !pods.is_empty()).and_then(|index| pods.get(index.index(pods.len())));
            let foreign = IpAddr::from([127, 250, u8::try_from(place).unwrap_or(0), count]);
            let address = pod.and_then(|(_, p)| p.addresses.first()).copied().unwrap_or(foreign);
            let port = Port::new(number).unwrap_or(Port::MAX);
            let endpoint = Endpoint {
                address,
                port,
                ready,
                pod: pod.map(|(id, _)| id.clone()),
                workload: pod.map(|(_, p)| p.workload.clone()),
                locality: None,
            };
            listed.insert(endpoint.socket(), endpoint);
        }
        ir.pools
            .insert(own.clone(), Pool { endpoints: listed.into_values().collect(), templates: Vec::new() });
        let reachable: Vec<&PoolKey> =
            keys.iter().filter(|(_, p)| alike(*p, draft.protocol)).map(|(key, _)| key).collect();
        let service = origin("Service", &own.service);
        let targets = |list: Weighted| {
            let mut summed: BTreeMap<&PoolKey, u32> = BTreeMap::new();
            for (index, weight) in list {
                if let Some(pool) = reachable.get(index.index(reachable.len().max(1))) {
                    let sum = summed.entry(pool).or_default();
                    *sum = sum.saturating_add(weight);
                }
            }
            if summed.values().all(|weight| *weight == 0) {
                summed.insert(&own, 1);
            }
            let target = |(pool, weight): (&PoolKey, u32)| Target {
                pool: pool.clone(),
                weight,
                origin: service.clone(),
            };
            summed.into_iter().map(target).collect()
        };
        let mut routes = Vec::new();
        if matches!(draft.protocol, Protocol::Http(_)) {
            for (condition, list) in draft.conditional {
                routes.push(Route {
                    condition: RouteCondition::AnyOf(condition),
                    targets: targets(list),
                    origin: service.clone(),
                });
            }
        }
        let everything = Route {
            condition: RouteCondition::Everything,
            targets: targets(draft.targets),
            origin: service.clone(),
        };
        routes.push(everything);
        let port = ServicePort {
            port: own.port,
            transport: own.transport,
            protocol: draft.protocol,
            decided_by: ProtocolSource::PortName,
            routes,
            policy: Arc::default(),
        };
        let listener = match draft.protocol {
            Protocol::Http(_) => ListenerKey::Http(own.port),
            Protocol::Tcp => ListenerKey::Tcp(own.service.clone(), own.port),
            Protocol::Udp => ListenerKey::Udp(own.service.clone(), own.port),
        };
        listen(&mut ir.listeners, listener);
        let found =
            Service { addresses: std::iter::empty().collect(), mode, ports: vec![port], origin: service };
        ir.services.insert(own.service, found);
    }
}

fn listen(table: &mut PortTable, key: ListenerKey) {
    let next = u16::try_from(table.entries.len()).unwrap_or(0) + 5000;
    if let Some(port) = Port::new(next) {
        table.entries.entry(key).or_insert(port);
    }
}

fn add_grants(ir: &mut Ir, drafts: Vec<GrantDraft>) {
    let ids: Vec<WorkloadId> = ir.workloads.keys().cloned().collect();
    for (place, draft) in drafts.into_iter().enumerate() {
        let name = Namespaced::new("a", &*format!("t{place}"));
        let target = origin("TrafficTarget", &name);
        let principal = |(kind, index): (u8, Index)| {
            let id = ids.get(index.index(ids.len().max(1)))?;
            Some(match kind {
                0 => Principal::Binding(Namespaced {
                    namespace: id.namespace.clone(),
                    name: Name::from("crew"),
                }),
                1 => Principal::Identity(SpiffeId::parse("spiffe://other.example/x")?),
                _ => Principal::Identity(ir.identity(id)),
            })
        };
        let sources: BTreeSet<Principal> = draft.sources.into_iter().filter_map(principal).collect();
        let sources: Vec<SourceGrant> =
            sources.into_iter().map(|principal| SourceGrant { principal, origin: target.clone() }).collect();
        if sources.is_empty() {
            continue;
        }
        let rules = |there: bool| if there { vec![target.clone()] } else { Vec::new() };
        let grant = Grant {
            rules: GrantRules {
                http: rules(draft.http.is_some()),
                tcp: rules(draft.tcp.is_some()),
                udp: rules(draft.udp.is_some()),
            },
            sources,
            http: draft.http.map(|(ports, matches)| HttpGrant {
                ports,
                condition: matches.map_or(HttpCondition::Any, HttpCondition::AnyOf),
            }),
            tcp: draft.tcp,
            udp: draft.udp,
            origin: target,
        };
        for index in &draft.destinations {
            if let Some(workload) =
                ids.get(index.index(ids.len().max(1))).and_then(|id| ir.workloads.get_mut(id))
            {
                // Drafts come in the order of their names, of which there are fewer than ten.
                if workload.grants.last() != Some(&name) {
                    workload.grants.push(name.clone());
                }
            }
        }
        ir.grants.insert(name, grant);
    }
}

//! Route, then choose a target (S13–S20, S30, S37).

use std::collections::BTreeMap;

use super::decision::{Decision, End, Leg, Refusal, Routed};
use super::path::canonical_path;
use super::request::{HttpRequest, Payload, Request};
use super::view::HttpView;
use super::{Assume, Knows, host, inbound};
use crate::hub::names::{Namespaced, Port, Transport};
use crate::ir::{Ir, Pool, Protocol, Route, RouteCondition, Target, WorkloadId};

pub(super) fn decide(ir: &Ir, request: &Request, assume: Assume, knows: Knows) -> Decision {
    match &request.payload {
        Payload::Http(http) => decide_http(ir, request, http, assume, knows),
        Payload::Tcp { service, port } => decide_opaque(ir, request, service, *port, Transport::Tcp, assume),
        Payload::Udp { service, port } => decide_opaque(ir, request, service, *port, Transport::Udp, assume),
    }
}

fn decide_http(ir: &Ir, request: &Request, http: &HttpRequest, assume: Assume, knows: Knows) -> Decision {
    let path = match canonical_path(&http.target, ir.settings.encoded_slashes) {
        Ok(path) => path,
        Err(fault) => return Decision::Refused(Refusal::BadTarget(fault)),
    };
    let called = host::canonical(&http.host);
    let in_cluster = || match knows {
        Knows::Mesh => None,
        Knows::Cluster => {
            let pod = request.caller.pod(ir).and_then(|pod| ir.pods.get(pod));
            host::in_cluster(ir, &called, pod.map(|pod| &pod.workload.namespace))
        }
    };
    let Some((name, service)) = host::in_mesh(ir, &called).or_else(in_cluster) else {
        return Decision::Refused(Refusal::UnknownHost);
    };
    let Some(port) = service.port(http.port, Transport::Tcp) else {
        return Decision::Refused(Refusal::UnknownHost);
    };
    if !matches!(port.protocol, Protocol::Http(_)) {
        return Decision::Refused(Refusal::UnknownHost);
    }
    let view = HttpView { method: &http.method, path, host: called, headers: &http.headers };
    for (index, route) in port.routes.iter().enumerate() {
        let matched = match &route.condition {
            RouteCondition::Everything => None,
            RouteCondition::AnyOf(matches) => match matches.iter().position(|m| view.matches(m)) {
                Some(place) => Some(place),
                None => continue,
            },
        };
        let legs = legs(ir, route, assume, |workload, at| {
            inbound::http(ir, &request.caller, service.mode, workload, at, &view)
        });
        return Decision::Routed(Routed {
            service: name,
            port: http.port,
            path: Some(view.path),
            route: index,
            matched,
            origin: route.origin.clone(),
            legs,
        });
    }
    // `verify` guarantees a last route for everything.
    Decision::Refused(Refusal::NoListener)
}

fn decide_opaque(
    ir: &Ir,
    request: &Request,
    name: &Namespaced,
    port: Port,
    transport: Transport,
    assume: Assume,
) -> Decision {
    let found = ir.services.get(name).and_then(|service| Some((service, service.port(port, transport)?)));
    let Some((service, service_port)) = found else {
        return Decision::Refused(Refusal::NoListener);
    };
    let Some((index, route)) = service_port.routes.iter().enumerate().find(|(_, r)| {
        r.condition == RouteCondition::Everything && !matches!(service_port.protocol, Protocol::Http(_))
    }) else {
        return Decision::Refused(Refusal::NoListener);
    };
    let legs = legs(ir, route, assume, |workload, at| {
        inbound::opaque(ir, &request.caller, service.mode, workload, at, transport)
    });
    Decision::Routed(Routed {
        service: name.clone(),
        port,
        path: None,
        route: index,
        matched: None,
        origin: route.origin.clone(),
        legs,
    })
}

fn legs(
    ir: &Ir,
    route: &Route,
    assume: Assume,
    verdict: impl Fn(Option<&WorkloadId>, Port) -> super::Verdict,
) -> Vec<Leg> {
    let leg = |target: &Target| {
        let pool = ir.pools.get(&target.pool);
        let (alike, assumed) = pool.map(|pool| alike(pool, assume)).unwrap_or_default();
        let ends = alike
            .into_iter()
            .map(|((workload, port), endpoints)| End {
                endpoints,
                verdict: verdict(workload.as_ref(), port),
                workload,
                port,
            })
            .collect();
        Leg { pool: target.pool.clone(), weight: target.weight, origin: target.origin.clone(), ends, assumed }
    };
    route.targets.iter().filter(|t| t.weight > 0).map(leg).collect()
}

type Alike = BTreeMap<(Option<WorkloadId>, Port), u32>;

/// Ready endpoints by workload and pod port, and whether they are only assumed.
fn alike(pool: &Pool, assume: Assume) -> (Alike, bool) {
    let mut out = Alike::new();
    for endpoint in pool.ready() {
        *out.entry((endpoint.workload.clone(), endpoint.port)).or_default() += 1;
    }
    if pool.endpoints.is_empty() && assume == Assume::TemplatesReady {
        for (workload, port) in &pool.templates {
            *out.entry((Some(workload.clone()), *port)).or_default() += 1;
        }
        return (out, true);
    }
    (out, false)
}

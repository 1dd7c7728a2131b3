//! The rendered configuration, read as Envoy reads it, decides as the reference does.

use std::collections::BTreeSet;

use proptest::prelude::*;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, MeshMode, compile};
use smi_core::eval::{Caller, Decide, Distribution, HttpRequest, Outcome, Payload, Request, eval};
use smi_core::ir::{Ir, Protocol};
use smi_core::load::{Input, Limits, load};
use smi_core::testing::{request, world};
use smi_envoy::sim::Simulator;
use smi_envoy::{Envoy, EnvoyConfig};

fn rendered(text: &str, mode: MeshMode) -> (Ir, EnvoyConfig) {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    let mut options = CompileOptions::default();
    options.mode = mode;
    let ir = compile(&world.hub, &world.cluster, &options).ir;
    let config = Envoy::default().render(&ir, &ProxyTarget::Node).output;
    (ir, config)
}

/// What can be told apart from outside: a connection that is closed looks the same whatever closed it.
fn seen(request: &Request, distribution: &Distribution) -> Distribution {
    let mut out = Distribution::default();
    for (outcome, share) in distribution.iter() {
        let closed = !matches!(request.payload, Payload::Http(_)) && !matches!(outcome, Outcome::Served(..));
        out.add(if closed { Outcome::Unavailable } else { outcome.clone() }, share);
    }
    out
}

const TARGETS: [&str; 8] =
    ["/", "/items", "/items/7?x=1", "/items/../admin", "//api/%2e/x", "/a%2fb", "/%zz", "/admin"];

/// A request of every kind for every port of every service.
fn requests(ir: &Ir) -> Vec<Request> {
    let mut payloads = Vec::new();
    for (service, found) in &ir.services {
        for found in &found.ports {
            let (service, port) = (service.clone(), found.port);
            match found.protocol {
                Protocol::Tcp => payloads.push(Payload::Tcp { service, port }),
                Protocol::Udp => payloads.push(Payload::Udp { service, port }),
                Protocol::Http(_) => {
                    for target in TARGETS {
                        for (method, user) in
                            [("GET", None), ("POST", Some("beta")), ("DELETE", Some("betamax"))]
                        {
                            payloads.push(Payload::Http(HttpRequest {
                                port,
                                host: format!("{}.{}.MESH.:80", service.name, service.namespace),
                                method: method.into(),
                                target: target.into(),
                                headers: user.map(|u| ("X-User".into(), u.into())).into_iter().collect(),
                            }));
                        }
                    }
                }
            }
        }
    }
    let callers = ir.callers.keys().map(|a| Caller::Address(*a)).chain([Caller::Nobody]);
    callers
        .flat_map(|caller| {
            payloads.iter().map(move |payload| Request { caller: caller.clone(), payload: payload.clone() })
        })
        .collect()
}

#[test]
fn simulated_decisions_are_the_references() {
    for mode in [MeshMode::Enforce, MeshMode::Permissive] {
        let (ir, config) = rendered(include_str!("world.yaml"), mode);
        let simulator = Simulator::new(&config.resources, &ir);
        let mut outcomes = BTreeSet::new();
        for request in requests(&ir) {
            let expected = seen(&request, &eval(&ir, &request).distribution());
            outcomes.extend(expected.iter().map(|(o, _)| o.clone()));
            assert_eq!(seen(&request, &simulator.decide(&request)), expected, "{request:?}");
        }
        assert!(outcomes.len() >= 6, "the world is too plain: {outcomes:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn simulated_decisions_are_the_references_on_random_worlds(
        text in world(),
        requests in proptest::collection::vec(request(), 1..30),
        permissive in any::<bool>(),
    ) {
        let mode = if permissive { MeshMode::Permissive } else { MeshMode::Enforce };
        let (ir, config) = rendered(&text, mode);
        let simulator = Simulator::new(&config.resources, &ir);
        for request in &requests {
            let expected = seen(request, &eval(&ir, request).distribution());
            prop_assert_eq!(seen(request, &simulator.decide(request)), expected, "{:?}\n{}", request, text);
        }
    }
}

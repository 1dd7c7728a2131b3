//! The rendered configuration, read as Envoy reads it, decides as the reference does.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use smi_core::backend::{Backend, ProxyTarget};
use smi_core::cluster::PodId;
use smi_core::compile::{AllowProbes, CompileOptions, MeshMode, compile};
use smi_core::eval::{
    Assume, Caller, Decide, Decision, Distribution, HttpRequest, Outcome, Payload, Request, Share, eval,
    eval_in_sidecar,
};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{Ir, Protocol};
use smi_core::load::{Input, Limits, load};
use smi_core::testing::{request, world};
use smi_envoy::config::tls::{DownstreamTlsContext, SessionTickets};
use smi_envoy::sim::{Hello, Sidecars, Simulator};
use smi_envoy::{Envoy, EnvoyConfig};

fn compiled(text: &str, mode: MeshMode) -> Ir {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    let mut options = CompileOptions::default();
    options.mode = mode;
    options.allow_probes = AllowProbes::Everywhere;
    compile(&world.hub, &world.cluster, &options).ir
}

fn rendered(text: &str, mode: MeshMode) -> (Ir, EnvoyConfig) {
    let ir = compiled(text, mode);
    let config = Envoy::default().render(&ir, &ProxyTarget::Node).output;
    (ir, config)
}

/// The configurations of the sidecars of all pods.
fn sidecars(ir: &Ir) -> BTreeMap<PodId, EnvoyConfig> {
    let one = |pod: &PodId| Envoy::default().render(ir, &ProxyTarget::Sidecar(pod.clone())).output;
    ir.pods.keys().map(|pod| (pod.clone(), one(pod))).collect()
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

/// Whether a request may meet pods that share an address: they have no sidecars, so what goes to them fails, granted or not.
fn meets_shared_addresses(ir: &Ir, decision: &Decision) -> bool {
    let Decision::Routed(routed) = decision else { return false };
    let pools = routed.legs.iter().filter_map(|leg| ir.pools.get(&leg.pool));
    pools.flat_map(|p| p.ready()).any(|endpoint| !ir.has_own_address(endpoint))
}

/// What a sidecar decides on a request of its pod's application, and what it has to.
fn check(
    ir: &Ir,
    simulator: &Sidecars<'_>,
    request: &Request,
) -> Option<(Request, Distribution, Distribution)> {
    let Caller::Address(address) = &request.caller else { return None };
    let pod = ir.callers.get(address)?;
    let request = Request { caller: Caller::Pod(pod.clone()), payload: request.payload.clone() };
    let simulated = seen(&request, &simulator.decide(&request));
    let decision = eval_in_sidecar(ir, &request, Assume::Nothing);
    let expected = seen(&request, &decision.distribution());
    // No sidecar has a certificate to show or see over UDP, which is therefore closed.
    let narrower = matches!(request.payload, Payload::Udp { .. }) || meets_shared_addresses(ir, &decision);
    let never_more = |(outcome, share): (&Outcome, Share)| {
        !matches!(outcome, Outcome::Served(..)) || share.as_f64() <= expected.share(outcome).as_f64()
    };
    let expected = if narrower && simulated.iter().all(never_more) { simulated.clone() } else { expected };
    Some((request, simulated, expected))
}

#[test]
fn simulated_sidecars_decide_as_the_reference() {
    for mode in [MeshMode::Enforce, MeshMode::Permissive] {
        let ir = compiled(include_str!("world.yaml"), mode);
        let configs = sidecars(&ir);
        let simulator = Sidecars::new(&configs, &ir);
        let mut outcomes = BTreeSet::new();
        for request in requests(&ir).iter().flat_map(called_by_cluster_names) {
            let Some((request, simulated, expected)) = check(&ir, &simulator, &request) else { continue };
            outcomes.extend(expected.iter().map(|(o, _)| o.clone()));
            assert_eq!(simulated, expected, "{request:?}");
        }
        assert!(outcomes.len() >= 6, "the world is too plain: {outcomes:?}");
    }
}

#[test]
fn pods_that_share_an_address_have_no_sidecar() {
    let text = include_str!("world.yaml").replace("127.0.10.3", "127.0.10.1");
    let ir = compiled(&text, MeshMode::Permissive);
    let shared: Vec<&PodId> =
        ir.pods.iter().filter(|(_, p)| !ir.callers.contains_key(&p.addresses[0])).map(|(id, _)| id).collect();
    assert_eq!(shared.len(), 2);
    for (pod, config) in sidecars(&ir) {
        assert_eq!(config.resources.listeners.is_empty(), shared.contains(&&pod), "{pod:?}");
    }
}

/// A session that is resumed brings the certificate of the first handshake with it, which may have expired since.
#[test]
fn sidecars_resume_no_sessions() {
    let ir = compiled(include_str!("world.yaml"), MeshMode::Enforce);
    let listeners: Vec<_> =
        sidecars(&ir).into_values().flat_map(|config| config.resources.listeners.into_values()).collect();
    let sockets = listeners.iter().flat_map(|l| &l.filter_chains).filter_map(|c| c.transport_socket.as_ref());
    let contexts: Vec<DownstreamTlsContext> =
        sockets.filter_map(|socket| socket.typed_config.as_ref()?.unpack()).collect();
    assert!(contexts.len() > 3, "{}", contexts.len());
    for context in contexts {
        assert_eq!(context.session_tickets, Some(SessionTickets::DisableStatelessSessionResumption(true)));
        assert!(context.disable_stateful_session_resumption);
    }
}

/// The pod's own sidecar lets the kubelet through at the port of its probe; nobody else's way to the pod gets wider.
#[test]
fn s32_probes_reach_a_pod_with_a_sidecar_of_themselves() {
    let text = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}}
spec: {serviceAccountName: cart, containers: [{name: c, livenessProbe: {httpGet: {path: /healthz, port: 8080}}}]}
status: {phase: Running, podIP: 127.0.10.1, conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop}
spec: {serviceAccountName: web, containers: [{name: c}]}
status: {phase: Running, podIP: 127.0.10.2}
";
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    let asked = |probes: AllowProbes, method: &str, target: &str| {
        let mut options = CompileOptions::default();
        options.allow_probes = probes;
        let ir = compile(&world.hub, &world.cluster, &options).ir;
        let configs = sidecars(&ir);
        let node = Envoy::default().render(&ir, &ProxyTarget::Node).output;
        let http = HttpRequest {
            port: Port::new(80).unwrap(),
            host: "cart.shop.mesh".into(),
            method: method.into(),
            target: target.into(),
            headers: Vec::new(),
        };
        let web = Caller::Pod(PodId::pod(Namespaced::new("shop", "web-1")));
        let request = Request { caller: web, payload: Payload::Http(http) };
        let kubelet = Hello { from: "127.0.0.9".parse().unwrap(), tls: None };
        let sidecars = Sidecars::new(&configs, &ir);
        let pool = ir.pools.keys().next().unwrap();
        let served = |d: Distribution| d.iter().all(|(o, _)| matches!(o, Outcome::Served(..)));
        [
            served(sidecars.at("127.0.10.1:8080".parse().unwrap(), &kubelet, &request.payload, pool)),
            served(sidecars.decide(&request)),
            served(Simulator::new(&node.resources, &ir).decide(&request)),
        ]
    };
    let of_itself = CompileOptions::default().allow_probes;
    assert_eq!(asked(of_itself, "GET", "/healthz"), [true, false, false]);
    assert_eq!(asked(of_itself, "POST", "/healthz"), [false; 3]);
    assert_eq!(asked(of_itself, "GET", "/healthzz"), [false; 3]);
    assert_eq!(asked(AllowProbes::Never, "GET", "/healthz"), [false; 3]);
    assert_eq!(asked(AllowProbes::Everywhere, "GET", "/healthz"), [true; 3]);
}

/// An application cannot have a port on which its sidecar listens: whoever asked for it would reach the sidecar from inside.
#[test]
fn a_port_of_the_sidecar_itself_is_no_applications() {
    let world = |target: u16| {
        format!(
            "
apiVersion: v1
kind: Service
metadata: {{name: cart, namespace: shop}}
spec: {{selector: {{app: cart}}, ports: [{{name: http, port: 80, targetPort: {target}}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: cart-1, namespace: shop, labels: {{app: cart}}}}
spec: {{serviceAccountName: cart, containers: [{{name: c}}]}}
status: {{phase: Running, podIP: 127.0.10.1}}
"
        )
    };
    let found = |target: u16| {
        let ir = compiled(&world(target), MeshMode::Permissive);
        let pod = ir.pods.keys().next().unwrap().clone();
        let rendered = Envoy::default().render(&ir, &ProxyTarget::Sidecar(pod));
        let codes: Vec<&str> = rendered.report.iter().map(|d| d.code.id).collect();
        let inbound = rendered.output.resources.routes.keys().any(|name| name.starts_with("inbound/"));
        (inbound, codes)
    };
    assert_eq!(found(8080), (true, vec![]));
    // Its admin interface, and the listener of all HTTP services.
    for own in [9901, 5000] {
        assert_eq!(found(own), (false, vec!["SMI1106"]), "{own}");
    }
}

/// The request, and the same by the names that a cluster has for the service.
fn called_by_cluster_names(request: &Request) -> Vec<Request> {
    let Payload::Http(http) = &request.payload else { return vec![request.clone()] };
    let long = http.host.trim_end_matches(".MESH.:80");
    let bare = long.split('.').next().unwrap_or_default();
    let more = ["", ".svc", ".svc.cluster.local", ".cluster.local", ".svc.other"];
    let names = more.map(|more| format!("{long}{more}")).into_iter().chain([bare.to_owned()]);
    let named = |host: String| {
        let payload = Payload::Http(HttpRequest { host, ..http.clone() });
        Request { caller: request.caller.clone(), payload }
    };
    [http.host.clone()].into_iter().chain(names).map(named).collect()
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

    #[test]
    fn simulated_sidecars_decide_as_the_reference_on_random_worlds(
        text in world(),
        requests in proptest::collection::vec(request(), 1..30),
        permissive in any::<bool>(),
    ) {
        let mode = if permissive { MeshMode::Permissive } else { MeshMode::Enforce };
        let ir = compiled(&text, mode);
        let configs = sidecars(&ir);
        let simulator = Sidecars::new(&configs, &ir);
        for request in requests.iter().flat_map(called_by_cluster_names) {
            let Some((request, simulated, expected)) = check(&ir, &simulator, &request) else { continue };
            prop_assert_eq!(simulated, expected, "{:?}\n{}", request, text);
        }
    }
}

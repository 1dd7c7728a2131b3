//! Worlds that follow each other in one Envoy, told by a control plane: addresses change hands between services and protocols.

use std::path::PathBuf;
use std::time::Duration;

use smi_conformance::campaign::make;
use smi_conformance::case;
use smi_conformance::envoy::{Delivery, LiveEnvoyNode};
use smi_conformance::observe::Observation;
use smi_conformance::subject::LiveProxy;
use smi_core::compile::{CompileOptions, compile};
use smi_core::hub::names::{Namespaced, Port};
use smi_core::ir::{Ir, ListenerKey};
use smi_core::load::{Input, Limits, load};

/// A service of one pod, and which of the listen ports it has. The protocol is in its name.
type Served = (&'static str, u16);

const SERVICES: [&str; 4] = ["tcp-a", "tcp-b", "tcp-c", "http-d"];

fn key(name: &str) -> ListenerKey {
    if name.starts_with("http") {
        ListenerKey::Http(Port::new(80).unwrap())
    } else {
        ListenerKey::Tcp(Namespaced::new("a", name), Port::new(80).unwrap())
    }
}

/// The last part of the address of its pod.
fn last(name: &str) -> usize {
    SERVICES.iter().position(|n| *n == name).unwrap() + 1
}

fn world(served: &[Served], first: u16) -> Ir {
    let mut text = String::from(
        "apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {name: all, namespace: a}\n---\n\
         apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: all, namespace: a}\nspec: {matches: [{name: all, pathRegex: /.*}]}\n---\n\
         apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {name: t, namespace: a}\nspec: {destination: {kind: ServiceAccount, name: s, namespace: a}, rules: [{kind: TCPRoute, name: all}, {kind: HTTPRouteGroup, name: all}], sources: [{kind: ServiceAccount, name: s, namespace: a}]}\n",
    );
    let mut options = CompileOptions::default();
    for (name, listen) in served {
        let (protocol, _) = name.split_once('-').unwrap();
        let last = last(name);
        text += &format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a, labels: {{app: {name}}}}}\nspec: {{serviceAccountName: s, containers: [{{name: app}}]}}\nstatus: {{phase: Running, podIP: 10.0.0.{last}}}\n\
             ---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: a}}\nspec: {{selector: {{app: {name}}}, ports: [{{name: {protocol}, port: 80, targetPort: {last}000}}]}}\n"
        );
        options.port_table.entries.insert(key(name), Port::new(first + listen).unwrap());
    }
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    let compiled = compile(&world.hub, &world.cluster, &options);
    assert!(!world.report.has_errors() && !compiled.report.has_errors(), "{:?}", compiled.report);
    for (name, listen) in served {
        assert_eq!(compiled.ir.listeners.entries[&key(name)].get(), first + listen);
    }
    compiled.ir
}

fn change_hands(delivery: Delivery) {
    let binary = std::env::var_os("SMI_ENVOY").map(PathBuf::from);
    let binary =
        binary.expect("no envoy: run `cargo xtask test`, or `cargo xtask peers envoy` and set SMI_ENVOY");
    let mut live = LiveEnvoyNode::new(&binary, delivery).unwrap();
    let subject = live.subject().clone();
    let first = live.ranges().http.0;
    let worlds: [&[Served]; 6] = [
        &[("tcp-a", 0), ("tcp-b", 1)],
        // They change places.
        &[("tcp-a", 1), ("tcp-b", 0)],
        // One goes, another moves to its place, a third takes that one's.
        &[("tcp-a", 0), ("tcp-c", 1)],
        // Another protocol takes an address over, and gives it back.
        &[("http-d", 0), ("tcp-a", 1), ("tcp-c", 2)],
        &[("http-d", 2), ("tcp-a", 0), ("tcp-c", 1)],
        &[("tcp-b", 2), ("tcp-c", 0)],
    ];
    for (place, served) in worlds.iter().enumerate() {
        let written = world(served, first);
        let made = make(&subject, Some(&mut live), &written)
            .unwrap_or_else(|fault| panic!("world {place} is not taken after the one before: {fault:#}"));
        let caller = format!("10.0.0.{}", last(served[0].0));
        for (name, _) in *served {
            let line = match key(name) {
                ListenerKey::Http(_) => format!("GET {name}.a.mesh:80 / from {caller}"),
                ListenerKey::Tcp(..) | ListenerKey::Udp(..) => format!("TCP a/{name}:80 from {caller}"),
            };
            let call = live.network().relocate_call(&case::call_of(&line).unwrap());
            let pool = made.ir.pools.iter().find(|(key, _)| key.service.name.as_str() == *name).unwrap().1;
            let seen = live.observe(&made.ir, &call, 1, Duration::from_secs(3)).unwrap();
            let Some(Observation::Served(at, _)) = seen.first() else {
                panic!("world {place}, {name}: {seen:?}");
            };
            assert_eq!(*at, pool.endpoints[0].socket(), "world {place}, {name}");
        }
    }
}

#[test]
#[ignore = "needs Envoy: cargo xtask test"]
fn addresses_change_hands_incremental() {
    change_hands(Delivery::Delta);
}

#[test]
#[ignore = "needs Envoy: cargo xtask test"]
fn addresses_change_hands_state_of_the_world() {
    change_hands(Delivery::StateOfTheWorld);
}

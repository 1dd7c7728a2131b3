//! Readings of the rules that no case under `tests/cases` pins.

use super::{CompileOptions, compile};
use crate::load::{Input, Limits, load};

#[test]
fn s14_a_port_of_another_protocol_is_lacking() {
    let text = "
apiVersion: v1
kind: Service
metadata: {name: root, namespace: a}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: same, namespace: a}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: other, namespace: a}
spec: {ports: [{name: tcp, port: 80}]}
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: s, namespace: a}
spec: {service: root, backends: [{service: same, weight: 1}, {service: other, weight: 1}]}
";
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    let compiled = compile(&world.hub, &world.cluster, &CompileOptions::default());
    let root = &compiled.ir.services[&crate::hub::names::Namespaced::new("a", "root")];
    let targets: Vec<String> = root
        .ports
        .values()
        .flat_map(|p| &p.routes)
        .flat_map(|r| &r.targets)
        .map(|t| t.pool.to_string())
        .collect();
    assert_eq!(targets, ["a/same:80"]);
    assert_eq!(
        compiled.report.iter().map(|d| d.code).collect::<Vec<_>>(),
        [super::codes::SPLIT_BACKEND_UNUSABLE]
    );
}

#[test]
fn s15_a_dual_stack_pod_counts_once() {
    let text = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: a}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: a}
spec: {containers: [{name: c}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-4, namespace: a, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 80}]
endpoints: [{addresses: [10.0.0.1], targetRef: {kind: Pod, name: one, namespace: a}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-6, namespace: a, labels: {kubernetes.io/service-name: web}}
addressType: IPv6
ports: [{name: http, port: 80}]
endpoints: [{addresses: ['fd00::1'], targetRef: {kind: Pod, name: one, namespace: a}}, {addresses: ['fd00::2']}]
";
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    let compiled = compile(&world.hub, &world.cluster, &CompileOptions::default());
    let endpoints = compiled.ir.pools.values().flat_map(|p| &p.endpoints);
    let addresses: Vec<String> = endpoints.map(|e| e.address.to_string()).collect();
    assert_eq!(addresses, ["10.0.0.1:80", "[fd00::2]:80"]);
}

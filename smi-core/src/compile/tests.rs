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

fn compiled(text: &str, options: &CompileOptions) -> super::Compiled {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    compile(&world.hub, &world.cluster, options)
}

#[test]
fn s29_a_mapped_address_is_its_ipv4_address() {
    let text = "
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: a}
spec: {serviceAccountName: one, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: two, namespace: a}
spec: {serviceAccountName: two, containers: [{name: c}]}
status: {phase: Running, podIP: '::ffff:10.0.0.1'}
";
    let compiled = compiled(text, &CompileOptions::default());
    assert!(compiled.ir.callers.is_empty(), "to a proxy both are 10.0.0.1: {:?}", compiled.ir.callers);
    assert_eq!(compiled.report.iter().map(|d| d.code).collect::<Vec<_>>(), [super::codes::ADDRESS_SHARED]);
}

#[test]
fn s30_an_endpoint_slice_cannot_lend_a_pods_identity() {
    let world = |address: &str| {
        format!(
            "
apiVersion: v1
kind: Service
metadata: {{name: lure, namespace: mallory}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: pending, namespace: mallory}}
spec: {{serviceAccountName: lender, containers: [{{name: c}}]}}
status: {{phase: Pending}}
---
apiVersion: v1
kind: Pod
metadata: {{name: vault, namespace: bank}}
spec: {{serviceAccountName: vault, containers: [{{name: c}}]}}
status: {{phase: Running, podIP: 10.0.0.1}}
---
apiVersion: v1
kind: Pod
metadata: {{name: agent, namespace: bank}}
spec: {{serviceAccountName: agent, hostNetwork: true, containers: [{{name: c}}]}}
status: {{phase: Running, podIP: 10.0.0.2}}
---
apiVersion: v1
kind: Pod
metadata: {{name: other-agent, namespace: bank}}
spec: {{serviceAccountName: other, hostNetwork: true, containers: [{{name: c}}]}}
status: {{phase: Running, podIP: 10.0.0.2}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: lure, namespace: mallory, labels: {{kubernetes.io/service-name: lure}}}}
addressType: IPv4
ports: [{{name: http, port: 80}}]
endpoints: [{{addresses: [{address}], targetRef: {{kind: Pod, name: pending, namespace: mallory}}}}]
"
        )
    };
    for (address, workload) in [
        ("10.0.0.1", Some("bank/vault")),
        // Shared by two identities, so nobody's.
        ("10.0.0.2", None),
        // Unknown, so the slice is believed: the pod's status may come later.
        ("10.0.0.3", Some("mallory/lender")),
    ] {
        let compiled = compiled(&world(address), &CompileOptions::default());
        let endpoints = compiled.ir.pools.values().flat_map(|p| &p.endpoints);
        let owners: Vec<_> = endpoints.map(|e| e.workload.as_ref().map(ToString::to_string)).collect();
        assert_eq!(owners, [workload.map(str::to_owned)], "{address}");
    }
}

#[test]
fn s30_an_endpoint_of_two_kinds_of_pods_is_nobodys() {
    let text = "
apiVersion: v1
kind: Service
metadata: {name: agents, namespace: a}
spec: {selector: {app: agent}, ports: [{name: http, port: 80, targetPort: 9100}]}
---
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: a, labels: {app: agent}}
spec: {serviceAccountName: one, hostNetwork: true, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.0.2}
---
apiVersion: v1
kind: Pod
metadata: {name: two, namespace: a, labels: {app: agent}}
spec: {serviceAccountName: two, hostNetwork: true, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.0.2}
";
    let compiled = compiled(text, &CompileOptions::default());
    let endpoints: Vec<_> = compiled.ir.pools.values().flat_map(|p| &p.endpoints).collect();
    assert_eq!(endpoints.iter().map(|e| &e.workload).collect::<Vec<_>>(), [&None]);
}

//! Readings of the rules that no case under `tests/cases` pins.

mod listeners;
mod ownership;

use super::{AllowProbes, CompileOptions, compile};
use crate::load::{Input, Limits, load};

fn compiled(text: &str, options: &CompileOptions) -> super::Compiled {
    let world = load(&[Input::new("world.yaml", text)], &Limits::default());
    compile(&world.hub, &world.cluster, options)
}

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
    let compiled = compiled(text, &CompileOptions::default());
    let root = &compiled.ir.services[&crate::hub::names::Namespaced::new("a", "root")];
    let targets: Vec<String> = root
        .ports
        .iter()
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
    // The second shares an address, so that nobody is behind it.
    let other = "---
apiVersion: v1
kind: Pod
metadata: {name: two, namespace: a}
spec: {serviceAccountName: two, containers: [{name: c}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.1}]}
";
    for text in [text.to_owned(), format!("{text}{other}")] {
        let compiled = compiled(&text, &CompileOptions::default());
        let endpoints = compiled.ir.pools.values().flat_map(|p| &p.endpoints);
        let addresses: Vec<String> = endpoints.map(|e| e.socket().to_string()).collect();
        assert_eq!(addresses, ["10.0.0.1:80", "[fd00::2]:80"]);
    }
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

/// A pod that cannot be read, or of which two objects say different things, still has its address.
#[test]
fn s29_the_address_of_a_pod_that_cannot_be_read_is_nobodys() {
    let pod = |name: &str, spec: &str, status: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a}}\nspec: {spec}\nstatus: {status}\n"
        )
    };
    let sound = pod("sound", "{serviceAccountName: web, containers: [{name: c}]}", "{podIP: 10.0.0.1}");
    let callers = |other: &str| {
        let world = load(&[Input::new("w.yaml", format!("{sound}{other}"))], &Limits::default());
        let compiled = compile(&world.hub, &world.cluster, &CompileOptions::default());
        let told = compiled.report.iter().filter(|d| d.code.id == "SMI0523").count();
        (compiled.ir.callers.len(), told)
    };
    assert_eq!(callers(""), (1, 0));
    assert_eq!(callers(&pod("far", "{containers: 7}", "{podIP: 10.0.0.9}")), (1, 0));
    for other in [
        pod("broken", "{containers: 7}", "{podIP: 10.0.0.1}"),
        pod("broken", "{containers: 7}", "{podIPs: [{ip: 10.0.0.7}, {ip: '::ffff:10.0.0.1'}]}"),
        pod("broken", "{hostNetwork: [], containers: []}", "{podIP: 10.0.0.1, phase: 1}"),
        pod("twice", "{containers: [], containers: []}", "{podIP: 10.0.0.1}"),
        pod("bad_name", "{containers: [{name: c}]}", "{podIP: 10.0.0.1}"),
        pod("torn", "{serviceAccountName: web}", "{podIP: 10.0.0.1}")
            + &pod("torn", "{}", "{podIP: 10.0.0.2}"),
    ] {
        assert_eq!(callers(&other), (0, 1), "{other}");
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

#[test]
fn s17_a_condition_of_a_foreign_group_is_unresolved() {
    let text = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: a}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: g, namespace: a}
spec: {matches: [{name: m, pathRegex: /x}]}
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: s, namespace: a}
spec: {service: web, backends: [{service: web, weight: 1}], matches: [{apiGroup: example.com, kind: HTTPRouteGroup, name: g}]}
";
    let compiled = compiled(text, &CompileOptions::default());
    let found: Vec<_> = compiled.report.iter().map(|d| (d.code.id, d.path.to_string())).collect();
    assert_eq!(found, [("SMI0306", "spec.matches[0].apiGroup".to_owned())]);
    assert!(compiled.ir.services.values().flat_map(|s| &s.ports).all(|p| p.routes.len() == 1));
}

#[test]
fn s20_dropped_backends_are_named() {
    let service = |name: &str, address: &str| {
        format!(
            "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: a}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: a, labels: {{app: {name}}}}}
spec: {{containers: [{{name: c}}]}}
status: {{{address}}}
"
        )
    };
    let text = format!(
        "{}{}---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {{name: s, namespace: a}}
spec: {{service: live, backends: [{{service: live, weight: 1}}, {{service: dead, weight: 9}}]}}
",
        service("live", "podIP: 10.0.0.1, phase: Running"),
        service("dead", "phase: Pending"),
    );
    let options = CompileOptions { dead_backends: super::DeadBackends::Drop, ..CompileOptions::default() };
    let dropped = compiled(&text, &options);
    let found: Vec<_> = dropped.report.iter().map(|d| (d.code.id, d.path.to_string())).collect();
    assert_eq!(found, [("SMI0303", "spec.backends[1].service".to_owned())]);
    assert!(compiled(&text, &CompileOptions::default()).report.diagnostics.is_empty());
}

#[test]
fn s21_an_unclear_namespace_is_enforced() {
    use crate::ir::Mode;

    let options = CompileOptions {
        mode: super::MeshMode::EnforceLabelled { key: "mesh".into(), value: "on".into() },
        ..CompileOptions::default()
    };
    let mode = |namespaces: &str| {
        let text = format!(
            "apiVersion: v1
kind: Service
metadata: {{name: web, namespace: a}}
spec: {{ports: [{{name: http, port: 80}}]}}
{namespaces}"
        );
        compiled(&text, &options).ir.services.values().map(|s| s.mode).next()
    };
    let namespace = |labels: &str| {
        format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: a, labels: {labels}}}\n")
    };
    assert_eq!(mode(""), Some(Mode::Permissive));
    assert_eq!(mode(&namespace("{mesh: 'on'}")), Some(Mode::Enforce));
    // `on` without quotes is a boolean, and no label.
    assert_eq!(mode(&namespace("{mesh: on}")), Some(Mode::Enforce));
    let both = namespace("{mesh: 'on'}") + &namespace("{mesh: 'off'}");
    assert_eq!(mode(&both), Some(Mode::Enforce));
}

#[test]
fn s28_empty_schemes_of_a_binding_are_named() {
    let binding = |schemes: &str| {
        let text = format!(
            "apiVersion: access.smi-spec.io/v1alpha4
kind: IdentityBinding
metadata: {{name: b, namespace: a}}
spec: {{schemes: {schemes}}}
"
        );
        let compiled = compiled(&text, &CompileOptions::default());
        compiled.report.iter().map(|d| format!("{} {}", d.code.id, d.path)).collect::<Vec<_>>()
    };
    assert_eq!(binding("{serviceAccount: ''}"), ["SMI0409 spec.schemes"]);
    assert_eq!(
        binding("{podLabelSelector: {matchLabels: {}}, serviceAccount: web}"),
        ["SMI0408 spec.schemes"]
    );
    assert_eq!(
        binding("{podLabelSelector: {matchLabels: {}}, spiffeIdentities: ['spiffe://x/ns/a/sa/b']}"),
        ["SMI0409 spec.schemes.podLabelSelector"]
    );
}

#[test]
fn s32_probes_are_asked_for_in_their_canonical_form() {
    let text = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: a}
spec:
  containers:
  - name: c
    livenessProbe: {httpGet: {port: 8080, path: 'healthz?full=1'}}
    readinessProbe: {httpGet: {port: 8080, path: //ready}}
status: {phase: Running, podIP: 10.0.0.1}
";
    let options = CompileOptions { allow_probes: AllowProbes::Everywhere, ..CompileOptions::default() };
    let probes = compiled(text, &options).ir.workloads.into_values().flat_map(|w| w.probes);
    let paths: Vec<_> = probes.filter_map(|p| p.path).collect();
    assert_eq!(paths.iter().map(|p| &**p).collect::<Vec<_>>(), ["/healthz", "/ready"]);
}

#[test]
fn s10_a_method_that_no_request_can_have_leaves_the_match_out() {
    let found = |methods: &str| {
        let text = format!(
            "apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {{name: g, namespace: a}}
spec: {{matches: [{{name: m, methods: {methods}}}]}}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {{name: t, namespace: a}}
spec:
  destination: {{kind: ServiceAccount, name: a, namespace: a}}
  sources: [{{kind: ServiceAccount, name: b, namespace: a}}]
  rules: [{{kind: HTTPRouteGroup, name: g}}]
"
        );
        let compiled = compiled(&text, &CompileOptions::default());
        let granted =
            compiled.ir.grants.values().filter_map(|g| g.http.as_ref()).map(|h| match &h.condition {
                crate::ir::HttpCondition::AnyOf(matches) => matches.len(),
                crate::ir::HttpCondition::Any => 99,
            });
        let told = compiled.report.iter().map(|d| format!("{} {}", d.code.id, d.path)).collect::<Vec<_>>();
        (granted.sum::<usize>(), told)
    };
    assert_eq!(found("[GET, M-SEARCH]"), (1, vec![]));
    for bad in ["'é'", "'GET POST'", "''", "\"G\\nT\"", "'GET,'"] {
        let told = vec!["SMI0205 spec.matches[0].methods[1]".to_owned()];
        assert_eq!(found(&format!("[GET, {bad}]")), (0, told), "{bad}");
    }
}

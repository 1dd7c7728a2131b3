//! Whose pods are behind an address, and what is not known of them (S21, S29, S30, S32).

use super::{CompileOptions, compiled};
use crate::compile::{AllowProbes, MeshMode};
use crate::eval::{Caller, Outcome, Payload, Request, eval};
use crate::hub::names::{Namespaced, Port};
use crate::ir::Mode;

fn labelled() -> CompileOptions {
    CompileOptions {
        mode: MeshMode::EnforceLabelled { key: "mesh".into(), value: "on".into() },
        ..CompileOptions::default()
    }
}

const ENFORCED: &str = "---
apiVersion: v1
kind: Namespace
metadata: {name: shut, labels: {mesh: 'on'}}
";

fn pod(namespace: &str, account: &str, port: u16) -> String {
    format!(
        "---
apiVersion: v1
kind: Pod
metadata: {{name: {account}, namespace: {namespace}, labels: {{app: {account}}}}}
spec: {{serviceAccountName: {account}, hostNetwork: true, containers: [{{name: c, ports: [{{containerPort: {port}}}]}}]}}
status: {{phase: Running, podIP: 10.0.1.1, conditions: [{{type: Ready, status: 'True'}}]}}
"
    )
}

fn service(namespace: &str, name: &str, selector: &str, target: u16) -> String {
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{selector: {selector}, ports: [{{name: tcp, port: 80, targetPort: {target}}}]}}
"
    )
}

fn slice(namespace: &str, name: &str, part: &str, pod: &str) -> String {
    let of = if pod.is_empty() {
        String::new()
    } else {
        format!(", targetRef: {{kind: Pod, name: {pod}, namespace: {namespace}}}")
    };
    format!(
        "---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-{part}, namespace: {namespace}, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: tcp, port: 8080}}]
endpoints: [{{addresses: [10.0.1.1]{of}}}]
"
    )
}

/// Who is behind the endpoints of all pools, and whether they are ready.
fn owners(text: &str, options: &CompileOptions) -> Vec<(Option<String>, bool)> {
    let ir = compiled(text, options).ir;
    let endpoints = ir.pools.values().flat_map(|pool| &pool.endpoints);
    endpoints.map(|e| (e.workload.as_ref().map(ToString::to_string), e.ready)).collect()
}

#[test]
fn s21_what_cannot_be_read_may_be_a_namespace() {
    let mode = |other: &str| {
        let text = format!("{}{other}", service("shut", "web", "{}", 80));
        compiled(&text, &labelled()).ir.services.values().map(|s| s.mode).next()
    };
    assert_eq!(mode(""), Some(Mode::Permissive));
    assert_eq!(mode("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"), Some(Mode::Permissive));
    assert_eq!(mode("---\napiVersion: split.smi-spec.io/v1\nkind: TrafficSplit\n"), Some(Mode::Permissive));
    for broken in [
        "metadata: {name: shut, labels: {mesh: 'on'}\n",
        "apiVersion: v1\nkind: Namespace\nkind: Namespace\nmetadata: {name: shut, labels: {mesh: 'on'}}\n",
        "kind: Namespace\nmetadata: {name: shut, labels: {mesh: 'on'}}\n",
        "apiVersion: v1\nkind: namespace\nmetadata: {name: shut, labels: {mesh: 'on'}}\n",
        "apiVersion: v1\nkind: Namespace\nmetadata: {labels: {mesh: 'on'}}\n",
        "apiVersion: v1\nkind: List\nitems: [{kind: Namespace, metadata: {name: shut}}]\n",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: {{ .Values.name }}}\n",
    ] {
        assert_eq!(mode(&format!("---\n{broken}")), Some(Mode::Enforce), "{broken}");
        // One that can be read has the labels that it has.
        let sound = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shut}\n";
        assert_eq!(mode(&format!("{sound}---\n{broken}")), Some(Mode::Permissive), "{broken}");
    }
}

#[test]
fn s21_an_address_that_may_be_of_an_enforced_namespace_is_closed() {
    let behind = |pods: &str| {
        let text = format!(
            "{ENFORCED}{}{}{pods}",
            service("open", "hole", "{}", 8080),
            slice("open", "hole", "1", "")
        );
        owners(&text, &labelled())
    };
    assert_eq!(behind(""), [(None, true)]);
    assert_eq!(behind(&(pod("open", "a", 1) + &pod("open", "b", 2))), [(None, true)]);
    assert_eq!(behind(&(pod("open", "a", 1) + &pod("shut", "b", 2))), [(None, false)]);
    assert_eq!(behind(&(pod("shut", "a", 1) + &pod("shut", "b", 2))), [(None, false)]);
    // Whose it may be is not known at all.
    let unreadable = pod("shut", "a", 1).replace("{app: a}", "{app: 1}");
    assert_eq!(behind(&unreadable), [(None, false)]);
    // Alone it is its own, and its namespace says what becomes of callers.
    assert_eq!(behind(&pod("shut", "a", 1)), [(Some("shut/a".to_owned()), true)]);
}

#[test]
fn s29_a_shared_address_is_opened_by_the_ports_of_its_pods() {
    let behind = |target: u16, pods: &str| {
        owners(&format!("{}{pods}", service("open", "a", "{app: a}", target)), &CompileOptions::default())
    };
    let (a, b) = (pod("open", "a", 9100), pod("shut", "b", 9200));
    let owned = [(Some("open/a".to_owned()), true)];
    assert_eq!(behind(9200, &a), owned, "an address of its own, whichever port");
    assert_eq!(behind(9100, &format!("{a}{b}")), owned);
    assert_eq!(behind(9200, &format!("{a}{b}")), [(None, true)], "the other's port");
    assert_eq!(behind(9300, &format!("{a}{b}")), [(None, true)], "nobody's port");
    let both = pod("shut", "b", 9100);
    assert_eq!(behind(9100, &format!("{a}{both}")), [(None, true)], "a port of both");
    let unreadable = b.replace("{app: b}", "{app: 1}");
    assert_eq!(behind(9100, &format!("{a}{unreadable}")), [(None, true)], "a pod of which nothing is known");
}

#[test]
fn s30_an_address_of_two_pods_is_neither_s() {
    let unaddressed = |name: &str| pod("a", name, 8080).replace("podIP: 10.0.1.1, ", "");
    let behind = |slices: &str| {
        let pods = unaddressed("a") + &unaddressed("b");
        owners(&format!("{}{pods}{slices}", service("a", "x", "{}", 8080)), &CompileOptions::default())
    };
    let (a, b) = (|part: &str| slice("a", "x", part, "a"), |part: &str| slice("a", "x", part, "b"));
    assert_eq!(behind(&a("1")), [(Some("a/a".to_owned()), true)]);
    assert_eq!(behind(&(a("1") + &a("2"))), [(Some("a/a".to_owned()), true)]);
    assert_eq!(behind(&(a("1") + &b("2"))), [(None, true)]);
    assert_eq!(behind(&(b("1") + &a("2") + &b("3"))), [(None, true)]);
    assert_eq!(behind(&(a("1") + &slice("a", "x", "2", ""))), [(Some("a/a".to_owned()), true)]);
}

#[test]
fn s32_a_probe_opens_the_pods_that_have_it() {
    let pod = |name: &str, address: &str, probe: &str| {
        format!(
            "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}
spec: {{containers: [{{name: c{probe}}}]}}
status: {{phase: Running, podIP: {address}, conditions: [{{type: Ready, status: 'True'}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]}}
"
        )
    };
    let probe = ", livenessProbe: {httpGet: {port: 8080, path: /admin/backup}}";
    let text = pod("a", "10.0.1.1", probe) + &pod("b", "10.0.1.2", "") + &pod("c", "10.0.1.3", probe);
    let options = CompileOptions { allow_probes: AllowProbes::Everywhere, ..CompileOptions::default() };
    let ir = compiled(&text, &options).ir;
    assert_eq!(ir.workloads.len(), 2, "pods that are alike stay one");
    let open = |ir: &crate::ir::Ir, name: &str| {
        let port = Port::new(80).unwrap();
        let request = Request {
            caller: Caller::Nobody,
            payload: Payload::Http(crate::eval::HttpRequest {
                port,
                host: format!("{name}.shop.mesh"),
                method: "GET".into(),
                target: "/admin/backup".into(),
                headers: Vec::new(),
            }),
        };
        eval(ir, &request).distribution().iter().all(|(outcome, _)| matches!(outcome, Outcome::Served(..)))
    };
    assert_eq!(["a", "b", "c"].map(|name| open(&ir, name)), [true, false, true]);
    // As callers all of them are one.
    let names: Vec<_> = ir.workloads.keys().map(|id| (id.account(), id.to_string())).collect();
    let account = Namespaced::new("shop", "default");
    assert_eq!(names, [(account.clone(), "shop/default".to_owned()), (account, "shop/default~1".to_owned())]);
    // Of itself it opens nothing through services, and only the pod's own sidecar knows of it.
    let known = |options: &CompileOptions| {
        let ir = compiled(&text, options).ir;
        assert_eq!(ir.workloads.len(), 1);
        assert_eq!(["a", "b", "c"].map(|name| open(&ir, name)), [false; 3]);
        ir.pods.values().map(|pod| pod.probes.len()).collect::<Vec<_>>()
    };
    assert_eq!(known(&CompileOptions::default()), [1, 0, 1]);
    let never = CompileOptions { allow_probes: AllowProbes::Never, ..CompileOptions::default() };
    assert_eq!(known(&never), [0, 0, 0]);
}

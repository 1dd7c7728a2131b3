//! Kubernetes objects as the compiler sees them.

use super::*;
use crate::load::{Input, Limits, World, load};

fn read(text: &str) -> World {
    load(&[Input::new("a.yaml", text)], &Limits::default())
}

/// `CODE path: message` of every finding.
fn findings(world: &World) -> Vec<String> {
    world.report.iter().map(|d| format!("{} {}: {}", d.code, d.path, d.message)).collect()
}

fn clean(text: &str) -> Cluster {
    let world = read(text);
    assert_eq!(findings(&world), Vec::<String>::new(), "{text}");
    world.cluster
}

fn only<K, V: Clone>(map: &BTreeMap<K, V>) -> V {
    assert_eq!(map.len(), 1);
    map.values().next().unwrap().clone()
}

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop, annotations: {a/b: c}}\nspec: ";

#[test]
fn services_of_every_kind() {
    let service = only(
        &clean(&format!(
            "{SERVICE}{{clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, 'fd00::1'], selector: {{app: web}}, ports: [\
             {{name: http, port: 80, targetPort: web, appProtocol: http}}, {{name: dns, port: 53, protocol: UDP, targetPort: 5353}}, \
             {{name: sctp, port: 80, protocol: SCTP, targetPort: 0}}]}}"
        ))
        .services,
    );
    assert_eq!(service.name.to_string(), "shop/web");
    assert_eq!(service.kind, ServiceKind::ClusterIp);
    assert_eq!(*service.addresses, ["10.0.0.1".parse::<IpAddr>().unwrap(), "fd00::1".parse().unwrap()]);
    assert_eq!(service.annotations["a/b"].as_ref(), "c");
    let port = |number| Port::new(number).unwrap();
    let target: Vec<_> = service.ports.iter().map(|p| (p.protocol, p.target.clone())).collect();
    assert_eq!(
        target,
        [
            (PortProtocol::Tcp, TargetPort::Name("web".into())),
            (PortProtocol::Udp, TargetPort::Number(port(5353))),
            (PortProtocol::Sctp, TargetPort::Number(port(80))),
        ]
    );
    assert_eq!(service.ports[0].app_protocol.as_deref(), Some("http"));

    let service = only(&clean(&format!("{SERVICE}{{clusterIP: None, ports: [{{port: 80}}]}}")).services);
    assert_eq!((service.kind, service.addresses.len()), (ServiceKind::Headless, 0));
    assert_eq!(service.ports[0].target, TargetPort::Number(port(80)));
    let service = only(&clean(&format!("{SERVICE}{{type: ExternalName, externalName: a.example}}")).services);
    assert_eq!(service.kind, ServiceKind::ExternalName("a.example".into()));
}

#[test]
fn bad_services_are_left_out() {
    let table = [
        ("{ports: [{port: 65616}]}", "SMI0502 spec.ports[0].port: `65616` is not a port"),
        ("{ports: [{port: 0}]}", "SMI0502 spec.ports[0].port: `0` is not a port"),
        ("{ports: [{port: -1}]}", "SMI0502 spec.ports[0].port: `-1` is not a port"),
        (
            "{ports: [{port: 80, targetPort: '8080'}]}",
            "SMI0502 spec.ports[0].targetPort: `8080` is not the name of a port",
        ),
        (
            "{ports: [{port: 80, targetPort: 70000}]}",
            "SMI0502 spec.ports[0].targetPort: `70000` is not a port",
        ),
        ("{ports: [{port: 80, protocol: tcp}]}", "SMI0501 spec.ports[0].protocol: `tcp` is not a protocol"),
        (
            "{ports: [{port: 80, name: a}, {port: 81, name: a}]}",
            "SMI0504 spec.ports[1].name: another port is called `a` too",
        ),
        (
            "{ports: [{port: 80, name: a}, {port: 80, name: b}]}",
            "SMI0504 spec.ports[1].port: port 80 stands twice with the same protocol",
        ),
        (
            "{ports: [{port: 80, name: a}, {port: 81}]}",
            "SMI0504 spec.ports[1]: a port without a `name`, although there are several",
        ),
        ("{ports: [{port: 80, name: A_b}]}", "SMI0502 spec.ports[0].name: `A_b` is not the name of a port"),
        (
            "{clusterIP: 10.0.0.300, ports: [{port: 80}]}",
            "SMI0503 spec.clusterIP: `10.0.0.300` is not an IP address",
        ),
        (
            "{clusterIPs: [10.0.0.1, x], ports: [{port: 80}]}",
            "SMI0503 spec.clusterIPs[1]: `x` is not an IP address",
        ),
        ("{type: Cluster, ports: [{port: 80}]}", "SMI0501 spec.type: `Cluster` is not a type of Service"),
        ("{type: ExternalName}", "SMI0501 spec: `externalName` is missing"),
        ("{}", "SMI0501 spec: `ports` is missing"),
    ];
    for (spec, wanted) in table {
        let world = read(&format!("{SERVICE}{spec}"));
        assert_eq!(findings(&world), [wanted], "{spec}");
        assert_eq!(world.cluster, Cluster::default(), "{spec}");
    }
}

#[test]
fn names_are_checked() {
    let table = [
        ("{}", "SMI0505 metadata: this Service has no `name`"),
        ("{name: My_Service}", "SMI0505 metadata.name: `My_Service` is not a valid name"),
        ("{name: a.b}", "SMI0505 metadata.name: `a.b` is not a valid name"),
        ("{name: a, namespace: B}", "SMI0505 metadata.namespace: `B` is not a valid namespace"),
    ];
    for (meta, wanted) in table {
        let text =
            format!("apiVersion: v1\nkind: Service\nmetadata: {meta}\nspec: {{ports: [{{port: 80}}]}}\n");
        assert_eq!(findings(&read(&text)), [wanted], "{meta}");
    }
    let cluster = clean("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {a: b}}\n");
    assert_eq!(cluster.namespaces[&Namespace::from("shop")]["a"].as_ref(), "b");
    let cluster = clean("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a.b}\n");
    assert!(cluster.accounts.contains(&Namespaced::new("default", "a.b")));
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web-1, labels: {app: web}}\n";

#[test]
fn pods_with_ports_probes_and_addresses() {
    let text = format!(
        "{POD}spec:
  serviceAccountName: web
  hostNetwork: true
  nodeName: n1
  unknownToUs: {{}}
  initContainers:
  - {{name: done, ports: [{{containerPort: 1}}]}}
  - {{name: sidecar, restartPolicy: Always, ports: [{{name: http, containerPort: 15000}}], readinessProbe: {{httpGet: {{port: http}}}}}}
  containers:
  - ports: [{{name: http, containerPort: 8080}}, {{containerPort: 53, protocol: UDP}}]
    livenessProbe: {{httpGet: {{path: /live, port: http}}}}
    startupProbe: {{httpGet: {{path: /live, port: 8080}}}}
    readinessProbe: {{grpc: {{port: 9000}}}}
  - livenessProbe: {{tcpSocket: {{port: 9001}}}}
  - livenessProbe: {{exec: {{command: [a]}}}}
status:
  phase: Running
  podIP: 10.1.0.1
  podIPs: [{{ip: 10.1.0.1}}, {{ip: 'fd00::2'}}]
  conditions: [{{type: Ready, status: 'True'}}]
"
    );
    let pod = only(&clean(&text).pods);
    assert_eq!(clean(&text).pods.keys().next().unwrap().object_ref().to_string(), "Pod default/web-1");
    assert_eq!((pod.spec.account.as_str(), pod.spec.account_defaulted), ("web", false));
    assert_eq!(pod.addresses.len(), 2);
    assert!(pod.spec.host_network && pod.alive && pod.ready);
    assert_eq!(pod.locality.as_ref().and_then(|l| l.node.as_deref()), Some("n1"));
    let ports: Vec<_> = pod.spec.ports.iter().map(|p| p.port.get()).collect();
    assert_eq!(ports, [8080, 53, 15000]);
    let probes: Vec<_> =
        pod.spec.probes.iter().map(|p| format!("{} {}", p.port, p.path.as_deref().unwrap_or("-"))).collect();
    assert_eq!(probes, ["8080 /live", "9000 -", "9001 -", "15000 /"]);
}

#[test]
fn readiness_without_a_condition() {
    let states = [
        ("{}", true, true),
        ("{podIP: 10.0.0.1}", true, true),
        ("{phase: Running}", true, true),
        ("{phase: Pending, conditions: [{type: PodScheduled, status: 'True'}]}", true, false),
        ("{phase: Running, conditions: [{type: Ready, status: 'False'}]}", true, false),
        ("{phase: Running, conditions: [{type: Ready, status: Unknown}]}", true, false),
        ("{phase: Succeeded, podIP: 10.0.0.1}", false, false),
        ("{phase: Failed}", false, false),
    ];
    for (status, alive, ready) in states {
        let pod = only(&clean(&format!("{POD}status: {status}\n")).pods);
        assert_eq!((pod.alive, pod.ready), (alive, ready), "{status}");
    }
    let deleted = POD.replace("name: web-1", "name: web-1, deletionTimestamp: '2026-01-01T00:00:00Z'");
    assert!(!only(&clean(&deleted).pods).alive);
    assert!(only(&clean(&format!("{deleted}status: {{podIP: 10.0.0.1}}\n")).pods).alive);
}

#[test]
fn accounts_default() {
    for (spec, account, defaulted) in [
        ("{}", "default", true),
        ("{serviceAccountName: ''}", "default", true),
        ("{serviceAccountName: default}", "default", false),
        ("{serviceAccount: old}", "old", false),
        ("{serviceAccount: old, serviceAccountName: new}", "new", false),
    ] {
        let pod = only(&clean(&format!("{POD}spec: {spec}\n")).pods);
        assert_eq!((pod.spec.account.as_str(), pod.spec.account_defaulted), (account, defaulted), "{spec}");
    }
}

#[test]
fn bad_pods_are_left_out_and_bad_probes_ignored() {
    let table = [
        (
            "spec: {containers: [{ports: [{containerPort: 65536}]}]}",
            "SMI0502 spec.containers[0].ports[0].containerPort: `65536` is not a port",
        ),
        (
            "spec: {containers: [{ports: [{containerPort: 1, name: '80'}]}]}",
            "SMI0502 spec.containers[0].ports[0].name: `80` is not the name of a port",
        ),
        (
            "spec: {containers: [{ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]}]}",
            "SMI0504 spec.containers[0].ports[1].name: another port of this container is called `a` too",
        ),
        ("status: {podIP: 10.0.0}", "SMI0503 status.podIP: `10.0.0` is not an IP address"),
        (
            "spec: {hostNetwork: 'true'}",
            "SMI0501 spec.hostNetwork: expected `true` or `false`, found the string `true`",
        ),
        (
            "spec: {containers: [{livenessProbe: {tcpSocket: {port: 0}}}]}",
            "SMI0502 spec.containers[0].livenessProbe.tcpSocket.port: `0` is not a port",
        ),
    ];
    for (rest, wanted) in table {
        let world = read(&format!("{POD}{rest}\n"));
        assert_eq!(findings(&world), [wanted], "{rest}");
        assert_eq!(world.cluster, Cluster::default(), "{rest}");
    }
    let world =
        read(&format!("{POD}spec: {{containers: [{{livenessProbe: {{httpGet: {{port: web}}}}}}]}}\n"));
    assert_eq!(
        findings(&world),
        [
            "SMI0506 spec.containers[0].livenessProbe.httpGet.port: the container has no port `web`, so the probe is ignored"
        ]
    );
    assert!(only(&world.cluster.pods).spec.probes.is_empty());
}

#[test]
fn templates_stand_for_pods() {
    for (api, kind, template) in [
        ("apps/v1", "Deployment", TemplateKind::Deployment),
        ("apps/v1", "StatefulSet", TemplateKind::StatefulSet),
        ("apps/v1", "DaemonSet", TemplateKind::DaemonSet),
        ("apps/v1", "ReplicaSet", TemplateKind::ReplicaSet),
        ("batch/v1", "Job", TemplateKind::Job),
        ("batch/v1", "CronJob", TemplateKind::CronJob),
    ] {
        let body = "{template: {metadata: {labels: {app: web}}, spec: {serviceAccountName: a}}}";
        let spec =
            if kind == "CronJob" { format!("{{jobTemplate: {{spec: {body}}}}}") } else { body.to_owned() };
        let cluster =
            clean(&format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: web}}\nspec: {spec}\n"));
        let id = PodId::template(Namespaced::new("default", "web"), template);
        let pod = &cluster.pods[&id];
        assert_eq!(
            (pod.spec.labels.get("app").map(|l| &**l), pod.spec.account.as_str()),
            (Some("web"), "a"),
            "{kind}"
        );
        assert_eq!(id.object_ref().kind, kind);
        assert!(pod.ready && pod.alive && pod.addresses.is_empty());
    }
    let world = read("apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: web}\n");
    assert_eq!(
        findings(&world),
        ["SMI0510 apiVersion: `extensions/v1beta1` is not read, so this Deployment is ignored"]
    );
    assert_eq!(findings(&read("apiVersion: serving.knative.dev/v1\nkind: Service\n")), Vec::<String>::new());
}

fn slice(name: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}, labels: {{kubernetes.io/service-name: web}}}}\n{rest}\n"
    )
}

#[test]
fn slices_merge() {
    let a = slice(
        "a",
        "addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints:\n\
         - {addresses: [10.0.0.2], conditions: {ready: false}, nodeName: n1}\n\
         - {addresses: [10.0.0.1, 10.0.0.9], zone: z, targetRef: {kind: Pod, name: web-1}}\n",
    );
    let b = slice(
        "b",
        "addressType: IPv4\nports: [{name: http, protocol: TCP, port: 8080}]\nendpoints:\n\
         - {addresses: [10.0.0.2], conditions: {ready: true}}\n",
    );
    let c = slice(
        "c",
        "addressType: IPv4\nports: [{name: http, port: 9090}, {name: all}]\nendpoints: [{addresses: [10.0.0.2]}]",
    );
    // Ignored, since there are slices.
    let old = "---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\nsubsets: [{addresses: [{ip: 10.9.9.9}], ports: [{port: 1}]}]\n";
    let cluster = clean(&format!("{a}{b}{c}{old}"));
    assert_eq!(cluster, clean(&format!("{old}{c}{b}{a}")));
    let sets = only(&cluster.endpoints);
    let shown: Vec<_> = sets
        .iter()
        .flat_map(|set| {
            let port = set.ports[0].port;
            set.endpoints.iter().map(move |e| {
                let pod = e.pod.as_ref().map_or("-".to_owned(), ToString::to_string);
                format!("{}:{port} {} {pod}", e.address, e.ready)
            })
        })
        .collect();
    assert_eq!(shown, ["10.0.0.1:8080 true default/web-1", "10.0.0.2:8080 true -", "10.0.0.2:9090 true -"]);
}

#[test]
fn endpoints_serve_where_there_are_no_slices() {
    let text = "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web, namespace: shop}\nsubsets:\n\
                - addresses: [{ip: 10.0.0.1, targetRef: {kind: Pod, namespace: other, name: p}}]\n  \
                  notReadyAddresses: [{ip: 10.0.0.2}]\n  ports: [{port: 8080}]\n";
    let cluster = clean(text);
    let set = &cluster.endpoints[&Namespaced::new("shop", "web")][0];
    let shown: Vec<_> =
        set.endpoints.iter().map(|e| (e.ready, e.pod.as_ref().map(ToString::to_string))).collect();
    assert_eq!(shown, [(true, Some("other/p".to_owned())), (false, None)]);
}

#[test]
fn odd_slices() {
    let table = [
        (
            "addressType: FQDN\nendpoints: [{addresses: [a.example]}]",
            "SMI0509 addressType: an EndpointSlice with DNS names is ignored",
        ),
        ("addressType: IPv5", "SMI0501 addressType: `IPv5` is not a type of address"),
        ("ports: []", "SMI0501 : `addressType` is missing"),
        (
            "addressType: IPv4\nendpoints: [{addresses: []}]",
            "SMI0501 endpoints[0].addresses: an endpoint without addresses",
        ),
        (
            "addressType: IPv4\nendpoints: [{addresses: [a]}]",
            "SMI0503 endpoints[0].addresses[0]: `a` is not an IP address",
        ),
        ("addressType: IPv4\nports: [{port: 0}]", "SMI0502 ports[0].port: `0` is not a port"),
    ];
    for (rest, wanted) in table {
        let world = read(&slice("a", rest));
        assert_eq!(findings(&world), [wanted], "{rest}");
        assert_eq!(world.cluster, Cluster::default(), "{rest}");
    }
}

#[test]
fn the_same_object_twice() {
    let one = format!("{SERVICE}{{ports: [{{port: 80}}]}}\n");
    let other = format!("{SERVICE}{{ports: [{{port: 81}}]}}\n");
    let world = read(&format!("{one}---\n{one}"));
    assert_eq!(findings(&world), ["SMI0507 : 2 objects of this name have the same content"]);
    assert_eq!(world.cluster.services.len(), 1);
    let conflict = ["SMI0508 : 3 objects of this name differ, so none of them is taken"];
    for text in [format!("{one}---\n{other}---\n{one}"), format!("{other}---\n{one}---\n{one}")] {
        let world = read(&text);
        assert_eq!(findings(&world), conflict);
        assert_eq!(world.cluster, Cluster::default());
    }
}

#[test]
fn json_values_are_read_by_the_same_code() {
    let value = serde_json::json!({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80, "targetPort": "http"}]}});
    let decoded = decode("v1", "Service", value).unwrap().unwrap();
    let (cluster, report) = Cluster::from_objects(decoded.object);
    assert_eq!(report.diagnostics, []);
    assert_eq!(only(&cluster.services).ports[0].target, TargetPort::Name("http".into()));
    assert!(decode("v1", "ConfigMap", serde_json::json!({})).is_none());
    assert!(decode("v1", "Pod", serde_json::json!({"spec": 1})).unwrap().is_err());
}

//! A synthetic cluster of a given size, as manifests.
//!
//! Shape: per service one ServiceAccount's worth of pods (10 on average), an EndpointSlice, and two SMI objects: every service has a
//! TrafficTarget; half of them a TrafficSplit to two other services of the namespace, the other half an HTTPRouteGroup. 100 services
//! a namespace. Deterministic: sizes are the only input.

use std::fmt::Write as _;

/// Services in one namespace.
const PER_NAMESPACE: usize = 100;

/// Manifests of one cluster.
#[derive(Debug)]
pub struct Manifests {
    /// Services, pods, EndpointSlices.
    pub cluster: String,
    /// SMI objects.
    pub smi: String,
    /// How many services.
    pub services: usize,
    /// How many pods.
    pub pods: usize,
    /// How many SMI objects.
    pub objects: usize,
}

/// Writes the manifests of a cluster with `services` services.
pub fn manifests(services: usize) -> Manifests {
    let mut cluster = String::new();
    let mut smi = String::new();
    let (mut pods, mut objects) = (0, 0);
    for index in 0..services {
        let namespace = format!("team-{:03}", index / PER_NAMESPACE);
        let name = format!("service-{:02}", index % PER_NAMESPACE);
        service(&mut cluster, &namespace, &name, index);
        for replica in 0..10 {
            pod(&mut cluster, &namespace, &name, address(pods), replica);
            pods += 1;
        }
        slice(&mut cluster, &namespace, &name, pods - 10);
        target(&mut smi, &namespace, &name, index);
        objects += 2;
        if index % 2 == 0 {
            split(&mut smi, &namespace, index);
        } else {
            group(&mut smi, &namespace, index);
        }
    }
    Manifests { cluster, smi, services, pods, objects }
}

fn address(index: usize) -> String {
    let n = index + 1;
    format!("10.{}.{}.{}", (n >> 16) & 0xff, (n >> 8) & 0xff, n & 0xff)
}

fn service(out: &mut String, namespace: &str, name: &str, index: usize) {
    let _ = write!(
        out,
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n    app: {name}\nspec:\n  clusterIP: {}\n  selector:\n    app: {name}\n  ports:\n  - name: http\n    port: 80\n    targetPort: 8080\n  - name: metrics\n    port: 9090\n",
        format_args!("172.{}.{}.{}", 16 + (index >> 16), (index >> 8) & 0xff, index & 0xff)
    );
}

fn pod(out: &mut String, namespace: &str, name: &str, address: String, replica: usize) {
    let _ = write!(
        out,
        "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}-{replica}\n  namespace: {namespace}\n  labels:\n    app: {name}\n    pod-template-hash: 5f7d9c8b6\nspec:\n  serviceAccountName: {name}\n  nodeName: node-{replica}\n  containers:\n  - name: app\n    image: registry.example.com/{name}:1.0\n    ports:\n    - name: http\n      containerPort: 8080\n    - name: metrics\n      containerPort: 9090\nstatus:\n  phase: Running\n  podIP: {address}\n  podIPs:\n  - ip: {address}\n  conditions:\n  - type: Ready\n    status: \"True\"\n"
    );
}

fn slice(out: &mut String, namespace: &str, name: &str, first: usize) {
    let _ = write!(
        out,
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}-x\n  namespace: {namespace}\n  labels:\n    kubernetes.io/service-name: {name}\naddressType: IPv4\nports:\n- name: http\n  protocol: TCP\n  port: 8080\n- name: metrics\n  protocol: TCP\n  port: 9090\nendpoints:\n"
    );
    for replica in 0..10 {
        let _ = write!(
            out,
            "- addresses: [{}]\n  conditions:\n    ready: true\n  nodeName: node-{replica}\n  targetRef:\n    kind: Pod\n    namespace: {namespace}\n    name: {name}-{replica}\n",
            address(first + replica)
        );
    }
}

fn target(out: &mut String, namespace: &str, name: &str, index: usize) {
    // Everybody is called by two neighbours, with the rules of the nearest group.
    let neighbour = |distance: usize| (index % PER_NAMESPACE + distance) % PER_NAMESPACE;
    let _ = write!(
        out,
        "---\napiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  destination:\n    kind: ServiceAccount\n    name: {name}\n    namespace: {namespace}\n  rules:\n  - kind: HTTPRouteGroup\n    name: routes-{:02}\n    matches: [read, write]\n  sources:\n  - kind: ServiceAccount\n    name: service-{:02}\n    namespace: {namespace}\n  - kind: ServiceAccount\n    name: service-{:02}\n    namespace: {namespace}\n",
        (index % PER_NAMESPACE) | 1,
        neighbour(1),
        neighbour(2),
    );
}

fn split(out: &mut String, namespace: &str, index: usize) {
    let at = |distance: usize| (index % PER_NAMESPACE + distance) % PER_NAMESPACE;
    let _ = write!(
        out,
        "---\napiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata:\n  name: split-{:02}\n  namespace: {namespace}\nspec:\n  service: service-{:02}\n  backends:\n  - service: service-{:02}\n    weight: 90\n  - service: service-{:02}\n    weight: 10\n",
        at(0),
        at(0),
        at(3),
        at(5),
    );
}

fn group(out: &mut String, namespace: &str, index: usize) {
    let _ = write!(
        out,
        "---\napiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata:\n  name: routes-{:02}\n  namespace: {namespace}\nspec:\n  matches:\n  - name: read\n    pathRegex: /api/v[12]/items(/.*)?$\n    methods: [GET, HEAD]\n  - name: write\n    pathRegex: /api/v1/items/[0-9]+$\n    methods: [POST, PUT]\n    headers:\n    - x-team: team-[0-9]+\n",
        index % PER_NAMESPACE
    );
}

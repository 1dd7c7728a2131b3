//! A synthetic cluster of a given size, as manifests.
//!
//! Shape: per service one ServiceAccount's worth of pods (10 on average), an EndpointSlice, and two SMI objects: every service has a
//! TrafficTarget; half of them a TrafficSplit to two other services of the namespace, the other half an HTTPRouteGroup. 100 services
//! a namespace. Like in a real cluster no two services, pods or paths are called the same, and pods are not named in the order of their
//! addresses. Deterministic: sizes are the only input.

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
        let name = service_name(index);
        service(&mut cluster, &namespace, &name, index);
        for replica in 0..10 {
            pod(&mut cluster, &namespace, &name, pods, replica);
            pods += 1;
        }
        slice(&mut cluster, &namespace, &name, pods - 10);
        target(&mut smi, &namespace, &name, index);
        objects += 2;
        if index % 2 == 0 {
            split(&mut smi, &namespace, &name, index);
        } else {
            group(&mut smi, &namespace, &name, index);
        }
    }
    Manifests { cluster, smi, services, pods, objects }
}

fn service_name(index: usize) -> String {
    format!("service-{index:05}")
}

/// The service so far after this one, in the same namespace.
fn neighbour(index: usize, distance: usize) -> String {
    let first = index - index % PER_NAMESPACE;
    service_name(first + (index % PER_NAMESPACE + distance) % PER_NAMESPACE)
}

/// The route group of a service with an odd number is its own, others use the next one's.
fn group_name(index: usize) -> String {
    format!("routes-{:05}", index | 1)
}

/// The name that a ReplicaSet gives: letters and digits at its end, without order.
fn pod_name(service: &str, index: usize) -> String {
    let mut suffix = (index + 1).wrapping_mul(0x9e37_79b9) & 0xffff_ffff;
    let mut name = format!("{service}-5f7d9c8b6-");
    for _ in 0..6 {
        name.push(char::from(b"bcdfghjklmnpqrstvwxz2456789"[suffix % 27]));
        suffix /= 27;
    }
    name
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

fn pod(out: &mut String, namespace: &str, name: &str, index: usize, replica: usize) {
    let (pod, address) = (pod_name(name, index), address(index));
    let _ = write!(
        out,
        "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: {pod}\n  namespace: {namespace}\n  labels:\n    app: {name}\n    pod-template-hash: 5f7d9c8b6\nspec:\n  serviceAccountName: {name}\n  nodeName: node-{replica}\n  containers:\n  - name: app\n    image: registry.example.com/{name}:1.0\n    ports:\n    - name: http\n      containerPort: 8080\n    - name: metrics\n      containerPort: 9090\nstatus:\n  phase: Running\n  podIP: {address}\n  podIPs:\n  - ip: {address}\n  conditions:\n  - type: Ready\n    status: \"True\"\n"
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
            "- addresses: [{}]\n  conditions:\n    ready: true\n  nodeName: node-{replica}\n  targetRef:\n    kind: Pod\n    namespace: {namespace}\n    name: {}\n",
            address(first + replica),
            pod_name(name, first + replica)
        );
    }
}

fn target(out: &mut String, namespace: &str, name: &str, index: usize) {
    // Everybody is called by two neighbours, with the rules of the nearest group.
    let _ = write!(
        out,
        "---\napiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  destination:\n    kind: ServiceAccount\n    name: {name}\n    namespace: {namespace}\n  rules:\n  - kind: HTTPRouteGroup\n    name: {}\n    matches: [read, write]\n  sources:\n  - kind: ServiceAccount\n    name: {}\n    namespace: {namespace}\n  - kind: ServiceAccount\n    name: {}\n    namespace: {namespace}\n",
        group_name(index),
        neighbour(index, 1),
        neighbour(index, 2),
    );
}

fn split(out: &mut String, namespace: &str, name: &str, index: usize) {
    let _ = write!(
        out,
        "---\napiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  service: {name}\n  backends:\n  - service: {}\n    weight: 90\n  - service: {}\n    weight: 10\n",
        neighbour(index, 3),
        neighbour(index, 5),
    );
}

fn group(out: &mut String, namespace: &str, name: &str, index: usize) {
    let _ = write!(
        out,
        "---\napiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata:\n  name: {}\n  namespace: {namespace}\nspec:\n  matches:\n  - name: read\n    pathRegex: /{name}/v[12]/items(/.*)?$\n    methods: [GET, HEAD]\n  - name: write\n    pathRegex: /{name}/v1/items/[0-9]+$\n    methods: [POST, PUT]\n    headers:\n    - x-team: team-[0-9]+\n",
        group_name(index)
    );
}

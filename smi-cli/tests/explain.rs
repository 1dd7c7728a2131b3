//! What `smi explain` answers, and what it refuses to be asked.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// `dns` has one number for TCP and UDP; nothing has endpoints, but `cart` has a Deployment.
const WORLD: &str = "
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: canary, namespace: shop}
spec: {selector: {app: canary}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: dns, namespace: shop}
spec:
  selector: {app: dns}
  ports: [{name: http, port: 53, protocol: TCP}, {name: dns, port: 53, protocol: UDP}, {name: tcp, port: 54}, {name: udp, port: 55, protocol: UDP}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {serviceAccountName: cart, containers: [{name: c}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: shop}
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: canary, namespace: shop}
spec: {service: cart, backends: [{service: cart, weight: 99999}, {service: canary, weight: 1}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: all, namespace: shop}
spec: {matches: [{name: all}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: web-to-cart, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: cart, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: all}]
  sources: [{kind: ServiceAccount, name: web, namespace: shop}]
";

fn explain(world: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smi"));
    command.args(["explain", "-"]).args(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(world.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn answer(arguments: &[&str]) -> String {
    let output = explain(WORLD, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn names_of_the_cluster_are_asked_of_a_sidecar() {
    let mesh = answer(&["--from", "shop/web", "--to", "cart.shop"]);
    assert!(mesh.starts_with("GET http://cart.shop.mesh:80/ from shop/web\n"), "{mesh}");
    assert!(!mesh.contains("asked of"), "{mesh}");
    for name in ["cart.shop.svc", "cart.shop.svc.cluster.local"] {
        let sidecar = answer(&["--from", "shop/web", "--to", name]);
        assert!(sidecar.starts_with(&format!("GET http://{name}:80/ from shop/web\n")), "{sidecar}");
        assert!(sidecar.contains("asked of the caller's sidecar, as node proxies know"), "{sidecar}");
        // Otherwise it is the same, what is believed of pods that are not created yet included.
        let rest = |text: &str| text.split_once("protocol http").unwrap().1.to_owned();
        assert_eq!(rest(&sidecar), rest(&mesh));
        assert!(rest(&sidecar).contains("allowed by TrafficTarget shop/web-to-cart"), "{sidecar}");
        // Nobody has no sidecar.
        let node = answer(&["--to", name]);
        assert!(node.contains("names of the mesh only: `cart.shop.mesh`"), "{node}");
        assert!(node.contains("404: the host names no HTTP service"), "{node}");
    }
    let tcp = answer(&["--from", "shop/web", "--to", "dns.shop.svc:54"]);
    assert!(tcp.contains("asked of the caller's sidecar"), "{tcp}");
}

#[test]
fn an_address_is_its_pods_also_as_a_socket_for_both_families_shows_it() {
    let pod = "---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop}
spec: {serviceAccountName: web, containers: [{name: c}]}
status: {phase: Running, podIP: 10.0.0.9}
";
    for address in ["10.0.0.9", "::ffff:10.0.0.9"] {
        let output = explain(&format!("{WORLD}{pod}"), &["--from", address, "--to", "cart.shop.svc"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("caller spiffe://cluster.local/ns/shop/sa/web (pod shop/web-0)"), "{text}");
        assert!(text.contains("asked of the caller's sidecar"), "{text}");
        assert!(text.contains("allowed by TrafficTarget shop/web-to-cart"), "{text}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (arguments, why) in [
        (&["--to", "cart.shop", "-H", "Host: x"][..], "the host is what `--to` says"),
        (&["--to", "cart.shop", "-H", ": foo"], "`: foo` is not `name: value`"),
        (&["--to", "cart.shop", "-H", "foo"], "`foo` is not `name: value`"),
        (&["--to", "cart.shop", "-H", "a b: foo"], "is not `name: value`"),
        (&["--to", "cart.shop", "-X", "GE T"], "`GE T` is not a method"),
        (
            &["--to", "dns.shop:54", "-X", "GET"],
            "`--method` is for HTTP, and port 54 of Service `shop/dns` is tcp",
        ),
        (&["--to", "dns.shop:54", "--path", "/"], "`--path` is for HTTP"),
        (
            &["--to", "dns.shop:55", "-H", "a: b"],
            "`--header` is for HTTP, and port 55 of Service `shop/dns` is udp",
        ),
        (&["--to", "dns.shop:54", "--udp"], "port 54 of Service `shop/dns` is not UDP"),
        (&["--to", "dns.shop:56"], "has no port 56"),
        (&["--to", "dns.shop"], "has several ports"),
    ] {
        let output = explain(WORLD, arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains(why), "{arguments:?}: {said}");
    }
    assert!(answer(&["--to", "cart.shop", "-X", "PUT", "-H", "a: b", "--path", "/x"]).contains("path /x"));
}

#[test]
fn tcp_and_udp_have_words_of_their_own() {
    let http = answer(&["--to", "dns.shop:53"]);
    assert!(http.contains("protocol http (") && http.contains("503: no ready endpoint"), "{http}");
    let udp = answer(&["--to", "dns.shop:53", "--udp"]);
    assert!(udp.contains("protocol udp (") && udp.contains("no answer: no ready endpoint"), "{udp}");
    let tcp = answer(&["--to", "dns.shop:54"]);
    assert!(tcp.contains("closed: no ready endpoint") && !tcp.contains("503"), "{tcp}");
}

#[test]
fn a_small_share_is_not_nothing() {
    let answer = answer(&["--from", "shop/web", "--to", "cart.shop"]);
    assert!(answer.contains(" <0.01% to shop/canary:80"), "{answer}");
    assert!(answer.contains(">99.99% to shop/cart:80"), "{answer}");
}

#[test]
fn errors_are_counted() {
    let world = WORLD.to_owned() + "---\nkind: [\n";
    let said = String::from_utf8(explain(&world, &["--to", "cart.shop"]).stderr).unwrap();
    assert!(said.contains("the input has 1 error;"), "{said}");
}

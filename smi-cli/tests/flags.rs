//! Flags that would have no effect, or values that mean nothing, are refused.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/store");

/// Exit code, and what is said on standard error.
fn smi(arguments: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smi"));
    command.args(arguments.split(' ').map(|a| if a == "STORE" { STORE } else { a }));
    let output = command.output().unwrap();
    if output.status.code() == Some(2) {
        assert!(output.stdout.is_empty(), "{arguments}");
    }
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn refused(arguments: &str, why: &str) {
    let (code, said) = smi(arguments);
    assert_eq!(code, Some(2), "{arguments}: {said}");
    assert!(said.starts_with("error: ") && said.contains(why), "{arguments}: {said}");
}

#[test]
fn flags_of_the_other_backend_or_form_are_refused() {
    for flag in
        ["--target sidecar/shop/cart-v1-1", "--format json", "--xds", "--pod-trust x", "--inbound-port 15009"]
    {
        let name = flag.split(' ').next().unwrap();
        refused(
            &format!("render --backend traefik {flag} STORE"),
            &format!("`{name}` is for `--backend envoy`"),
        );
    }
    refused("render --backend traefik --watched --out /nonexistent STORE", "`--watched` is for");
    for flag in ["--open-udp", "--api", "--provider-file x", "--ready-port 8082", "--provider-url http://x"] {
        let name = flag.split(' ').next().unwrap();
        refused(
            &format!("render --backend envoy {flag} STORE"),
            &format!("`{name}` is for `--backend traefik`"),
        );
    }
    refused("render --backend envoy --watched --out /nonexistent --format pb STORE", "are JSON");
    // Flags for both.
    assert_eq!(smi("render --backend envoy --static --bind 127.0.0.1 STORE").0, Some(0));
}

/// A kubelet is not refused by the sidecar beside the pod that it probes, unless somebody says so (S32).
#[test]
fn probes_are_allowed_at_sidecars_and_at_nodes_only_when_told_so() {
    let file = std::env::temp_dir().join(format!("smi-probes-{}.yaml", std::process::id()));
    let pod = "apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, labels: {app: cart}}
spec: {containers: [{name: c, livenessProbe: {httpGet: {path: /healthz, port: 8080}}}]}
status: {phase: Running, podIP: 10.0.0.7, conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
";
    std::fs::write(&file, pod).unwrap();
    let names_the_path = |target: &str, flag: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smi"));
        command.args(["render", "--backend", "envoy", "--static", "--target", target]);
        command.args((!flag.is_empty()).then_some(flag));
        let output = command.arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().contains("/healthz")
    };
    let of = |flag: &str| ["sidecar/shop/cart", "node"].map(|target| names_the_path(target, flag));
    assert_eq!(of(""), [true, false]);
    assert_eq!(of("--allow-probes=sidecars"), [true, false]);
    assert_eq!(of("--allow-probes=never"), [false, false]);
    assert_eq!(of("--allow-probes"), [true, true]);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn names_that_are_none_are_refused() {
    for domain in ["", ".", "a b", "me_sh", "-mesh", "a..b"] {
        let output = Command::new(env!("CARGO_BIN_EXE_smi"))
            .args(["compile", &format!("--mesh-domain={domain}"), STORE])
            .output()
            .unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{domain:?}");
    }
    for domain in ["", "Cluster.local", "a/b", "a b"] {
        let output = Command::new(env!("CARGO_BIN_EXE_smi"))
            .args(["compile", &format!("--trust-domain={domain}"), STORE])
            .output()
            .unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{domain:?}");
    }
    assert_eq!(smi("compile --mesh-domain .Mesh.Example. --trust-domain prod_1.example STORE").0, Some(0));
}

#[test]
#[cfg(feature = "serve")]
fn serve_tells_what_it_misses() {
    refused("serve xds --files /nonexistent --listen 127.0.0.1:1 STORE", "cannot be used with");
    refused("serve xds --node-account a/b STORE", "the following required arguments");
    refused(
        "serve xds --certificates /nonexistent STORE",
        "no certificate of this server: cannot read `/nonexistent/ca.crt`",
    );
    refused("serve xds --certificates /nonexistent --account smi STORE", "invalid value 'smi'");
}

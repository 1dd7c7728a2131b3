//! Codes of this backend.

use smi_core::diag::{Code, Severity};

macro_rules! codes {
    ($($const:ident = $id:literal $name:literal $severity:ident $rule:literal, $summary:literal, $explanation:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $summary, ".")]
            pub const $const: Code = Code { id: $id, name: $name, severity: Severity::$severity, summary: $summary, explanation: $explanation, rule: $rule };
        )*
        /// All of them.
        pub const CODES: &[Code] = &[$($const),*];
    };
}

codes! {
    NO_POD = "SMI1101" "envoy-no-pod" Error "S28",
        "the sidecar's pod is not known",
        "## What it checks\nThe pod whose sidecar is rendered is among the objects, and has an address that no other pod has.\n\n## Why it matters\nA sidecar proves its pod's identity and is bound to its address. Without them the configuration has no listeners, so nothing is served and nothing is opened.\n\n## Example\n`smi render --backend envoy --target sidecar/shop/cart-0`, and there is no Pod `cart-0` in `shop`.\n\n## Fix\nName a Pod that is running; a Deployment's template has no address, and pods on the host network share theirs.";
    NOT_RENDERED = "SMI1102" "envoy-listener-missing" Warning "S37",
        "a service port has no listener and is not served",
        "## What it checks\nEvery service port has an entry in the port table.\n\n## Why it matters\nWithout a listen port there is no listener.\n\n## Example\nThe range of ports is exhausted.\n\n## Fix\nGive the compiler a larger range.";
    IGNORED = "SMI1103" "envoy-setting-ignored" Warning "S34",
        "a setting is not rendered for Envoy",
        "## What it checks\nMirroring to pods that not all callers may call (node proxies; sidecars leave that to the pods' own); circuit breakers other than one share of network errors or of 5xx among all answers, at a sidecar 5xx only; counting of would-be denials on UDP ports.\n\n## Why it matters\nThe Service is served without the setting; access is as the policy says.\n\n## Example\n`mesh.smi-sdk.io/circuit-breaker-expression: …`\n\n## Fix\nRemove the annotation or use another backend.";
    NARROWED = "SMI1104" "envoy-narrowed" Warning "S20",
        "something is not served, as it cannot be expressed",
        "## What it checks\nPods that speak TLS while nothing says whose certificates to trust (`--pod-trust`), weights that are too large once multiplied with endpoint counts, and probes that a sidecar cannot let through.\n\n## Why it matters\nThe route answers 503, or is closed, although the policy allows it.\n\n## Example\nA split over backends with 65,521 and 65,537 pods and weights near 2³².\n\n## Fix\nName the trusted certificates, or use smaller weights.";
    APPROXIMATED = "SMI1105" "envoy-approximated" Warning "S34",
        "a setting is rendered for Envoy with a meaning that comes near",
        "## What it checks\nCircuit breakers, and limits of ports whose pods are spoken to in several ways.\n\n## Why it matters\nA circuit breaker judges the service; Envoy judges each pod, once a second and in whole percents, and takes it out for ten seconds. If all fail, the service answers 503. A limit holds for the pods of one cluster, and pods that are spoken to in several ways are in several.\n\n## Example\n`mesh.smi-sdk.io/circuit-breaker-expression: ResponseCodeRatio(500, 600, 0, 600) > 0.25`\n\n## Fix\nNothing, if that is what is wanted.";
    OWN_PORT = "SMI1106" "envoy-own-port" Error "S37",
        "an application listens on a port of its sidecar",
        "## What it checks\nA sidecar reaches its application on the loopback address, where it listens itself: on the listen ports of the port table (5000 and up, unless the compiler is told otherwise), and with its admin interface.\n\n## Why it matters\nOne of the two cannot have the port; and if it is the sidecar, others would speak to it in the place of the application, with the application's identity. The port is not served.\n\n## Example\nA Service with `targetPort: 5000`, or `9901`.\n\n## Fix\nLet the application listen on another port, or on the pod's address (`--app pod`), or move the sidecar's ports (`--port-table`, `--admin-port`).";
}

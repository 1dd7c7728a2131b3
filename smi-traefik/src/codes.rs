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
    UDP_CLOSED = "SMI1001" "traefik-udp-closed" Warning "S29",
        "a UDP port is closed, as Traefik cannot tell its callers apart",
        "## What it checks\nUDP ports of namespaces in which access is enforced.\n\n## Why it matters\nTraefik has neither rules nor middlewares for UDP. Serving the port would open it to everybody, so it is not served.\n\n## Example\nA DNS Service with a TrafficTarget that grants a UDPRoute.\n\n## Fix\nUse a backend that knows UDP callers, or accept an open port with `--open-udp`.";
    UDP_OPEN = "SMI1002" "traefik-udp-open" Warning "S29",
        "a UDP port is served to every caller",
        "## What it checks\nUDP ports that were rendered although access is enforced.\n\n## Why it matters\nThe option `--open-udp` was given: the port is open to everybody who reaches the proxy.\n\n## Example\n`smi render --backend traefik --open-udp`\n\n## Fix\nRemove the option, or guard the port with a NetworkPolicy.";
    IGNORED = "SMI1003" "traefik-setting-ignored" Warning "S34",
        "a setting has no counterpart in Traefik",
        "## What it checks\nTimeouts, mirroring, and counting of would-be denials.\n\n## Why it matters\nThe Service is served without the setting; access is as the policy says. Traefik's timeouts end with the head of an answer, and its mirroring holds a request back until its end, so neither is used.\n\n## Example\n`mesh.smi-sdk.io/timeout: 2s`\n\n## Fix\nRemove the annotation or use another backend.";
    TOO_MANY_CONDITIONS = "SMI1004" "traefik-too-many-conditions" Warning "S30",
        "the backends of a split grant too many different requests to one caller",
        "## What it checks\nA caller that is granted different requests at different backends of one split needs a router for each combination.\n\n## Why it matters\nBeyond four different conditions only requests that all of them allow, or that one of them allows alone, are served as the policy says; others are refused.\n\n## Example\nFive backends, each with a TrafficTarget of its own.\n\n## Fix\nGive the backends of a split the same rules.";
    NOT_RENDERED = "SMI1005" "traefik-listener-missing" Warning "S37",
        "a service port has no listener and is not served",
        "## What it checks\nEvery service port has an entry in the port table.\n\n## Why it matters\nWithout a listen port there is no entry point.\n\n## Example\nThe range of ports is exhausted.\n\n## Fix\nGive the compiler a larger range.";
    METHOD_LOWER_CASE = "SMI1006" "traefik-method-lower-case" Warning "S10",
        "a method with lower-case letters cannot be matched by Traefik",
        "## What it checks\nMethods of matches that have lower-case letters.\n\n## Why it matters\nMethods are case-sensitive, but Traefik reads those of its rules in upper case: `get` would take every GET. The method is left out, so less is served than the policy says.\n\n## Example\n`methods: [get]`\n\n## Fix\nWrite `GET`, if that is what was meant.";
    BACKSLASH_REFUSED = "SMI1007" "traefik-backslash-refused" Warning "S9",
        "encoded backslashes are refused by Traefik",
        "## What it checks\nThe option that keeps encoded slashes and backslashes in paths.\n\n## Why it matters\nTraefik cannot tell a raw backslash, which is always refused, from an encoded one. It refuses both with 400; encoded slashes are kept.\n\n## Example\n`smi render --backend traefik --keep-encoded-slashes`\n\n## Fix\nUse another backend for applications that need `%5C` in their paths.";
    NO_SIDECAR = "SMI1008" "traefik-no-sidecar" Error "S28",
        "Traefik is rendered for nodes only",
        "## What it checks\nThe target that a configuration is rendered for.\n\n## Why it matters\nA sidecar knows callers by their certificates, which Traefik cannot match. The configuration of a node in its place would serve what the pod's own proxy must not, so the sidecar gets an empty one.\n\n## Example\n`Backend::render` of Traefik with the target `sidecar/shop/cart-1`.\n\n## Fix\nRender for the node, or for Envoy.";
}

//! Envoy, in its shapes and with its ways of delivery.
//!
//! - `process`: a running Envoy · `control`: the server it asks · `node`: one proxy per node ·
//!   `sidecar`: one per pod

mod control;
mod node;
mod process;
mod sidecar;

pub(crate) use control::Control;
pub use node::{Delivery, EnvoyNode, LiveEnvoyNode};
pub use process::Process;
pub use sidecar::{EnvoySidecars, LiveEnvoySidecars};

use smi_core::eval::path::{BadTarget, canonical_path};
use smi_core::eval::{Distribution, Outcome, Payload, Request};
use smi_core::ir::Ir;

use crate::subject::{Declared, Instead, Refusal};

/// Methods that Envoy's parser knows.
const METHODS: &[&str] = &[
    "ACL",
    "BIND",
    "CHECKOUT",
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LINK",
    "LOCK",
    "M-SEARCH",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "NOTIFY",
    "OPTIONS",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "REBIND",
    "REPORT",
    "SEARCH",
    "SOURCE",
    "SUBSCRIBE",
    "TRACE",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
];

/// What Envoy does otherwise, in every shape.
const DECLARED: &[Declared] = &[
    Declared {
        name: "backslash is a slash",
        lacks: None,
        concerns: |_: &Ir, request: &Request, expected: &Distribution| {
            *expected == Distribution::certain(Outcome::BadRequest) && slashed(request).is_some()
        },
        instead: Instead::Spelled(slashed),
    },
    Declared {
        name: "what has to be escaped is escaped",
        lacks: None,
        concerns: |_, request, _| escaped(request).is_some(),
        instead: Instead::Spelled(escaped),
    },
    // Envoy removes dot segments before a route refuses bad escapes.
    Declared {
        name: "a bad escape goes with its segment",
        lacks: None,
        concerns: |ir, request, _| match &request.payload {
            Payload::Http(http) => {
                canonical_path(&http.target, ir.settings.encoded_slashes) == Err(BadTarget::BadEscape)
            }
            Payload::Tcp { .. } | Payload::Udp { .. } => false,
        },
        instead: Instead::Spelled(undotted),
    },
    Declared {
        name: "unknown method refused",
        lacks: None,
        concerns: |_, request, _| match &request.payload {
            Payload::Http(http) => !METHODS.contains(&http.method.as_str()),
            Payload::Tcp { .. } | Payload::Udp { .. } => false,
        },
        instead: Instead::Refusal(Refusal::BadRequest),
    },
    Declared {
        name: "slashes alone refused",
        lacks: None,
        concerns: |ir, request, _| match &request.payload {
            Payload::Http(http) => {
                let path = http.target.split('?').next().unwrap_or_default();
                let canonical = canonical_path(&http.target, ir.settings.encoded_slashes);
                canonical.is_ok_and(|path| path == "/") && path.contains("//")
            }
            Payload::Tcp { .. } | Payload::Udp { .. } => false,
        },
        instead: Instead::Refusal(Refusal::BadRequest),
    },
    // `h2c` alone is ignored; a list that holds more is no upgrade that the listener knows.
    Declared {
        name: "upgrade refused",
        lacks: None,
        concerns: |_, request, _| match &request.payload {
            Payload::Http(http) => http.headers.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case("upgrade") && !value.eq_ignore_ascii_case("websocket")
            }),
            Payload::Tcp { .. } | Payload::Udp { .. } => false,
        },
        instead: Instead::Refusal(Refusal::Forbidden),
    },
    // The port that is stripped has digits.
    Declared {
        name: "host with an empty port is unknown",
        lacks: None,
        concerns: |_, request, _| match &request.payload {
            Payload::Http(http) => http.host.ends_with(':'),
            Payload::Tcp { .. } | Payload::Udp { .. } => false,
        },
        instead: Instead::Refusal(Refusal::NotFound),
    },
];

/// The request without what goes with `..` segments, if it has any.
fn undotted(request: &Request) -> Option<Request> {
    let mut request = request.clone();
    let Payload::Http(http) = &mut request.payload else { return None };
    let (path, query) = parts(&http.target);
    let mut kept = Vec::new();
    let mut removed = false;
    for segment in path.split('/').skip(1) {
        if segment.to_ascii_lowercase().replace("%2e", ".") == ".." {
            removed |= kept.pop().is_some();
        } else {
            kept.push(segment);
        }
    }
    http.target = format!("/{}{query}", kept.join("/"));
    removed.then_some(request)
}

/// Path, and query with its question mark.
fn parts(target: &str) -> (&str, &str) {
    target.split_at(target.find('?').unwrap_or(target.len()))
}

/// The request with escapes for the characters of its path that RFC 3986 wants escaped, if there are any.
fn escaped(request: &Request) -> Option<Request> {
    let mut request = request.clone();
    let Payload::Http(http) = &mut request.payload else { return None };
    let (path, query) = parts(&http.target);
    let mut out = String::with_capacity(http.target.len());
    for character in path.chars() {
        match character {
            '"' | '<' | '>' | '[' | ']' | '^' | '`' | '{' | '|' | '}' => {
                out.push_str(&format!("%{:02X}", u32::from(character)));
            }
            other => out.push(other),
        }
    }
    let found = out != path;
    http.target = out + query;
    found.then_some(request)
}

/// The request with slashes for raw backslashes in its path, if there are any.
fn slashed(request: &Request) -> Option<Request> {
    let mut request = request.clone();
    let Payload::Http(http) = &mut request.payload else { return None };
    let (path, query) = parts(&http.target);
    if !path.contains('\\') {
        return None;
    }
    http.target = path.replace('\\', "/") + query;
    Some(request)
}

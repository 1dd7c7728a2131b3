//! Renders the routing IR to Traefik (3.7 or newer): one proxy per node, which knows callers by address.
//!
//! **What it can express:** HTTP, TCP and UDP routing; exact weights in one hop; access by path, method, header and caller for HTTP, by
//! caller and port for TCP; retries, circuit breakers, rate limits, limits of requests in flight; pods that speak h2c or TLS.
//!
//! **What is lost** ([`Traefik::capabilities`](smi_core::backend::Backend::capabilities)), each said by a warning:
//! - UDP callers cannot be told apart, so UDP ports are closed where access is enforced.
//! - Would-be denials are not counted: Traefik has nothing that decides without acting.
//! - Timeouts: the only one per service, `responseHeaderTimeout`, ends with the head of the answer; a body may take for ever.
//! - Mirroring: Traefik reads a request to its end before it forwards it, so requests that stream would hang.
//!
//! - Encoded backslashes, where encoded slashes are kept: Traefik forwards a raw backslash as `%5C`, so both are refused with 400.
//!
//! **What differs** and opens nothing: Traefik removes dot segments before it looks at what else a path holds, so `/a\b/../c` is `/c` where
//! the rules want 400; a last dot segment takes its slash along; where one character should have been escaped (`|`), the whole path is
//! escaped anew, and a `%2F` beside it becomes a slash. Policy decides on the path that the pod receives. Escapes that Traefik decodes
//! (`%7C`) may be refused, and a bad path of an unknown host is 404 before it is 400.
//!
//! Callers are known by address only. CONNECT is answered 501 by Traefik itself, whatever is granted. Limits and breakers hold per
//! proxy, and a reload resets them.
//!
//! Whoever runs sidecars with certificates should take another backend.
//!
//! ```
//! use smi_core::backend::{Artifacts, Backend, ProxyTarget};
//! use smi_core::compile::{CompileOptions, compile};
//! use smi_core::load::{Input, Limits, load};
//!
//! let world = load(&[Input::new("shop.yaml", r#"
//! apiVersion: v1
//! kind: Service
//! metadata: {name: cart, namespace: shop}
//! spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: 8080}]}
//! "#)], &Limits::default());
//! let compiled = compile(&world.hub, &world.cluster, &CompileOptions::default());
//! let rendered = smi_traefik::Traefik::default().render(&compiled.ir, &ProxyTarget::Node);
//! let files = rendered.output.artifacts();
//! assert_eq!(files[0].name, "dynamic.yaml");
//! assert!(files[0].text.contains("Host(`cart.shop.mesh`)"));
//! ```

mod backend;
pub mod check;
pub mod codes;
pub mod config;
mod name;
mod options;
mod render;
pub mod rule;
#[cfg(any(test, feature = "sim"))]
pub mod sim;

pub use backend::{Traefik, TraefikConfig};
pub use options::{Provider, TraefikOptions};

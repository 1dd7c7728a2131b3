//! Renders the routing IR to Envoy (1.40 or newer): one proxy per node, which knows callers by address, or a sidecar per pod, which knows
//! them by the SPIFFE ID of their certificate.
//!
//! **What it can express:** HTTP, TCP and (at nodes) UDP routing with exact weights, conditional splits; access by path, method, header and
//! caller for HTTP, by caller and port for TCP and UDP, decided at the pods that a split picked; would-be denials of HTTP requests and
//! TCP connections counted in permissive mode (`rbac.shadow_denied`; connections once the caller says something); retries, timeouts, rate limits, limits of requests in flight, circuit breakers that are a
//! share of failures; mirroring to pods that all callers of a route may call; pods that speak HTTP/1.1, h2c or TLS ([`PodTls`]).
//!
//! **Sidecars** ([`SidecarOptions`]) need no redirection of traffic. An application calls through its sidecar's listeners on the loopback
//! address, whose ports are those of the port table, and names services by their mesh names, their cluster names or ClusterIPs. Sidecars
//! speak mTLS with each other on one port of the pods' addresses. The caller's sidecar routes; that of the pod decides. The application
//! should listen on the loopback address only, as what reaches it otherwise has not passed its sidecar. There is no transparent capture
//! (`original_dst`).
//!
//! **How it reaches a proxy:** [`EnvoyConfig`] holds [`Resources`] by name, in the form in which an ADS server serves them
//! ([`Resources::iter`] gives bytes and origins), and makes the other forms of them: one static file, files that Envoy watches, and what
//! an Envoy starts with to ask an ADS server.
//!
//! **What is not here yet:** UDP between sidecars (closed), circuit breakers of latencies and of several conditions, counting of would-be
//! denials on UDP. Everything that is left out is a diagnostic ([`codes`]). Limits hold per service port and proxy, in sidecars at the
//! caller; where none is asked for there is none, as Envoy's own (1024 connections or requests and 3 retries at a time) are lifted. Health is what Kubernetes says of endpoints.
//!
//! **What differs:** Envoy reads a raw backslash in a path as a slash, where the rules want 400, and escapes what should have been escaped
//! (`|`), both in matching and in what it forwards; policy and application still see the same path. The `Host` that pods see has no port and no trailing dot.
//!
//! **Why the messages are declared by hand** ([`config`]): generated types (`envoy-types`) keep maps in hash maps, so equal
//! configurations have different bytes, and they print no JSON; printing it by reflection needs Envoy's descriptors embedded. About
//! sixty small structs that derive `prost::Message` and `serde::Serialize` have stable bytes, print all three formats, build in seconds,
//! and cannot say what must not be said (`remote_ip`). Their field numbers are compared with `envoy-types` in a test of its own.
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
//! let rendered = smi_envoy::Envoy::default().render(&compiled.ir, &ProxyTarget::Node);
//! assert_eq!(smi_envoy::lint::lint(&rendered.output.resources), []);
//! assert!(rendered.output.artifacts()[0].text.contains("cart.shop.mesh"));
//! ```

mod backend;
pub mod codes;
pub mod config;
mod deliver;
pub mod lint;
mod options;
mod render;
mod resources;
#[cfg(feature = "sim")]
pub mod sim;

pub use backend::{Envoy, Sidecars};
pub use deliver::{AdsServer, AdsTls, EnvoyConfig, node_id, target_of};
pub use options::{AppAddress, Certificates, EnvoyOptions, PodTls, SidecarOptions};
pub use render::host_origins;
pub use resources::{Kind, Origins, Resource, Resources};

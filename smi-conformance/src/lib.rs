//! Conformance: random worlds and requests, decided by the reference, by a simulator and by a running proxy.
//!
//! Shape: [`world`] makes manifests and requests from a seed; [`live`] runs a real Traefik with pods and callers on loopback addresses;
//! [`campaign`] compares, counts, and shrinks what differs to a minimal world.
//! Weights: where the proxy is deterministic, exact counts over a full cycle; elsewhere a bound of 4.5 standard deviations.

pub mod campaign;
pub mod live;
pub mod random;
pub mod world;

//! Conformance: random worlds and requests, decided by the reference, by a simulator and by a running proxy.
//!
//! Shape: [`world`] makes manifests and requests from a seed; [`live`] runs a real Traefik with pods and callers on loopback addresses;
//! [`campaign`] compares, counts, and shrinks what differs to a minimal world.
//! Weights: counts over three full cycles, to within one request per level of weights (the rotation may stand anywhere when counting
//! begins; a test of its own counts exactly from a fresh start); cycles too long to count have a bound of 4.5 standard deviations.

pub mod campaign;
pub mod live;
pub mod random;
pub mod world;

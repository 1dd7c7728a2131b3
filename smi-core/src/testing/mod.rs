//! A test kit: [`random`] numbers from a seed, and with the feature `proptest` random worlds and requests with shrinking, as a whole
//! ([`world`], [`request`]) and for every stage by itself ([`strategy`]).

pub mod random;
#[cfg(feature = "proptest")]
pub mod strategy;
#[cfg(feature = "proptest")]
mod world;

#[cfg(feature = "proptest")]
pub use strategy::request::Draft;
#[cfg(feature = "proptest")]
pub use world::{document, documents, manifest, request, text, world};

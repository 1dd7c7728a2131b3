//! Strategies of proptest for every stage: wire objects, clusters, hubs, IRs and requests.
//!
//! Shape: each gives values that its stage takes without complaint about their form; what they *say* is often odd (missing references,
//! dead pods, weights of zero), because that is where meshes differ. Names come from one small vocabulary, so that references hit.
//! Everything shrinks. Draw with `let (cluster, hub) in …` and aim requests with [`request::Draft::request`].
//!
//! - [`api`]: every kind and version, odd values · [`hub`]: policy that means something · [`cluster`]: Services, pods, endpoints
//! - [`ir`]: compiled and built directly · [`request`]: calls that often hit

pub mod api;
pub mod cluster;
pub mod hub;
pub mod ir;
pub mod request;
mod vocabulary;

//! Core of the SMI SDK.
pub mod api;
pub mod backend;
pub mod cluster;
mod codes;
pub mod compile;
pub mod diag;
pub mod eval;
pub mod hub;
pub mod ir;
pub mod load;
#[cfg(feature = "proptest")]
pub mod testing;
pub mod validate;

pub use codes::codes;

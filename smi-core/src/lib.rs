//! Typed models, validation, compiler and executable meaning of the Service Mesh Interface.
//!
//! ```text
//!  YAML, JSON ──load──▶ api ──convert──▶ hub ─┬─validate──▶ diagnostics
//!  Services, Pods, accounts ──▶ cluster ──────┴─compile──▶ ir ─┬─render──▶ a proxy's configuration (backend crates)
//!                                                              └─eval────▶ decision
//! ```
//!
//! Everything here is a plain function of its inputs: no files, network, clock or async. Who wants the command takes `smi-cli`, who
//! wants a proxy's configuration a backend crate.
//!
//! Features: `schema` (JSON schemas of the wire types), `proptest` (random worlds and requests in `testing`).

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
pub mod testing;
pub mod validate;

pub use codes::codes;

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

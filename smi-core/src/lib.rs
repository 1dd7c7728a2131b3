//! Core of the SMI SDK.
pub mod backend;
pub mod cluster;
pub mod compile;
pub mod diag;
pub mod eval;
pub mod hub;
pub mod ir;

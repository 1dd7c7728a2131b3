//! Fuzz targets, each a plain function of bytes that panics on a finding, and what drives them on stable.
//!
//! - [`targets`], [`session`]: what must hold for any bytes · [`mutate`]: bytes from seeds · [`drive`]: many inputs, one report

#![forbid(unsafe_code)]

pub mod drive;
pub mod mutate;
pub mod session;
pub mod targets;

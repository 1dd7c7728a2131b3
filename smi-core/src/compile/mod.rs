//! The compiler: hub and cluster to IR.
mod options;
pub use options::{CompileOptions, DeadBackends, DefaultProtocol, MeshMode, PortRanges};

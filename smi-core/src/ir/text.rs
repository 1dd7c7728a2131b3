//! Stable text form of an IR.

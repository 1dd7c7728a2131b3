//! Invariants of an IR.

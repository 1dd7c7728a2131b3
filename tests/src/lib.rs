//! Golden cases and cross-crate tests; see `tests/`.

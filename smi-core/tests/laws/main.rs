//! Laws of `docs/semantics.md`, each under the number of its rule, on random objects, worlds and requests.
//!
//! A law says what holds for every input; the cases under `tests/cases` say what one input means.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod access;
mod matching;
mod mesh;
mod splits;
mod support;
mod versions;

//! Traps of Traefik, and of meshes that were built on it, that only a running one can spring. Numbers as in the table of
//! `smi-traefik/tests/traps/main.rs`. Run by `cargo xtask test`.

mod access;
mod document;
mod matching;
mod mesh;
mod settings;
mod unrendered;
mod wire;

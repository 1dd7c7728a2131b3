//! Envoy's configuration, as far as we emit it.
//!
//! Shape: structs declared by hand that are protobuf messages (`prost`) and print as Envoy's JSON (`serde`, proto field names). One model
//! gives JSON, YAML and protobuf. Determinism: ordered maps only, so equal values give equal bytes.
//! Source: the `.proto` files of Envoy 1.40; the field numbers are compared with `envoy-types` by the `cross_check` test.
//! Absent: every field that no renderer sets.
//!
//! - `types`: durations, enums, `Any` · `address` · `matcher` · `metadata` · `route` · `rbac` · `listener` · `cluster` · `limit` ·
//!   `tls` · `discovery` · `bootstrap`

#![allow(missing_docs, reason = "the names are Envoy's, documented there")]

pub mod address;
pub mod bootstrap;
pub mod cluster;
pub mod discovery;
pub mod limit;
pub mod listener;
pub mod matcher;
pub mod metadata;
pub mod rbac;
pub mod route;
pub mod tls;
pub mod types;

pub use types::{Any, Duration, TypedExtension};

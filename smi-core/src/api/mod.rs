//! Wire types of SMI: every kind in every version, exactly as the specification and the official CRDs shape it (S1).
//!
//! Shape: one module per group and version; each kind is a plain struct with `metadata` and its own fields, in the names of the wire.
//! [`AnyObject`] is one object of any kind and version. Text stays as written: a pattern, a reference or a quantity is not judged here.
//! Faults: those of decoding, one object at a time.
//! Invariant: encode ∘ decode is the identity on every object of these types.
//! Source: smi-spec `apis/*/v1alpha*/*.md`; where the Go types or the official CRDs differ, the field says so.
//! Absent: what the text means, which is [`crate::hub`] and [`crate::compile`].

pub mod access;
mod any;
mod headers;
mod kind;
mod meta;
pub mod metrics;
mod null;
mod quantity;
pub mod specs;
pub mod split;

pub use any::{AnyObject, KINDS, KindInfo};
pub use headers::{HeaderForm, Headers};
pub use kind::Kind;
pub use meta::ObjectMeta;
pub use quantity::{Decimal, Quantity};

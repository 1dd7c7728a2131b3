//! Diagnostics: what is to be said about the user's input.
//!
//! Shape: a [`Diagnostic`] has a stable [`Code`], a [`Severity`], the object it is about, a [`FieldPath`] inside that object, a
//! message, and optionally help, related places and a machine-applicable [`Fix`]. A [`Report`] is an ordered list of them.
//! Units: positions are bytes, lines and columns of the text that was loaded ([`Span`]); objects from a cluster have none.
//! Faults: none; building a diagnostic cannot fail.
//! Absent: rendering with carets, which needs the text and lives in `smi-cli`.

mod code;
mod path;
mod printable;
mod report;
pub mod suggest;

pub(crate) use code::declare_codes;
pub use code::{Code, Severity};
pub use path::{FieldPath, Key, Segment};
pub use printable::printable;
pub use report::{Diagnostic, Edit, Fix, ObjectRef, Related, Report};

/// Which loaded text a [`Span`] points into: an index into [`crate::load::Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct SourceId(pub u32);

/// A half-open byte range of one loaded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

//! Where a unit of the IR comes from.
//!
//! Shape: an object and a field in it. Nearly all fields are of a shape that is known here, so that an origin holds no text of its own.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::diag::{FieldPath, ObjectRef};

/// An object and a field in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Origin {
    /// The object.
    pub object: Arc<ObjectRef>,
    /// Where in it.
    #[serde(rename = "path")]
    pub field: Field,
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The object as a whole.
    Whole,
    /// A key below keys: `spec.service`.
    Known(&'static [&'static str]),
    /// A place in the list below keys, from 0: `spec.backends[1]`.
    Item(&'static [&'static str], usize),
    /// Any that the forms above cannot say, such as an annotation.
    Other(Arc<FieldPath>),
}

impl serde::Serialize for Field {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.path().serialize(s)
    }
}

impl PartialOrd for Field {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Field {
    /// As their paths are ordered.
    fn cmp(&self, other: &Self) -> Ordering {
        self.path().cmp(&other.path())
    }
}

impl Field {
    /// The steps to it.
    #[must_use]
    pub fn path(&self) -> FieldPath {
        match self {
            Self::Whole => FieldPath::root(),
            Self::Known(keys) => FieldPath::root().fields(keys),
            Self::Item(keys, place) => FieldPath::root().fields(keys).index(*place),
            Self::Other(path) => FieldPath::clone(path),
        }
    }
}

impl Origin {
    /// The object as a whole.
    #[must_use]
    pub fn object(object: Arc<ObjectRef>) -> Self {
        Self { object, field: Field::Whole }
    }

    /// A field of an object.
    #[must_use]
    pub fn field(object: Arc<ObjectRef>, field: Field) -> Self {
        Self { object, field }
    }

    /// The steps to the field; none mean the object as a whole.
    #[must_use]
    pub fn path(&self) -> FieldPath {
        self.field.path()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if path.is_root() { write!(f, "{}", self.object) } else { write!(f, "{} {path}", self.object) }
    }
}

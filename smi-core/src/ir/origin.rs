//! Where a unit of the IR comes from.

use std::fmt;
use std::sync::Arc;

use crate::diag::{FieldPath, ObjectRef};

/// An object and a field in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Origin {
    /// The object.
    pub object: Arc<ObjectRef>,
    /// The field; the root means the object as a whole.
    pub path: FieldPath,
}

impl Origin {
    /// The object as a whole.
    #[must_use]
    pub fn object(object: Arc<ObjectRef>) -> Self {
        Self { object, path: FieldPath::root() }
    }

    /// A field of an object.
    #[must_use]
    pub fn field(object: Arc<ObjectRef>, path: FieldPath) -> Self {
        Self { object, path }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_root() {
            write!(f, "{}", self.object)
        } else {
            write!(f, "{} {}", self.object, self.path)
        }
    }
}

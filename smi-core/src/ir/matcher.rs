//! HTTP matches: path AND method AND every header (S11).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Origin, Pattern};

/// One match of an HTTPRouteGroup, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpMatch {
    /// Pattern of the canonical path, anchored at its start (S6). `None`: any path.
    pub path: Option<Pattern>,
    /// Methods (S10).
    pub methods: Methods,
    /// Sorted by name; every one must match.
    pub headers: Vec<HeaderMatch>,
    /// `HTTPRouteGroup shop/items spec.matches[0]`.
    pub origin: Origin,
}

impl HttpMatch {
    /// Whether it constrains nothing.
    #[must_use]
    pub fn matches_everything(&self) -> bool {
        self.path.is_none() && self.methods == Methods::Any && self.headers.is_empty()
    }
}

/// Which methods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Methods {
    /// Any.
    Any,
    /// These, case-sensitive, never empty.
    Only(BTreeSet<Arc<str>>),
}

/// One header that must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// Lower case. `host` stands for `Host` and `:authority`, and is compared in lower case without port (S7).
    pub name: Arc<str>,
    /// Pattern of the whole value of one line.
    pub value: Pattern,
}

//! Field paths: `spec.backends[1].weight`.

use std::fmt;
use std::sync::Arc;

/// A key of a map.
#[derive(Clone)]
pub enum Key {
    /// Of a shape that is known here, which nearly all are.
    Known(&'static str),
    /// Of the user's own choice.
    Own(Arc<str>),
}

impl std::ops::Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Known(text) => text,
            Self::Own(text) => text,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// One step into an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of a map.
    Field(Key),
    /// A place in a list, from 0.
    Index(usize),
}

/// Where in an object; empty means the object as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// The object as a whole.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// This path and a key below it.
    #[must_use]
    pub fn field(mut self, name: &'static str) -> Self {
        self.0.push(Segment::Field(Key::Known(name)));
        self
    }

    /// This path and a key of the user's own choice below it: of an annotation, of an unknown field.
    #[must_use]
    pub fn key(mut self, name: impl Into<Arc<str>>) -> Self {
        self.0.push(Segment::Field(Key::Own(name.into())));
        self
    }

    /// This path and several keys below it: `FieldPath::root().fields(&["spec", "backends"])`.
    #[must_use]
    pub fn fields(mut self, names: &[&'static str]) -> Self {
        // Room for an index and one more key, which mostly follow.
        self.0.reserve_exact(names.len() + 2);
        self.0.extend(names.iter().map(|n| Segment::Field(Key::Known(n))));
        self
    }

    /// This path and a place in the list it names.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Segment::Index(index));
        self
    }

    /// The steps from the object's root.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether this is the object as a whole.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path without its last step; `None` at the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if plain(name) => {
                    if i > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(name)?;
                }
                // Keys such as `mesh.traefik.io/scheme` would read as several steps.
                Segment::Field(name) => write!(f, "[{name:?}]")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl serde::Serialize for FieldPath {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_keys_indices_and_odd_keys() {
        let path = FieldPath::root().fields(&["spec", "backends"]).index(1).field("weight");
        assert_eq!(path.to_string(), "spec.backends[1].weight");
        let path = FieldPath::root().fields(&["metadata", "annotations", "a.b/c"]);
        assert_eq!(path.to_string(), r#"metadata.annotations["a.b/c"]"#);
    }
}

//! Field paths: `spec.backends[1].weight`.

use std::fmt;
use std::sync::Arc;

/// One step into an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of a map.
    Field(Arc<str>),
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
    pub fn field(mut self, name: &str) -> Self {
        self.0.push(Segment::Field(name.into()));
        self
    }

    /// This path and several keys below it: `FieldPath::root().fields(&["spec", "backends"])`.
    #[must_use]
    pub fn fields(mut self, names: &[&str]) -> Self {
        self.0.extend(names.iter().map(|n| Segment::Field((*n).into())));
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

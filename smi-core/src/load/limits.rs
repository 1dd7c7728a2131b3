//! How much a reader takes before it refuses.

/// Bounds on what is read, against manifests made to exhaust memory or the stack. There is no bound on the number of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one input.
    pub bytes: usize,
    /// Nodes of one document, aliases expanded.
    pub nodes: usize,
    /// Nodes that aliases and `<<` of one document may add.
    pub alias_nodes: usize,
    /// Bytes of text that aliases and `<<` of one document may repeat.
    pub alias_bytes: usize,
    /// Nesting of lists and maps.
    pub depth: usize,
}

impl Default for Limits {
    /// Room for a dump of a cluster with 100,000 pods in one list.
    fn default() -> Self {
        Self { bytes: 1 << 30, nodes: 50_000_000, alias_nodes: 100_000, alias_bytes: 4 << 20, depth: 255 }
    }
}

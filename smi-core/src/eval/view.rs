//! What matches look at (S6–S11).

use crate::ir::{HttpMatch, Methods};

/// An HTTP request as policy sees it: canonical path, header lines without surrounding white space.
pub(super) struct HttpView<'r> {
    pub(super) method: &'r str,
    pub(super) path: String,
    pub(super) host: String,
    pub(super) headers: &'r [(String, String)],
}

impl HttpView<'_> {
    /// Path AND method AND every header (S11).
    pub(super) fn matches(&self, m: &HttpMatch) -> bool {
        let path = m.path.as_ref().is_none_or(|pattern| pattern.is_match(self.path.as_bytes()));
        let method = match &m.methods {
            Methods::Any => true,
            Methods::Only(methods) => methods.contains(self.method),
        };
        path && method && m.headers.iter().all(|h| self.has_header(&h.name, |value| h.value.is_match(value)))
    }

    /// Whether one line of the header by itself fits (S7).
    fn has_header(&self, name: &str, fits: impl Fn(&[u8]) -> bool) -> bool {
        if name == "host" {
            return fits(self.host.as_bytes());
        }
        let lines = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        lines.into_iter().any(|(_, value)| fits(value.trim_matches([' ', '\t']).as_bytes()))
    }
}

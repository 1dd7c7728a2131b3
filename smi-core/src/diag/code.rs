//! Stable codes, each with its default severity and explanation.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Advice: the input means what it says, but probably not what was meant.
    Lint,
    /// Something is ignored or will surprise, yet the object works.
    Warning,
    /// The object, or a part of it, has no effect.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lint => "lint",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// A diagnostic code. It is declared once, as a `const` beside the code that reports it, and listed in [`crate::codes`].
///
/// Ranges: `SMI00xx` loading, `SMI01xx` versions and conversion, `SMI02xx` specs and matching, `SMI03xx` splits, `SMI04xx` access,
/// `SMI05xx` Services, pods and annotations, `SMI06xx` ports and names of the mesh, `SMI09xx` losses of a backend,
/// `SMI10xx` Traefik, `SMI11xx` Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// `SMI0304`. Never reused for another meaning.
    pub id: &'static str,
    /// `split-weights-all-zero`: the same in words, also stable.
    pub name: &'static str,
    /// Severity unless the reporter says otherwise.
    pub severity: Severity,
    /// One line: what is wrong.
    pub summary: &'static str,
    /// Markdown under the headings `## What it checks`, `## Why it matters`, `## Example`, `## Fix`.
    pub explanation: &'static str,
    /// Where the rule comes from: `S15`, or a section of the specification.
    pub rule: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.id)
    }
}

/// Declares the codes of a module and the slice `CODES` of them:
/// `CONST = "SMI0000" "name-in-words" Severity "rule", "summary", "explanation";`.
macro_rules! declare_codes {
    ($($const:ident = $id:literal $name:literal $severity:ident $rule:literal, $summary:literal, $explanation:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $summary, ".")]
            pub const $const: $crate::diag::Code = $crate::diag::Code {
                id: $id,
                name: $name,
                severity: $crate::diag::Severity::$severity,
                summary: $summary,
                explanation: $explanation,
                rule: $rule,
            };
        )*
        /// Codes of this module.
        pub const CODES: &[$crate::diag::Code] = &[$($const),*];
    };
}
pub(crate) use declare_codes;

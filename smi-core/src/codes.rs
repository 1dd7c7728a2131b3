//! Every diagnostic code of this crate.

use crate::diag::Code;
use crate::{cluster, compile, hub, load, validate};

/// The codes of all modules, ordered by id.
#[must_use]
pub fn codes() -> Vec<Code> {
    let modules: &[&[Code]] = &[
        load::codes::CODES,
        hub::convert::codes::CODES,
        compile::codes::CODES,
        cluster::codes::CODES,
        validate::rules::CODES,
    ];
    let mut codes: Vec<Code> = modules.iter().flat_map(|codes| codes.iter().copied()).collect();
    codes.sort();
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_explained() {
        let codes = codes();
        for pair in codes.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} and {} share an id", pair[0].name, pair[1].name);
        }
        for code in codes {
            for heading in ["## What it checks", "## Why it matters", "## Example", "## Fix"] {
                assert!(code.explanation.contains(heading), "{}: no {heading}", code.id);
            }
            assert!(!code.summary.ends_with('.'), "{}", code.id);
        }
    }
}

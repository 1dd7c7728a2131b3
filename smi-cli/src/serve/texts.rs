//! The texts that are served.
//!
//! A file that is no YAML says nothing at all: leaving its objects out would take services away, and could take away what closes them. So
//! it is served as it was when it could be read, and everything else as it is now.

use std::collections::BTreeMap;

use smi_core::diag::Report;
use smi_core::load::{Input, Limits, World, codes, load};

/// Each file as it was when it could be read last.
#[derive(Default)]
pub(super) struct Texts {
    readable: BTreeMap<String, Input>,
    complete: bool,
}

impl Texts {
    /// Takes over what can be read, and gives back what was found in the files that cannot.
    pub(super) fn update(&mut self, inputs: Vec<Input>) -> Vec<World> {
        let mut before = std::mem::take(&mut self.readable);
        let mut unreadable = Vec::new();
        for input in inputs {
            let before = before.remove(&input.name);
            let taken = match before {
                Some(before) if before.bytes == input.bytes => Some(before),
                before => {
                    let world = load(std::slice::from_ref(&input), &Limits::default());
                    if can_be_read(&world.report) {
                        Some(input)
                    } else {
                        unreadable.push(world);
                        before
                    }
                }
            };
            self.readable.extend(taken.map(|input| (input.name.clone(), input)));
        }
        self.complete |= unreadable.is_empty();
        unreadable
    }

    /// The texts, once all could be read at the same time: before that, there is no state to keep for those that cannot.
    pub(super) fn all(&self) -> Option<Vec<Input>> {
        self.complete.then(|| self.readable.values().cloned().collect())
    }
}

/// Whether every document of a text was read, whatever its objects are like.
fn can_be_read(report: &Report) -> bool {
    let unreadable = [codes::SYNTAX, codes::NOT_UTF8, codes::TEMPLATE, codes::REPEATED_KEY, codes::TOO_LARGE];
    !report.diagnostics.iter().any(|d| unreadable.contains(&d.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &Texts) -> Vec<(String, String)> {
        let text = |input: Input| (input.name, String::from_utf8_lossy(&input.bytes).into_owned());
        texts.all().into_iter().flatten().map(text).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn inputs(pairs: &[(&str, &str)]) -> Vec<Input> {
        pairs.iter().map(|(name, text)| Input::new(*name, *text)).collect()
    }

    #[test]
    fn a_file_that_cannot_be_read_is_as_it_was_and_the_others_are_new() {
        let mut texts = Texts::default();
        assert_eq!(texts.update(inputs(&[("a", "a: 1"), ("b", "b: 1")])).len(), 0);
        assert_eq!(texts.update(inputs(&[("a", "a: 1: 2"), ("b", "b: 2")])).len(), 1);
        assert_eq!(names(&texts), pairs(&[("a", "a: 1"), ("b", "b: 2")]));
        // As long as it stays so.
        assert_eq!(texts.update(inputs(&[("a", "a: 1: 2"), ("c", "c: 1")])).len(), 1);
        assert_eq!(names(&texts), pairs(&[("a", "a: 1"), ("c", "c: 1")]));
        assert_eq!(texts.update(inputs(&[("a", "a: 3"), ("c", "c: 1")])).len(), 0);
        assert_eq!(names(&texts), pairs(&[("a", "a: 3"), ("c", "c: 1")]));
    }

    #[test]
    fn what_could_never_be_read_is_not_there_and_at_first_nothing_is() {
        let mut texts = Texts::default();
        assert_eq!(texts.update(inputs(&[("a", "a: 1"), ("b", "b: [")])).len(), 1);
        assert!(texts.all().is_none());
        assert_eq!(texts.update(inputs(&[("a", "a: 1")])).len(), 0);
        assert_eq!(texts.update(inputs(&[("a", "a: 2"), ("b", "b: [")])).len(), 1);
        assert_eq!(names(&texts), pairs(&[("a", "a: 2")]));
    }
}

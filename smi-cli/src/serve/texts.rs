//! The texts that are served.
//!
//! A file that is no YAML says nothing at all: leaving its objects out would take services away, and could take away what closes them. So
//! it is served as it was when it could be read, and everything else as it is now.

use std::collections::BTreeMap;

use smi_core::diag::Report;
use smi_core::load::{Input, Limits, World, codes, load};

use crate::input::Read;

/// What came of an update.
#[derive(Default)]
pub(super) struct Updated {
    /// Whether any text is another one now.
    pub(super) changed: bool,
    /// What was found in the files that cannot be read as YAML.
    pub(super) unreadable: Vec<World>,
}

/// Each file as it was when it could be read last.
#[derive(Default)]
pub(super) struct Texts {
    readable: BTreeMap<String, Input>,
    complete: bool,
}

impl Texts {
    /// Takes over what can be read. Files that cannot even be opened stay as well, and so do those of folders that cannot.
    pub(super) fn update(&mut self, read: Read) -> Updated {
        let mut before = std::mem::take(&mut self.readable);
        let mut updated = Updated::default();
        for input in read.inputs {
            let before = before.remove(&input.name);
            let taken = match before {
                Some(before) if before.bytes == input.bytes => Some(before),
                before => {
                    let world = load(std::slice::from_ref(&input), &Limits::default());
                    if can_be_read(&world.report) {
                        updated.changed = true;
                        Some(input)
                    } else {
                        updated.unreadable.push(world);
                        before
                    }
                }
            };
            self.readable.extend(taken.map(|input| (input.name.clone(), input)));
        }
        for (name, input) in before {
            if read.faults.iter().any(|fault| fault.hides(&name)) {
                self.readable.insert(name, input);
            } else {
                updated.changed = true;
            }
        }
        self.complete |= updated.unreadable.is_empty() && read.faults.is_empty();
        updated
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
    use crate::input::Fault;

    fn names(texts: &Texts) -> Vec<(String, String)> {
        let text = |input: Input| (input.name, String::from_utf8_lossy(&input.bytes).into_owned());
        texts.all().into_iter().flatten().map(text).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    /// How many are unreadable, and whether anything changed.
    fn update(texts: &mut Texts, pairs: &[(&str, &str)], faults: &[&str]) -> (usize, bool) {
        let inputs = pairs.iter().map(|(name, text)| Input::new(*name, *text)).collect();
        let faults = faults.iter().map(|name| Fault::test(name)).collect();
        let updated = texts.update(Read { inputs, faults });
        (updated.unreadable.len(), updated.changed)
    }

    #[test]
    fn a_file_that_cannot_be_read_is_as_it_was_and_the_others_are_new() {
        let mut texts = Texts::default();
        assert_eq!(update(&mut texts, &[("a", "a: 1"), ("b", "b: 1")], &[]).0, 0);
        assert_eq!(update(&mut texts, &[("a", "a: 1: 2"), ("b", "b: 2")], &[]).0, 1);
        assert_eq!(names(&texts), pairs(&[("a", "a: 1"), ("b", "b: 2")]));
        // As long as it stays so.
        assert_eq!(update(&mut texts, &[("a", "a: 1: 2"), ("c", "c: 1")], &[]).0, 1);
        assert_eq!(names(&texts), pairs(&[("a", "a: 1"), ("c", "c: 1")]));
        assert_eq!(update(&mut texts, &[("a", "a: 3"), ("c", "c: 1")], &[]).0, 0);
        assert_eq!(names(&texts), pairs(&[("a", "a: 3"), ("c", "c: 1")]));
    }

    #[test]
    fn what_could_never_be_read_is_not_there_and_at_first_nothing_is() {
        let mut texts = Texts::default();
        assert_eq!(update(&mut texts, &[("a", "a: 1"), ("b", "b: [")], &[]).0, 1);
        assert!(texts.all().is_none());
        assert_eq!(update(&mut texts, &[("a", "a: 1")], &[]).0, 0);
        assert_eq!(update(&mut texts, &[("a", "a: 2"), ("b", "b: [")], &[]).0, 1);
        assert_eq!(names(&texts), pairs(&[("a", "a: 2")]));
    }

    #[test]
    fn what_cannot_be_opened_is_as_it_was_a_folder_as_a_whole() {
        let mut texts = Texts::default();
        let all = [("a/x", "a: 1"), ("a/y", "a: 2"), ("ab", "b: 1"), ("c", "c: 1")];
        assert_eq!(update(&mut texts, &all, &[]), (0, true));
        assert_eq!(update(&mut texts, &all, &[]), (0, false));
        assert_eq!(update(&mut texts, &[("c", "c: 1")], &["a", "ab"]), (0, false));
        assert_eq!(names(&texts), pairs(&all));
        // Others are new or gone.
        assert_eq!(update(&mut texts, &[], &["a"]), (0, true));
        assert_eq!(names(&texts), pairs(&[("a/x", "a: 1"), ("a/y", "a: 2")]));
        assert_eq!(update(&mut texts, &[("a/x", "a: 1")], &[]), (0, true));
        assert_eq!(names(&texts), pairs(&[("a/x", "a: 1")]));
    }

    #[test]
    fn at_first_everything_has_to_be_opened() {
        let mut texts = Texts::default();
        update(&mut texts, &[("a", "a: 1")], &["b"]);
        assert!(texts.all().is_none());
        assert_eq!(update(&mut texts, &[("a", "a: 1")], &[]), (0, false));
        assert!(texts.all().is_some());
    }
}

//! The texts that are served.
//!
//! A file that is no YAML says nothing at all: leaving its objects out would take services away, and could take away what closes them. So
//! it is served as it was when it could be read, and everything else as it is now. One that never could be is not there, and may be what
//! closes something (S21): the whole is incomplete until it can be read or is gone.

use std::collections::BTreeMap;
use std::fmt;

use smi_core::diag::Report;
use smi_core::load::{Input, Limits, World, codes, load};

use crate::input::{Fault, Read};

/// What came of an update.
#[derive(Default)]
pub(super) struct Updated {
    /// Whether anything that is served is another now.
    pub(super) changed: bool,
    /// What was found in the files that cannot be read as YAML.
    pub(super) unreadable: Vec<(World, Until)>,
    /// Files that cannot even be opened, and folders.
    pub(super) faults: Vec<(Fault, Until)>,
}

/// What becomes of something until it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// It could be read before, and that is what counts.
    Kept,
    /// It never could be.
    Absent,
}

impl Until {
    fn then(kept: bool) -> Self {
        if kept { Self::Kept } else { Self::Absent }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "stays as it was",
            Self::Absent => "is not there until it can be read",
        })
    }
}

/// Each file as it was when it could be read last.
#[derive(Default)]
pub(super) struct Texts {
    readable: BTreeMap<String, Input>,
    /// Whether everything could be read at the same time once.
    started: bool,
    incomplete: bool,
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
                        updated.unreadable.push((world, Until::then(before.is_some())));
                        before
                    }
                }
            };
            self.readable.extend(taken.map(|input| (input.name.clone(), input)));
        }
        for fault in read.faults {
            let kept = before.keys().any(|name| fault.hides(name));
            updated.faults.push((fault, Until::then(kept)));
        }
        for (name, input) in before {
            if updated.faults.iter().any(|(fault, _)| fault.hides(&name)) {
                self.readable.insert(name, input);
            } else {
                updated.changed = true;
            }
        }
        self.started |= updated.unreadable.is_empty() && updated.faults.is_empty();
        // Before that nothing is served.
        let incomplete = self.started && updated.unread().any(|until| until == Until::Absent);
        updated.changed |= incomplete != self.incomplete;
        self.incomplete = incomplete;
        updated
    }

    /// The texts, once all could be read at the same time: before that, there is no state to keep for those that cannot.
    pub(super) fn all(&self) -> Option<Vec<Input>> {
        self.started.then(|| self.readable.values().cloned().collect())
    }

    /// Whether there is something of which nothing is known, not even whether it is a Namespace.
    pub(super) fn incomplete(&self) -> bool {
        self.incomplete
    }
}

impl Updated {
    fn unread(&self) -> impl Iterator<Item = Until> + '_ {
        let texts = self.unreadable.iter().map(|(_, until)| *until);
        texts.chain(self.faults.iter().map(|(_, until)| *until))
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
    fn what_could_never_be_read_makes_it_incomplete_and_what_could_be_does_not() {
        let mut texts = Texts::default();
        let all = [("a", "a: 1"), ("f/x", "x: 1")];
        let until = |texts: &mut Texts, pairs: &[(&str, &str)], faults: &[&str]| {
            let inputs = pairs.iter().map(|(name, text)| Input::new(*name, *text)).collect();
            let faults = faults.iter().map(|name| Fault::test(name)).collect();
            let updated = texts.update(Read { inputs, faults });
            (updated.unread().collect::<Vec<_>>(), updated.changed, texts.incomplete())
        };
        assert_eq!(until(&mut texts, &all, &[]), (vec![], true, false));
        // Known ones, a folder with them.
        assert_eq!(until(&mut texts, &[("a", "a: [")], &["f"]), (vec![Until::Kept; 2], false, false));
        // New ones: no YAML, not to be opened, a folder; it is told once that they change what is served.
        assert_eq!(until(&mut texts, &[all[0], all[1], ("b", "{")], &[]), (vec![Until::Absent], true, true));
        assert_eq!(until(&mut texts, &all, &["b", "g"]), (vec![Until::Absent; 2], false, true));
        assert_eq!(until(&mut texts, &all, &[]), (vec![], true, false));
        // One that was gone meanwhile has no state.
        assert_eq!(until(&mut texts, &all[1..], &[]), (vec![], true, false));
        assert_eq!(until(&mut texts, &all[1..], &["a"]), (vec![Until::Absent], true, true));
        assert_eq!(until(&mut texts, &all, &[]), (vec![], true, false));
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

//! Notices changes of files by looking at them.
//!
//! Looking works for every file system and for every way of replacing files, mounted ConfigMaps included, and costs little at the sizes
//! that a folder of manifests has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// What was seen.
pub(super) struct Watch {
    paths: Vec<PathBuf>,
    last: Seen,
    taken: Option<Seen>,
}

impl Watch {
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        Self { paths, last: Seen::new(), taken: None }
    }

    /// The state that was taken last counts as new once more.
    pub(super) fn forget(&mut self) {
        self.taken = Some(Seen::new());
    }

    /// Whether there is a new state that was the same at the look before, so that nobody is writing.
    pub(super) fn changed(&mut self) -> bool {
        let mut now = Seen::new();
        for path in &self.paths {
            look(path, &mut now);
        }
        let first = self.taken.is_none();
        let steady = now == self.last;
        self.last = now;
        if (steady || first) && self.taken.as_ref() != Some(&self.last) {
            self.taken = Some(self.last.clone());
            return true;
        }
        false
    }
}

fn look(path: &Path, seen: &mut Seen) {
    let Ok(meta) = std::fs::metadata(path) else { return };
    seen.insert(path.to_owned(), (meta.modified().ok(), meta.len()));
    if meta.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            if !entry.file_name().to_string_lossy().starts_with('.') {
                look(&entry.path(), seen);
            }
        }
    }
}

//! Notices changes of files by looking at them.
//!
//! Looking works for every file system and for every way of replacing files, mounted ConfigMaps included, and costs little at the sizes
//! that a folder of manifests has. Only what would be read is looked at.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::input::Files;

/// What tells one state of a file from another: a file that was moved or linked here may have the size and the time of the one before.
#[derive(Debug, PartialEq, Eq)]
enum Stamp {
    File { modified: Option<SystemTime>, size: u64, identity: [i64; 4] },
    Unreadable(io::ErrorKind),
}

impl Stamp {
    fn of(met: io::Result<Metadata>) -> Self {
        match met {
            Ok(meta) => {
                Self::File { modified: meta.modified().ok(), size: meta.len(), identity: identity(&meta) }
            }
            Err(error) => Self::Unreadable(error.kind()),
        }
    }
}

/// Device, inode and time of the last change of either.
#[cfg(unix)]
fn identity(meta: &Metadata) -> [i64; 4] {
    use std::os::unix::fs::MetadataExt as _;
    [meta.dev().cast_signed(), meta.ino().cast_signed(), meta.ctime(), meta.ctime_nsec()]
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> [i64; 4] {
    [0; 4]
}

type Seen = BTreeMap<PathBuf, Stamp>;

/// Looks after which a state is taken although somebody is still writing, so that one file that changes all the time does not hold back what
/// is revoked in others.
const PATIENCE: u32 = 10;

/// Looks between attempts to read what could not be read.
const AGAIN: u32 = 10;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: Seen,
    taken: Option<Seen>,
    /// Looks since something changed that was not taken.
    waiting: u32,
    /// Looks until the state counts as new whatever it is.
    again: Option<u32>,
}

impl Watch {
    /// The state that was taken last counts as new once more, a little later.
    pub(super) fn retry(&mut self) {
        self.again = Some(AGAIN);
    }

    /// Whether there is a new state that was the same at the look before, so that nobody is writing, or that has been waited for long
    /// enough.
    pub(super) fn changed(&mut self, files: &Files) -> bool {
        let mut now = Seen::new();
        files.walk(|path, _, met| {
            now.insert(path.to_owned(), Stamp::of(met));
        });
        let steady = now == self.last;
        self.last = now;
        self.again = self.again.map(|looks| looks.saturating_sub(1));
        let is_new = match &self.taken {
            None => return self.take(),
            Some(taken) => *taken != self.last,
        };
        self.waiting = if is_new { self.waiting + 1 } else { 0 };
        if (is_new && (steady || self.waiting > PATIENCE)) || self.again == Some(0) {
            return self.take();
        }
        false
    }

    fn take(&mut self) -> bool {
        self.waiting = 0;
        self.again = None;
        self.taken = Some(std::mem::take(&mut self.last));
        true
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("smi-watch-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A file whose time says nothing.
    fn old(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
    }

    /// After how many looks the state is taken, up to a hundred.
    fn looks(watch: &mut Watch, files: &Files, mut between: impl FnMut(usize)) -> Option<usize> {
        (1..100).find(|round| {
            between(*round);
            watch.changed(files)
        })
    }

    #[test]
    fn a_change_counts_when_it_is_the_same_twice() {
        let folder = folder("twice");
        let files = Files::test(&folder);
        let mut watch = Watch::default();
        old(&folder.join("a.yaml"), "1");
        assert!(watch.changed(&files));
        assert_eq!(looks(&mut watch, &files, |_| {}), None);
        old(&folder.join("b.yaml"), "1");
        assert_eq!(looks(&mut watch, &files, |_| {}), Some(2));
        watch.retry();
        assert_eq!(looks(&mut watch, &files, |_| {}), Some(10));
        assert_eq!(looks(&mut watch, &files, |_| {}), None);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_changes_all_the_time_holds_nothing_back() {
        let folder = folder("noise");
        let files = Files::test(&folder);
        let mut watch = Watch::default();
        old(&folder.join("a.yaml"), "1");
        assert!(watch.changed(&files));
        let write = |name: &str, round: usize| std::fs::write(folder.join(name), "x".repeat(round)).unwrap();
        // What is no manifest does not count at all.
        assert_eq!(looks(&mut watch, &files, |round| write("access.log", round)), None);
        old(&folder.join("a.yaml"), "22");
        assert_eq!(looks(&mut watch, &files, |round| write("access.log", round)), Some(2));
        assert_eq!(looks(&mut watch, &files, |round| write("noise.yaml", round)), Some(11));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn another_file_of_the_same_size_and_time_is_noticed() {
        let folder = folder("swap");
        old(&folder.join("one/a.yaml"), "1");
        old(&folder.join("two/a.yaml"), "2");
        let link = folder.join("link");
        symlink("one", &link).unwrap();
        let files = Files::test(&link);
        let mut watch = Watch::default();
        assert!(watch.changed(&files));
        std::fs::remove_file(&link).unwrap();
        symlink("two", &link).unwrap();
        assert_eq!(looks(&mut watch, &files, |_| {}), Some(2));
        std::fs::remove_dir_all(folder).unwrap();
    }
}

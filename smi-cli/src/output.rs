//! Files that others read while they are written.

use std::path::Path;

use anyhow::Context as _;

/// Writes a file whole or not at all, as somebody may be watching it; the same bytes are not written again.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = Path::new(&fresh);
    let replaced = std::fs::write(fresh, bytes).and_then(|()| std::fs::rename(fresh, path));
    if replaced.is_err() {
        let _ = std::fs::remove_file(fresh);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_or_nothing_is_left() {
        let folder = std::env::temp_dir().join(format!("smi-output-{}", std::process::id()));
        let file = folder.join("below/file");
        replace(&file, b"one").unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        // A folder that is not empty stands in the way.
        let error = replace(&folder.join("below"), b"three").unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot write `"), "{error:#}");
        let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["below"]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}

//! Files that others read while they are written.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// Writes a file whole or not at all, as somebody may be watching it; the same bytes are not written again.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    write(path, bytes, &mut options).with_context(|| format!("cannot write `{}`", path.display()))
}

/// The same for a file that only its owner may read.
pub(crate) fn replace_secret(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    write(path, bytes, &mut options).with_context(|| format!("cannot write `{}`", path.display()))
}

fn write(path: &Path, bytes: &[u8], options: &mut OpenOptions) -> std::io::Result<()> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = Path::new(&fresh);
    // One that was left behind would keep its own permissions.
    let _ = std::fs::remove_file(fresh);
    let written = options.write(true).create_new(true).open(fresh).and_then(|mut file| file.write_all(bytes));
    let replaced = written.and_then(|()| std::fs::rename(fresh, path));
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

    #[cfg(unix)]
    #[test]
    fn a_secret_is_its_owners_also_where_a_file_was_left_behind() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = std::env::temp_dir().join(format!("smi-secret-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (file, left) = (folder.join("tls.key"), folder.join("tls.key.new"));
        std::fs::write(&left, b"left").unwrap();
        std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o644)).unwrap();
        replace_secret(&file, b"key").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"key");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(folder).unwrap();
    }
}

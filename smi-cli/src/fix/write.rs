//! Where fixed texts go: into their files, to standard output, or into a diff.

use anyhow::Context as _;
use similar::TextDiff;
use smi_core::load::Input;

/// Writes what changed: files in place, standard input to `out`.
pub(crate) fn write(before: &[Input], after: &[Input], out: &mut impl std::io::Write) -> anyhow::Result<()> {
    for (old, new) in before.iter().zip(after) {
        if new.name == "-" {
            // Whoever pipes a text through wants it back, changed or not.
            out.write_all(&new.bytes)?;
        } else if old.bytes != new.bytes {
            let now = std::fs::read(&old.name).with_context(|| format!("cannot read `{}`", old.name))?;
            anyhow::ensure!(now == old.bytes, "`{}` changed in the meantime", old.name);
            std::fs::write(&new.name, &new.bytes).with_context(|| format!("cannot write `{}`", new.name))?;
        }
    }
    Ok(())
}

/// What would change, as a unified diff that `patch -p1` and `git apply` take.
pub(crate) fn diff(before: &[Input], after: &[Input]) -> String {
    let mut out = String::new();
    for (old, new) in before.iter().zip(after).filter(|(old, new)| old.bytes != new.bytes) {
        let (a, b) = (String::from_utf8_lossy(&old.bytes), String::from_utf8_lossy(&new.bytes));
        let name = old.name.trim_start_matches("./").trim_start_matches('/');
        let diff = TextDiff::from_lines(&*a, &*b);
        out.push_str(&diff.unified_diff().header(&format!("a/{name}"), &format!("b/{name}")).to_string());
    }
    out
}

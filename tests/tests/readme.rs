//! Every command of the README does what the README shows.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::Command;

#[test]
fn commands_print_what_the_readme_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let mut checked = 0;
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let (command, expected) = block.strip_prefix("$ smi ").unwrap().split_once('\n').unwrap();
        let output = smi(root, &command.split(' ').collect::<Vec<_>>());
        assert_eq!(output.trim_end(), expected.trim_end(), "smi {command}");
        checked += 1;
    }
    assert_eq!(checked, 2);
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines() {
            if let Some(arguments) = line.strip_prefix("cargo run -p smi-cli -- ") {
                smi(root, &arguments.split(' ').collect::<Vec<_>>());
            } else {
                // What takes long or needs a proxy; `cargo xtask` itself knows the verbs.
                let verb = line.strip_prefix("cargo xtask ").and_then(|rest| rest.split(' ').next());
                assert!(matches!(verb, Some("test" | "conform" | "bench")), "{line}");
            }
        }
    }
}

/// Runs the command that was built beside this test.
fn smi(root: &Path, arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "-q", "-p", "smi-cli", "--"])
        .args(arguments)
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "smi {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

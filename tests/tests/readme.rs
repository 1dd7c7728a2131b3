//! Every command of the README does what the README shows.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

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
                let arguments: Vec<&str> = arguments.split(' ').collect();
                if arguments.first() == Some(&"serve") {
                    serves(root, &arguments);
                } else {
                    smi(root, &arguments);
                }
            } else {
                // What takes long or needs a proxy; `cargo xtask` itself knows the verbs.
                let verb = line.strip_prefix("cargo xtask ").and_then(|rest| rest.split(' ').next());
                assert!(matches!(verb, Some("test" | "conform" | "bench")), "{line}");
            }
        }
    }
}

/// The command that was built beside this test.
fn command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    command.args(["run", "-q", "-p", "smi-cli", "--"]).args(arguments).current_dir(root);
    command
}

/// Starts a command that goes on until it is stopped, on a port of its own, and waits until it says that it serves.
fn serves(root: &Path, arguments: &[&str]) {
    // Built first, so that what is stopped is the command and not a build.
    smi(root, &["--version"]);
    let listen = ["--listen", "127.0.0.1:0"];
    let mut child = command(root, &[arguments, listen.as_slice()].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let served = lines.any(|line| line.unwrap().contains("serving xDS"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(served, "smi {arguments:?}");
}

/// Runs the command to its end.
fn smi(root: &Path, arguments: &[&str]) -> String {
    let output = command(root, arguments).output().unwrap();
    assert!(output.status.success(), "smi {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

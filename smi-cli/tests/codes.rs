//! The reference page of the diagnostics is what the command prints, and every code is explained.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn smi(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_smi")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn codes() -> Vec<Value> {
    serde_json::from_str(&smi(&["codes", "--output", "json"])).unwrap()
}

#[test]
fn the_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/codes.md");
    let page = smi(&["codes", "--output", "markdown"]);
    // The variable that `cargo xtask golden` sets for snapshots.
    if std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always") {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page, "docs/codes.md is stale: run `cargo xtask golden`");
}

#[test]
fn every_code_is_explained_under_the_same_headings() {
    let codes = codes();
    assert!(codes.len() > 70, "{}", codes.len());
    for pair in codes.windows(2) {
        assert!(pair[0]["id"].as_str() < pair[1]["id"].as_str(), "{} and {}", pair[0], pair[1]);
    }
    let mut names: Vec<&str> = codes.iter().map(|c| c["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), codes.len(), "a name stands twice");
    for code in &codes {
        let id = code["id"].as_str().unwrap();
        let text = code["explanation"].as_str().unwrap();
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        let wanted = ["## What it checks", "## Why it matters", "## Example", "## Fix"];
        assert_eq!(headings, wanted, "{id}");
        for part in text.split("## ").skip(1) {
            let body = part.split_once('\n').unwrap().1.trim();
            assert!(body.len() > 7, "{id}: nothing stands under a heading: {part:?}");
        }
        let summary = code["summary"].as_str().unwrap();
        assert!(!summary.ends_with('.') && !summary.contains('\n'), "{id}: {summary}");
        assert!(code["rule"].as_str().unwrap().starts_with('S'), "{id}: no rule");
    }
}

#[test]
fn one_code_is_explained_by_id_and_by_name() {
    let by_id = smi(&["codes", "SMI0305"]);
    assert_eq!(by_id, smi(&["codes", "split-nothing-left"]));
    assert_eq!(by_id, smi(&["codes", "smi0305", "--output", "markdown"]));
    assert!(by_id.starts_with("# SMI0305 split-nothing-left\n\nerror: "), "{by_id}");
    let list: Vec<Value> = serde_json::from_str(&smi(&["codes", "SMI0305", "--output", "json"])).unwrap();
    assert_eq!(list.len(), 1);
}

/// Rules that explanations refer to exist in the page of rules.
#[test]
fn rules_exist() {
    let rules =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/semantics.md")).unwrap();
    for code in codes() {
        let rule = code["rule"].as_str().unwrap();
        assert!(rules.contains(&format!("**{rule}**")), "{}: {rule}", code["id"]);
    }
}

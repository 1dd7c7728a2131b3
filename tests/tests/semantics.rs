//! The page of the rules tells the truth: every rule links to its cases and names its laws, these exist, and none is left out.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The number of a rule at the start of a name: `s06-…` or `s06_…`.
fn rule_of(name: &str) -> Option<u32> {
    let rest = name.strip_prefix('s')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|n| (1..=2).contains(n))?;
    let (number, tail) = rest.split_at(digits);
    tail.starts_with(['-', '_']).then(|| number.parse().ok()).flatten()
}

/// Cases of each rule, as `area/name`.
fn cases() -> BTreeMap<u32, BTreeSet<String>> {
    let mut out: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    let folder = root().join("tests/cases");
    for area in std::fs::read_dir(&folder).unwrap() {
        let area = area.unwrap();
        for case in std::fs::read_dir(area.path()).unwrap() {
            let name = case.unwrap().file_name().into_string().unwrap();
            if let Some(rule) = rule_of(&name) {
                let area = area.file_name().into_string().unwrap();
                out.entry(rule).or_default().insert(format!("{area}/{name}"));
            }
        }
    }
    out
}

/// Functions called `s06_…` in the laws of the core.
fn laws() -> BTreeMap<u32, BTreeSet<String>> {
    let mut out: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for file in std::fs::read_dir(root().join("smi-core/tests/laws")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines() {
            let name = line.trim_start().strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            if let Some((rule, name)) = name.and_then(|name| Some((rule_of(name)?, name))) {
                out.entry(rule).or_default().insert(name.to_owned());
            }
        }
    }
    out
}

struct Row {
    rule: u32,
    cases: BTreeSet<String>,
    laws: BTreeSet<String>,
}

/// The table `| S6 | [case](../tests/cases/…) | s06_… |` of the page.
fn rows(page: &str) -> Vec<Row> {
    let mut out = Vec::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", number, cases, laws, ""] = cells.as_slice() else { continue };
        let Some(rule) = number.strip_prefix('S').and_then(|n| n.parse().ok()) else { continue };
        let links = cases.split("](../tests/cases/").skip(1).filter_map(|rest| rest.split(')').next());
        let names = laws.split('`').skip(1).step_by(2);
        out.push(Row {
            rule,
            cases: links.map(str::to_owned).collect(),
            laws: names.map(str::to_owned).collect(),
        });
    }
    out
}

#[test]
fn every_rule_links_to_its_cases_and_names_its_laws() {
    let page = std::fs::read_to_string(root().join("docs/semantics.md")).unwrap();
    let rows = rows(&page);
    assert_eq!(rows.iter().map(|r| r.rule).collect::<Vec<_>>(), (1..=37).collect::<Vec<_>>());
    let (cases, laws) = (cases(), laws());
    let none = BTreeSet::new();
    for row in &rows {
        // Links that lead to no case, and cases that no link leads to.
        let named = cases.get(&row.rule).unwrap_or(&none);
        let missing: Vec<&String> = named.difference(&row.cases).collect();
        assert!(missing.is_empty(), "S{}: not linked: {missing:?}", row.rule);
        for case in &row.cases {
            let input: PathBuf = root().join("tests/cases").join(case).join("input.yaml");
            assert!(input.is_file(), "S{}: {case} is no case", row.rule);
        }
        assert_eq!(laws.get(&row.rule).unwrap_or(&none), &row.laws, "S{}", row.rule);
        // Metrics are wire types so far, and nothing that a case could decide.
        if row.rule != 33 {
            assert!(!row.cases.is_empty() && !row.laws.is_empty(), "S{}: no case or no law", row.rule);
        }
    }
}

#[test]
fn every_rule_stands_on_the_page() {
    let page = std::fs::read_to_string(root().join("docs/semantics.md")).unwrap();
    for rule in 1..=37 {
        let start = format!("- **S{rule}** ");
        assert!(page.lines().any(|line| line.starts_with(&start)), "S{rule}");
    }
}

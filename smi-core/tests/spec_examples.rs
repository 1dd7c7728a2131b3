//! Every YAML example of the SMI documents loads with the outcome that its index implies, and is written again as it was read.
//!
//! The examples are other people's data and stand beside the repository, in `../shared/upstream/spec-examples`; without them the test says
//! so and passes.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test; says when it has no data")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use smi_core::load::{Input, Limits, World, de, load, yaml};

fn folder() -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Beside the checkout, or beside the checkout that a worktree belongs to.
    let found = manifest.ancestors().map(|a| a.join("shared/upstream/spec-examples")).find(|p| p.is_dir());
    if found.is_none() {
        println!("skipped: no folder shared/upstream/spec-examples beside the repository");
    }
    found
}

/// One row of `INDEX.md`.
struct Row {
    file: String,
    object: String,
    note: String,
}

fn index(folder: &Path) -> BTreeMap<String, Row> {
    let text = std::fs::read_to_string(folder.join("INDEX.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, id, file, _, object, _, _, note, _] = cells.as_slice() else { return None };
        id.contains('/').then(|| {
            let row =
                Row { file: (*file).to_owned(), object: (*object).to_owned(), note: (*note).to_owned() };
            ((*id).to_owned(), row)
        })
    });
    rows.collect()
}

/// Examples by id, each document by itself, since the documents reuse names.
fn examples(folder: &Path) -> BTreeMap<String, (String, String)> {
    let mut examples = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        for piece in yaml::pieces(&text) {
            let piece = text.get(piece).unwrap();
            let id = piece
                .lines()
                .find_map(|l| l.strip_prefix("# ").filter(|id| id.contains('/') && !id.contains(' ')));
            if let Some(id) = id {
                assert!(examples.insert(id.to_owned(), (file.clone(), piece.to_owned())).is_none(), "{id}");
            }
        }
    }
    examples
}

fn codes(world: &World) -> Vec<String> {
    world.report.iter().map(|d| format!("{} {}", d.code, d.path)).collect()
}

/// What reading alone says. Faults of meaning (a binding with two schemes, a split onto itself) are for later stages.
fn expected(id: &str, row: &Row) -> Vec<&'static str> {
    match id {
        // The erratum that S5 speaks of.
        "traffic-split-v1alpha3/02.2" => vec!["SMI0131 matches"],
        // The documents elide the items.
        "traffic-metrics-v1alpha1/05.1" | "traffic-metrics-v1alpha1/07.1" => vec!["SMI0011 items"],
        _ if row.object.starts_with("(fragment)") => vec!["SMI0005 "],
        _ => vec![],
    }
}

#[test]
fn every_example_is_read_as_its_index_says() {
    let Some(folder) = folder() else { return };
    let (rows, examples) = (index(&folder), examples(&folder));
    assert_eq!(rows.keys().collect::<Vec<_>>(), examples.keys().collect::<Vec<_>>());
    assert!(rows.len() > 70, "{} examples", rows.len());
    for (id, row) in &rows {
        let (file, text) = &examples[id];
        assert_eq!(file, &row.file, "{id}");
        let world = load(&[Input::new(id.as_str(), text.as_str())], &Limits::default());
        assert_eq!(codes(&world), expected(id, row), "{id}: {}", row.note);

        let ours = text.contains(".smi-spec.io/v1alpha") && !row.object.starts_with("APIService");
        assert_eq!(world.objects.len(), usize::from(ours), "{id}");
        let kind = row.object.split(' ').next().unwrap();
        assert_eq!(world.cluster.services.len(), usize::from(kind == "Service"), "{id}");
        if let [object] = world.objects.as_slice() {
            let shown = object.object_ref();
            assert_eq!(format!("{} {}", shown.kind, shown.name).trim(), row.object, "{id}");
            let hub = &world.hub;
            let read = hub.targets.len()
                + hub.bindings.len()
                + hub.route_groups.len()
                + hub.tcp_routes.len()
                + hub.udp_routes.len()
                + hub.splits.len();
            assert_eq!(read, usize::from(!kind.starts_with("TrafficMetrics")), "{id}");
        }
    }
}

/// Removes nulls, which are the same as absent fields.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

#[test]
fn every_example_is_written_as_it_was_read() {
    let Some(folder) = folder() else { return };
    for (id, (_, text)) in examples(&folder) {
        let world = load(&[Input::new(id.as_str(), text.as_str())], &Limits::default());
        let [object] = world.objects.as_slice() else { continue };
        let documents = yaml::parse(&text, 0, &Limits::default()).unwrap();
        let (read, _) = de::decode(&documents[0], |d| <Value as serde::Deserialize>::deserialize(d));
        let mut read = without_nulls(read.unwrap());
        if id == "traffic-split-v1alpha3/02.2" {
            // Unknown fields are reported and dropped.
            read.as_object_mut().unwrap().remove("matches");
        }
        let mut written = without_nulls(serde_json::to_value(object).unwrap());
        if id.starts_with("traffic-metrics") {
            // `items` of a list may be null or empty, and `metadata`, which the document elides, is written empty.
            for value in [&mut read, &mut written] {
                let fields = value.as_object_mut().unwrap();
                fields.remove("items");
                fields.retain(|key, value| {
                    key != "metadata" || value.as_object().is_some_and(|m| !m.is_empty())
                });
            }
        }
        assert_eq!(written, read, "{id}");
    }
}

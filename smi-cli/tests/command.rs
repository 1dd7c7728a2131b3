//! What the command prints and how it ends: help, findings in every form, exit codes, colours, fixes in place and through a pipe.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn command(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    for variable in ["COLUMNS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

fn smi(arguments: &[&str]) -> Output {
    command(env!("CARGO_BIN_EXE_smi"), arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Gives `text` to the command's standard input.
fn piped(arguments: &[&str], text: &str) -> Output {
    let mut command = command(env!("CARGO_BIN_EXE_smi"), arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A new folder, removed with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("smi-command-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const BAD: &str = "tests/bad.yaml";

/// A group, a target and what they need; nothing to say but one lint, which has a safe fix.
const LINT: &str = "\
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: api, namespace: shop}
spec: {matches: [{name: items, pathRegex: /items$, methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: t, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: cart, namespace: shop}
  sources:
  - kind: ServiceAccount
    name: web
  rules: [{kind: HTTPRouteGroup, name: api}]
";

#[test]
fn help_of_every_verb() {
    let help = stdout(&smi(&["--help"]));
    insta::assert_snapshot!("help", help);
    let verbs = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let verbs: Vec<&str> =
        verbs.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(verbs.len() > 8 && verbs.contains(&"explain"), "{verbs:?}");
    for verb in verbs.iter().filter(|verb| !verb.is_empty() && **verb != "help") {
        let output = smi(&[verb, "--help"]);
        assert_eq!(output.status.code(), Some(0), "{verb}");
        insta::assert_snapshot!(format!("help-{verb}"), stdout(&output));
        // The short help is a part of it.
        assert!(smi(&[verb, "-h"]).status.success());
    }
}

#[test]
fn as_a_plugin_of_kubectl_it_speaks_of_itself_as_kubectl_smi() {
    let folder = Folder::new("plugin");
    let plugin = folder.0.join("kubectl-smi");
    // Not a copy: a test beside this one that starts a program while the copy is open for writing would keep it so, and it could not run.
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_smi"), &plugin).unwrap();
    let help = stdout(&command(&plugin, &["--help"]).output().unwrap());
    assert!(help.contains("Usage: kubectl smi <COMMAND>"), "{help}");
    let help = stdout(&command(&plugin, &["check", "--help"]).output().unwrap());
    assert!(help.contains("Usage: kubectl smi check "), "{help}");
    let check = command(&plugin, &["check", BAD, "--output", "short"]).output().unwrap();
    assert_eq!(check.stdout, smi(&["check", BAD, "--output", "short"]).stdout);
}

#[test]
fn findings_in_every_form() {
    for form in ["human", "short", "json", "sarif", "github"] {
        let output = smi(&["check", BAD, "--output", form]);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), ""), "{form}");
        let mut text = stdout(&output).replace(env!("CARGO_PKG_VERSION"), "VERSION");
        if form == "sarif" {
            // Explanations are in docs/codes.md.
            let mut sarif: Value = serde_json::from_str(&text).unwrap();
            for rule in sarif.pointer_mut("/runs/0/tool/driver/rules").unwrap().as_array_mut().unwrap() {
                rule.as_object_mut().unwrap().remove("help").unwrap();
            }
            text = serde_json::to_string_pretty(&sarif).unwrap();
        }
        insta::assert_snapshot!(format!("findings-{form}"), text);
    }
}

/// What GitHub's code scanning needs: `docs.github.com`, "SARIF support for code scanning".
#[test]
fn sarif_is_what_github_takes() {
    let folder = Folder::new("sarif");
    let odd = folder.file("with space ü#.yaml", "spec: [\n");
    let sarif: Value =
        serde_json::from_slice(&smi(&["check", BAD, &odd, "--output", "sarif"]).stdout).unwrap();
    let at = |pointer: &str| sarif.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    assert_eq!(at("/version"), "2.1.0");
    assert!(at("/$schema").as_str().unwrap().ends_with("sarif-2.1.0.json"));
    assert_eq!(at("/runs").as_array().unwrap().len(), 1);
    assert_eq!(at("/runs/0/tool/driver/name"), "smi");
    let rules = at("/runs/0/tool/driver/rules").as_array().unwrap();
    let mut ids: Vec<&str> = Vec::new();
    for rule in rules {
        for text in ["/shortDescription/text", "/fullDescription/text", "/help/text", "/help/markdown"] {
            assert!(!rule.pointer(text).unwrap().as_str().unwrap().is_empty(), "{rule}");
        }
        assert!(
            ["error", "warning", "note"]
                .contains(&rule.pointer("/defaultConfiguration/level").unwrap().as_str().unwrap())
        );
        ids.push(rule["id"].as_str().unwrap());
    }
    let mut unique = ids.clone();
    unique.dedup();
    assert_eq!(unique, ids);
    let results = at("/runs/0/results").as_array().unwrap();
    assert!(results.len() > 7, "{}", results.len());
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(BAD)).unwrap();
    let mut odd_seen = false;
    for result in results {
        assert!(ids.contains(&result["ruleId"].as_str().unwrap()), "{result}");
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result.pointer("/message/text").unwrap().as_str().unwrap().is_empty());
        let place = result.pointer("/locations/0/physicalLocation").unwrap();
        let uri = place.pointer("/artifactLocation/uri").unwrap().as_str().unwrap();
        odd_seen |= uri.ends_with("/with%20space%20%C3%BC%23.yaml");
        let number = |name: &str| usize::try_from(place["region"][name].as_u64().unwrap()).unwrap();
        assert!(number("startLine") >= 1 && number("startColumn") >= 1);
        assert!((number("startLine"), number("startColumn")) <= (number("endLine"), number("endColumn")));
        if uri == BAD {
            let line = text.lines().nth(number("startLine") - 1).unwrap();
            assert!(number("startColumn") <= line.chars().count() + 1, "{result}");
        }
    }
    assert!(odd_seen);
}

#[test]
fn exit_codes() {
    let folder = Folder::new("codes");
    let (lint, bad) = (folder.file("lint.yaml", LINT), BAD);
    let warning = folder.file("warning.yaml", &LINT.replace("[GET]", "[get]"));
    for (arguments, code) in [
        (vec!["check", lint.as_str()], 0),
        (vec!["check", &lint, "--strict"], 0),
        (vec!["check", &warning], 0),
        (vec!["check", &warning, "--strict"], 1),
        (vec!["check", bad], 1),
        (vec!["compile", &lint], 0),
        (vec!["compile", bad], 1),
        (vec!["render", "--backend", "traefik", &lint], 0),
        (vec!["render", "--backend", "traefik", bad], 1),
        (vec!["convert", "--to", "split.smi-spec.io/v1alpha2", &lint], 0),
        (vec!["convert", "--to", "split.smi-spec.io/v1alpha2", bad], 1),
        (vec!["convert", "--to", "split.smi-spec.io/v7", &lint], 2),
        (vec!["check", "no-such-file.yaml"], 2),
        (vec!["check"], 2),
        (vec!["check", &lint, "--diff"], 2),
        (vec!["check", &lint, "--no-such-flag"], 2),
        (vec!["explain", &lint, "--to", "nothing.shop"], 2),
        (vec!["codes", "SMI9999"], 2),
        (vec!["nonsense"], 2),
        (vec!["--version"], 0),
    ] {
        let output = smi(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        if code == 2 {
            assert!(stderr(&output).starts_with("error: ") && output.stdout.is_empty(), "{arguments:?}");
        }
    }
}

/// A pipe is no terminal; `CLICOLOR_FORCE` shows that there are colours, `NO_COLOR` forbids them even then.
#[test]
fn colours_only_where_they_are_wanted() {
    let coloured = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = command(env!("CARGO_BIN_EXE_smi"), arguments);
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        output.stdout.contains(&0x1b) || output.stderr.contains(&0x1b)
    };
    for arguments in [&["check", BAD][..], &["compile", BAD], &["--help"]] {
        assert!(!coloured(&[], arguments), "{arguments:?}");
        assert!(coloured(&[("CLICOLOR_FORCE", "1")], arguments), "{arguments:?}");
        assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], arguments), "{arguments:?}");
    }
    // Forms for programs have none whatever is asked for.
    for form in ["json", "sarif", "github"] {
        assert!(!coloured(&[("CLICOLOR_FORCE", "1")], &["check", BAD, "--output", form]), "{form}");
    }
}

#[test]
fn fixes_are_made_in_place_and_shown_as_a_diff() {
    let folder = Folder::new("fix");
    let file = folder.file("lint.yaml", LINT);
    let mended = LINT.replace("name: web\n", "name: web\n    namespace: shop\n");
    let diff = smi(&["check", "--fix", "--diff", &file]);
    assert_eq!(diff.status.code(), Some(1));
    let name = file.trim_start_matches('/');
    let start = format!("--- a/{name}\n+++ b/{name}\n@@ -11,4 +11,5 @@\n");
    assert!(stdout(&diff).starts_with(&start), "{}", stdout(&diff));
    assert!(stdout(&diff).contains("\n     name: web\n+    namespace: shop\n"), "{}", stdout(&diff));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), LINT);
    // The same file under two names is one file.
    let fix = smi(&["check", "--fix", folder.0.to_str().unwrap(), &file]);
    assert_eq!((fix.status.code(), stderr(&fix).as_str()), (Some(0), "1 finding mended\n"));
    assert_eq!(stdout(&fix), "no findings\n");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), mended);
    let again = smi(&["check", "--fix", &file]);
    assert_eq!((again.status.code(), stderr(&again).as_str()), (Some(0), ""));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), mended);
    let nothing = smi(&["check", "--fix", "--dry-run", &file]);
    assert_eq!((nothing.status.code(), stdout(&nothing).as_str()), (Some(0), ""));
}

#[test]
fn standard_input_comes_out_mended() {
    let output = piped(&["check", "--fix", "-"], LINT);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), LINT.replace("name: web\n", "name: web\n    namespace: shop\n"));
    assert_eq!(stderr(&output), "no findings\n1 finding mended\n");
    // What cannot be mended comes out as it was.
    let bad = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad.yaml")).unwrap();
    let bad = bad.replace("name: apo", "name: api");
    let output = piped(&["check", "--fix", "-", "--output", "short"], &bad);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("/items(/.*)?$") && stdout(&output).contains("service: web: v1"));
    assert!(stderr(&output).contains("error[SMI0001]"), "{}", stderr(&output));
}

#[test]
fn standard_input_is_read_by_every_verb() {
    let store = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/cases/split/s15-weights-are-relative/input.yaml"),
    )
    .unwrap();
    for arguments in [
        &["check", "-"][..],
        &["compile", "-"],
        &["compile", "-", "--output", "json"],
        &["render", "--backend", "traefik", "-"],
        &["convert", "--to", "split.smi-spec.io/v1alpha1", "-"],
    ] {
        let output = piped(arguments, &store);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn the_pages_that_a_manual_page_names_exist() {
    let folder = Folder::new("man");
    let out = folder.0.join("pages");
    assert!(smi(&["man", "--out", out.to_str().unwrap()]).status.success());
    let page = |name: &str| std::fs::read_to_string(out.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let (mut wanted, mut seen) = (vec!["smi.1".to_owned()], 0);
    while let Some(name) = wanted.pop() {
        seen += 1;
        for line in page(&name).lines() {
            // `smi\-check(1)`, followed by its place in the list.
            let text = line.replace("\\-", "-");
            if let Some((verb, _)) = text.split_once("(1)").filter(|(verb, _)| verb.starts_with("smi-")) {
                wanted.push(format!("{verb}.1"));
            }
        }
    }
    assert!(seen > 9 && seen == std::fs::read_dir(&out).unwrap().count(), "{seen}");
    assert_eq!(stdout(&smi(&["man"])), page("smi.1"));
    assert_eq!(stdout(&smi(&["man", "serve", "xds"])), page("smi-serve-xds.1"));
    assert!(page("smi-serve-xds.1").contains("dev\\-authority"));
    assert_eq!(smi(&["man", "nothing"]).status.code(), Some(2));
}

/// Whoever reads has had enough, or the disk is full.
#[test]
fn nothing_panics_when_it_cannot_be_printed() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for arguments in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["man"],
        &["man", "check"],
        &["codes"],
        &["compile", BAD],
        &["check", BAD],
    ] {
        let mut command = command(env!("CARGO_BIN_EXE_smi"), arguments);
        let output = command.stdout(full()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("error: No space left"), "{arguments:?}: {}", stderr(&output));
        // A closed pipe is no fault.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    }
}

/// Objects of Kubernetes stand where they stood, in their own words; items of lists become documents.
#[test]
fn converting_loses_no_object_of_somebody_else() {
    let service =
        "apiVersion: v1 # the shop\nkind: Service\nmetadata: {name: cart}\nspec: {ports: [{port: 80}]}\n";
    let split = "apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: s}\nspec: {service: cart, backends: [{service: cart, weight: 1}]}\n";
    let refused = split.replace("name: s}", "name: r}").replace("weight: 1", "weight: x");
    let job = "---\n# By hand.\napiVersion: batch/v1\nkind: Job\nmetadata: {name: 1e3}\n";
    let list = "\
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
- apiVersion: split.smi-spec.io/v1alpha4
  kind: TrafficSplit
  metadata: {name: t}
  spec: {service: cart, backends: [{service: cart, weight: 2}]}
";
    let converted = |name: &str, weight: u8| {
        format!(
            "---\napiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\nmetadata:\n  name: {name}\nspec:\n  service: cart\n  backends:\n  - service: cart\n    weight: {weight}\n"
        )
    };
    let to = ["convert", "--to", "split.smi-spec.io/v1alpha2", "-"];
    let output = piped(&to, &format!("{service}---\n{refused}---\n{split}{job}---\n{list}"));
    assert!(stderr(&output).contains("weight"), "{}", stderr(&output));
    let deployment = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n";
    let wanted = format!("---\n{service}{}{job}{deployment}{}", converted("s", 1), converted("t", 2));
    assert_eq!(stdout(&output), wanted);
    // Read again it is the same, and a list of other kinds stays a list.
    let others = "---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: a}}\n---\napiVersion: example.com/v1\nkind: AllowList\nitems: [a, b]\n";
    let output = piped(&to, &format!("{wanted}{others}"));
    assert_eq!(stdout(&output), format!("{wanted}{others}"));
    // A list of a kind that nobody here knows is somebody else's, whatever it holds.
    let theirs = "---\napiVersion: example.com/v1\nkind: BackupList\nitems:\n- {apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: u}}\n- {apiVersion: v1, kind: Secret}\n";
    assert_eq!(stdout(&piped(&to, theirs)), theirs);
    // A text that is not UTF-8 is not printed with other bytes.
    let folder = Folder::new("bytes");
    let file = folder.0.join("a.yaml");
    std::fs::write(&file, [service.as_bytes(), b"---\napiVersion: v1\nkind: Secret # \xff\n"].concat())
        .unwrap();
    let output = smi(&["convert", "--to", "split.smi-spec.io/v1alpha2", file.to_str().unwrap()]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), format!("---\n{service}")));
    // What SMI does not have was refused, alone or in a list.
    let unknown = split.replace("v1alpha4", "v9");
    let list = "apiVersion: v1\nkind: List\nitems: [{apiVersion: split.smi-spec.io/v9, kind: TrafficSplit}, {apiVersion: v1, kind: Secret}]\n".to_string();
    let output = piped(&to, &format!("{unknown}---\n{list}---\n{service}"));
    assert_eq!((output.status.code(), stderr(&output).matches("SMI0006").count()), (Some(1), 2));
    assert_eq!(stdout(&output), format!("---\napiVersion: v1\nkind: Secret\n---\n{service}"));
}

/// What a manifest says is shown, and steers no terminal. Programs get it as it is.
#[test]
fn findings_steer_no_terminal() {
    let folder = Folder::new("terminal");
    let text = "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: \"g\\e[2J\\n\\u202Ex\"}\nspec: {matches: [{name: m, pathRegex: \"(\\e]0;owned\\a\", \"\\u2067\\nerror[SMI0000]: all is well\": 1}]}\n";
    let file = folder.file("group.yaml", text);
    for format in ["human", "short", "github"] {
        let shown = stdout(&smi(&["check", "--output", format, &file]));
        assert!(!shown.chars().any(|c| c != '\n' && c.is_control()), "{shown:?}");
        assert!(!shown.contains(['\u{202e}', '\u{2067}']), "{shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with("error[SMI0000]")), "{shown}");
        assert!(shown.contains("\\u{1b}[2J\\u{a}\\u{202e}x"), "{shown}");
    }
    let findings: Value = serde_json::from_slice(&smi(&["check", "--output", "json", &file]).stdout).unwrap();
    let names = findings.as_array().unwrap().iter().map(|f| &f["object"]["name"]);
    assert!(names.clone().count() > 0 && names.clone().all(|n| n == "g\u{1b}[2J\n\u{202e}x"), "{findings}");
}

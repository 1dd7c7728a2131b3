//! What must hold for any bytes.
//!
//! Shape: a target panics on a finding, and otherwise gives a mark of what the input reached: which diagnostics, which kinds. The driver keeps
//! inputs with new marks as seeds, so that it gets further than chance without knowing the program's branches.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;
use smi_core::api::{AnyObject, KINDS};
use smi_core::backend::{Artifacts, Backend, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::diag::Report;
use smi_core::hub::convert::{ConvertError, ConvertOptions, convert};
use smi_core::ir::verify;
use smi_core::load::{Input, Limits, World, load, yaml};
use smi_core::validate::validate;
use smi_traefik::rule::{Matcher, Rule, parse};
use smi_traefik::{Traefik, check};

pub use crate::session::xds_session;

/// What an input reached.
pub type Mark = u64;

/// A target.
pub type Target = fn(&[u8]) -> Mark;

/// Every target by name.
pub const ALL: &[(&str, Target)] = &[
    ("load_total", load_total),
    ("api_roundtrip", api_roundtrip),
    ("convert_roundtrip", convert_roundtrip),
    ("compile_total", compile_total),
    ("compile_order", compile_order),
    ("traefik_rule_roundtrip", traefik_rule_roundtrip),
    ("json_yaml_agree", json_yaml_agree),
    ("xds_session", xds_session),
];

fn read(bytes: &[u8]) -> World {
    load(&[Input::new("fuzz.yaml", bytes)], &Limits::default())
}

pub(crate) fn mark(of: impl Hash) -> Mark {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

fn codes(report: &Report) -> BTreeSet<&'static str> {
    report.iter().map(|d| d.code.id).collect()
}

/// Any bytes are read, and every place that is reported lies in the text.
pub fn load_total(bytes: &[u8]) -> Mark {
    let world = read(bytes);
    for diagnostic in world.report.iter() {
        let found = diagnostic.object.as_ref().and_then(|o| world.sources.caret(o, &diagnostic.path));
        let related = diagnostic.related.iter().filter_map(|r| r.span);
        for span in diagnostic.span.into_iter().chain(found).chain(related) {
            assert!(span.start <= span.end, "{diagnostic:?}");
            let text = world.sources.text(span.source);
            assert!(text.get(span.start as usize..span.end as usize).is_some(), "{diagnostic:?}");
            let at = world.sources.line_column(span);
            assert!(at.line >= 1 && at.column >= 1, "{diagnostic:?}");
        }
    }
    let kinds: Vec<&str> = world.objects.iter().map(|o| o.info().kind).collect();
    mark((codes(&world.report), kinds, world.cluster.services.len(), world.cluster.pods.len()))
}

fn reread(object: &AnyObject) -> AnyObject {
    let text = serde_json::to_string(object).expect("objects are JSON");
    let info = object.info();
    let mut json = serde_json::Deserializer::from_str(&text);
    let read = AnyObject::decode(&format!("{}/{}", info.group, info.version), info.kind, &mut json);
    read.expect("the kind is known").unwrap_or_else(|fault| panic!("{fault}: {text}"))
}

/// An object that was read is written so that it is read again as the same, by the decoder and by the loader.
pub fn api_roundtrip(bytes: &[u8]) -> Mark {
    let world = read(bytes);
    for object in &world.objects {
        assert_eq!(reread(object), *object);
        let text = serde_json::to_string(object).expect("objects are JSON");
        let again = read(text.as_bytes());
        assert_eq!(again.objects.as_slice(), std::slice::from_ref(object), "{text}\n{:?}", again.report);
    }
    let shapes: Vec<String> = world.objects.iter().map(shape).collect();
    mark((codes(&world.report), shapes))
}

/// Which fields an object has.
fn shape(object: &AnyObject) -> String {
    fn walk(value: &Value, out: &mut String) {
        match value {
            Value::Object(map) => {
                for (key, value) in map.iter().filter(|(key, _)| *key != "labels" && *key != "annotations") {
                    out.push_str(key);
                    walk(value, out);
                }
            }
            Value::Array(list) => {
                out.push('[');
                list.iter().take(2).for_each(|value| walk(value, out));
            }
            Value::String(text) => out.push(if text.is_empty() { 'e' } else { 's' }),
            Value::Number(number) => out.push(if number.is_f64() { 'f' } else { 'n' }),
            Value::Bool(_) | Value::Null => out.push('c'),
        }
    }
    let mut out = String::new();
    walk(&serde_json::to_value(object).expect("objects are JSON"), &mut out);
    out
}

/// Through every other version and back an object is what it was; what is refused is refused with a reason.
pub fn convert_roundtrip(bytes: &[u8]) -> Mark {
    let world = read(bytes);
    let mut reached = Vec::new();
    for object in &world.objects {
        // Whatever an annotation holds is the object that is meant.
        let options = ConvertOptions::default();
        let Ok(source) = convert(object, object.info().version, &options).map(|c| c.object) else { continue };
        let source = reread(&source);
        if source
            .metadata()
            .annotations
            .keys()
            .any(|k| k.starts_with(smi_core::hub::convert::ANNOTATION_PREFIX))
        {
            continue;
        }
        for kind in KINDS.iter().filter(|k| k.kind == source.info().kind) {
            match convert(&source, kind.version, &options) {
                Ok(there) => {
                    assert_eq!(reread(&there.object), there.object);
                    assert_eq!(there.object.info().version, kind.version);
                    let back = convert(&there.object, source.info().version, &options)
                        .unwrap_or_else(|fault| panic!("{fault}: {:?}", there.object));
                    assert_eq!(back.object, source, "by {}", kind.version);
                    reached.push((kind.version, codes(&there.report).into_iter().collect::<Vec<_>>()));
                }
                Err(ConvertError::Refused(report)) => assert!(report.has_errors(), "{report:?}"),
                Err(other) => panic!("{other}"),
            }
        }
    }
    mark((reached, world.objects.iter().map(shape).collect::<Vec<_>>()))
}

/// Whatever is read compiles to an IR that holds its invariants, is judged, is printed and is rendered to a configuration that Traefik takes.
pub fn compile_total(bytes: &[u8]) -> Mark {
    let world = read(bytes);
    let options = CompileOptions::default();
    let compiled = compile(&world.hub, &world.cluster, &options);
    assert_eq!(verify(&compiled.ir), []);
    let advice = validate(&world.hub, &world.cluster, &compiled.ir, &options);
    let text = compiled.ir.to_string();
    let rendered = Traefik::default().render(&compiled.ir, &ProxyTarget::Node);
    assert_eq!(check::check(&rendered.output.dynamic, &rendered.output.install), []);
    let files = rendered.output.artifacts();
    assert!(files.iter().all(|f| f.text.ends_with('\n')));
    let lines = text
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .filter(|w| w.bytes().all(|b| b.is_ascii_lowercase()));
    mark((codes(&compiled.report), codes(&advice), lines.collect::<BTreeSet<_>>()))
}

/// The order of documents changes no byte, neither of the IR nor of Traefik's configuration nor of what is said.
pub fn compile_order(bytes: &[u8]) -> Mark {
    let Ok(text) = std::str::from_utf8(bytes) else { return 0 };
    // Directives and byte order marks belong to the place where they stand.
    if text.contains('\u{feff}') || text.lines().any(|line| line.starts_with('%')) {
        return 0;
    }
    let mut documents: Vec<&str> =
        yaml::pieces(text).into_iter().filter_map(|piece| text.get(piece)).collect();
    if documents.len() < 2 || documents.len() > 200 {
        return 0;
    }
    // What a document says must not depend on where it stands: `---` at its start, a line feed at its end.
    let join = |documents: &[&str]| {
        let whole = |d: &&str| {
            let body = d.strip_prefix("---").unwrap_or(d);
            format!("---{}{body}\n", if body.starts_with([' ', '\n', '\r', '\t']) { "" } else { "\n" })
        };
        documents.iter().map(whole).collect::<String>()
    };
    let outcome = |text: &str| {
        let world = read(text.as_bytes());
        let compiled = compile(&world.hub, &world.cluster, &CompileOptions::default());
        let rendered = Traefik::default().render(&compiled.ir, &ProxyTarget::Node);
        let files: Vec<String> = rendered.output.artifacts().into_iter().map(|f| f.text).collect();
        let mut told: Vec<String> = world.report.iter().map(ToString::to_string).collect();
        told.sort();
        (told, compiled.ir.to_string(), files, codes(&compiled.report))
    };
    let straight = outcome(&join(&documents));
    documents.reverse();
    assert_eq!(straight, outcome(&join(&documents)));
    let middle = documents.len() / 2;
    documents.rotate_left(middle);
    assert_eq!(straight, outcome(&join(&documents)));
    mark((straight.3, straight.0.len()))
}

/// A rule that is printed is read back as itself, whatever stands in its strings; and whatever is read is printed so.
pub fn traefik_rule_roundtrip(bytes: &[u8]) -> Mark {
    let text = String::from_utf8_lossy(bytes);
    let mut reached = 0;
    if let Ok(rule) = parse(&text) {
        assert_eq!(parse(&rule.to_string()).as_ref(), Ok(&rule), "{text}");
        reached = 1;
    }
    // The bytes as what a user wrote in a pattern.
    let matchers = [Matcher::PathRegexp, Matcher::Host, Matcher::HeaderRegexp];
    let pieces: Vec<&str> = text.split('\u{0}').take(8).collect();
    let leaf = |(place, piece): (usize, &&str)| {
        Rule::Match(matchers[place % matchers.len()], vec![(*piece).to_owned(), text[..0].to_owned()])
    };
    let leaves = || pieces.iter().enumerate().map(leaf);
    let both = Rule::all(leaves());
    let either = Rule::any([both, Rule::any(leaves())].into_iter().flatten());
    if let Some(rule) = either {
        assert_eq!(parse(&rule.to_string()), Ok(rule));
    }
    mark((reached, text.contains('`'), text.contains('"'), text.contains(['\r', '\n']), pieces.len()))
}

/// JSON is read alike by every way in: as JSON, and as YAML in flow form and in block form.
pub fn json_yaml_agree(bytes: &[u8]) -> Mark {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return yaml_as_json(bytes) };
    agree(&value)
}

/// Objects of a YAML input, taken as JSON.
fn yaml_as_json(bytes: &[u8]) -> Mark {
    let world = read(bytes);
    let values = world.objects.iter().filter_map(|object| serde_json::to_value(object).ok());
    mark(values.map(|value| agree(&value)).collect::<Vec<_>>())
}

fn agree(value: &Value) -> Mark {
    if !value.is_object() {
        return 0;
    }
    let json = read(value.to_string().as_bytes());
    // A comment keeps the reader of JSON away; the text is flow YAML then.
    let flow = read(format!("# flow\n{value}\n").as_bytes());
    let pretty = read(serde_json::to_string_pretty(value).expect("a value is JSON").as_bytes());
    let mut text = String::new();
    block(value, 0, &mut text);
    let block = read(text.as_bytes());
    for (other, how) in [(&flow, "flow"), (&pretty, "pretty"), (&block, "block")] {
        assert_eq!(json.objects, other.objects, "{how}: {value}\n{text}");
        assert_eq!(json.cluster, other.cluster, "{how}: {value}\n{text}");
        assert_eq!(codes(&json.report), codes(&other.report), "{how}: {value}\n{text}");
    }
    mark((codes(&json.report), json.objects.iter().map(shape).collect::<Vec<_>>()))
}

/// Block YAML whose scalars are JSON, which YAML reads as they are.
fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&format!("{indent}{}:", Value::String(key.clone())));
                nested(value, depth, out);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for value in list {
                out.push_str(&format!("{indent}-"));
                nested(value, depth, out);
            }
        }
        scalar => out.push_str(&format!("{indent}{scalar}\n")),
    }
}

fn nested(value: &Value, depth: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if is_block {
        out.push('\n');
        block(value, depth + 1, out);
    } else {
        out.push_str(&format!(" {value}\n"));
    }
}

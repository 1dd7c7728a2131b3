//! Random worlds as text and requests that may fit them.
//!
//! Shape: [`world`] gives manifests as text, so that whatever fails can be read and kept as it is; [`request`] gives HTTP requests of
//! callers known by address that often hit something in such a world.
//! Names are chosen so that `namespace-service` joins to the same text for two services.

use proptest::prelude::{BoxedStrategy, Strategy};
use serde_json::{Map, Value};

use crate::api::AnyObject;
use crate::eval::Request;

use super::strategy;

/// Manifests: services of every kind with their pods and endpoints, route groups, targets, bindings and splits of every version. They
/// load without errors; what they refer to is sometimes missing.
pub fn world() -> BoxedStrategy<String> {
    documents().prop_map(|documents| documents.join("---\n")).boxed()
}

/// The documents of a [`world`], one object each.
pub fn documents() -> BoxedStrategy<Vec<String>> {
    (strategy::cluster::manifests(), strategy::hub::objects())
        .prop_map(|(manifests, objects)| {
            let objects = objects.iter().map(document);
            manifests.iter().map(manifest).chain(objects).collect()
        })
        .boxed()
}

/// An object as a document.
#[must_use]
pub fn document(object: &AnyObject) -> String {
    // Our own types always are JSON.
    manifest(&serde_json::to_value(object).unwrap_or_default())
}

/// Manifests as one text.
#[must_use]
pub fn text(documents: &[Value]) -> String {
    documents.iter().map(manifest).collect::<Vec<_>>().join("---\n")
}

/// A manifest as people write it: block maps, with small things in flow form.
#[must_use]
pub fn manifest(value: &Value) -> String {
    let mut out = String::new();
    if let Value::Object(map) = value {
        block(map, 0, &mut out);
    } else {
        out.push_str(&format!("{}\n", flow(value)));
    }
    out
}

fn block(map: &Map<String, Value>, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    for (key, value) in map {
        out.push_str(&format!("{indent}{}:", scalar(key)));
        match value {
            Value::Object(inner)
                if !inner.is_empty() && key != "metadata" && !inner.values().all(is_plain) =>
            {
                out.push('\n');
                block(inner, depth + 1, out);
            }
            Value::Array(items) if !items.is_empty() && matches!(key.as_str(), "backends" | "matches") => {
                out.push('\n');
                for item in items {
                    out.push_str(&format!("{indent}- {}\n", flow(item)));
                }
            }
            Value::Object(_)
            | Value::Array(_)
            | Value::String(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_) => out.push_str(&format!(" {}\n", flow(value))),
        }
    }
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries: Vec<String> =
                map.iter().map(|(k, v)| format!("{}: {}", scalar(k), flow(v))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => scalar(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A string: bare where no reader takes it for something else, in quotes elsewhere.
fn scalar(text: &str) -> String {
    let safe = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'-'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if safe {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in Value::from(text).to_string().chars() {
        match c {
            // What JSON leaves as it is and YAML may not print, or takes for a line break.
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            other => out.push(other),
        }
    }
    out
}

/// An HTTP request that may fit a [`world`].
pub fn request() -> BoxedStrategy<Request> {
    strategy::request::in_any_world().boxed()
}

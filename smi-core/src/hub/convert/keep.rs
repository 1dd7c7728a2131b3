//! What a version cannot say, kept in an annotation on the converted object (S2).
//!
//! Shape: `conversion.smi-sdk.io/<version>` on the converted object holds, as JSON, the fields of the original (`was`) and a hash of the
//! fields of the converted object (`of`). Coming back, `was` counts only while the object still has that hash, so that an edit wins.
//! The hash finds edits, not attacks: whoever may write the annotation may write the object. FNV-1a is stable everywhere and enough.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::codes;
use crate::api::AnyObject;
use crate::diag::{Diagnostic, FieldPath, Report};

/// Annotations of conversion start with this; the version of the original follows.
pub const ANNOTATION_PREFIX: &str = "conversion.smi-sdk.io/";

/// The fields beside `apiVersion`, `kind` and `metadata`.
fn fields(object: &AnyObject) -> Map<String, Value> {
    match serde_json::to_value(object) {
        Ok(Value::Object(mut map)) => {
            for key in ["apiVersion", "kind", "metadata"] {
                map.remove(key);
            }
            map
        }
        // Our own types always are maps.
        Ok(_) | Err(_) => Map::new(),
    }
}

fn hash(fields: &Map<String, Value>) -> String {
    let mut sorted = fields.clone();
    sorted.sort_keys();
    let text = Value::Object(sorted).to_string();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

/// The object that this one was converted from, if an annotation holds it and the object was not edited since.
pub(super) fn original(object: &AnyObject, report: &mut Report) -> Option<AnyObject> {
    let info = object.info();
    let (key, text) = object.metadata().annotations.iter().find(|(key, _)| {
        key.strip_prefix(ANNOTATION_PREFIX).is_some_and(|version| {
            crate::api::KINDS
                .iter()
                .any(|k| k.group == info.group && k.kind == info.kind && k.version == version)
        })
    })?;
    let stale = |report: &mut Report, why: &str| {
        let path = FieldPath::root().fields(&["metadata", "annotations", key]);
        report.push(Diagnostic::new(codes::STALE_ANNOTATION, &object.object_ref(), path, why));
    };
    let parsed: Option<(Map<String, Value>, String)> = serde_json::from_str::<Value>(text)
        .ok()
        .and_then(|v| Some((v.get("was")?.as_object()?.clone(), v.get("of")?.as_str()?.to_owned())));
    let Some((was, of)) = parsed else {
        stale(report, "the conversion annotation cannot be read and is ignored");
        return None;
    };
    if hash(&fields(object)) != of {
        stale(
            report,
            "the object was edited after it was converted; what the conversion annotation kept no longer applies",
        );
        return None;
    }
    let mut metadata = object.metadata().clone();
    metadata.annotations.remove(key);
    let version = key.strip_prefix(ANNOTATION_PREFIX)?;
    let mut whole = Map::new();
    whole.insert("metadata".into(), serde_json::to_value(metadata).ok()?);
    whole.extend(was);
    match AnyObject::decode(&format!("{}/{version}", info.group), info.kind, Value::Object(whole))? {
        Ok(object) => Some(object),
        Err(fault) => {
            stale(report, &format!("the conversion annotation holds no valid object: {fault}"));
            None
        }
    }
}

/// Keeps `source` in an annotation of `converted`, if converting back would not give it.
pub(super) fn annotate(source: &AnyObject, converted: &mut AnyObject) {
    let options = super::ConvertOptions { annotate: false, ..Default::default() };
    let back = super::HubObject::read(converted)
        .ok()
        .flatten()
        .map(|hub| hub.write(converted, source.info().version, &options, false).object);
    if back.as_ref() == Some(source) {
        return;
    }
    let of = hash(&fields(converted));
    let mut value = Map::new();
    value.insert("of".into(), Value::String(of));
    value.insert("was".into(), Value::Object(fields(source)));
    let key: Arc<str> = format!("{ANNOTATION_PREFIX}{}", source.info().version).into();
    converted.metadata_mut().annotations.insert(key, Value::Object(value).to_string().into());
}

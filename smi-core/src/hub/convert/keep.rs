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

/// What every object has, and no annotation may say.
const ENVELOPE: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// The fields beside `apiVersion`, `kind` and `metadata`.
fn fields(object: &AnyObject) -> Map<String, Value> {
    match serde_json::to_value(object) {
        Ok(Value::Object(mut map)) => {
            for key in ENVELOPE {
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

/// Whether an annotation key is one of conversion's own.
fn is_ours(key: &str) -> bool {
    key.starts_with(ANNOTATION_PREFIX)
}

/// Removes what earlier conversions kept: it belongs to an object that is no more.
pub(super) fn forget(object: &mut AnyObject) {
    object.metadata_mut().annotations.retain(|key, _| !is_ours(key));
}

/// The object that this one was converted from, if an annotation holds it and the object was not edited since. Of several, which only
/// a person can have written, the last in order of version counts.
pub(super) fn original(object: &AnyObject, report: &mut Report) -> Option<AnyObject> {
    let mut found = None;
    for (key, text) in object.metadata().annotations.iter().filter(|(key, _)| is_ours(key)) {
        match read(object, key, text) {
            Ok(original) => found = original.or(found),
            Err(why) => {
                let path = FieldPath::root().fields(&["metadata", "annotations"]).key(key.to_string());
                report.push(Diagnostic::new(codes::STALE_ANNOTATION, &object.object_ref(), path, why));
            }
        }
    }
    found
}

/// `None`: the annotation is not about an object of this kind.
fn read(object: &AnyObject, key: &str, text: &str) -> Result<Option<AnyObject>, String> {
    let info = object.info();
    let Some(version) = key.strip_prefix(ANNOTATION_PREFIX) else { return Ok(None) };
    let known =
        |k: &&crate::api::KindInfo| k.group == info.group && k.kind == info.kind && k.version == version;
    if crate::api::KINDS.iter().find(known).is_none() {
        return Ok(None);
    }
    let parsed: Option<(Map<String, Value>, String)> = serde_json::from_str::<Value>(text)
        .ok()
        .and_then(|v| Some((v.get("was")?.as_object()?.clone(), v.get("of")?.as_str()?.to_owned())));
    let Some((mut was, of)) = parsed else {
        return Err("the conversion annotation cannot be read and is ignored".to_owned());
    };
    // INVARIANT: an annotation says what an object of this name was, never that it is another object.
    if ENVELOPE.iter().any(|key| was.contains_key(*key)) {
        return Err("the conversion annotation holds `apiVersion`, `kind` or `metadata`, which it may not, and is ignored".to_owned());
    }
    if hash(&fields(object)) != of {
        return Err("the object was edited after it was converted; what the conversion annotation kept no longer applies"
            .to_owned());
    }
    let mut metadata = object.metadata().clone();
    metadata.annotations.retain(|key, _| !is_ours(key));
    let Ok(metadata) = serde_json::to_value(metadata) else { return Ok(None) };
    was.insert("metadata".into(), metadata);
    match AnyObject::decode(&format!("{}/{version}", info.group), info.kind, Value::Object(was)) {
        Some(Ok(object)) => Ok(Some(object)),
        Some(Err(fault)) => Err(format!("the conversion annotation holds no valid object: {fault}")),
        None => Ok(None),
    }
}

/// Keeps `source` in an annotation of `converted`, if converting back, which narrows where it has to, would not give it.
pub(super) fn annotate(source: &AnyObject, converted: &mut AnyObject) {
    let options = super::ConvertOptions { annotate: false, ..Default::default() };
    let back = super::HubObject::read(converted)
        .ok()
        .flatten()
        .map(|hub| hub.write(converted, source.info().version, &options, true));
    if back.is_some_and(|back| fields(&back.object) == fields(source)) {
        return;
    }
    let of = hash(&fields(converted));
    let mut value = Map::new();
    value.insert("of".into(), Value::String(of));
    value.insert("was".into(), Value::Object(fields(source)));
    let key: Arc<str> = format!("{ANNOTATION_PREFIX}{}", source.info().version).into();
    converted.metadata_mut().annotations.insert(key, Value::Object(value).to_string().into());
}

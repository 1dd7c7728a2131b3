//! From a world and a request that differ to the least that still does.
//!
//! Whole documents go first, halves before single ones; then parts of what is left, lists and fields alike; then what the request can
//! do without. Bounded in trials, as each may mean to load a proxy.

use serde_json::Value;
use smi_core::eval::{Payload, Request};

use crate::call::Call;
use crate::world::World;

/// Trials at most.
const TRIALS: usize = 600;

/// What is left.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The world.
    pub world: World,
    /// The call.
    pub call: Call,
    /// How many smaller ones were tried.
    pub trials: usize,
}

/// Shrinks as long as it differs.
pub fn shrink(world: World, call: Call, mut differs: impl FnMut(&World, &Call) -> bool) -> Shrunk {
    let mut best = Shrunk { world, call, trials: 0 };
    let mut smaller = |best: &mut Shrunk, world: World, call: Call| {
        best.trials += 1;
        let so = best.trials <= TRIALS && differs(&world, &call);
        if so {
            (best.world, best.call) = (world, call);
        }
        so
    };
    let mut size = best.world.documents.len().div_ceil(2);
    while size > 0 {
        let mut end = best.world.documents.len();
        while end > 0 {
            let start = end.saturating_sub(size);
            let mut world = best.world.clone();
            world.documents.drain(start..end);
            let call = best.call.clone();
            smaller(&mut best, world, call);
            end = start;
        }
        size /= 2;
    }
    for request in plainer(&best.call.request) {
        let world = best.world.clone();
        let call = Call { request, direct: best.call.direct.clone() };
        smaller(&mut best, world, call);
    }
    for document in (0..best.world.documents.len()).rev() {
        let places = places(&best.world.documents[document]);
        for pointer in places.into_iter().rev() {
            let mut world = best.world.clone();
            if remove(&mut world.documents[document], &pointer) {
                let call = best.call.clone();
                smaller(&mut best, world, call);
            }
        }
    }
    best
}

/// Requests that say less.
fn plainer(request: &Request) -> Vec<Request> {
    let Payload::Http(http) = &request.payload else { return Vec::new() };
    let with = |change: &dyn Fn(&mut smi_core::eval::HttpRequest)| {
        let mut http = http.clone();
        change(&mut http);
        Request { caller: request.caller.clone(), payload: Payload::Http(http) }
    };
    let mut out = vec![with(&|http| http.headers.clear())];
    for place in 0..http.headers.len() {
        out.push(with(&|http| drop(http.headers.remove(place))));
    }
    for target in ["/", "/items"] {
        out.push(with(&|http| http.target = target.into()));
    }
    out.push(with(&|http| http.method = "GET".into()));
    out
}

/// Everything inside a document that may be left out, from the outside in; not its name and kind.
fn places(document: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, out: &mut Vec<String>) {
        let mut visit = |key: String, inner: &Value| {
            let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            let fixed = ["/apiVersion", "/kind", "/metadata", "/metadata/name", "/metadata/namespace"];
            if !fixed.contains(&pointer.as_str()) {
                out.push(pointer.clone());
            }
            walk(inner, &pointer, out);
        };
        match value {
            Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| visit(i.to_string(), v)),
            Value::Object(map) => map.iter().for_each(|(k, v)| visit(k.clone(), v)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut out = Vec::new();
    walk(document, "", &mut out);
    out
}

fn remove(document: &mut Value, pointer: &str) -> bool {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
    let key = key.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent) {
        Some(Value::Array(list)) => match key.parse::<usize>() {
            Ok(place) if place < list.len() => {
                list.remove(place);
                true
            }
            Ok(_) | Err(_) => false,
        },
        Some(Value::Object(map)) => map.shift_remove(&key).is_some(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests;
    use crate::world;
    use smi_core::testing::random::Random;

    #[test]
    fn the_least_is_found() {
        let mut random = Random::new(7);
        let world = world::world(&mut random);
        let ir = crate::campaign::compiled(&world, None);
        let (request, _) = requests::request(&mut random, &ir);
        // Pretend that a proxy cannot stand two addresses in one slice, and a TrafficTarget.
        let differs = |world: &World, _: &Call| {
            world.documents.iter().any(|d| d["kind"] == "TrafficTarget")
                && world
                    .documents
                    .iter()
                    .filter(|d| d["kind"] == "Pod")
                    .any(|d| d["spec"]["containers"][0]["ports"][1].is_object())
        };
        let least = shrink(world, request.into(), differs);
        assert_eq!(least.world.documents.len(), 2, "{}", least.world.text());
        assert!(least.world.text().len() < 350, "{}", least.world.text());
    }
}

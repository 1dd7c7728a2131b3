//! Route groups → HTTP matches (S6–S11, S26).

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

use super::codes;
use crate::diag::{Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::Namespaced;
use crate::hub::{self, Hub, RouteGroup};
use crate::ir::pattern::PatternFault;
use crate::ir::{Field, HeaderMatch, HttpMatch, Methods, Origin, Pattern};

/// A group, resolved.
pub(super) struct Group {
    /// In order; `None`: faulty, contributes nothing.
    matches: Vec<Option<Arc<HttpMatch>>>,
    /// Names of the matches and their places, sorted.
    by_name: Vec<(Arc<str>, usize)>,
}

impl Group {
    /// All matches that contribute.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<HttpMatch>> {
        self.matches.iter().flatten()
    }

    /// The match of this name: unknown, ambiguous, faulty (reported already) or there.
    pub(super) fn named(&self, name: &str) -> Result<Option<&Arc<HttpMatch>>, NameFault> {
        let first = self.by_name.partition_point(|(n, _)| **n < *name);
        let mut same = self.by_name.iter().skip(first).take_while(|(n, _)| **n == *name);
        match (same.next(), same.next()) {
            (None, _) => Err(NameFault::Unknown),
            (Some((_, place)), None) => Ok(self.matches.get(*place).and_then(Option::as_ref)),
            (Some(_), Some(_)) => Err(NameFault::Ambiguous),
        }
    }

    /// Names of the matches.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.iter().map(|(n, _)| &**n)
    }
}

/// Why a name of a match is not resolved.
pub(super) enum NameFault {
    Unknown,
    Ambiguous,
}

/// All groups, with their faults reported once.
pub(super) fn groups(hub: &Hub, report: &mut Report) -> BTreeMap<Namespaced, Group> {
    let mut patterns = Patterns::default();
    let resolved =
        hub.route_groups.iter().map(|(name, group)| (name.clone(), resolve(group, &mut patterns, report)));
    resolved.collect()
}

/// Patterns that were read, since groups repeat each other's.
#[derive(Default)]
struct Patterns<'h> {
    paths: HashMap<&'h str, Result<Pattern, PatternFault>>,
    values: HashMap<&'h str, Result<Pattern, PatternFault>>,
}

impl<'h> Patterns<'h> {
    fn path(&mut self, text: &'h str) -> Result<Pattern, PatternFault> {
        self.paths.entry(text).or_insert_with(|| Pattern::path(text)).clone()
    }

    fn value(&mut self, text: &'h str) -> Result<Pattern, PatternFault> {
        self.values.entry(text).or_insert_with(|| Pattern::value(text)).clone()
    }
}

/// Where the matches of a group stand in its version.
pub(crate) fn matches_path(version: &str) -> FieldPath {
    FieldPath::root().fields(matches_list(version))
}

/// The same, as keys.
fn matches_list(version: &str) -> &'static [&'static str] {
    match version {
        "v1alpha1" | "v1alpha2" => &["matches"],
        _ => &["spec", "matches"],
    }
}

fn resolve<'h>(group: &'h RouteGroup, patterns: &mut Patterns<'h>, report: &mut Report) -> Group {
    let object = Arc::new(group.object_ref());
    let list = matches_list(group.meta.version);
    let place_of = |(place, source): (usize, &hub::HttpMatch)| (source.name.clone(), place);
    let mut by_name: Vec<(Arc<str>, usize)> = group.matches.iter().enumerate().map(place_of).collect();
    by_name.sort();
    for same in by_name.chunk_by(|a, b| a.0 == b.0) {
        if let [(name, first), (_, second), ..] = same {
            let path = |place: usize| Field::Item(list, place).path().field("name");
            let message = format!("the name `{name}` stands twice, so rules cannot refer to it");
            report.push(
                Diagnostic::new(codes::MATCH_NAME_TWICE, &object, path(*second), message).with_related(
                    "the first one",
                    &object,
                    path(*first),
                ),
            );
        }
    }
    let mut read = |(place, source)| one(source, patterns, &object, Field::Item(list, place), report);
    Group { matches: group.matches.iter().enumerate().map(|m| read(m).map(Arc::new)).collect(), by_name }
}

fn one<'h>(
    source: &'h hub::HttpMatch,
    patterns: &mut Patterns<'h>,
    object: &Arc<ObjectRef>,
    field: Field,
    report: &mut Report,
) -> Option<HttpMatch> {
    let mut sound = true;
    let mut bad_pattern = |fault: PatternFault, text: &str, at: FieldPath| {
        let part = text.get(fault.span.clone()).unwrap_or_default();
        let place = if part.is_empty() { String::new() } else { format!(" (at `{part}`)") };
        let mut d = Diagnostic::new(codes::BAD_PATTERN, object, at, format!("{}{place}", fault.message));
        d.help = fault.help;
        report.push(d);
        sound = false;
    };
    let mut pattern = None;
    if let Some(text) = &source.path_regex {
        match patterns.path(text) {
            Ok(p) => pattern = Some(p),
            Err(fault) => bad_pattern(fault, text, field.path().field("pathRegex")),
        }
    }
    // By name; `None` has a faulty pattern.
    let mut headers: BTreeMap<Arc<str>, Option<Pattern>> = BTreeMap::new();
    let mut refused = Vec::new();
    for (name, text) in source.headers.iter().flatten() {
        let at = || field.path().field("headers").key(name.clone());
        let mut refuse = |code, why| refused.push(Diagnostic::new(code, object, at(), why));
        match header_name(name).map(|canonical| headers.entry(canonical)) {
            Err(why) => refuse(codes::BAD_HEADER, format!("`{name}` cannot be matched: {why}")),
            Ok(Entry::Occupied(_)) => {
                refuse(codes::HEADER_TWICE, format!("the header `{name}` stands twice"));
            }
            Ok(Entry::Vacant(place)) => {
                place.insert(match patterns.value(text) {
                    Ok(value) => Some(value),
                    Err(fault) => {
                        bad_pattern(fault, text, at());
                        None
                    }
                });
            }
        }
    }
    // SPEC: S10. No request has a method that is no token, and a proxy may refuse everything that stands beside one. Test:
    // s10_a_method_that_no_request_can_have_leaves_the_match_out.
    for (place, method) in source.methods.iter().flatten().enumerate().filter(|(_, m)| !is_token(m)) {
        let at = field.path().field("methods").index(place);
        let why = format!("no request has the method `{method}`");
        refused.push(Diagnostic::new(codes::BAD_METHOD, object, at, why));
    }
    sound &= refused.is_empty();
    refused.into_iter().for_each(|d| report.push(d));
    // SPEC: S10. Absent, empty and `*` all mean any method.
    let methods = match &source.methods {
        None => Methods::Any,
        Some(methods) if methods.is_empty() || methods.iter().any(|m| &**m == "*") => Methods::Any,
        Some(methods) => Methods::Only(methods.iter().cloned().collect()),
    };
    sound.then(|| HttpMatch {
        path: pattern.filter(|p| *p.lowered() != crate::ir::pattern::Lowered::Any),
        methods,
        headers: headers
            .into_iter()
            .filter_map(|(name, value)| Some(HeaderMatch { name, value: value? }))
            .collect(),
        origin: Origin::field(object.clone(), field),
    })
}

/// A token of RFC 9110, as names of headers and methods are.
fn is_token(text: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(token)
}

/// The name in lower case, `:authority` as `host`; or why it cannot be matched (S7).
fn header_name(name: &Arc<str>) -> Result<Arc<str>, &'static str> {
    let is_lower = !name.bytes().any(|b| b.is_ascii_uppercase());
    let lower = if is_lower { name.clone() } else { name.to_ascii_lowercase().into() };
    if &*lower == ":authority" {
        return Ok("host".into());
    }
    if lower.starts_with(':') {
        return Err("pseudo-headers other than `:authority` are not header fields");
    }
    if !is_token(&lower) {
        return Err("it is not a header name");
    }
    let owned = matches!(
        &*lower,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "content-length"
            | "expect"
            | "forwarded"
            | "x-real-ip"
    ) || lower.starts_with("x-forwarded-")
        || lower.starts_with("x-envoy-");
    if owned { Err("proxies own or rewrite it") } else { Ok(lower) }
}

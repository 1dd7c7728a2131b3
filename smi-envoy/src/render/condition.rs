//! HTTP matches → route matches and permissions.
//!
//! `host` is compared in lower case (S7), which Envoy's header matchers cannot do for any pattern. The names by which a service can be
//! called are known, so a pattern becomes the list of those that it matches, in whatever case; ports and trailing dots are gone by then.

use std::collections::BTreeSet;

use smi_core::ir::pattern::{Anchor, Lowered};
use smi_core::ir::{HttpMatch, Methods, Pattern};

use crate::config::matcher::{
    HeaderMatch, HeaderMatcher, PathMatcher, PathRule, RegexMatcher, StringMatcher, StringPattern,
};
use crate::config::rbac::{Permission, PermissionRule, PermissionSet};
use crate::config::route::{PathSpecifier, RouteMatch};

/// As an expression that Envoy matches as a whole.
fn regex(pattern: &Pattern, portable: &str) -> RegexMatcher {
    let regex = match pattern.anchor() {
        // SPEC: S6
        Anchor::Start => format!("(?:{portable}).*"),
        // SPEC: S7
        Anchor::Whole => portable.to_owned(),
    };
    RegexMatcher { regex }
}

fn string(pattern: StringPattern) -> StringMatcher {
    StringMatcher { pattern: Some(pattern) }
}

fn lowered(pattern: &Pattern) -> Option<StringMatcher> {
    Some(string(match pattern.lowered() {
        Lowered::Any => return None,
        Lowered::Exact(text) => StringPattern::Exact(text.to_string()),
        Lowered::Prefix(text) => StringPattern::Prefix(text.to_string()),
        Lowered::Regex(portable) => StringPattern::SafeRegex(regex(pattern, portable)),
    }))
}

/// The methods and headers of a match; `None` when none of the service's names fits, and nothing can match.
fn headers(m: &HttpMatch, names: &BTreeSet<String>) -> Option<Vec<HeaderMatcher>> {
    let header = |name: &str, value| HeaderMatcher { name: name.to_owned(), value: Some(value) };
    let mut out = Vec::new();
    if let Methods::Only(methods) = &m.methods {
        let escaped: Vec<String> = methods.iter().map(|m| escape(m)).collect();
        let pattern = match methods.first() {
            Some(only) if methods.len() == 1 => StringPattern::Exact(only.to_string()),
            Some(_) | None => StringPattern::SafeRegex(RegexMatcher { regex: escaped.join("|") }),
        };
        out.push(header(":method", HeaderMatch::StringMatch(string(pattern))));
    }
    for h in &m.headers {
        if &*h.name == "host" {
            let fitting = names.iter().filter(|name| h.value.is_match(name.as_bytes()));
            let fitting: Vec<String> = fitting.map(|name| escape(name)).collect();
            if fitting.is_empty() {
                return None;
            }
            let regex = format!("(?i:{})", fitting.join("|"));
            let matcher = string(StringPattern::SafeRegex(RegexMatcher { regex }));
            out.push(header(":authority", HeaderMatch::StringMatch(matcher)));
            continue;
        }
        let value = match lowered(&h.value) {
            Some(matcher) => HeaderMatch::StringMatch(matcher),
            // An absent header does not even match `.*`.
            None => HeaderMatch::PresentMatch(true),
        };
        out.push(header(&h.name, value));
    }
    Some(out)
}

/// A method or a name, neither of which holds a character beyond ASCII, as an expression.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() && c != '_' && c != '-' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// As the condition of a route; `None`: it never applies.
pub(super) fn route_match(m: &HttpMatch, names: &BTreeSet<String>) -> Option<RouteMatch> {
    let path = match m.path.as_ref().map(|p| (p, p.lowered())) {
        None | Some((_, Lowered::Any)) => PathSpecifier::Prefix("/".into()),
        Some((_, Lowered::Exact(text))) => PathSpecifier::Path(text.to_string()),
        Some((_, Lowered::Prefix(text))) => PathSpecifier::Prefix(text.to_string()),
        Some((p, Lowered::Regex(portable))) => PathSpecifier::SafeRegex(regex(p, portable)),
    };
    Some(RouteMatch { path: Some(path), headers: headers(m, names)? })
}

/// Every request.
pub(super) fn everything() -> RouteMatch {
    RouteMatch { path: Some(PathSpecifier::Prefix("/".into())), headers: Vec::new() }
}

/// Requests whose path is not canonical and which Envoy lets pass (S9): a `%` without two hex digits, and slashes alone, of which it leaves
/// two. What is open below the root, `/.+`, would open the root for `//`.
pub(super) fn not_canonical() -> RouteMatch {
    let regex =
        "//|[^%]*(?:%[0-9A-Fa-f]{2}[^%]*)*%(?:[^0-9A-Fa-f].*|[0-9A-Fa-f](?:[^0-9A-Fa-f].*)?)?".to_owned();
    RouteMatch { path: Some(PathSpecifier::SafeRegex(RegexMatcher { regex })), headers: Vec::new() }
}

/// As a permission; `None`: it never applies.
pub(super) fn permission(m: &HttpMatch, names: &BTreeSet<String>) -> Option<Permission> {
    let path = m.path.as_ref().and_then(lowered).map(url_path);
    let headers = headers(m, names)?.into_iter().map(|h| PermissionRule::Header(h).into());
    Some(all(path.into_iter().chain(headers).collect()))
}

fn url_path(matcher: StringMatcher) -> Permission {
    PermissionRule::UrlPath(PathMatcher { rule: Some(PathRule::Path(matcher)) }).into()
}

fn all(mut rules: Vec<Permission>) -> Permission {
    match (rules.pop(), rules.is_empty()) {
        (None, _) => PermissionRule::Any(true).into(),
        (Some(only), true) => only,
        (Some(last), false) => {
            rules.push(last);
            PermissionRule::AndRules(PermissionSet { rules }).into()
        }
    }
}

/// `GET` of a probe's path (S32).
pub(super) fn probe(path: &str) -> Permission {
    let method = HeaderMatcher {
        name: ":method".into(),
        value: Some(HeaderMatch::StringMatch(string(StringPattern::Exact("GET".into())))),
    };
    all(vec![url_path(string(StringPattern::Exact(path.to_owned()))), PermissionRule::Header(method).into()])
}

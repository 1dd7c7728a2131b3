//! S6–S12: paths, headers, methods, groups.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use smi_core::eval::path::canonical_path;
use smi_core::eval::{HttpRequest, Payload, Request};
use smi_core::hub::HttpMatch;
use smi_core::hub::names::Port;
use smi_core::ir::{EncodedSlashes, Ir, Pattern};
use smi_core::testing::strategy::cluster;

use crate::support::*;

/// Regular expressions of the intersection, over a small alphabet.
fn portable() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => "[/ab.x0]{1,3}".prop_map(|s| s),
        1 => Just("\\d".to_owned()),
        1 => Just("\\w".to_owned()),
        1 => Just("\\W".to_owned()),
        1 => Just("[a-b/]".to_owned()),
        1 => Just("[^/]".to_owned()),
        1 => Just("[\\d_]".to_owned()),
        1 => Just("\\.".to_owned()),
        1 => Just("\\x61".to_owned()),
        1 => Just("^".to_owned()),
        1 => Just("$".to_owned()),
        1 => Just(String::new()),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}{b}")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}|{b}")),
            2 => inner.clone().prop_map(|a| format!("({a})")),
            1 => inner.clone().prop_map(|a| format!("(?P<n>{a})")),
            1 => inner.clone().prop_map(|a| format!("(?i:{a})")),
            2 => (inner, proptest::sample::select(&["*", "+", "?", "{2}", "{1,3}", "*?"][..]))
                .prop_map(|(a, repeat)| format!("(?:{a}){repeat}")),
        ]
    })
}

fn by_engine(text: &str, whole: bool, value: &str) -> bool {
    let anchored = if whole { format!("^(?:{text})$") } else { format!("^(?:{text})") };
    // Values are ASCII here, so classes may as well be Unicode.
    regex::Regex::new(&anchored).unwrap().is_match(value)
}

/// One spelling of a path in other words that mean the same.
fn respelt(path: &str, choices: &[u8]) -> String {
    let mut out = String::new();
    for (byte, choice) in path.bytes().zip(choices.iter().cycle()) {
        match (byte, choice % 4) {
            (b'/', 1) => out.push_str("//"),
            (b'/', 2) => out.push_str("/./"),
            (b'/', 3) => out.push_str("/zz/../"),
            (b, 1) if b.is_ascii_alphanumeric() => out.push_str(&format!("%{b:02X}")),
            (b, 2) if b.is_ascii_alphanumeric() => out.push_str(&format!("%{b:02x}")),
            (b, _) => out.push(char::from(b)),
        }
    }
    out
}

fn http(ir: &Ir, draft: &smi_core::testing::Draft) -> Option<(Request, smi_core::eval::HttpRequest)> {
    let request = draft.request(ir);
    match request.payload.clone() {
        Payload::Http(http) => Some((request, http)),
        Payload::Tcp { .. } | Payload::Udp { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// What starts with a path that matches, matches, unless the pattern itself looks at the end.
    #[test]
    fn s06_nothing_ends_a_path_but_the_pattern(text in portable(), value in "/[ab/x0]{0,6}", tail in "[ab/x0]{0,4}") {
        prop_assume!(!text.contains('$'));
        let Ok(pattern) = Pattern::path(&text) else { return Ok(()) };
        let longer = [value.as_str(), tail.as_str()].concat();
        prop_assert!(!pattern.is_match(value.as_bytes()) || pattern.is_match(longer.as_bytes()));
    }

    #[test]
    fn s07_values_match_as_a_whole(text in portable(), value in "[ab/x0_.]{0,6}") {
        let Ok(pattern) = Pattern::value(&text) else { return Ok(()) };
        prop_assert_eq!(pattern.is_match(value.as_bytes()), by_engine(&text, true, &value));
    }

    /// Lowered, rewritten or neither: the engine's answer, and everything that is made of the intersection is accepted.
    #[test]
    fn s08_patterns_mean_what_the_engine_says(text in portable(), value in "[ab/x0_.]{0,8}", whole in any::<bool>()) {
        let pattern = if whole { Pattern::value(&text) } else { Pattern::path(&text) };
        let Ok(pattern) = pattern else {
            // A name of a group that stands twice is refused by every engine.
            prop_assert!(regex::Regex::new(&text).is_err() || repeats_nothing(&text), "{}", text);
            return Ok(());
        };
        prop_assert_eq!(pattern.is_match(value.as_bytes()), by_engine(&text, whole, &value), "{:?}", pattern.lowered());
    }

    /// What one pattern covers, the other does not exceed.
    #[test]
    fn s08_covering_is_sound(a in portable(), b in portable(), value in "/?[ab/x0_.]{0,8}") {
        let (Ok(a), Ok(b)) = (Pattern::path(&a), Pattern::path(&b)) else { return Ok(()) };
        prop_assert!(!a.covers(&b) || !b.is_match(value.as_bytes()) || a.is_match(value.as_bytes()));
    }

    #[test]
    fn s09_canonical_paths_stay_as_they_are(target in "/[a.%20fF/?~-]{0,16}", keep in any::<bool>()) {
        let slashes = if keep { EncodedSlashes::Keep } else { EncodedSlashes::Refuse };
        let Ok(path) = canonical_path(&target, slashes) else { return Ok(()) };
        let again = canonical_path(&path, slashes);
        prop_assert_eq!(again.as_deref(), Ok(path.as_str()));
        prop_assert!(!path.contains("//"), "{}", path);
        prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."), "{}", path);
    }

    #[test]
    fn s09_other_spellings_of_a_path_are_the_path(path in "(/[a-z0-9]{1,4}){1,4}/?", choices in proptest::collection::vec(any::<u8>(), 16)) {
        prop_assert_eq!(canonical_path(&respelt(&path, &choices), EncodedSlashes::Refuse), Ok(path));
    }

    /// Constructed matches take the calls of their method or service, and no others.
    #[test]
    fn s12_matches_of_grpc_take_their_calls_and_no_others(
        services in vec("[a-c]{1,2}([.][A-C_][a-c0-9_]{0,2}){0,2}", 1..4),
        methods in vec("[A-C][a-c]{0,2}", 1..4),
    ) {
        let path_of = |m: &HttpMatch| Pattern::path(m.path_regex.as_deref().unwrap()).unwrap();
        for (service, method) in pairs(&services, &methods) {
            let one = HttpMatch::grpc_method("m", service, method).unwrap();
            let all = HttpMatch::grpc_service("m", service).unwrap();
            for (called, with) in pairs(&services, &methods) {
                let call = HttpRequest::grpc(Port::new(80).unwrap(), "h", called, with);
                let path = canonical_path(&call.target, EncodedSlashes::Refuse).unwrap();
                prop_assert_eq!(&path, &call.target);
                prop_assert_eq!(path_of(&one).is_match(path.as_bytes()), called == service && with == method);
                prop_assert_eq!(path_of(&all).is_match(path.as_bytes()), called == service);
                let methods = [Arc::from(call.method.as_str())];
                prop_assert_eq!(one.methods.as_deref(), Some(&methods[..]));
                prop_assert_eq!(all.methods.as_deref(), Some(&methods[..]));
            }
        }
    }
}

fn pairs<'a>(services: &'a [String], methods: &'a [String]) -> impl Iterator<Item = (&'a str, &'a str)> {
    services.iter().flat_map(|s| methods.iter().map(|m| (s.as_str(), m.as_str())))
}

/// Go and RE2 refuse a repetition of an assertion or of nothing, directly or in a group of its own.
fn repeats_nothing(text: &str) -> bool {
    ["(?:^)", "(?:$)", "(?:)", "(?:(?:"].iter().any(|part| text.contains(part))
        || text.contains(")?)")
        || text.contains("(?P<n>")
}

proptest! {
    #![proptest_config(cases())]

    /// Names of headers have no case, values no white space around them, and lines no order.
    #[test]
    fn s07_how_a_header_is_sent_does_not_matter((hub, cluster) in worlds(), drafts in drafts()) {
        let ir = ir(&hub, &cluster);
        for (mut request, mut http) in drafts.iter().filter_map(|d| http(&ir, d)) {
            let was = decide(&ir, &request);
            http.headers.reverse();
            for (name, value) in &mut http.headers {
                *name = name.to_ascii_uppercase();
                *value = format!("\t{value} ");
            }
            request.payload = Payload::Http(http);
            prop_assert_eq!(decide(&ir, &request), was, "{:?}", request);
        }
    }

    #[test]
    fn s09_policy_sees_the_canonical_path((hub, cluster) in worlds(), drafts in drafts()) {
        let ir = ir(&hub, &cluster);
        for (mut request, mut http) in drafts.iter().filter_map(|d| http(&ir, d)) {
            let was = decide(&ir, &request);
            let Ok(path) = canonical_path(&http.target, EncodedSlashes::Refuse) else {
                prop_assert!(!is_served(&ir, &request));
                continue;
            };
            http.target = format!("{path}?/a/../b");
            request.payload = Payload::Http(http);
            prop_assert_eq!(decide(&ir, &request), was, "{:?}", request);
        }
    }

    #[test]
    fn s10_absent_empty_and_a_star_are_any_method(matches in matches(), cluster in cluster::cluster(), drafts in drafts()) {
        let with = |methods: Option<Vec<&str>>| {
            let mut matches = matches.clone();
            for m in &mut matches {
                m.methods = methods.as_ref().map(|list| list.iter().map(|s| text(s)).collect());
            }
            ir(&by_group(matches), &cluster)
        };
        let absent = with(None);
        alike(&absent, &with(Some(vec![])), &drafts)?;
        alike(&absent, &with(Some(vec!["POST", "*"])), &drafts)?;
        // A method is itself and no other: GET does not imply HEAD, and `get` is not GET.
        let get = with(Some(vec!["GET"]));
        at_most(&get, &absent, &drafts)?;
        for (request, http) in drafts.iter().filter_map(|d| http(&get, d)) {
            prop_assert!(http.method == "GET" || !is_served(&get, &request), "{:?}", request);
        }
    }

    /// A group allows what any of its matches allows, in any order; a group without matches nothing.
    #[test]
    fn s11_a_group_is_the_union_of_its_matches(matches in matches(), cluster in cluster::cluster(), drafts in drafts()) {
        let whole = ir(&by_group(matches.clone()), &cluster);
        let mut turned = matches.clone();
        turned.reverse();
        alike(&whole, &ir(&by_group(turned), &cluster), &drafts)?;
        let parts: Vec<Ir> = matches.iter().map(|m| ir(&by_group(vec![m.clone()]), &cluster)).collect();
        for request in drafts.iter().map(|d| d.request(&whole)) {
            let any = parts.iter().any(|part| is_served(part, &request));
            prop_assert_eq!(is_served(&whole, &request), any, "{:?}", request);
        }
    }

    /// Every condition of a match narrows it.
    #[test]
    fn s11_conditions_of_a_match_are_joined_by_and(matches in matches(), cluster in cluster::cluster(), drafts in drafts()) {
        let whole = ir(&by_group(matches.clone()), &cluster);
        let sound = |m: &&smi_core::hub::HttpMatch| {
            m.headers.iter().flatten().all(|(n, v)| Pattern::value(v).is_ok() && &**n != "x-forwarded-for")
        };
        let without_path: Vec<_> = matches.iter().filter(sound).cloned().map(|mut m| { m.path_regex = None; m }).collect();
        let only_sound: Vec<_> = matches.iter().filter(sound).cloned().collect();
        at_most(&ir(&by_group(only_sound), &cluster), &ir(&by_group(without_path), &cluster), &drafts)?;
        // A match that is refused as a whole adds nothing.
        let only_sound: Vec<_> = matches.iter().filter(sound).cloned().collect();
        alike(&whole, &ir(&by_group(only_sound.into_iter().filter(|m| m.headers.as_ref().is_none_or(|h| no_twice(h))).collect()), &cluster), &drafts)?;
    }
}

fn no_twice(headers: &[(std::sync::Arc<str>, std::sync::Arc<str>)]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    headers.iter().all(|(name, _)| seen.insert(name.to_ascii_lowercase().replace(":authority", "host")))
}

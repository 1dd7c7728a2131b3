//! Fields that a kind does not have (S5).

use super::codes;
use super::de::Unknown;
use super::source::Part;
use crate::diag::{Code, Diagnostic, FieldPath, ObjectRef, Segment, Span, suggest};
use crate::hub::convert::codes::MISPLACED_MATCHES;

/// What is said of an unknown field.
pub(super) fn finding(object: &ObjectRef, part: Part, field: Unknown) -> Diagnostic {
    let Unknown { place, name, known } = field;
    let kind = &object.kind;
    let at_top = place.path.segments().len() == 1;
    let (code, message, help): (Code, _, _) = if at_top && name == "matches" && kind == "HTTPRouteGroup" {
        let help = "move it below `spec`".to_owned();
        (MISPLACED_MATCHES, "`matches` stands beside `spec`, so it has no effect".to_owned(), Some(help))
    } else {
        let help =
            suggest::closest(&name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        if restricts(kind, &place.path) {
            let message = format!(
                "{kind} has no field `{name}` here, and without it more could be allowed, so the object is left out"
            );
            (codes::UNKNOWN_RESTRICTION, message, help)
        } else {
            (codes::UNKNOWN_FIELD, format!("{kind} has no field `{name}` here, so it has no effect"), help)
        }
    };
    let span = Span { source: part.source, start: place.start, end: place.end };
    let diagnostic = Diagnostic::new(code, object, place.path, message).with_span(span);
    match help {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    }
}

/// Whether the field may have been meant for one whose absence allows more: `pathRegx`, without which any path matches.
// SPEC: S5. A mistake never widens, so such an object is left out. Law: s05_a_misspelt_restriction_never_allows. Case:
// specs/s05-misspelt-restrictions-open-nothing.
pub(super) fn restricts(kind: &str, path: &FieldPath) -> bool {
    let mut keys = path.segments().iter().map(|segment| match segment {
        Segment::Field(name) => &**name,
        Segment::Index(_) => "",
    });
    let mut next = || keys.next().unwrap_or_default();
    let first = next();
    // v1alpha1 has no `spec`.
    let top = if first == "spec" { next() } else { first };
    let within = !next().is_empty() || path.segments().iter().any(|s| matches!(s, Segment::Index(_)));
    match kind {
        "HTTPRouteGroup" => within && top == "matches",
        "TrafficTarget" => within && matches!(top, "destination" | "sources" | "rules" | "specs"),
        "IdentityBinding" => within && top == "schemes",
        // Without ports they mean every port.
        "TCPRoute" | "UDPRoute" => !matches!(first, "metadata" | "status"),
        // A split chooses among pods, which decide for themselves who may call them.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> FieldPath {
        text.split('.').fold(FieldPath::root(), |path, step| match step.parse() {
            Ok(index) => path.index(index),
            Err(_) => path.key(step),
        })
    }

    #[test]
    fn s5_what_restricts_is_told_from_what_does_not() {
        for (kind, text) in [
            ("HTTPRouteGroup", "spec.matches.0.pathRegx"),
            ("HTTPRouteGroup", "matches.3.method"),
            ("TrafficTarget", "spec.destination.port"),
            ("TrafficTarget", "destination.prot"),
            ("TrafficTarget", "spec.sources.0.namespce"),
            ("TrafficTarget", "spec.rules.1.match"),
            ("TrafficTarget", "specs.0.match"),
            ("TCPRoute", "spec.matches"),
            ("TCPRoute", "spec.matches.port"),
            ("UDPRoute", "sepc"),
            ("IdentityBinding", "spec.schemes.podLabelSelector.matchExpressions"),
            ("IdentityBinding", "spec.schemes.podLabelSelectr"),
        ] {
            assert!(restricts(kind, &path(text)), "{kind} {text}");
        }
        for (kind, text) in [
            ("HTTPRouteGroup", "spec.match"),
            ("HTTPRouteGroup", "matches"),
            ("HTTPRouteGroup", "metadata.matches.0"),
            ("TrafficTarget", "spec.rule"),
            ("TrafficTarget", "spec.specs"),
            ("TrafficTarget", "status"),
            ("TCPRoute", "status.matches"),
            ("TCPRoute", "metadata.lables"),
            ("IdentityBinding", "spec.scheme"),
            ("TrafficSplit", "spec.backends.0.wieght"),
            ("TrafficSplit", "spec.matchs"),
        ] {
            assert!(!restricts(kind, &path(text)), "{kind} {text}");
        }
    }
}

//! Patterns that also match longer names (S6).
//!
//! Shape: shortest texts that the pattern matches, one for each of its alternatives, and whether one of them goes on as no reading of the
//! pattern as a whole path, or as one with paths below it, would let it.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::{Anchor, Lowered, Pattern, compiled};

/// More texts than anybody reads, and few enough to try.
const MAX_TEXTS: usize = 64;

impl Pattern {
    /// Whether the pattern also matches longer names that only start like one it matches: `/metrics` admits `/metrics-admin`, and
    /// `/public|/static$` admits `/public-admin` (S6). Gives one such pair.
    #[must_use]
    pub fn admits_longer_sibling(&self) -> Option<(String, String)> {
        let text = match (self.anchor, &self.lowered) {
            (Anchor::Whole, _) | (_, Lowered::Any | Lowered::Exact(_)) => return None,
            (Anchor::Start, Lowered::Prefix(prefix)) if !self.text.contains(['*', '{']) => {
                return ends_open(prefix).then(|| (prefix.to_string(), longer(prefix)));
            }
            (Anchor::Start, Lowered::Prefix(_)) => &self.text,
            (Anchor::Start, Lowered::Regex(portable)) => portable,
        };
        let admitted = texts(&regex_syntax::parse(text).ok()?).into_iter().find_map(|own| {
            let own = String::from_utf8(own).ok()?;
            let sibling = longer(&own);
            let admits =
                ends_open(&own) && self.is_match(own.as_bytes()) && self.is_match(sibling.as_bytes());
            admits.then_some((own, sibling))
        })?;
        // Where it is spelt that anything follows (`/metrics.*`, `/items/[^/]+`), the sibling is one of those that are meant.
        let closed = compiled(&format!("(?:{text})(?:/.*)?"), Anchor::Whole)?;
        (!closed.is_match(admitted.1.as_bytes())).then_some(admitted)
    }
}

/// A path that ends in a separator says that it goes on.
fn ends_open(text: &str) -> bool {
    text.bytes().last().is_some_and(|b| b.is_ascii_alphanumeric())
}

fn longer(text: &str) -> String {
    format!("{text}-admin")
}

/// Shortest texts of a pattern, one for each alternative.
fn texts(hir: &Hir) -> Vec<Vec<u8>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![Vec::new()],
        HirKind::Literal(literal) => vec![literal.0.to_vec()],
        HirKind::Class(class) => member(class).into_iter().collect(),
        HirKind::Capture(capture) => texts(&capture.sub),
        HirKind::Repetition(repetition) => {
            let times = usize::try_from(repetition.min).unwrap_or(usize::MAX);
            if times == 0 { vec![Vec::new()] } else { repeated(texts(&repetition.sub), times) }
        }
        HirKind::Concat(parts) => parts.iter().map(texts).fold(vec![Vec::new()], |mut before, part| {
            before.truncate((MAX_TEXTS / part.len().max(1)).max(1));
            before.iter().flat_map(|start| part.iter().map(|end| [&**start, end].concat())).collect()
        }),
        HirKind::Alternation(parts) => parts.iter().flat_map(texts).collect(),
    }
}

fn repeated(texts: Vec<Vec<u8>>, times: usize) -> Vec<Vec<u8>> {
    texts.into_iter().map(|text| text.repeat(times)).collect()
}

/// A character of a class, a letter or digit if it has one.
fn member(class: &Class) -> Option<Vec<u8>> {
    let alphanumeric = || (b'0'..=b'z').filter(u8::is_ascii_alphanumeric);
    match class {
        Class::Unicode(class) => {
            let ranges = class.ranges();
            let has = |b: &u8| ranges.iter().any(|r| (r.start()..=r.end()).contains(&char::from(*b)));
            let found =
                alphanumeric().find(has).map(char::from).or_else(|| ranges.first().map(|r| r.start()));
            found.map(|c| c.to_string().into_bytes())
        }
        Class::Bytes(class) => {
            let ranges = class.ranges();
            let has = |b: &u8| ranges.iter().any(|r| (r.start()..=r.end()).contains(b));
            alphanumeric().find(has).or_else(|| ranges.first().map(|r| r.start())).map(|b| vec![b])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sibling(text: &str) -> Option<String> {
        Pattern::path(text).unwrap().admits_longer_sibling().map(|(own, sibling)| {
            assert_eq!(format!("{own}-admin"), sibling);
            own
        })
    }

    #[test]
    fn s6_an_open_end_is_found_in_each_alternative() {
        for (text, own) in [
            ("/metrics", "/metrics"),
            ("/metrics|/health", "/metrics"),
            ("/(metrics|health)", "/metrics"),
            ("/metrics$|/health", "/health"),
            ("/public|/static$", "/public"),
            ("/items/[0-9]+", "/items/0"),
            ("/items/[0-9]{3}", "/items/000"),
            (r"/items/\w+", "/items/0"),
            ("(?i)/metrics", "/METRICS"),
            ("/metrics/?", "/metrics"),
            ("/metrics(/.*)?", "/metrics"),
            ("/a.*/b", "/a/b"),
            ("/x%3f/a", "/x%3F/a"),
        ] {
            assert_eq!(sibling(text).as_deref().unwrap_or_default(), own, "{text}");
        }
    }

    #[test]
    fn s6_what_is_closed_or_spelt_open_is_no_finding() {
        for text in [
            "/metrics$",
            "/metrics/",
            r"/price\$",
            "/metrics.*",
            "/metrics(.*)",
            "/metrics.*?",
            "/metrics.{0,}",
            "/metrics.+",
            "/metrics.*$",
            "/",
            "",
            ".*",
            "/(a|b)$",
            "/a$|/b$",
            "/a/|/b$",
            "/a(/|$)",
            "/a(/.*)?$",
            "/a/.*|/b/.*",
            "/items/[^/]+",
            "/items/[^/]*",
            "/items/[a-z-]+",
            "/items/[0-9]+/",
            "/items/[0-9]+(/.*)?$",
            "/items/[0-9]*",
            "$.",
        ] {
            assert_eq!(sibling(text), None, "{text}");
        }
    }

    #[test]
    fn s6_many_alternatives_cost_little() {
        let text = format!("/{}x", "(ab|cd|ef)".repeat(20));
        assert!(sibling(&text).is_some());
    }
}

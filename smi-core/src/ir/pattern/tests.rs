//! What is portable, and what it means.

use super::*;
use proptest::prelude::*;

fn lowered(text: &str) -> Lowered {
    Pattern::path(text).unwrap().lowered().clone()
}

#[test]
fn s8_what_the_engines_read_differently_is_refused_with_its_place() {
    for (text, part) in [
        (r"/a(?=b)", "(?="),
        (r"/(a)\1", r"\1"),
        (r"a{1001}", "{1001}"),
        (r"(?:a{500}){3}", "{500}"),
        (r"(?x)a b", "(?x)"),
        (r"(?u)a", "(?u)"),
        (r"\bfoo\b", r"\b"),
        (r"[a-z&&[^aeiou]]", "a-z&&[^aeiou]"),
        (r"[[a]b]", "[a]"),
        (r"\pL", r"\pL"),
        (r"a**", "*"),
        (r"[\D]", r"\D"),
        (r"\u0041", r"\u0041"),
        (r"\Qa\E", r"\Q"),
        ("/[", "["),
        (r"(?R)a", "(?R)"),
        (r"a{ 2}", "{ 2}"),
        (r"a{2, 3}", "{2, 3}"),
        (r"(?P<a.b>x)", "a.b"),
        (r"(?<é>x)", "é"),
    ] {
        let fault = Pattern::path(text).expect_err(text);
        let place = text.get(fault.span.clone()).unwrap();
        assert!(place.contains(part) || part.contains(place), "{text}: {fault:?}");
        assert!(!fault.message.contains('\n'), "{text}: {fault:?}");
    }
}

#[test]
fn s8_patterns_that_unfold_too_far_are_refused() {
    let text = "(?:abcdefghijk){999}";
    assert!(Pattern::path(text).unwrap_err().message.contains("too large"));
    // A class is as large as what it lists.
    let class = "acegikmoqsuwy".repeat(10);
    assert!(Pattern::path(&format!("[{class}]{{1000}}")).unwrap_err().message.contains("too large"));
    assert!(Pattern::path(&format!("[{class}]{{10}}")).is_ok());
    assert!(Pattern::value("(?:😀😀😀😀😀😀😀😀😀😀){999}").is_err(), "Envoy counts 39962");
    assert!(
        Pattern::path("(?:[[:punct:]][[:alnum:]][[:punct:]][[:punct:]][[:punct:]][[:punct:]]){999}").is_err()
    );
    assert!(Pattern::path(r"(?:\W\W\W\W\W\W){999}").is_err());
    // Whatever passes can be compiled.
    assert!(Pattern::path("(?:[a-z]_.[^/]abcde){999}").is_ok_and(|p| !p.is_match(b"x")));
    assert!(compiled("(?:[a-z]_.[^/]abcde){999}", Anchor::Start).is_some());
}

#[test]
fn s8_characters_outside_ascii_are_bytes_to_envoy() {
    for text in ["[é]", "[à-ö]", "é?", "é+", "(?i)é", "(?i:x)é", r"\x{e9}", r"\xe9", r"\x{212a}"] {
        assert!(Pattern::value(text).is_err(), "{text}");
    }
    for text in ["é", "München|Köln", "(?:é)+", "a?é"] {
        assert!(Pattern::value(text).is_ok(), "{text}");
    }
    let fault = Pattern::path("/café$").unwrap_err();
    assert_eq!((fault.span, fault.help.as_deref()), (4..6, Some("write `%C3%A9`")));
}

#[test]
fn s8_header_patterns_mean_the_same_of_bytes_and_of_characters() {
    let spelt = |text: &str| {
        let pattern = Pattern::value(text).unwrap();
        let Lowered::Regex(text) = pattern.lowered() else { panic!("{:?}", pattern.lowered()) };
        text.to_string()
    };
    // Repeated without end there is no difference; otherwise a character of two bytes is one to Go and two to Envoy.
    assert_eq!(spelt("[^,]+"), "[^,]+");
    assert_eq!(spelt("a.*b"), "a.*b");
    assert_eq!(spelt("a.b"), r"a[\x00-\x09\x0b-\x7f]b");
    assert_eq!(spelt("[^0-9a-z].*"), r"[\x00-\x2f\x3a-\x60\x7b-\x7f][^\x0a]*");
    assert_eq!(spelt("(?s).{2}x|(?:.*y)"), r"[\x00-\x7f]{2,2}x|[^\n]*y");
    assert_eq!(spelt("(?i)k9"), "[Kk]9");
    assert!(
        !Pattern::value("(?i)k").unwrap().is_match("\u{212a}".as_bytes()),
        "the Kelvin sign is no `k` to Envoy"
    );
    assert!(!Pattern::value("a.b").unwrap().is_match("aéb".as_bytes()));
    assert!(Pattern::value("a.*b").unwrap().is_match("aéb".as_bytes()));
    assert!(Pattern::value("a.b").unwrap().is_match(b"a-b"));
}

#[test]
fn s8_classes_are_ascii() {
    let pattern = Pattern::value(r"\d+[\w]\s").unwrap();
    assert!(pattern.is_match(b"12a "));
    assert!(!pattern.is_match("٣a ".as_bytes()), "an Arabic digit is no digit in RE2 and Go");
    assert!(!pattern.is_match("1é ".as_bytes()));
}

#[test]
fn s8_patterns_are_lowered_as_languages() {
    assert_eq!(lowered("/api"), Lowered::Prefix("/api".into()));
    assert_eq!(lowered("^/api.*"), Lowered::Prefix("/api".into()));
    assert_eq!(lowered("/api/(.*)$"), Lowered::Prefix("/api/".into()));
    assert_eq!(lowered("^/api$"), Lowered::Exact("/api".into()));
    assert_eq!(lowered(".*"), Lowered::Any);
    assert_eq!(lowered(""), Lowered::Any);
    assert_eq!(lowered(r"/v1\.0"), Lowered::Prefix("/v1.0".into()));
    assert!(matches!(lowered("/a|/b"), Lowered::Regex(_)));
    assert!(matches!(lowered("(?i)/a"), Lowered::Regex(_)));
    assert!(matches!(lowered("/a.*b"), Lowered::Regex(_)));
    assert_eq!(*Pattern::value("blue").unwrap().lowered(), Lowered::Exact("blue".into()));
    assert_eq!(*Pattern::value("blue.*").unwrap().lowered(), Lowered::Prefix("blue".into()));
    assert_eq!(*Pattern::value(".*").unwrap().lowered(), Lowered::Any);
}

#[test]
fn s6_paths_are_anchored_at_the_start_only() {
    let pattern = Pattern::path("/a|/b").unwrap();
    assert!(pattern.is_match(b"/bx"));
    assert!(!pattern.is_match(b"/x/a"));
}

#[test]
fn s7_values_are_matched_as_a_whole() {
    let pattern = Pattern::value("a|ab").unwrap();
    assert!(pattern.is_match(b"ab"), "an engine that stops at the first alternative would miss it");
    assert!(!pattern.is_match(b"abc"));
}

#[test]
fn s9_escapes_match_in_either_case() {
    let pattern = Pattern::path("/x%3fy%2Az").unwrap();
    assert!(pattern.is_match(b"/x%3Fy%2az"));
    assert!(!pattern.is_match(b"/x%3Ey%2az"));
    assert!(pattern.is_match(b"/x%3fy%2Az"));
}

proptest! {
    /// Of ASCII, header patterns that are spelt anew mean what was written.
    #[test]
    fn s8_spelling_keeps_the_language(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "a", "K", "k|s", "(a|b)", "(?:a|b)*", ".", ".*", ".{2}", "[^a]", "[^a]+", "[a-c]", r"\W", r"\d?", "|", "(?i)",
                "(?i:k)", "(?i:[^k])", "(?s:.)", "(?m:^)", "$", "(?:.|a)*", "(?:a.)*", "[[:^alpha:]]{1,2}", r"\-", "#",
            ]),
            0..6,
        ),
        value in "[abkKs#\\-1 ]{0,5}",
    ) {
        let text: String = parts.concat();
        if let Ok(pattern) = Pattern::value(&text) {
            let written = compiled(&text, Anchor::Whole).unwrap().is_match(value.as_bytes());
            prop_assert_eq!(pattern.is_match(value.as_bytes()), written, "{}: {:?}", text, pattern.lowered());
        }
    }

    /// The plain forms say what the regular expression says.
    #[test]
    fn s8_lowering_keeps_the_language(text in "(\\^)?[/ab.]{0,5}(\\(\\.\\*\\)|\\.\\*|\\$|[ab]\\*|\\|a)?(\\$)?", value in "[/ab.]{0,7}", whole in any::<bool>()) {
        let pattern = if whole { Pattern::value(&text) } else { Pattern::path(&text) };
        if let Ok(pattern) = pattern {
            let by_regex = compiled(&text, pattern.anchor()).unwrap().is_match(value.as_bytes());
            prop_assert_eq!(pattern.is_match(value.as_bytes()), by_regex, "{:?}", pattern.lowered());
        }
    }

    /// What is called a choice has no plain form.
    #[test]
    fn s8_a_choice_is_never_plainer(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "a", "/b", "(a)?", "()?", "a?", "(?:^)?", "[ab]+", "[a]+", "[^a]+?", ".*", "(.*)", "$", "^", "a*", "[a]", "(a|b)", "a{1}",
            ]),
            0..5,
        ),
        whole in any::<bool>(),
    ) {
        let text: String = parts.concat();
        let anchor = if whole { Anchor::Whole } else { Anchor::Start };
        if let Ok((portable, Some(tree))) = portable::check(&text, anchor)
            && lower::is_choice(&tree)
        {
            let plain = lower::lower(&portable, anchor);
            prop_assert!(matches!(plain, Lowered::Regex(_)), "{}: {:?}", text, plain);
        }
    }

    /// No text makes the check fail otherwise than with a fault inside the text.
    #[test]
    fn s8_any_text_is_judged(text in "\\PC{0,20}") {
        if let Err(fault) = Pattern::path(&text) {
            prop_assert!(fault.span.end <= text.len());
        }
    }
}

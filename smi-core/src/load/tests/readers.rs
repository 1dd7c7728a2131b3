//! The fast readers agree with the complete parser.

use super::service;
use crate::load::{Limits, block, de, json, yaml};

/// Lines of manifests, simple and odd ones, at any indentation.
fn lines() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let content = prop::sample::select(vec![
        "a: 1",
        "b: x y",
        "c:",
        "d: ",
        "- e",
        "- f: 1",
        "-",
        "- ",
        "- - g",
        "-   h: 2",
        "i: [1, b, 'c']",
        "j: {k: 1, \"l\": [m]}",
        "n: []",
        "o: {}",
        "p: 'q r'",
        "q: \"s\"",
        "'r': 1",
        "\"t\": u # v",
        "# w",
        "x: y # z",
        "y: a:b",
        "z: a: b",
        "aa: b #c",
        "bb: #d",
        "cc: 'it''s'",
        "dd: \"e\\n\"",
        "ee: |",
        "ff: >-",
        "gg: &h i",
        "ii: *h",
        "jj: !k l",
        "null: 1",
        "on: 1",
        "014: 1",
        "kk: -1",
        "ll: - 1",
        "mm: ~",
        "<<: {}",
        "nn: [a b]",
        "oo: [a,b]",
        "pp: {a}",
        "qq: [",
        "]",
        "rr: {a: }",
        "ss: [a, ]",
        "text",
        "tt : 1",
        "uu: \"v\" w",
        "---",
        "...",
        "--- a",
        "vv: %w",
        "ww: @x",
        "xx: `y`",
        "yy: ?",
        "zz: , ",
        "é: 1",
        "\tt: 1",
        "a.b/c-d: e",
        "-a: 1",
        "?: 1",
        "ab: 'c' # d",
        "ac: [a]# b",
        "ad: {a: b} # c",
        "ae: a#b",
        "af: :b",
        "ag: (x)",
        "ah: +1",
        "ai: .5",
        "aj: a\u{7f}",
        "ak: [-1]",
        "al: [a: b]",
    ]);
    prop::collection::vec((0_usize..7, content), 1..10).prop_map(|lines| {
        lines.iter().map(|(indent, line)| format!("{}{line}\n", " ".repeat(*indent))).collect()
    })
}

/// Manifests of simple lines whose indentation mostly fits.
fn tidy() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let line = prop::sample::select(vec![
        "k#:",
        "k#:",
        "k#:",
        "- k#: v",
        "- k#: v",
        "- k#:",
        "- s",
        "k#: v",
        "k#: [a, {b: c}]",
        "k#: {}",
        "k#: 'x' # y",
        "# c",
        "",
        "- [a]",
        "-",
        "k#: a b: c",
        "k#: x\u{20}\u{20}",
    ]);
    let step = prop::sample::select(vec![0_isize, 0, 0, 2, 2, -2, -2, -4, 1, -6]);
    prop::collection::vec((step, line), 1..14).prop_map(|lines| {
        let mut indent = 0_usize;
        let mut text = String::new();
        for (i, (step, line)) in lines.iter().enumerate() {
            if i > 0 {
                indent = indent.saturating_add_signed(*step);
            }
            text += &format!("{}{}\n", " ".repeat(indent), line.replace('#', &i.to_string()));
        }
        text
    })
}

/// Whether the fast reader took it.
fn agree(text: &str) -> bool {
    let limits = Limits::default();
    let Some(fast) = block::parse(text, 7, &limits) else { return false };
    assert_eq!(Ok(vec![fast]), yaml::parse_all(text, 7, &limits), "{text}");
    true
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    #[test]
    fn the_fast_reader_agrees(text in lines()) {
        agree(&text);
    }

    #[test]
    fn the_fast_reader_agrees_on_tidy_text(text in tidy()) {
        agree(&text);
        agree(text.trim_end());
    }
}

#[test]
fn the_fast_reader_reads_what_manifests_are_made_of() {
    for text in [
        service("web"),
        format!("--- # first\n{}", service("web").replace("spec:", "\n# c\nspec:")),
        "a:\n- b: 1\n  c:\n  - d\n  - e: {f: [g, 'h i']}\ni:\n  - j\nk:\nl: 'x'".to_owned(),
        "a:\n  - b: 1\n    c:\n      d: e\n  -\n    f: \"g\"\n".to_owned(),
    ] {
        assert!(agree(&text), "{text}");
    }
}

/// JSON values, with odd strings and numbers.
fn json_values() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
    use proptest::prelude::*;
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~\n\té\u{4e2d}😀\\\\\"]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[ -~é\n]{0,6}", inner, 0..6)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn json_is_yaml(value in json_values(), pretty in proptest::prelude::any::<bool>(), broken in "[ -~]?", at in proptest::prelude::any::<proptest::sample::Index>()) {
        let value = serde_json::json!({ "v": value });
        let mut text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let limits = Limits::default();
        let tree = json::parse(&text, 3, &limits).expect("this is JSON");
        assert_eq!(Ok(&tree), yaml::parse_all(&text, 3, &limits).as_ref());
        let (read, _) = de::decode(&tree[0], |d| <serde_json::Value as serde::Deserialize>::deserialize(d));
        assert_eq!(read.unwrap().to_string(), value.to_string());
        // Spoilt text is refused or read alike.
        let at = at.index(text.len());
        if text.is_char_boundary(at) {
            text.insert_str(at, &broken);
            if let (Some(json), Ok(yaml)) = (json::parse(&text, 0, &limits), yaml::parse_all(&text, 0, &limits)) {
                assert_eq!(json, yaml);
            }
            assert_eq!(json::parse(&text, 0, &limits).is_some(), serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{text}");
        }
    }
}

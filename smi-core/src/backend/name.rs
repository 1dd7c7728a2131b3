//! Collision-free names for generated objects.
//!
//! Invariant: [`join`] is injective: parts that differ anywhere give names that differ.

/// Joins parts with `~`, which no Kubernetes name contains; `~` and `%` inside a part are escaped.
#[must_use]
pub fn join(parts: &[&str]) -> String {
    let mut out = String::with_capacity(parts.iter().map(|p| p.len() + 1).sum());
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push('~');
        }
        for c in part.chars() {
            match c {
                '~' => out.push_str("%7E"),
                '%' => out.push_str("%25"),
                other => out.push(other),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::join;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn distinct_parts_give_distinct_names(a in proptest::collection::vec("[a~%b-]{0,3}", 1..4), b in proptest::collection::vec("[a~%b-]{0,3}", 1..4)) {
            let name = |v: &[String]| join(&v.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(a == b, name(&a) == name(&b));
        }
    }
}

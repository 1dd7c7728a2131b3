//! Names that were probably meant.

/// Longer names than Kubernetes has are not compared, as cost grows with the product of lengths.
const LONG: usize = 253;

/// More names than this are not looked at: an input may have as many wrong names as right ones.
const MANY: usize = 1000;

/// The known name nearest to a wanted one, if it is near enough to be worth saying: at most a third of its letters differ. Letter case
/// counts less than a letter. Of equally near names the first in the given order is taken; if none is near, the first that begins like the
/// wanted one (`match`, `matches`).
#[must_use]
pub fn closest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if wanted.len() > LONG {
        return None;
    }
    let known: Vec<&str> = known.filter(|name| *name != wanted && name.len() <= LONG).take(MANY).collect();
    let letters = wanted.chars().count().max(1);
    // In halves, so that a difference in case is half a letter.
    let limit = (2 * letters / 3).max(2);
    let near = known
        .iter()
        .copied()
        .filter(|name| name.chars().count().abs_diff(letters) * 2 <= limit)
        .map(|name| (distance(wanted, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name);
    let begins = |long: &str, short: &str| short.len() >= 3 && long.starts_with(short);
    near.or_else(|| known.into_iter().find(|name| begins(name, wanted) || begins(wanted, name)))
}

/// Optimal string alignment distance in half letters: insert, delete, replace and swap of neighbours cost 2, change of case costs 1.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).map(|j| 2 * j).collect();
    let mut previous_a = None;
    for (i, ca) in a.chars().enumerate() {
        let mut row = vec![2 * (i + 1)];
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let replace = if ca == *cb {
                0
            } else if ca.eq_ignore_ascii_case(cb) {
                1
            } else {
                2
            };
            let mut best = (at(&last, j) + replace).min(at(&last, j + 1) + 2).min(at(&row, j) + 2);
            let swapped = j > 0 && previous_a == Some(*cb) && b.get(j - 1) == Some(&ca);
            if swapped {
                best = best.min(at(&before_last, j - 1) + 2);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
        previous_a = Some(ca);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let known = ["backends", "service", "matches", "weight"];
        let closest = |wanted| closest(wanted, known.into_iter());
        assert_eq!(closest("backend"), Some("backends"));
        assert_eq!(closest("wieght"), Some("weight"));
        assert_eq!(closest("Service"), Some("service"));
        assert_eq!(closest("SERVICE"), None);
        assert_eq!(closest("match"), Some("matches"));
        assert_eq!(closest("serviceName"), Some("service"));
        assert_eq!(closest("we"), None);
        assert_eq!(closest("ports"), None);
        assert_eq!(closest("service"), None);
    }

    #[test]
    fn short_names_allow_one_letter() {
        assert_eq!(closest("ab", ["ac", "xy"].into_iter()), Some("ac"));
        assert_eq!(closest("", ["a"].into_iter()), Some("a"));
    }
}

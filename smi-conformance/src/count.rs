//! Whether counts fit shares.
//!
//! Rotation: the count over full cycles is exact from a fresh start; where the rotation stands when counting begins, after other
//! requests, can move one request per level of weights over the edge. Cycles too long to count are held to a normal bound.
//! Random: Chernoff's bound on the tail of the binomial distribution, `P(X/n is as far as q) ≤ exp(-n·KL(q‖p))`, which holds for every
//! n and p. A count that would be seen once in a thousand is suspicious and is taken again with many more requests; one that would be
//! seen less than once in 10^10 is a difference.

use smi_core::eval::Decision;

use crate::observe::Class;
use crate::subject::Counting;

/// Requests sent at most to count a rotation.
const MOST: u64 = 240;
/// Requests of the first and of the second count of a random split.
const FIRST: u64 = 60;
const SECOND: u64 = 4000;

/// What a count says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It fits.
    Fits,
    /// It may be chance; count this often before you say so.
    Again(u64),
    /// It does not fit.
    Differs,
}

/// How often to ask at first.
#[must_use]
pub fn times(counting: Counting, decision: &Decision, classes: usize) -> u64 {
    match (classes, counting) {
        (0 | 1, _) => 1,
        (_, Counting::Rotation) => cycle(decision).saturating_mul(3).min(MOST),
        (_, Counting::Random) => FIRST,
    }
}

/// Judges the counts of all classes.
#[must_use]
pub fn judge(counting: Counting, decision: &Decision, classes: &[Class], counts: &[u64]) -> Judgement {
    let total: u64 = counts.iter().sum();
    let mut worst = Judgement::Fits;
    for (class, count) in classes.iter().zip(counts) {
        let share = class.share.as_f64();
        let one = match counting {
            Counting::Rotation => {
                let exact = cycle(decision).saturating_mul(3) <= MOST;
                let wanted = share * total as f64;
                let bound = if exact { 2.0 + 1e-6 } else { 4.5 * (wanted * (1.0 - share)).sqrt() + 2.0 };
                if (wanted - *count as f64).abs() > bound { Judgement::Differs } else { Judgement::Fits }
            }
            Counting::Random => {
                let far = total as f64 * divergence(*count as f64 / total.max(1) as f64, share);
                if far > 23.0 && total >= SECOND {
                    Judgement::Differs
                } else if far > 7.0 && total < SECOND {
                    Judgement::Again(SECOND)
                } else {
                    Judgement::Fits
                }
            }
        };
        match one {
            Judgement::Differs => return Judgement::Differs,
            Judgement::Again(_) => worst = one,
            Judgement::Fits => {}
        }
    }
    worst
}

/// Kullback–Leibler divergence of two coins.
fn divergence(q: f64, p: f64) -> f64 {
    let part = |q: f64, p: f64| if q <= 0.0 { 0.0 } else { q * (q / p).ln() };
    part(q, p) + part(1.0 - q, 1.0 - p)
}

/// How many requests make a full cycle of weights within weights.
fn cycle(decision: &Decision) -> u64 {
    let Decision::Routed(routed) = decision else { return 1 };
    let total: u64 = routed.legs.iter().map(|l| u64::from(l.weight)).sum();
    let inner = routed.legs.iter().map(|leg| {
        if leg.ends.len() > 1 { leg.ends.iter().map(|e| u64::from(e.endpoints)).sum() } else { 1 }
    });
    total.saturating_mul(inner.fold(1, lcm))
}

fn lcm(a: u64, b: u64) -> u64 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x.max(1)).saturating_mul(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use smi_core::eval::{Refusal, Share};

    fn class(numerator: u64, denominator: u64) -> Class {
        Class { pods: [].into(), outcomes: [].into(), share: Share::new(numerator, denominator) }
    }

    #[test]
    fn chance_is_told_from_a_difference() {
        let decision = Decision::Refused(Refusal::UnknownHost);
        let halves = [class(1, 2), class(1, 2)];
        let judged = |counts: &[u64]| judge(Counting::Random, &decision, &halves, counts);
        assert_eq!(judged(&[32, 28]), Judgement::Fits);
        assert_eq!(judged(&[55, 5]), Judgement::Again(SECOND));
        assert_eq!(judged(&[2050, 1950]), Judgement::Fits);
        assert_eq!(judged(&[2300, 1700]), Judgement::Differs);
        assert_eq!(judged(&[60, 0]), Judgement::Again(SECOND));
        assert_eq!(judged(&[4000, 0]), Judgement::Differs);
        let ends = [class(1, 100), class(99, 100)];
        assert_eq!(judge(Counting::Random, &decision, &ends, &[0, 60]), Judgement::Fits);
        assert_eq!(judge(Counting::Random, &decision, &ends, &[0, 4000]), Judgement::Differs);
    }
}

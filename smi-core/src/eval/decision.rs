//! Decisions, with their reasons, and what of them can be observed.

use std::collections::BTreeMap;
use std::fmt;

use crate::hub::names::{Namespaced, Port};
use crate::ir::{Origin, PoolKey, WorkloadId};

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is refused before routing.
    Refused(Refusal),
    /// It is routed.
    Routed(Routed),
}

/// Why a request is refused before routing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the request target cannot be made canonical (S9).
    BadTarget(super::path::BadTarget),
    /// 404: the host names no service of that listener (S37).
    UnknownHost,
    /// No such port, or it speaks another protocol: nothing listens for it.
    NoListener,
}

/// A routed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The root service.
    pub service: Namespaced,
    /// Its port.
    pub port: Port,
    /// The canonical path, of HTTP requests.
    pub path: Option<String>,
    /// Place of the route among the port's routes.
    pub route: usize,
    /// Place of the match that chose it, of conditional routes.
    pub matched: Option<usize>,
    /// The TrafficSplit or the Service.
    pub origin: Origin,
    /// One per target with a positive weight.
    pub legs: Vec<Leg>,
}

/// One target's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Whose endpoints.
    pub pool: PoolKey,
    /// Weight of the target, positive.
    pub weight: u32,
    /// The backend in the TrafficSplit, or the Service.
    pub origin: Origin,
    /// What happens there, by the kind of pod that is reached; empty: no ready endpoint, the share fails (S20).
    pub ends: Vec<End>,
    /// Whether `ends` are of pod templates, not of endpoints.
    pub assumed: bool,
}

/// What happens at pods that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How many of the leg's ready endpoints are alike.
    pub endpoints: u32,
    /// The pods' workload; `None` for endpoints of no known pod.
    pub workload: Option<WorkloadId>,
    /// Pod port.
    pub port: Port,
    /// Allowed or not, and why.
    pub verdict: Verdict,
}

/// Whether a call is allowed at a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Allowed(AllowedBy),
    /// It is refused: 403, closed, or dropped (S31).
    Denied(Denial),
    /// It passes, as the mode is permissive, and is counted (S21).
    WouldDeny(Denial),
}

/// What allows a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedBy {
    /// A TrafficTarget; the first of several by name.
    Grant {
        /// Its name.
        target: Namespaced,
        /// The source entry that is the caller.
        source: Origin,
        /// The HTTP match, or the rules that grant the port.
        rules: Vec<Origin>,
    },
    /// A probe of the kubelet (S32).
    Probe,
}

/// Why no grant allows a call: how far the best of them came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The endpoint is no known pod's.
    UnknownPod,
    /// No TrafficTarget has this workload as destination.
    NoGrants,
    /// The caller is nobody that policy can name.
    UnknownCaller,
    /// TrafficTargets exist, none names the caller as source.
    NotASource(Vec<Namespaced>),
    /// These name the caller, and grant other ports, requests or protocols.
    NotGranted(Vec<Namespaced>),
}

/// What can be observed from outside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// 400.
    BadRequest,
    /// 404; TCP and UDP: nothing listens.
    NotFound,
    /// 403; TCP: closed before the first byte; UDP: silence.
    Forbidden,
    /// 503; TCP: closed; UDP: silence.
    Unavailable,
    /// A pod answers: of which pool and which workload.
    Served(PoolKey, Option<WorkloadId>),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest => f.write_str("bad request"),
            Self::NotFound => f.write_str("not found"),
            Self::Forbidden => f.write_str("forbidden"),
            Self::Unavailable => f.write_str("unavailable"),
            Self::Served(pool, Some(workload)) => write!(f, "{pool} at {workload}"),
            Self::Served(pool, None) => write!(f, "{pool}"),
        }
    }
}

/// An exact fraction in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share {
    numerator: u128,
    denominator: u128,
}

impl Share {
    /// All of it.
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator / denominator`; nothing when the denominator is 0.
    #[must_use]
    pub fn new(numerator: u64, denominator: u64) -> Self {
        Self::reduced(u128::from(numerator), u128::from(denominator))
    }

    fn reduced(numerator: u128, denominator: u128) -> Self {
        if numerator == 0 || denominator == 0 {
            return Self { numerator: 0, denominator: 1 };
        }
        let (mut a, mut b) = (numerator, denominator);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self { numerator: numerator / a, denominator: denominator / a }
    }

    /// Product of two fractions.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        // Reducing crosswise first keeps the factors far below 2^128: each is at most a weight or a count.
        let a = Self::reduced(self.numerator, other.denominator);
        let b = Self::reduced(other.numerator, self.denominator);
        Self::reduced(a.numerator.saturating_mul(b.numerator), a.denominator.saturating_mul(b.denominator))
    }

    /// Sum of two fractions.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let left = self.numerator.saturating_mul(other.denominator);
        let right = other.numerator.saturating_mul(self.denominator);
        Self::reduced(left.saturating_add(right), self.denominator.saturating_mul(other.denominator))
    }

    /// Numerator in lowest terms.
    #[must_use]
    pub const fn numerator(self) -> u128 {
        self.numerator
    }

    /// Denominator in lowest terms.
    #[must_use]
    pub const fn denominator(self) -> u128 {
        self.denominator
    }

    /// As a floating point number, for printing and statistics.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for people and statistics only")]
    pub fn as_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

/// Outcomes with their probabilities, which add up to one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution(BTreeMap<Outcome, Share>);

impl Distribution {
    /// One outcome for certain.
    #[must_use]
    pub fn certain(outcome: Outcome) -> Self {
        Self(BTreeMap::from([(outcome, Share::ONE)]))
    }

    /// Adds a share to an outcome; an empty share changes nothing.
    pub fn add(&mut self, outcome: Outcome, share: Share) {
        if share.numerator() > 0 {
            self.0.entry(outcome).and_modify(|s| *s = s.plus(share)).or_insert(share);
        }
    }

    /// Outcomes and shares, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Outcome, Share)> {
        self.0.iter().map(|(o, s)| (o, *s))
    }

    /// Share of an outcome.
    #[must_use]
    pub fn share(&self, outcome: &Outcome) -> Share {
        self.0.get(outcome).copied().unwrap_or(Share::new(0, 1))
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (outcome, share)) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{share} {outcome}")?;
        }
        Ok(())
    }
}

impl Decision {
    /// What can be observed.
    #[must_use]
    pub fn distribution(&self) -> Distribution {
        let routed = match self {
            Self::Refused(Refusal::BadTarget(_)) => return Distribution::certain(Outcome::BadRequest),
            Self::Refused(Refusal::UnknownHost | Refusal::NoListener) => {
                return Distribution::certain(Outcome::NotFound);
            }
            Self::Routed(routed) => routed,
        };
        let total: u64 = routed.legs.iter().map(|l| u64::from(l.weight)).sum();
        let mut out = Distribution::default();
        for leg in &routed.legs {
            let share = Share::new(u64::from(leg.weight), total);
            let endpoints: u64 = leg.ends.iter().map(|e| u64::from(e.endpoints)).sum();
            if endpoints == 0 {
                out.add(Outcome::Unavailable, share);
            }
            for end in &leg.ends {
                let outcome = match end.verdict {
                    Verdict::Allowed(_) | Verdict::WouldDeny(_) => {
                        Outcome::Served(leg.pool.clone(), end.workload.clone())
                    }
                    Verdict::Denied(_) => Outcome::Forbidden,
                };
                out.add(outcome, share.times(Share::new(u64::from(end.endpoints), endpoints)));
            }
        }
        out
    }
}

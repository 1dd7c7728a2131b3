//! What can be seen of a decision from outside.
//!
//! Shape: [`seen`] forgets what nobody can tell apart; [`classes`] joins outcomes that share a pod; an [`Observation`] is one answer.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use smi_core::eval::{Distribution, Outcome, Payload, Request, Share};
use smi_core::ir::Ir;

/// What a caller sees.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observation {
    /// A pod answered; for HTTP with the request target that it received.
    Served(SocketAddr, Option<String>),
    /// A status of the proxy's own.
    Status(u16),
    /// The connection was closed without a byte.
    Closed,
    /// Nothing happened in time.
    Silence,
    /// The pod switched protocols and answers on the bare connection, past the proxy's policy.
    Tunnel(SocketAddr),
}

/// A connection that is closed looks the same whatever closed it, and so does silence.
#[must_use]
pub fn seen(request: &Request, distribution: &Distribution) -> Distribution {
    let mut out = Distribution::default();
    for (outcome, share) in distribution.iter() {
        let closed = !matches!(request.payload, Payload::Http(_)) && !matches!(outcome, Outcome::Served(..));
        out.add(if closed { Outcome::Unavailable } else { outcome.clone() }, share);
    }
    out
}

/// Whether `less` serves nobody more often than `more` does.
#[must_use]
pub fn never_more(less: &Distribution, more: &Distribution) -> bool {
    less.iter().all(|(outcome, share)| match outcome {
        Outcome::Served(..) => share.as_f64() <= more.share(outcome).as_f64(),
        Outcome::BadRequest | Outcome::NotFound | Outcome::Forbidden | Outcome::Unavailable => true,
    })
}

/// Outcomes that look the same from outside, with their share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Pods that may answer.
    pub pods: BTreeSet<SocketAddr>,
    /// The outcomes.
    pub outcomes: BTreeSet<Outcome>,
    /// Their share.
    pub share: Share,
}

impl Class {
    /// Whether an observation is of this class.
    #[must_use]
    pub fn holds(&self, request: &Request, observation: &Observation) -> bool {
        match (observation, &request.payload) {
            (Observation::Served(at, _), _) => self.pods.contains(at),
            (Observation::Status(400), _) => self.outcomes.contains(&Outcome::BadRequest),
            (Observation::Status(403), _) => self.outcomes.contains(&Outcome::Forbidden),
            (Observation::Status(404), _) => self.outcomes.contains(&Outcome::NotFound),
            (Observation::Status(503), _)
            | (Observation::Closed, Payload::Http(_) | Payload::Tcp { .. })
            | (Observation::Silence, Payload::Udp { .. }) => self.outcomes.contains(&Outcome::Unavailable),
            (
                Observation::Status(_) | Observation::Closed | Observation::Silence | Observation::Tunnel(_),
                _,
            ) => false,
        }
    }
}

/// Outcomes that share a pod cannot be told apart.
#[must_use]
pub fn classes(ir: &Ir, expected: &Distribution) -> Vec<Class> {
    let mut out: Vec<Class> = Vec::new();
    for (outcome, share) in expected.iter() {
        let pods: BTreeSet<SocketAddr> = match outcome {
            Outcome::Served(pool, workload) => {
                let endpoints = ir.pools.get(pool).into_iter().flat_map(|p| p.ready());
                endpoints.filter(|e| e.workload == *workload).map(|e| e.socket()).collect()
            }
            Outcome::BadRequest | Outcome::NotFound | Outcome::Forbidden | Outcome::Unavailable => {
                BTreeSet::new()
            }
        };
        let mut class = Class { pods, outcomes: BTreeSet::from([outcome.clone()]), share };
        while let Some(place) = out.iter().position(|c| !c.pods.is_disjoint(&class.pods)) {
            let other = out.remove(place);
            class.pods.extend(other.pods);
            class.outcomes.extend(other.outcomes);
            class.share = class.share.plus(other.share);
        }
        out.push(class);
    }
    out
}

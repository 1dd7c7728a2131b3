//! What a campaign counted.

use std::collections::BTreeMap;

use smi_core::backend::Feature;
use smi_core::eval::{Decision, Outcome, Payload, Request};

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The counts.
    pub counts: BTreeMap<String, u64>,
    /// Differences that nothing declares.
    pub differences: Vec<String>,
}

impl Tally {
    /// One more.
    pub fn count(&mut self, name: &str) {
        self.add(name, 1);
    }

    /// So many more.
    pub fn add(&mut self, name: &str, count: u64) {
        *self.counts.entry(name.to_owned()).or_default() += count;
    }

    /// How many.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn lacking(&mut self, feature: Option<Feature>) {
        if let Some(feature) = feature {
            let name = serde_json::to_value(feature).ok().and_then(|v| v.as_str().map(str::to_owned));
            self.count(&format!("declared: lacks {}", name.unwrap_or_default()));
        }
    }

    /// Counts what a request is and what becomes of it.
    pub fn request(&mut self, request: &Request, decision: &Decision) {
        self.count(match request.payload {
            Payload::Http(_) => "http",
            Payload::Tcp { .. } => "tcp",
            Payload::Udp { .. } => "udp",
        });
        let distribution = decision.distribution();
        if distribution.iter().count() > 1 {
            self.count("split");
        }
        for (outcome, _) in distribution.iter() {
            self.count(match outcome {
                Outcome::Served(..) => "served",
                Outcome::Forbidden => "forbidden",
                Outcome::Unavailable => "unavailable",
                Outcome::NotFound => "not found",
                Outcome::BadRequest => "bad request",
            });
        }
    }
}

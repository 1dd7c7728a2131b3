//! The executable meaning of the IR: route, choose a target, authorise at the target's pods (S30).
//!
//! Shape: [`eval`] gives the whole distribution over targets with reasons, not a random pick; [`Decision::distribution`] reduces it
//! to what can be observed from outside, which is what every backend is compared with ([`Decide`]).
//! Plain on purpose: this is the reference, meant to be read in one sitting.
//! Absent: retries, limits, timeouts and mirroring (S34), which do not change where a request may go.

mod decision;
pub mod host;
mod inbound;
mod outbound;
pub mod path;
mod request;
mod view;

pub use decision::{
    AllowedBy, Decision, Denial, Distribution, End, Leg, Outcome, Refusal, Routed, Share, Verdict,
};
pub use request::{Caller, HttpRequest, Payload, Request};

use crate::ir::Ir;

/// What is believed of pools that have no endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assume {
    /// What the input says: they answer 503 (S20).
    #[default]
    Nothing,
    /// Pods exist and are ready as the pod templates in the input say; for manifests that were not applied yet.
    TemplatesReady,
}

/// Decides a request.
#[must_use]
pub fn eval(ir: &Ir, request: &Request) -> Decision {
    eval_assuming(ir, request, Assume::Nothing)
}

/// Decides a request, with a belief about pools without endpoints.
#[must_use]
pub fn eval_assuming(ir: &Ir, request: &Request, assume: Assume) -> Decision {
    outbound::decide(ir, request, assume, Knows::Mesh)
}

/// Decides a request that an application sends to its own sidecar, where services have their cluster names, too (S37). A bare one is of the
/// namespace of the pod that calls.
#[must_use]
pub fn eval_in_sidecar(ir: &Ir, request: &Request, assume: Assume) -> Decision {
    outbound::decide(ir, request, assume, Knows::Cluster)
}

/// Which names of services the proxy that is asked knows (S37).
#[derive(Clone, Copy)]
enum Knows {
    /// A node proxy: those of the mesh.
    Mesh,
    /// A sidecar: those of the cluster, too.
    Cluster,
}

/// Something that decides requests: the reference, a simulator of a proxy's configuration, or a running proxy.
pub trait Decide {
    /// What can be observed, with its probability.
    fn decide(&self, request: &Request) -> Distribution;
}

impl Decide for Ir {
    fn decide(&self, request: &Request) -> Distribution {
        eval(self, request).distribution()
    }
}

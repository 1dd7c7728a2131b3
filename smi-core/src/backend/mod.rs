//! What a backend is: a pure function from the IR and a proxy's place to that proxy's configuration.
//!
//! Shape: [`Backend::render`] returns output *and* a report; a backend never renders a weaker policy in silence. What it cannot
//! express it declares as [`Capabilities`], and [`losses`] compares the IR with them before anything is rendered.
//! Source: the vector of capabilities and the words for losses are this project's own (`docs/semantics.md`, principle 3).

mod artifact;
mod capability;
mod loss;
pub mod name;

pub use artifact::{Artifact, Artifacts};
pub use capability::{AdditiveAccess, Capabilities, Feature, IdentityKnowledge};
pub use loss::{Effect, Loss, losses};

use crate::cluster::PodId;
use crate::diag::Report;
use crate::ir::Ir;

/// Which proxy a configuration is for. Outbound and inbound parts of the IR land in different places in each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyTarget {
    /// One proxy per node, which knows callers by address, routes and authorises (Maesh).
    Node,
    /// A sidecar of this pod, which knows callers by certificate.
    Sidecar(PodId),
}

/// Renders IR for one proxy.
pub trait Backend {
    /// The proxy's typed configuration.
    type Output: Artifacts;

    /// `traefik`.
    fn name(&self) -> &'static str;

    /// What it can express for a target.
    fn capabilities(&self, target: &ProxyTarget) -> Capabilities;

    /// The proxy's configuration. Total: whatever cannot be rendered narrows access and is reported.
    fn render(&self, ir: &Ir, target: &ProxyTarget) -> Rendered<Self::Output>;
}

/// Output and what was lost on the way.
#[derive(Clone, Debug)]
pub struct Rendered<O> {
    /// The configuration.
    pub output: O,
    /// Losses and other findings.
    pub report: Report,
}

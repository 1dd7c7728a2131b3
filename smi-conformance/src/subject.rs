//! What a backend brings to be tested: two traits, and the differences it owns up to.
//!
//! Shape: [`Subject`] renders an IR and, if it has a simulator, decides on what it rendered; [`LiveProxy`] runs the real proxy with it.
//! Campaign and suite know nothing else of a backend.
//! Invariant: a [`Declared`] difference opens nothing. Its [`Instead`] is a refusal, or what the reference decides for another spelling
//! of the request that the proxy forwards in that very spelling; there is no way to declare that somebody else may be served.

use std::time::Duration;

use smi_core::backend::{Capabilities, Feature};
use smi_core::compile::PortRanges;
use smi_core::eval::{Caller, Decision, Distribution, Outcome, Payload, Request, eval};
use smi_core::ir::Ir;

use crate::call::Call;
use crate::loopback::{NOBODY, Network};
use crate::observe::Observation;

/// A backend in one place: which proxies, and how they get their configuration.
pub trait Subject {
    /// What it renders.
    type Config;

    /// `envoy node, static`.
    fn name(&self) -> String;

    /// What it says it can do.
    fn capabilities(&self) -> Capabilities;

    /// Where it decides otherwise, and says so.
    fn declared(&self) -> &'static [Declared];

    /// Renders.
    ///
    /// # Errors
    /// When what it rendered does not pass the backend's own checks.
    fn render(&self, ir: &Ir) -> anyhow::Result<Self::Config>;

    /// What the rendered configuration decides without a proxy, if there is a simulator.
    fn simulate(&self, ir: &Ir, config: &Self::Config, call: &Call) -> Option<Distribution>;

    /// What the reference decides where proxies of this shape are asked.
    fn reference(&self, ir: &Ir, request: &Request) -> Decision {
        eval(ir, request)
    }

    /// The calls by which a caller asks for this where there are proxies of this shape. As it stands: one, by address, through the proxy
    /// of the node, which is all that it knows of anybody.
    fn calls(&self, ir: &Ir, call: &Call) -> Vec<Call> {
        if call.direct.is_some() {
            return Vec::new();
        }
        let address = match &call.request.caller {
            Caller::Address(address) => Some(*address),
            Caller::Pod(pod) => ir.pods.get(pod).and_then(|p| p.addresses.first().copied()),
            Caller::Identity(_) | Caller::Nobody => None,
        };
        let caller = Caller::Address(address.unwrap_or(NOBODY));
        vec![Request { caller, payload: call.request.payload.clone() }.into()]
    }

    /// Whether pods have proxies of their own, which somebody may try to call by himself.
    fn at_pods(&self) -> bool {
        false
    }
}

/// A running proxy.
pub trait LiveProxy {
    /// The backend.
    type Subject: Subject;

    /// The backend, with options that fit the running proxy.
    fn subject(&self) -> &Self::Subject;

    /// Where its listeners may be put.
    fn ranges(&self) -> PortRanges;

    /// Where pods and callers live.
    fn network(&mut self) -> &mut Network;

    /// How it takes turns between the legs of a split.
    fn counting(&self, payload: &Payload) -> Counting;

    /// Brings a configuration to the proxy and waits until it holds.
    ///
    /// # Errors
    /// When the proxy finds a fault in it, or does not take it in time.
    fn load(&mut self, ir: &Ir, config: &<Self::Subject as Subject>::Config) -> anyhow::Result<()>;

    /// Makes a call so many times and tells what came back; silence is waited for so long.
    ///
    /// # Errors
    /// When the proxy cannot be asked.
    fn observe(
        &mut self,
        ir: &Ir,
        call: &Call,
        times: u64,
        patience: Duration,
    ) -> anyhow::Result<Vec<Observation>>;
}

/// How a proxy takes turns between the legs of a split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// By turns, so that every full cycle of the weights is exact.
    Rotation,
    /// At random, each time anew.
    Random,
}

/// A difference that a backend declares.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// In a few words.
    pub name: &'static str,
    /// The capability that the backend says it lacks, if there is a word for it.
    pub lacks: Option<Feature>,
    /// Which requests it is about. The IR and what the reference decides are given.
    pub concerns: fn(&Ir, &Request, &Distribution) -> bool,
    /// What happens instead.
    pub instead: Instead,
}

/// What happens instead of what the reference decides.
#[derive(Clone, Copy, Debug)]
pub enum Instead {
    /// A refusal, whoever calls.
    Refusal(Refusal),
    /// What the reference decides for this other spelling of the request, which is also what the pod receives.
    Spelled(fn(&Request) -> Option<Request>),
}

/// Outcomes in which nobody is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400.
    BadRequest,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 503, a closed connection, silence.
    Unavailable,
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadRequest => Self::BadRequest,
            Refusal::Forbidden => Self::Forbidden,
            Refusal::NotFound => Self::NotFound,
            Refusal::Unavailable => Self::Unavailable,
        }
    }
}

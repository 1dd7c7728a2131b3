//! One request, decided by the reference, by the simulator and by the running proxy.
//!
//! What is accepted, in this order: what the reference decides; a difference that the backend declares; and where the request meets a
//! feature that the backend says it lacks, whatever serves nobody more often than the reference does.

use std::time::Duration;

use smi_core::eval::{Decision, Distribution, HttpRequest, Outcome, Payload, Refusal, Request};
use smi_core::ir::Ir;

use crate::call::Call;
use crate::case::{missing, requires};
use crate::count::{Judgement, judge, times};
use crate::observe::{Observation, classes, never_more, seen};
use crate::subject::{Counting, Instead, LiveProxy, Subject};
use crate::tally::Tally;

/// A world as a backend sees it.
#[derive(Debug)]
pub struct Made<C> {
    /// On this machine, when a proxy runs.
    pub ir: Ir,
    /// What was rendered.
    pub config: C,
}

/// A running proxy of a backend.
pub type Running<'a, S> = &'a mut (dyn LiveProxy<Subject = S> + 'a);

/// What may happen.
struct Expectation {
    /// The declared difference, if it is one.
    name: Option<&'static str>,
    /// For counting, and for the path that the pod receives.
    decision: Decision,
    query: String,
    seen: Distribution,
}

/// `ir`: the world of the call.
fn expectations<S: Subject>(subject: &S, ir: &Ir, call: &Call) -> Vec<Expectation> {
    let request = &call.request;
    let refused = |name, outcome| Expectation {
        name,
        decision: Decision::Refused(Refusal::UnknownHost),
        query: String::new(),
        seen: Distribution::certain(outcome),
    };
    if call.direct.as_ref().is_some_and(|direct| direct.way.refused()) {
        return vec![refused(None, Outcome::Unavailable)];
    }
    let decided = |request: &Request, name| {
        let decision = subject.reference(ir, request);
        let seen = seen(request, &decision.distribution());
        let query = match &request.payload {
            Payload::Http(HttpRequest { target, .. }) => target.split_once('?').map(|(_, q)| format!("?{q}")),
            Payload::Tcp { .. } | Payload::Udp { .. } => None,
        };
        Expectation { name, decision, query: query.unwrap_or_default(), seen }
    };
    let reference = decided(request, None);
    let concerned = subject.declared().iter().filter(|d| (d.concerns)(ir, request, &reference.seen));
    let mut out: Vec<Expectation> = concerned
        .filter_map(|declared| match declared.instead {
            Instead::Refusal(refusal) => Some(refused(Some(declared.name), Outcome::from(refusal))),
            Instead::Spelled(spell) => Some(decided(&spell(request)?, Some(declared.name))),
        })
        .collect();
    out.insert(0, reference);
    out
}

/// The difference that nothing declares, if there is one.
///
/// # Errors
/// When the proxy cannot be asked.
pub fn difference<S: Subject>(
    subject: &S,
    live: Option<Running<'_, S>>,
    made: &Made<S::Config>,
    call: &Call,
    tally: &mut Tally,
) -> anyhow::Result<Option<String>> {
    let (ir, request) = (&*call.in_its_world(&made.ir), &call.request);
    let told = || match &call.direct {
        Some(direct) => format!("{request:?}\n  directly: {direct:?}"),
        None => format!("{request:?}"),
    };
    let expectations = expectations(subject, ir, call);
    let Some(reference) = expectations.first() else { return Ok(None) };
    let capabilities = subject.capabilities();
    let lacking = |e: &Expectation| missing(&requires(ir, request, &e.decision), &capabilities);
    let lacks = lacking(reference);
    let mut passed = |name: Option<&'static str>| {
        if let Some(name) = name {
            tally.count(&format!("declared: {name}"));
        }
    };
    if let Some(simulated) = subject.simulate(&made.ir, &made.config, call) {
        let simulated = seen(request, &simulated);
        // What is declared of the running proxy alone does not show in a simulator.
        match expectations.iter().find(|e| e.seen == simulated) {
            Some(fits) => {
                if live.is_none() {
                    passed(fits.name);
                }
            }
            // A request that is read in another spelling may be one for which something lacks.
            None if expectations.iter().any(|e| lacking(e).is_some() && never_more(&simulated, &e.seen)) => {}
            None => {
                return Ok(Some(format!(
                    "{}\n  the reference decides {}\n  the simulator decides {simulated}",
                    told(),
                    reference.seen
                )));
            }
        }
    }
    let Some(live) = live else {
        if lacks.is_some() {
            tally.lacking(lacks);
        }
        return Ok(None);
    };
    let counting = live.counting(&request.payload);
    let first = times(counting, &reference.decision, classes(ir, &reference.seen).len());
    let first = if lacks.is_some() { 1 } else { first };
    let mut observations = observe(live, &made.ir, call, reference, first, lacks.is_some(), tally)?;
    let mut reasons = Vec::new();
    for expected in &expectations {
        let mut verdict = fits(ir, request, expected, counting, &observations);
        if let Verdict::Again(count) = verdict {
            observations = observe(live, &made.ir, call, reference, count, false, tally)?;
            tally.count("counted again");
            verdict = fits(ir, request, expected, counting, &observations);
        }
        match verdict {
            Verdict::Fits => {
                if let Some(name) = expected.name {
                    tally.count(&format!("declared: {name}"));
                }
                return Ok(None);
            }
            Verdict::Again(_) => {}
            Verdict::Differs(reason) => reasons.push(reason),
        }
    }
    for (expected, lacks) in expectations.iter().filter_map(|e| Some((e, Some(lacking(e)?)))) {
        let allowed = classes(ir, &expected.seen);
        let entitled = |o: &Observation| match o {
            Observation::Served(..) => allowed.iter().any(|c| c.holds(request, o)),
            Observation::Tunnel(_) => false,
            Observation::Status(_) | Observation::Closed | Observation::Silence => true,
        };
        if observations.iter().all(entitled) {
            tally.lacking(lacks);
            return Ok(None);
        }
    }
    Ok(Some(format!(
        "{}\n  the reference decides {}\n  {}: {}",
        told(),
        reference.seen,
        subject.name(),
        reasons.first().map_or("", String::as_str)
    )))
}

fn observe<S: Subject>(
    live: &mut (dyn LiveProxy<Subject = S> + '_),
    ir: &Ir,
    call: &Call,
    reference: &Expectation,
    times: u64,
    lacks: bool,
    tally: &mut Tally,
) -> anyhow::Result<Vec<Observation>> {
    let served = |(outcome, _): (&Outcome, _)| matches!(outcome, Outcome::Served(..));
    // Where an answer is due, silence is a difference, and waiting for it costs nothing; where none is due, waiting is all there is.
    let patience = if reference.seen.iter().all(served) && !lacks {
        3000
    } else if reference.seen.iter().any(served) {
        400
    } else {
        150
    };
    tally.add("requests sent", times);
    live.observe(ir, call, times, Duration::from_millis(patience))
}

enum Verdict {
    Fits,
    Again(u64),
    Differs(String),
}

fn fits(
    ir: &Ir,
    request: &Request,
    expected: &Expectation,
    counting: Counting,
    observations: &[Observation],
) -> Verdict {
    let classes = classes(ir, &expected.seen);
    let mut counts = vec![0_u64; classes.len()];
    for observation in observations {
        if let (Observation::Served(_, Some(target)), Decision::Routed(routed)) =
            (observation, &expected.decision)
        {
            let wanted = routed.path.clone().unwrap_or_default() + &expected.query;
            // The digits of an escape are the same in either case.
            if same_case(target) != same_case(&wanted) {
                return Verdict::Differs(format!("the path is {wanted}, and the pod received {target}"));
            }
        }
        match classes.iter().position(|c| c.holds(request, observation)) {
            Some(place) => counts[place] += 1,
            None => return Verdict::Differs(format!("{observation:?}")),
        }
    }
    if observations.len() < 2 {
        return Verdict::Fits;
    }
    match judge(counting, &expected.decision, &classes, &counts) {
        Judgement::Fits => Verdict::Fits,
        Judgement::Again(times) => Verdict::Again(times),
        Judgement::Differs => {
            Verdict::Differs(format!("of {} answers {counts:?} were of {classes:?}", observations.len()))
        }
    }
}

/// With the digits of escapes in upper case.
fn same_case(target: &str) -> String {
    let mut parts = target.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits: String = part.chars().take(2).collect();
        out.push('%');
        out.push_str(&digits.to_ascii_uppercase());
        out.extend(part.chars().skip(2));
    }
    out
}

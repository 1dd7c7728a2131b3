//! Many worlds and requests, compared.
//!
//! Shape: [`run`] takes any backend, simulated or running. A difference that nothing declares is shrunk and written as a new case, a
//! folder that `tests/cases` would take; so is a world whose configuration the proxy refuses.

use std::path::PathBuf;

use anyhow::Context as _;
use smi_core::compile::{PortRanges, compile};
use smi_core::eval::{Caller, Outcome, Request};
use smi_core::ir::{Ir, verify};
use smi_core::load::{Input, Limits, load};
use smi_core::testing::random::Random;

use crate::around::around;
use crate::call::Call;
use crate::case::{Case, Expected};
use crate::compare::{Made, Running, difference};
use crate::random::one_of;
use crate::requests::{Attempt, request};
use crate::shrink::{Shrunk, shrink};
use crate::subject::{LiveProxy, Subject};
use crate::tally::Tally;
use crate::world::{World, world};

/// What a campaign is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Pairs of world and request.
    pub cases: u64,
    /// Where random numbers start.
    pub seed: u64,
    /// Requests in each world.
    pub requests: u64,
    /// Where differences are written to.
    pub keep: PathBuf,
}

/// Differences after which a campaign ends.
const MOST: usize = 5;

/// Compiles a world as it is written.
#[must_use]
pub fn compiled(world: &World, ranges: Option<PortRanges>) -> Ir {
    let mut options = world.options.clone();
    if let Some(ranges) = ranges {
        options.port_ranges = ranges;
    }
    let read = load(&[Input::new("input.yaml", world.text())], &Limits::default());
    compile(&read.hub, &read.cluster, &options).ir
}

/// Renders an IR and, where a proxy runs, moves it to this machine first and brings it there.
///
/// # Errors
/// When the backend's own checks or the proxy find a fault.
pub fn make<S: Subject>(
    subject: &S,
    live: Option<Running<'_, S>>,
    ir: &Ir,
) -> anyhow::Result<Made<S::Config>> {
    let Some(live) = live else {
        return Ok(Made { ir: ir.clone(), config: subject.render(ir)? });
    };
    let ir = live.network().relocate(ir)?;
    let config = subject.render(&ir)?;
    live.load(&ir, &config)?;
    Ok(Made { ir, config })
}

/// Runs a campaign.
///
/// # Errors
/// When the proxy cannot be asked, or there are too many differences.
pub fn run<S: Subject>(
    plan: &Plan,
    subject: &S,
    mut live: Option<Running<'_, S>>,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let ranges = live.as_ref().map(|l| l.ranges());
    let mut cases = 0;
    let mut number: u64 = 0;
    while cases < plan.cases {
        let mut random = Random::new(plan.seed.wrapping_add(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        number += 1;
        let world = world(&mut random);
        let ir = compiled(&world, ranges.clone());
        let violations = verify(&ir);
        anyhow::ensure!(violations.is_empty(), "world {number} of seed {}: {violations:?}", plan.seed);
        tally.count("worlds");
        let made = match make(subject, again(&mut live), &ir) {
            Ok(made) => made,
            Err(fault) => {
                let refused = |world: &World, _: &Call| {
                    make(subject, again(&mut live), &compiled(world, ranges.clone())).is_err()
                };
                let about = Request { caller: Caller::Nobody, payload: request(&mut random, &ir).0.payload };
                let found = shrink(world, about.into(), refused);
                found_one(plan, tally, &found, &format!("the configuration is refused: {fault:#}"))?;
                continue;
            }
        };
        for _ in 0..plan.requests.min(plan.cases - cases) {
            cases += 1;
            let (call, attempt) = draw(subject, &mut random, &ir);
            let here = moved(&mut live, &call);
            let decision = subject.reference(&here.in_its_world(&made.ir), &here.request);
            tally.request(&here.request, &decision);
            if let Some(attempt) = attempt {
                tally.count(&format!("attempt: {}", attempt.name()));
                let closed = here.direct.as_ref().is_some_and(|direct| direct.way.refused());
                let served = decision.distribution().iter().any(|(o, _)| matches!(o, Outcome::Served(..)));
                if closed || !served {
                    tally.count(&format!("attempt: {}, to be refused", attempt.name()));
                }
            }
            let found = difference(subject, again(&mut live), &made, &here, tally)
                .with_context(|| format!("world {number} of seed {}: {call:?}", plan.seed))?;
            let Some(found) = found else { continue };
            let differs = |world: &World, call: &Call| {
                let ir = compiled(world, ranges.clone());
                let Ok(made) = make(subject, again(&mut live), &ir) else { return false };
                let here = moved(&mut live, call);
                let found = difference(subject, again(&mut live), &made, &here, &mut Tally::default());
                matches!(found, Ok(Some(_)))
            };
            let shrunk = shrink(world.clone(), call, differs);
            let what = match attempt {
                Some(attempt) => {
                    format!("{} gets past the policy, or is taken for another: {found}", attempt.name())
                }
                None => found,
            };
            found_one(plan, tally, &shrunk, &what)?;
            make(subject, again(&mut live), &ir)?;
        }
    }
    tally.add("cases", cases);
    Ok(())
}

/// Lends the proxy once more.
pub(crate) fn again<'a, S: Subject>(live: &'a mut Option<Running<'_, S>>) -> Option<Running<'a, S>> {
    match live {
        Some(live) => Some(&mut **live),
        None => None,
    }
}

/// The call as it is made on this machine.
pub(crate) fn moved<S: Subject>(live: &mut Option<Running<'_, S>>, call: &Call) -> Call {
    match live {
        Some(live) => live.network().relocate_call(call),
        None => call.clone(),
    }
}

/// A call that callers can make where there are proxies of this shape, and what it attempts.
fn draw<S: Subject>(subject: &S, random: &mut Random, ir: &Ir) -> (Call, Option<Attempt>) {
    loop {
        let (request, attempt) = request(random, ir);
        let call = Call::from(request);
        // Whoever goes around his proxy names the service plainly.
        if subject.at_pods()
            && attempt != Some(Attempt::HostVariants)
            && random.chance(30)
            && let Some((call, attempt)) = around(random, ir, &call)
        {
            return (call, Some(attempt));
        }
        let calls = subject.calls(ir, &call);
        if !calls.is_empty() {
            return (one_of(random, &calls).clone(), attempt);
        }
    }
}

/// Writes a difference down.
fn found_one(plan: &Plan, tally: &mut Tally, found: &Shrunk, what: &str) -> anyhow::Result<()> {
    let folder = plan.keep.join(format!("seed-{}-{}", plan.seed, tally.differences.len()));
    let decision = found.call.decide(&compiled(&found.world, None)).to_string();
    let case = Case {
        name: folder.display().to_string(),
        input: found.world.text(),
        options: found.world.options.clone(),
        requests: vec![Expected::new(found.call.clone(), decision)],
    };
    case.write(&folder)?;
    tally.differences.push(format!("{what}\n  a minimal case, after {} trials: {}", found.trials, case.name));
    anyhow::ensure!(
        tally.differences.len() < MOST,
        "too many differences:\n{}",
        tally.differences.join("\n")
    );
    Ok(())
}

/// A campaign on a running proxy.
///
/// # Errors
/// As [`run`].
pub fn run_live<L: LiveProxy>(plan: &Plan, live: &mut L, tally: &mut Tally) -> anyhow::Result<()>
where
    L::Subject: Clone,
{
    let subject = live.subject().clone();
    run(plan, &subject, Some(live), tally)
}

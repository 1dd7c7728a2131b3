//! Golden cases on any backend, simulated or running.
//!
//! Every request of every case is asked. Nothing is left out but what the backend says it cannot do, and there it may only refuse.

use smi_core::compile::compile;
use smi_core::eval::{Caller, Request, eval};
use smi_core::ir::Ir;
use smi_core::load::{Input, Limits, load};

use crate::campaign::{again, make, moved};
use crate::case::Case;
use crate::compare::{Running, difference};
use crate::subject::{LiveProxy, Subject};
use crate::tally::Tally;

/// Runs cases; differences are in the tally.
///
/// # Errors
/// When the proxy cannot be asked.
pub fn run<S: Subject>(
    cases: &[Case],
    subject: &S,
    mut live: Option<Running<'_, S>>,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let ranges = live.as_ref().map(|l| l.ranges());
    for case in cases.iter().filter(|c| !c.requests.is_empty()) {
        tally.count("golden cases");
        let mut options = case.options.clone();
        if let Some(ranges) = &ranges {
            options.port_ranges = ranges.clone();
        }
        let read = load(&[Input::new("input.yaml", case.input.as_str())], &Limits::default());
        let ir = compile(&read.hub, &read.cluster, &options).ir;
        let made = match make(subject, again(&mut live), &ir) {
            Ok(made) => made,
            Err(fault) => {
                tally.differences.push(format!("{}: the configuration is refused: {fault:#}", case.name));
                continue;
            }
        };
        for expected in &case.requests {
            tally.count("golden requests");
            let decided = eval(&ir, &expected.request).distribution().to_string();
            if decided != expected.decision {
                tally.differences.push(format!("{}: {}\n  decided {decided}", case.name, expected.line));
                continue;
            }
            let asked = by_address(&ir, &expected.request);
            let here = moved(&mut live, &ir, &asked);
            if let Some(found) = difference(subject, again(&mut live), &made, &here, tally)? {
                tally.differences.push(format!("{}: {}\n  {found}", case.name, expected.line));
            }
        }
    }
    Ok(())
}

/// A pod as caller by its address, which is how a proxy may know it.
fn by_address(ir: &Ir, request: &Request) -> Request {
    let caller = match &request.caller {
        Caller::Pod(pod) => {
            let address = ir.pods.get(pod).and_then(|p| p.addresses.first().copied());
            address.map_or(Caller::Nobody, Caller::Address)
        }
        other @ (Caller::Address(_) | Caller::Identity(_) | Caller::Nobody) => other.clone(),
    };
    Request { caller, payload: request.payload.clone() }
}

/// Runs cases on a running proxy.
///
/// # Errors
/// As [`run`].
pub fn run_live<L: LiveProxy>(cases: &[Case], live: &mut L, tally: &mut Tally) -> anyhow::Result<()>
where
    L::Subject: Clone,
{
    let subject = live.subject().clone();
    run(cases, &subject, Some(live), tally)
}

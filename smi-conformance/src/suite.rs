//! Golden cases on any backend, simulated or running.
//!
//! Every request of every case is asked. Nothing is left out but what the backend says it cannot do, and there it may only refuse.
//! Pods that speak h2c or TLS are played by nobody, so requests for them are not sent to a running proxy.

use smi_core::backend::Feature;
use smi_core::compile::compile;
use smi_core::eval::eval;
use smi_core::load::{Input, Limits, load};

use crate::campaign::{again, make, moved};
use crate::case::{Case, requires};
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
            let decided = expected.call.decide(&ir).to_string();
            if decided != expected.decision {
                tally.differences.push(format!("{}: {}\n  decided {decided}", case.name, expected.line));
                continue;
            }
            let request = &expected.call.request;
            // The pods of the network speak HTTP/1.1 in clear; what is meant for others is held to the simulator alone.
            let spoken = requires(&ir, request, &eval(&ir, request));
            let plain = [Feature::H2cUpstream, Feature::HttpsUpstream].iter().all(|f| !spoken.contains(f));
            if !plain && live.is_some() {
                tally.count("golden, simulated only");
            }
            let calls = subject.calls(&ir, &expected.call);
            if calls.is_empty() {
                tally.count("golden, not of this shape");
            }
            for call in calls {
                let here = moved(&mut live, &call);
                let running = if plain { again(&mut live) } else { None };
                if let Some(found) = difference(subject, running, &made, &here, tally)? {
                    tally.differences.push(format!("{}: {}\n  {found}", case.name, expected.line));
                }
            }
        }
    }
    Ok(())
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

//! Direct calls from a seed: around the proxy of the caller, and around what a split or a policy would say.

use std::net::IpAddr;

use smi_core::eval::{Caller, Outcome, eval};
use smi_core::ir::Ir;
use smi_core::testing::random::Random;

use crate::call::{Call, Direct, Way};
use crate::random::one_of;
use crate::requests::Attempt;

/// A direct call that asks the same of one of the service's pods; none, if no pod of it has a sidecar.
pub fn around(random: &mut Random, ir: &Ir, call: &Call) -> Option<(Call, Attempt)> {
    let endpoints = call.endpoints(ir);
    if endpoints.is_empty() || ir.callers.is_empty() {
        return None;
    }
    let to = *one_of(random, &endpoints);
    let callers: Vec<&IpAddr> = ir.callers.keys().collect();
    let from = **one_of(random, &callers);
    let pod = ir.callers.get(&from)?;
    let mut call =
        Call { request: call.request.clone(), direct: Some(Direct { to, from, way: Way::Certificate }) };
    call.request.caller = Caller::Pod(pod.clone());
    if random.chance(40) {
        return Some((call, Attempt::Direct(Way::Certificate)));
    }
    if random.chance(25) {
        // The certificate of somebody else: it counts, and what is bound to its owner's address does not.
        let stolen = ir.identity(&ir.pods.get(ir.callers.get(*one_of(random, &callers))?)?.workload);
        if stolen != ir.identity(&ir.pods.get(pod)?.workload) {
            call.request.caller = Caller::Identity(stolen);
            return Some((call, Attempt::AnothersCertificate));
        }
    }
    // Somebody who may, if there is one: what is missing is only the proof.
    let world = call.in_its_world(ir);
    let friend = ir.callers.iter().find(|(_, pod)| {
        let request = smi_core::eval::Request {
            caller: Caller::Pod((*pod).clone()),
            payload: call.request.payload.clone(),
        };
        eval(&world, &request).distribution().iter().any(|(o, _)| matches!(o, Outcome::Served(..)))
    });
    let (from, friend) = friend.unwrap_or((&from, pod));
    let caller = Caller::Identity(ir.identity(&ir.pods.get(friend)?.workload));
    let ways: Vec<Way> = Way::ALL.into_iter().filter(|way| way.refused()).collect();
    let way = *one_of(random, &ways);
    call.request.caller = caller;
    call.direct = Some(Direct { to, from: *from, way });
    Some((call, Attempt::Direct(way)))
}

//! Authorise at a pod: any grant suffices (S22, S24, S31).

use super::decision::{AllowedBy, Denial, Verdict};
use super::request::Caller;
use super::view::HttpView;
use crate::hub::names::{Namespaced, Port, Transport};
use crate::ir::{Grant, HttpCondition, Ir, Mode, Origin, Principal, SourceGrant, WorkloadId};

/// Whether an HTTP request may reach `port` of `workload`'s pods.
pub(super) fn http(
    ir: &Ir,
    caller: &Caller,
    service_mode: Mode,
    workload: Option<&WorkloadId>,
    port: Port,
    view: &HttpView<'_>,
) -> Verdict {
    let probe = workload.and_then(|w| ir.workloads.get(w)).is_some_and(|w| {
        w.probes
            .iter()
            .any(|p| p.port == port && p.path.as_deref() == Some(view.path.as_str()) && view.method == "GET")
    });
    if probe {
        return Verdict::Allowed(AllowedBy::Probe);
    }
    authorise(ir, caller, service_mode, workload, |grant| {
        let http = grant.http.as_ref()?;
        if !http.ports.contains(port) {
            return None;
        }
        match &http.condition {
            HttpCondition::Any => Some(grant.rules.http.clone()),
            HttpCondition::AnyOf(matches) => {
                matches.iter().find(|m| view.matches(m)).map(|m| vec![m.origin.clone()])
            }
        }
    })
}

/// Whether a TCP connection or a datagram may reach `port` of `workload`'s pods.
pub(super) fn opaque(
    ir: &Ir,
    caller: &Caller,
    service_mode: Mode,
    workload: Option<&WorkloadId>,
    port: Port,
    transport: Transport,
) -> Verdict {
    authorise(ir, caller, service_mode, workload, |grant| {
        let (ports, rules) = match transport {
            Transport::Tcp => (grant.tcp.as_ref()?, &grant.rules.tcp),
            Transport::Udp => (grant.udp.as_ref()?, &grant.rules.udp),
        };
        ports.contains(port).then(|| rules.clone())
    })
}

fn authorise(
    ir: &Ir,
    caller: &Caller,
    service_mode: Mode,
    workload: Option<&WorkloadId>,
    grants: impl Fn(&Grant) -> Option<Vec<Origin>>,
) -> Verdict {
    let (mode, result) = match workload.and_then(|id| ir.workloads.get(id)) {
        Some(workload) => {
            let of_workload = workload.grants.iter().filter_map(|name| Some((name, ir.grants.get(name)?)));
            (workload.mode, any_grant(ir, caller, of_workload, grants))
        }
        None => (service_mode, Err(Denial::UnknownPod)),
    };
    match (result, mode) {
        (Ok(by), _) => Verdict::Allowed(by),
        (Err(denial), Mode::Enforce) => Verdict::Denied(denial),
        (Err(denial), Mode::Permissive) => Verdict::WouldDeny(denial),
    }
}

fn any_grant<'ir>(
    ir: &Ir,
    caller: &Caller,
    of_workload: impl Iterator<Item = (&'ir Namespaced, &'ir Grant)>,
    grants: impl Fn(&Grant) -> Option<Vec<Origin>>,
) -> Result<AllowedBy, Denial> {
    let mut others = Vec::new();
    let mut naming = Vec::new();
    for (name, grant) in of_workload {
        match grant.sources.iter().find(|s| is_source(ir, caller, s)) {
            None => others.push(name.clone()),
            Some(source) => match grants(grant) {
                Some(rules) => {
                    return Ok(AllowedBy::Grant {
                        target: name.clone(),
                        source: source.origin.clone(),
                        rules,
                    });
                }
                None => naming.push(name.clone()),
            },
        }
    }
    Err(if !naming.is_empty() {
        Denial::NotGranted(naming)
    } else if others.is_empty() {
        Denial::NoGrants
    } else if is_nobody(ir, caller) {
        Denial::UnknownCaller
    } else {
        Denial::NotASource(others)
    })
}

fn is_source(ir: &Ir, caller: &Caller, source: &SourceGrant) -> bool {
    if let Caller::Identity(id) = caller {
        return matches!(&source.principal, Principal::Identity(p) if p == id);
    }
    let pod = caller.pod(ir).and_then(|pod| ir.pods.get(pod));
    pod.is_some_and(|pod| ir.is_principal(&pod.workload, &source.principal))
}

fn is_nobody(ir: &Ir, caller: &Caller) -> bool {
    !matches!(caller, Caller::Identity(_)) && caller.pod(ir).is_none()
}

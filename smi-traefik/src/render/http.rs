//! HTTP routers of one service port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use smi_core::diag::Diagnostic;
use smi_core::ir::{RouteCondition, WorkloadId};

use super::access::client_ips;
use super::condition::Condition;
use super::service::{Group, HttpLayer, Leg, Serving, bits, legs, weighted};
use super::{At, Output};
use crate::codes;
use crate::name;
use crate::rule::{Matcher, Rule};

/// More different conditions than this at the leaves of one route, for one caller, are not told apart.
const MAX_CONDITIONS: usize = 4;

/// A router without its priority: the first one that fits decides.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) conditions: Vec<Option<Rule>>,
    pub(super) service: String,
    /// Whether requests reach pods, and so count against limits.
    pub(super) serves: bool,
}

/// What a caller may do at each group of a route.
type Signature = Vec<Condition>;

impl<'a> Output<'a> {
    pub(super) fn http_port(&mut self, at: &At<'a>) {
        let hosts = self.ir.settings.mesh_domains.iter().map(|domain| {
            Rule::one(Matcher::Host, format!("{}.{}.{domain}", at.name.name, at.name.namespace))
        });
        let Some(host) = Rule::any(hosts) else { return };
        let mut drafts = Vec::new();
        for (place, route) in at.port.routes.iter().enumerate() {
            let condition = match &route.condition {
                RouteCondition::Everything => Condition::Always,
                RouteCondition::AnyOf(matches) => Condition::any_of(matches),
            };
            if condition == Condition::Never {
                continue;
            }
            let mode = at.service.mode;
            let legs = legs(self, route, |workload, port| self.access.http(mode, workload, port));
            self.route(at, place, &condition, &legs, &mut drafts);
        }
        self.routers(at, &host, drafts);
    }

    /// Routers of one route, highest first: those of callers by what they are granted, then those of everybody.
    fn route(
        &mut self,
        at: &At<'a>,
        place: usize,
        condition: &Condition,
        legs: &[Leg<'a>],
        drafts: &mut Vec<Draft>,
    ) {
        let groups: Vec<&Group<'a>> = legs.iter().flat_map(|l| &l.groups).collect();
        let base: Signature = groups
            .iter()
            .map(|g| {
                if g.access.open {
                    Condition::Always
                } else {
                    g.access.everybody.clone().unwrap_or(Condition::Never)
                }
            })
            .collect();
        let route = place.to_string();
        let router = |parts: &[&str]| {
            let mut all = vec!["route", &route];
            all.extend_from_slice(parts);
            name::of_port(at.name, at.number, &all)
        };
        if let Some(one) = self.same_for_all(at, &groups) {
            let serving: Serving = vec![true; groups.len()];
            let service = weighted(&mut HttpLayer { out: self, guarded: true }, at, place, legs, &serving);
            let conditions = vec![condition.rule(), one.rule()];
            drafts.push(Draft { name: router(&["granted"]), conditions, service, serves: true });
        } else {
            let mut classes: BTreeMap<Signature, Vec<&'a WorkloadId>> = BTreeMap::new();
            let callers: BTreeSet<&'a WorkloadId> =
                groups.iter().flat_map(|g| g.access.callers.keys().copied()).collect();
            for caller in callers {
                let of = |(g, everybody): (&&Group<'a>, &Condition)| {
                    everybody.clone().or(g.access.callers.get(caller).cloned().unwrap_or(Condition::Never))
                };
                let signature: Signature = groups.iter().zip(&base).map(of).collect();
                if signature != base {
                    classes.entry(signature).or_default().push(caller);
                }
            }
            for (signature, callers) in &classes {
                let addresses = self.access.addresses(callers);
                // Named after its first caller, so that another class does not rename it.
                let Some(class) = callers.first().map(ToString::to_string) else { continue };
                self.class(at, (place, condition, legs), (&class, Some(&addresses), signature), drafts);
            }
        }
        self.class(at, (place, condition, legs), ("everybody", None, &base), drafts);
    }

    /// The one condition that every caller has at every group, if leaves can check callers by themselves.
    fn same_for_all(&self, at: &At<'a>, groups: &[&Group<'a>]) -> Option<Condition> {
        let policy = &at.port.policy;
        // Refused requests must not count against limits, so callers have to be told apart before these.
        if policy.rate_limit.is_some() || policy.max_in_flight.is_some() || policy.circuit_breaker.is_some() {
            return None;
        }
        if groups.iter().any(|g| g.access.open || g.access.everybody.is_some()) {
            return None;
        }
        let mut conditions = groups.iter().flat_map(|g| g.access.callers.values());
        let first = conditions.next()?;
        conditions.all(|c| c == first).then(|| first.clone())
    }

    /// Routers of callers with one signature. A request may be granted at some groups and not at others, so there is one router for
    /// each set of conditions that may hold together, larger sets first: the first that fits is the set of all that hold.
    fn class(
        &mut self,
        at: &At<'a>,
        (place, condition, legs): (usize, &Condition, &[Leg<'a>]),
        (class, addresses, signature): (&str, Option<&BTreeSet<IpAddr>>, &Signature),
        drafts: &mut Vec<Draft>,
    ) {
        let callers = match addresses.map(client_ips) {
            // Nobody of this class has an address.
            Some(None) => return,
            Some(rule) => rule,
            None => None,
        };
        let distinct: BTreeSet<&Condition> =
            signature.iter().filter(|c| matches!(c, Condition::AnyOf(_))).collect();
        let distinct: Vec<&Condition> = distinct.into_iter().collect();
        for held in self.sets(at, distinct.len()) {
            let holds = |c: &Condition| match c {
                Condition::Never => false,
                Condition::Always => true,
                Condition::AnyOf(_) => distinct.iter().zip(&held).any(|(d, held)| *held && *d == c),
            };
            let serving: Serving = signature.iter().map(holds).collect();
            // What everybody's router does anyway needs no router of its own.
            let open: Serving = legs.iter().flat_map(|l| &l.groups).map(|g| g.access.open).collect();
            if addresses.is_some() && !held.contains(&true) && serving == open {
                continue;
            }
            let serves = serving.contains(&true);
            let service = weighted(&mut HttpLayer { out: self, guarded: false }, at, place, legs, &serving);
            let mut conditions = vec![condition.rule(), callers.clone()];
            conditions.extend(distinct.iter().zip(&held).filter(|(_, held)| **held).map(|(d, _)| d.rule()));
            let name = name::of_port(at.name, at.number, &["route", &place.to_string(), class, &bits(&held)]);
            drafts.push(Draft { name, conditions, service, serves });
        }
    }

    /// All subsets of `count` conditions, larger ones first. Beyond the limit only: all of them, each alone, none.
    fn sets(&mut self, at: &At<'a>, count: usize) -> Vec<Vec<bool>> {
        if count > MAX_CONDITIONS {
            let message =
                format!("{count} different conditions at the backends of one route are not all told apart");
            let origin = &at.service.origin;
            self.report.push(Diagnostic::new(
                codes::TOO_MANY_CONDITIONS,
                &origin.object,
                origin.path(),
                message,
            ));
            // A request for which several hold, but not all, is served only where the first of them says so: narrower, never wider.
            let alone = (0..count).map(|one| (0..count).map(|i| i == one).collect());
            return std::iter::once(vec![true; count])
                .chain(alone)
                .chain(std::iter::once(vec![false; count]))
                .collect();
        }
        let mut sets: Vec<Vec<bool>> =
            (0..1_usize << count).map(|set| (0..count).map(|i| set >> i & 1 == 1).collect()).collect();
        sets.sort_by_key(|set| std::cmp::Reverse(set.iter().filter(|held| **held).count()));
        sets
    }
}

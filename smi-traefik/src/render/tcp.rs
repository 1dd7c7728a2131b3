//! TCP routers of one service port.

use std::collections::{BTreeMap, BTreeSet};

use smi_core::ir::WorkloadId;

use super::access::client_ips;
use super::condition::Condition;
use super::service::{Group, L4Layer, Serving, legs, weighted};
use super::{At, Output};
use crate::config::l4::TcpRouter;
use crate::name;
use crate::rule::{Matcher, Rule};

impl<'a> Output<'a> {
    /// One router for each set of groups that callers may reach, and one for everybody else: without that one a client that no rule
    /// takes would hang, as Traefik waits for a TLS greeting.
    pub(super) fn tcp_port(&mut self, at: &At<'a>) {
        let Some(route) = at.port.routes.last() else { return };
        let mode = at.service.mode;
        let legs = legs(self, route, |workload, port| self.access.tcp(mode, workload, port));
        let groups: Vec<&Group<'a>> = legs.iter().flat_map(|l| &l.groups).collect();
        let everybody: Serving = groups.iter().map(|g| g.access.open).collect();
        let mut classes: BTreeMap<Serving, BTreeSet<&'a WorkloadId>> = BTreeMap::new();
        for caller in groups.iter().flat_map(|g| g.access.callers.keys()) {
            let serves =
                |g: &&Group<'a>| g.access.open || g.access.callers.get(caller) == Some(&Condition::Always);
            let serving: Serving = groups.iter().map(serves).collect();
            if serving != everybody {
                classes.entry(serving).or_default().insert(caller);
            }
        }
        let mut drafts = Vec::new();
        for (serving, callers) in &classes {
            let callers: Vec<&WorkloadId> = callers.iter().copied().collect();
            if let (Some(clients), Some(first)) =
                (client_ips(&self.access.addresses(&callers)), callers.first())
            {
                drafts.push((first.to_string(), Some(clients), serving.clone()));
            }
        }
        drafts.push(("everybody".to_owned(), None, everybody));
        let count = drafts.len();
        for (place, (class, clients, serving)) in drafts.into_iter().enumerate() {
            let service = weighted(&mut L4Layer(&mut self.tcp.services), at, 0, &legs, &serving);
            let rule = Rule::all(std::iter::once(Rule::one(Matcher::HostSni, "*")).chain(clients));
            let router = TcpRouter {
                entry_points: vec![at.entry_point.clone()],
                rule: rule.map(|r| r.to_string()).unwrap_or_default(),
                priority: i64::try_from((count - place) * 10).unwrap_or(i64::MAX),
                middlewares: Vec::new(),
                service,
            };
            self.tcp.routers.insert(name::of_port(at.name, at.number, &["tcp", &class]), router);
        }
    }
}

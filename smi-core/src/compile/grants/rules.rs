//! What the rules of a TrafficTarget grant (S24–S27).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Pass;
use crate::compile::codes;
use crate::compile::matches::{Group, NameFault};
use crate::diag::suggest::closest;
use crate::diag::{Diagnostic, FieldPath, Report};
use crate::hub::names::{Name, Namespaced, Port, of_namespace};
use crate::hub::{Hub, PortRoute, Rule, TrafficTarget};
use crate::ir::{
    AllowedPorts, Field, Grant, GrantRules, HttpCondition, HttpGrant, HttpMatch, Origin, SourceGrant,
};

type Ports = BTreeMap<Namespaced, (AllowedPorts, Origin)>;

/// Routes that rules may name.
pub(super) struct Routes<'g> {
    tcp: Ports,
    udp: Ports,
    groups: &'g BTreeMap<Namespaced, Group>,
}

impl<'g> Routes<'g> {
    pub(super) fn of(hub: &Hub, groups: &'g BTreeMap<Namespaced, Group>, report: &mut Report) -> Self {
        Self { tcp: ports(&hub.tcp_routes, report), udp: ports(&hub.udp_routes, report), groups }
    }
}

fn ports(routes: &BTreeMap<Namespaced, PortRoute>, report: &mut Report) -> Ports {
    let mut one = |route: &PortRoute| {
        let object = Arc::new(route.object_ref());
        let list = FieldPath::root().fields(&["spec", "matches", "ports"]);
        let allowed = match &route.ports {
            None => AllowedPorts::All,
            Some(ports) if ports.is_empty() => AllowedPorts::All,
            // SPEC: S25. A list of which nothing is a port allows nothing; only an empty list means all.
            Some(ports) => AllowedPorts::Only(
                ports
                    .iter()
                    .enumerate()
                    .filter_map(|(place, number)| {
                        let port = Port::from_i64(*number);
                        if port.is_none() {
                            let message = format!("{number} is not a port and allows nothing");
                            let path = list.clone().index(place);
                            report.push(Diagnostic::new(codes::BAD_PORT, &object, path, message));
                        }
                        port
                    })
                    .collect(),
            ),
        };
        (allowed, Origin::object(object))
    };
    routes.iter().map(|(name, route)| (name.clone(), one(route))).collect()
}

/// What the rules of a target grant, before ports are combined.
#[derive(Default)]
pub(super) struct Granted {
    matches: Vec<Arc<HttpMatch>>,
    http: Vec<Origin>,
    tcp: Vec<(AllowedPorts, Origin)>,
    udp: Vec<(AllowedPorts, Origin)>,
}

impl Granted {
    /// Kinds of routes of which none has a port that the destination is restricted to, although they have ports.
    pub(super) fn unmet(&self, restriction: &AllowedPorts) -> impl Iterator<Item = &'static str> {
        let unmet = |parts: &[(AllowedPorts, Origin)]| {
            let ports = union(parts);
            let none = |ports: &AllowedPorts| matches!(ports, AllowedPorts::Only(ports) if ports.is_empty());
            !none(&ports) && none(&restricted(ports, restriction))
        };
        let kinds = [("TCPRoute", unmet(&self.tcp)), ("UDPRoute", unmet(&self.udp))];
        kinds.into_iter().filter(|(_, unmet)| *unmet).map(|(kind, _)| kind)
    }
}

fn union(parts: &[(AllowedPorts, Origin)]) -> AllowedPorts {
    parts.iter().fold(AllowedPorts::Only(BTreeSet::new()), |all, (part, _)| match (all, part) {
        (AllowedPorts::All, _) | (_, AllowedPorts::All) => AllowedPorts::All,
        (AllowedPorts::Only(a), AllowedPorts::Only(b)) => AllowedPorts::Only(a.union(b).copied().collect()),
    })
}

fn restricted(ports: AllowedPorts, restriction: &AllowedPorts) -> AllowedPorts {
    match (ports, restriction) {
        (ports, AllowedPorts::All) => ports,
        (AllowedPorts::All, only @ AllowedPorts::Only(_)) => only.clone(),
        (AllowedPorts::Only(a), AllowedPorts::Only(b)) => {
            AllowedPorts::Only(a.intersection(b).copied().collect())
        }
    }
}

impl Pass<'_> {
    /// `None`: the target is inert.
    pub(super) fn rules(&mut self, target: &TrafficTarget, routes: &Routes<'_>) -> Option<Granted> {
        let list = self.fields.rules;
        if target.rules.is_empty() {
            let path = FieldPath::root().fields(list);
            let message = "there are no rules, so the TrafficTarget allows nothing".to_owned();
            self.fault(codes::TARGET_NO_RULES, path, message, None);
            return None;
        }
        let mut granted = Some(Granted::default());
        let mut seen = BTreeSet::new();
        for (place, rule) in target.rules.iter().enumerate() {
            let field = Field::Item(list, place);
            let origin = Origin::field(self.object.clone(), field.clone());
            let name =
                Namespaced { namespace: self.name.namespace.clone(), name: Name::new(rule.name.clone()) };
            let inert = "so the TrafficTarget allows nothing";
            match &*rule.kind {
                "HTTPRouteGroup" => {
                    // A rule that stands again adds nothing but its size. Nearly all TrafficTargets have one.
                    let again = target.rules.len() > 1 && !seen.insert((&rule.name, &rule.matches));
                    let matches =
                        if again { Vec::new() } else { self.group_rule(rule, &name, routes, &field) };
                    if let Some(granted) = &mut granted {
                        granted.http.push(origin);
                        if granted.matches.is_empty() {
                            granted.matches = matches;
                        } else {
                            granted.matches.extend(matches);
                        }
                    }
                }
                "TCPRoute" | "UDPRoute" => {
                    let udp = &*rule.kind == "UDPRoute";
                    let known = if udp { &routes.udp } else { &routes.tcp };
                    match known.get(&name) {
                        // SPEC: S26. Leaving out a port route would widen what the others restrict.
                        None => {
                            self.missing_route(&field, rule, known, inert);
                            granted = None;
                        }
                        Some((allowed, _)) => {
                            if let Some(granted) = &mut granted {
                                let parts = if udp { &mut granted.udp } else { &mut granted.tcp };
                                parts.push((allowed.clone(), origin));
                            }
                        }
                    }
                }
                kind => {
                    let known = ["HTTPRouteGroup", "TCPRoute", "UDPRoute"];
                    self.unknown_kind(field.path().field("kind"), kind, &known, inert);
                    granted = None;
                }
            }
        }
        granted
    }

    fn missing_route<V>(
        &mut self,
        field: &Field,
        rule: &Rule,
        known: &BTreeMap<Namespaced, V>,
        effect: &str,
    ) {
        let namespace = self.name.namespace.clone();
        let known = of_namespace(known, &namespace).map(|(name, _)| name.as_str());
        let help = closest(&rule.name, known).map(|n| format!("did you mean `{n}`?"));
        let message =
            format!("there is no {} `{}` in namespace `{namespace}`, {effect}", rule.kind, rule.name);
        self.fault(codes::ROUTE_MISSING, field.path().field("name"), message, help);
    }

    fn group_rule(
        &mut self,
        rule: &Rule,
        name: &Namespaced,
        routes: &Routes<'_>,
        field: &Field,
    ) -> Vec<Arc<HttpMatch>> {
        let Some(group) = routes.groups.get(name) else {
            self.missing_route(field, rule, routes.groups, "so the rule allows nothing");
            return Vec::new();
        };
        // SPEC: S26. Absent and empty both mean all matches of the group.
        let Some(names) = rule.matches.as_ref().filter(|m| !m.is_empty()) else {
            return group.all().cloned().collect();
        };
        let mut out: Vec<Arc<HttpMatch>> = Vec::with_capacity(names.len());
        let mut seen = BTreeSet::new();
        for (place, wanted) in names.iter().enumerate() {
            let at = || field.path().field("matches").index(place);
            match group.named(wanted) {
                Ok(found) => out.extend(found.filter(|_| seen.insert(wanted)).cloned()),
                Err(NameFault::Ambiguous) => {
                    let message = format!(
                        "the name `{wanted}` stands twice in HTTPRouteGroup `{name}` and allows nothing"
                    );
                    self.fault(codes::MATCH_MISSING, at(), message, None);
                }
                Err(NameFault::Unknown) => {
                    let help = closest(wanted, group.names()).map(|n| format!("did you mean `{n}`?"));
                    let message = format!(
                        "HTTPRouteGroup `{name}` has no match `{wanted}`, which therefore allows nothing"
                    );
                    self.fault(codes::MATCH_MISSING, at(), message, help);
                }
            }
        }
        out
    }
}

// SPEC: S24. T: union of the TCPRoutes' ports; H: HTTP matches; U: union of the UDPRoutes' ports.
pub(super) fn combine(
    granted: Granted,
    restriction: &AllowedPorts,
    sources: Vec<SourceGrant>,
    origin: Origin,
) -> Grant {
    let Granted { matches, http, tcp, udp } = granted;
    let restricted = |ports: AllowedPorts| restricted(ports, restriction);
    let tcp_ports = restricted(if tcp.is_empty() { AllowedPorts::All } else { union(&tcp) });
    let condition = match (http.is_empty(), tcp.is_empty()) {
        (false, _) => Some(HttpCondition::AnyOf(matches)),
        (true, false) => Some(HttpCondition::Any),
        (true, true) => None,
    };
    let origins = |parts: &[(AllowedPorts, Origin)]| parts.iter().map(|(_, o)| o.clone()).collect::<Vec<_>>();
    let rules = GrantRules {
        http: if http.is_empty() { origins(&tcp) } else { http },
        tcp: origins(&tcp),
        udp: origins(&udp),
    };
    Grant {
        sources,
        http: condition.map(|condition| HttpGrant { ports: tcp_ports.clone(), condition }),
        tcp: (!tcp.is_empty()).then_some(tcp_ports),
        udp: (!udp.is_empty()).then(|| restricted(union(&udp))),
        rules,
        origin,
    }
}

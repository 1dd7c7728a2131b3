//! TrafficTargets → grants (S22–S28).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::matches::{Group, NameFault};
use super::workloads::{Workloads, is_usable};
use super::{CompileOptions, codes};
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::{Name, Namespace, Namespaced, Port, SpiffeId, of_namespace};
use crate::hub::{Hub, PortRoute, Rule, Subject, TrafficTarget};
use crate::ir::{
    AllowedPorts, Field, Grant, GrantRules, HttpCondition, HttpGrant, HttpMatch, Origin, Principal,
    SourceGrant,
};

/// Whose pods a grant is about.
pub(super) enum Destination {
    Account(Namespaced),
    Binding(Namespaced),
}

/// One grant per TrafficTarget that grants something; the others are reported and inert. Workloads learn which grants open them.
pub(super) fn grants(
    hub: &Hub,
    options: &CompileOptions,
    groups: &BTreeMap<Namespaced, Group>,
    workloads: &mut Workloads<'_>,
    report: &mut Report,
) -> BTreeMap<Namespaced, Grant> {
    let routes = Routes { tcp: ports(&hub.tcp_routes, report), udp: ports(&hub.udp_routes, report), groups };
    let mut identities = Identities::default();
    let mut out = Vec::with_capacity(hub.targets.len());
    for (name, target) in &hub.targets {
        let object = Arc::new(target.object_ref());
        let fields = Fields::of(target);
        let mut pass = Pass { hub, options, name, object, fields, identities: &mut identities, report };
        if let Some((grant, destination)) = pass.grant(target, &routes) {
            workloads.grant(name, &destination);
            out.push((name.clone(), grant));
        }
    }
    out.into_iter().collect()
}

/// Identities of service accounts, of which TrafficTargets name most again and again.
#[derive(Default)]
struct Identities(HashMap<Namespaced, SpiffeId>);

impl Identities {
    fn of(&mut self, account: Namespaced, trust_domain: &str) -> SpiffeId {
        let identity = |account: &Namespaced| SpiffeId::for_account(trust_domain, account);
        self.0.entry(account).or_insert_with_key(identity).clone()
    }
}

/// Where the parts of a TrafficTarget stand in its version.
#[derive(Clone, Copy)]
struct Fields {
    destination: &'static [&'static str],
    sources: &'static [&'static str],
    rules: &'static [&'static str],
}

impl Fields {
    fn of(target: &TrafficTarget) -> Self {
        match target.meta.version {
            "v1alpha1" => Self { destination: &["destination"], sources: &["sources"], rules: &["specs"] },
            _ => Self {
                destination: &["spec", "destination"],
                sources: &["spec", "sources"],
                rules: &["spec", "rules"],
            },
        }
    }
}

type Ports = BTreeMap<Namespaced, (AllowedPorts, Origin)>;

/// Routes that rules may name.
struct Routes<'g> {
    tcp: Ports,
    udp: Ports,
    groups: &'g BTreeMap<Namespaced, Group>,
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

/// One TrafficTarget.
struct Pass<'a> {
    hub: &'a Hub,
    options: &'a CompileOptions,
    name: &'a Namespaced,
    object: Arc<ObjectRef>,
    fields: Fields,
    identities: &'a mut Identities,
    report: &'a mut Report,
}

/// What the rules of a target grant, before ports are combined.
#[derive(Default)]
struct Granted {
    matches: Vec<Arc<HttpMatch>>,
    http: Vec<Origin>,
    tcp: Vec<(AllowedPorts, Origin)>,
    udp: Vec<(AllowedPorts, Origin)>,
}

impl Pass<'_> {
    /// The destination, as a path.
    fn destination_path(&self) -> FieldPath {
        FieldPath::root().fields(self.fields.destination)
    }

    fn fault(&mut self, code: Code, path: FieldPath, message: String, help: Option<String>) {
        let mut d = Diagnostic::new(code, &self.object, path, message);
        d.help = help;
        self.report.push(d);
    }

    fn grant(&mut self, target: &TrafficTarget, routes: &Routes<'_>) -> Option<(Grant, Destination)> {
        // All three are looked at, so that one run reports every fault.
        let destination = self.destination(target);
        let sources = self.sources(&target.sources);
        let rules = self.rules(target, routes);
        let (destination, granted) = (destination?, rules?);
        if sources.is_empty() {
            let path = FieldPath::root().fields(self.fields.sources);
            let message =
                if target.sources.is_empty() { "there are no sources" } else { "no source can be used" };
            self.fault(
                codes::TARGET_NO_SOURCES,
                path,
                format!("{message}, so the TrafficTarget allows nothing"),
                None,
            );
            return None;
        }
        let restriction = match target.destination.as_ref().and_then(|d| d.port) {
            None => AllowedPorts::All,
            Some(number) => match Port::from_i64(number) {
                Some(port) => AllowedPorts::Only(BTreeSet::from([port])),
                None => {
                    let path = self.destination_path().field("port");
                    let message = format!("{number} is not a port, so the TrafficTarget allows nothing");
                    self.fault(codes::BAD_PORT, path, message, None);
                    return None;
                }
            },
        };
        let grant = combine(granted, &restriction, sources, Origin::object(self.object.clone()));
        (grant.http.is_some() || grant.tcp.is_some() || grant.udp.is_some()).then_some((grant, destination))
    }

    fn destination(&mut self, target: &TrafficTarget) -> Option<Destination> {
        let inert = "so the TrafficTarget allows nothing";
        let Some(subject) = &target.destination else {
            let path = self.destination_path();
            self.fault(codes::TARGET_DESTINATION, path, format!("there is no destination, {inert}"), None);
            return None;
        };
        // SPEC: S23. Absent means the TrafficTarget's own; another one is not accepted.
        if let Some(namespace) =
            subject.namespace.as_ref().filter(|n| !n.is_empty() && ***n != *self.name.namespace.as_str())
        {
            let path = self.destination_path().field("namespace");
            let message = format!(
                "the destination is in namespace `{namespace}`, not in the TrafficTarget's own, {inert}"
            );
            let help = Some(format!("move the TrafficTarget to namespace `{namespace}`"));
            self.fault(codes::TARGET_DESTINATION, path, message, help);
            return None;
        }
        let name =
            Namespaced { namespace: self.name.namespace.clone(), name: Name::new(subject.name.clone()) };
        if let Some(group) = subject.foreign_group() {
            let path = self.destination_path().field("group");
            self.unknown_group(path, group, inert);
            return None;
        }
        match &*subject.kind {
            "ServiceAccount" => Some(Destination::Account(account(name))),
            "IdentityBinding" => {
                let Some(binding) = self.hub.bindings.get(&name) else {
                    let path = self.destination_path().field("name");
                    self.missing_binding(path, &name, inert);
                    return None;
                };
                match &binding.service_account {
                    _ if !is_usable(binding) => None,
                    Some(account) => Some(Destination::Account(Namespaced {
                        namespace: name.namespace,
                        name: Name::new(account.clone()),
                    })),
                    None if binding.pod_labels.is_some() => Some(Destination::Binding(name)),
                    None => {
                        let path = self.destination_path().field("name");
                        let message = format!("the IdentityBinding `{}` selects no pods, {inert}", name.name);
                        let help = Some("a destination needs `podLabelSelector` or `serviceAccount`".into());
                        self.fault(codes::TARGET_DESTINATION, path, message, help);
                        None
                    }
                }
            }
            kind => {
                let path = self.destination_path().field("kind");
                self.unknown_kind(path, kind, &["ServiceAccount", "IdentityBinding"], inert);
                None
            }
        }
    }

    fn unknown_kind(&mut self, path: FieldPath, kind: &str, known: &[&str], effect: &str) {
        let help = closest(kind, known.iter().copied()).map_or_else(
            || format!("known kinds are {}", known.join(", ")),
            |k| format!("did you mean `{k}`?"),
        );
        self.fault(codes::UNKNOWN_KIND, path, format!("the kind `{kind}` is unknown, {effect}"), Some(help));
    }

    fn unknown_group(&mut self, path: FieldPath, group: &str, effect: &str) {
        let help = Some("leave `group` out, or write `access.smi-spec.io`".to_owned());
        self.fault(codes::UNKNOWN_KIND, path, format!("the group `{group}` is unknown, {effect}"), help);
    }

    fn missing_binding(&mut self, path: FieldPath, name: &Namespaced, effect: &str) {
        let known = of_namespace(&self.hub.bindings, &name.namespace).map(|(name, _)| name.as_str());
        let help = closest(name.name.as_str(), known).map(|n| format!("did you mean `{n}`?"));
        self.fault(
            codes::SUBJECT_MISSING,
            path,
            format!("there is no IdentityBinding `{name}`, {effect}"),
            help,
        );
    }

    fn sources(&mut self, subjects: &[Subject]) -> Vec<SourceGrant> {
        let mut out: Vec<SourceGrant> = Vec::with_capacity(subjects.len());
        for (place, subject) in subjects.iter().enumerate() {
            let field = Field::Item(self.fields.sources, place);
            let origin = Origin::field(self.object.clone(), field.clone());
            self.principals(subject, &field, |principal| {
                out.push(SourceGrant { principal, origin: origin.clone() });
            });
        }
        // The first mention of each; the order of those that are equal is kept.
        out.sort_by(|a, b| a.principal.cmp(&b.principal));
        out.dedup_by(|again, first| again.principal == first.principal);
        out
    }

    fn principals(&mut self, subject: &Subject, field: &Field, mut found: impl FnMut(Principal)) {
        // SPEC: S23. A source without namespace is in the TrafficTarget's own.
        let namespace = match &subject.namespace {
            Some(n) if !n.is_empty() => Namespace::new(n.clone()),
            _ => self.name.namespace.clone(),
        };
        let trust_domain = &self.options.settings.trust_domain;
        let name = Namespaced { namespace, name: Name::new(subject.name.clone()) };
        if let Some(group) = subject.foreign_group() {
            self.unknown_group(field.path().field("group"), group, "so the source is nobody");
            return;
        }
        match &*subject.kind {
            "ServiceAccount" => found(Principal::Identity(self.identities.of(account(name), trust_domain))),
            "IdentityBinding" => {
                let Some(binding) = self.hub.bindings.get(&name) else {
                    self.missing_binding(field.path().field("name"), &name, "so the source is nobody");
                    return;
                };
                if !is_usable(binding) {
                    return;
                }
                if let Some(account) = &binding.service_account {
                    let account =
                        Namespaced { namespace: name.namespace.clone(), name: Name::new(account.clone()) };
                    found(Principal::Identity(self.identities.of(account, trust_domain)));
                }
                if binding.pod_labels.as_ref().is_some_and(|l| !l.is_empty()) {
                    found(Principal::Binding(name));
                }
                for (place, text) in binding.spiffe_ids.iter().flatten().enumerate() {
                    let at = FieldPath::root().fields(&["spec", "schemes", "spiffeIdentities"]).index(place);
                    let id = SpiffeId::parse(text);
                    let accepted = id.clone().or_else(|| SpiffeId::parse(&format!("spiffe://{text}")));
                    if id.is_none() {
                        let message = match &accepted {
                            Some(id) => format!("`{text}` has no scheme and is read as `{id}`"),
                            None => format!("`{text}` is not a SPIFFE ID and names nobody"),
                        };
                        self.report.push(Diagnostic::new(
                            codes::SPIFFE_FORM,
                            &binding.object_ref(),
                            at,
                            message,
                        ));
                    }
                    accepted.into_iter().for_each(|id| found(Principal::Identity(id)));
                }
            }
            // SPEC: S27. A source of unknown kind is nobody; the others stay. Case: access/s27-empty-and-unknown.
            kind => {
                let at = field.path().field("kind");
                let known = ["ServiceAccount", "IdentityBinding"];
                self.unknown_kind(at, kind, &known, "so the source is nobody");
            }
        }
    }

    /// `None`: the target is inert.
    fn rules(&mut self, target: &TrafficTarget, routes: &Routes<'_>) -> Option<Granted> {
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

// SPEC: S28. An empty service account is `default`.
fn account(name: Namespaced) -> Namespaced {
    if name.name.as_str().is_empty() { Namespaced { name: Name::from("default"), ..name } } else { name }
}

// SPEC: S24. T: union of the TCPRoutes' ports; H: HTTP matches; U: union of the UDPRoutes' ports.
fn combine(granted: Granted, restriction: &AllowedPorts, sources: Vec<SourceGrant>, origin: Origin) -> Grant {
    let Granted { matches, http, tcp, udp } = granted;
    let union = |parts: &[(AllowedPorts, Origin)]| {
        parts.iter().fold(AllowedPorts::Only(BTreeSet::new()), |all, (part, _)| match (all, part) {
            (AllowedPorts::All, _) | (_, AllowedPorts::All) => AllowedPorts::All,
            (AllowedPorts::Only(a), AllowedPorts::Only(b)) => {
                AllowedPorts::Only(a.union(b).copied().collect())
            }
        })
    };
    let restricted = |ports: AllowedPorts| match (ports, restriction) {
        (ports, AllowedPorts::All) => ports,
        (AllowedPorts::All, only @ AllowedPorts::Only(_)) => only.clone(),
        (AllowedPorts::Only(a), AllowedPorts::Only(b)) => {
            AllowedPorts::Only(a.intersection(b).copied().collect())
        }
    };
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

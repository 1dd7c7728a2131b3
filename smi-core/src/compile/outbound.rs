//! TrafficSplits → routes (S13–S20).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::matches::Group;
use super::{CompileOptions, DeadBackends, codes};
use crate::cluster::{Cluster, ServiceKind};
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::{Name, Namespaced, of_namespace};
use crate::hub::{Hub, Moment, TrafficSplit};
use crate::ir::{
    Field, HttpMatch, Methods, Origin, Pool, PoolKey, Protocol, Route, RouteCondition, Service, ServicePort,
    Target,
};

/// A split whose references hold.
struct Accepted<'h, 's> {
    root: (&'s Namespaced, &'s Service),
    split: &'h TrafficSplit,
    object: Arc<ObjectRef>,
    /// `None`: unconditional.
    condition: Option<Vec<Arc<HttpMatch>>>,
    /// Each Service once, in order of mention.
    backends: Vec<Backend<'s>>,
}

/// A Service that a split names, with the sum of its weights and the place of its first mention.
struct Backend<'s> {
    name: &'s Namespaced,
    service: &'s Service,
    weight: u64,
    place: usize,
}

/// Keys of the list of backends.
const BACKENDS: &[&str] = &["spec", "backends"];

pub(super) fn routes(
    (hub, cluster): (&Hub, &Cluster),
    groups: &BTreeMap<Namespaced, Group>,
    pools: &BTreeMap<PoolKey, Pool>,
    options: &CompileOptions,
    services: &mut BTreeMap<Namespaced, Service>,
    report: &mut Report,
) {
    let known = &*services;
    let mut splits: Vec<Accepted<'_, '_>> = Vec::with_capacity(hub.splits.len());
    for (name, split) in &hub.splits {
        let object = Arc::new(split.object_ref());
        let mut pass = Pass { name, object, cluster, services: known, options, report };
        splits.extend(pass.accept(split, groups));
    }
    splits.sort_by(|a, b| a.root.0.cmp(b.root.0));
    // Routes of each root by the place of its port, in order of precedence.
    let mut built: Vec<(Namespaced, Vec<(usize, Route)>)> = Vec::with_capacity(splits.len());
    for same in splits.chunk_by_mut(|a, b| a.root.0 == b.root.0) {
        let Some((root, service)) = same.first().map(|s| s.root) else { continue };
        let splits = in_order_of_precedence(same, report);
        let mut routes = Vec::with_capacity(service.ports.len() * splits.len());
        for (place, port) in service.ports.iter().enumerate() {
            for accepted in splits {
                if accepted.condition.is_some() && !matches!(port.protocol, Protocol::Http(_)) {
                    continue;
                }
                let targets = targets(accepted, port, pools, options, report);
                if let Some(route) = targets.map(|targets| route(accepted, targets)) {
                    routes.push((place, route));
                }
            }
        }
        built.push((root.clone(), routes));
    }
    // Both are in the order of names, so that one walk over the services finds all roots.
    let mut built = built.into_iter().peekable();
    for (name, service) in services.iter_mut() {
        let Some((_, routes)) = built.next_if(|(root, _)| root == name) else { continue };
        for (place, route) in routes {
            let Some(port) = service.ports.get_mut(place) else { continue };
            match route.condition {
                // Before the last one, which serves everything else.
                RouteCondition::AnyOf(_) => port.routes.insert(port.routes.len().saturating_sub(1), route),
                RouteCondition::Everything => {
                    port.routes.pop();
                    port.routes.push(route);
                }
            }
        }
    }
}

fn route(accepted: &Accepted<'_, '_>, targets: Vec<Target>) -> Route {
    Route {
        condition: accepted.condition.clone().map_or(RouteCondition::Everything, RouteCondition::AnyOf),
        targets,
        origin: Origin::object(accepted.object.clone()),
    }
}

/// When a split was created.
fn created(accepted: &Accepted<'_, '_>, report: &mut Report) -> Option<Moment> {
    let text = accepted.split.meta.created.as_ref()?;
    let moment = Moment::parse(text);
    if moment.is_none() {
        let path = FieldPath::root().fields(&["metadata", "creationTimestamp"]);
        let message = format!("`{text}` is not a time, so the split counts as the newest");
        let diagnostic = Diagnostic::new(codes::BAD_TIME, &accepted.object, path, message);
        report.push(diagnostic.with_help("write it as in `2024-01-01T00:00:00Z`, or remove it"));
    }
    moment
}

/// How many tests a match makes.
fn tests(m: &HttpMatch) -> usize {
    usize::from(m.path.is_some()) + usize::from(m.methods != Methods::Any) + m.headers.len()
}

/// S18: conditional ones first, more conditions first, then the oldest, then by name. Of unconditional ones the first holds; the others are
/// reported and left out.
fn in_order_of_precedence<'a, 'h, 's>(
    splits: &'a mut [Accepted<'h, 's>],
    report: &mut Report,
) -> &'a [Accepted<'h, 's>] {
    // SPEC: S18. Conditions are the tests (path, methods, each header) of all matches. A split that was never created (a manifest), or
    // at a time that cannot be read, is newer than any that was. Case: split/s18-precedence.
    splits.sort_by_cached_key(|s| {
        let conditions: usize = s.condition.iter().flatten().map(|m| tests(m)).sum();
        let created = created(s, report);
        (
            s.condition.is_none(),
            std::cmp::Reverse(conditions),
            created.is_none(),
            created,
            s.split.meta.name.clone(),
        )
    });
    let conditional = splits.partition_point(|s| s.condition.is_some());
    let (holding, others) = splits.split_at(splits.len().min(conditional + 1));
    let [.., first] = holding else { return holding };
    for other in others {
        let path = FieldPath::root().fields(&["spec", "service"]);
        let message = format!(
            "`{}` already is split unconditionally, so this split is not accepted",
            other.split.service
        );
        report.push(Diagnostic::new(codes::SPLIT_SECOND, &other.object, path.clone(), message).with_related(
            "the split that holds",
            &first.object,
            path,
        ));
    }
    holding
}

struct Pass<'a, 's> {
    name: &'a Namespaced,
    object: Arc<ObjectRef>,
    cluster: &'a Cluster,
    services: &'s BTreeMap<Namespaced, Service>,
    options: &'a CompileOptions,
    report: &'a mut Report,
}

impl<'s> Pass<'_, 's> {
    fn fault(&mut self, code: Code, path: FieldPath, message: String, help: Option<String>) {
        let mut d = Diagnostic::new(code, &self.object, path, message);
        d.help = help;
        self.report.push(d);
    }

    fn in_namespace(&self, name: impl Into<Arc<str>>) -> Namespaced {
        Namespaced { namespace: self.name.namespace.clone(), name: Name::new(name) }
    }

    fn similar(&self, name: &str) -> Option<String> {
        let namespace = &self.name.namespace;
        let known = of_namespace(self.services, namespace).map(|(name, _)| name.as_str());
        closest(name, known).map(|n| format!("did you mean `{n}`?"))
    }

    /// Why a Service that was named cannot be used.
    fn unusable(&self, name: &Namespaced) -> (String, Option<String>) {
        match self.cluster.services.get(name).map(|service| &service.kind) {
            Some(ServiceKind::ExternalName(_)) => {
                (format!("Service `{name}` is an ExternalName, which has no pods"), None)
            }
            _ => (format!("there is no Service `{name}`"), self.similar(name.name.as_str())),
        }
    }

    fn accept<'h>(
        &mut self,
        split: &'h TrafficSplit,
        groups: &BTreeMap<Namespaced, Group>,
    ) -> Option<Accepted<'h, 's>> {
        let root = self.root(split);
        let condition = self.condition(split, groups);
        let backends = self.backends(split);
        let (root, condition, backends) = (root?, condition?, backends?);
        let http = root.1.ports.iter().any(|port| matches!(port.protocol, Protocol::Http(_)));
        if root.1.ports.is_empty() || (condition.is_some() && !http) {
            let what =
                if root.1.ports.is_empty() { "no ports" } else { "no HTTP port to have conditions on" };
            let message = format!("Service `{}` has {what}, so the split has no effect", root.0);
            self.fault(
                codes::SPLIT_ROOT_PORTS,
                FieldPath::root().fields(&["spec", "service"]),
                message,
                None,
            );
        }
        Some(Accepted { root, split, object: self.object.clone(), condition, backends })
    }

    // SPEC: S13. `name`, `name.namespace`, `name.namespace.svc`, `name.namespace.svc.<cluster domain>`.
    fn root(&mut self, split: &TrafficSplit) -> Option<(&'s Namespaced, &'s Service)> {
        let path = || FieldPath::root().fields(&["spec", "service"]);
        let text = &*split.service;
        let own = &self.name.namespace;
        let (name, rest) = text.split_once('.').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let understood = match rest {
            None => true,
            Some(rest) => {
                let rest = rest.strip_suffix('.').unwrap_or(rest);
                let tail = rest.strip_prefix(own.as_str());
                tail.is_some_and(|t| {
                    t.is_empty()
                        || t == ".svc"
                        || t.strip_prefix(".svc.") == Some(&*self.options.settings.cluster_domain)
                })
            }
        };
        if !understood || name.is_empty() {
            let message = format!(
                "`{text}` does not name a Service of namespace `{own}`, so the split is not accepted"
            );
            let help = Some(format!("write the name of the Service alone, or `{name}.{own}`"));
            self.fault(codes::SPLIT_ROOT_FORM, path(), message, help);
            return None;
        }
        let root = match rest {
            None => self.in_namespace(split.service.clone()),
            Some(_) => self.in_namespace(name),
        };
        let found = self.services.get_key_value(&root);
        if found.is_none() {
            let (why, help) = self.unusable(&root);
            self.fault(
                codes::SPLIT_ROOT_MISSING,
                path(),
                format!("{why}, so the split is not accepted"),
                help,
            );
        }
        found
    }

    /// The outer `None`: not accepted (S17).
    fn condition(
        &mut self,
        split: &TrafficSplit,
        groups: &BTreeMap<Namespaced, Group>,
    ) -> Option<Option<Vec<Arc<HttpMatch>>>> {
        let Some(references) = split.matches.as_ref().filter(|m| !m.is_empty()) else { return Some(None) };
        let mut out = Some(Vec::new());
        for (place, reference) in references.iter().enumerate() {
            let path = |key| FieldPath::root().fields(&["spec", "matches"]).index(place).field(key);
            let name = self.in_namespace(reference.name.clone());
            // SPEC: S17. Of a foreign group it is another kind, whatever it is called. Test: s17_a_condition_of_a_foreign_group_is_unresolved.
            if let Some(group) =
                reference.api_group.as_deref().filter(|g| !matches!(*g, "" | "specs.smi-spec.io"))
            {
                let message = format!("the group `{group}` is unknown, so the split is not accepted");
                let help = Some("leave `apiGroup` out, or write `specs.smi-spec.io`".into());
                self.fault(codes::SPLIT_GROUP_MISSING, path("apiGroup"), message, help);
                out = None;
                continue;
            }
            if &*reference.kind != "HTTPRouteGroup" {
                let message =
                    format!("the kind `{}` is unknown, so the split is not accepted", reference.kind);
                let help = Some("conditions are HTTPRouteGroups".into());
                self.fault(codes::SPLIT_GROUP_MISSING, path("kind"), message, help);
                out = None;
                continue;
            }
            match groups.get(&name) {
                Some(group) => {
                    if let Some(out) = &mut out {
                        out.extend(group.all().cloned());
                    }
                }
                None => {
                    let known = of_namespace(groups, &name.namespace).map(|(name, _)| name.as_str());
                    let help = closest(&reference.name, known).map(|n| format!("did you mean `{n}`?"));
                    let message =
                        format!("there is no HTTPRouteGroup `{name}`, so the split is not accepted");
                    self.fault(codes::SPLIT_GROUP_MISSING, path("name"), message, help);
                    out = None;
                }
            }
        }
        out.map(Some)
    }

    // SPEC: S15. A faulty weight makes the whole split unaccepted: leaving out one backend would invent a ratio.
    // Case: split/s15-a-negative-weight-is-not-accepted.
    fn backends(&mut self, split: &TrafficSplit) -> Option<Vec<Backend<'s>>> {
        let path = |place, key| Field::Item(BACKENDS, place).path().field(key);
        let mut out: Vec<Backend<'s>> = Vec::with_capacity(split.backends.len());
        let mut places: BTreeMap<&Namespaced, usize> = BTreeMap::new();
        let mut sound = true;
        for (place, backend) in split.backends.iter().enumerate() {
            let name = self.in_namespace(backend.service.clone());
            let Ok(weight) = u32::try_from(backend.weight) else {
                let message =
                    format!("the weight {} is out of range, so the split is not accepted", backend.weight);
                let help = Some("weights are whole numbers from 0 to 4294967295".into());
                self.fault(codes::SPLIT_WEIGHT, path(place, "weight"), message, help);
                sound = false;
                continue;
            };
            let weight = u64::from(weight);
            let Some((name, service)) = self.services.get_key_value(&name) else {
                let (why, help) = self.unusable(&name);
                let message = format!("{why}, so this backend is left out and the others share its traffic");
                self.fault(codes::SPLIT_BACKEND_UNUSABLE, path(place, "service"), message, help);
                continue;
            };
            let first = *places.entry(name).or_insert(out.len());
            match out.get_mut(first) {
                Some(first) => first.weight += weight,
                None => out.push(Backend { name, service, weight, place }),
            }
        }
        if sound && out.iter().all(|b| b.weight == 0) {
            let message = "no backend takes traffic, so the split is not accepted".to_owned();
            self.fault(codes::SPLIT_NOTHING_LEFT, Field::Known(BACKENDS).path(), message, None);
            return None;
        }
        sound.then_some(out)
    }
}

/// Targets of one root port; `None`: the split is not accepted for it (S14, S15, S20).
fn targets(
    accepted: &Accepted<'_, '_>,
    root: &ServicePort,
    pools: &BTreeMap<PoolKey, Pool>,
    options: &CompileOptions,
    report: &mut Report,
) -> Option<Vec<Target>> {
    let ServicePort { port, transport, protocol, .. } = root;
    let mut fault = |code, field: FieldPath, message: String| {
        report.push(Diagnostic::new(code, &accepted.object, field, message));
    };
    let mut usable: Vec<(PoolKey, &Backend<'_>)> = Vec::with_capacity(accepted.backends.len());
    for backend in &accepted.backends {
        let found = backend.service.port(*port, *transport);
        // SPEC: S14. A port of another protocol (HTTP against TCP) counts as lacking: the same bytes would mean something else.
        // Test: s14_a_port_of_another_protocol_is_lacking.
        if found.is_some_and(|p| std::mem::discriminant(&p.protocol) == std::mem::discriminant(protocol)) {
            let pool = PoolKey { service: backend.name.clone(), port: *port, transport: *transport };
            usable.push((pool, backend));
        } else {
            let what = if found.is_some() { "speaks another protocol on" } else { "has no" };
            let message =
                format!("Service `{}` {what} port {port}, so it is left out for that port", backend.name);
            fault(
                codes::SPLIT_BACKEND_UNUSABLE,
                Field::Item(BACKENDS, backend.place).path().field("service"),
                message,
            );
        }
    }
    if options.dead_backends == DeadBackends::Drop {
        let alive =
            |(pool, _): &(PoolKey, &Backend<'_>)| pools.get(pool).is_some_and(|p| p.ready().next().is_some());
        if usable.iter().any(|u| u.1.weight > 0 && alive(u)) {
            // SPEC: S20. Never in silence. Test: s20_dropped_backends_are_named.
            for (_, dead) in usable.iter().filter(|u| u.1.weight > 0 && !alive(u)) {
                let message = format!(
                    "Service `{}` has no ready endpoint on port {port}, so the others share its weight of {}",
                    dead.name, dead.weight
                );
                let path = Field::Item(BACKENDS, dead.place).path().field("service");
                fault(codes::SPLIT_BACKEND_UNUSABLE, path, message);
            }
            usable.retain(alive);
        }
    }
    let divisor = usable.iter().map(|u| u.1.weight).fold(0, gcd);
    if divisor == 0 {
        let message = format!("no backend takes traffic of port {port}, so the split is not accepted for it");
        fault(codes::SPLIT_NOTHING_LEFT, Field::Known(BACKENDS).path(), message);
        return None;
    }
    let sum: u64 = usable.iter().map(|u| u.1.weight / divisor).sum();
    if u32::try_from(sum).is_err() {
        let message = format!(
            "the weights add up to {sum}, which does not fit in 32 bits, so the split is not accepted"
        );
        fault(codes::SPLIT_WEIGHT, Field::Known(BACKENDS).path(), message);
        return None;
    }
    let target = |(pool, backend): (PoolKey, &Backend<'_>)| {
        let origin = Origin::field(accepted.object.clone(), Field::Item(BACKENDS, backend.place));
        // Each weight is at most the sum, which fits.
        Target { pool, weight: u32::try_from(backend.weight / divisor).unwrap_or(u32::MAX), origin }
    };
    Some(usable.into_iter().map(target).collect())
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

//! The hub to wire objects, with what the version cannot say.

use std::sync::Arc;

use super::{ConvertOptions, HubObject, Loss, LossKind};
use crate::api::{AnyObject, HeaderForm, Headers, ObjectMeta, Quantity, access, specs, split};
use crate::diag::FieldPath;
use crate::hub::names::Transport;
use crate::hub::{PortRoute, RouteGroup, Rule, Subject, TrafficSplit, TrafficTarget};

/// No service account and no Service can be called so.
const NOBODY: &str = "nobody~";

/// No path is matched by this, in any engine.
const NO_PATH: &str = "$.";

/// A wire object and what it cannot say.
pub(super) struct Written {
    pub(super) object: AnyObject,
    pub(super) losses: Vec<Loss>,
}

fn path(fields: &[&'static str]) -> FieldPath {
    FieldPath::root().fields(fields)
}

impl HubObject {
    /// Writes the object in a version that its kind has. `source` gives metadata and header forms; `narrow` chooses the narrower form
    /// of what would widen.
    pub(super) fn write(
        &self,
        source: &AnyObject,
        version: &str,
        options: &ConvertOptions,
        narrow: bool,
    ) -> Written {
        let mut losses = Vec::new();
        let meta = source.metadata().clone();
        let object = match self {
            Self::Target(target) => write_target(target, meta, version, narrow, &mut losses),
            Self::Binding(_) => source.clone(),
            Self::Group(group) => {
                let form = options.header_form.unwrap_or_default();
                write_group(group, meta, version, form, narrow, &mut losses)
            }
            Self::Ports(route) => write_ports(route, meta, version, &mut losses),
            Self::Split(split) => write_split(split, meta, version, source, narrow, &mut losses),
        };
        Written { object, losses }
    }
}

fn rules(rules: &[Rule]) -> Vec<access::Rule> {
    rules
        .iter()
        .map(|r| access::Rule { kind: r.kind.clone(), name: r.name.clone(), matches: r.matches.clone() })
        .collect()
}

fn with_port(s: &Subject) -> access::SubjectWithPort {
    access::SubjectWithPort {
        kind: s.kind.clone(),
        name: s.name.clone(),
        namespace: s.namespace.clone(),
        port: s.port,
    }
}

/// The target with subjects that the version can say. Before v1alpha4 a subject is a service account whatever its `kind` says, for more
/// than one reader, so that a binding or a subject of a foreign group would become an account of the same name.
fn subjects(target: &TrafficTarget, version: &str, narrow: bool, losses: &mut Vec<Loss>) -> TrafficTarget {
    let mut target = target.clone();
    if version == "v1alpha4" {
        return target;
    }
    let mut respelled = false;
    let mut sayable = |subject: &Subject, place: FieldPath, losses: &mut Vec<Loss>| {
        let message = match &subject.group {
            _ if subject.foreign_group().is_some() => {
                let group = subject.foreign_group().unwrap_or_default();
                format!(
                    "{version} has no `group` in subjects, so `{group}` `{}` would become a service account",
                    subject.name
                )
            }
            _ if &*subject.kind == "IdentityBinding" => {
                format!(
                    "{version} has no IdentityBinding, so `{}` could be taken for a service account",
                    subject.name
                )
            }
            group => {
                respelled |= group.is_some();
                return true;
            }
        };
        losses.push(Loss { kind: LossKind::WidensOrNarrow, path: place, message });
        !narrow
    };
    let mut place = 0;
    target.sources.retain(|s| {
        let at = path(&["spec", "sources"]).index(place);
        place += 1;
        sayable(s, at, losses)
    });
    target.destination = target.destination.filter(|d| sayable(d, path(&["spec", "destination"]), losses));
    if respelled {
        losses.push(Loss {
            kind: LossKind::Respells,
            path: path(&["spec"]),
            message: format!("{version} has no `group` in subjects"),
        });
    }
    target
}

fn write_target(
    target: &TrafficTarget,
    meta: ObjectMeta,
    version: &str,
    narrow: bool,
    losses: &mut Vec<Loss>,
) -> AnyObject {
    let mut kept = target.rules.clone();
    let mut inert = false;
    let has_port = matches!(version, "v1alpha1" | "v1alpha2");
    if !has_port && target.destination.as_ref().is_some_and(|d| d.port.is_some()) {
        losses.push(Loss {
            kind: LossKind::WidensOrNarrow,
            path: path(&["spec", "destination", "port"]),
            message: format!("{version} has no `destination.port`, so the grant would hold on every port"),
        });
        inert |= narrow;
    }
    if !has_port && target.sources.iter().any(|s| s.port.is_some()) {
        losses.push(Loss {
            kind: LossKind::Respells,
            path: path(&["spec", "sources"]),
            message: format!("{version} has no `port` in sources, where it has no meaning"),
        });
    }
    if has_port {
        let udp = |r: &Rule| &*r.kind == "UDPRoute";
        for (place, rule) in target.rules.iter().enumerate().filter(|(_, r)| udp(r)) {
            losses.push(Loss {
                // SPEC: S2, S26: a rule whose UDPRoute is missing makes the whole target inert, so leaving it out may open the others.
                kind: LossKind::WidensOrNarrow,
                path: path(&["spec", "rules"]).index(place),
                message: format!("{version} has no UDPRoute, so the rule `{}` would be left out", rule.name),
            });
        }
        inert |= narrow && kept.iter().any(udp);
        kept.retain(|r| !udp(r));
    }
    let mut sayable = subjects(target, version, narrow, losses);
    inert |= narrow
        && ((sayable.destination.is_none() && target.destination.is_some())
            || (sayable.sources.is_empty() && !target.sources.is_empty()));
    if inert {
        // SPEC: S2. Without rules it would open its destination in Traefik Mesh, without sources in Open Service Mesh, and without
        // destination the official CRD refuses it. Nobody can have this account. Test: s2_what_is_narrowed_is_inert_in_every_mesh.
        kept.clear();
        sayable.sources.clear();
        let namespace = target.destination.as_ref().and_then(|d| d.namespace.clone());
        sayable.destination = Some(Subject {
            kind: "ServiceAccount".into(),
            group: None,
            name: NOBODY.into(),
            namespace,
            port: None,
        });
    }
    let target = &sayable;
    match version {
        "v1alpha1" => access::v1alpha1::TrafficTarget::new(
            meta,
            target.destination.as_ref().map(with_port),
            rules(&kept),
            target.sources.iter().map(with_port).collect(),
        )
        .into(),
        "v1alpha2" => {
            let spec = access::v1alpha2::Spec {
                destination: target.destination.as_ref().map(with_port),
                rules: rules(&kept),
                sources: target.sources.iter().map(with_port).collect(),
            };
            access::v1alpha2::TrafficTarget::new(meta, Some(spec)).into()
        }
        "v1alpha3" => {
            let subject = |s: &Subject| access::Subject {
                kind: s.kind.clone(),
                name: s.name.clone(),
                namespace: s.namespace.clone(),
            };
            let spec = access::v1alpha3::Spec {
                destination: target.destination.as_ref().map(subject),
                rules: rules(&kept),
                sources: target.sources.iter().map(subject).collect(),
            };
            access::v1alpha3::TrafficTarget::new(meta, Some(spec)).into()
        }
        _ => {
            let subject = |s: &Subject| access::SubjectWithGroup {
                kind: s.kind.clone(),
                group: s.group.clone(),
                name: s.name.clone(),
                namespace: s.namespace.clone(),
            };
            let spec = access::v1alpha4::Spec {
                destination: target.destination.as_ref().map(subject),
                rules: rules(&kept),
                sources: target.sources.iter().map(subject).collect(),
            };
            access::v1alpha4::TrafficTarget::new(meta, Some(spec)).into()
        }
    }
}

fn write_group(
    group: &RouteGroup,
    meta: ObjectMeta,
    version: &str,
    form: HeaderForm,
    narrow: bool,
    losses: &mut Vec<Loss>,
) -> AnyObject {
    let mut matches = Vec::with_capacity(group.matches.len());
    for (place, m) in group.matches.iter().enumerate() {
        let at = || path(&["spec", "matches"]).index(place).field("headers");
        let mut headers = m.headers.as_ref();
        let mut path_regex = m.path_regex.clone();
        if version == "v1alpha1" && headers.is_some_and(|h| !h.is_empty()) {
            losses.push(Loss {
                kind: LossKind::WidensOrNarrow,
                path: at(),
                message: format!(
                    "{version} has no `headers`, so the match `{}` would hold without them",
                    m.name
                ),
            });
            if narrow {
                // SPEC: S2. Leaving the match out could leave a group empty, which opens everything in Traefik Mesh, or make a name
                // unique that stood twice (S26). Test: s2_a_match_that_cannot_be_said_takes_nothing.
                path_regex = Some(NO_PATH.into());
            }
            headers = None;
        }
        let mut form = form;
        let mut seen = std::collections::BTreeSet::new();
        if form == HeaderForm::Map && headers.is_some_and(|h| !h.iter().all(|(name, _)| seen.insert(name))) {
            losses.push(Loss {
                kind: LossKind::Respells,
                path: at(),
                message: "a map cannot hold a header twice, so these stay a list".into(),
            });
            form = HeaderForm::List;
        }
        matches.push(specs::HttpMatch {
            name: m.name.clone(),
            path_regex,
            methods: m.methods.clone(),
            headers: headers.map(|entries| Headers { form, entries: entries.clone() }),
        });
    }
    match version {
        "v1alpha1" => specs::v1alpha1::HttpRouteGroup::new(meta, matches).into(),
        "v1alpha2" => specs::v1alpha2::HttpRouteGroup::new(meta, matches).into(),
        "v1alpha3" => {
            specs::v1alpha3::HttpRouteGroup::new(meta, Some(specs::v1alpha3::HttpRouteGroupSpec { matches }))
                .into()
        }
        _ => {
            specs::v1alpha4::HttpRouteGroup::new(meta, Some(specs::v1alpha4::HttpRouteGroupSpec { matches }))
                .into()
        }
    }
}

fn write_ports(route: &PortRoute, meta: ObjectMeta, version: &str, losses: &mut Vec<Loss>) -> AnyObject {
    if version != "v1alpha4" && route.ports.as_ref().is_some_and(|p| !p.is_empty()) {
        losses.push(Loss {
            kind: LossKind::Widens,
            path: path(&["spec", "matches", "ports"]),
            message: format!("{version} has no ports, so the route would mean every port"),
        });
    }
    match (version, route.transport) {
        ("v1alpha1", _) => specs::v1alpha1::TcpRoute::new(meta).into(),
        ("v1alpha2", _) => specs::v1alpha2::TcpRoute::new(meta).into(),
        ("v1alpha3", _) => {
            specs::v1alpha3::TcpRoute::new(meta, Some(specs::v1alpha3::TcpRouteSpec {})).into()
        }
        (_, transport) => {
            // The official CRD requires the key, so all ports are written as an empty list.
            let ports = Some(route.ports.clone().unwrap_or_default());
            let matches = Some(specs::PortMatch { name: route.name.clone(), ports });
            let spec = Some(specs::v1alpha4::PortRouteSpec { matches });
            match transport {
                Transport::Tcp => specs::v1alpha4::TcpRoute::new(meta, spec).into(),
                Transport::Udp => specs::v1alpha4::UdpRoute::new(meta, spec).into(),
            }
        }
    }
}

fn write_split(
    split: &TrafficSplit,
    meta: ObjectMeta,
    version: &str,
    source: &AnyObject,
    narrow: bool,
    losses: &mut Vec<Loss>,
) -> AnyObject {
    let conditional = split.matches.as_ref().is_some_and(|m| !m.is_empty());
    let mut service = split.service.clone();
    let backends: Vec<(Arc<str>, i64)> =
        split.backends.iter().map(|b| (b.service.clone(), b.weight)).collect();
    if conditional && matches!(version, "v1alpha1" | "v1alpha2") {
        losses.push(Loss {
            kind: LossKind::WidensOrNarrow,
            path: path(&["spec", "matches"]),
            message: format!("{version} has no `matches`, so the split would hold for every request"),
        });
        if narrow {
            // SPEC: S14, S18. A split of this root, whatever its backends, could take the place of its unconditional one. One of a root
            // that cannot exist is accepted by nobody. Test: s02_a_narrowed_split_leaves_the_others_alone.
            service = NOBODY.into();
        }
    }
    if let AnyObject::TrafficSplitV1alpha1(wire) = source {
        let texts = wire.spec.iter().flat_map(|s| &s.backends).map(|b| b.weight.as_str().to_owned());
        if version != "v1alpha1" && !texts.eq(split.backends.iter().map(|b| b.weight.to_string())) {
            losses.push(Loss {
                kind: LossKind::Respells,
                path: path(&["spec", "backends"]),
                message: "the weights are scaled to whole numbers in the same ratio".into(),
            });
        }
    }
    let whole = |backends: Vec<(Arc<str>, i64)>| {
        backends.into_iter().map(|(service, weight)| split::v1alpha2::Backend { service, weight }).collect()
    };
    let match_ref = |m: &crate::hub::MatchRef| split::v1alpha3::MatchRef {
        api_group: m.api_group.clone(),
        kind: m.kind.clone(),
        name: m.name.clone(),
    };
    let matches = || split.matches.as_ref().map(|matches| matches.iter().map(match_ref).collect());
    match version {
        "v1alpha1" => {
            let backends = backends.into_iter().map(|(service, weight)| split::v1alpha1::Backend {
                service,
                weight: Quantity::new(weight.to_string()),
            });
            let spec = split::v1alpha1::Spec { service, backends: backends.collect() };
            split::v1alpha1::TrafficSplit::new(meta, Some(spec)).into()
        }
        "v1alpha2" => {
            let spec = split::v1alpha2::Spec { service, backends: whole(backends) };
            split::v1alpha2::TrafficSplit::new(meta, Some(spec)).into()
        }
        "v1alpha3" => {
            let spec = split::v1alpha3::Spec { service, backends: whole(backends), matches: matches() };
            split::v1alpha3::TrafficSplit::new(meta, Some(spec)).into()
        }
        _ => {
            let spec = split::v1alpha4::Spec { service, backends: whole(backends), matches: matches() };
            split::v1alpha4::TrafficSplit::new(meta, Some(spec)).into()
        }
    }
}

//! TrafficTargets → grants (S22–S28).
//!
//! - `subjects`: who may call, and whose pods · `rules`: what they may do there

mod rules;
mod subjects;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::matches::Group;
use super::workloads::{Destination, Workloads};
use super::{CompileOptions, codes};
use crate::diag::suggest::closest;
use crate::diag::{Code, Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::{Namespaced, Port};
use crate::hub::{Hub, TrafficTarget};
use crate::ir::{AllowedPorts, Grant, Origin};

use rules::{Routes, combine};
use subjects::Identities;

/// One grant per TrafficTarget that grants something; the others are reported and inert. Workloads learn which grants open them.
pub(super) fn grants(
    hub: &Hub,
    options: &CompileOptions,
    groups: &BTreeMap<Namespaced, Group>,
    workloads: &mut Workloads<'_>,
    report: &mut Report,
) -> BTreeMap<Namespaced, Grant> {
    let routes = Routes::of(hub, groups, report);
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
        for kind in granted.unmet(&restriction) {
            let path = self.destination_path().field("port");
            let message = format!("no {kind} of the rules has this port, so they allow nothing");
            self.fault(codes::DESTINATION_PORT_UNMET, path, message, None);
        }
        let grant = combine(granted, &restriction, sources, Origin::object(self.object.clone()));
        (grant.http.is_some() || grant.tcp.is_some() || grant.udp.is_some()).then_some((grant, destination))
    }

    fn unknown_kind(&mut self, path: FieldPath, kind: &str, known: &[&str], effect: &str) {
        let help = closest(kind, known.iter().copied()).map_or_else(
            || format!("known kinds are {}", known.join(", ")),
            |k| format!("did you mean `{k}`?"),
        );
        self.fault(codes::UNKNOWN_KIND, path, format!("the kind `{kind}` is unknown, {effect}"), Some(help));
    }
}

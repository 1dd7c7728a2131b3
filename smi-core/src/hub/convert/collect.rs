//! Many wire objects to one hub.

use std::collections::BTreeMap;

use super::{HubObject, codes, keep};
use crate::api::AnyObject;
use crate::diag::{Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::{Namespaced, Transport};
use crate::hub::{Hub, IdentityBinding, Meta, PortRoute, RouteGroup, TrafficSplit, TrafficTarget};

/// Objects as they come, by kind.
#[derive(Default)]
struct Lists {
    targets: Vec<(Namespaced, TrafficTarget)>,
    bindings: Vec<(Namespaced, IdentityBinding)>,
    groups: Vec<(Namespaced, RouteGroup)>,
    tcp: Vec<(Namespaced, PortRoute)>,
    udp: Vec<(Namespaced, PortRoute)>,
    splits: Vec<(Namespaced, TrafficSplit)>,
}

impl Lists {
    fn push(&mut self, object: HubObject) {
        let name = object.meta().name.clone();
        match object {
            HubObject::Target(o) => self.targets.push((name, o)),
            HubObject::Binding(o) => self.bindings.push((name, o)),
            HubObject::Group(o) => self.groups.push((name, o)),
            HubObject::Ports(o) if o.transport == Transport::Tcp => self.tcp.push((name, o)),
            HubObject::Ports(o) => self.udp.push((name, o)),
            HubObject::Split(o) => self.splits.push((name, o)),
        }
    }
}

/// Objects whose name another one of their kind has too.
type Again = BTreeMap<(&'static str, Namespaced), Vec<HubObject>>;

/// The first object of each name. Sorting first is far cheaper than taking them up one by one, and makes a map whose nodes are full.
fn by_name<T: Clone>(
    mut list: Vec<(Namespaced, T)>,
    object: fn(T) -> HubObject,
    again: &mut Again,
) -> BTreeMap<Namespaced, T> {
    list.sort_by(|a, b| a.0.cmp(&b.0));
    list.dedup_by(|second, first| {
        let same = second.0 == first.0;
        if same {
            let second = object(second.1.clone());
            again.entry((second.kind(), first.0.clone())).or_default().push(second);
        }
        same
    });
    list.into_iter().collect()
}

impl Hub {
    /// Reads objects one by one; a faulty one is reported and left out (S1). The order does not matter (S35).
    pub fn from_objects(objects: impl IntoIterator<Item = AnyObject>) -> (Self, Report) {
        let mut report = Report::new();
        let mut lists = Lists::default();
        for object in objects {
            let original = keep::original(&object, &mut report);
            match HubObject::read(original.as_ref().unwrap_or(&object)) {
                Err(diagnostic) => report.push(*diagnostic),
                Ok(read) => read.into_iter().for_each(|object| lists.push(object)),
            }
        }
        let mut again = Again::new();
        let mut hub = Self {
            targets: by_name(lists.targets, HubObject::Target, &mut again),
            bindings: by_name(lists.bindings, HubObject::Binding, &mut again),
            route_groups: by_name(lists.groups, HubObject::Group, &mut again),
            tcp_routes: by_name(lists.tcp, HubObject::Ports, &mut again),
            udp_routes: by_name(lists.udp, HubObject::Ports, &mut again),
            splits: by_name(lists.splits, HubObject::Split, &mut again),
        };
        for ((kind, name), mut same) in again {
            same.extend(hub.remove(kind, &name));
            if let Some(one) = one_of(same, &mut report) {
                hub.put(name, one);
            }
        }
        report.sort();
        (hub, report)
    }

    fn put(&mut self, name: Namespaced, object: HubObject) {
        match object {
            HubObject::Target(o) => drop(self.targets.insert(name, o)),
            HubObject::Binding(o) => drop(self.bindings.insert(name, o)),
            HubObject::Group(o) => drop(self.route_groups.insert(name, o)),
            HubObject::Ports(o) if o.transport == Transport::Tcp => drop(self.tcp_routes.insert(name, o)),
            HubObject::Ports(o) => drop(self.udp_routes.insert(name, o)),
            HubObject::Split(o) => drop(self.splits.insert(name, o)),
        }
    }

    fn remove(&mut self, kind: &str, name: &Namespaced) -> Option<HubObject> {
        match kind {
            "TrafficTarget" => self.targets.remove(name).map(HubObject::Target),
            "IdentityBinding" => self.bindings.remove(name).map(HubObject::Binding),
            "HTTPRouteGroup" => self.route_groups.remove(name).map(HubObject::Group),
            "TrafficSplit" => self.splits.remove(name).map(HubObject::Split),
            "TCPRoute" => self.tcp_routes.remove(name).map(HubObject::Ports),
            _ => self.udp_routes.remove(name).map(HubObject::Ports),
        }
    }
}

/// Of several objects of one kind and name, the newest version if all say the same, none otherwise.
// SPEC: S35. Of objects that contradict each other none is used; any choice would depend on order. Test: conflicting_objects_are_all_left_out.
fn one_of(mut same: Vec<HubObject>, report: &mut Report) -> Option<HubObject> {
    same.sort_by_key(|object| object.meta().version);
    let mut newest = same.pop()?;
    let namespaced = newest.meta().namespaced && same.iter().all(|object| object.meta().namespaced);
    newest.meta_mut().namespaced = namespaced;
    let at = newest.object_ref();
    // Texts of one version are found by one name, which shows the first of them; those of others have places of their own.
    let mut others: Vec<ObjectRef> =
        same.iter().map(HubObject::object_ref).filter(|other| *other != at).collect();
    others.dedup();
    let related = |diagnostic: Diagnostic| {
        let all = others.iter();
        all.fold(diagnostic, |d, other| d.with_related("the other one", other, FieldPath::root()))
    };
    let differs = same.into_iter().any(|mut object| {
        object.meta_mut().version = newest.meta().version;
        object.meta_mut().namespaced = namespaced;
        object != newest
    });
    if !differs {
        let twice = Diagnostic::new(codes::DUPLICATE, &at, FieldPath::root(), "the object stands twice");
        report.push(related(twice));
        return Some(newest);
    }
    let message = "another object of this kind and name has different content, so none of them is used";
    let conflict = Diagnostic::new(codes::CONFLICT, &at, FieldPath::root(), message);
    report.push(related(conflict.with_help("remove or rename all but one")));
    None
}

impl HubObject {
    fn meta(&self) -> &Meta {
        match self {
            Self::Target(o) => &o.meta,
            Self::Binding(o) => &o.meta,
            Self::Group(o) => &o.meta,
            Self::Ports(o) => &o.meta,
            Self::Split(o) => &o.meta,
        }
    }

    fn meta_mut(&mut self) -> &mut Meta {
        match self {
            Self::Target(o) => &mut o.meta,
            Self::Binding(o) => &mut o.meta,
            Self::Group(o) => &mut o.meta,
            Self::Ports(o) => &mut o.meta,
            Self::Split(o) => &mut o.meta,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Target(_) => "TrafficTarget",
            Self::Binding(_) => "IdentityBinding",
            Self::Group(_) => "HTTPRouteGroup",
            Self::Ports(o) => o.transport.route_kind(),
            Self::Split(_) => "TrafficSplit",
        }
    }

    fn object_ref(&self) -> ObjectRef {
        match self {
            Self::Target(o) => o.object_ref(),
            Self::Binding(o) => o.object_ref(),
            Self::Group(o) => o.object_ref(),
            Self::Ports(o) => o.object_ref(),
            Self::Split(o) => o.object_ref(),
        }
    }
}

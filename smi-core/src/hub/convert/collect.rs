//! Many wire objects to one hub.

use std::collections::btree_map::{BTreeMap, Entry};

use super::{HubObject, codes, keep};
use crate::api::AnyObject;
use crate::diag::{Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::{Namespaced, Transport, packed};
use crate::hub::{Hub, Meta};

impl Hub {
    /// Reads objects one by one; a faulty one is reported and left out (S1). The order does not matter (S35).
    pub fn from_objects(objects: impl IntoIterator<Item = AnyObject>) -> (Self, Report) {
        let mut report = Report::new();
        let mut hub = Self::default();
        let mut again: BTreeMap<(&'static str, Namespaced), Vec<HubObject>> = BTreeMap::new();
        for object in objects {
            let original = keep::original(&object, &mut report);
            match HubObject::read(original.as_ref().unwrap_or(&object)) {
                Err(diagnostic) => report.push(*diagnostic),
                Ok(None) => {}
                Ok(Some(read)) => {
                    if let Some(second) = hub.put(read) {
                        again.entry((second.kind(), second.meta().name.clone())).or_default().push(second);
                    }
                }
            }
        }
        for ((kind, name), mut same) in again {
            same.extend(hub.remove(kind, &name));
            if let Some(one) = one_of(same, &mut report) {
                hub.put(one);
            }
        }
        report.sort();
        let Self { targets, bindings, route_groups, tcp_routes, udp_routes, splits } = hub;
        let hub = Self {
            targets: packed(targets),
            bindings: packed(bindings),
            route_groups: packed(route_groups),
            tcp_routes: packed(tcp_routes),
            udp_routes: packed(udp_routes),
            splits: packed(splits),
        };
        (hub, report)
    }

    /// Puts the object where none is; gives it back otherwise.
    fn put(&mut self, object: HubObject) -> Option<HubObject> {
        fn vacant<T>(
            map: &mut BTreeMap<Namespaced, T>,
            name: Namespaced,
            object: T,
            back: fn(T) -> HubObject,
        ) -> Option<HubObject> {
            match map.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(object);
                    None
                }
                Entry::Occupied(_) => Some(back(object)),
            }
        }
        let name = object.meta().name.clone();
        match object {
            HubObject::Target(o) => vacant(&mut self.targets, name, o, HubObject::Target),
            HubObject::Binding(o) => vacant(&mut self.bindings, name, o, HubObject::Binding),
            HubObject::Group(o) => vacant(&mut self.route_groups, name, o, HubObject::Group),
            HubObject::Split(o) => vacant(&mut self.splits, name, o, HubObject::Split),
            HubObject::Ports(o) => {
                let map = match o.transport {
                    Transport::Tcp => &mut self.tcp_routes,
                    Transport::Udp => &mut self.udp_routes,
                };
                vacant(map, name, o, HubObject::Ports)
            }
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
    let newest = same.pop()?;
    let differs = same.into_iter().any(|mut object| {
        object.meta_mut().version = newest.meta().version;
        object != newest
    });
    let at = newest.object_ref();
    if !differs {
        report.push(Diagnostic::new(codes::DUPLICATE, &at, FieldPath::root(), "the object stands twice"));
        return Some(newest);
    }
    report.push(
        Diagnostic::new(
            codes::CONFLICT,
            &at,
            FieldPath::root(),
            "another object of this kind and name has different content, so none of them is used",
        )
        .with_help("remove or rename all but one"),
    );
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

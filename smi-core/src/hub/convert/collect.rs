//! Many wire objects to one hub.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::{HubObject, codes, keep};
use crate::api::AnyObject;
use crate::diag::{Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::Hub;
use crate::hub::names::{Namespaced, Transport};

impl Hub {
    /// Reads objects one by one; a faulty one is reported and left out (S1). The order does not matter (S35).
    pub fn from_objects(objects: impl IntoIterator<Item = AnyObject>) -> (Self, Report) {
        let mut hub = Self::default();
        let mut report = Report::new();
        let mut conflicts: BTreeSet<(&'static str, Namespaced)> = BTreeSet::new();
        for object in objects {
            let original = keep::original(&object, &mut report);
            match HubObject::read(original.as_ref().unwrap_or(&object)) {
                Err(diagnostic) => report.push(*diagnostic),
                Ok(None) => {}
                Ok(Some(read)) => hub.insert(read, &mut conflicts, &mut report),
            }
        }
        // SPEC: of objects that contradict each other none is used; any choice would depend on order. Test: conflicting_objects_are_all_left_out.
        for (kind, name) in conflicts {
            hub.remove(kind, &name);
        }
        report.sort();
        (hub, report)
    }

    fn insert(
        &mut self,
        object: HubObject,
        conflicts: &mut BTreeSet<(&'static str, Namespaced)>,
        report: &mut Report,
    ) {
        let found = match object {
            HubObject::Target(o) => put(&mut self.targets, o.meta.name.clone(), o, "TrafficTarget"),
            HubObject::Binding(o) => put(&mut self.bindings, o.meta.name.clone(), o, "IdentityBinding"),
            HubObject::Group(o) => put(&mut self.route_groups, o.meta.name.clone(), o, "HTTPRouteGroup"),
            HubObject::Split(o) => put(&mut self.splits, o.meta.name.clone(), o, "TrafficSplit"),
            HubObject::Ports(o) => {
                let kind = o.transport.route_kind();
                let map = match o.transport {
                    Transport::Tcp => &mut self.tcp_routes,
                    Transport::Udp => &mut self.udp_routes,
                };
                put(map, o.meta.name.clone(), o, kind)
            }
        };
        match found {
            Found::New => {}
            Found::Same(object) => {
                report.push(Diagnostic::new(
                    codes::DUPLICATE,
                    &object,
                    FieldPath::root(),
                    "the object stands twice",
                ));
            }
            Found::Different(kind, object) => {
                conflicts.insert((kind, object.namespaced()));
                report.push(
                    Diagnostic::new(
                        codes::CONFLICT,
                        &object,
                        FieldPath::root(),
                        "another object of this kind and name has different content, so none of them is used",
                    )
                    .with_help("remove or rename all but one"),
                );
            }
        }
    }

    fn remove(&mut self, kind: &str, name: &Namespaced) {
        match kind {
            "TrafficTarget" => drop(self.targets.remove(name)),
            "IdentityBinding" => drop(self.bindings.remove(name)),
            "HTTPRouteGroup" => drop(self.route_groups.remove(name)),
            "TrafficSplit" => drop(self.splits.remove(name)),
            "TCPRoute" => drop(self.tcp_routes.remove(name)),
            _ => drop(self.udp_routes.remove(name)),
        }
    }
}

enum Found {
    New,
    Same(ObjectRef),
    Different(&'static str, ObjectRef),
}

trait Referable: PartialEq {
    fn reference(&self) -> ObjectRef;
}

macro_rules! referable {
    ($($type:ident),*) => {
        $(impl Referable for crate::hub::$type {
            fn reference(&self) -> ObjectRef {
                self.object_ref()
            }
        })*
    };
}
referable!(TrafficTarget, IdentityBinding, RouteGroup, PortRoute, TrafficSplit);

fn put<T: Referable>(
    map: &mut BTreeMap<Namespaced, T>,
    name: Namespaced,
    object: T,
    kind: &'static str,
) -> Found {
    match map.entry(name) {
        Entry::Vacant(place) => {
            place.insert(object);
            Found::New
        }
        Entry::Occupied(place) if *place.get() == object => Found::Same(object.reference()),
        Entry::Occupied(_) => Found::Different(kind, object.reference()),
    }
}

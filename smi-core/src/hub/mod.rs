//! The one version-free model of SMI (S2): the superset of access v1alpha4, specs v1alpha4 and split v1alpha4.
//!
//! Shape: ordered maps from namespace and name to objects. Text that a user wrote (patterns, references, methods) stays as written, so
//! that conversion back to any version is exact; names are newtypes. Interpretation happens in [`crate::compile`].
//! Faults: none here; [`convert`] reports what a version cannot say.
//! Source: smi-spec, newest version of each document.

pub mod convert;
pub mod names;

mod access;
mod grpc;
mod specs;
mod split;
mod time;

pub use access::{IdentityBinding, Rule, Subject, TrafficTarget};
pub use grpc::BadGrpcName;
pub use specs::{HttpMatch, PortRoute, RouteGroup};
pub use split::{MatchRef, SplitBackend, TrafficSplit};
pub use time::Moment;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::ObjectRef;
use names::Namespaced;

/// What every object has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Namespace and name; objects without a namespace get `default` when they are read, as `kubectl apply` does.
    pub name: Namespaced,
    /// Whether the object names its namespace. Otherwise whoever applies it decides, and `default` is a guess.
    pub namespaced: bool,
    /// `metadata.labels`.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
    /// `metadata.creationTimestamp`, RFC 3339; absent in manifests. Decides which split is the oldest (S18).
    pub created: Option<Arc<str>>,
    /// The version in which the object was written, `v1alpha2`.
    pub version: &'static str,
}

/// All SMI objects of one world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hub {
    /// access: who may call whom.
    pub targets: BTreeMap<Namespaced, TrafficTarget>,
    /// access v1alpha4: identities in other words.
    pub bindings: BTreeMap<Namespaced, IdentityBinding>,
    /// specs: HTTP matches.
    pub route_groups: BTreeMap<Namespaced, RouteGroup>,
    /// specs: TCP ports.
    pub tcp_routes: BTreeMap<Namespaced, PortRoute>,
    /// specs: UDP ports.
    pub udp_routes: BTreeMap<Namespaced, PortRoute>,
    /// split: weighted backends.
    pub splits: BTreeMap<Namespaced, TrafficSplit>,
}

macro_rules! object_ref {
    ($type:ty, $group:literal, $kind:literal) => {
        impl $type {
            /// The reference that diagnostics and origins carry.
            #[must_use]
            pub fn object_ref(&self) -> ObjectRef {
                ObjectRef::new($group, self.meta.version, $kind, &self.meta.name)
            }
        }
    };
}
object_ref!(TrafficTarget, "access.smi-spec.io", "TrafficTarget");
object_ref!(IdentityBinding, "access.smi-spec.io", "IdentityBinding");
object_ref!(RouteGroup, "specs.smi-spec.io", "HTTPRouteGroup");
object_ref!(TrafficSplit, "split.smi-spec.io", "TrafficSplit");

impl PortRoute {
    /// The reference that diagnostics and origins carry.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        ObjectRef::new("specs.smi-spec.io", self.meta.version, self.transport.route_kind(), &self.meta.name)
    }
}

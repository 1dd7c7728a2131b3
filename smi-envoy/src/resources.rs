//! A proxy's resources by name, which every form of delivery is made from.
//!
//! Shape: listeners name their routes, clusters their endpoints and TLS contexts their secrets; whatever they name comes over the
//! aggregated stream (ADS). [`crate::EnvoyConfig`] turns that into one static file or into files that are watched.
//! Invariants: a map's key is the resource's own name; whatever is named is there, if only as an empty assignment, as Envoy waits 15 s
//! for what never comes ([`crate::lint`] checks it).
//! Determinism: equal resources have equal bytes, so that a hash of them can serve as their version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message as _;
use smi_core::ir::Origin;

use crate::config::cluster::{Cluster, ClusterLoadAssignment};
use crate::config::listener::Listener;
use crate::config::route::RouteConfiguration;
use crate::config::tls::Secret;
use crate::config::types::Packed;

/// Kinds of resources, in the order in which a proxy wants them: whatever is named comes before what names it, except that a proxy asks
/// for routes once it has the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Certificates and trust (SDS).
    Secret,
    /// Clusters (CDS).
    Cluster,
    /// Endpoints of a cluster (EDS).
    Endpoint,
    /// Listeners (LDS).
    Listener,
    /// Routes of a listener (RDS).
    Route,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Secret, Self::Cluster, Self::Endpoint, Self::Listener, Self::Route];

    /// `type.googleapis.com/envoy.config.cluster.v3.Cluster`.
    #[must_use]
    pub fn type_url(self) -> String {
        let name = match self {
            Self::Secret => Secret::NAME,
            Self::Cluster => Cluster::NAME,
            Self::Endpoint => ClusterLoadAssignment::NAME,
            Self::Listener => Listener::NAME,
            Self::Route => RouteConfiguration::NAME,
        };
        format!("type.googleapis.com/{name}")
    }
}

/// Resources by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// Certificates and trust that are known here.
    pub secrets: BTreeMap<String, Secret>,
    /// Names of those that are not: whoever issues certificates delivers them.
    pub awaited_secrets: BTreeSet<String>,
    /// Clusters.
    pub clusters: BTreeMap<String, Cluster>,
    /// One for every cluster, empty where nothing is ready.
    pub endpoints: BTreeMap<String, ClusterLoadAssignment>,
    /// Listeners.
    pub listeners: BTreeMap<String, Listener>,
    /// Routes of HTTP listeners.
    pub routes: BTreeMap<String, RouteConfiguration>,
    /// Which objects and fields a resource is made of.
    pub origins: BTreeMap<(Kind, String), Origins>,
}

/// Objects and fields. Resources of several proxies are often made of the same, and share them.
pub type Origins = Arc<BTreeSet<Origin>>;

/// One resource, whatever its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The message; equal resources have equal bytes.
    pub encoded: Vec<u8>,
    /// The objects and fields to name when a proxy refuses it.
    pub origins: Origins,
}

impl Resources {
    /// All resources, in the order of [`Kind`] and then by name.
    pub fn iter(&self) -> impl Iterator<Item = Resource> + '_ {
        let secrets = self.secrets.iter().map(|(n, m)| self.one(Kind::Secret, n, m.encode_to_vec()));
        let clusters = self.clusters.iter().map(|(n, m)| self.one(Kind::Cluster, n, m.encode_to_vec()));
        let endpoints = self.endpoints.iter().map(|(n, m)| self.one(Kind::Endpoint, n, m.encode_to_vec()));
        let listeners = self.listeners.iter().map(|(n, m)| self.one(Kind::Listener, n, m.encode_to_vec()));
        let routes = self.routes.iter().map(|(n, m)| self.one(Kind::Route, n, m.encode_to_vec()));
        secrets.chain(clusters).chain(endpoints).chain(listeners).chain(routes)
    }

    fn one(&self, kind: Kind, name: &str, encoded: Vec<u8>) -> Resource {
        let origins = self.origins.get(&(kind, name.to_owned())).cloned().unwrap_or_default();
        Resource { kind, name: name.to_owned(), encoded, origins }
    }

    /// Notes what a resource is made of.
    pub(crate) fn made_of<'o>(
        &mut self,
        kind: Kind,
        name: &str,
        origins: impl IntoIterator<Item = &'o Origin>,
    ) {
        let all = self.origins.entry((kind, name.to_owned())).or_default();
        Arc::make_mut(all).extend(origins.into_iter().cloned());
    }
}

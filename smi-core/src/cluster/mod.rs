//! Facts of a cluster that policy is judged against: Services, endpoints, pods, accounts, namespaces.
//!
//! Shape: ordered maps. A pod may be a real one (with addresses) or the template of a Deployment, StatefulSet, DaemonSet or Job
//! (without), so that plain manifests compile too.
//! Source: Kubernetes API reference, core/v1, discovery.k8s.io/v1, apps/v1, batch/v1.
//! Absent: everything that no rule of `docs/semantics.md` asks for.

mod addresses;
pub mod codes;
mod collect;
mod labels;
mod read;
mod shared;
mod wire;

#[cfg(test)]
mod tests;

pub use addresses::Addresses;
pub use collect::merge_endpoints;
pub use labels::Labels;
pub(crate) use read::nearly_read;
pub use read::{ClusterObject, Decoded, decode, is_read};

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::diag::ObjectRef;
use crate::hub::names::{Name, Namespace, Namespaced, Port};

/// Everything the compiler knows of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Labels of namespaces (S21, per-namespace opt-in). A namespace that is used but not listed has no labels.
    pub namespaces: BTreeMap<Namespace, BTreeMap<Arc<str>, Arc<str>>>,
    /// Namespaces whose labels are not known, as their objects contradict each other or cannot be read.
    pub unclear_namespaces: BTreeSet<Namespace>,
    /// Whether something was left out that may have been a Namespace, as not even its name is known: then the labels of all that are not
    /// listed are unclear.
    pub namespaces_incomplete: bool,
    /// Services by name.
    pub services: BTreeMap<Namespaced, Service>,
    /// Endpoints by service, of EndpointSlices or, where a service has none, of Endpoints.
    pub endpoints: BTreeMap<Namespaced, Vec<EndpointSet>>,
    /// Addresses of pods that cannot be read or contradict each other. Whoever else has one of them may not be who calls (S29).
    pub unclear_addresses: BTreeSet<IpAddr>,
    /// Pods by name, and pod templates by the name of their owner.
    pub pods: BTreeMap<PodId, Pod>,
    /// ServiceAccounts that were seen as objects; others may exist.
    pub accounts: BTreeSet<Namespaced>,
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name.
    pub name: Namespaced,
    /// `metadata.annotations`, for S34 and S36.
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
    /// `spec.clusterIPs`, without `None`.
    pub addresses: Addresses,
    /// ClusterIP, headless or ExternalName.
    pub kind: ServiceKind,
    /// `spec.selector`; empty: endpoints are made by hand.
    pub selector: Labels,
    /// `spec.ports`, in order.
    pub ports: Vec<ServicePort>,
}

/// How a Service is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    /// ClusterIP, NodePort or LoadBalancer.
    ClusterIp,
    /// `clusterIP: None`.
    Headless,
    /// `type: ExternalName`: an alias for a DNS name.
    ExternalName(Arc<str>),
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Empty when the Service has a single unnamed port.
    pub name: Arc<str>,
    /// Service port.
    pub port: Port,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: PortProtocol,
    /// `appProtocol` (S36).
    pub app_protocol: Option<Arc<str>>,
    /// Where it goes to at the pod.
    pub target: TargetPort,
}

/// `protocol` of a Service or container port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP, which nothing here carries.
    Sctp,
}

/// `targetPort`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// A number; absent in the Service means the service port.
    Number(Port),
    /// Name of a container port, resolved per pod.
    Name(Arc<str>),
}

/// One EndpointSlice, or one subset of an Endpoints object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSet {
    /// Ports: name of the Service port, protocol, number at the pod.
    pub ports: Vec<EndpointPort>,
    /// Addresses.
    pub endpoints: Vec<EndpointAddress>,
}

/// A port of an [`EndpointSet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPort {
    /// Name of the Service port; empty for the unnamed one.
    pub name: Arc<str>,
    /// Transport.
    pub protocol: PortProtocol,
    /// Port at the pod.
    pub port: Port,
}

/// An address of an [`EndpointSet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointAddress {
    /// Address.
    pub address: IpAddr,
    /// `conditions.ready`, absent means ready.
    pub ready: bool,
    /// `targetRef` of kind Pod.
    pub pod: Option<PodId>,
    /// Node and zone.
    pub locality: Option<Arc<Locality>>,
}

/// Where a pod runs; one of the two at least is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locality {
    /// Node.
    pub node: Option<Arc<str>>,
    /// Zone.
    pub zone: Option<Arc<str>>,
}

impl Locality {
    /// `None` when neither is known.
    #[must_use]
    pub fn new(node: Option<Arc<str>>, zone: Option<Arc<str>>) -> Option<Arc<Self>> {
        (node.is_some() || zone.is_some()).then(|| Arc::new(Self { node, zone }))
    }
}

/// Name of a pod, or of the object whose template stands for its pods. Copies share it.
#[derive(Clone, Hash)]
#[expect(
    clippy::derived_hash_with_manual_eq,
    reason = "equal ids hash alike: the comparison only takes a short cut"
)]
pub struct PodId(Arc<PodName>);

/// What a [`PodId`] says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodName {
    /// Name of the pod or of the owner of the template.
    pub name: Namespaced,
    /// `None`: a real pod. Else the kind of the owner, `Deployment`.
    pub template_of: Option<TemplateKind>,
}

impl PodId {
    /// A real pod.
    #[must_use]
    pub fn pod(name: Namespaced) -> Self {
        Self(Arc::new(PodName { name, template_of: None }))
    }

    /// The template of an owner of this name and kind.
    #[must_use]
    pub fn template(name: Namespaced, kind: TemplateKind) -> Self {
        Self(Arc::new(PodName { name, template_of: Some(kind) }))
    }

    /// Whether both are one copy; `false` says nothing.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The object to point at.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        read::pod_ref(&self.name, self.template_of)
    }
}

impl std::ops::Deref for PodId {
    type Target = PodName;

    fn deref(&self) -> &PodName {
        &self.0
    }
}

impl std::fmt::Debug for PodId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for PodId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for PodId {}

impl PartialOrd for PodId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PodId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { std::cmp::Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl std::fmt::Display for PodId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.template_of {
            None => write!(f, "{}", self.name),
            Some(kind) => write!(f, "{} ({} template)", self.name, kind.as_str()),
        }
    }
}

/// Kinds that hold a pod template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TemplateKind {
    /// apps/v1.
    Deployment,
    /// apps/v1.
    StatefulSet,
    /// apps/v1.
    DaemonSet,
    /// apps/v1.
    ReplicaSet,
    /// batch/v1.
    Job,
    /// batch/v1.
    CronJob,
}

impl TemplateKind {
    /// The kind as Kubernetes writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
        }
    }
}

/// A pod or a pod template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// What it was made from. Pods that are alike share it.
    pub spec: Arc<PodSpec>,
    /// `status.podIPs`; empty for templates and for pods that have none yet.
    pub addresses: Addresses,
    /// Neither succeeded nor failed, nor being deleted without an address: its addresses are its own.
    pub alive: bool,
    /// Condition `Ready`.
    pub ready: bool,
    /// `spec.nodeName`, and no zone.
    pub locality: Option<Arc<Locality>>,
}

/// What pods of one template have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodSpec {
    /// Labels of the pod (of the template).
    pub labels: Labels,
    /// `spec.serviceAccountName`; absent is `default` (S28).
    pub account: Name,
    /// Whether the account was left out.
    pub account_defaulted: bool,
    /// `spec.hostNetwork`: its addresses are the node's (S29).
    pub host_network: bool,
    /// Ports of all containers.
    pub ports: Vec<ContainerPort>,
    /// HTTP, TCP and gRPC probes of all containers (S32), sorted.
    pub probes: Vec<Probe>,
}

/// `containers[].ports[]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerPort {
    /// Name; empty when it has none.
    pub name: Arc<str>,
    /// Number.
    pub port: Port,
    /// Transport.
    pub protocol: PortProtocol,
}

/// A probe of the kubelet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probe {
    /// Port at the pod, names resolved.
    pub port: Port,
    /// `httpGet.path`; `None` for `tcpSocket` and `grpc`.
    pub path: Option<Arc<str>>,
}

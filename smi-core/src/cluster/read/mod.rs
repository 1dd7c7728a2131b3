//! Kubernetes objects → [`ClusterObject`]s.
//!
//! Shape: [`decode`] takes any serde `Deserializer`, so that manifests and watches are read by the same code.
//! Faults: `SMI0501`–`SMI0505` leave the object out, `SMI0506`, `SMI0509` and `SMI0510` are warnings. A wrong type is the
//! deserializer's error, which the caller reports as `SMI0501`, since only it knows the place.
//! Absent: defaults that the API server adds and nothing here asks for.

mod endpoints;
mod pod;
mod service;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use super::{Addresses, EndpointSet, Pod, PodId, PortProtocol, Service, TemplateKind, codes, wire};
use crate::diag::{Code, Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::{Name, Namespace, Namespaced, Port, is_dns_label, is_dns_subdomain};

/// One object of a cluster, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterObject {
    /// v1 Service.
    Service(Service),
    /// discovery.k8s.io/v1 EndpointSlice.
    EndpointSlice {
        /// Its own name.
        name: Namespaced,
        /// Of the label `kubernetes.io/service-name`; a slice without it belongs to no Service.
        service: Option<Namespaced>,
        /// Its content.
        set: EndpointSet,
    },
    /// v1 Endpoints, named like its Service.
    Endpoints {
        /// Name of the object and of its Service.
        service: Namespaced,
        /// One per subset.
        sets: Vec<EndpointSet>,
    },
    /// v1 Pod, or the template of a workload.
    Pod {
        /// Key in [`super::Cluster::pods`].
        id: PodId,
        /// Content.
        pod: Pod,
    },
    /// v1 Pod that exists and cannot be read.
    UnclearPod {
        /// Its name.
        id: PodId,
        /// What addresses could be read of it.
        addresses: Addresses,
    },
    /// v1 ServiceAccount.
    Account(Namespaced),
    /// v1 Namespace.
    Namespace {
        /// Its name.
        name: Namespace,
        /// Its labels.
        labels: BTreeMap<Arc<str>, Arc<str>>,
    },
    /// v1 Namespace that exists and cannot be read.
    UnclearNamespace(Namespace),
}

impl ClusterObject {
    /// The reference that diagnostics carry.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        match self {
            Self::Service(service) => Kind::Service.object_ref(service.name.clone()),
            Self::EndpointSlice { name, .. } => Kind::EndpointSlice.object_ref(name.clone()),
            Self::Endpoints { service, .. } => Kind::Endpoints.object_ref(service.clone()),
            Self::Pod { id, .. } | Self::UnclearPod { id, .. } => id.object_ref(),
            Self::Account(name) => Kind::ServiceAccount.object_ref(name.clone()),
            Self::Namespace { name, .. } | Self::UnclearNamespace(name) => {
                Kind::Namespace.object_ref(Namespaced::new("", name.as_str()))
            }
        }
    }
}

impl ClusterObject {
    /// Group and kind.
    pub(super) fn kind(&self) -> (&'static str, &'static str) {
        let kind = match self {
            Self::Service(_) => Kind::Service,
            Self::EndpointSlice { .. } => Kind::EndpointSlice,
            Self::Endpoints { .. } => Kind::Endpoints,
            Self::Pod { id, .. } | Self::UnclearPod { id, .. } => {
                id.template_of.map_or(Kind::Pod, Kind::Template)
            }
            Self::Account(_) => Kind::ServiceAccount,
            Self::Namespace { .. } | Self::UnclearNamespace(_) => Kind::Namespace,
        };
        (kind.group(), kind.as_str())
    }

    /// Namespace and name; a Namespace is in none.
    pub(super) fn name(&self) -> (&str, &str) {
        let name = match self {
            Self::Service(service) => &service.name,
            Self::EndpointSlice { name, .. } | Self::Account(name) => name,
            Self::Endpoints { service, .. } => service,
            Self::Pod { id, .. } | Self::UnclearPod { id, .. } => &id.name,
            Self::Namespace { name, .. } | Self::UnclearNamespace(name) => return ("", name.as_str()),
        };
        (name.namespace.as_str(), name.name.as_str())
    }
}

/// The kinds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Service,
    Endpoints,
    EndpointSlice,
    Pod,
    ServiceAccount,
    Namespace,
    Template(TemplateKind),
}

const KINDS: [Kind; 12] = [
    Kind::Service,
    Kind::Endpoints,
    Kind::EndpointSlice,
    Kind::Pod,
    Kind::ServiceAccount,
    Kind::Namespace,
    Kind::Template(TemplateKind::Deployment),
    Kind::Template(TemplateKind::StatefulSet),
    Kind::Template(TemplateKind::DaemonSet),
    Kind::Template(TemplateKind::ReplicaSet),
    Kind::Template(TemplateKind::Job),
    Kind::Template(TemplateKind::CronJob),
];

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Endpoints => "Endpoints",
            Self::EndpointSlice => "EndpointSlice",
            Self::Pod => "Pod",
            Self::ServiceAccount => "ServiceAccount",
            Self::Namespace => "Namespace",
            Self::Template(template) => template.as_str(),
        }
    }

    const fn group(self) -> &'static str {
        match self {
            Self::Service | Self::Endpoints | Self::Pod | Self::ServiceAccount | Self::Namespace => "",
            Self::EndpointSlice => "discovery.k8s.io",
            Self::Template(TemplateKind::Job | TemplateKind::CronJob) => "batch",
            Self::Template(
                TemplateKind::Deployment
                | TemplateKind::StatefulSet
                | TemplateKind::DaemonSet
                | TemplateKind::ReplicaSet,
            ) => "apps",
        }
    }

    fn object_ref(self, name: Namespaced) -> ObjectRef {
        ObjectRef::new(self.group(), "v1", self.as_str(), &name)
    }

    fn name_is_valid(self, name: &str) -> bool {
        match self {
            Self::Service | Self::Namespace => is_dns_label(name),
            Self::Endpoints | Self::EndpointSlice | Self::Pod | Self::ServiceAccount | Self::Template(_) => {
                is_dns_subdomain(name)
            }
        }
    }
}

/// The object that a pod or its template stands in.
pub(super) fn pod_ref(name: &Namespaced, template_of: Option<TemplateKind>) -> ObjectRef {
    template_of.map_or(Kind::Pod, Kind::Template).object_ref(name.clone())
}

/// What [`decode`] makes of an object.
#[derive(Debug)]
pub struct Decoded {
    /// The object, unless it has an error or nothing in it counts.
    pub object: Option<ClusterObject>,
    /// What is to be said about it.
    pub report: Report,
}

/// Whether [`decode`] reads objects of this kind and version.
#[must_use]
pub fn is_read(api_version: &str, kind: &str) -> bool {
    find(api_version, kind).is_some_and(|(_, current)| current)
}

/// The kind that [`decode`] reads, where this one differs in the case of letters only.
pub(crate) fn nearly_read(api_version: &str, kind: &str) -> Option<&'static str> {
    let near = KINDS.into_iter().map(Kind::as_str).find(|k| *k != kind && k.eq_ignore_ascii_case(kind))?;
    find(api_version, near).map(|_| near)
}

/// Reads an object of a kind that is known here; `None` for all others.
///
/// Whoever leaves out an object that cannot be read, by an error or because [`Decoded::object`] is none although its report has errors,
/// should put [`ClusterObject::UnclearNamespace`] or [`ClusterObject::UnclearPod`] in its place, or set
/// [`Cluster::namespaces_incomplete`](super::Cluster::namespaces_incomplete) if its name is not known: what is not known of these could
/// otherwise open what it should close (S21, S29). [`crate::load`] does so.
///
/// # Errors
/// Those of the deserializer: a field of the wrong type, a required field that is missing.
pub fn decode<'de, D: Deserializer<'de>>(
    api_version: &str,
    kind: &str,
    deserializer: D,
) -> Option<Result<Decoded, D::Error>> {
    let (kind, current) = find(api_version, kind)?;
    let mut reading = Reading { kind, report: Report::new() };
    Some(if current {
        reading.read(deserializer).map(|object| {
            let object = if reading.report.has_errors() { None } else { object };
            Decoded { object, report: reading.report }
        })
    } else {
        wire::NameOnly::deserialize(deserializer).map(|o| {
            reading.outdated(api_version, &o.metadata);
            Decoded { object: None, report: reading.report }
        })
    })
}

/// The kind, and whether it is in the version that is read.
fn find(api_version: &str, kind: &str) -> Option<(Kind, bool)> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let known = KINDS.into_iter().find(|k| k.as_str() == kind)?;
    if known.group() == group {
        return Some((known, version == "v1"));
    }
    // Where Deployments, DaemonSets and ReplicaSets once were.
    (group == "extensions" && known.group() == "apps").then_some((known, false))
}

/// One object being read.
struct Reading {
    kind: Kind,
    report: Report,
}

impl Reading {
    fn read<'de, D: Deserializer<'de>>(&mut self, from: D) -> Result<Option<ClusterObject>, D::Error> {
        Ok(match self.kind {
            Kind::Service => self.service(wire::Service::deserialize(from)?),
            Kind::Endpoints => self.endpoints(wire::Endpoints::deserialize(from)?),
            Kind::EndpointSlice => self.slice(wire::EndpointSlice::deserialize(from)?),
            Kind::Pod => self.pod(wire::Pod::deserialize(from)?),
            Kind::ServiceAccount => {
                let object = wire::NameOnly::deserialize(from)?;
                self.name(object.metadata.name, object.metadata.namespace).map(ClusterObject::Account)
            }
            Kind::Namespace => {
                let object = wire::NameOnly::deserialize(from)?;
                self.name(object.metadata.name, Some("".into())).map(|name| ClusterObject::Namespace {
                    name: Namespace::from(name.name.as_str()),
                    labels: object.metadata.labels,
                })
            }
            Kind::Template(TemplateKind::CronJob) => {
                let object = wire::CronJob::deserialize(from)?;
                self.template(TemplateKind::CronJob, object.metadata, object.spec.job_template.spec.template)
            }
            Kind::Template(kind) => {
                let object = wire::Workload::deserialize(from)?;
                self.template(kind, object.metadata, object.spec.template)
            }
        })
    }

    fn outdated(&mut self, api_version: &str, meta: &wire::Meta) {
        let name = Namespaced::new(
            meta.namespace.as_deref().unwrap_or("default"),
            meta.name.as_deref().unwrap_or_default(),
        );
        let mut object = self.kind.object_ref(name);
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        object.group = Cow::Owned(group.to_owned());
        object.version = Cow::Owned(version.to_owned());
        let path = FieldPath::root().field("apiVersion");
        let message = format!("`{api_version}` is not read, so this {} is ignored", self.kind.as_str());
        let now = match self.kind.group() {
            "" => "v1".to_owned(),
            group => format!("{group}/v1"),
        };
        self.report.push(
            Diagnostic::new(codes::VERSION, &object, path, message).with_help(format!("write `{now}`")),
        );
    }
}

/// Where a fault is: the object and the path that is extended on the way down.
struct At<'r> {
    object: &'r ObjectRef,
    report: &'r mut Report,
}

impl At<'_> {
    fn fault(&mut self, code: Code, path: FieldPath, message: impl Into<String>, help: Option<&str>) {
        let diagnostic = Diagnostic::new(code, self.object, path, message);
        self.report.push(match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
    }

    fn port(&mut self, number: i64, path: FieldPath) -> Option<Port> {
        let port = Port::from_i64(number);
        if port.is_none() {
            let message = format!("`{number}` is not a port");
            self.fault(codes::PORT, path, message, Some("ports are 1 to 65535"));
        }
        port
    }

    fn protocol(&mut self, text: Option<&str>, path: FieldPath) -> Option<PortProtocol> {
        match text {
            None | Some("" | "TCP") => Some(PortProtocol::Tcp),
            Some("UDP") => Some(PortProtocol::Udp),
            Some("SCTP") => Some(PortProtocol::Sctp),
            Some(other) => {
                let upper = other.to_ascii_uppercase();
                let help = matches!(upper.as_str(), "TCP" | "UDP" | "SCTP")
                    .then(|| format!("write `{upper}`"))
                    .unwrap_or_else(|| "write `TCP`, `UDP` or `SCTP`".to_owned());
                self.fault(codes::MALFORMED, path, format!("`{other}` is not a protocol"), Some(&help));
                None
            }
        }
    }

    fn address(&mut self, text: &str, path: FieldPath) -> Option<IpAddr> {
        // SPEC: S29. `::ffff:10.0.0.1` is 10.0.0.1 to every proxy, so it is one address with one owner here too.
        // Test: s29_a_mapped_address_is_its_ipv4_address.
        let address = text.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if address.is_none() {
            self.fault(codes::ADDRESS, path, format!("`{text}` is not an IP address"), None);
        }
        address
    }

    fn port_name(&mut self, text: Arc<str>, path: FieldPath) -> Option<Arc<str>> {
        if is_port_name(&text) {
            return Some(text);
        }
        let help = if text.parse::<u16>().is_ok() {
            "write a number without quotes"
        } else {
            "at most 15 of `a-z`, `0-9` and `-`, at least one letter"
        };
        self.fault(codes::PORT, path, format!("`{text}` is not the name of a port"), Some(help));
        None
    }
}

/// `IANA_SVC_NAME`: what container ports and named target ports are called.
fn is_port_name(text: &str) -> bool {
    is_dns_label(text)
        && text.len() <= 15
        && text.bytes().any(|b| b.is_ascii_lowercase())
        && !text.contains("--")
}

impl Reading {
    /// The checked name; `None` after a diagnostic.
    fn name(&mut self, name: Option<Arc<str>>, namespace: Option<Arc<str>>) -> Option<Namespaced> {
        let namespace = match namespace {
            Some(namespace) if !namespace.is_empty() || self.kind == Kind::Namespace => namespace,
            _ => "default".into(),
        };
        let name = name.unwrap_or_default();
        let namespaced = Namespaced { namespace: Namespace::new(namespace), name: Name::new(name) };
        let object = self.kind.object_ref(namespaced.clone());
        let path = FieldPath::root().field("metadata");
        let mut at = At { object: &object, report: &mut self.report };
        let namespace = namespaced.namespace.as_str();
        if !is_dns_label(namespace) && self.kind != Kind::Namespace {
            let message = format!("`{namespace}` is not a valid namespace");
            at.fault(codes::NAME, path.field("namespace"), message, None);
            return None;
        }
        let text = namespaced.name.as_str();
        if text.is_empty() {
            at.fault(codes::NAME, path, format!("this {} has no `name`", self.kind.as_str()), None);
            return None;
        }
        if !self.kind.name_is_valid(text) {
            let message = format!("`{text}` is not a valid name");
            let help = "lower-case letters, digits and `-`, starting and ending with a letter or digit";
            at.fault(codes::NAME, path.field("name"), message, Some(help));
            return None;
        }
        Some(namespaced)
    }
}

//! Kubernetes objects → [`ClusterObject`]s.
//!
//! Shape: [`decode`] takes any serde `Deserializer`, so that manifests and watches are read by the same code.
//! Faults: `SMI0501`–`SMI0505` leave the object out, `SMI0506`, `SMI0509` and `SMI0510` are warnings. A wrong type is the
//! deserializer's error, which the caller reports as `SMI0501`, since only it knows the place.
//! Absent: defaults that the API server adds and nothing here asks for.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use super::wire::{self, IntOrString};
use super::{
    ContainerPort, EndpointAddress, EndpointPort, EndpointSet, Pod, PodId, PortProtocol, Probe, Service,
    ServiceKind, ServicePort, TargetPort, TemplateKind, codes,
};
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
    /// v1 ServiceAccount.
    Account(Namespaced),
    /// v1 Namespace.
    Namespace {
        /// Its name.
        name: Namespace,
        /// Its labels.
        labels: BTreeMap<Arc<str>, Arc<str>>,
    },
}

impl ClusterObject {
    /// The reference that diagnostics carry.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        match self {
            Self::Service(service) => Kind::Service.object_ref(service.name.clone()),
            Self::EndpointSlice { name, .. } => Kind::EndpointSlice.object_ref(name.clone()),
            Self::Endpoints { service, .. } => Kind::Endpoints.object_ref(service.clone()),
            Self::Pod { pod, .. } => pod.object.clone(),
            Self::Account(name) => Kind::ServiceAccount.object_ref(name.clone()),
            Self::Namespace { name, .. } => Kind::Namespace.object_ref(Namespaced::new("", name.as_str())),
        }
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

/// What [`decode`] makes of an object.
#[derive(Debug)]
pub struct Decoded {
    /// The object, unless it has an error or nothing in it counts.
    pub object: Option<ClusterObject>,
    /// What is to be said about it.
    pub report: Report,
}

/// Reads an object of a kind that is known here; `None` for all others.
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
        let address = text.parse().ok();
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

    fn service(&mut self, wire: wire::Service) -> Option<ClusterObject> {
        let name = self.name(wire.metadata.name, wire.metadata.namespace)?;
        let object = self.kind.object_ref(name.clone());
        let at = &mut At { object: &object, report: &mut self.report };
        let spec = FieldPath::root().field("spec");
        let wire::ServiceSpec { kind, cluster_ip, cluster_ips, external_name, selector, ports } = wire.spec;

        let single = cluster_ips.is_empty();
        let mut texts: Vec<(FieldPath, Arc<str>)> = cluster_ips
            .into_iter()
            .enumerate()
            .map(|(i, text)| (spec.clone().field("clusterIPs").index(i), text))
            .collect();
        if single && let Some(text) = cluster_ip.clone() {
            texts.push((spec.clone().field("clusterIP"), text));
        }
        let headless = texts.iter().any(|(_, text)| text.as_ref() == "None");
        let addresses = texts
            .into_iter()
            .filter(|(_, text)| !matches!(text.as_ref(), "" | "None"))
            .filter_map(|(path, text)| at.address(&text, path))
            .collect();
        let kind = match kind.as_deref() {
            Some("ExternalName") => match external_name {
                Some(target) if !target.is_empty() => ServiceKind::ExternalName(target),
                _ => {
                    at.fault(codes::MALFORMED, spec, "`externalName` is missing", None);
                    return None;
                }
            },
            None | Some("" | "ClusterIP" | "NodePort" | "LoadBalancer") if headless => ServiceKind::Headless,
            None | Some("" | "ClusterIP" | "NodePort" | "LoadBalancer") => ServiceKind::ClusterIp,
            Some(other) => {
                let help = "write `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`";
                let message = format!("`{other}` is not a type of Service");
                at.fault(codes::MALFORMED, spec.field("type"), message, Some(help));
                return None;
            }
        };
        if ports.is_empty() && kind == ServiceKind::ClusterIp {
            at.fault(codes::MALFORMED, spec, "`ports` is missing", None);
            return None;
        }
        let ports = service_ports(at, ports, &spec.field("ports"));
        Some(ClusterObject::Service(Service {
            name,
            annotations: wire.metadata.annotations,
            addresses,
            kind,
            selector,
            ports,
        }))
    }

    fn endpoints(&mut self, wire: wire::Endpoints) -> Option<ClusterObject> {
        let service = self.name(wire.metadata.name, wire.metadata.namespace)?;
        let object = self.kind.object_ref(service.clone());
        let at = &mut At { object: &object, report: &mut self.report };
        let sets = wire.subsets.into_iter().enumerate().map(|(i, subset)| {
            let path = FieldPath::root().field("subsets").index(i);
            let mut endpoints = Vec::new();
            for (field, list, ready) in [
                ("addresses", subset.addresses, true),
                ("notReadyAddresses", subset.not_ready_addresses, false),
            ] {
                for (j, wire) in list.into_iter().enumerate() {
                    let path = path.clone().field(field).index(j).field("ip");
                    let Some(address) = at.address(&wire.ip, path) else { continue };
                    let pod = target_pod(wire.target_ref, &service.namespace);
                    endpoints.push(EndpointAddress { address, ready, pod, node: wire.node_name, zone: None });
                }
            }
            EndpointSet { ports: endpoint_ports(at, subset.ports, &path.field("ports")), endpoints }
        });
        let sets = sets.collect();
        Some(ClusterObject::Endpoints { service, sets })
    }

    fn slice(&mut self, wire: wire::EndpointSlice) -> Option<ClusterObject> {
        let service = wire.metadata.labels.get("kubernetes.io/service-name").cloned();
        let name = self.name(wire.metadata.name, wire.metadata.namespace)?;
        let object = self.kind.object_ref(name.clone());
        let at = &mut At { object: &object, report: &mut self.report };
        let root = FieldPath::root();
        match wire.address_type.as_deref() {
            Some("IPv4" | "IPv6") => {}
            Some("FQDN") => {
                let message = "an EndpointSlice with DNS names is ignored";
                at.fault(codes::FQDN, root.field("addressType"), message, None);
                return None;
            }
            Some(other) => {
                let message = format!("`{other}` is not a type of address");
                let help = "write `IPv4` or `IPv6`";
                at.fault(codes::MALFORMED, root.field("addressType"), message, Some(help));
                return None;
            }
            None => {
                at.fault(codes::MALFORMED, root, "`addressType` is missing", None);
                return None;
            }
        }
        let mut endpoints = Vec::new();
        for (i, wire) in wire.endpoints.into_iter().enumerate() {
            let path = root.clone().field("endpoints").index(i).field("addresses");
            // All addresses of an endpoint reach the same pod; like kube-proxy, only the first is used, so that no pod counts twice.
            let Some(first) = wire.addresses.first() else {
                at.fault(codes::MALFORMED, path, "an endpoint without addresses", None);
                continue;
            };
            let Some(address) = at.address(first, path.index(0)) else { continue };
            endpoints.push(EndpointAddress {
                address,
                ready: wire.conditions.ready.unwrap_or(true),
                pod: target_pod(wire.target_ref, &name.namespace),
                node: wire.node_name,
                zone: wire.zone,
            });
        }
        let ports = endpoint_ports(at, wire.ports, &root.field("ports"));
        let service = service
            .filter(|s| !s.is_empty())
            .map(|s| Namespaced { namespace: name.namespace.clone(), name: Name::new(s) });
        Some(ClusterObject::EndpointSlice { name, service, set: EndpointSet { ports, endpoints } })
    }

    fn pod(&mut self, wire: wire::Pod) -> Option<ClusterObject> {
        let name = self.name(wire.metadata.name, wire.metadata.namespace)?;
        let object = self.kind.object_ref(name.clone());
        let at = &mut At { object: &object, report: &mut self.report };
        let mut pod = pod(at, &object, wire.metadata.labels, wire.spec, &FieldPath::root().field("spec"));
        let status = FieldPath::root().field("status");
        let wire::PodStatus { phase, pod_ip, pod_ips, conditions } = wire.status;
        let mut texts: Vec<(FieldPath, Arc<str>)> = pod_ips
            .into_iter()
            .enumerate()
            .filter_map(|(i, ip)| Some((status.clone().field("podIPs").index(i).field("ip"), ip.ip?)))
            .collect();
        if texts.is_empty()
            && let Some(text) = pod_ip
        {
            texts.push((status.field("podIP"), text));
        }
        pod.addresses = texts
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .filter_map(|(path, text)| at.address(&text, path))
            .collect();
        let deleted = wire.metadata.deletion_timestamp.is_some();
        let ended = matches!(phase.as_deref(), Some("Succeeded" | "Failed"));
        pod.alive = !ended && !(deleted && pod.addresses.is_empty());
        // SPEC: a pod that nobody reports on yet, as in a manifest written by hand, counts as ready; one that is not running does not.
        // Pinned by `readiness_without_a_condition`.
        let condition = conditions.iter().find(|c| c.kind.as_deref() == Some("Ready"));
        pod.ready = match condition {
            Some(condition) => condition.status.as_deref() == Some("True"),
            None => matches!(phase.as_deref(), None | Some("" | "Running")),
        };
        Some(ClusterObject::Pod { id: PodId { name, template_of: None }, pod })
    }

    fn template(
        &mut self,
        kind: TemplateKind,
        meta: wire::Meta,
        template: wire::Template,
    ) -> Option<ClusterObject> {
        let name = self.name(meta.name, meta.namespace)?;
        let object = self.kind.object_ref(name.clone());
        let at = &mut At { object: &object, report: &mut self.report };
        let path = match kind {
            TemplateKind::CronJob => &["spec", "jobTemplate", "spec", "template", "spec"][..],
            TemplateKind::Deployment
            | TemplateKind::StatefulSet
            | TemplateKind::DaemonSet
            | TemplateKind::ReplicaSet
            | TemplateKind::Job => &["spec", "template", "spec"],
        };
        let path = FieldPath::root().fields(path);
        let pod = pod(at, &object, template.metadata.labels, template.spec, &path);
        Some(ClusterObject::Pod { id: PodId { name, template_of: Some(kind) }, pod })
    }
}

fn service_ports(at: &mut At<'_>, wires: Vec<wire::ServicePort>, path: &FieldPath) -> Vec<ServicePort> {
    let several = wires.len() > 1;
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    let mut ports = Vec::new();
    for (i, wire) in wires.into_iter().enumerate() {
        let path = path.clone().index(i);
        let name = wire.name.unwrap_or_default();
        if name.is_empty() {
            if several {
                let message = "a port without a `name`, although there are several";
                at.fault(codes::PORT_REPEATED, path.clone(), message, None);
            }
        } else if !is_dns_label(&name) {
            let message = format!("`{name}` is not the name of a port");
            let help = "lower-case letters, digits and `-`, at most 63 characters";
            at.fault(codes::PORT, path.clone().field("name"), message, Some(help));
        } else if !names.insert(name.clone()) {
            let message = format!("another port is called `{name}` too");
            at.fault(codes::PORT_REPEATED, path.clone().field("name"), message, None);
        }
        let port = at.port(wire.port, path.clone().field("port"));
        let protocol = at.protocol(wire.protocol.as_deref(), path.clone().field("protocol"));
        let (Some(port), Some(protocol)) = (port, protocol) else { continue };
        if !numbers.insert((port, protocol)) {
            let message = format!("port {port} stands twice with the same protocol");
            at.fault(codes::PORT_REPEATED, path.clone().field("port"), message, None);
        }
        let target = match wire.target_port {
            // The API server replaces 0 and the empty string by the port itself.
            None | Some(IntOrString::Int(0)) => Some(TargetPort::Number(port)),
            Some(IntOrString::Text(text)) if text.is_empty() => Some(TargetPort::Number(port)),
            Some(IntOrString::Int(number)) => {
                at.port(number, path.field("targetPort")).map(TargetPort::Number)
            }
            Some(IntOrString::Text(text)) => {
                at.port_name(text, path.field("targetPort")).map(TargetPort::Name)
            }
        };
        let Some(target) = target else { continue };
        let app_protocol = wire.app_protocol.filter(|p| !p.is_empty());
        ports.push(ServicePort { name, port, protocol, app_protocol, target });
    }
    ports
}

fn endpoint_ports(at: &mut At<'_>, wires: Vec<wire::EndpointPort>, path: &FieldPath) -> Vec<EndpointPort> {
    let read = wires.into_iter().enumerate().filter_map(|(i, wire)| {
        let path = path.clone().index(i);
        // A port without a number means every port, which no Service port can mean.
        let port = at.port(wire.port?, path.clone().field("port"))?;
        let protocol = at.protocol(wire.protocol.as_deref(), path.field("protocol"))?;
        Some(EndpointPort { name: wire.name.unwrap_or_default(), protocol, port })
    });
    read.collect()
}

fn target_pod(target: Option<wire::TargetRef>, namespace: &Namespace) -> Option<Namespaced> {
    let wire::TargetRef { kind, namespace: own, name } = target?;
    let name = name.filter(|_| kind.as_deref() == Some("Pod"))?;
    let namespace = own.map_or_else(|| namespace.clone(), Namespace::new);
    Some(Namespaced { namespace, name: Name::new(name) })
}

fn pod(
    at: &mut At<'_>,
    object: &ObjectRef,
    labels: wire::Labels,
    spec: wire::PodSpec,
    path: &FieldPath,
) -> Pod {
    let account = spec.service_account_name.or(spec.service_account).filter(|a| !a.is_empty());
    let account_defaulted = account.is_none();
    let mut ports = Vec::new();
    let mut probes = Vec::new();
    // Init containers that run on beside the others (sidecars) have ports too; the rest end before the pod serves.
    let sidecars = spec
        .init_containers
        .into_iter()
        .enumerate()
        .filter(|(_, c)| c.restart_policy.as_deref() == Some("Always"))
        .map(|(i, c)| (path.clone().field("initContainers").index(i), c));
    let containers =
        spec.containers.into_iter().enumerate().map(|(i, c)| (path.clone().field("containers").index(i), c));
    for (path, container) in containers.chain(sidecars) {
        let own = container_ports(at, container.ports, &path.clone().field("ports"));
        for (field, probe) in [
            ("livenessProbe", container.liveness_probe),
            ("readinessProbe", container.readiness_probe),
            ("startupProbe", container.startup_probe),
        ] {
            probes.extend(probe.and_then(|probe| self::probe(at, probe, &own, path.clone().field(field))));
        }
        ports.extend(own);
    }
    probes.sort();
    probes.dedup();
    Pod {
        object: object.clone(),
        labels,
        account: Name::new(account.unwrap_or_else(|| "default".into())),
        account_defaulted,
        addresses: Vec::new(),
        host_network: spec.host_network,
        alive: true,
        ready: true,
        node: spec.node_name,
        ports,
        probes,
    }
}

fn container_ports(at: &mut At<'_>, wires: Vec<wire::ContainerPort>, path: &FieldPath) -> Vec<ContainerPort> {
    let mut names = BTreeSet::new();
    let read = wires.into_iter().enumerate().filter_map(|(i, wire)| {
        let path = path.clone().index(i);
        let port = at.port(wire.container_port, path.clone().field("containerPort"))?;
        let protocol = at.protocol(wire.protocol.as_deref(), path.clone().field("protocol"))?;
        let name = match wire.name {
            Some(name) if !name.is_empty() => at.port_name(name, path.clone().field("name"))?,
            _ => Arc::default(),
        };
        if !name.is_empty() && !names.insert(name.clone()) {
            let message = format!("another port of this container is called `{name}` too");
            at.fault(codes::PORT_REPEATED, path.field("name"), message, None);
        }
        Some(ContainerPort { name, port, protocol })
    });
    read.collect()
}

fn probe(at: &mut At<'_>, wire: wire::Probe, ports: &[ContainerPort], path: FieldPath) -> Option<Probe> {
    let (port, http, field) = match wire {
        wire::Probe { http_get: Some(http), .. } => {
            // The kubelet asks for `/` when no path is given.
            let path = http.path.filter(|p| !p.is_empty()).unwrap_or_else(|| "/".into());
            (http.port, Some(path), "httpGet")
        }
        wire::Probe { tcp_socket: Some(tcp), .. } => (tcp.port, None, "tcpSocket"),
        wire::Probe { grpc: Some(grpc), .. } => (grpc.port, None, "grpc"),
        wire::Probe { .. } => return None,
    };
    let path = path.fields(&[field, "port"]);
    let port = match port {
        IntOrString::Int(number) => at.port(number, path)?,
        IntOrString::Text(name) => match ports.iter().find(|p| p.name == name) {
            Some(port) => port.port,
            None => {
                let message = format!("the container has no port `{name}`, so the probe is ignored");
                at.fault(codes::PROBE_PORT, path, message, None);
                return None;
            }
        },
    };
    Some(Probe { port, path: http })
}

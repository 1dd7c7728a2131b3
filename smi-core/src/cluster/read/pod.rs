//! Pods, and the templates of workloads.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{At, ClusterObject, Reading};
use crate::cluster::wire::{self, IntOrString};
use crate::cluster::{Addresses, ContainerPort, Locality, Pod, PodId, PodSpec, Probe, TemplateKind, codes};
use crate::diag::FieldPath;
use crate::hub::names::{Name, is_dns_subdomain};

impl Reading {
    pub(super) fn pod(&mut self, wire: wire::Pod) -> Option<ClusterObject> {
        let name = self.name(wire.metadata.name, wire.metadata.namespace)?;
        let object = self.kind.object_ref(name.clone());
        let at = &mut At { object: &object, report: &mut self.report };
        let locality = Locality::new(wire.spec.node_name.clone(), None);
        let spec = pod_spec(at, wire.metadata.labels, wire.spec, &FieldPath::root().field("spec"));
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
        let addresses: Addresses = texts
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .filter_map(|(path, text)| at.address(&text, path))
            .collect();
        let deleted = wire.metadata.deletion_timestamp.is_some();
        let ended = matches!(phase.as_deref(), Some("Succeeded" | "Failed"));
        let alive = !ended && (!deleted || !addresses.is_empty());
        // SPEC: a pod that nobody reports on yet, as in a manifest written by hand, counts as ready; one that is not running does not.
        // Pinned by `readiness_without_a_condition`.
        let condition = conditions.iter().find(|c| c.kind.as_deref() == Some("Ready"));
        let ready = match condition {
            Some(condition) => condition.status.as_deref() == Some("True"),
            None => matches!(phase.as_deref(), None | Some("" | "Running")),
        };
        let pod = Pod { spec: Arc::new(spec), addresses, alive, ready, locality };
        Some(ClusterObject::Pod { id: PodId::pod(name), pod })
    }

    pub(super) fn template(
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
        let locality = Locality::new(template.spec.node_name.clone(), None);
        let spec = Arc::new(pod_spec(at, template.metadata.labels, template.spec, &path));
        let pod = Pod { spec, addresses: Addresses::default(), alive: true, ready: true, locality };
        Some(ClusterObject::Pod { id: PodId::template(name, kind), pod })
    }
}

fn pod_spec(at: &mut At<'_>, labels: wire::Labels, spec: wire::PodSpec, path: &FieldPath) -> PodSpec {
    let account = spec.service_account_name.or(spec.service_account).filter(|a| !a.is_empty());
    let account_defaulted = account.is_none();
    if let Some(account) = account.as_ref().filter(|account| !is_dns_subdomain(account)) {
        let message = format!("`{account}` is not a valid name of a service account");
        at.fault(codes::NAME, path.clone().field("serviceAccountName"), message, None);
    }
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
    ports.shrink_to_fit();
    probes.shrink_to_fit();
    PodSpec {
        labels: labels.into(),
        account: Name::new(account.unwrap_or_else(|| "default".into())),
        account_defaulted,
        host_network: spec.host_network,
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

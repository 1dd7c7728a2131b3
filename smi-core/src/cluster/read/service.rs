//! Services.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{At, ClusterObject, Reading};
use crate::cluster::wire::{self, IntOrString};
use crate::cluster::{Service, ServiceKind, ServicePort, TargetPort, codes};
use crate::diag::FieldPath;
use crate::hub::names::is_dns_label;

impl Reading {
    pub(super) fn service(&mut self, wire: wire::Service) -> Option<ClusterObject> {
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
        let mut ports = service_ports(at, ports, &spec.field("ports"));
        ports.shrink_to_fit();
        Some(ClusterObject::Service(Service {
            name,
            annotations: wire.metadata.annotations,
            addresses,
            kind,
            selector: selector.into(),
            ports,
        }))
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

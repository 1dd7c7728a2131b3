//! Which node may have what, and what is told of nodes.

use smi_core::backend::ProxyTarget;
use smi_core::cluster::PodId;
use smi_core::diag::printable;
use smi_core::ir::Ir;
use smi_envoy::{host_origins, target_of};
use smi_xds::server::{Client, Observer};
use smi_xds::status::Event;
use smi_xds::wire::Node;
use smi_xds::{Denied, Group, Peer, Placement, Resource, node};

use super::{Shared, lock, say};

/// Node proxies share a group, sidecars have their own; certificates have to be those of the pod, or of node proxies.
pub(super) struct Placed {
    pub(super) shared: Shared,
    pub(super) node_proxy: String,
}

impl Placement for Placed {
    fn place(&self, node: &Node, peer: &Peer) -> Result<Group, Denied> {
        let target = target_of(&node.id).ok_or_else(|| {
            Denied(format!("`{:.100}` is neither `node`, `node~NAME` nor `sidecar~NAMESPACE~POD`", node.id))
        })?;
        let (group, wanted) = match &target {
            ProxyTarget::Node => (node::NODES.into(), self.node_proxy.clone()),
            // Without certificates nobody knows who asks; a group of pods that are not there gets nothing.
            ProxyTarget::Sidecar(_) if *peer == Peer::Anonymous => (node.id.as_str().into(), String::new()),
            ProxyTarget::Sidecar(pod) => {
                let ir = lock(&self.shared).clone();
                let of = ir.and_then(|ir| identity(&ir, pod));
                let of = of.ok_or_else(|| Denied(format!("there is no pod of `{:.100}`", node.id)))?;
                (format!("{} {of}", node.id).into(), of)
            }
        };
        match peer {
            Peer::Certified(names) if !names.contains(&wanted) => {
                Err(Denied(format!("`{:.100}` is for `{wanted}`, the certificate for {names:?}", node.id)))
            }
            Peer::Certified(_) | Peer::Anonymous => Ok(group),
        }
    }
}

/// The pod of a group of sidecars, and its SPIFFE ID; none if it is no longer the one that the group was admitted as.
pub(super) fn admitted(ir: &Ir, group: &str) -> Option<(PodId, String)> {
    let (id, admitted) = match group.split_once(' ') {
        Some((id, admitted)) => (id, Some(admitted)),
        None => (group, None),
    };
    let Some(ProxyTarget::Sidecar(pod)) = target_of(id) else { return None };
    let of = identity(ir, &pod)?;
    admitted.is_none_or(|admitted| admitted == of).then_some((pod, of))
}

fn identity(ir: &Ir, pod: &PodId) -> Option<String> {
    Some(ir.identity(&ir.pods.get(pod)?.workload).to_string())
}

/// Tells the operator of nodes that come, go and refuse.
pub(super) struct Reporter {
    pub(super) shared: Shared,
}

impl Observer for Reporter {
    fn connected(&self, client: &Client) {
        say(format_args!("`{}` connected ({:?})", shown(&client.node.id, 100), client.protocol));
    }

    fn event(&self, client: &Client, event: &Event) {
        let node = shown(&client.node.id, 100);
        let error = |what: &str, message: &str, origins: &[String]| {
            say(format_args!("error: `{node}` refused {what}: {}", shown(message, 500)));
            origins.iter().for_each(|origin| say(format_args!("  = from {origin}")));
        };
        let named = |resource: &Resource| format!("{} `{}`", resource.type_url().short(), resource.name());
        match event {
            Event::Refused { type_url, message, parked, retried } => {
                if *retried > 0 {
                    let (kind, message) = (type_url.short(), shown(message, 500));
                    say(format_args!("`{node}` refused {retried} of {kind}; trying them apart: {message}"));
                }
                for resource in parked {
                    error(&named(resource), message, resource.origins());
                }
            }
            Event::Closed { resource, hosts, message } => {
                let closed = shown(&hosts.join("`, `"), 500);
                let what =
                    format!("`{closed}` in {}; closed there, all else of it is in force", named(resource));
                let origins = self.origins(client, resource, hosts);
                error(&what, message, if origins.is_empty() { resource.origins() } else { &origins });
            }
            Event::Sent { .. } | Event::Accepted { .. } | _ => {}
        }
    }

    fn disconnected(&self, client: &Client, reason: &str) {
        say(format_args!("`{}` left: {}", shown(&client.node.id, 100), printable(reason)));
    }

    fn denied(&self, node: Option<&Node>, reason: &str) {
        let id = node.map_or("?", |node| &node.id);
        say(format_args!("denied `{}`: {}", shown(id, 100), printable(reason)));
    }
}

impl Reporter {
    /// What these hosts are made of, as far as they are of the newest configuration.
    fn origins(&self, client: &Client, routes: &Resource, hosts: &[String]) -> Vec<String> {
        let (Some(ir), Some(target)) = (lock(&self.shared).clone(), target_of(&client.node.id)) else {
            return Vec::new();
        };
        let of = |host| host_origins(&ir, &target, routes.name(), host);
        hosts.iter().flat_map(|host| of(host)).map(|origin| origin.to_string()).collect()
    }
}

/// The beginning of what a node says, which is whatever it likes.
fn shown(text: &str, most: usize) -> String {
    printable(&text.chars().take(most).collect::<String>()).into_owned()
}

//! Who a client says it is, who its certificate says it is, and which group it belongs to.

use std::sync::Arc;

use crate::store::Group;
use crate::wire::Node;

/// What is known of the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// No client certificate was asked for.
    Anonymous,
    /// The URI names of a certificate that was verified.
    Certified(Arc<[String]>),
}

/// Why a node may not have what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub String);

/// Finds the group of a node, and refuses nodes that are not what they say.
pub trait Placement: Send + Sync + 'static {
    /// The group whose snapshot the node gets. A group that has no snapshot yet makes the node wait.
    ///
    /// # Errors
    /// When the node may have nothing.
    fn place(&self, node: &Node, peer: &Peer) -> Result<Group, Denied>;
}

impl<F> Placement for F
where
    F: Fn(&Node, &Peer) -> Result<Group, Denied> + Send + Sync + 'static,
{
    fn place(&self, node: &Node, peer: &Peer) -> Result<Group, Denied> {
        self(node, peer)
    }
}

/// A node's id as the parts that it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeId<'a> {
    /// `sidecar~namespace~pod`.
    Sidecar {
        /// Namespace of the pod.
        namespace: &'a str,
        /// Name of the pod.
        pod: &'a str,
    },
    /// `node` or `node~name`: a proxy of a node, all of which share a snapshot.
    Node(Option<&'a str>),
}

impl<'a> NodeId<'a> {
    /// Reads a node's id.
    #[must_use]
    pub fn parse(id: &'a str) -> Option<Self> {
        // A character that is in no name of Kubernetes.
        let mut parts = id.split('~');
        let sound = |part: &&str| {
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
            !part.is_empty() && part.len() <= 253 && part.chars().all(letters)
        };
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("sidecar"), Some(namespace), Some(pod), None) if sound(&namespace) && sound(&pod) => {
                Some(Self::Sidecar { namespace, pod })
            }
            (Some("node"), Some(name), None, None) if sound(&name) => Some(Self::Node(Some(name))),
            (Some("node"), None, None, None) => Some(Self::Node(None)),
            _ => None,
        }
    }
}

/// Group of all node proxies.
pub const NODES: &str = "nodes";

/// The usual placement: node proxies share [`NODES`], each sidecar has a group named by its id.
///
/// With certificates, a sidecar needs `spiffe://trust-domain/ns/NAMESPACE/sa/…` of its own namespace, and a node proxy one of `nodes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByNodeId {
    /// Trust domain of the clients' certificates.
    pub trust_domain: String,
    /// SPIFFE ids of node proxies.
    pub nodes: Vec<String>,
}

impl Placement for ByNodeId {
    fn place(&self, node: &Node, peer: &Peer) -> Result<Group, Denied> {
        let id = NodeId::parse(&node.id)
            .ok_or_else(|| Denied(format!("`{:.100}` is not the id of a node", node.id)))?;
        let allowed = match (peer, &id) {
            (Peer::Anonymous, _) => true,
            (Peer::Certified(names), NodeId::Sidecar { namespace, .. }) => {
                let prefix = format!("spiffe://{}/ns/{namespace}/sa/", self.trust_domain);
                let own = |name: &String| {
                    name.strip_prefix(&prefix).is_some_and(|sa| !sa.is_empty() && !sa.contains('/'))
                };
                names.iter().any(own)
            }
            (Peer::Certified(names), NodeId::Node(_)) => names.iter().any(|n| self.nodes.contains(n)),
        };
        if !allowed {
            return Err(Denied(format!("the certificate does not speak for node `{:.100}`", node.id)));
        }
        Ok(match id {
            NodeId::Sidecar { .. } => node.id.as_str().into(),
            NodeId::Node(_) => NODES.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use smi_core::backend::ProxyTarget;
    use smi_core::cluster::PodId;
    use smi_core::hub::names::Namespaced;

    use super::*;

    #[test]
    fn ids_are_those_that_bootstraps_present() {
        let cart = ProxyTarget::Sidecar(PodId::pod(Namespaced::new("shop", "cart-0")));
        assert_eq!(NodeId::parse(&smi_envoy::node_id(&ProxyTarget::Node)), Some(NodeId::Node(None)));
        assert_eq!(
            NodeId::parse(&smi_envoy::node_id(&cart)),
            Some(NodeId::Sidecar { namespace: "shop", pod: "cart-0" })
        );
        assert_eq!(NodeId::parse("node~one"), Some(NodeId::Node(Some("one"))));
        // Nobody is a node proxy by mistake.
        for id in
            ["", "cart", "sidecar", "sidecar~shop", "sidecar~shop~", "sidecar~shop~a~b", "node~", "node~a~b"]
        {
            assert_eq!(NodeId::parse(id), None, "{id}");
            assert!(
                ByNodeId::default()
                    .place(&Node { id: id.into(), cluster: String::new() }, &Peer::Anonymous)
                    .is_err()
            );
        }
    }
}

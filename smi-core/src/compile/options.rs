//! Options of the compiler.

use std::sync::Arc;

use crate::cluster::Cluster;
use crate::hub::names::Namespace;
use crate::ir::{Mode, PortTable, Settings};

/// What a compilation depends on beside its input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Trust domain, mesh domains, encoded slashes.
    pub settings: Settings,
    /// Mode of the mesh (S21).
    pub mode: MeshMode,
    /// What becomes of backends without ready endpoints (S20).
    pub dead_backends: DeadBackends,
    /// Protocol of TCP ports that nothing says anything about (S36).
    pub default_protocol: DefaultProtocol,
    /// Where probes of the kubelet are allowed (S32).
    pub allow_probes: AllowProbes,
    /// Prefixes of annotations of Services, the first one wins (S34). Each ends in `/`.
    pub annotation_prefixes: Vec<Arc<str>>,
    /// The port table of the compilations before, whose entries stay where they are; those of services that are away keep their ports free for
    /// them while there are others (S37).
    pub port_table: PortTable,
    /// Where new listeners are put.
    pub port_ranges: PortRanges,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            mode: MeshMode::Enforce,
            dead_backends: DeadBackends::Fail,
            default_protocol: DefaultProtocol::Http,
            allow_probes: AllowProbes::Sidecars,
            annotation_prefixes: vec![
                "mesh.smi-sdk.io/".into(),
                "mesh.traefik.io/".into(),
                "maesh.containo.us/".into(),
            ],
            port_table: PortTable::default(),
            port_ranges: PortRanges::default(),
        }
    }
}

/// Mode of the mesh (S21).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MeshMode {
    /// Everything is denied that no TrafficTarget allows.
    #[default]
    Enforce,
    /// Nothing is denied, every would-be denial is counted.
    Permissive,
    /// [`Mode::Enforce`] in namespaces with this label and value, [`Mode::Permissive`] elsewhere.
    EnforceLabelled {
        /// Key of the label.
        key: Arc<str>,
        /// Its value.
        value: Arc<str>,
    },
}

impl MeshMode {
    /// Mode of a namespace.
    // SPEC: S21. Where it cannot be known whether the label is there, access is enforced, so that a mistake in a Namespace opens nothing.
    // Tests: s21_an_unclear_namespace_is_enforced, s21_what_cannot_be_read_may_be_a_namespace.
    #[must_use]
    pub fn of(&self, cluster: &Cluster, namespace: &Namespace) -> Mode {
        match self {
            Self::Enforce => Mode::Enforce,
            Self::Permissive => Mode::Permissive,
            Self::EnforceLabelled { key, value } => {
                let labels = cluster.namespaces.get(namespace);
                let labelled = labels.and_then(|l| l.get(key)) == Some(value);
                let unclear = cluster.unclear_namespaces.contains(namespace)
                    || (labels.is_none() && cluster.namespaces_incomplete);
                if labelled || unclear { Mode::Enforce } else { Mode::Permissive }
            }
        }
    }
}

/// What becomes of backends without ready endpoints (S20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeadBackends {
    /// They keep their share, and it fails.
    #[default]
    Fail,
    /// They are left out, and the others share in proportion.
    Drop,
}

/// Protocol of TCP ports that nothing says anything about (S36).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DefaultProtocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// Opaque TCP.
    Tcp,
}

/// Where probes of the kubelet are allowed (S32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AllowProbes {
    /// Nowhere.
    Never,
    /// At the port that a probe names, where the pod's own sidecar answers for it. Through services, and at node proxies, probes are
    /// requests like others.
    #[default]
    Sidecars,
    /// There, and through services as well, whoever asks whichever proxy.
    Everywhere,
}

/// Where node proxies may listen: first port and number of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRanges {
    /// For HTTP.
    pub http: (u16, u16),
    /// For TCP.
    pub tcp: (u16, u16),
    /// For UDP.
    pub udp: (u16, u16),
}

impl Default for PortRanges {
    fn default() -> Self {
        Self { http: (5000, 100), tcp: (10000, 2000), udp: (15000, 2000) }
    }
}

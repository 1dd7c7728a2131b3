//! Flags → options of the compiler.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use smi_core::compile::{AllowProbes, CompileOptions, DeadBackends, DefaultProtocol, MeshMode};
use smi_core::hub::names::{SpiffeId, is_dns_label, is_dns_subdomain};
use smi_core::ir::EncodedSlashes;

use crate::port_table;

/// What the meaning of manifests depends on beside themselves.
#[derive(Debug, Args)]
pub(crate) struct CompileFlags {
    /// Mode of the mesh: `enforce` denies what no TrafficTarget allows, `permissive` denies nothing.
    #[arg(long, value_enum, default_value_t = Mode::Enforce, help_heading = "Meaning")]
    mode: Mode,
    /// Enforce only in namespaces with this label, permit elsewhere.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "mode", help_heading = "Meaning")]
    enforce_label: Option<String>,
    /// Trust domain of identities.
    #[arg(long, default_value = "cluster.local", value_parser = trust_domain, help_heading = "Meaning")]
    trust_domain: String,
    /// Domain under which callers name services; may be given several times.
    #[arg(long, default_value = "mesh", value_parser = mesh_domain, help_heading = "Meaning")]
    mesh_domain: Vec<String>,
    /// What becomes of backends without ready endpoints.
    #[arg(long, value_enum, default_value_t = Dead::Fail, help_heading = "Meaning")]
    dead_backends: Dead,
    /// Protocol of TCP ports that nothing says anything about.
    #[arg(long, value_enum, default_value_t = Protocol::Http, help_heading = "Meaning")]
    default_protocol: Protocol,
    /// Where the kubelet's probes found in pods are allowed; `everywhere` when only the flag is given.
    #[arg(
        long,
        value_enum,
        value_name = "WHERE",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = Probes::Sidecars,
        default_missing_value = "everywhere",
        help_heading = "Meaning"
    )]
    allow_probes: Probes,
    /// Keep encoded slashes and backslashes in paths as opaque text instead of refusing such requests (Traefik: slashes only).
    #[arg(long, help_heading = "Meaning")]
    keep_encoded_slashes: bool,
    /// The port table of the run before, whose listen ports stay; a missing file is an empty table. `render` and `serve` write what is new into
    /// the file, and remove nothing.
    #[arg(long, value_name = "FILE", help_heading = "Meaning")]
    pub(crate) port_table: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    Enforce,
    Permissive,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dead {
    Fail,
    Drop,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    Http,
    Tcp,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Probes {
    /// Nowhere.
    Never,
    /// Where the pod's own sidecar answers at the probe's port; through services and at node proxies they are requests like others.
    Sidecars,
    /// There, and through services as well, whoever asks.
    Everywhere,
}

fn trust_domain(text: &str) -> Result<String, String> {
    let id = SpiffeId::parse(&format!("spiffe://{text}")).filter(|_| !text.contains('/'));
    id.map(|_| text.to_owned()).ok_or_else(|| {
        "a trust domain has lower-case letters, digits, `.`, `-` and `_`, and is not empty".to_owned()
    })
}

fn mesh_domain(text: &str) -> Result<String, String> {
    let domain = text.trim_matches('.').to_ascii_lowercase();
    let is_name = is_dns_subdomain(&domain) && domain.split('.').all(is_dns_label);
    is_name.then_some(domain).ok_or_else(|| "not a DNS name".to_owned())
}

impl CompileFlags {
    /// The options.
    pub(crate) fn options(&self) -> anyhow::Result<CompileOptions> {
        let mut options = CompileOptions::default();
        options.mode = match (&self.enforce_label, self.mode) {
            (Some(label), _) => {
                let (key, value) =
                    label.split_once('=').ok_or_else(|| anyhow::anyhow!("`{label}` is not KEY=VALUE"))?;
                MeshMode::EnforceLabelled { key: key.into(), value: value.into() }
            }
            (None, Mode::Enforce) => MeshMode::Enforce,
            (None, Mode::Permissive) => MeshMode::Permissive,
        };
        options.settings.trust_domain = self.trust_domain.as_str().into();
        options.settings.mesh_domains = self.mesh_domain.iter().map(|d| d.as_str().into()).collect();
        options.dead_backends = match self.dead_backends {
            Dead::Fail => DeadBackends::Fail,
            Dead::Drop => DeadBackends::Drop,
        };
        options.default_protocol = match self.default_protocol {
            Protocol::Http => DefaultProtocol::Http,
            Protocol::Tcp => DefaultProtocol::Tcp,
        };
        options.allow_probes = match self.allow_probes {
            Probes::Never => AllowProbes::Never,
            Probes::Sidecars => AllowProbes::Sidecars,
            Probes::Everywhere => AllowProbes::Everywhere,
        };
        if self.keep_encoded_slashes {
            options.settings.encoded_slashes = EncodedSlashes::Keep;
        }
        if let Some(path) = &self.port_table {
            options.port_table = port_table::read(path)?;
        }
        Ok(options)
    }
}

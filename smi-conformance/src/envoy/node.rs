//! One Envoy per node, which knows callers by address.
//!
//! From one file: a new process for each world. From a control plane: one process that is told of each world.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use smi_core::backend::{Backend as _, Capabilities, ProxyTarget};
use smi_core::compile::PortRanges;
use smi_core::eval::{Decide as _, Distribution, Payload};
use smi_core::ir::Ir;
use smi_envoy::sim::Simulator;
use smi_envoy::{AdsServer, Envoy, EnvoyConfig, EnvoyOptions};

use smi_xds::node;

use super::{Control, DECLARED, Process, control};
use crate::call::Call;
use crate::loopback::client::Client;
use crate::loopback::{Network, port};
use crate::node::{LISTENERS, ask, listener_ranges};
use crate::observe::Observation;
use crate::subject::{Counting, Declared, LiveProxy, Subject};

/// The backend.
#[derive(Clone, Debug, Default)]
pub struct EnvoyNode {
    envoy: Envoy,
    delivery: &'static str,
}

impl Subject for EnvoyNode {
    type Config = EnvoyConfig;

    fn name(&self) -> String {
        format!("envoy node{}", self.delivery)
    }

    fn capabilities(&self) -> Capabilities {
        self.envoy.capabilities(&ProxyTarget::Node)
    }

    fn declared(&self) -> &'static [Declared] {
        DECLARED
    }

    fn render(&self, ir: &Ir) -> anyhow::Result<EnvoyConfig> {
        let config = self.envoy.render(ir, &ProxyTarget::Node).output;
        let findings = smi_envoy::lint::lint(&config.resources);
        ensure!(findings.is_empty(), "the linter finds {findings:?}");
        Ok(config)
    }

    fn simulate(&self, ir: &Ir, config: &EnvoyConfig, call: &Call) -> Option<Distribution> {
        Some(Simulator::new(&config.resources, ir).decide(&call.request))
    }
}

/// How Envoy gets its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One file that it starts with.
    Static,
    /// Over a stream, by what changed.
    Delta,
    /// Over a stream, the state of the world each time.
    StateOfTheWorld,
}

/// A running Envoy.
#[derive(Debug)]
pub struct LiveEnvoyNode {
    delivery: Delivery,
    // It ends before the server that it asks.
    process: Option<Process>,
    control: Option<Control>,
    binary: PathBuf,
    folder: PathBuf,
    subject: EnvoyNode,
    network: Network,
    client: Client,
    base: u16,
}

impl LiveEnvoyNode {
    /// An Envoy that starts with the first world.
    ///
    /// # Errors
    /// When there are no ports for it.
    pub fn new(binary: &Path, delivery: Delivery) -> anyhow::Result<Self> {
        let base = port::free_block(3 * LISTENERS + 1)?;
        let folder = std::env::temp_dir().join(format!("smi-conform-{}-{base}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut options = EnvoyOptions::default();
        options.listen = Ipv4Addr::LOCALHOST.into();
        options.admin_port = Some(base + 3 * LISTENERS);
        let (control, name) = match delivery {
            Delivery::Static => (None, ", static"),
            Delivery::Delta => (Some(Control::start()?), ", ads by delta"),
            Delivery::StateOfTheWorld => (Some(Control::start()?), ", ads by state of the world"),
        };
        Ok(Self {
            delivery,
            process: None,
            control,
            binary: binary.to_owned(),
            folder,
            subject: EnvoyNode { envoy: Envoy { options }, delivery: name },
            network: Network::default(),
            client: Client::default(),
            base,
        })
    }
}

impl LiveProxy for LiveEnvoyNode {
    type Subject = EnvoyNode;

    fn subject(&self) -> &EnvoyNode {
        &self.subject
    }

    fn ranges(&self) -> PortRanges {
        listener_ranges(self.base)
    }

    fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    fn counting(&self, payload: &Payload) -> Counting {
        match payload {
            Payload::Http(_) | Payload::Tcp { .. } => Counting::Random,
            // Weighted endpoints take turns.
            Payload::Udp { .. } => Counting::Rotation,
        }
    }

    fn load(&mut self, _: &Ir, config: &EnvoyConfig) -> anyhow::Result<()> {
        self.client.clear();
        let file = self.folder.join("envoy.pb");
        let admin = self.base + 3 * LISTENERS;
        let Some(control) = &self.control else {
            self.process = None;
            std::fs::write(&file, config.static_bootstrap().protobuf())?;
            self.process = Some(Process::start(&self.binary, &file, admin)?);
            return Ok(());
        };
        let group = node::NODES.to_owned();
        let wanted = control.publish(&group, control::resources(&config.resources));
        let wanted = BTreeMap::from([(group, wanted)]);
        if self.process.is_none() {
            let mut server = AdsServer::new("127.0.0.1", control.port);
            server.state_of_the_world = self.delivery == Delivery::StateOfTheWorld;
            std::fs::write(&file, config.ads_bootstrap(&server).protobuf())?;
            self.process = Some(Process::start(&self.binary, &file, admin)?);
        }
        if let Err(fault) = control.wait(&wanted) {
            // The next world finds a proxy that has refused nothing yet.
            self.process = None;
            return Err(fault);
        }
        // Accepted means that the main thread has it; it hands it on to the worker with its next turn.
        std::thread::sleep(Duration::from_millis(20));
        Ok(())
    }

    fn observe(
        &mut self,
        ir: &Ir,
        call: &Call,
        times: u64,
        patience: Duration,
    ) -> anyhow::Result<Vec<Observation>> {
        ask(&mut self.client, &self.network, ir, call, times, patience)
    }
}

impl Drop for LiveEnvoyNode {
    fn drop(&mut self) {
        self.process = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

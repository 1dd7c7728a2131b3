//! Running sidecars: an Envoy for each pod, which has the pod's address, and everybody's applications on the machine's loopback interface.
//!
//! A sidecar belongs to an address rather than to a pod: what changes from world to world is what it is told, and a new process is started
//! only where nothing ran, or where a file says something else.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use smi_core::cluster::PodId;
use smi_core::compile::PortRanges;
use smi_core::eval::{Caller, Payload};
use smi_core::ir::Ir;
use smi_envoy::{AdsServer, EnvoyConfig};
use smi_xds::Resource;
use smi_xds::identity::secrets;

use super::credentials::Credentials;
use super::{EnvoySidecars, Here, client, identity, server_name};
use crate::call::{Call, Direct, Way};
use crate::envoy::{Control, Delivery, Process};
use crate::loopback::client::Client;
use crate::loopback::{Network, port};
use crate::node::{LISTENERS, ask_at, listener_ranges};
use crate::observe::Observation;
use crate::subject::{Counting, LiveProxy};

/// Sidecars that may run at the same time.
pub(super) const SIDECARS: u16 = 64;

/// Running sidecars.
#[derive(Debug)]
pub struct LiveEnvoySidecars {
    delivery: Delivery,
    // They end before the server that they ask.
    processes: BTreeMap<IpAddr, Sidecar>,
    control: Option<Control>,
    binary: PathBuf,
    folder: PathBuf,
    subject: EnvoySidecars,
    credentials: Arc<Credentials>,
    network: Network,
    client: Client,
    base: u16,
}

/// A process, and what it was started with.
#[derive(Debug)]
struct Sidecar {
    process: Process,
    bootstrap: Vec<u8>,
}

impl LiveEnvoySidecars {
    /// Sidecars that start with the first world.
    ///
    /// # Errors
    /// When there are no ports for them.
    pub fn new(binary: &Path, delivery: Delivery) -> anyhow::Result<Self> {
        let base = port::free_block(3 * LISTENERS + 1 + SIDECARS)?;
        let folder = std::env::temp_dir().join(format!("smi-conform-{}-{base}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let credentials = Arc::new(Credentials::new("cluster.local", folder.clone())?);
        let (control, name) = match delivery {
            Delivery::Static => (None, ", static"),
            Delivery::Delta => (Some(Control::start()?), ", ads by delta"),
            Delivery::StateOfTheWorld => (Some(Control::start()?), ", ads by state of the world"),
        };
        let mut subject = EnvoySidecars { delivery: name, ..EnvoySidecars::default() };
        subject.envoy.options.sidecar.inbound_port = base + 3 * LISTENERS;
        subject.here = Some(Here {
            files: control.is_none().then(|| Arc::clone(&credentials)),
            admin: base + 3 * LISTENERS + 1,
        });
        Ok(Self {
            delivery,
            processes: BTreeMap::new(),
            control,
            binary: binary.to_owned(),
            folder,
            subject,
            credentials,
            network: Network::default(),
            client: Client::default(),
            base,
        })
    }

    /// Sidecars by address.
    fn by_address<'c>(
        ir: &Ir,
        configs: &'c BTreeMap<PodId, EnvoyConfig>,
    ) -> BTreeMap<IpAddr, (&'c PodId, &'c EnvoyConfig)> {
        let address = |pod: &PodId| {
            ir.pods.get(pod)?.addresses.iter().copied().find(|a| ir.callers.get(a) == Some(pod))
        };
        configs.iter().filter_map(|(pod, config)| Some((address(pod)?, (pod, config)))).collect()
    }

    /// One file for each.
    fn load_files(&mut self, ir: &Ir, configs: &BTreeMap<PodId, EnvoyConfig>) -> anyhow::Result<()> {
        let wanted: BTreeMap<IpAddr, Vec<u8>> = Self::by_address(ir, configs)
            .into_iter()
            .map(|(at, (_, config))| (at, config.static_bootstrap().protobuf()))
            .collect();
        self.processes.retain(|at, sidecar| wanted.get(at) == Some(&sidecar.bootstrap));
        let mut fresh = Vec::new();
        for (at, bootstrap) in wanted {
            if !self.processes.contains_key(&at) {
                self.spawn(at, bootstrap)?;
                fresh.push(at);
            }
        }
        self.wait_live(&fresh)
    }

    /// Everything from the control plane.
    fn load_stream(&mut self, ir: &Ir, configs: &BTreeMap<PodId, EnvoyConfig>) -> anyhow::Result<()> {
        let sidecars = Self::by_address(ir, configs);
        let mut wanted = BTreeMap::new();
        let mut fresh = Vec::new();
        for (at, (pod, config)) in &sidecars {
            let id = ir.pods.get(*pod).map(|p| ir.identity(&p.workload).to_string()).unwrap_or_default();
            let own = secrets(&self.credentials.own, &id)?;
            wanted.insert(group(*at), self.publish(*at, config, own)?);
            if !self.processes.contains_key(at) {
                let control = self.control.as_ref().context("there is a control plane")?;
                let mut server = AdsServer::new("127.0.0.1", control.port);
                server.state_of_the_world = self.delivery == Delivery::StateOfTheWorld;
                server.node_id = Some(group(*at));
                self.spawn(*at, config.ads_bootstrap(&server).protobuf())?;
                fresh.push(*at);
            }
        }
        // Where no pod is any more.
        for at in self.processes.keys().filter(|at| !sidecars.contains_key(at)) {
            let control = self.control.as_ref().context("there is a control plane")?;
            wanted.insert(group(*at), control.publish(&group(*at), []));
        }
        self.wait_live(&fresh)?;
        let control = self.control.as_ref().context("there is a control plane")?;
        if let Err(fault) = control.wait(&wanted) {
            // The next world finds proxies that have refused nothing yet.
            self.processes.clear();
            return Err(fault);
        }
        // Accepted means that the main thread has it; it hands it on to the worker with its next turn.
        std::thread::sleep(Duration::from_millis(20));
        Ok(())
    }

    fn publish(
        &self,
        at: IpAddr,
        config: &EnvoyConfig,
        secrets: Vec<Resource>,
    ) -> anyhow::Result<crate::envoy::control::Sums> {
        let control = self.control.as_ref().context("there is a control plane")?;
        let resources = crate::envoy::control::resources(&config.resources);
        Ok(control.publish(&group(at), resources.into_iter().chain(secrets)))
    }

    fn spawn(&mut self, at: IpAddr, bootstrap: Vec<u8>) -> anyhow::Result<()> {
        let file = self.folder.join(format!("{at}.pb"));
        std::fs::write(&file, &bootstrap)?;
        let admin = self.subject.here.as_ref().context("they run here")?.admin_port(at)?;
        let process = Process::spawn(&self.binary, &file, admin)?;
        self.processes.insert(at, Sidecar { process, bootstrap });
        Ok(())
    }

    fn wait_live(&mut self, fresh: &[IpAddr]) -> anyhow::Result<()> {
        for at in fresh {
            let Some(sidecar) = self.processes.get_mut(at) else { continue };
            let live = sidecar.process.wait_live();
            if live.is_err() {
                self.processes.remove(at);
            }
            live.with_context(|| format!("the sidecar at {at}"))?;
        }
        Ok(())
    }

    fn direct(&self, ir: &Ir, call: &Call, direct: &Direct) -> anyhow::Result<Observation> {
        let name = server_name(&call.request.payload, direct).unwrap_or_else(|| "unnamed.smi".to_owned());
        let tls = match direct.way {
            Way::Clear => None,
            way => Some((self.credentials.client(way, &identity(ir, &call.request.caller))?, name)),
        };
        let mut to = direct.to;
        to.set_port(self.subject.envoy.options.sidecar.inbound_port);
        let ask = self.network.must_be_asked(direct.to.port());
        client::call(direct.from, to, tls, &call.request.payload, ask)
    }
}

/// The id of the sidecar at an address, which is its group as well.
fn group(at: IpAddr) -> String {
    format!("sidecar~conform~{at}")
}

impl LiveProxy for LiveEnvoySidecars {
    type Subject = EnvoySidecars;

    fn subject(&self) -> &EnvoySidecars {
        &self.subject
    }

    fn ranges(&self) -> PortRanges {
        listener_ranges(self.base)
    }

    fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    fn counting(&self, _: &Payload) -> Counting {
        Counting::Random
    }

    fn load(&mut self, ir: &Ir, config: &BTreeMap<PodId, EnvoyConfig>) -> anyhow::Result<()> {
        self.client.clear();
        if self.control.is_some() { self.load_stream(ir, config) } else { self.load_files(ir, config) }
    }

    fn observe(
        &mut self,
        ir: &Ir,
        call: &Call,
        times: u64,
        patience: Duration,
    ) -> anyhow::Result<Vec<Observation>> {
        if let Some(direct) = &call.direct {
            return (0..times).map(|_| self.direct(ir, call, direct)).collect();
        }
        let Caller::Pod(pod) = &call.request.caller else { bail!("callers of sidecars are pods") };
        let own = ir.pods.get(pod).map(|p| &*p.addresses).unwrap_or_default();
        let at =
            own.iter().copied().find(|a| ir.callers.get(a) == Some(pod)).context("a pod without sidecar")?;
        ask_at((at, at), &mut self.client, &self.network, ir, &call.request.payload, times, patience)
    }
}

impl Drop for LiveEnvoySidecars {
    fn drop(&mut self) {
        self.processes.clear();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

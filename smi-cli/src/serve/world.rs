//! From manifests to what each proxy should have.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use smi_core::backend::{Backend as _, ProxyTarget};
use smi_core::ir::Ir;
use smi_envoy::{Envoy, EnvoyConfig, EnvoyOptions, target_of};
use smi_xds::identity::{IdentityError, secrets};
use smi_xds::{IdentitySource, Resource, Snapshot, Store, linked, node};

use super::{lock, say};
use crate::{diagnostics, input, options};

/// The IR that is served, for those who decide on nodes.
pub(super) type Shared = Arc<Mutex<Option<Arc<Ir>>>>;

/// What the proxies should have.
pub(super) struct Proxies {
    bind: Option<IpAddr>,
    store: Arc<Store>,
    shared: Shared,
    certificates: Option<Arc<dyn IdentitySource>>,
    node: Option<EnvoyConfig>,
    sidecars: BTreeSet<smi_xds::Group>,
    /// Said before, and not again until they change.
    complaints: Vec<IdentityError>,
    troubles: BTreeMap<String, String>,
}

impl Proxies {
    pub(super) fn new(
        bind: Option<IpAddr>,
        store: Arc<Store>,
        shared: Shared,
        certificates: Option<Arc<dyn IdentitySource>>,
    ) -> Self {
        Self {
            bind,
            store,
            shared,
            certificates,
            node: None,
            sidecars: BTreeSet::new(),
            complaints: Vec::new(),
            troubles: BTreeMap::new(),
        }
    }

    /// Reads everything again. True: it is served from now on. False: it has errors, and proxies keep what they have.
    pub(super) fn reload(
        &mut self,
        input: &input::Files,
        flags: &options::CompileFlags,
    ) -> anyhow::Result<bool> {
        let mut options = flags.options()?;
        if let Some(ir) = lock(&self.shared).as_ref() {
            // Ports that proxies listen on stay.
            options.port_table = ir.listeners.clone();
        }
        let world = match input.load() {
            Ok(world) => world,
            Err(error) => {
                say(format_args!("{error:#}; proxies keep what they have"));
                return Ok(false);
            }
        };
        let (compiled, mut report) = crate::compiled(&world, &options);
        let rendered = self.envoy().render(&compiled.ir, &ProxyTarget::Node);
        report.append(rendered.report);
        report.sort();
        diagnostics::to_stderr(&report, &world.sources)?;
        if report.has_errors() {
            say("errors; proxies keep what they have");
            return Ok(false);
        }
        let resources = resources(&rendered.output);
        let count = resources.len();
        *lock(&self.shared) = Some(Arc::new(compiled.ir));
        if self.store.set(node::NODES, Snapshot::new(linked(resources))) {
            say(format_args!("{count} resources for node proxies"));
        }
        self.node = Some(rendered.output);
        self.render_sidecars();
        Ok(true)
    }

    /// The configuration of node proxies.
    pub(super) fn node(&self) -> Option<&EnvoyConfig> {
        self.node.as_ref()
    }

    /// SPIFFE IDs of all workloads.
    pub(super) fn accounts(&self) -> BTreeSet<String> {
        let shared = lock(&self.shared);
        let pods =
            shared.iter().flat_map(|ir| ir.pods.values().map(|pod| ir.identity(&pod.workload).to_string()));
        pods.collect()
    }

    /// Renders for the sidecars that are connected, and forgets the others.
    pub(super) fn render_sidecars(&mut self) {
        let Some(ir) = lock(&self.shared).clone() else { return };
        let mut demanded: BTreeSet<smi_xds::Group> = self.store.demanded().into_keys().collect();
        demanded.remove(node::NODES);
        for gone in self.sidecars.difference(&demanded) {
            self.store.clear(gone);
            self.troubles.remove(&**gone);
        }
        for group in &demanded {
            match self.sidecar(&ir, group) {
                Ok(snapshot) => {
                    self.store.set(group, snapshot);
                    self.troubles.remove(&**group);
                }
                Err(trouble) => {
                    if self.troubles.get(&**group) != Some(&trouble) {
                        say(format_args!("`{group}` gets nothing new: {trouble}"));
                        self.troubles.insert(group.to_string(), trouble);
                    }
                }
            }
        }
        self.sidecars = demanded;
    }

    fn sidecar(&self, ir: &Ir, group: &str) -> Result<Snapshot, String> {
        let target = target_of(group).ok_or("no such kind of proxy")?;
        let ProxyTarget::Sidecar(id) = &target else { return Err("no such kind of proxy".into()) };
        let pod = ir.pods.get(id).ok_or("there is no such pod")?;
        let rendered = self.envoy().render(ir, &target);
        if let Some(error) =
            rendered.report.diagnostics.iter().find(|d| d.severity == smi_core::diag::Severity::Error)
        {
            return Err(error.message.to_string());
        }
        let mut all = resources(&rendered.output);
        if let Some(source) = &self.certificates {
            // Its own, and no other's.
            all.extend(secrets(&**source, ir.identity(&pod.workload).as_str()).map_err(|e| e.to_string())?);
        }
        Ok(Snapshot::new(linked(all)))
    }

    /// Tells of faulty certificates, once.
    pub(super) fn complain(&mut self, faults: Vec<IdentityError>) {
        if faults != self.complaints {
            for fault in &faults {
                say(format_args!("certificates: {fault}; those before stay in use"));
            }
            self.complaints = faults;
        }
    }

    fn envoy(&self) -> Envoy {
        let mut options = EnvoyOptions::default();
        if let Some(bind) = self.bind {
            options.listen = bind;
        }
        Envoy { options }
    }
}

fn resources(config: &EnvoyConfig) -> Vec<Resource> {
    let resource = |r: smi_envoy::Resource| {
        let origins: BTreeSet<String> = r.origins.iter().map(ToString::to_string).collect();
        Resource::new(r.kind.type_url().as_str(), r.name, &r.encoded).with_origins(origins)
    };
    config.resources.iter().map(resource).collect()
}

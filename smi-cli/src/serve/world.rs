//! From manifests to what each proxy should have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use smi_core::backend::{Backend as _, ProxyTarget};
use smi_core::diag::Severity;
use smi_core::ir::{Ir, ListenerKey, PortTable};
use smi_core::load::{Limits, load};
use smi_envoy::{Envoy, EnvoyConfig, Origins, Sidecars};
use smi_xds::identity::{IdentityError, secrets};
use smi_xds::{IdentitySource, Resource, Snapshot, Store, linked, node};

use super::nodes::admitted;
use super::texts::Texts;
use super::{lock, say};
use crate::{diagnostics, input, options};

/// The IR that is served, for those who decide on nodes.
pub(super) type Shared = Arc<Mutex<Option<Arc<Ir>>>>;

/// What came of reading everything again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// It is served from now on.
    Served,
    /// There is nothing to serve yet.
    Kept,
    /// Files or folders could not be read, and should be tried again although they look the same.
    Unread,
}

/// What the proxies should have.
pub(super) struct Proxies {
    envoy: Envoy,
    store: Arc<Store>,
    shared: Shared,
    certificates: Option<Arc<dyn IdentitySource>>,
    node: Option<EnvoyConfig>,
    sidecars: BTreeSet<smi_xds::Group>,
    /// Said before, and not again until they change.
    complaints: Vec<IdentityError>,
    troubles: BTreeMap<String, String>,
    unread: Option<String>,
    texts: Texts,
}

impl Proxies {
    pub(super) fn new(
        envoy: Envoy,
        store: Arc<Store>,
        shared: Shared,
        certificates: Option<Arc<dyn IdentitySource>>,
    ) -> Self {
        Self {
            envoy,
            store,
            shared,
            certificates,
            node: None,
            sidecars: BTreeSet::new(),
            complaints: Vec::new(),
            troubles: BTreeMap::new(),
            unread: None,
            texts: Texts::default(),
        }
    }

    /// Reads everything again.
    pub(super) fn reload(
        &mut self,
        input: &input::Files,
        flags: &options::CompileFlags,
    ) -> anyhow::Result<Update> {
        let mut options = flags.options()?;
        if let Some(ir) = lock(&self.shared).as_ref() {
            options.port_table = kept(&ir.listeners, options.port_table);
        }
        let inputs = match input.read() {
            Ok(inputs) => inputs,
            Err(error) => {
                let trouble = format!("{error:#}; proxies keep what they have");
                if self.unread.as_ref() != Some(&trouble) {
                    say(&trouble);
                    self.unread = Some(trouble);
                }
                return Ok(Update::Unread);
            }
        };
        self.unread = None;
        let unreadable = self.texts.update(inputs);
        for world in &unreadable {
            diagnostics::to_stderr(&world.report, &world.sources)?;
            for source in world.sources.ids() {
                say(format_args!("`{}` cannot be read and stays as it was", world.sources.name(source)));
            }
        }
        let Some(texts) = self.texts.all() else {
            say("nothing is served before everything can be read");
            return Ok(Update::Kept);
        };
        let world = load(&texts, &Limits::default());
        let (compiled, mut report) = crate::compiled(&world, &options);
        let rendered = self.envoy.render(&compiled.ir, &ProxyTarget::Node);
        report.append(rendered.report);
        report.sort();
        diagnostics::to_stderr(&report, &world.sources)?;
        if report.has_errors() {
            say("errors: what they are about is left out or closed, everything else is served");
        }
        let resources = resources(&rendered.output, &mut OriginTexts::default());
        let count = resources.len();
        *lock(&self.shared) = Some(Arc::new(compiled.ir));
        if self.store.set(node::NODES, Snapshot::new(linked(resources))) {
            say(format_args!("{count} resources for node proxies"));
        }
        self.node = Some(rendered.output);
        self.render_sidecars();
        Ok(Update::Served)
    }

    /// The configuration of node proxies.
    pub(super) fn node(&self) -> Option<&EnvoyConfig> {
        self.node.as_ref()
    }

    /// SPIFFE IDs of all workloads.
    pub(super) fn accounts(&self) -> BTreeSet<String> {
        let shared = lock(&self.shared);
        let ids = shared.iter().flat_map(|ir| ir.workloads.keys().map(|id| ir.identity(id).to_string()));
        ids.collect()
    }

    /// Renders for all sidecars that are connected, and forgets the others.
    pub(super) fn render_sidecars(&mut self) {
        self.render_demanded(|_| true);
    }

    /// Renders for the sidecars that came, and forgets those that left; the others have what there is.
    pub(super) fn render_new_sidecars(&mut self) {
        let known = self.sidecars.clone();
        self.render_demanded(|group| !known.contains(group));
    }

    fn render_demanded(&mut self, wanted: impl Fn(&smi_xds::Group) -> bool) {
        let Some(ir) = lock(&self.shared).clone() else { return };
        let mut demanded: BTreeSet<smi_xds::Group> = self.store.demanded().into_keys().collect();
        demanded.remove(node::NODES);
        for gone in self.sidecars.difference(&demanded) {
            self.store.clear(gone);
            self.troubles.remove(&**gone);
        }
        let sidecars = Sidecars::new(&ir, &self.envoy);
        let mut texts = OriginTexts::default();
        for group in demanded.iter().filter(|group| wanted(group)) {
            let (snapshot, trouble) = self.sidecar(&ir, &sidecars, group, &mut texts);
            self.store.set(group, snapshot);
            match trouble {
                None => drop(self.troubles.remove(&**group)),
                Some(trouble) if self.troubles.get(&**group) != Some(&trouble) => {
                    say(format_args!("error: `{group}`: {trouble}"));
                    self.troubles.insert(group.to_string(), trouble);
                }
                Some(_) => {}
            }
        }
        self.sidecars = demanded;
    }

    /// What a sidecar should have, and what is wrong with it. Where something is wrong it gets less, so that what was revoked is gone.
    fn sidecar(
        &self,
        ir: &Ir,
        sidecars: &Sidecars<'_>,
        group: &str,
        texts: &mut OriginTexts,
    ) -> (Snapshot, Option<String>) {
        let Some((pod, of)) = admitted(ir, group) else {
            return (
                Snapshot::default(),
                Some("there is no such pod, or it is of another account now".into()),
            );
        };
        let rendered = sidecars.render(&pod);
        let mut errors = rendered.report.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        let mut trouble = errors.next().map(|error| error.message.to_string());
        let mut all = resources(&rendered.output, texts);
        if let Some(source) = &self.certificates {
            // Its own, and no other's.
            match secrets(&**source, &of) {
                Ok(secrets) => all.extend(secrets),
                Err(error) => trouble = Some(error.to_string()),
            }
        }
        (Snapshot::new(linked(all)), trouble)
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
}

/// Ports that proxies listen on stay; the table that was given is for services that come.
fn kept(used: &PortTable, given: PortTable) -> PortTable {
    let udp = |key: &ListenerKey| matches!(key, ListenerKey::Udp(..));
    let mut table = used.clone();
    for (key, port) in given.entries {
        if !used.entries.iter().any(|(other, taken)| *taken == port && udp(other) == udp(&key)) {
            table.entries.entry(key).or_insert(port);
        }
    }
    table
}

/// What resources are made of, as text. The long lists are those of routes, which the sidecars share.
#[derive(Default)]
struct OriginTexts(Vec<(Origins, Arc<[String]>)>);

impl OriginTexts {
    fn of(&mut self, origins: &Origins) -> Arc<[String]> {
        if let Some((_, texts)) = self.0.iter().find(|(known, _)| Arc::ptr_eq(known, origins)) {
            return Arc::clone(texts);
        }
        let texts: Arc<[String]> = origins.iter().map(ToString::to_string).collect();
        if origins.len() > 100 {
            self.0.push((Arc::clone(origins), Arc::clone(&texts)));
        }
        texts
    }
}

fn resources(config: &EnvoyConfig, texts: &mut OriginTexts) -> Vec<Resource> {
    let resource = |r: smi_envoy::Resource| {
        let origins = texts.of(&r.origins);
        Resource::new(r.kind.type_url().as_str(), r.name, &r.encoded).with_origins(origins)
    };
    config.resources.iter().map(resource).collect()
}

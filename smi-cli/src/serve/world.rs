//! From manifests to what each proxy should have.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;

use smi_core::backend::{Backend as _, ProxyTarget};
use smi_core::compile::{CompileOptions, MeshMode};
use smi_core::diag::Severity;
use smi_core::ir::{Ir, PortTable};
use smi_core::load::{Input, Limits, load};
use smi_envoy::{Envoy, EnvoyConfig, Origins, Sidecars};
use smi_xds::identity::{IdentityError, secrets};
use smi_xds::{IdentitySource, Resource, Snapshot, Store, linked, node};

use super::nodes::admitted;
use super::texts::{Texts, Updated};
use super::{Shared, lock, say};
use crate::input::{self, Fault};
use crate::{diagnostics, port_table};

/// What came of reading everything again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Update {
    /// Something new is served from now on.
    pub(super) served: bool,
    /// Files or folders could not be read, and should be tried again although they look the same.
    pub(super) unread: bool,
}

/// What the proxies should have.
pub(super) struct Proxies {
    envoy: Envoy,
    /// With the ports in use as the table for the next time.
    options: CompileOptions,
    store: Arc<Store>,
    shared: Shared,
    certificates: Option<Arc<dyn IdentitySource>>,
    node: Option<EnvoyConfig>,
    sidecars: BTreeSet<smi_xds::Group>,
    /// Said before, and not again until they change.
    complaints: Vec<IdentityError>,
    troubles: BTreeMap<String, String>,
    /// What was said of everything, and the part of it that is about what is served.
    findings: Vec<u8>,
    of_policy: Vec<u8>,
    texts: Texts,
}

impl Proxies {
    pub(super) fn new(
        envoy: Envoy,
        options: CompileOptions,
        store: Arc<Store>,
        shared: Shared,
        certificates: Option<Arc<dyn IdentitySource>>,
    ) -> Self {
        Self {
            envoy,
            options,
            store,
            shared,
            certificates,
            node: None,
            sidecars: BTreeSet::new(),
            complaints: Vec::new(),
            troubles: BTreeMap::new(),
            findings: Vec::new(),
            of_policy: Vec::new(),
            texts: Texts::default(),
        }
    }

    /// Reads everything again.
    pub(super) fn reload(&mut self, input: &input::Files) -> anyhow::Result<Update> {
        let Updated { changed, unreadable, faults } = self.texts.update(input.read_what_can_be());
        let mut update = Update { served: false, unread: !faults.is_empty() };
        let mut findings = Vec::new();
        for (Fault { name, error, .. }, until) in &faults {
            writeln!(findings, "smi: `{name}` cannot be read and {until}: {error}")?;
        }
        for (world, until) in &unreadable {
            diagnostics::tell(&mut findings, &world.report, &world.sources)?;
            for source in world.sources.ids() {
                let name = world.sources.name(source);
                writeln!(findings, "smi: `{name}` cannot be read and {until}")?;
            }
        }
        match self.texts.all() {
            None => writeln!(findings, "smi: nothing is served before everything can be read")?,
            Some(texts) if changed || self.node.is_none() => {
                self.of_policy.clear();
                self.compile(&texts)?;
                update.served = true;
            }
            Some(_) => {}
        }
        findings.extend_from_slice(&self.of_policy);
        self.tell(findings);
        Ok(update)
    }

    /// Serves what these texts say.
    fn compile(&mut self, texts: &[Input]) -> anyhow::Result<()> {
        let mut world = load(texts, &Limits::default());
        // What is not among the texts may be a Namespace (S21).
        if self.texts.incomplete() {
            world.cluster.namespaces_incomplete = true;
            if matches!(self.options.mode, MeshMode::EnforceLabelled { .. }) {
                let text = "access is enforced in every namespace of which nothing is known, as something cannot be read";
                writeln!(self.of_policy, "smi: {text}")?;
            }
        }
        let (compiled, mut report) = crate::compiled(&world, &self.options);
        self.options.port_table =
            port_table::kept(&compiled.ir.listeners, std::mem::take(&mut self.options.port_table));
        let rendered = self.envoy.render(&compiled.ir, &ProxyTarget::Node);
        report.append(rendered.report);
        report.sort();
        diagnostics::tell(&mut self.of_policy, &report, &world.sources)?;
        if report.has_errors() {
            let text = "errors: what they are about is left out or closed, everything else is served";
            writeln!(self.of_policy, "smi: {text}")?;
        }
        let resources = resources(&rendered.output, &mut OriginTexts::default());
        let count = resources.len();
        *lock(&self.shared) = Some(Arc::new(compiled.ir));
        if self.store.set(node::NODES, Snapshot::new(linked(resources))) {
            say(format_args!("{count} resources for node proxies"));
        }
        self.node = Some(rendered.output);
        self.render_sidecars();
        Ok(())
    }

    /// Prints findings unless they are those of the time before.
    fn tell(&mut self, findings: Vec<u8>) {
        if findings != self.findings {
            if findings.is_empty() {
                say("no findings any more");
            }
            let _ = anstream::stderr().write_all(&findings);
            self.findings = findings;
        }
    }

    /// Where proxies listen, and should after a restart.
    pub(super) fn port_table(&self) -> &PortTable {
        &self.options.port_table
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

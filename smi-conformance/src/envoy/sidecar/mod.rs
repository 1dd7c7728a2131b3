//! One Envoy per pod, which knows callers by the certificates of theirs.
//!
//! - `live`: running ones · `credentials`: certificates, true and forged · `client`: who calls a sidecar by himself

mod client;
mod credentials;
mod live;

pub use live::LiveEnvoySidecars;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use smi_core::backend::{Backend as _, Capabilities, ProxyTarget};
use smi_core::cluster::PodId;
use smi_core::eval::{
    Assume, Caller, Decide as _, Decision, Distribution, Outcome, Payload, Request, eval, eval_in_sidecar,
};
use smi_core::hub::names::Namespaced;
use smi_core::ir::{Ir, Pod};
use smi_envoy::sim::{Certificate, ClientTls, Hello, Sidecars};
use smi_envoy::{AppAddress, Envoy, EnvoyConfig, EnvoyOptions};

use self::credentials::Credentials;
use super::DECLARED;
use crate::call::{Call, Direct, Way};
use crate::loopback::{self, NOBODY};
use crate::subject::{Declared, Instead, Refusal, Subject};

/// The backend.
#[derive(Clone, Debug, Default)]
pub struct EnvoySidecars {
    pub(super) envoy: Envoy,
    pub(super) delivery: &'static str,
    /// None: they are rendered for a cluster, not for this machine.
    pub(super) here: Option<Here>,
}

/// What is different where all pods share a loopback interface: application and sidecar are at the pod's address, and each sidecar has an
/// admin interface of its own.
#[derive(Clone, Debug)]
pub(super) struct Here {
    /// Where certificates are, if they come from files.
    files: Option<Arc<Credentials>>,
    /// The first port of admin interfaces.
    admin: u16,
}

impl Here {
    /// The port of the admin interface of the sidecar at an address.
    fn admin_port(&self, at: IpAddr) -> anyhow::Result<u16> {
        let number = loopback::number(at).filter(|n| *n < live::SIDECARS);
        Ok(self.admin + number.with_context(|| format!("{at} is beyond the sidecars that may run here"))?)
    }

    fn options(&self, ir: &Ir, pod: &Pod, options: &mut EnvoyOptions) -> anyhow::Result<()> {
        let Some(at) = pod.addresses.first() else { return Ok(()) };
        options.admin_port = Some(self.admin_port(*at)?);
        options.sidecar.app = AppAddress::Pod;
        options.sidecar.listen = *at;
        if let Some(files) = &self.files {
            options.sidecar.certificates = files.files(ir.identity(&pod.workload).as_str())?;
        }
        Ok(())
    }
}

impl EnvoySidecars {
    /// The pod that calls, if it has a sidecar.
    pub(super) fn pod<'c>(ir: &'c Ir, caller: &'c Caller) -> Option<&'c PodId> {
        let pod = caller.pod(ir)?;
        let addresses = &ir.pods.get(pod)?.addresses;
        addresses.iter().any(|a| ir.callers.get(a) == Some(pod)).then_some(pod)
    }
}

impl Subject for EnvoySidecars {
    type Config = BTreeMap<PodId, EnvoyConfig>;

    fn name(&self) -> String {
        format!("envoy sidecars{}", self.delivery)
    }

    fn capabilities(&self) -> Capabilities {
        // The same for every pod.
        self.envoy.capabilities(&ProxyTarget::Sidecar(PodId::pod(Namespaced::new("any", "any"))))
    }

    fn declared(&self) -> &'static [Declared] {
        const ALL: [Declared; DECLARED.len() + 1] = {
            let mut all = [FOREIGN; DECLARED.len() + 1];
            let mut place = 0;
            while place < DECLARED.len() {
                all[place] = DECLARED[place];
                place += 1;
            }
            all
        };
        &ALL
    }

    fn render(&self, ir: &Ir) -> anyhow::Result<BTreeMap<PodId, EnvoyConfig>> {
        let mut out = BTreeMap::new();
        for (pod, found) in &ir.pods {
            let mut envoy = self.envoy.clone();
            if let Some(here) = &self.here {
                here.options(ir, found, &mut envoy.options)?;
            }
            let config = envoy.render(ir, &ProxyTarget::Sidecar(pod.clone())).output;
            let findings = smi_envoy::lint::lint(&config.resources);
            ensure!(findings.is_empty(), "the linter finds {findings:?} in the sidecar of {}", pod.name);
            out.insert(pod.clone(), config);
        }
        Ok(out)
    }

    fn simulate(&self, ir: &Ir, config: &BTreeMap<PodId, EnvoyConfig>, call: &Call) -> Option<Distribution> {
        let simulator = Sidecars::new(config, ir);
        let Some(direct) = &call.direct else { return Some(simulator.decide(&call.request)) };
        let closed = Distribution::certain(Outcome::Unavailable);
        let Some((_, _, pool)) = call.pool(ir) else { return Some(closed) };
        let mut to = direct.to;
        let hello = hello(ir, &call.request, direct);
        to.set_port(self.envoy.options.sidecar.inbound_port);
        Some(simulator.at(to, &hello, &call.request.payload, &pool))
    }

    fn reference(&self, ir: &Ir, request: &Request) -> Decision {
        match Self::pod(ir, &request.caller) {
            Some(_) => eval_in_sidecar(ir, request, Assume::Nothing),
            None => eval(ir, request),
        }
    }

    /// A pod's application asks its sidecar; who has none goes to the pods, each of them.
    fn calls(&self, ir: &Ir, call: &Call) -> Vec<Call> {
        if call.direct.is_some() {
            return vec![call.clone()];
        }
        if let Some(pod) = Self::pod(ir, &call.request.caller) {
            let caller = Caller::Pod(pod.clone());
            return vec![Request { caller, payload: call.request.payload.clone() }.into()];
        }
        let (caller, way) = match &call.request.caller {
            Caller::Identity(id) => (Caller::Identity(id.clone()), Way::Certificate),
            Caller::Address(_) | Caller::Pod(_) | Caller::Nobody => (Caller::Nobody, Way::Clear),
        };
        let request = Request { caller, payload: call.request.payload.clone() };
        let one = |to| Call { request: request.clone(), direct: Some(Direct { to, from: NOBODY, way }) };
        call.endpoints(ir).into_iter().map(one).collect()
    }

    fn at_pods(&self) -> bool {
        true
    }
}

/// What a client says that goes to a pod by itself.
fn hello(ir: &Ir, request: &Request, direct: &Direct) -> Hello {
    let domain = &*ir.settings.trust_domain;
    let authority = |domain: &str| Some(format!("spiffe://{domain}"));
    let identity = identity(ir, &request.caller);
    let own = identity.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next()).unwrap_or(domain);
    let certificate = match direct.way {
        Way::NoCertificate => None,
        Way::OtherAuthority | Way::SignedByItself => Some(Certificate { identity, authority: None }),
        Way::OtherDomain => {
            Some(Certificate { identity: in_domain(&identity, OTHER), authority: authority(OTHER) })
        }
        Way::Certificate | Way::Clear | Way::NoProtocol | Way::OtherPort | Way::NoName => {
            Some(Certificate { authority: authority(own), identity })
        }
    };
    let protocols = if direct.way == Way::NoProtocol { Vec::new() } else { vec![ALPN.to_owned()] };
    let tls = ClientTls { server_name: server_name(&request.payload, direct), protocols, certificate };
    Hello { from: direct.from, tls: (direct.way != Way::Clear).then_some(tls) }
}

/// The trust domain of strangers.
pub(super) const OTHER: &str = "elsewhere";
/// The protocol of sidecars.
pub(super) const ALPN: &str = "smi";

/// The server name that a client asks for.
pub(super) fn server_name(payload: &Payload, direct: &Direct) -> Option<String> {
    let spoken = if matches!(payload, Payload::Http(_)) { "http" } else { "tcp" };
    match direct.way {
        Way::NoName | Way::Clear => None,
        Way::OtherPort => Some(format!("9.{spoken}.smi")),
        Way::Certificate
        | Way::NoCertificate
        | Way::OtherAuthority
        | Way::OtherDomain
        | Way::SignedByItself
        | Way::NoProtocol => Some(format!("{}.{spoken}.smi", direct.to.port())),
    }
}

/// The name in a caller's certificate.
pub(super) fn identity(ir: &Ir, caller: &Caller) -> String {
    let pod = EnvoySidecars::pod(ir, caller).and_then(|pod| ir.pods.get(pod));
    match caller {
        Caller::Identity(id) => id.to_string(),
        Caller::Address(_) | Caller::Pod(_) | Caller::Nobody => match pod {
            Some(pod) => ir.identity(&pod.workload).to_string(),
            None => format!("spiffe://{}/ns/nowhere/sa/nobody", ir.settings.trust_domain),
        },
    }
}

/// The same name in another trust domain.
pub(super) fn in_domain(identity: &str, domain: &str) -> String {
    let path =
        identity.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')).map_or("", |(_, p)| p);
    format!("spiffe://{domain}/{path}")
}

/// A sidecar trusts the authorities of its own domain.
const FOREIGN: Declared = Declared {
    name: "identities of other trust domains refused",
    lacks: None,
    concerns: |ir, request, _| match &request.caller {
        Caller::Identity(id) => !id.as_str().starts_with(&format!("spiffe://{}/", ir.settings.trust_domain)),
        Caller::Address(_) | Caller::Pod(_) | Caller::Nobody => false,
    },
    instead: Instead::Refusal(Refusal::Unavailable),
};

//! Sidecars: the caller's routes and opens mTLS, that of the pod accepts and decides.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use smi_core::cluster::PodId;
use smi_core::eval::{Caller, Decide, Distribution, HttpRequest, Outcome, Payload, Request, Share};
use smi_core::ir::{Ir, ListenerKey, PoolKey};

use super::tls::{self, Hello};
use super::{Leaves, Leg, Member, http, leaves};
use crate::config::listener::{FilterChain, Listener, TcpProxy};
use crate::deliver::EnvoyConfig;

/// The configurations of all sidecars.
#[derive(Clone, Debug)]
pub struct Sidecars<'a> {
    ir: &'a Ir,
    configs: &'a BTreeMap<PodId, EnvoyConfig>,
    leaves: Leaves,
    /// Listeners at the pods' own addresses.
    inbound: BTreeMap<SocketAddr, (&'a PodId, &'a EnvoyConfig, &'a Listener)>,
}

impl<'a> Sidecars<'a> {
    /// A simulator of configurations that were rendered from this IR, one for each pod.
    #[must_use]
    pub fn new(configs: &'a BTreeMap<PodId, EnvoyConfig>, ir: &'a Ir) -> Self {
        let mut inbound = BTreeMap::new();
        for (pod, config) in configs {
            let own = ir.pods.get(pod).map(|p| &p.addresses);
            for listener in config.resources.listeners.values() {
                let at = listener.address.as_ref().and_then(|a| a.socket());
                if let Some(at) = at.filter(|at| own.is_some_and(|own| own.contains(&at.ip()))) {
                    inbound.insert(at, (pod, config, listener));
                }
            }
        }
        Self { ir, configs, leaves: leaves(ir), inbound }
    }

    /// What becomes of a call to an address of a pod, past whatever sidecar the caller has. `pool`: whose endpoint the caller takes it for.
    #[must_use]
    pub fn at(&self, to: SocketAddr, hello: &Hello, payload: &Payload, pool: &PoolKey) -> Distribution {
        let http = match payload {
            Payload::Http(http) => Some(http),
            Payload::Tcp { .. } | Payload::Udp { .. } => None,
        };
        self.accepted(to, hello, None, http, pool)
    }

    /// A connection to a sidecar, which has to be of `server`.
    fn accepted(
        &self,
        to: SocketAddr,
        hello: &Hello,
        server: Option<&tls::Accepted>,
        http: Option<&HttpRequest>,
        pool: &PoolKey,
    ) -> Distribution {
        let closed = || Distribution::certain(Outcome::Unavailable);
        let Some((pod, config, listener)) = self.inbound.get(&to) else { return closed() };
        let Some(chain) = tls::chain(listener, hello) else { return closed() };
        let Some(peer) = tls::handshake(chain, hello) else { return closed() };
        if server.is_some_and(|wanted| !tls::identity(chain).is_some_and(|own| wanted.holds(&own))) {
            return closed();
        }
        self.inside(pod, config, chain, (hello.from, peer.as_deref()), http, pool)
    }

    /// What the pod's sidecar makes of it.
    fn inside(
        &self,
        pod: &PodId,
        config: &EnvoyConfig,
        chain: &FilterChain,
        peer: (IpAddr, Option<&str>),
        http: Option<&HttpRequest>,
        pool: &PoolKey,
    ) -> Distribution {
        let mut out = Distribution::default();
        let legs = match (http::manager(chain), http) {
            (Some(manager), Some(http)) => match http::route(&config.resources, &manager, peer, http) {
                Ok(routed) => routed.legs,
                Err(answer) => return Distribution::certain(answer),
            },
            // What is no HTTP gets no further than the one who reads it as HTTP.
            (Some(_), None) => return Distribution::certain(Outcome::Unavailable),
            (None, _) => clusters(chain),
        };
        for (to, share) in legs {
            let outcome = to.map_or_else(
                |refused| refused,
                |leg| {
                    let app = leg.members(&config.resources).first().map(|m| m.at);
                    app.map_or(Outcome::Unavailable, |app| self.served(pod, app, pool))
                },
            );
            out.add(outcome, share);
        }
        out
    }

    /// An application that was reached, by the pool that was meant. One that is not of it is nobody's that the reference would name.
    fn served(&self, pod: &PodId, app: SocketAddr, pool: &PoolKey) -> Outcome {
        // A sidecar is at the addresses that are its pod's alone; endpoints at others are somebody else's, too.
        let here = |address: IpAddr| {
            self.ir.callers.get(&address) == Some(pod) && (app.ip().is_loopback() || app.ip() == address)
        };
        let mut ready = self.ir.pools.get(pool).into_iter().flat_map(|p| p.ready());
        let found = ready.find(|e| here(e.address) && e.port.get() == app.port());
        Outcome::Served(pool.clone(), found.and_then(|e| e.workload.clone()))
    }

    /// A share of a caller's requests or connections.
    fn leg(&self, own: &EnvoyConfig, from: IpAddr, leg: &Leg, http: Option<&HttpRequest>) -> Distribution {
        let found = own.resources.clusters.get(&leg.cluster);
        let (Some(found), Some((pool, _))) = (found, self.leaves.get(leg.leaf(&own.resources))) else {
            return Distribution::certain(Outcome::Unavailable);
        };
        let members = leg.members(&own.resources);
        let total: u64 = members.iter().map(|m| u64::from(m.weight)).sum();
        let bound = found.upstream_bind_config.as_ref().and_then(|b| b.source_address.as_ref()?.socket());
        let from = bound.map_or(from, |bound| bound.ip());
        let mut out = Distribution::default();
        for Member { at: to, weight, socket } in members {
            let reached =
                match socket {
                    Some(socket) => match tls::client(socket, from) {
                        Some((hello, server)) => self.accepted(to, &hello, Some(&server), http, pool),
                        None => Distribution::certain(Outcome::Unavailable),
                    },
                    None => {
                        let mut ready = self.ir.pools.get(pool).into_iter().flat_map(|p| p.ready());
                        let at = ready.find(|e| e.socket() == to);
                        Distribution::certain(at.map_or(Outcome::Unavailable, |e| {
                            Outcome::Served(pool.clone(), e.workload.clone())
                        }))
                    }
                };
            for (outcome, share) in reached.iter() {
                out.add(outcome.clone(), share.times(Share::new(weight.into(), total)));
            }
        }
        if total == 0 { Distribution::certain(Outcome::Unavailable) } else { out }
    }

    /// The pod that calls, with its configuration and address.
    fn caller(&self, caller: &Caller) -> Option<(&'a EnvoyConfig, IpAddr)> {
        let pod = caller.pod(self.ir)?;
        Some((self.configs.get(pod)?, *self.ir.pods.get(pod)?.addresses.first()?))
    }
}

impl Decide for Sidecars<'_> {
    /// Who has no sidecar has nobody to ask; [`Sidecars::at`] tells what becomes of such a caller at a pod.
    fn decide(&self, request: &Request) -> Distribution {
        let Some((own, from)) = self.caller(&request.caller) else {
            return Distribution::certain(Outcome::Unavailable);
        };
        let (key, http) = match &request.payload {
            Payload::Http(http) => (ListenerKey::Http(http.port), Some(http)),
            Payload::Tcp { service, port } => (ListenerKey::Tcp(service.clone(), *port), None),
            Payload::Udp { service, port } => (ListenerKey::Udp(service.clone(), *port), None),
        };
        let at = self.ir.listeners.entries.get(&key);
        let at = at.map(|port| SocketAddr::new(own.options.sidecar.listen, port.get()));
        let udp = matches!(request.payload, Payload::Udp { .. });
        let listener = own.resources.listeners.values().find(|listener| {
            let here = listener.address.as_ref().and_then(|a| a.socket());
            here.is_some() && here == at && listener.udp_listener_config.is_some() == udp
        });
        let chain = listener.and_then(|l| l.filter_chains.first().or(l.default_filter_chain.as_ref()));
        let Some(chain) = chain else { return Distribution::certain(Outcome::NotFound) };
        let routed = http.and_then(|http| {
            let manager = http::manager(chain)?;
            Some(http::route(&own.resources, &manager, (from, None), http))
        });
        let (legs, forwarded) = match routed {
            Some(Ok(routed)) => (routed.legs, Some(routed.forwarded)),
            Some(Err(answer)) => return Distribution::certain(answer),
            None => (clusters(chain), None),
        };
        let mut out = Distribution::default();
        for (to, share) in legs {
            match to {
                Ok(leg) => {
                    for (outcome, inner) in self.leg(own, from, &leg, forwarded.as_ref()).iter() {
                        out.add(outcome.clone(), share.times(inner));
                    }
                }
                Err(refused) => out.add(refused, share),
            }
        }
        out
    }
}

/// Clusters among which connections are split.
fn clusters(chain: &FilterChain) -> Vec<(Result<Leg, Outcome>, Share)> {
    let proxy = chain.filters.iter().find_map(|f| f.typed_config.as_ref()?.unpack::<TcpProxy>());
    let clusters = proxy.and_then(|p| p.weighted_clusters).map(|w| w.clusters).unwrap_or_default();
    let total: u64 = clusters.iter().map(|c| u64::from(c.weight)).sum();
    clusters.into_iter().map(|c| (Ok(Leg::to(c.name)), Share::new(c.weight.into(), total))).collect()
}

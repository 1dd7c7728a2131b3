//! Pods and callers on loopback addresses, so that real proxies have somebody to serve.
//!
//! Shape: a world is written with addresses and ports of its own; [`Network::relocate`] moves its IR to this machine: every address
//! becomes a loopback address, every pod port one that is free here, and whatever names a port in a grant follows. The decisions stay
//! the same, since the mapping is one to one. Callers bind to their address before they connect, so the proxy sees who calls.
//!
//! - `client`: callers · `pods`: servers · `port`: free ports

pub mod client;
mod pods;
pub mod port;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use smi_core::cluster::Probe;
use smi_core::eval::{Caller, Payload};
use smi_core::hub::names::{Port, Transport};
use smi_core::ir::{AllowedPorts, Ir, Protocol};

use crate::call::Call;

/// What answers at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaks {
    /// HTTP/1.1; and who it is, to whoever asks `whoami`.
    Http,
    /// Who it is, to whoever connects.
    First,
    /// Datagrams.
    Udp,
}

/// Pods and callers of one world after the other.
#[derive(Debug, Default)]
pub struct Network {
    /// Which port stands for which, by what answers there.
    ports: BTreeMap<(u16, Speaks), u16>,
    datagrams: BTreeSet<SocketAddr>,
    /// Which address stands for which, in this world.
    addresses: BTreeMap<IpAddr, IpAddr>,
    /// Which port of TCP stands for which, in this world.
    tcp: BTreeMap<u16, u16>,
}

impl Network {
    /// The IR of the same world on this machine. Everything it can reach answers from now on.
    ///
    /// # Errors
    /// When no ports are free.
    pub fn relocate(&mut self, ir: &Ir) -> anyhow::Result<Ir> {
        self.addresses.clear();
        let mut out = ir.clone();
        let kinds = kinds(ir);
        let mut tcp: BTreeMap<u16, u16> = BTreeMap::new();
        let mut udp: BTreeMap<u16, u16> = BTreeMap::new();
        for ((transport, port), speaks) in kinds {
            let here = self.port(port, speaks)?;
            if transport == Transport::Udp { &mut udp } else { &mut tcp }.insert(port, here);
        }
        // Ports that only grants name: nothing listens there, but they must not become another's.
        for grant in ir.grants.values() {
            for ports in [grant.http.as_ref().map(|h| &h.ports), grant.tcp.as_ref()].into_iter().flatten() {
                unlisted(ports, &mut tcp);
            }
            grant.udp.iter().for_each(|ports| unlisted(ports, &mut udp));
        }
        for (key, pool) in &mut out.pools {
            let map = if key.transport == Transport::Udp { &udp } else { &tcp };
            for endpoint in &mut pool.endpoints {
                let port = map.get(&endpoint.port.get()).copied().and_then(Port::new);
                endpoint.port = port.context("a port was not seen")?;
                endpoint.address = self.address(endpoint.address);
                let at = endpoint.socket();
                if key.transport == Transport::Udp && self.datagrams.insert(at) {
                    pods::datagrams(at).with_context(|| format!("cannot listen at {at}"))?;
                }
            }
            pool.endpoints.sort_by_key(|e| e.socket());
        }
        for grant in out.grants.values_mut() {
            if let Some(http) = &mut grant.http {
                moved(&mut http.ports, &tcp);
            }
            grant.tcp.iter_mut().for_each(|ports| moved(ports, &tcp));
            grant.udp.iter_mut().for_each(|ports| moved(ports, &udp));
        }
        for workload in out.workloads.values_mut() {
            workload.probes = workload.probes.iter().map(|probe| probed(probe, &tcp)).collect();
        }
        for pod in out.pods.values_mut() {
            pod.probes = pod.probes.iter().map(|probe| probed(probe, &tcp)).collect();
            pod.addresses = pod.addresses.iter().map(|a| self.address(*a)).collect();
        }
        self.tcp = tcp;
        out.callers = ir.callers.iter().map(|(a, pod)| (self.address(*a), pod.clone())).collect();
        Ok(out)
    }

    /// The same call on this machine.
    pub fn relocate_call(&mut self, call: &Call) -> Call {
        let mut call = call.clone();
        if let Caller::Address(address) = &mut call.request.caller {
            *address = self.address(*address);
        }
        if let Some(direct) = &mut call.direct {
            let port = self.tcp.get(&direct.to.port()).copied().unwrap_or(direct.to.port());
            direct.to = SocketAddr::new(self.address(direct.to.ip()), port);
            direct.from = self.address(direct.from);
        }
        // What is forged must be the address of somebody here.
        if let Payload::Http(http) = &mut call.request.payload {
            for (_, value) in &mut http.headers {
                for (there, here) in &self.addresses {
                    let there = there.to_string();
                    if value.split([',', ' ', '=', ';', '"']).any(|word| word == there) {
                        *value = value.replace(&there, &here.to_string());
                        break;
                    }
                }
            }
        }
        call
    }

    /// The loopback address that stands for this one.
    fn address(&mut self, there: IpAddr) -> IpAddr {
        let next = u32::try_from(self.addresses.len()).unwrap_or(0).wrapping_add(FIRST);
        *self.addresses.entry(there).or_insert(IpAddr::V4(Ipv4Addr::from(next)))
    }

    /// The port here that stands for a pod's. Over TCP it answers on every loopback address.
    ///
    /// # Errors
    /// When no port is free.
    pub fn port(&mut self, there: u16, speaks: Speaks) -> anyhow::Result<u16> {
        if let Some(here) = self.ports.get(&(there, speaks)) {
            return Ok(*here);
        }
        let here = match speaks {
            Speaks::Http => pods::listen(pods::answer)?,
            Speaks::First => pods::listen(pods::greet)?,
            Speaks::Udp => port::free_block(1)?,
        };
        self.ports.insert((there, speaks), here);
        Ok(here)
    }

    /// Whether the server of a TCP port waits to be asked.
    #[must_use]
    pub fn must_be_asked(&self, port: u16) -> bool {
        self.ports.iter().any(|((_, speaks), here)| *speaks == Speaks::Http && *here == port)
    }
}

/// The first of the loopback addresses that stand for others.
const FIRST: u32 = 0x7f40_0001;

/// Which of the loopback addresses that stand for others this is.
pub(crate) fn number(address: IpAddr) -> Option<u16> {
    let IpAddr::V4(address) = address else { return None };
    u16::try_from(u32::from(address).checked_sub(FIRST)?).ok()
}

/// An address of no pod, from the block for documentation.
pub const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

/// What has to answer at the ports of the pools: HTTP where any service says so.
fn kinds(ir: &Ir) -> BTreeMap<(Transport, u16), Speaks> {
    let mut out = BTreeMap::new();
    for (key, pool) in &ir.pools {
        let port = ir.services.get(&key.service).and_then(|s| s.port(key.port, key.transport));
        let speaks = match (key.transport, port.map(|p| p.protocol)) {
            (Transport::Udp, _) => Speaks::Udp,
            (Transport::Tcp, Some(Protocol::Tcp)) => Speaks::First,
            (Transport::Tcp, _) => Speaks::Http,
        };
        for endpoint in &pool.endpoints {
            let known = out.entry((key.transport, endpoint.port.get())).or_insert(speaks);
            *known = speaks.min(*known);
        }
    }
    out
}

fn unlisted(ports: &AllowedPorts, map: &mut BTreeMap<u16, u16>) {
    let AllowedPorts::Only(ports) = ports else { return };
    for port in ports.iter().map(|p| p.get()) {
        if !map.contains_key(&port) {
            let free = (1..u16::MAX).find(|p| !map.values().any(|taken| taken == p)).unwrap_or(1);
            map.insert(port, free);
        }
    }
}

fn probed(probe: &Probe, map: &BTreeMap<u16, u16>) -> Probe {
    let port = map.get(&probe.port.get()).copied().and_then(Port::new);
    Probe { port: port.unwrap_or(probe.port), path: probe.path.clone() }
}

fn moved(ports: &mut AllowedPorts, map: &BTreeMap<u16, u16>) {
    if let AllowedPorts::Only(only) = ports {
        *only = only.iter().filter_map(|p| map.get(&p.get()).copied().and_then(Port::new)).collect();
    }
}

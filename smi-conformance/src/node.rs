//! Asking a node proxy: callers connect to its listeners, which the port table names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::bail;
use smi_core::compile::PortRanges;
use smi_core::eval::{Caller, Payload};
use smi_core::hub::names::{Namespaced, Port, Transport};
use smi_core::ir::{Ir, ListenerKey};

use crate::call::Call;
use crate::loopback::Network;
use crate::loopback::client::{self, Client};
use crate::observe::Observation;

/// Listeners of each kind that a node proxy may have.
pub const LISTENERS: u16 = 16;

/// Where the listeners of a node proxy are, from its first port on: HTTP, TCP, UDP.
#[must_use]
pub fn listener_ranges(first: u16) -> PortRanges {
    let from = |kind: u16| (first + kind * LISTENERS, LISTENERS);
    PortRanges { http: from(0), tcp: from(1), udp: from(2) }
}

/// Sends a request to a node proxy on this machine so many times.
///
/// # Errors
/// When the caller has no address, or the proxy gives no answer.
pub fn ask(
    client: &mut Client,
    network: &Network,
    ir: &Ir,
    call: &Call,
    times: u64,
    patience: Duration,
) -> anyhow::Result<Vec<Observation>> {
    let Caller::Address(caller) = call.request.caller else {
        bail!("callers of node proxies have addresses")
    };
    let proxy = IpAddr::V4(Ipv4Addr::LOCALHOST);
    ask_at((caller, proxy), client, network, ir, &call.request.payload, times, patience)
}

/// Sends what a caller at the one address asks to the listeners of the proxy at the other.
///
/// # Errors
/// When the proxy gives no answer.
pub(crate) fn ask_at(
    (caller, proxy): (IpAddr, IpAddr),
    client: &mut Client,
    network: &Network,
    ir: &Ir,
    payload: &Payload,
    times: u64,
    patience: Duration,
) -> anyhow::Result<Vec<Observation>> {
    let at = |key: ListenerKey| {
        let listen = ir.listeners.entries.get(&key)?;
        Some(SocketAddr::new(proxy, listen.get()))
    };
    let nothing = |observation: Observation| Ok((0..times).map(|_| observation.clone()).collect());
    match payload {
        Payload::Http(http) => match at(ListenerKey::Http(http.port)) {
            Some(to) => (0..times).map(|_| client.http(caller, to, http)).collect(),
            None => nothing(Observation::Status(404)),
        },
        Payload::Tcp { service, port } => match at(ListenerKey::Tcp(service.clone(), *port)) {
            Some(to) => {
                let ask = waits(network, ir, service, *port);
                (0..times).map(|_| client::tcp(caller, to, ask)).collect()
            }
            None => nothing(Observation::Closed),
        },
        Payload::Udp { service, port } => match at(ListenerKey::Udp(service.clone(), *port)) {
            Some(to) => client::udp(caller, to, times, patience),
            None => nothing(Observation::Silence),
        },
    }
}

/// Whether some server behind a TCP port waits to be asked.
pub(crate) fn waits(network: &Network, ir: &Ir, service: &Namespaced, port: Port) -> bool {
    let port = ir.services.get(service).and_then(|s| s.port(port, Transport::Tcp));
    let targets = port.into_iter().flat_map(|p| &p.routes).flat_map(|r| &r.targets);
    let endpoints = targets.filter_map(|t| ir.pools.get(&t.pool)).flat_map(|p| p.ready());
    endpoints.into_iter().any(|e| network.must_be_asked(e.port.get()))
}

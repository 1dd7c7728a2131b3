//! IR ids → names of Traefik's objects. Any character but `@` is legal; `~` separates, as Kubernetes names cannot contain it.

use smi_core::backend::name::join;
use smi_core::hub::names::{Namespaced, Port, Transport};
use smi_core::ir::{ListenerKey, PoolKey, WorkloadId};

/// Deny middleware, one for all.
pub(crate) const NOBODY: &str = "smi~nobody";
/// A service that refuses, one for all.
pub(crate) const FORBIDDEN: &str = "smi~forbidden";
/// A service without servers, one for all.
pub(crate) const UNAVAILABLE: &str = "smi~unavailable";
/// Transport that does not check certificates.
pub(crate) const POD_TLS: &str = "smi~pod-tls";
/// Entry point of readiness.
pub(crate) const READY: &str = "ready";

/// `http-5000`.
pub(crate) fn entry_point(key: &ListenerKey, listen: Port) -> String {
    match key {
        ListenerKey::Http(_) => format!("http-{listen}"),
        ListenerKey::Tcp(..) => format!("tcp-{listen}"),
        ListenerKey::Udp(..) => format!("udp-{listen}"),
    }
}

/// Names below one service port.
pub(crate) fn of_port(service: &Namespaced, port: Port, parts: &[&str]) -> String {
    let port = port.to_string();
    let mut all = vec![service.namespace.as_str(), service.name.as_str(), &port];
    all.extend_from_slice(parts);
    join(&all)
}

/// The endpoints of a pool that are alike.
pub(crate) fn group(pool: &PoolKey, workload: Option<&WorkloadId>, port: Port) -> String {
    let number = port.to_string();
    let owner = workload.map_or_else(|| "nobody's".to_owned(), ToString::to_string);
    let transport = match pool.transport {
        Transport::Tcp => "pods",
        Transport::Udp => "pods-udp",
    };
    of_port(&pool.service, pool.port, &[transport, &owner, &number])
}

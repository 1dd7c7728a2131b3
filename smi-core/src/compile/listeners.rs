//! The port table (S37).

use std::collections::{BTreeMap, BTreeSet};

use super::{CompileOptions, codes};
use crate::diag::{Diagnostic, FieldPath, ObjectRef, Report};
use crate::hub::names::{Namespaced, Port, Transport};
use crate::ir::{ListenerKey, PortTable, Protocol, Service};

/// Keeps what the table before has, and gives new entries the lowest free port of their range; ports of services that are away stay theirs as
/// long as there are others.
pub(super) fn listeners(
    services: &BTreeMap<Namespaced, Service>,
    options: &CompileOptions,
    report: &mut Report,
) -> PortTable {
    // Each wanted listener with a service to name when it gets none.
    let mut wanted: BTreeMap<ListenerKey, &Service> = BTreeMap::new();
    for (name, service) in services {
        for port in &service.ports {
            let key = match port.protocol {
                Protocol::Http(_) => ListenerKey::Http(port.port),
                Protocol::Tcp => ListenerKey::Tcp(name.clone(), port.port),
                Protocol::Udp => ListenerKey::Udp(name.clone(), port.port),
            };
            wanted.entry(key).or_insert(service);
        }
    }
    let mut table = PortTable::default();
    let mut taken: BTreeSet<(Transport, Port)> = BTreeSet::new();
    for (key, port) in &options.port_table.entries {
        let Some(service) = wanted.get(key) else { continue };
        if taken.insert((key.transport(), *port)) {
            table.entries.insert(key.clone(), *port);
        } else {
            let message = format!("listen port {port} of `{key}` already is another listener's");
            report.push(about(codes::LISTENER_TAKEN, &service.origin.object, message));
        }
    }
    let away = options.port_table.entries.iter().filter(|(key, _)| !wanted.contains_key(key));
    let away: &BTreeSet<(Transport, Port)> = &away.map(|(key, port)| (key.transport(), *port)).collect();
    let mut ports = BTreeMap::new();
    for (key, service) in &wanted {
        if table.entries.contains_key(key) {
            continue;
        }
        let transport = key.transport();
        let range = Range::of(key);
        let (first, count) = range.ports(options);
        let ports = ports.entry(range).or_insert_with(|| {
            let range = (0..count).filter_map(move |n| first.checked_add(n).and_then(Port::new));
            let is_away = move |port: &Port| away.contains(&(transport, *port));
            // Rather the port of one that is away than none.
            range.clone().filter(move |port| !is_away(port)).chain(range.filter(is_away))
        });
        match ports.find(|port| taken.insert((transport, *port))) {
            Some(port) => {
                table.entries.insert(key.clone(), port);
            }
            None => {
                let message =
                    format!("no listen port is left for `{key}`, which node proxies therefore do not serve");
                report.push(
                    about(codes::LISTENERS_EXHAUSTED, &service.origin.object, message)
                        .with_help(format!("the range has {count} ports from {first}; give it more")),
                );
            }
        }
    }
    table
}

fn about(code: crate::diag::Code, service: &ObjectRef, message: String) -> Diagnostic {
    Diagnostic::new(code, service, FieldPath::root().fields(&["spec", "ports"]), message)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Range {
    Http,
    Tcp,
    Udp,
}

impl Range {
    fn of(key: &ListenerKey) -> Self {
        match key {
            ListenerKey::Http(_) => Self::Http,
            ListenerKey::Tcp(..) => Self::Tcp,
            ListenerKey::Udp(..) => Self::Udp,
        }
    }

    fn ports(self, options: &CompileOptions) -> (u16, u16) {
        match self {
            Self::Http => options.port_ranges.http,
            Self::Tcp => options.port_ranges.tcp,
            Self::Udp => options.port_ranges.udp,
        }
    }
}

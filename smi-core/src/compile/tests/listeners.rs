//! Which listen ports what is new gets (S37).

use std::collections::BTreeMap;

use super::{CompileOptions, compiled};
use crate::compile::codes;
use crate::diag::Code;
use crate::hub::names::{Namespaced, Port};
use crate::ir::ListenerKey;

fn service(name: &str, protocol: &str) -> String {
    let transport = if protocol == "udp" { "UDP" } else { "TCP" };
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: a}}
spec: {{ports: [{{name: {protocol}, port: 80, protocol: {transport}}}]}}
"
    )
}

fn number(port: u16) -> Port {
    Port::new(port).unwrap()
}

fn tcp(name: &str) -> ListenerKey {
    ListenerKey::Tcp(Namespaced::new("a", name), number(80))
}

fn udp(name: &str) -> ListenerKey {
    ListenerKey::Udp(Namespaced::new("a", name), number(80))
}

/// Where these services are listened for with such a table, and what is found.
fn listeners(
    services: &[(&str, &str)],
    before: &[(ListenerKey, u16)],
    tcp: (u16, u16),
) -> (BTreeMap<ListenerKey, u16>, Vec<Code>) {
    let mut options = CompileOptions::default();
    options.port_ranges.tcp = tcp;
    options.port_ranges.udp = (10, 2);
    options.port_table.entries = before.iter().map(|(key, port)| (key.clone(), number(*port))).collect();
    let text: String = services.iter().map(|(name, protocol)| service(name, protocol)).collect();
    let compiled = compiled(&text, &options);
    let table = compiled.ir.listeners.entries.into_iter().map(|(key, port)| (key, port.get())).collect();
    (table, compiled.report.iter().map(|d| d.code).collect())
}

#[test]
fn s37_what_is_new_leaves_ports_of_what_is_away_alone() {
    let before = [(tcp("away"), 10), (tcp("here"), 12), (udp("dns"), 11)];
    let services = [("here", "tcp"), ("new", "tcp"), ("newer", "tcp"), ("time", "udp")];
    // Of TCP and UDP each has its own ports.
    let wanted = [(tcp("here"), 12), (tcp("new"), 11), (tcp("newer"), 13), (udp("time"), 10)];
    assert_eq!(listeners(&services, &before, (10, 4)), (wanted.into(), vec![]));
}

#[test]
fn s37_rather_the_port_of_what_is_away_than_none() {
    let before = [(tcp("away"), 10), (tcp("gone"), 12)];
    let services = [("one", "tcp"), ("two", "tcp"), ("zero", "tcp")];
    let wanted = [(tcp("one"), 11), (tcp("two"), 10), (tcp("zero"), 12)];
    assert_eq!(listeners(&services, &before, (10, 3)), (wanted.into(), vec![]));
    let wanted = [(tcp("one"), 11), (tcp("two"), 10)];
    assert_eq!(listeners(&services, &before, (10, 2)), (wanted.into(), vec![codes::LISTENERS_EXHAUSTED]));
}

#[test]
fn s37_of_two_with_one_port_what_is_there_has_it() {
    let before = [(tcp("away"), 10), (tcp("one"), 10), (tcp("two"), 10)];
    let wanted = [(tcp("one"), 10), (tcp("two"), 11)];
    let found = listeners(&[("one", "tcp"), ("two", "tcp")], &before, (10, 4));
    assert_eq!(found, (wanted.into(), vec![codes::LISTENER_TAKEN]));
}

//! S34–S37: annotations, determinism, protocols, names and ports.

use std::collections::BTreeSet;

use proptest::prelude::*;
use smi_core::cluster::{Cluster, PortProtocol};
use smi_core::compile::{CompileOptions, compile};
use smi_core::eval::Payload;
use smi_core::hub::names::Transport;
use smi_core::ir::{Protocol, ProtocolSource};
use smi_core::testing::documents;
use smi_core::testing::strategy::{cluster, hub};

use crate::support::*;

fn without_annotations(cluster: &Cluster, keep: &[&str]) -> Cluster {
    let mut cluster = cluster.clone();
    for service in cluster.services.values_mut() {
        service.annotations.retain(|key, _| keep.iter().any(|part| key.ends_with(part)));
    }
    cluster
}

proptest! {
    #![proptest_config(cases())]

    /// Retries, limits, timeouts and mirrors never change who gets what.
    #[test]
    fn s34_settings_do_not_decide((hub, cluster) in worlds(), drafts in drafts()) {
        let plain = without_annotations(&cluster, &["/traffic-type", "/scheme"]);
        alike(&ir(&hub, &cluster), &ir(&hub, &plain), &drafts)?;
    }

    /// Both prefixes say the same; this project's own wins.
    #[test]
    fn s34_prefixes_are_alike((hub, cluster) in worlds()) {
        let with = |prefix: &str| {
            let mut cluster = cluster.clone();
            for service in cluster.services.values_mut() {
                service.annotations = std::mem::take(&mut service.annotations)
                    .into_iter()
                    .map(|(key, value)| match key.split_once('/') {
                        Some(("mesh.smi-sdk.io" | "mesh.traefik.io", name)) => (format!("{prefix}/{name}").into(), value),
                        _ => (key, value),
                    })
                    .collect();
            }
            ir(&hub, &cluster).services.into_values().map(|s| {
                let ports = s.ports.into_iter().map(|p| {
                    let p = &*p.policy;
                    (p.retry.clone().map(|p| p.0), p.timeout_ms.clone().map(|p| p.0), p.circuit_breaker.clone().map(|p| p.0),
                        p.rate_limit.clone().map(|p| p.0), p.max_in_flight.clone().map(|p| p.0), p.mirror.clone().map(|p| p.0))
                });
                ports.collect::<Vec<_>>()
            }).collect::<Vec<_>>()
        };
        prop_assert_eq!(with("mesh.smi-sdk.io"), with("mesh.traefik.io"));
    }

    #[test]
    fn s35_the_order_of_documents_does_not_matter(texts in documents(), turn in any::<usize>(), options in smi_core::testing::strategy::ir::options()) {
        let mut turned = texts.clone();
        if !turned.is_empty() {
            let middle = turn % turned.len();
            turned.rotate_left(middle);
            turned.reverse();
        }
        let (straight, turned) = (read(&texts.join("---\n")), read(&turned.join("---\n")));
        let (a, b) = (compile(&straight.hub, &straight.cluster, &options), compile(&turned.hub, &turned.cluster, &options));
        prop_assert_eq!(a.ir.to_string(), b.ir.to_string());
        prop_assert_eq!(a, b);
    }

    /// A second run gives the same.
    #[test]
    fn s35_the_same_input_gives_the_same_bytes(texts in documents()) {
        let once = read(&texts.join("---\n"));
        let again = read(&texts.join("---\n"));
        prop_assert_eq!(ir(&once.hub, &once.cluster).to_string(), ir(&again.hub, &again.cluster).to_string());
    }

    /// Annotation, then `appProtocol`, then the name, then the default; UDP is UDP.
    #[test]
    fn s36_what_decides_the_protocol(hub in hub::hub(), cluster in cluster::cluster()) {
        let ir = ir(&hub, &cluster);
        for (name, service) in &ir.services {
            let source = &cluster.services[name];
            for port in &service.ports {
                let (number, transport) = (&port.port, &port.transport);
                let declared = source.ports.iter().find(|p| p.port == *number && (p.protocol == PortProtocol::Udp) == (*transport == Transport::Udp)).unwrap();
                prop_assert_eq!(port.protocol == Protocol::Udp, *transport == Transport::Udp);
                let annotated = source.annotations.keys().any(|k| k.ends_with("/traffic-type"));
                let scheme = source.annotations.keys().any(|k| k.ends_with("/scheme"));
                let expected = match () {
                    () if *transport == Transport::Udp => ProtocolSource::Transport,
                    () if annotated => ProtocolSource::Annotation,
                    () if declared.app_protocol.is_some() => ProtocolSource::AppProtocol,
                    () if &*declared.name != "main" => ProtocolSource::PortName,
                    () => ProtocolSource::Default,
                };
                prop_assert!(port.decided_by == expected || (scheme && port.decided_by == ProtocolSource::Annotation), "{:?}", declared);
            }
            prop_assert!(source.ports.iter().all(|p| p.protocol != PortProtocol::Sctp || service.ports.iter().all(|other| other.port != p.port)));
        }
    }

    /// A host in upper case, with a port or with a trailing dot is the host; one that names nothing goes nowhere.
    #[test]
    fn s37_how_a_host_is_spelt_does_not_matter((hub, cluster) in worlds(), drafts in drafts()) {
        let ir = ir(&hub, &cluster);
        for draft in &drafts {
            let mut request = draft.request(&ir);
            let Payload::Http(http) = request.payload.clone() else { continue };
            let bare = http.host.split(':').next().unwrap().trim_end_matches('.').to_ascii_lowercase();
            let mut with = |host: String| {
                if let Payload::Http(http) = &mut request.payload { http.host = host; }
                decide(&ir, &request)
            };
            let was = with(bare.clone());
            prop_assert_eq!(with(bare.to_ascii_uppercase()), was.clone());
            prop_assert_eq!(with(format!("{bare}:8080")), was.clone());
            prop_assert_eq!(with(format!("{bare}.")), was);
            for wrong in [format!("x.{bare}"), format!("{bare}.x"), bare.replace(".mesh", ""), String::new()] {
                prop_assert!(with(wrong).iter().all(|(o, _)| matches!(o, smi_core::eval::Outcome::NotFound | smi_core::eval::Outcome::BadRequest)));
            }
        }
    }

    /// An entry of the port table never moves while its service port exists, what is new leaves its port alone while it does not, and no port
    /// is given twice.
    #[test]
    fn s37_listeners_stay_where_they_are(hub in hub::hub(), before in cluster::cluster(), after in cluster::cluster()) {
        let first = ir(&hub, &before).listeners;
        let mut options = CompileOptions::default();
        options.port_table = first.clone();
        let second = compile(&hub, &after, &options).ir.listeners;
        for (key, port) in &first.entries {
            prop_assert!(second.entries.get(key).is_none_or(|p| p == port), "{}", key);
        }
        let kept: BTreeSet<_> = first.entries.iter().map(|(key, port)| (key.transport(), *port)).collect();
        let mut taken = BTreeSet::new();
        for (key, port) in &second.entries {
            prop_assert!(taken.insert((key.transport(), *port)), "{}", key);
            prop_assert!(first.entries.contains_key(key) || !kept.contains(&(key.transport(), *port)), "{}", key);
        }
        // Compiled again, nothing moves.
        options.port_table = second.clone();
        prop_assert_eq!(compile(&hub, &after, &options).ir.listeners, second);
    }
}

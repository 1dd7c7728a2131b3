//! `smi-bench xds`: what one change costs a control plane, by size and protocol, and when real clients have it.
//!
//! Shape: a change is published once and then told on each stream; both are measured on one thread and without sockets. Streams without
//! sockets are state machines whose clients accept what they get. Then real connections: many clients in a process of their own, and
//! with `SMI_ENVOY` set a real Envoy.
//!
//! - `stream`: without sockets · `clients`: with, many · `envoy`: with, one and real

pub(crate) mod clients;
mod envoy;
mod stream;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use prost::Message as _;
use smi_envoy::config::cluster::{Cluster, ClusterLoadAssignment, DiscoveryType, EdsClusterConfig};
use smi_envoy::config::discovery::ConfigSource;
use smi_xds::kind::{CLUSTER, ENDPOINT};
use smi_xds::{Protocol, Published, Reference, Resource, Snapshot};

use crate::cost::cost;
use stream::Stream;

fn cluster(i: usize, timeout: u32) -> Resource {
    let name = format!("shop/service-{i:05}~80");
    let message = Cluster {
        name: name.clone(),
        r#type: DiscoveryType::Eds.into(),
        eds_cluster_config: Some(EdsClusterConfig { eds_config: Some(ConfigSource::ads()) }),
        connect_timeout: Some(smi_envoy::config::Duration::from_ms(timeout)),
        ..Cluster::default()
    };
    let reference = Reference::new(ENDPOINT, name.as_str());
    Resource::new(CLUSTER, name, &message.encode_to_vec()).with_references([reference])
}

fn world(size: usize) -> Snapshot {
    let assignment = |i: usize| {
        let name = format!("shop/service-{i:05}~80");
        let message =
            ClusterLoadAssignment { cluster_name: name.clone(), ..ClusterLoadAssignment::default() };
        Resource::new(ENDPOINT, name, &message.encode_to_vec())
    };
    Snapshot::new((0..size).map(|i| cluster(i, 5000)).chain((0..size).map(assignment)))
}

fn form(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Sotw => "whole",
        Protocol::Delta => "delta",
    }
}

/// Milliseconds that one changed cluster costs: to publish it as an edit, as a whole new snapshot, and to tell it on one stream.
struct Change {
    edit: f64,
    whole: f64,
    told: f64,
    bytes: usize,
}

fn change(size: usize, protocol: Protocol) -> anyhow::Result<Change> {
    let mut published = Arc::new(Published::first(world(size)));
    let mut stream = Stream::open(protocol, &published)?;
    let mut best = Change { edit: f64::MAX, whole: f64::MAX, told: f64::MAX, bytes: 0 };
    for round in 0..7_u32 {
        let changed = cluster(size / 2, 5001 + round);
        let mut snapshot = world(size);
        snapshot.insert(changed.clone());
        let (next, whole) = cost(|| published.next(snapshot));
        next.context("a change is a change")?;
        let (next, edit) = cost(|| published.edited(vec![changed], &[]));
        published = Arc::new(next.context("an edit is a change")?);
        let (bytes, told) = cost(|| {
            stream.session.on_snapshot(Arc::clone(&published));
            stream.drain()
        });
        best = Change {
            edit: best.edit.min(edit.ms),
            whole: best.whole.min(whole.ms),
            told: best.told.min(told.ms),
            bytes: bytes?,
        };
    }
    Ok(best)
}

/// Measures and prints.
pub(crate) fn run(sizes: &[usize], clients: usize, json: Option<&Path>) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    println!(
        "one changed cluster\n{:>9} {:>6} {:>14} {:>14} {:>14} {:>10}",
        "clusters", "form", "published", "as a whole", "told, each", "bytes"
    );
    let mut told = Vec::new();
    for &size in sizes {
        for protocol in [Protocol::Delta, Protocol::Sotw] {
            let Change { edit, whole, told: each, bytes } = change(size, protocol)?;
            println!(
                "{size:>9} {:>6} {edit:>11.4} ms {whole:>11.3} ms {each:>11.4} ms {bytes:>10}",
                form(protocol)
            );
            if protocol == Protocol::Delta {
                told.push(each);
            }
            rows.push(serde_json::json!({
                "clusters": size, "form": form(protocol), "bytes": bytes,
                "publish_ms": edit, "publish_whole_ms": whole, "told_ms": each,
            }));
        }
    }
    let size = sizes.iter().copied().max().unwrap_or(10_000);
    let mut published = Arc::new(Published::first(world(size)));
    let (streams, held) = cost(|| -> anyhow::Result<Vec<Stream>> {
        (0..clients)
            .map(|_| {
                let mut stream = Stream::open(Protocol::Delta, &published)?;
                // The client's own list is not the server's memory.
                stream.names = Vec::new();
                Ok(stream)
            })
            .collect()
    });
    let mut streams = streams?;
    let per_stream = held.retained_bytes / i64::try_from(clients.max(1))?;
    let started = Instant::now();
    for round in 0..20_u32 {
        let next = published.edited(vec![cluster(usize::try_from(round)?, 6000)], &[]);
        published = Arc::new(next.context("an edit is a change")?);
        for stream in &mut streams {
            stream.session.on_snapshot(Arc::clone(&published));
            stream.drain()?;
        }
    }
    let per_change = started.elapsed().as_secs_f64() * 1000.0 / 20.0;
    println!(
        "\n{clients} streams of {size} clusters without sockets: {:.1} kB each, {per_change:.2} ms per change for all",
        per_stream as f64 / 1000.0
    );
    drop(streams);
    let real = clients::measure(size, clients)?;
    println!(
        "{clients} clients of {size} clusters in another process: the server holds {:.1} kB for each (its process grew by {:.1} kB), {:.1} ms until all have a change",
        real.bytes_each as f64 / 1000.0,
        real.resident_each as f64 / 1000.0,
        real.ms_per_change
    );
    let live = match std::env::var_os("SMI_ENVOY") {
        Some(binary) => {
            println!("\na real Envoy\n{:>9} {:>6} {:>12} {:>12}", "clusters", "form", "ready", "one change");
            let mut live = Vec::new();
            for protocol in [Protocol::Delta, Protocol::Sotw] {
                let (ready, change) = envoy::measure(Path::new(&binary), size, protocol)?;
                println!("{size:>9} {:>6} {ready:>9.0} ms {change:>9.1} ms", form(protocol));
                live.push(serde_json::json!({"clusters": size, "form": form(protocol), "ready_ms": ready, "change_ms": change}));
            }
            live
        }
        None => {
            println!("\nno real Envoy: set SMI_ENVOY (`cargo xtask peers envoy`)");
            Vec::new()
        }
    };
    let growth = told.last().copied().unwrap_or(1.0) / told.first().copied().unwrap_or(1.0);
    println!(
        "\nxds: from {} to {size} clusters telling one change by delta costs {growth:.1} times as much; {:.1} kB per stream, {:.1} kB with its connection",
        sizes.first().copied().unwrap_or(size),
        per_stream as f64 / 1000.0,
        real.bytes_each as f64 / 1000.0
    );
    if let Some(path) = json {
        let all = serde_json::json!({
            "changes": rows, "live": live,
            "streams": {"count": clients, "clusters": size, "bytes_each": per_stream, "ms_per_change": per_change},
            "clients": {"count": clients, "clusters": size, "bytes_each": real.bytes_each, "resident_each": real.resident_each, "ms_per_change": real.ms_per_change},
        });
        std::fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?;
    }
    Ok(())
}

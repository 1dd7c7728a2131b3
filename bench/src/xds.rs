//! `smi-bench xds`: what one change costs a control plane, by size and protocol, and when a real Envoy has it.
//!
//! The cost of a change is that of editing the snapshot, planning the responses of one stream and encoding them, on one thread and without
//! sockets. Streams in the churn are state machines that accept what they get, as many as asked for. With `SMI_ENVOY` set, a real Envoy
//! connects over a socket.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use prost::Message as _;
use smi_core::backend::{Backend as _, ProxyTarget};
use smi_core::compile::{CompileOptions, compile};
use smi_core::load::{Limits, load};
use smi_envoy::config::cluster::{Cluster, ClusterLoadAssignment, DiscoveryType, EdsClusterConfig};
use smi_envoy::config::discovery::ConfigSource;
use smi_envoy::{AdsServer, Envoy, EnvoyOptions};
use smi_xds::kind::{CLUSTER, ENDPOINT, LISTENER};
use smi_xds::session::Response;
use smi_xds::wire::{DeltaDiscoveryRequest, DiscoveryRequest};
use smi_xds::{
    ByNodeId, Protocol, Published, Reference, Resource, Server, ServerOptions, Session, Snapshot, Store, node,
};

use crate::cost::cost;

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

/// A stream, and the names its client asks for.
struct Stream {
    session: Session,
    names: Vec<String>,
}

impl Stream {
    fn open(protocol: Protocol, published: &Arc<Published>) -> anyhow::Result<Self> {
        let names = published.snapshot().set(ENDPOINT).into_iter().flat_map(|set| set.keys());
        let names: Vec<String> = names.map(ToString::to_string).collect();
        let mut stream = Self { session: Session::new(protocol, None, smi_xds::Limits::default()), names };
        stream.session.on_snapshot(Arc::clone(published));
        stream.ask(CLUSTER, "")?;
        stream.ask(ENDPOINT, "")?;
        stream.drain()?;
        Ok(stream)
    }

    fn ask(&mut self, kind: &str, nonce: &str) -> anyhow::Result<()> {
        let names = if kind == ENDPOINT { self.names.clone() } else { Vec::new() };
        match self.session.protocol() {
            Protocol::Sotw => self.session.on_sotw(DiscoveryRequest {
                type_url: kind.into(),
                resource_names: names,
                response_nonce: nonce.into(),
                ..DiscoveryRequest::default()
            })?,
            Protocol::Delta => self.session.on_delta(DeltaDiscoveryRequest {
                type_url: kind.into(),
                resource_names_subscribe: if nonce.is_empty() { names } else { Vec::new() },
                response_nonce: nonce.into(),
                ..DeltaDiscoveryRequest::default()
            })?,
        }
        Ok(())
    }

    /// Takes and accepts everything; bytes of the responses.
    fn drain(&mut self) -> anyhow::Result<usize> {
        let mut bytes = 0;
        while let Some(response) = self.session.poll(0) {
            let (kind, nonce, encoded) = match response {
                Response::Sotw(r) => (r.type_url.clone(), r.nonce.clone(), r.encode_to_vec()),
                Response::Delta(r) => (r.type_url.clone(), r.nonce.clone(), r.encode_to_vec()),
            };
            bytes += encoded.len();
            self.ask(&kind, &nonce)?;
        }
        self.session.take_events();
        Ok(bytes)
    }
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Sotw => "whole",
        Protocol::Delta => "delta",
    }
}

/// Measures and prints.
pub(crate) fn run(sizes: &[usize], clients: usize, json: Option<&Path>) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    println!(
        "one changed cluster, one stream\n{:>9} {:>6} {:>12} {:>12} {:>12}",
        "clusters", "form", "bytes", "server", "first bytes"
    );
    for &size in sizes {
        for protocol in [Protocol::Delta, Protocol::Sotw] {
            let mut published = Arc::new(Published::first(world(size)));
            let mut stream = Stream::open(protocol, &published)?;
            let first: usize = published.snapshot().iter().map(|r| r.delta().len()).sum();
            let mut best = f64::MAX;
            let mut bytes = 0;
            for round in 0..5_u32 {
                let (sent, cost) = cost(|| -> anyhow::Result<usize> {
                    let next = published.edited(vec![cluster(size / 2, 5001 + round)], &[]);
                    published = Arc::new(next.context("an edit is a change")?);
                    stream.session.on_snapshot(Arc::clone(&published));
                    stream.drain()
                });
                bytes = sent?;
                best = best.min(cost.ms);
            }
            println!("{size:>9} {:>6} {bytes:>12} {best:>9.3} ms {first:>12}", name(protocol));
            rows.push(
                serde_json::json!({"clusters": size, "form": name(protocol), "bytes": bytes, "ms": best}),
            );
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
    let per_client = held.retained_bytes / i64::try_from(clients.max(1))?;
    let started = Instant::now();
    for round in 0..20_u32 {
        let next = published.edited(vec![cluster(usize::try_from(round)?, 6000)], &[]);
        published = Arc::new(next.context("an edit is a change")?);
        for (i, stream) in streams.iter_mut().enumerate() {
            if i % 20 == usize::try_from(round)? {
                // Some leave and come back.
                *stream = Stream::open(Protocol::Delta, &published)?;
                stream.names = Vec::new();
            }
            stream.session.on_snapshot(Arc::clone(&published));
            stream.drain()?;
        }
    }
    let churn = started.elapsed().as_secs_f64() * 1000.0 / 20.0;
    println!(
        "\n{clients} streams of {size} clusters: {} kB each, {churn:.1} ms per change and a twentieth of them anew",
        per_client / 1000
    );
    let live = match std::env::var_os("SMI_ENVOY") {
        Some(binary) => {
            println!("\na real Envoy\n{:>9} {:>6} {:>12} {:>12}", "clusters", "form", "ready", "one change");
            let mut live = Vec::new();
            for protocol in [Protocol::Delta, Protocol::Sotw] {
                let (ready, change) = envoy(Path::new(&binary), size, protocol)?;
                println!("{size:>9} {:>6} {ready:>9.0} ms {change:>9.1} ms", name(protocol));
                live.push(serde_json::json!({"clusters": size, "form": name(protocol), "ready_ms": ready, "change_ms": change}));
            }
            live
        }
        None => {
            println!("\nno real Envoy: set SMI_ENVOY (`cargo xtask peers envoy`)");
            Vec::new()
        }
    };
    let deltas: Vec<f64> =
        rows.iter().filter(|r| r["form"] == "delta").filter_map(|r| r["ms"].as_f64()).collect();
    let growth = deltas.last().copied().unwrap_or(1.0) / deltas.first().copied().unwrap_or(1.0);
    println!(
        "\nxds: from {} to {size} clusters one change by delta costs {growth:.1} times as much; {} kB per stream",
        sizes.first().copied().unwrap_or(size),
        per_client / 1000
    );
    if let Some(path) = json {
        let all = serde_json::json!({
            "changes": rows, "live": live,
            "streams": {"count": clients, "clusters": size, "bytes_each": per_client, "ms_per_change": churn},
        });
        std::fs::write(path, serde_json::to_string_pretty(&all)? + "\n")?;
    }
    Ok(())
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Milliseconds until an Envoy has everything, and until it has accepted one changed cluster, warmed.
fn envoy(binary: &Path, size: usize, protocol: Protocol) -> anyhow::Result<(f64, f64)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let store = Arc::new(Store::default());
    store.set(node::NODES, world(size));
    let server = Server::new(Arc::clone(&store), ByNodeId::default(), ServerOptions::default());
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let mut ads = AdsServer::new("127.0.0.1", listener.local_addr()?.port());
    ads.state_of_the_world = protocol == Protocol::Sotw;
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let serving = server.clone();
    runtime.spawn(async move { serving.serve(listener, None, stopped).await });
    let empty = load(&[], &Limits::default());
    let compiled = compile(&empty.hub, &empty.cluster, &CompileOptions::default());
    let mut options = EnvoyOptions::default();
    options.admin_port = Some(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let config = Envoy { options }.render(&compiled.ir, &ProxyTarget::Node).output;
    let file =
        std::env::temp_dir().join(format!("smi-bench-xds-{}-{}.pb", name(protocol), std::process::id()));
    std::fs::write(&file, config.ads_bootstrap(&ads).protobuf())?;
    let has = |wanted: u64| {
        server.clients().iter().any(|client| {
            let accepted = |kind: &str| {
                client
                    .topics
                    .iter()
                    .any(|t| t.type_url.as_str() == kind && t.is_settled() && t.counts.acks > 0)
            };
            client.sequence == wanted && accepted(CLUSTER) && accepted(ENDPOINT) && accepted(LISTENER)
        })
    };
    let wait = |wanted: u64| -> anyhow::Result<f64> {
        let started = Instant::now();
        while !has(wanted) {
            anyhow::ensure!(started.elapsed() < Duration::from_secs(60), "Envoy does not accept it");
            std::thread::sleep(Duration::from_micros(500));
        }
        Ok(started.elapsed().as_secs_f64() * 1000.0)
    };
    let child = Command::new(binary)
        .args(["-l", "off", "--concurrency", "1", "--use-dynamic-base-id", "-c"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start `{}`", binary.display()))?;
    let _running = Running(child);
    let ready = wait(1)?;
    let mut change = f64::MAX;
    for round in 0..3_u32 {
        let before = store.get(node::NODES).map_or(0, |p| p.sequence());
        store.edit(node::NODES, vec![cluster(size / 2, 7000 + round)], &[]);
        change = change.min(wait(before + 1)?);
    }
    anyhow::ensure!(change < 10_000.0, "Envoy waited for an assignment");
    let _ = std::fs::remove_file(&file);
    Ok((ready, change))
}

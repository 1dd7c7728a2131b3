//! The server with its clients in another process, so that what it holds is its own.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use smi_xds::kind::{CLUSTER, ENDPOINT};
use smi_xds::wire::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, DeltaResource, Node};
use smi_xds::{ByNodeId, Server, ServerOptions, Store, node};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;

use super::envoy::Running;
use super::{cluster, world};
use crate::cost::cost;

/// What many clients cost a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// Bytes that the server holds, per client.
    pub(super) bytes_each: i64,
    /// Bytes by which its process grew, per client: with what the allocator keeps of what all took at once when they came.
    pub(super) resident_each: u64,
    /// From a change until all have accepted it.
    pub(super) ms_per_change: f64,
}

/// Serves so many clients of a process of their own.
pub(super) fn measure(size: usize, clients: usize) -> anyhow::Result<Held> {
    // The server runs on this thread, so that what is counted here is its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let store = Arc::new(Store::default());
    store.set(node::NODES, world(size));
    let server = Server::new(Arc::clone(&store), ByNodeId::default(), ServerOptions::default());
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let (_stop, stopped) = watch::channel(false);
    let serving = server.clone();
    runtime.spawn(async move { serving.serve(listener, None, stopped).await });
    let settled = async |wanted: u64| -> anyhow::Result<f64> {
        let started = Instant::now();
        loop {
            let all = server.clients();
            let done = all.iter().filter(|c| {
                c.sequence == wanted
                    && c.topics.len() == 2
                    && c.topics.iter().all(|t| t.is_settled() && t.accepted.0 == size)
            });
            if done.count() == clients {
                return Ok(started.elapsed().as_secs_f64() * 1000.0);
            }
            anyhow::ensure!(started.elapsed() < Duration::from_secs(300), "the clients do not settle");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let before = resident()?;
    let child = Command::new(std::env::current_exe()?)
        .args(["xds-clients", &address.to_string(), &clients.to_string()])
        .stdin(Stdio::piped())
        .spawn()?;
    let _running = Running(child);
    let (first, held) = cost(|| runtime.block_on(settled(1)));
    first?;
    let resident = resident()?.saturating_sub(before);
    let mut best = f64::MAX;
    for round in 0..5_u32 {
        let before = store.get(node::NODES).map_or(0, |p| p.sequence());
        store.edit(node::NODES, vec![cluster(size / 2, 8000 + round)], &[]);
        best = best.min(runtime.block_on(settled(before + 1))?);
    }
    let each = clients.max(1);
    Ok(Held {
        bytes_each: held.retained_bytes / i64::try_from(each)?,
        resident_each: resident / u64::try_from(each)?,
        ms_per_change: best,
    })
}

/// Memory of this process that is in use.
fn resident() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kb: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kb * 1024)
}

/// The other process: clients that accept everything, until nobody reads what they say.
pub(crate) fn run(address: SocketAddr, clients: usize) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    for number in 0..clients {
        runtime.spawn(async move {
            if let Err(error) = client(address, number).await {
                let _ = writeln!(std::io::stderr(), "client {number}: {error:#}");
            }
        });
    }
    let _ = std::io::stdin().read(&mut [0]);
    Ok(())
}

async fn client(address: SocketAddr, number: usize) -> anyhow::Result<()> {
    const PATH: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    let (requests, receiver) = mpsc::channel(16);
    let mut grpc = Grpc::new(channel).max_decoding_message_size(usize::MAX);
    grpc.ready().await?;
    let ask = |kind: &str, nonce: String, names: Vec<String>| DeltaDiscoveryRequest {
        type_url: kind.into(),
        response_nonce: nonce,
        resource_names_subscribe: names,
        ..DeltaDiscoveryRequest::default()
    };
    let node = Some(Node { id: format!("node~{number}"), cluster: String::new() });
    requests.send(DeltaDiscoveryRequest { node, ..ask(CLUSTER, String::new(), Vec::new()) }).await?;
    let codec = tonic_prost::ProstCodec::<DeltaDiscoveryRequest, DeltaDiscoveryResponse>::default();
    let request = tonic::Request::new(ReceiverStream::new(receiver));
    let mut responses = grpc.streaming(request, PathAndQuery::from_static(PATH), codec).await?.into_inner();
    let mut greeted = false;
    while let Some(response) = responses.message().await? {
        if response.type_url == CLUSTER && !greeted {
            greeted = true;
            let names = response
                .resources
                .iter()
                .map(|bytes| Ok(<DeltaResource as prost::Message>::decode(bytes.clone())?.name));
            let names = names.collect::<anyhow::Result<Vec<String>>>()?;
            requests.send(ask(ENDPOINT, String::new(), names)).await?;
        }
        requests.send(ask(&response.type_url, response.nonce, Vec::new())).await?;
    }
    Ok(())
}

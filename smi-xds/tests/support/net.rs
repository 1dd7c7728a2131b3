#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
//! A server on a free port, and clients that speak raw gRPC to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use smi_xds::wire::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Node,
};
use smi_xds::{ByNodeId, Placement, Server, ServerOptions, Store, Tls};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

pub const SOTW: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
pub const DELTA: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/// A running server.
pub struct Running {
    pub store: Arc<Store>,
    pub server: Server,
    pub address: SocketAddr,
    pub stop: watch::Sender<bool>,
    pub task: tokio::task::JoinHandle<()>,
}

pub async fn run() -> Running {
    run_with(ByNodeId::default(), ServerOptions::default(), None).await
}

pub async fn run_with(placement: impl Placement, options: ServerOptions, tls: Option<Tls>) -> Running {
    let store = Arc::new(Store::default());
    let server = Server::new(Arc::clone(&store), placement, options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let serving = server.clone();
    let task = tokio::spawn(async move { serving.serve(listener, tls, stopped).await });
    Running { store, server, address, stop, task }
}

pub async fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// One stream of a client.
pub struct Stream<Q, R> {
    pub requests: Option<mpsc::Sender<Q>>,
    pub responses: Streaming<R>,
}

struct Requests<T>(mpsc::Receiver<T>);

impl<T> futures_core::Stream for Requests<T> {
    type Item = T;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        self.0.poll_recv(context)
    }
}

pub async fn open<Q, R>(channel: Channel, path: &'static str) -> Result<Stream<Q, R>, Status>
where
    Q: prost::Message + Default + Send + 'static,
    R: prost::Message + Default + Send + 'static,
{
    let (requests, receiver) = mpsc::channel(16);
    let mut grpc =
        Grpc::new(channel).max_decoding_message_size(usize::MAX).max_encoding_message_size(usize::MAX);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<Q, R>::default();
    let request = tonic::Request::new(Requests(receiver));
    let response = grpc.streaming(request, PathAndQuery::from_static(path), codec).await?;
    Ok(Stream { requests: Some(requests), responses: response.into_inner() })
}

impl<Q: std::fmt::Debug, R> Stream<Q, R> {
    pub async fn send(&self, request: Q) {
        self.requests.as_ref().unwrap().send(request).await.unwrap();
    }

    /// The next response; a test that waits for one in vain fails.
    pub async fn next(&mut self) -> Result<R, Status> {
        let next = tokio::time::timeout(Duration::from_secs(20), self.responses.message()).await;
        next.expect("a response in time")?.ok_or_else(|| Status::ok("end"))
    }
}

pub type Delta = Stream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
pub type Sotw = Stream<DiscoveryRequest, DiscoveryResponse>;

pub fn node(id: &str) -> Option<Node> {
    Some(Node { id: id.into(), cluster: "test".into() })
}

/// A stream that has asked for all of one type.
pub async fn subscribed(address: SocketAddr, id: &str, kind: &str) -> Delta {
    let stream: Delta = open(channel(address).await, DELTA).await.unwrap();
    stream.send(DeltaDiscoveryRequest { node: node(id), type_url: kind.into(), ..Default::default() }).await;
    stream
}

/// Waits until it holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never: {what}");
}

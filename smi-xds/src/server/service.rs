//! The gRPC methods: the aggregated service, and those of single types.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::{mpsc, watch};
use tonic::server::{Grpc, StreamingService};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

use super::Shared;
use super::drive::{Delta, Given, Messages, Sotw, drive};
use crate::kind::{CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, TypeUrl};
use crate::node::Peer;
use crate::session::Protocol;

/// What all streams of a connection share.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Peer,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) cut: mpsc::Sender<()>,
}

/// Protocol and type of a method.
fn method(path: &str) -> Option<(Protocol, Option<&'static str>)> {
    use Protocol::{Delta, Sotw};
    Some(match path {
        "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources" => (Sotw, None),
        "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources" => (Delta, None),
        "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters" => (Sotw, Some(CLUSTER)),
        "/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters" => (Delta, Some(CLUSTER)),
        "/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints" => (Sotw, Some(ENDPOINT)),
        "/envoy.service.endpoint.v3.EndpointDiscoveryService/DeltaEndpoints" => (Delta, Some(ENDPOINT)),
        "/envoy.service.listener.v3.ListenerDiscoveryService/StreamListeners" => (Sotw, Some(LISTENER)),
        "/envoy.service.listener.v3.ListenerDiscoveryService/DeltaListeners" => (Delta, Some(LISTENER)),
        "/envoy.service.route.v3.RouteDiscoveryService/StreamRoutes" => (Sotw, Some(ROUTE)),
        "/envoy.service.route.v3.RouteDiscoveryService/DeltaRoutes" => (Delta, Some(ROUTE)),
        "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets" => (Sotw, Some(SECRET)),
        "/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets" => (Delta, Some(SECRET)),
        _ => return None,
    })
}

impl Service {
    pub(super) async fn call(self, request: Request<Incoming>) -> Response<tonic::body::Body> {
        match method(request.uri().path()) {
            Some((Protocol::Sotw, only)) => self.stream::<Sotw>(request, only).await,
            Some((Protocol::Delta, only)) => self.stream::<Delta>(request, only).await,
            None => Status::unimplemented("there is no such method").into_http(),
        }
    }

    async fn stream<M: Messages>(
        self,
        request: Request<Incoming>,
        only: Option<&str>,
    ) -> Response<tonic::body::Body> {
        let limit = self.shared.options.max_request;
        let only = only.map(TypeUrl::from);
        let mut grpc = Grpc::new(ProstCodec::<M::Response, M::Request>::default())
            .apply_max_message_size_config(Some(limit), Some(usize::MAX));
        grpc.streaming(Opening::<M> { service: self, only, messages: std::marker::PhantomData }, request)
            .await
    }
}

struct Opening<M> {
    service: Service,
    only: Option<TypeUrl>,
    messages: std::marker::PhantomData<M>,
}

impl<M: Messages> StreamingService<M::Request> for Opening<M> {
    type Response = M::Response;
    type ResponseStream = Responses<M::Response>;
    type Future = Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<M::Request>>) -> Self::Future {
        // One response waits at most; the next is made when the client has taken it.
        let (outbound, receiver) = mpsc::channel(1);
        let Service { shared, peer, stop, cut } = self.service.clone();
        shared.clients.counters.streams.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let only = self.only.clone();
        tokio::spawn(drive::<M>(Given {
            shared,
            peer,
            only,
            inbound: request.into_inner(),
            outbound,
            stop,
            cut,
        }));
        ready(Ok(tonic::Response::new(Responses(receiver))))
    }
}

/// The responses of a stream.
pub(super) struct Responses<T>(mpsc::Receiver<Result<T, Status>>);

impl<T> futures_core::Stream for Responses<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

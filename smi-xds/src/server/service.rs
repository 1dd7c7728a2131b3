//! The gRPC methods: the aggregated service, and those of single types.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use tokio::sync::{mpsc, watch};
use tonic::{Status, Streaming};
use tonic_prost::ProstDecoder;

use super::Shared;
use super::drive::{Delta, Given, Messages, Sotw, drive};
use super::reply::{Progress, Replies};
use crate::kind::{CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, TypeUrl};
use crate::node::Peer;
use crate::session::Protocol;

/// What all streams of a connection share.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Peer,
    /// One copy for each stream beside the connection's own.
    pub(super) open: Arc<()>,
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
    pub(super) fn call(self, request: Request<Incoming>) -> Response<tonic::body::Body> {
        match method(request.uri().path()) {
            Some((Protocol::Sotw, only)) => self.stream::<Sotw>(request, only),
            Some((Protocol::Delta, only)) => self.stream::<Delta>(request, only),
            None => Status::unimplemented("there is no such method").into_http(),
        }
    }

    fn stream<M: Messages>(
        self,
        request: Request<Incoming>,
        only: Option<&'static str>,
    ) -> Response<tonic::body::Body> {
        let shared = &self.shared;
        shared.clients.counters.streams.fetch_add(1, Relaxed);
        if let Some(encoding) = request.headers().get("grpc-encoding").filter(|e| *e != "identity") {
            let text = format!("the encoding {encoding:?} is not known here");
            return Status::unimplemented(text).into_http();
        }
        let limit = Some(shared.options.max_request);
        let decoder = ProstDecoder::<M::Request>::default();
        let inbound = Streaming::new_request(decoder, request.into_body(), None, limit);
        // One response waits at most; the next is made when the client has taken it.
        let (outbound, replies) = mpsc::channel(1);
        let Self { shared, peer, open, stop, cut } = self;
        let only = only.map(TypeUrl::from);
        let progress = Progress::default();
        let body = Replies::new(replies, progress.clone());
        tokio::spawn(drive::<M>(Given {
            shared,
            peer,
            only,
            inbound,
            outbound,
            progress,
            _open: open,
            stop,
            cut,
        }));
        let mut response = Response::new(tonic::body::Body::new(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        response
    }
}

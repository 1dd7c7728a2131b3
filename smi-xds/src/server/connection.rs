//! Sockets, TLS and HTTP/2.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};
use tokio_rustls::TlsAcceptor;

use super::Shared;
use super::service::Service;
use crate::identity::uri_names;
use crate::node::Peer;

/// TLS of a server. With a configuration that asks for certificates, clients are known by theirs.
#[derive(Clone)]
pub struct Tls {
    config: Arc<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync>,
}

impl Tls {
    /// With a configuration that may be another for each connection.
    pub(crate) fn changing(config: impl Fn() -> Arc<rustls::ServerConfig> + Send + Sync + 'static) -> Self {
        Self { config: Arc::new(config) }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl From<Arc<rustls::ServerConfig>> for Tls {
    fn from(config: Arc<rustls::ServerConfig>) -> Self {
        Self::changing(move || Arc::clone(&config))
    }
}

pub(super) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Option<Tls>,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(shared.options.max_connections));
    let mut connections = JoinSet::new();
    loop {
        let seat = tokio::select! {
            seat = Arc::clone(&room).acquire_owned() => seat,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok(seat) = seat else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        // Finished ones are forgotten.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((socket, _)) => {
                shared.clients.counters.connections.fetch_add(1, Relaxed);
                let (shared, tls, stop) = (Arc::clone(&shared), tls.clone(), stop.clone());
                connections.spawn(async move {
                    // Whatever goes wrong is this client's affair only.
                    let _ = connection(shared, socket, tls, stop).await;
                    drop(seat);
                });
            }
            // Out of file handles, most likely: others may end meanwhile.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(shared.options.drain, ended).await;
    connections.shutdown().await;
}

async fn connection(
    shared: Arc<Shared>,
    socket: TcpStream,
    tls: Option<Tls>,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let Some(tls) = tls else { return http(shared, socket, Peer::Anonymous, stop).await };
    let patience = shared.options.hello_timeout;
    let stream = tokio::time::timeout(patience, TlsAcceptor::from((tls.config)()).accept(socket)).await??;
    let peer = match stream.get_ref().1.peer_certificates().and_then(<[_]>::first) {
        // A SPIFFE certificate has exactly one URI; one with several speaks for nobody.
        Some(certificate) => {
            let names = uri_names(certificate).map_err(std::io::Error::other)?;
            Peer::Certified(if names.len() == 1 { names.into() } else { Vec::new().into() })
        }
        None => Peer::Anonymous,
    };
    http(shared, stream, peer, stop).await
}

async fn http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    shared: Arc<Shared>,
    socket: S,
    peer: Peer,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let (cut, mut cut_off) = mpsc::channel(1);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(shared.options.keep_alive.0)
        .keep_alive_timeout(shared.options.keep_alive.1)
        .max_concurrent_streams(shared.options.max_streams)
        .max_header_list_size(16 << 10);
    // A seat is for a client that has a stream; one without any may come again when it needs one.
    let patience = shared.options.hello_timeout;
    let mut looks = interval_at(Instant::now() + patience, patience);
    let mut idle = true;
    let open = Arc::new(());
    let service = Service { shared, peer, open: Arc::clone(&open), stop: stop.clone(), cut };
    let service = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, std::convert::Infallible>(service.call(request)) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended.map_err(std::io::Error::other),
            _ = cut_off.recv() => return Ok(()),
            _ = looks.tick(), if !stopping => {
                // One is here and one is in the service.
                let has_streams = Arc::strong_count(&open) > 2;
                if idle && !has_streams {
                    return Ok(());
                }
                idle = !has_streams;
            }
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

//! One stream: reads requests, watches the snapshot, answers as fast as the client takes it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tonic::{Status, Streaming};

use super::Shared;
use super::clients::Client;
use super::reply::{Progress, Reply};
use crate::kind::TypeUrl;
use crate::node::Peer;
use crate::session::{Millis, Protocol, Refusal, Response, Session};
use crate::store::Watch;
use crate::wire::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Node};

/// The messages of a protocol.
pub(super) trait Messages: Send + 'static {
    const PROTOCOL: Protocol;
    type Request: Message + Default + Send + 'static;
    type Response: Message;
    fn node(request: &mut Self::Request) -> Option<Node>;
    fn tell(session: &mut Session, request: Self::Request) -> Result<(), Refusal>;
    /// The response of this protocol, apart from its resources.
    fn response(response: Response) -> Option<(Self::Response, Vec<Bytes>)>;
}

pub(super) struct Sotw;
pub(super) struct Delta;

impl Messages for Sotw {
    const PROTOCOL: Protocol = Protocol::Sotw;
    type Request = DiscoveryRequest;
    type Response = DiscoveryResponse;
    fn node(request: &mut DiscoveryRequest) -> Option<Node> {
        request.node.take()
    }
    fn tell(session: &mut Session, request: DiscoveryRequest) -> Result<(), Refusal> {
        session.on_sotw(request)
    }
    fn response(response: Response) -> Option<(DiscoveryResponse, Vec<Bytes>)> {
        match response {
            Response::Sotw(mut response) => {
                let resources = std::mem::take(&mut response.resources);
                Some((response, resources))
            }
            Response::Delta(_) => None,
        }
    }
}

impl Messages for Delta {
    const PROTOCOL: Protocol = Protocol::Delta;
    type Request = DeltaDiscoveryRequest;
    type Response = DeltaDiscoveryResponse;
    fn node(request: &mut DeltaDiscoveryRequest) -> Option<Node> {
        request.node.take()
    }
    fn tell(session: &mut Session, request: DeltaDiscoveryRequest) -> Result<(), Refusal> {
        session.on_delta(request)
    }
    fn response(response: Response) -> Option<(DeltaDiscoveryResponse, Vec<Bytes>)> {
        match response {
            Response::Delta(mut response) => {
                let resources = std::mem::take(&mut response.resources);
                Some((response, resources))
            }
            Response::Sotw(_) => None,
        }
    }
}

/// What a stream is given.
pub(super) struct Given<M: Messages> {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: Peer,
    pub(super) only: Option<TypeUrl>,
    pub(super) inbound: Streaming<M::Request>,
    pub(super) outbound: mpsc::Sender<Result<Reply, Status>>,
    pub(super) progress: Progress,
    /// Counts as one of the connection's streams as long as it is there.
    pub(super) _open: Arc<()>,
    pub(super) stop: watch::Receiver<bool>,
    /// Cuts the whole connection.
    pub(super) cut: mpsc::Sender<()>,
}

/// A node that has said who it is.
struct Joined {
    client: Arc<Client>,
    watch: Watch,
}

pub(super) async fn drive<M: Messages>(mut given: Given<M>) {
    let started = Instant::now();
    let mut session = Session::new(M::PROTOCOL, given.only.clone(), given.shared.options.limits.clone());
    let mut joined = None;
    let outcome = converse::<M>(&mut given, &mut session, &mut joined, started).await;
    let reason = match &outcome {
        Ok(()) => "the client ended the stream".to_owned(),
        Err(status) => status.message().to_owned(),
    };
    if let Some(Joined { client, watch }) = joined {
        given.shared.clients.leave(&client, &reason);
        drop(watch);
    }
    if let Err(status) = outcome {
        let patience = given.shared.options.hello_timeout;
        // To a client that takes nothing it cannot be said.
        let _ = tokio::time::timeout(patience, given.outbound.send(Err(status))).await;
    }
}

async fn converse<M: Messages>(
    given: &mut Given<M>,
    session: &mut Session,
    joined: &mut Option<Joined>,
    started: Instant,
) -> Result<(), Status> {
    let options = given.shared.options.clone();
    let mut permit: Option<OwnedPermit<Result<Reply, Status>>> = None;
    // Since when the client has taken nothing more, and how much it had taken.
    let (mut since, mut taken) = (started, 0);
    let mut sent = 0;
    let mut stop = given.stop.clone();
    loop {
        let now = millis(started);
        if permit.is_some()
            && let Some((fields, resources)) = session.poll(now).and_then(M::response)
        {
            let Some(reply) = Reply::new(&fields, resources) else {
                return Err(Status::resource_exhausted("a response of more than 4 GiB"));
            };
            let counters = &given.shared.clients.counters;
            counters.responses.fetch_add(1, Relaxed);
            let length = u64::try_from(reply.message_length()).unwrap_or(u64::MAX);
            counters.bytes.fetch_add(length, Relaxed);
            if let Some(permit) = permit.take() {
                permit.send(Ok(reply));
                sent += 1;
                since = Instant::now();
            }
        }
        if let Some(Joined { client, .. }) = joined {
            given.shared.clients.update(client, session);
        }
        if given.progress.pieces() != taken {
            (since, taken) = (Instant::now(), given.progress.pieces());
        }
        let busy = given.progress.replies() < sent;
        let patience = busy.then_some(since + options.send_timeout);
        let due = match (&joined, &permit) {
            (None, _) => Some(started + options.hello_timeout),
            (Some(_), None) => None,
            (Some(_), Some(_)) => session.deadline(now).map(|at| started + Duration::from_millis(at)),
        };
        let wake = patience.into_iter().chain(due).min();
        tokio::select! {
            request = given.inbound.message() => {
                let Some(mut request) = request? else { return Ok(()) };
                given.shared.clients.counters.requests.fetch_add(1, Relaxed);
                let node = M::node(&mut request);
                if joined.is_none() {
                    *joined = Some(join::<M>(given, node)?);
                }
                if let Err(refusal) = M::tell(session, request) {
                    return Err(status_of(&refusal));
                }
            }
            published = next_snapshot(joined) => {
                if let Some(published) = published {
                    session.on_snapshot(published);
                }
            }
            got = given.outbound.clone().reserve_owned(), if permit.is_none() => {
                // The client is gone.
                let Ok(got) = got else { return Ok(()) };
                permit = Some(got);
            }
            () = given.outbound.closed() => return Ok(()),
            () = until(wake), if wake.is_some() => {
                let stuck = given.progress.replies() < sent && given.progress.pieces() == taken;
                if stuck && Instant::now() >= since + options.send_timeout {
                    let _ = given.cut.try_send(());
                    return Err(Status::deadline_exceeded("a response was not taken in time"));
                }
                if joined.is_none() && Instant::now() >= started + options.hello_timeout {
                    return Err(Status::deadline_exceeded("no request came"));
                }
            }
            _ = stop.wait_for(|stop| *stop) => return Err(Status::unavailable("the server ends")),
        }
    }
}

fn join<M: Messages>(given: &Given<M>, node: Option<Node>) -> Result<Joined, Status> {
    let clients = &given.shared.clients;
    let denied = |node: Option<&Node>, status: Status| {
        clients.counters.denied.fetch_add(1, Relaxed);
        clients.observer.denied(node, status.message());
        status
    };
    let Some(node) = node else {
        return Err(denied(None, Status::invalid_argument("the first request has to name the node")));
    };
    match given.shared.placement.place(&node, &given.peer) {
        Ok(group) => {
            let watch = given.shared.store.watch(Arc::clone(&group));
            Ok(Joined { client: clients.join(node, group, M::PROTOCOL), watch })
        }
        Err(reason) => Err(denied(Some(&node), Status::permission_denied(reason.to_string()))),
    }
}

async fn next_snapshot(joined: &mut Option<Joined>) -> Option<Arc<crate::snapshot::Published>> {
    match joined {
        Some(joined) => joined.watch.changed().await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn millis(started: Instant) -> Millis {
    Millis::try_from(started.elapsed().as_millis()).unwrap_or(Millis::MAX)
}

fn status_of(refusal: &Refusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        Refusal::NoType | Refusal::NotAType(_) | Refusal::OtherType(_) => Status::invalid_argument(text),
        Refusal::TooManyTypes(_) | Refusal::TooManyNames(_) => Status::resource_exhausted(text),
    }
}

//! How long the server waits for whom: for a client that is slow as long as it takes something, for one that does nothing not for ever.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "support/net.rs"]
mod net;
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use net::*;
use smi_xds::kind::{CLUSTER, LISTENER};
use smi_xds::wire::DeltaDiscoveryRequest;
use smi_xds::{ByNodeId, Limits, Protocol, Resource, ServerOptions, Session, Snapshot};
use support::cluster;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Between a client and the server, with so many bytes towards the client each time.
async fn narrow(server: SocketAddr, bytes: usize, every: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(server).await.unwrap();
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.into_split(), server.into_split());
        tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
        let mut buffer = vec![0; bytes];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            let (piece, _) = buffer.split_at(read);
            if to_client.write_all(piece).await.is_err() {
                break;
            }
            tokio::time::sleep(every).await;
        }
    });
    address
}

#[tokio::test]
async fn a_slow_client_that_takes_a_large_response_is_waited_for() {
    let mut options = ServerOptions::default();
    options.send_timeout = Duration::from_secs(5);
    let running = run_with(ByNodeId::default(), options, None).await;
    let large = Resource::new(CLUSTER, "large", &vec![7; 24 << 20]);
    running.store.set("nodes", Snapshot::new([large, Resource::new(LISTENER, "l", b"l1")]));
    // 3 MB/s: the first response takes longer than the timeout, and the second waits behind it.
    let address = narrow(running.address, 96 << 10, Duration::from_millis(32)).await;
    let mut stream = subscribed(address, "node~slow", CLUSTER).await;
    stream.send(DeltaDiscoveryRequest { type_url: LISTENER.into(), ..Default::default() }).await;
    let sizes = [stream.next().await.unwrap(), stream.next().await.unwrap()]
        .map(|response| response.resources.iter().map(|r| r.len()).sum::<usize>());
    assert!(sizes[0] > 24 << 20 && sizes[1] > 0, "{sizes:?}");
}

#[tokio::test]
async fn a_client_that_stops_in_its_only_response_is_cut_off() {
    let mut options = ServerOptions::default();
    options.send_timeout = Duration::from_secs(1);
    let running = run_with(ByNodeId::default(), options, None).await;
    // More than any window takes.
    running.store.set("nodes", Snapshot::new([Resource::new(CLUSTER, "large", &vec![7; 24 << 20])]));
    let _stream = subscribed(running.address, "node~stuck", CLUSTER).await;
    eventually("it came", || running.server.totals().responses == 1).await;
    eventually("it is cut off", || running.server.clients().is_empty()).await;
}

#[tokio::test]
async fn a_connection_without_streams_is_closed_and_one_with_is_not() {
    let mut options = ServerOptions::default();
    options.hello_timeout = Duration::from_secs(1);
    let running = run_with(ByNodeId::default(), options, None).await;
    running.store.set("nodes", Snapshot::new([cluster("a", "a1")]));
    let mut stream = subscribed(running.address, "node~one", CLUSTER).await;
    stream.next().await.unwrap();
    // Nothing at all, and HTTP/2 (the preface and empty settings) without a stream.
    for hello in [&b""[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(hello).await.unwrap();
        let ended = async {
            let mut buffer = [0; 1024];
            while let Ok(1..) = socket.read(&mut buffer).await {}
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it is closed");
    }
    running.store.edit("nodes", vec![cluster("b", "b1")], &[]);
    stream.next().await.unwrap();
}

#[test]
fn what_a_client_that_takes_nothing_asks_for_is_bounded() {
    let mut limits = Limits::default();
    limits.names = 100;
    let mut session = Session::new(Protocol::Delta, None, limits);
    let ask = |subscribe: &[&str], unsubscribe: Vec<String>| DeltaDiscoveryRequest {
        type_url: CLUSTER.into(),
        resource_names_subscribe: subscribe.iter().map(|n| (*n).to_owned()).collect(),
        resource_names_unsubscribe: unsubscribe,
        ..Default::default()
    };
    session.on_delta(ask(&["*"], Vec::new())).unwrap();
    let outcomes = (0..1000).map(|i| session.on_delta(ask(&[], vec![format!("never-heard-of-{i}")])));
    let accepted = outcomes.take_while(Result::is_ok).count();
    assert_eq!(accepted, 100);
}

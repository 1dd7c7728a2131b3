//! The server over real connections: what clients get, and what bad ones can do to others, which is nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

#[path = "support/net.rs"]
mod net;
mod support;

use std::time::Duration;

use net::*;
use smi_xds::kind::{CLUSTER, LISTENER, SECRET};
use smi_xds::wire::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest};
use smi_xds::{ByNodeId, Limits, Resource, ServerOptions, Snapshot};
use support::{cluster, see, set};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

fn values(response: DeltaDiscoveryResponse) -> std::collections::BTreeSet<String> {
    see(smi_xds::session::Response::Delta(response)).values
}

#[tokio::test]
async fn a_change_reaches_incremental_and_whole_streams() {
    let running = run().await;
    running.store.set("nodes", Snapshot::new([cluster("a", "a1")]));
    let mut delta = subscribed(running.address, "node~one", CLUSTER).await;
    let mut sotw: Sotw = open(channel(running.address).await, SOTW).await.unwrap();
    sotw.send(DiscoveryRequest { node: node("node~two"), type_url: CLUSTER.into(), ..Default::default() })
        .await;
    assert_eq!(values(delta.next().await.unwrap()), set(&["a1"]));
    let first = sotw.next().await.unwrap();
    assert_eq!(first.resources.len(), 1);
    // The node is told once.
    let ack =
        DiscoveryRequest { type_url: CLUSTER.into(), response_nonce: first.nonce, ..Default::default() };
    sotw.send(ack).await;
    running.store.edit("nodes", vec![cluster("b", "b1")], &[]);
    assert_eq!(values(delta.next().await.unwrap()), set(&["b1"]));
    assert_eq!(sotw.next().await.unwrap().resources.len(), 2);
    let totals = running.server.totals();
    assert_eq!((totals.streams, totals.responses), (2, 4));
}

#[tokio::test]
async fn the_service_of_one_type_needs_no_type_and_refuses_another() {
    let running = run().await;
    running.store.set("nodes", Snapshot::new([Resource::new(SECRET, "s", b"secret")]));
    let path = "/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets";
    let mut stream: Delta = open(channel(running.address).await, path).await.unwrap();
    stream.send(DeltaDiscoveryRequest { node: node("node~one"), ..Default::default() }).await;
    assert_eq!(values(stream.next().await.unwrap()), set(&["secret"]));
    stream.send(DeltaDiscoveryRequest { type_url: CLUSTER.into(), ..Default::default() }).await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn groups_are_apart_and_a_node_without_snapshot_waits() {
    let running = run().await;
    running.store.set("sidecar~shop~a", Snapshot::new([Resource::new(SECRET, "s", b"of a")]));
    let mut a = subscribed(running.address, "sidecar~shop~a", SECRET).await;
    let mut b = subscribed(running.address, "sidecar~shop~b", SECRET).await;
    assert_eq!(values(a.next().await.unwrap()), set(&["of a"]));
    eventually("b is known", || running.store.demanded().contains_key("sidecar~shop~b")).await;
    running.store.set("sidecar~shop~b", Snapshot::new([Resource::new(SECRET, "s", b"of b")]));
    assert_eq!(values(b.next().await.unwrap()), set(&["of b"]));
}

#[tokio::test]
async fn a_disconnect_clears() {
    let running = run().await;
    let stream = subscribed(running.address, "sidecar~shop~gone", CLUSTER).await;
    eventually("it is known", || running.server.clients().len() == 1).await;
    let status = running.server.clients().remove(0);
    assert_eq!(&*status.client.group, "sidecar~shop~gone");
    drop(stream);
    eventually("it is forgotten", || {
        running.server.clients().is_empty() && running.store.demanded().is_empty()
    })
    .await;
    assert!(running.store.get("sidecar~shop~gone").is_none());
}

#[tokio::test]
async fn faulty_openings_are_refused_with_a_reason() {
    let running = run().await;
    running.store.set("nodes", Snapshot::new([cluster("a", "a1")]));
    for (request, code) in [
        (DeltaDiscoveryRequest { type_url: CLUSTER.into(), ..Default::default() }, Code::InvalidArgument),
        (DeltaDiscoveryRequest { node: node("node~one"), ..Default::default() }, Code::InvalidArgument),
        (
            DeltaDiscoveryRequest { node: node("node~one"), type_url: "x".into(), ..Default::default() },
            Code::InvalidArgument,
        ),
        (
            DeltaDiscoveryRequest { node: node("sidecar~"), type_url: CLUSTER.into(), ..Default::default() },
            Code::PermissionDenied,
        ),
        (
            DeltaDiscoveryRequest { node: node(""), type_url: CLUSTER.into(), ..Default::default() },
            Code::PermissionDenied,
        ),
        (
            DeltaDiscoveryRequest {
                node: node(&"n".repeat(10_000)),
                type_url: CLUSTER.into(),
                ..Default::default()
            },
            Code::PermissionDenied,
        ),
    ] {
        let mut stream: Delta = open(channel(running.address).await, DELTA).await.unwrap();
        stream.send(request).await;
        assert_eq!(stream.next().await.unwrap_err().code(), code);
    }
    let unknown: Result<Delta, _> =
        open(channel(running.address).await, "/envoy.service.discovery.v3.Nothing/Here").await;
    assert_eq!(unknown.err().map(|s| s.code()), Some(Code::Unimplemented));
}

#[tokio::test]
async fn a_client_that_takes_nothing_delays_nobody_and_is_cut_off() {
    let mut options = ServerOptions::default();
    options.send_timeout = Duration::from_secs(2);
    let running = run_with(ByNodeId::default(), options, None).await;
    // More than any window takes.
    let big = |v: u8| Resource::new(CLUSTER, "big", &vec![v; 1 << 20]);
    running.store.set("nodes", Snapshot::new([big(0), cluster("a", "0")]));
    let mut slow = subscribed(running.address, "node~slow", CLUSTER).await;
    let mut quick = subscribed(running.address, "node~quick", CLUSTER).await;
    slow.next().await.unwrap();
    quick.next().await.unwrap();
    for i in 1..20_u8 {
        running.store.edit("nodes", vec![big(i), cluster("a", &i.to_string())], &[]);
        let response = quick.next().await.unwrap();
        assert!(values(response).contains(&i.to_string()));
    }
    eventually("the slow one is cut off", || running.server.clients().len() == 1).await;
    assert_eq!(running.server.clients()[0].client.node.id, "node~quick");
}

#[tokio::test]
async fn nonsense_on_one_connection_is_nobody_elses_affair() {
    let mut options = ServerOptions::default();
    options.max_request = 1 << 20;
    options.hello_timeout = Duration::from_secs(2);
    let running = run_with(ByNodeId::default(), options, None).await;
    running.store.set("nodes", Snapshot::new([cluster("a", "a1")]));
    let mut good = subscribed(running.address, "node~good", CLUSTER).await;
    good.next().await.unwrap();

    // Not HTTP/2 at all, half a preface, frames of noise.
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n", &[0xff; 4096]] {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut rest))
            .await
            .expect("closed");
    }
    let mut noisy = TcpStream::connect(running.address).await.unwrap();
    noisy.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut seed = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed.to_be_bytes()[0]
    })
    .take(65_536)
    .collect();
    let _ = noisy.write_all(&noise).await;

    // A message that is no protobuf, and one that is too large.
    let mut garbage: Stream<smi_xds::wire::Any, DeltaDiscoveryResponse> =
        open(channel(running.address).await, DELTA).await.unwrap();
    garbage.send(smi_xds::wire::Any { type_url: "\u{0}".into(), value: vec![0xff; 10].into() }).await;
    assert!(garbage.next().await.is_err());
    let mut huge = subscribed(running.address, "node~huge", CLUSTER).await;
    huge.next().await.unwrap();
    let names = vec!["x".repeat(2 << 20)];
    huge.send(DeltaDiscoveryRequest {
        type_url: CLUSTER.into(),
        resource_names_subscribe: names,
        ..Default::default()
    })
    .await;
    assert_eq!(huge.next().await.unwrap_err().code(), Code::OutOfRange);

    // A stream that ends its half, and one that says nothing.
    let mut half = subscribed(running.address, "node~half", CLUSTER).await;
    half.requests = None;
    while half.next().await.is_ok() {}
    let mut silent: Delta = open(channel(running.address).await, DELTA).await.unwrap();
    assert_eq!(silent.next().await.unwrap_err().code(), Code::DeadlineExceeded);

    running.store.edit("nodes", vec![cluster("a", "a2")], &[]);
    assert_eq!(values(good.next().await.unwrap()), set(&["a2"]));
    eventually("only the good one is left", || running.server.clients().len() == 1).await;
}

#[tokio::test]
async fn a_thousand_subscriptions_to_nothing_and_a_flood_of_wrong_nonces_change_nothing_for_others() {
    let running = run().await;
    running.store.set("nodes", Snapshot::new([cluster("a", "a1")]));
    let mut good = subscribed(running.address, "node~good", LISTENER).await;
    good.next().await.unwrap();
    let mut bad = subscribed(running.address, "node~bad", CLUSTER).await;
    bad.next().await.unwrap();
    for i in 0..1000 {
        bad.send(DeltaDiscoveryRequest {
            type_url: CLUSTER.into(),
            resource_names_subscribe: vec![format!("nothing-{i}")],
            response_nonce: format!("{}", i * 7919),
            ..Default::default()
        })
        .await;
    }
    running.store.edit("nodes", vec![Resource::new(LISTENER, "l", b"l1")], &[]);
    assert_eq!(values(good.next().await.unwrap()), set(&["l1"]));
}

#[tokio::test]
async fn too_many_names_end_the_stream() {
    let mut options = ServerOptions::default();
    options.limits = {
        let mut limits = Limits::default();
        limits.names = 10;
        limits
    };
    let running = run_with(ByNodeId::default(), options, None).await;
    let mut stream = subscribed(running.address, "node~one", CLUSTER).await;
    let names = (0..11).map(|i| i.to_string()).collect();
    stream
        .send(DeltaDiscoveryRequest {
            type_url: CLUSTER.into(),
            resource_names_subscribe: names,
            ..Default::default()
        })
        .await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn the_end_of_the_server_is_told_to_its_streams() {
    let running = run().await;
    running.store.set("nodes", Snapshot::new([cluster("a", "a1")]));
    let mut stream = subscribed(running.address, "node~one", CLUSTER).await;
    stream.next().await.unwrap();
    running.stop.send(true).unwrap();
    assert_eq!(stream.next().await.unwrap_err().code(), Code::Unavailable);
    tokio::time::timeout(Duration::from_secs(20), running.task).await.expect("it ends").unwrap();
}

//! Our messages against those of `envoy-types`, in both directions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::service::discovery::v3 as theirs;
use envoy_types::pb::google::protobuf as pb;
use envoy_types::pb::google::rpc;
use prost::Message;
use smi_xds::kind::CLUSTER;
use smi_xds::{Resource, wire};

fn through<A: Message, B: Message + Default>(message: &A) -> B {
    B::decode(message.encode_to_vec().as_slice()).unwrap()
}

#[test]
fn requests_are_read_as_they_are_written() {
    let node = core::Node { id: "sidecar~shop~cart".into(), cluster: "c".into(), ..Default::default() };
    let error = rpc::Status { code: 13, message: "no".into(), ..Default::default() };
    let sotw = theirs::DiscoveryRequest {
        version_info: "v".into(),
        node: Some(node.clone()),
        resource_names: vec!["a".into(), "b".into()],
        type_url: CLUSTER.into(),
        response_nonce: "7".into(),
        error_detail: Some(error.clone()),
        ..Default::default()
    };
    let ours: wire::DiscoveryRequest = through(&sotw);
    let ours_node = wire::Node { id: "sidecar~shop~cart".into(), cluster: "c".into() };
    let ours_error = wire::RpcStatus { code: 13, message: "no".into() };
    assert_eq!(
        ours,
        wire::DiscoveryRequest {
            version_info: "v".into(),
            node: Some(ours_node.clone()),
            resource_names: vec!["a".into(), "b".into()],
            type_url: CLUSTER.into(),
            response_nonce: "7".into(),
            error_detail: Some(ours_error.clone()),
        }
    );
    assert_eq!(through::<_, theirs::DiscoveryRequest>(&ours), sotw);
    let delta = theirs::DeltaDiscoveryRequest {
        node: Some(node),
        type_url: CLUSTER.into(),
        resource_names_subscribe: vec!["a".into()],
        resource_names_unsubscribe: vec!["b".into()],
        initial_resource_versions: HashMap::from([("a".into(), "1".into()), ("c".into(), "2".into())]),
        response_nonce: "7".into(),
        error_detail: Some(error),
        ..Default::default()
    };
    let ours: wire::DeltaDiscoveryRequest = through(&delta);
    assert_eq!(
        ours,
        wire::DeltaDiscoveryRequest {
            node: Some(ours_node),
            type_url: CLUSTER.into(),
            resource_names_subscribe: vec!["a".into()],
            resource_names_unsubscribe: vec!["b".into()],
            initial_resource_versions: BTreeMap::from([("a".into(), "1".into()), ("c".into(), "2".into())]),
            response_nonce: "7".into(),
            error_detail: Some(ours_error),
        }
    );
    assert_eq!(through::<_, theirs::DeltaDiscoveryRequest>(&ours), delta);
}

#[test]
fn responses_hold_the_encoded_resources() {
    let value = b"\x0a\x01a".as_slice();
    for (name, value) in
        [("a", value), ("", value), ("a", &[][..]), ("n".repeat(300).as_str(), &vec![1_u8; 70_000][..])]
    {
        let resource = Resource::new(CLUSTER, name, value);
        assert_eq!(resource.value(), Bytes::copy_from_slice(value));
        let any = pb::Any { type_url: CLUSTER.into(), value: value.to_vec() };
        let sotw = wire::DiscoveryResponse {
            version_info: "v".into(),
            resources: vec![resource.any(), resource.any()],
            type_url: CLUSTER.into(),
            nonce: "7".into(),
        };
        let read: theirs::DiscoveryResponse = through(&sotw);
        assert_eq!(
            read,
            theirs::DiscoveryResponse {
                version_info: "v".into(),
                resources: vec![any.clone(), any.clone()],
                type_url: CLUSTER.into(),
                nonce: "7".into(),
                ..Default::default()
            }
        );
        let delta = wire::DeltaDiscoveryResponse {
            system_version_info: "v".into(),
            resources: vec![resource.delta()],
            type_url: CLUSTER.into(),
            nonce: "7".into(),
            removed_resources: vec!["gone".into()],
        };
        let read: theirs::DeltaDiscoveryResponse = through(&delta);
        let expected = theirs::Resource {
            name: name.into(),
            version: resource.version().to_string(),
            resource: Some(any),
            ..Default::default()
        };
        assert_eq!(
            read,
            theirs::DeltaDiscoveryResponse {
                system_version_info: "v".into(),
                resources: vec![expected],
                type_url: CLUSTER.into(),
                nonce: "7".into(),
                removed_resources: vec!["gone".into()],
                ..Default::default()
            }
        );
        let own: wire::DeltaResource = through(&read.resources[0]);
        assert_eq!(own.name, name);
    }
}

#[test]
fn versions_depend_on_type_name_and_content_and_on_nothing_else() {
    let version = |t: &str, n: &str, v: &[u8]| Resource::new(t, n, v).version().to_string();
    assert_eq!(version(CLUSTER, "a", b"b"), version(CLUSTER, "a", b"b"));
    // Pinned: replicas of different builds have to agree.
    assert_eq!(version(CLUSTER, "a", b"b"), PINNED);
    let all = [
        version(CLUSTER, "a", b"b"),
        version(CLUSTER, "ab", b""),
        version(CLUSTER, "", b"ab"),
        version("x/y", "a", b"b"),
    ];
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
}

const PINNED: &str = "030c5c98f5469f74e4272099ff01e6b1";

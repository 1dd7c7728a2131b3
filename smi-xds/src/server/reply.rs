//! Responses on the wire. Their resources are those that all streams share, and are copied piece by piece as the client takes them: what
//! a stream holds of a response is a list of references, however large the snapshot is.
//!
//! (`tonic` encodes a message as a whole, into a buffer that the stream keeps: one the size of its largest response.)

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame};
use prost::Message;
use tokio::sync::mpsc;
use tonic::{Code, Status};

/// About as much is given to the connection at a time.
const PIECE: usize = 64 << 10;

/// Field 2 of both responses, `repeated bytes` on the wire.
const RESOURCES: u8 = 2 << 3 | 2;

/// A message of gRPC on its way: its fields, then its resources.
pub(super) struct Reply {
    /// Flag, length and the other fields; empty when they are sent.
    head: Bytes,
    resources: std::vec::IntoIter<Bytes>,
    /// What is left of a resource of many pieces, which are parts of it and no copies.
    large: Option<Bytes>,
    left: usize,
}

impl Reply {
    /// The response with these fields, and these resources, which are not among them. `None`: gRPC has no messages that long.
    pub(super) fn new(fields: &impl Message, resources: Vec<Bytes>) -> Option<Self> {
        let message = fields.encoded_len() + resources.iter().map(field_length).sum::<usize>();
        let mut head = BytesMut::with_capacity(HEADER + fields.encoded_len());
        head.put_u8(0);
        head.put_u32(u32::try_from(message).ok()?);
        fields.encode(&mut head).ok()?;
        let resources = resources.into_iter();
        Some(Self { head: head.freeze(), resources, large: None, left: HEADER + message })
    }

    /// Bytes of the message.
    pub(super) fn message_length(&self) -> usize {
        self.left.saturating_sub(HEADER)
    }

    /// The next piece, until there is none.
    fn piece(&mut self) -> Option<Bytes> {
        let piece = match &mut self.large {
            Some(large) if large.len() > PIECE => large.split_to(PIECE),
            Some(_) => self.large.take().unwrap_or_default(),
            None => self.gathered(),
        };
        self.left = self.left.saturating_sub(piece.len());
        (!piece.is_empty()).then_some(piece)
    }

    fn gathered(&mut self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.left.min(2 * PIECE));
        out.put(std::mem::take(&mut self.head));
        while out.len() < PIECE
            && let Some(resource) = self.resources.next()
        {
            out.put_u8(RESOURCES);
            // There is room: the buffer grows.
            let _ = prost::encode_length_delimiter(resource.len(), &mut out);
            if resource.len() > PIECE {
                self.large = Some(resource);
                break;
            }
            out.put(resource);
        }
        out.freeze()
    }
}

/// Flag and length before a message.
const HEADER: usize = 5;

fn field_length(resource: &Bytes) -> usize {
    1 + prost::length_delimiter_len(resource.len()) + resource.len()
}

/// How far a client has taken its responses, for whoever waits for it.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Taken>);

#[derive(Default)]
struct Taken {
    pieces: AtomicU64,
    replies: AtomicU64,
}

impl Progress {
    /// Pieces that the connection took so far; it takes more as the client does.
    pub(super) fn pieces(&self) -> u64 {
        self.0.pieces.load(Relaxed)
    }

    /// Responses of which it took all.
    pub(super) fn replies(&self) -> u64 {
        self.0.replies.load(Relaxed)
    }
}

/// The responses of a stream, as the body of HTTP: the last frame says how it ended.
pub(super) struct Replies {
    replies: mpsc::Receiver<Result<Reply, Status>>,
    sending: Option<Reply>,
    progress: Progress,
    ended: bool,
}

impl Replies {
    pub(super) fn new(replies: mpsc::Receiver<Result<Reply, Status>>, progress: Progress) -> Self {
        Self { replies, sending: None, progress, ended: false }
    }
}

impl Body for Replies {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if let Some(piece) = self.sending.as_mut().and_then(Reply::piece) {
                self.progress.0.pieces.fetch_add(1, Relaxed);
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if self.sending.take().is_some() {
                self.progress.0.replies.fetch_add(1, Relaxed);
            }
            match ready!(self.replies.poll_recv(context)) {
                Some(Ok(reply)) => self.sending = Some(reply),
                end => {
                    self.ended = true;
                    let status = end.and_then(Result::err).unwrap_or_else(|| Status::ok(""));
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))));
                }
            }
        }
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if status.add_header(&mut headers).is_err() {
        // Its text cannot be written in a header.
        headers.clear();
        let code = if status.code() == Code::Ok { Code::Unknown } else { status.code() };
        let _ = Status::new(code, "").add_header(&mut headers);
    }
    headers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{DeltaDiscoveryResponse, DiscoveryResponse};

    fn sent(mut reply: Reply) -> (Vec<Bytes>, Vec<u8>) {
        let pieces: Vec<Bytes> = std::iter::from_fn(|| reply.piece()).collect();
        let all = pieces.concat();
        (pieces, all)
    }

    fn resources() -> impl Strategy<Value = Vec<Bytes>> {
        let length =
            prop_oneof![4 => 0..200_usize, 1 => PIECE - 3..PIECE + 3, 1 => 2 * PIECE - 3..2 * PIECE + 3];
        let resource = (length, any::<u8>()).prop_map(|(length, byte)| Bytes::from(vec![byte; length]));
        prop::collection::vec(resource, 0..20)
    }

    proptest! {
        #[test]
        fn is_what_prost_encodes(resources in resources(), nonce in "[a-z0-9]{0,8}") {
            let fields = DeltaDiscoveryResponse {
                nonce: nonce.clone(),
                type_url: "type.googleapis.com/envoy.config.cluster.v3.Cluster".into(),
                removed_resources: vec!["gone".into()],
                ..DeltaDiscoveryResponse::default()
            };
            let whole = DeltaDiscoveryResponse { resources: resources.clone(), ..fields.clone() };
            let reply = Reply::new(&fields, resources.clone()).unwrap();
            prop_assert_eq!(reply.message_length(), whole.encoded_len());
            let (pieces, all) = sent(reply);
            prop_assert!(pieces.iter().all(|piece| piece.len() < 2 * PIECE + 20));
            let (header, message) = all.split_at(HEADER);
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            prop_assert_eq!(header, [&[0][..], &length].concat());
            prop_assert_eq!(DeltaDiscoveryResponse::decode(message).unwrap(), whole);

            let fields = DiscoveryResponse { nonce, ..DiscoveryResponse::default() };
            let whole = DiscoveryResponse { resources: resources.clone(), ..fields.clone() };
            let (_, all) = sent(Reply::new(&fields, resources).unwrap());
            prop_assert_eq!(DiscoveryResponse::decode(all.split_at(HEADER).1).unwrap(), whole);
        }
    }

    #[test]
    fn an_empty_message_is_sent_too() {
        let (pieces, all) = sent(Reply::new(&DiscoveryResponse::default(), Vec::new()).unwrap());
        assert_eq!((pieces.len(), all), (1, vec![0; HEADER]));
    }

    #[test]
    fn a_text_that_no_header_holds_keeps_its_code() {
        assert_eq!(trailers(&Status::ok("")).get("grpc-status").unwrap(), "0");
        let refused = trailers(&Status::permission_denied("who is\nthat? 🦀"));
        assert_eq!(refused.get("grpc-status").unwrap(), "7");
    }
}

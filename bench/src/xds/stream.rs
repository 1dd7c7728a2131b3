//! A stream without sockets: a state machine whose client accepts what it gets.

use std::sync::Arc;

use prost::Message as _;
use smi_xds::kind::{CLUSTER, ENDPOINT};
use smi_xds::session::Response;
use smi_xds::wire::{DeltaDiscoveryRequest, DiscoveryRequest};
use smi_xds::{Protocol, Published, Session};

/// A stream, and the names its client asks for.
pub(super) struct Stream {
    pub(super) session: Session,
    pub(super) names: Vec<String>,
}

impl Stream {
    pub(super) fn open(protocol: Protocol, published: &Arc<Published>) -> anyhow::Result<Self> {
        let names = published.snapshot().set(ENDPOINT).into_iter().flat_map(smi_xds::Set::names);
        let names: Vec<String> = names.map(ToString::to_string).collect();
        let mut stream = Self { session: Session::new(protocol, None, smi_xds::Limits::default()), names };
        stream.session.on_snapshot(Arc::clone(published));
        stream.ask(CLUSTER, "")?;
        stream.ask(ENDPOINT, "")?;
        stream.drain()?;
        Ok(stream)
    }

    fn ask(&mut self, kind: &str, nonce: &str) -> anyhow::Result<()> {
        // State of the world repeats them with every request.
        let repeated = nonce.is_empty() || self.session.protocol() == Protocol::Sotw;
        let names = if kind == ENDPOINT && repeated { self.names.clone() } else { Vec::new() };
        match self.session.protocol() {
            Protocol::Sotw => self.session.on_sotw(DiscoveryRequest {
                type_url: kind.into(),
                resource_names: names,
                response_nonce: nonce.into(),
                ..DiscoveryRequest::default()
            })?,
            Protocol::Delta => self.session.on_delta(DeltaDiscoveryRequest {
                type_url: kind.into(),
                resource_names_subscribe: names,
                response_nonce: nonce.into(),
                ..DeltaDiscoveryRequest::default()
            })?,
        }
        Ok(())
    }

    /// Takes and accepts everything; bytes of the responses.
    pub(super) fn drain(&mut self) -> anyhow::Result<usize> {
        let mut bytes = 0;
        while let Some(response) = self.session.poll(0) {
            let (kind, nonce, encoded) = match response {
                Response::Sotw(r) => (r.type_url.clone(), r.nonce.clone(), r.encode_to_vec()),
                Response::Delta(r) => (r.type_url.clone(), r.nonce.clone(), r.encode_to_vec()),
            };
            bytes += encoded.len();
            self.ask(&kind, &nonce)?;
        }
        self.session.take_events();
        Ok(bytes)
    }
}

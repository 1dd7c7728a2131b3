//! Somebody who calls a pod's sidecar by himself.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use smi_core::eval::Payload;

use crate::loopback::client::{self, request_text};
use crate::observe::Observation;

/// How long an answer may take.
const WAIT: Duration = Duration::from_secs(5);
/// How long a server may take to speak first.
const BANNER: Duration = Duration::from_millis(500);

/// Calls a sidecar: over TLS with this configuration and server name, or in clear.
///
/// # Errors
/// When the caller has no socket.
pub(super) fn call(
    from: IpAddr,
    to: SocketAddr,
    tls: Option<(Arc<ClientConfig>, String)>,
    payload: &Payload,
    ask: bool,
) -> anyhow::Result<Observation> {
    let stream = match client::connect(from, to) {
        Ok(stream) => stream,
        Err(fault) if fault.kind() == ErrorKind::ConnectionRefused => return Ok(Observation::Closed),
        Err(fault) => return Err(fault.into()),
    };
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_nodelay(true)?;
    match tls {
        Some((config, name)) => {
            let connection = ClientConnection::new(config, ServerName::try_from(name)?)?;
            speak(StreamOwned::new(connection, stream), payload, ask)
        }
        None => {
            stream.set_read_timeout(Some(BANNER))?;
            match speak(&stream, payload, ask)? {
                // A listener waits for a first byte to see whether it is TLS. Nothing came until then.
                Observation::Silence => {
                    stream.set_read_timeout(Some(WAIT))?;
                    let _ = (&stream).write_all(b"whoami\n");
                    client::greeted(&stream)
                }
                other => Ok(other),
            }
        }
    }
}

fn speak(mut stream: impl Read + Write, payload: &Payload, ask: bool) -> anyhow::Result<Observation> {
    let text = match payload {
        Payload::Http(http) => request_text(http),
        Payload::Tcp { .. } | Payload::Udp { .. } if ask => "whoami\n".to_owned(),
        Payload::Tcp { .. } | Payload::Udp { .. } => String::new(),
    };
    // A refused connection may be closed already, which reading tells.
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    match payload {
        Payload::Http(http) => client::observed(stream, &http.method),
        Payload::Tcp { .. } | Payload::Udp { .. } => client::greeted(stream),
    }
}

/// Whoever the server is. Only for somebody who has nothing to lose by it.
#[derive(Debug)]
pub(super) struct AnyServer(pub(super) Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

//! Certificates of workloads: where they come from, and how they reach proxies as secrets (SDS).
//!
//! Shape: an [`IdentitySource`] gives the newest certificate of a SPIFFE ID and what to trust; [`secrets`] makes resources of them.
//! Invariant: a proxy is given its own identity and no other. Keys never show in `Debug` output.
//!
//! - `files`: certificates that others write · `dev`: an issuer for development · `tls`: a server that knows its clients by certificate

mod dev;
mod files;
mod tls;

use std::fmt;
use std::sync::Arc;

use prost::Message as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, crypto};
use tokio::sync::watch;

use crate::kind::SECRET;
use crate::resource::Resource;

pub use dev::DevIssuer;
pub use files::FileSource;

/// Certificate and key of one workload, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its certificate, then those between it and a trusted one.
    pub chain: Arc<str>,
    /// Its key.
    pub key: Arc<str>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// What to trust for one trust domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The domain: `cluster.local`.
    pub domain: Arc<str>,
    /// Certificates of its authorities, PEM. Several while they rotate.
    pub authorities: Arc<str>,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// There is none of this name.
    #[error("no certificate of `{0}`")]
    Unknown(String),
    /// It cannot be used.
    #[error("{what}: {why}")]
    Unusable {
        /// Which file or certificate.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

impl IdentityError {
    fn unusable(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::Unusable { what: what.to_string(), why: why.to_string() }
    }
}

/// Where certificates come from.
pub trait IdentitySource: Send + Sync + 'static {
    /// The newest certificate of a SPIFFE ID.
    ///
    /// # Errors
    /// When there is none.
    fn identity(&self, spiffe_id: &str) -> Result<Identity, IdentityError>;

    /// What to trust, by domain.
    fn trust(&self) -> Vec<Trust>;

    /// Changes whenever certificates or trust do.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// The secrets of one proxy: its certificate under its SPIFFE ID, and the authorities of each trust domain under `spiffe://DOMAIN`.
///
/// # Errors
/// When there is no certificate of this ID.
pub fn secrets(source: &dyn IdentitySource, spiffe_id: &str) -> Result<Vec<Resource>, IdentityError> {
    let Identity { chain, key } = source.identity(spiffe_id)?;
    let certificate = TlsCertificate { certificate_chain: inline(&chain), private_key: inline(&key) };
    let own =
        Secret { name: spiffe_id.to_owned(), tls_certificate: Some(certificate), validation_context: None };
    let mut all = vec![Resource::new(SECRET, spiffe_id, &own.encode_to_vec())];
    for Trust { domain, authorities } in source.trust() {
        let name = format!("spiffe://{domain}");
        let context = ValidationContext { trusted_ca: inline(&authorities) };
        let secret = Secret { name: name.clone(), tls_certificate: None, validation_context: Some(context) };
        all.push(Resource::new(SECRET, name, &secret.encode_to_vec()));
    }
    Ok(all)
}

fn inline(text: &str) -> Option<DataSource> {
    Some(DataSource { inline_string: text.to_owned() })
}

/// The URI names of a certificate.
pub(crate) fn uri_names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, webpki::Error> {
    Ok(webpki::EndEntityCert::try_from(certificate)?.valid_uri_names().map(str::to_owned).collect())
}

fn certificates(what: impl fmt::Display, pem: &str) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let read = read.map_err(|e| IdentityError::unusable(&what, e))?;
    if read.is_empty() { Err(IdentityError::unusable(what, "no certificate in it")) } else { Ok(read) }
}

fn roots(what: impl fmt::Display, pem: &str) -> Result<Arc<RootCertStore>, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&what, pem)? {
        roots.add(certificate).map_err(|e| IdentityError::unusable(&what, e))?;
    }
    Ok(Arc::new(roots))
}

fn provider() -> Arc<crypto::CryptoProvider> {
    Arc::new(crypto::ring::default_provider())
}

/// Key and chain as TLS uses them; fails unless they belong together.
fn certified(what: impl fmt::Display, identity: &Identity) -> Result<CertifiedKey, IdentityError> {
    let chain = certificates(&what, &identity.chain)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())
        .map_err(|e| IdentityError::unusable(&what, format_args!("its key: {e}")))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|e| IdentityError::unusable(&what, e))
}

/// Whether key and chain belong together, are valid now, come from an authority, and are of this SPIFFE ID and nothing else.
fn check(identity: &Identity, spiffe_id: &str, authorities: &str) -> Result<(), IdentityError> {
    let certified = certified(spiffe_id, identity)?;
    let (own, between) =
        certified.cert.split_first().ok_or_else(|| IdentityError::unusable(spiffe_id, "no certificate"))?;
    // The same as of a peer's: one with several URIs speaks for nobody, and nobody would take it.
    match uri_names(own).map_err(|e| IdentityError::unusable(spiffe_id, e))?.as_slice() {
        [name] if name == spiffe_id => {}
        [_, _, ..] => {
            let why = "the certificate has several URIs, so it speaks for nobody; it needs exactly one";
            return Err(IdentityError::unusable(spiffe_id, why));
        }
        names => {
            return Err(IdentityError::unusable(spiffe_id, format_args!("the certificate is of {names:?}")));
        }
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots("authorities", authorities)?, provider())
            .build()
            .map_err(|e| IdentityError::unusable("authorities", e))?;
    verifier
        .verify_client_cert(own, between, UnixTime::now())
        .map_err(|e| IdentityError::unusable(spiffe_id, e))?;
    Ok(())
}

/// `envoy.extensions.transport_sockets.tls.v3.Secret`, the two kinds that we serve.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Secret {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    tls_certificate: Option<TlsCertificate>,
    #[prost(message, optional, tag = "4")]
    validation_context: Option<ValidationContext>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct TlsCertificate {
    #[prost(message, optional, tag = "1")]
    certificate_chain: Option<DataSource>,
    #[prost(message, optional, tag = "2")]
    private_key: Option<DataSource>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct ValidationContext {
    #[prost(message, optional, tag = "1")]
    trusted_ca: Option<DataSource>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct DataSource {
    #[prost(string, tag = "3")]
    inline_string: String,
}

#[cfg(test)]
mod tests;

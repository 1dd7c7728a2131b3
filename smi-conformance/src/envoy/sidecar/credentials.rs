//! Certificates of pods, and of those who would like to be taken for one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rcgen::{CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use smi_envoy::Certificates;
use smi_xds::identity::{DevIssuer, Identity, IdentitySource as _};

use super::{ALPN, OTHER, in_domain};
use crate::call::Way;

const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Authorities: the mesh's own, another one that claims the same domain, and that of another domain.
pub(super) struct Credentials {
    pub(super) own: DevIssuer,
    same: DevIssuer,
    other: DevIssuer,
    folder: PathBuf,
    provider: Arc<CryptoProvider>,
    /// What was read once, by way and identity.
    clients: Mutex<BTreeMap<(Way, String), Arc<ClientConfig>>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Credentials {
    pub(super) fn new(domain: &str, folder: PathBuf) -> anyhow::Result<Self> {
        Ok(Self {
            own: DevIssuer::new(domain, LIFETIME)?,
            same: DevIssuer::new(domain, LIFETIME)?,
            other: DevIssuer::new(OTHER, LIFETIME)?,
            folder,
            provider: Arc::new(ring::default_provider()),
            clients: Mutex::default(),
        })
    }

    /// Files of a pod's certificate.
    pub(super) fn files(&self, identity: &str) -> anyhow::Result<Certificates> {
        let Identity { chain, key } = self.own.identity(identity)?;
        let trust = self.own.trust().first().map(|t| Arc::clone(&t.authorities)).unwrap_or_default();
        let name: String =
            identity.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let file = |end: &str, text: &str| -> anyhow::Result<String> {
            let path = self.folder.join(format!("{name}.{end}"));
            if !path.exists() {
                std::fs::write(&path, text)?;
            }
            Ok(path.to_str().context("the folder's name is text")?.to_owned())
        };
        Ok(Certificates::Files {
            certificate: file("crt", &chain)?,
            key: file("key", &key)?,
            trust: file("ca", &trust)?,
        })
    }

    /// How somebody opens TLS who presents himself in this way as this identity.
    pub(super) fn client(&self, way: Way, identity: &str) -> anyhow::Result<Arc<ClientConfig>> {
        let key = (way, identity.to_owned());
        let mut known = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = known.get(&key) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.config(way, identity)?);
        known.insert(key, Arc::clone(&config));
        Ok(config)
    }

    fn config(&self, way: Way, identity: &str) -> anyhow::Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(super::client::AnyServer(Arc::clone(&self.provider))));
        let mut config = match self.certificate(way, identity)? {
            Some(Identity { chain, key }) => {
                let chain: Result<Vec<CertificateDer<'static>>, _> =
                    CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
                builder.with_client_auth_cert(chain?, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?
            }
            None => builder.with_no_client_auth(),
        };
        if way != Way::NoProtocol {
            config.alpn_protocols = vec![ALPN.as_bytes().to_vec()];
        }
        config.enable_sni = way != Way::NoName;
        Ok(config)
    }

    fn certificate(&self, way: Way, identity: &str) -> anyhow::Result<Option<Identity>> {
        Ok(match way {
            Way::Clear | Way::NoCertificate => None,
            Way::OtherAuthority => Some(self.same.identity(identity)?),
            Way::OtherDomain => Some(self.other.identity(&in_domain(identity, OTHER))?),
            Way::SignedByItself => Some(self.signed_by_itself(identity)?),
            // Each domain's certificates are by its own authority.
            Way::Certificate | Way::NoProtocol | Way::OtherPort | Way::NoName => {
                let own = self.own.identity(identity);
                Some(match own {
                    Ok(found) => found,
                    Err(_) => self.other.identity(identity)?,
                })
            }
        })
    }

    /// A certificate of this identity, signed by a pod's certificate that is no authority's.
    fn signed_by_itself(&self, identity: &str) -> anyhow::Result<Identity> {
        let thief = self.own.identity(&in_domain("spiffe://x/ns/thief/sa/thief", &self.domain()))?;
        // A DevIssuer's certificates have an empty subject.
        let mut signer = CertificateParams::new(Vec::new())?;
        signer.distinguished_name = DistinguishedName::new();
        let issuer = Issuer::new(signer, KeyPair::from_pem(&thief.key)?);
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(identity.try_into()?)];
        params.is_ca = IsCa::NoCa;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let forged = params.signed_by(&key, &issuer)?;
        Ok(Identity { chain: (forged.pem() + &thief.chain).into(), key: key.serialize_pem().into() })
    }

    fn domain(&self) -> String {
        self.own.trust().first().map(|t| t.domain.to_string()).unwrap_or_default()
    }
}

//! A server that knows its clients by certificate, with certificates that change while it runs.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;

use super::{IdentityError, IdentitySource, certified, provider, roots};
use crate::server::Tls;

impl Tls {
    /// Serves as `spiffe_id`, to clients whose certificates come from the authorities of its trust domain. New connections use the newest
    /// certificates of the source; if these cannot be used, those before.
    ///
    /// # Errors
    /// When there are no usable ones to begin with.
    pub fn mutual(source: Arc<dyn IdentitySource>, spiffe_id: &str) -> Result<Self, IdentityError> {
        let spiffe_id = spiffe_id.to_owned();
        let changes = source.changes();
        let seen = *changes.borrow();
        let current = Mutex::new((seen, config(&*source, &spiffe_id)?));
        Ok(Self::changing(move || {
            let newest = *changes.borrow();
            let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
            if current.0 != newest
                && let Ok(config) = config(&*source, &spiffe_id)
            {
                *current = (newest, config);
            }
            Arc::clone(&current.1)
        }))
    }
}

fn config(source: &dyn IdentitySource, spiffe_id: &str) -> Result<Arc<ServerConfig>, IdentityError> {
    let domain =
        spiffe_id.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    // An authority speaks for its own domain only.
    let trust = source.trust().into_iter().find(|t| &*t.domain == domain);
    let trust = trust.ok_or_else(|| IdentityError::Unknown(format!("spiffe://{domain}")))?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots("authorities", &trust.authorities)?, provider())
            .build()
            .map_err(|e| IdentityError::unusable("authorities", e))?;
    let own = certified(spiffe_id, &source.identity(spiffe_id)?)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| IdentityError::unusable("TLS", e))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A session that is resumed brings the certificate of the first handshake with it, which may have expired since.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::DevIssuer;

    #[test]
    fn no_session_outlives_its_certificate() {
        let issuer = DevIssuer::new("cluster.local", Duration::from_secs(60)).unwrap();
        let config = config(&issuer, "spiffe://cluster.local/ns/smi-system/sa/xds").unwrap();
        assert_eq!(config.send_tls13_tickets, 0);
        assert!(!config.session_storage.can_cache() && !config.ticketer.enabled());
    }
}

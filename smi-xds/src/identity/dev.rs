//! An issuer for development and tests: a self-signed authority that certifies whatever it is asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use tokio::sync::watch;

use super::{Identity, IdentityError, IdentitySource, Trust};

/// A self-signed authority. Certificates are issued when they are asked for, and again once two thirds of their time are over.
pub struct DevIssuer {
    domain: Arc<str>,
    lifetime: Duration,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

struct State {
    authority: Authority,
    /// Trusted still, until the next rotation of the authority.
    before: Option<Arc<str>>,
    issued: BTreeMap<String, (SystemTime, Identity)>,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Arc<str>,
    key: Arc<str>,
}

impl std::fmt::Debug for DevIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevIssuer").field("domain", &self.domain).finish_non_exhaustive()
    }
}

impl DevIssuer {
    /// A new authority for a trust domain; its certificates are valid for `lifetime`.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn new(domain: &str, lifetime: Duration) -> Result<Self, IdentityError> {
        Ok(Self::with(domain, lifetime, Authority::fresh(domain)?))
    }

    /// The authority that another process left behind: its certificate and key, PEM.
    ///
    /// # Errors
    /// When they cannot be read or do not belong together.
    pub fn resume(
        domain: &str,
        lifetime: Duration,
        certificate: &str,
        key: &str,
    ) -> Result<Self, IdentityError> {
        let pair = Identity { chain: certificate.into(), key: key.into() };
        super::certified("the authority", &pair)?;
        let key_pair =
            KeyPair::from_pem(key).map_err(|e| IdentityError::unusable("the authority's key", e))?;
        let issuer = Issuer::new(authority_params(domain)?, key_pair);
        let authority = Authority { issuer, certificate: pair.chain, key: pair.key };
        Ok(Self::with(domain, lifetime, authority))
    }

    fn with(domain: &str, lifetime: Duration, authority: Authority) -> Self {
        let state = State { authority, before: None, issued: BTreeMap::new() };
        Self { domain: domain.into(), lifetime, state: Mutex::new(state), changes: watch::Sender::new(0) }
    }

    /// The authority, for [`DevIssuer::resume`].
    #[must_use]
    pub fn authority(&self) -> Identity {
        let state = self.lock();
        Identity { chain: Arc::clone(&state.authority.certificate), key: Arc::clone(&state.authority.key) }
    }

    /// Issues all certificates anew.
    pub fn rotate(&self) {
        self.lock().issued.clear();
        self.changes.send_modify(|n| *n += 1);
    }

    /// A new authority. The one before is trusted until the next rotation.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn rotate_authority(&self) -> Result<(), IdentityError> {
        let fresh = Authority::fresh(&self.domain)?;
        {
            let mut state = self.lock();
            let old = std::mem::replace(&mut state.authority, fresh);
            state.before = Some(old.certificate);
            state.issued.clear();
        }
        self.changes.send_modify(|n| *n += 1);
        Ok(())
    }

    /// Forgets certificates that are due; call it now and then. True if there were any.
    pub fn renew(&self, now: SystemTime) -> bool {
        let due = {
            let mut state = self.lock();
            let before = state.issued.len();
            state.issued.retain(|_, (at, _)| now < *at + self.lifetime * 2 / 3);
            before != state.issued.len()
        };
        if due {
            self.changes.send_modify(|n| *n += 1);
        }
        due
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn issue(&self, state: &State, spiffe_id: &str, now: SystemTime) -> Result<Identity, IdentityError> {
        let refused = |e: rcgen::Error| IdentityError::unusable(spiffe_id, e);
        let mut params = CertificateParams::new(Vec::new()).map_err(refused)?;
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(spiffe_id.try_into().map_err(refused)?)];
        // Clocks differ a little.
        params.not_before = (now - Duration::from_secs(300)).into();
        params.not_after = (now + self.lifetime).into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(refused)?;
        let certificate = params.signed_by(&key, &state.authority.issuer).map_err(refused)?;
        Ok(Identity { chain: certificate.pem().into(), key: key.serialize_pem().into() })
    }
}

impl IdentitySource for DevIssuer {
    fn identity(&self, spiffe_id: &str) -> Result<Identity, IdentityError> {
        let own = spiffe_id.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/'));
        if own.is_none_or(|(domain, _)| domain != &*self.domain) {
            return Err(IdentityError::Unknown(spiffe_id.to_owned()));
        }
        let mut state = self.lock();
        if let Some((_, identity)) = state.issued.get(spiffe_id) {
            return Ok(identity.clone());
        }
        let now = SystemTime::now();
        let identity = self.issue(&state, spiffe_id, now)?;
        state.issued.insert(spiffe_id.to_owned(), (now, identity.clone()));
        Ok(identity)
    }

    fn trust(&self) -> Vec<Trust> {
        let state = self.lock();
        let authorities =
            format!("{}{}", state.authority.certificate, state.before.as_deref().unwrap_or_default());
        vec![Trust { domain: Arc::clone(&self.domain), authorities: authorities.into() }]
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Authority {
    fn fresh(domain: &str) -> Result<Self, IdentityError> {
        let refused = |e: rcgen::Error| IdentityError::unusable("the authority", e);
        let key = KeyPair::generate().map_err(refused)?;
        let params = authority_params(domain)?;
        let certificate = params.self_signed(&key).map_err(refused)?.pem();
        let pem = key.serialize_pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate: certificate.into(), key: pem.into() })
    }
}

fn authority_params(domain: &str) -> Result<CertificateParams, IdentityError> {
    let refused = |e: rcgen::Error| IdentityError::unusable("the authority", e);
    let mut params = CertificateParams::new(Vec::new()).map_err(refused)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "SMI development authority");
    params.subject_alt_names = vec![SanType::URI(format!("spiffe://{domain}").try_into().map_err(refused)?)];
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = rcgen::date_time_ymd(2024, 1, 1);
    params.not_after = rcgen::date_time_ymd(2044, 1, 1);
    Ok(params)
}

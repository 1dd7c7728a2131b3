//! mTLS between sidecars, and TLS to pods.
//!
//! Shape: the server name says which port of the pod is meant and how it is spoken to, the application protocol [`ALPN`] that a sidecar
//! speaks. Certificate and trust are secrets, named by SPIFFE ID and trust domain.
//! Invariant: a context always names whom it accepts; an empty list of names would accept everybody, so none is rendered.

use smi_core::hub::names::{Port, SpiffeId};

use super::TLS;
use crate::config::Any;
use crate::config::discovery::ConfigSource;
use crate::config::matcher::{StringMatcher, StringPattern};
use crate::config::tls::{
    CombinedValidationContext, CommonTlsContext, DataSource, DownstreamTlsContext, SanType, SdsSecretConfig,
    Secret, SecretKind, SessionTickets, SubjectAltNameMatcher, TlsCertificate, TransportSocket,
    UpstreamTlsContext, ValidationContext, ValidationContextType,
};
use crate::options::PodTls;

/// Application protocol of sidecars, which tells them from other TLS clients.
pub(super) const ALPN: &str = "smi";

/// Names of the secrets of a pod.
#[derive(Clone, Debug)]
pub(super) struct Secrets {
    pub(super) certificate: String,
    pub(super) trust: String,
}

impl Secrets {
    pub(super) fn new(identity: &SpiffeId, trust_domain: &str) -> Self {
        Self { certificate: identity.to_string(), trust: format!("spiffe://{trust_domain}") }
    }

    fn context(&self, accepted: Vec<SubjectAltNameMatcher>) -> CommonTlsContext {
        let secret =
            |name: &String| SdsSecretConfig { name: name.clone(), sds_config: Some(ConfigSource::ads()) };
        CommonTlsContext {
            tls_certificate_sds_secret_configs: vec![secret(&self.certificate)],
            validation: Some(ValidationContextType::CombinedValidationContext(CombinedValidationContext {
                default_validation_context: Some(ValidationContext {
                    match_typed_subject_alt_names: accepted,
                    ..ValidationContext::default()
                }),
                validation_context_sds_secret_config: Some(secret(&self.trust)),
            })),
            alpn_protocols: vec![ALPN.to_owned()],
            ..CommonTlsContext::default()
        }
    }

    /// To a port of pods of this identity.
    pub(super) fn upstream(&self, sni: String, peer: &SpiffeId) -> TransportSocket {
        let common = self.context(vec![exactly(peer)]);
        socket(&UpstreamTlsContext { common_tls_context: Some(common), sni })
    }

    /// From these; `accepted` is not empty.
    pub(super) fn downstream(&self, accepted: Vec<SubjectAltNameMatcher>) -> TransportSocket {
        let common = self.context(accepted);
        socket(&DownstreamTlsContext {
            common_tls_context: Some(common),
            require_client_certificate: Some(true),
            // A session that is resumed brings the certificate of the first handshake with it, which may have expired since.
            session_tickets: Some(SessionTickets::DisableStatelessSessionResumption(true)),
            disable_stateful_session_resumption: true,
        })
    }
}

fn socket<T: crate::config::types::Packed>(context: &T) -> TransportSocket {
    TransportSocket { name: TLS.to_owned(), typed_config: Some(Any::pack(context)) }
}

/// To pods that speak TLS, whose certificates show one of these names; the first is asked for.
pub(super) fn pods(check: &PodTls, names: Vec<String>) -> TransportSocket {
    let sni = names.first().cloned().unwrap_or_default();
    let dns = |name| SubjectAltNameMatcher {
        san_type: SanType::Dns.into(),
        matcher: Some(StringMatcher { pattern: Some(StringPattern::Exact(name)) }),
    };
    let validation = match check {
        PodTls::Trusted(file) => Some(ValidationContextType::ValidationContext(ValidationContext {
            trusted_ca: Some(DataSource::file(file)),
            match_typed_subject_alt_names: names.into_iter().map(dns).collect(),
        })),
        PodTls::Unchecked => None,
    };
    let common = CommonTlsContext { validation, ..CommonTlsContext::default() };
    socket(&UpstreamTlsContext { common_tls_context: Some(common), sni })
}

/// The server name of a port of a pod.
pub(super) fn server_name(port: Port, spoken: &str) -> String {
    format!("{port}.{spoken}.smi")
}

fn uri(pattern: StringPattern) -> SubjectAltNameMatcher {
    SubjectAltNameMatcher {
        san_type: SanType::Uri.into(),
        matcher: Some(StringMatcher { pattern: Some(pattern) }),
    }
}

/// This identity and no other.
pub(super) fn exactly(identity: &SpiffeId) -> SubjectAltNameMatcher {
    uri(StringPattern::Exact(identity.to_string()))
}

/// Any identity. Certificates without one are refused, as Envoy would take their DNS name or subject for a principal.
pub(super) fn any_identity() -> SubjectAltNameMatcher {
    uri(StringPattern::Prefix("spiffe://".to_owned()))
}

/// Secrets of files.
pub(super) fn files(secrets: &Secrets, certificate: &str, key: &str, trust: &str) -> [Secret; 2] {
    let own = TlsCertificate {
        certificate_chain: Some(DataSource::file(certificate)),
        private_key: Some(DataSource::file(key)),
    };
    let trusted =
        ValidationContext { trusted_ca: Some(DataSource::file(trust)), ..ValidationContext::default() };
    [
        Secret { name: secrets.certificate.clone(), kind: Some(SecretKind::TlsCertificate(own)) },
        Secret { name: secrets.trust.clone(), kind: Some(SecretKind::ValidationContext(trusted)) },
    ]
}

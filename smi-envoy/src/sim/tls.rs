//! TLS between sidecars: which chain a connection meets, and whether both ends accept each other.

use std::net::IpAddr;

use super::contains;
use super::matching::string_matches;
use crate::config::listener::{FilterChain, FilterChainMatch, Listener};
use crate::config::tls::{
    CommonTlsContext, DownstreamTlsContext, SanType, SubjectAltNameMatcher, TransportSocket,
    UpstreamTlsContext, ValidationContextType,
};

/// How a client opens a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The client's own address.
    pub from: IpAddr,
    /// TLS; none: in clear.
    pub tls: Option<ClientTls>,
}

/// What a client says in a handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// The server name.
    pub server_name: Option<String>,
    /// Application protocols, the best first.
    pub protocols: Vec<String>,
    /// The certificate it shows.
    pub certificate: Option<Certificate>,
}

/// A client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its URI name.
    pub identity: String,
    /// Who signed it, by the name of what is trusted (`spiffe://cluster.local`); none: somebody whom nobody trusts.
    pub authority: Option<String>,
}

/// Whose certificates one end accepts.
pub(super) struct Accepted {
    trust: Option<String>,
    names: Vec<SubjectAltNameMatcher>,
}

impl Accepted {
    fn new(common: &CommonTlsContext) -> Self {
        let Some(ValidationContextType::CombinedValidationContext(combined)) = &common.validation else {
            return Self { trust: None, names: Vec::new() };
        };
        let names = combined.default_validation_context.as_ref().map(|c| &c.match_typed_subject_alt_names);
        let trust = combined.validation_context_sds_secret_config.as_ref().map(|s| s.name.clone());
        Self { trust, names: names.cloned().unwrap_or_default() }
    }

    pub(super) fn holds(&self, certificate: &Certificate) -> bool {
        // Without anything to trust, Envoy does not verify.
        let trusted = self.trust.is_none() || self.trust == certificate.authority;
        let named = |name: &SubjectAltNameMatcher| is_named(name, &certificate.identity);
        trusted && (self.names.is_empty() || self.names.iter().any(named))
    }
}

/// Whether the name is of a certificate with this URI and no other names.
pub(super) fn is_named(name: &SubjectAltNameMatcher, uri: &str) -> bool {
    name.san_type == i32::from(SanType::Uri) && name.matcher.as_ref().is_some_and(|m| string_matches(m, uri))
}

/// What a sidecar says as a client, and whom it expects.
pub(super) fn client(socket: &TransportSocket, from: IpAddr) -> Option<(Hello, Accepted)> {
    let context = socket.typed_config.as_ref()?.unpack::<UpstreamTlsContext>()?;
    let common = context.common_tls_context?;
    let tls = ClientTls {
        server_name: Some(context.sni).filter(|name| !name.is_empty()),
        protocols: common.alpn_protocols.clone(),
        certificate: certificate(&common),
    };
    Some((Hello { from, tls: Some(tls) }, Accepted::new(&common)))
}

/// The certificate that a sidecar shows; secrets are named by identity, and signed by the domain's authority.
fn certificate(common: &CommonTlsContext) -> Option<Certificate> {
    let identity = common.tls_certificate_sds_secret_configs.first()?.name.clone();
    let domain = identity.strip_prefix("spiffe://")?.split('/').next()?;
    Some(Certificate { authority: Some(format!("spiffe://{domain}")), identity })
}

fn downstream(chain: &FilterChain) -> Option<DownstreamTlsContext> {
    chain.transport_socket.as_ref()?.typed_config.as_ref()?.unpack()
}

/// The certificate of the server of a chain.
pub(super) fn identity(chain: &FilterChain) -> Option<Certificate> {
    certificate(&downstream(chain)?.common_tls_context?)
}

/// The client's identity, if the connection stands; none: it is closed.
#[expect(clippy::option_option, reason = "in clear there is a connection without identity")]
pub(super) fn handshake(chain: &FilterChain, hello: &Hello) -> Option<Option<String>> {
    match (downstream(chain), &hello.tls) {
        (None, None) => Some(None),
        // TLS to whoever does not speak it, and the other way round.
        (None, Some(_)) | (Some(_), None) => None,
        (Some(context), Some(client)) => {
            let accepted = Accepted::new(&context.common_tls_context?);
            match &client.certificate {
                Some(certificate) => accepted.holds(certificate).then(|| Some(certificate.identity.clone())),
                None => (context.require_client_certificate != Some(true)).then_some(None),
            }
        }
    }
}

/// The chain that a connection meets: criterion by criterion, chains that name it before those that do not ask.
pub(super) fn chain<'l>(listener: &'l Listener, hello: &Hello) -> Option<&'l FilterChain> {
    let inspected =
        listener.listener_filters.iter().any(|f| f.name == "envoy.filters.listener.tls_inspector");
    let tls = hello.tls.as_ref().filter(|_| inspected);
    let none = FilterChainMatch::default();
    let of = |chain: &'l FilterChain| chain.filter_chain_match.clone().unwrap_or_else(|| none.clone());
    let mut left: Vec<(&FilterChain, FilterChainMatch)> =
        listener.filter_chains.iter().map(|c| (c, of(c))).collect();
    let name = tls.and_then(|t| t.server_name.as_deref()).unwrap_or_default().to_ascii_lowercase();
    narrow(&mut left, |m| m.server_names.is_empty(), |m| m.server_names.contains(&name));
    let transport = if tls.is_some() { "tls" } else { "raw_buffer" };
    narrow(&mut left, |m| m.transport_protocol.is_empty(), |m| m.transport_protocol == transport);
    let offered = tls.map(|t| t.protocols.as_slice()).unwrap_or_default();
    narrow(
        &mut left,
        |m| m.application_protocols.is_empty(),
        |m| m.application_protocols.iter().any(|p| offered.contains(p)),
    );
    narrow(
        &mut left,
        |m| m.direct_source_prefix_ranges.is_empty(),
        |m| m.direct_source_prefix_ranges.iter().any(|r| contains(r, hello.from)),
    );
    left.first().map(|(chain, _)| *chain).or(listener.default_filter_chain.as_ref())
}

fn narrow(
    left: &mut Vec<(&FilterChain, FilterChainMatch)>,
    silent: impl Fn(&FilterChainMatch) -> bool,
    names: impl Fn(&FilterChainMatch) -> bool,
) {
    let named = left.iter().any(|(_, m)| names(m));
    left.retain(|(_, m)| if named { names(m) } else { silent(m) });
}

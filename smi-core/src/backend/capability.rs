//! What a backend can express.

use std::collections::BTreeSet;

/// One thing that an IR may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Feature {
    /// Access by path, method, header.
    HttpAccess,
    /// Access to opaque TCP by caller and port.
    TcpAccess,
    /// Access to UDP by caller and port.
    UdpAccess,
    /// Weighted HTTP targets.
    HttpSplit,
    /// Weighted TCP targets.
    TcpSplit,
    /// Weighted UDP targets.
    UdpSplit,
    /// Conditional routes.
    ConditionalSplit,
    /// HTTP routing at all.
    Http,
    /// TCP routing at all.
    Tcp,
    /// UDP routing at all.
    Udp,
    /// Callers by address.
    AddressIdentity,
    /// Callers by certificate.
    CertificateIdentity,
    /// Pods by label as callers.
    BindingIdentity,
    /// Permissive mode counts would-be denials.
    CountedPermissive,
    /// HTTP/2 in clear to pods.
    H2cUpstream,
    /// TLS to pods.
    HttpsUpstream,
    /// Retries.
    Retry,
    /// Timeouts.
    Timeout,
    /// Circuit breaker expressions.
    CircuitBreaker,
    /// Rate limits.
    RateLimit,
    /// Limits of requests at the same time.
    InFlightLimit,
    /// Mirroring.
    Mirror,
    /// Encoded slashes kept (S9).
    KeepEncodedSlashes,
    /// Pods at addresses that are not theirs alone, as on the host network.
    SharedAddress,
    /// Encoded backslashes kept, and raw ones told from them (S9).
    KeepEncodedBackslashes,
}

/// How callers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityKnowledge {
    /// By the peer's address (S29).
    Address,
    /// By the SPIFFE ID in its certificate (S28).
    Certificate,
}

/// How several grants combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdditiveAccess {
    /// Any of them suffices, as in SMI (S22).
    AnyOf,
    /// The first that fits decides; the renderer has to make them disjoint.
    FirstMatch,
}

/// What a backend can express for one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// What it can do.
    pub features: BTreeSet<Feature>,
    /// How it knows callers.
    pub identity: IdentityKnowledge,
    /// How grants combine in it.
    pub access: AdditiveAccess,
}

impl Capabilities {
    /// Whether it can do this.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }
}

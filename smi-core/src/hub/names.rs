//! Names as types that cannot be confused with each other or with free text.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Hash)]
        #[expect(clippy::derived_hash_with_manual_eq, reason = "equal names hash alike: the comparison only takes a short cut")]
        pub struct $name(Arc<str>);

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                // Names of one cluster share their text, so most comparisons end here.
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                if Arc::ptr_eq(&self.0, &other.0) { std::cmp::Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl $name {
            /// Takes the text as it is. Whether it is a valid Kubernetes name is checked where objects are read
            /// ([`is_dns_label`], [`is_dns_subdomain`]), once, and trusted afterwards.
            #[must_use]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub(crate) fn shared(&mut self) -> &mut Arc<str> {
                &mut self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
    };
}

name_type! {
    /// The name of a namespace.
    Namespace
}
name_type! {
    /// `metadata.name` of an object.
    Name
}

/// A namespace and a name in it. Ordered by namespace, then name; printed `namespace/name`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespaced {
    /// The namespace.
    pub namespace: Namespace,
    /// The name.
    pub name: Name,
}

impl Namespaced {
    /// Joins the two.
    #[must_use]
    pub fn new(namespace: impl Into<Namespace>, name: impl Into<Name>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// The same map with full nodes: one that grew in order has them half empty.
pub(crate) fn packed<K: Ord, V>(map: BTreeMap<K, V>) -> BTreeMap<K, V> {
    map.into_iter().collect()
}

/// The entries of one namespace, by name, without a look at the others.
pub(crate) fn of_namespace<'m, V>(
    map: &'m BTreeMap<Namespaced, V>,
    namespace: &Namespace,
) -> impl Iterator<Item = (&'m Name, &'m V)> + use<'m, V> {
    let first = Namespaced { namespace: namespace.clone(), name: Name::from("") };
    let namespace = namespace.clone();
    map.range(first..)
        .take_while(move |(key, _)| key.namespace == namespace)
        .map(|(key, value)| (&key.name, value))
}

impl fmt::Display for Namespaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for Namespaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl serde::Serialize for Namespaced {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl std::str::FromStr for Namespaced {
    type Err = NameError;

    /// Reads `namespace/name`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('/') {
            Some((namespace, name)) if is_dns_label(namespace) && is_dns_subdomain(name) => {
                Ok(Self::new(namespace, name))
            }
            _ => Err(NameError { text: text.to_owned() }),
        }
    }
}

/// Text that is not `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not `namespace/name`")]
pub struct NameError {
    text: String,
}

/// A port number, 1–65535.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(NonZeroU16);

impl Port {
    /// The last one.
    pub const MAX: Self = Self(NonZeroU16::MAX);

    /// `None` for 0.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(n) => Some(Self(n)),
            None => None,
        }
    }

    /// `None` outside 1–65535.
    #[must_use]
    pub fn from_i64(number: i64) -> Option<Self> {
        u16::try_from(number).ok().and_then(Self::new)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl serde::Serialize for Port {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u16(self.get())
    }
}

/// What carries bytes to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Transport {
    /// TCP, and what runs on it.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// `TCPRoute` or `UDPRoute`.
    #[must_use]
    pub const fn route_kind(self) -> &'static str {
        match self {
            Self::Tcp => "TCPRoute",
            Self::Udp => "UDPRoute",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// A SPIFFE ID, `spiffe://<trust domain>/<path>` (S28).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct SpiffeId(Arc<str>);

impl SpiffeId {
    /// `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
    #[must_use]
    pub fn for_account(trust_domain: &str, account: &Namespaced) -> Self {
        let Namespaced { namespace, name } = account;
        Self(["spiffe://", trust_domain, "/ns/", namespace.as_str(), "/sa/", name.as_str()].concat().into())
    }

    /// Reads an ID by the rules of the SPIFFE standard (trust domain of lower-case letters, digits, `.`, `-`, `_`; path segments not
    /// empty, not `.` or `..`; at most 2048 bytes).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("spiffe://")?;
        let (domain, path) = match rest.split_once('/') {
            Some((domain, path)) => (domain, Some(path)),
            None => (rest, None),
        };
        let domain_ok = !domain.is_empty()
            && domain.len() <= 255
            && domain
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'));
        let path_ok = path.is_none_or(|p| {
            p.split('/').all(|s| {
                !s.is_empty()
                    && s != "."
                    && s != ".."
                    && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            })
        });
        (domain_ok && path_ok && text.len() <= 2048).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 1123 label: at most 63 of `a-z0-9-`, alphanumeric at both ends. Names of namespaces and Services.
#[must_use]
pub fn is_dns_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// RFC 1123 subdomain: labels joined by dots, at most 253 bytes. Names of most objects.
#[must_use]
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            // Kubernetes' own expression does not limit the length of a label here.
            let bytes = label.as_bytes();
            let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            edge(bytes.first())
                && edge(bytes.last())
                && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kubernetes() {
        assert!(is_dns_label("a-b"));
        assert!(!is_dns_label("-a"));
        assert!(!is_dns_label(""));
        assert!(!is_dns_label("A"));
        assert!(!is_dns_label(&"a".repeat(64)));
        assert!(is_dns_subdomain("a.b-c"));
        assert!(!is_dns_subdomain("a..b"));
    }

    #[test]
    fn spiffe_ids_need_scheme_and_clean_path() {
        assert!(SpiffeId::parse("spiffe://cluster.local/ns/a/sa/b").is_some());
        assert!(SpiffeId::parse("cluster.local/ns/a/sa/b").is_none());
        assert!(SpiffeId::parse("spiffe://cluster.local/ns/../sa/b").is_none());
        assert!(SpiffeId::parse("spiffe://cluster.local/").is_none());
    }
}

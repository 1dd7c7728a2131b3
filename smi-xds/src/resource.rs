//! One resource, encoded once for all streams, with its version, origins and references.

use std::fmt;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};
use sha2::{Digest as _, Sha256};

use crate::kind::TypeUrl;

/// Name of a resource. Cheap to clone.
pub type Name = Arc<str>;

/// A hash of type, name and bytes: the same on every replica and in every run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u128);

impl Version {
    pub(crate) fn of(type_url: &str, name: &str, value: &[u8]) -> Self {
        let mut hash = Sha256::new();
        // Lengths keep the parts apart: no two triples give the same input.
        for part in [type_url.as_bytes(), name.as_bytes(), value] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        Self(digest.iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte)))
    }

    /// The version a client tells; anything that we do not write is a version that no resource has.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Self {
        if text.len() == 32 { Self(u128::from_str_radix(text, 16).unwrap_or(0)) } else { Self(0) }
    }

    /// Version of a set: the sum does not depend on the order.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// Version of a set without one member.
    #[must_use]
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A reference to another resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Type of the other.
    pub type_url: TypeUrl,
    /// Name of the other.
    pub name: Name,
}

impl Reference {
    /// A reference.
    #[must_use]
    pub fn new(type_url: impl Into<TypeUrl>, name: impl Into<Name>) -> Self {
        Self { type_url: type_url.into(), name: name.into() }
    }
}

/// A resource of any type.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    type_url: TypeUrl,
    name: Name,
    version: Version,
    /// `envoy.service.discovery.v3.Resource`, whose last field is the `Any`.
    delta: Bytes,
    any_at: usize,
    value_at: usize,
    origins: Arc<[String]>,
    depends_on: Arc<[Reference]>,
}

impl Resource {
    /// Encodes a resource.
    #[must_use]
    pub fn new(type_url: impl Into<TypeUrl>, name: impl Into<Name>, value: &[u8]) -> Self {
        let (type_url, name) = (type_url.into(), name.into());
        let version = Version::of(type_url.as_str(), &name, value);
        let any_len = field_len(type_url.as_str().len()) + field_len(value.len());
        let mut delta = BytesMut::with_capacity(field_len(32) + field_len(name.len()) + field_len(any_len));
        put_field(&mut delta, 1, version.to_string().as_bytes());
        put_field(&mut delta, 3, name.as_bytes());
        encode_key(2, WireType::LengthDelimited, &mut delta);
        encode_varint(wide(any_len), &mut delta);
        let any_at = delta.len();
        put_field(&mut delta, 1, type_url.as_str().as_bytes());
        put_field(&mut delta, 2, value);
        let value_at = delta.len() - value.len();
        let none: Arc<[String]> = Arc::default();
        let delta = delta.freeze();
        Self { type_url, name, version, delta, any_at, value_at, origins: none, depends_on: Arc::default() }
    }

    /// With the objects it comes from, for reports. Resources that come from the same may share them.
    #[must_use]
    pub fn with_origins(mut self, origins: impl Into<Arc<[String]>>) -> Self {
        self.origins = origins.into();
        self
    }

    /// With what it refers to; decides the order of pushes.
    #[must_use]
    pub fn with_references(mut self, references: impl IntoIterator<Item = Reference>) -> Self {
        self.depends_on = references.into_iter().collect();
        self
    }

    /// What a client says it has: a version without content.
    pub(crate) fn remembered(type_url: TypeUrl, name: Name, version: Version) -> Self {
        Self {
            type_url,
            name,
            version,
            delta: Bytes::new(),
            any_at: 0,
            value_at: 0,
            origins: Arc::default(),
            depends_on: Arc::default(),
        }
    }

    /// Whether it has content to send, unlike one that a client told of.
    pub(crate) fn has_content(&self) -> bool {
        !self.delta.is_empty()
    }

    /// Its type.
    #[must_use]
    pub fn type_url(&self) -> &TypeUrl {
        &self.type_url
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The objects it comes from.
    #[must_use]
    pub fn origins(&self) -> &[String] {
        &self.origins
    }

    /// As [`Resource::with_origins`] takes them.
    pub(crate) fn shared_origins(&self) -> Arc<[String]> {
        Arc::clone(&self.origins)
    }

    /// What it refers to.
    #[must_use]
    pub fn depends_on(&self) -> &[Reference] {
        &self.depends_on
    }

    /// The encoded message.
    #[must_use]
    pub fn value(&self) -> Bytes {
        self.delta.slice(self.value_at..)
    }

    /// The encoded `Any`.
    #[must_use]
    pub fn any(&self) -> Bytes {
        self.delta.slice(self.any_at..)
    }

    /// The encoded `envoy.service.discovery.v3.Resource`.
    #[must_use]
    pub fn delta(&self) -> Bytes {
        self.delta.clone()
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` {}", self.type_url.short(), self.name, self.version)
    }
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Length of a length-delimited field with a one-byte key.
fn field_len(len: usize) -> usize {
    1 + encoded_len_varint(wide(len)) + len
}

fn put_field(buffer: &mut BytesMut, tag: u32, content: &[u8]) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(wide(content.len()), buffer);
    buffer.put_slice(content);
}

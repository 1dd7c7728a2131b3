//! Kinds as types.

use super::{AnyObject, ObjectMeta};

/// A kind in a version. Sealed: the published versions are frozen.
pub trait Kind: serde::Serialize + serde::de::DeserializeOwned + Into<AnyObject> + sealed::Sealed {
    /// API group, `split.smi-spec.io`.
    const GROUP: &'static str;
    /// `v1alpha4`.
    const VERSION: &'static str;
    /// `TrafficSplit`.
    const KIND: &'static str;
    /// `trafficsplits`.
    const PLURAL: &'static str;

    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
}

pub(super) mod sealed {
    /// Keeps [`super::Kind`] closed.
    pub trait Sealed {}
}

/// Stands for `apiVersion` and `kind` in a kind's own fields: they are read by whoever chooses the type, and written by
/// [`AnyObject`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told;

impl<'de> serde::Deserialize<'de> for Told {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d).map(|_| Self)
    }
}

/// Declares a kind: a struct with `metadata` and the given fields.
macro_rules! kind {
    (
        $(#[$doc:meta])*
        $name:ident: $group:literal $version:literal $kind:literal $plural:literal {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name {
            #[serde(default, skip_serializing, rename = "apiVersion")]
            #[cfg_attr(feature = "schema", schemars(skip))]
            api_version: $crate::api::kind::Told,
            #[serde(default, skip_serializing)]
            #[cfg_attr(feature = "schema", schemars(skip))]
            kind: $crate::api::kind::Told,
            /// Name, namespace, labels, annotations and the rest of Kubernetes' envelope.
            #[serde(default, deserialize_with = "crate::api::null::zero")]
            #[cfg_attr(feature = "schema", schemars(skip))]
            pub metadata: $crate::api::ObjectMeta,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $name {
            /// An object with this metadata and content.
            #[must_use]
            pub fn new(metadata: $crate::api::ObjectMeta $(, $field: $type)*) -> Self {
                Self { api_version: $crate::api::kind::Told, kind: $crate::api::kind::Told, metadata $(, $field)* }
            }
        }

        impl $crate::api::kind::sealed::Sealed for $name {}

        impl $crate::api::Kind for $name {
            const GROUP: &'static str = $group;
            const VERSION: &'static str = $version;
            const KIND: &'static str = $kind;
            const PLURAL: &'static str = $plural;

            fn metadata(&self) -> &$crate::api::ObjectMeta {
                &self.metadata
            }
        }
    };
}
pub(super) use kind;

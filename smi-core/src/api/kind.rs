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

/// `apiVersion` and `kind` in a kind's own fields: those of another kind are an error, none are fine, as whoever chose the type knows
/// them. [`AnyObject`] writes them.
macro_rules! told {
    ($(#[$doc:meta])* $name:ident, $fits:expr) => {
        $(#[$doc])*
        pub(super) struct $name<K>(std::marker::PhantomData<fn() -> K>);

        impl<K> $name<K> {
            pub(super) const NEW: Self = Self(std::marker::PhantomData);
        }

        impl<K> Clone for $name<K> {
            fn clone(&self) -> Self {
                Self::NEW
            }
        }

        impl<K> Default for $name<K> {
            fn default() -> Self {
                Self::NEW
            }
        }

        impl<K> PartialEq for $name<K> {
            fn eq(&self, _: &Self) -> bool {
                true
            }
        }

        impl<K> Eq for $name<K> {}

        impl<K> std::fmt::Debug for $name<K> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl<'de, K: Kind> serde::Deserialize<'de> for $name<K> {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                let fits: fn(&str) -> bool = $fits;
                if fits(&text) {
                    return Ok(Self::NEW);
                }
                Err(serde::de::Error::custom(format_args!("`{text}` is not {} {}/{}", K::KIND, K::GROUP, K::VERSION)))
            }
        }
    };
}
told! {
    /// `apiVersion`.
    ToldVersion, |text| text.split_once('/').is_some_and(|(group, version)| {
        group == K::GROUP && super::any::version_of(group, version) == K::VERSION
    })
}
told! {
    /// `kind`.
    ToldKind, |text| text == K::KIND
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
            api_version: $crate::api::kind::ToldVersion<$name>,
            #[serde(default, skip_serializing)]
            #[cfg_attr(feature = "schema", schemars(skip))]
            kind: $crate::api::kind::ToldKind<$name>,
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
                use $crate::api::kind::{ToldKind, ToldVersion};
                Self { api_version: ToldVersion::NEW, kind: ToldKind::NEW, metadata $(, $field)* }
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

//! One object of any kind and version.

use serde::de::Deserializer;
use serde::ser::{Serialize, Serializer};

use super::{Kind, ObjectMeta, access, metrics, specs, split};
use crate::diag::ObjectRef;
use crate::hub::names::{Name, Namespace};

/// A kind in a version, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KindInfo {
    /// `split.smi-spec.io`.
    pub group: &'static str,
    /// `v1alpha4`.
    pub version: &'static str,
    /// `TrafficSplit`.
    pub kind: &'static str,
    /// `trafficsplits`.
    pub plural: &'static str,
}

/// The Go SDK's v1alpha2 of metrics is the specification's v1alpha1.
pub(super) fn version_of<'a>(group: &str, version: &'a str) -> &'a str {
    if group == "metrics.smi-spec.io" && version == "v1alpha2" { "v1alpha1" } else { version }
}

macro_rules! any_object {
    ($($variant:ident($type:ty),)*) => {
        /// One object of any kind and version.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is named after its kind and version")]
        pub enum AnyObject {
            $($variant($type),)*
        }

        /// Every kind in every version.
        pub const KINDS: &[KindInfo] = &[$(KindInfo {
            group: <$type as Kind>::GROUP,
            version: <$type as Kind>::VERSION,
            kind: <$type as Kind>::KIND,
            plural: <$type as Kind>::PLURAL,
        },)*];

        $(impl From<$type> for AnyObject {
            fn from(object: $type) -> Self {
                Self::$variant(object)
            }
        })*

        impl AnyObject {
            /// Which kind in which version it is.
            #[must_use]
            pub fn info(&self) -> KindInfo {
                match self {
                    $(Self::$variant(_) => KindInfo {
                        group: <$type as Kind>::GROUP,
                        version: <$type as Kind>::VERSION,
                        kind: <$type as Kind>::KIND,
                        plural: <$type as Kind>::PLURAL,
                    },)*
                }
            }

            /// Its metadata.
            #[must_use]
            pub fn metadata(&self) -> &ObjectMeta {
                match self {
                    $(Self::$variant(object) => &object.metadata,)*
                }
            }

            /// Its metadata.
            pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self {
                    $(Self::$variant(object) => &mut object.metadata,)*
                }
            }

            /// Reads an object of this `apiVersion` and `kind`; `None` when there is no such kind.
            pub fn decode<'de, D: Deserializer<'de>>(api_version: &str, kind: &str, d: D) -> Option<Result<Self, D::Error>> {
                let (group, version) = api_version.split_once('/')?;
                let version = version_of(group, version);
                $(if group == <$type as Kind>::GROUP && version == <$type as Kind>::VERSION && kind == <$type as Kind>::KIND {
                    return Some(<$type as serde::Deserialize>::deserialize(d).map(Self::$variant));
                })*
                None
            }

            fn serialize_fields<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(object) => WithType { info: self.info(), object }.serialize(s),)*
                }
            }
        }
    };
}

any_object! {
    TrafficTargetV1alpha1(access::v1alpha1::TrafficTarget),
    TrafficTargetV1alpha2(access::v1alpha2::TrafficTarget),
    TrafficTargetV1alpha3(access::v1alpha3::TrafficTarget),
    TrafficTargetV1alpha4(access::v1alpha4::TrafficTarget),
    IdentityBindingV1alpha4(access::v1alpha4::IdentityBinding),
    HttpRouteGroupV1alpha1(specs::v1alpha1::HttpRouteGroup),
    HttpRouteGroupV1alpha2(specs::v1alpha2::HttpRouteGroup),
    HttpRouteGroupV1alpha3(specs::v1alpha3::HttpRouteGroup),
    HttpRouteGroupV1alpha4(specs::v1alpha4::HttpRouteGroup),
    TcpRouteV1alpha1(specs::v1alpha1::TcpRoute),
    TcpRouteV1alpha2(specs::v1alpha2::TcpRoute),
    TcpRouteV1alpha3(specs::v1alpha3::TcpRoute),
    TcpRouteV1alpha4(specs::v1alpha4::TcpRoute),
    UdpRouteV1alpha4(specs::v1alpha4::UdpRoute),
    TrafficSplitV1alpha1(split::v1alpha1::TrafficSplit),
    TrafficSplitV1alpha2(split::v1alpha2::TrafficSplit),
    TrafficSplitV1alpha3(split::v1alpha3::TrafficSplit),
    TrafficSplitV1alpha4(split::v1alpha4::TrafficSplit),
    TrafficMetricsV1alpha1(metrics::v1alpha1::TrafficMetrics),
    TrafficMetricsListV1alpha1(metrics::v1alpha1::TrafficMetricsList),
}

impl AnyObject {
    /// Whether there is such a kind in such a version.
    #[must_use]
    pub fn is_known(api_version: &str, kind: &str) -> bool {
        api_version.split_once('/').is_some_and(|(group, version)| {
            KINDS.iter().any(|k| k.group == group && k.version == version && k.kind == kind)
                || (api_version == "metrics.smi-spec.io/v1alpha2" && kind.starts_with("TrafficMetrics"))
        })
    }

    /// The reference that diagnostics carry. An object without a namespace is in `default`, as for `kubectl apply`.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        let info = self.info();
        let meta = self.metadata();
        ObjectRef {
            group: info.group.into(),
            version: info.version.into(),
            kind: info.kind.into(),
            namespace: meta
                .namespace
                .clone()
                .filter(|n| !n.is_empty())
                .map_or_else(|| Namespace::from("default"), Namespace::new),
            name: Name::new(meta.name.clone()),
        }
    }
}

impl Serialize for AnyObject {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.serialize_fields(s)
    }
}

/// Writes `apiVersion` and `kind` before an object's own fields.
struct WithType<'a, T> {
    info: KindInfo,
    object: &'a T,
}

impl<T: Serialize> Serialize for WithType<'_, T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Flat<'a, T> {
            api_version: String,
            kind: &'static str,
            #[serde(flatten)]
            object: &'a T,
        }
        let api_version = format!("{}/{}", self.info.group, self.info.version);
        Flat { api_version, kind: self.info.kind, object: self.object }.serialize(s)
    }
}

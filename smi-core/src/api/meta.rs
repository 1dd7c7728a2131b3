//! `metadata`.
//!
//! Source: Kubernetes API reference, meta/v1 ObjectMeta.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::null::zero;

/// Kubernetes' envelope. Fields that nothing here reads are kept, so that an object is written as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Name; empty when only `generateName` is given.
    #[serde(skip_serializing_if = "str::is_empty", deserialize_with = "zero")]
    pub name: Arc<str>,
    /// Prefix for a name that the API server makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate_name: Option<Arc<str>>,
    /// Namespace; absent means the one that the object is applied to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "zero")]
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "zero")]
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Arc<str>>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<Arc<str>>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_grace_period_seconds: Option<i64>,
    /// Unique in time and space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<Arc<str>>,
    /// For compare-and-swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<Arc<str>>,
    /// Counts changes of the desired state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Deprecated by Kubernetes; the metrics API of smi-metrics still writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_link: Option<Arc<str>>,
    /// Who must agree to a deletion.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "zero")]
    pub finalizers: Vec<Arc<str>>,
    /// Owners, as written.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "zero")]
    pub owner_references: Vec<serde_json::Value>,
    /// Field managers, as written.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "zero")]
    pub managed_fields: Vec<serde_json::Value>,
}

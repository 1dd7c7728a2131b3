//! Values without a schema, and the metadata made of them.

use std::collections::BTreeMap;

/// `google.protobuf.Struct`.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
#[serde(transparent)]
pub struct Struct {
    #[prost(btree_map = "string, message", tag = "1")]
    pub fields: BTreeMap<String, Value>,
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
#[serde(transparent)]
pub struct Value {
    #[prost(oneof = "ValueKind", tags = "2, 3, 6")]
    pub kind: Option<ValueKind>,
}

#[derive(Clone, PartialEq, prost::Oneof, serde::Serialize)]
#[serde(untagged)]
pub enum ValueKind {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    String(String),
    #[prost(message, tag = "6")]
    List(ListValue),
}

#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
#[serde(transparent)]
pub struct ListValue {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Value>,
}

/// By the name of the filter that reads it.
#[derive(Clone, PartialEq, prost::Message, serde::Serialize)]
pub struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    pub filter_metadata: BTreeMap<String, Struct>,
}

impl Struct {
    /// One field.
    #[must_use]
    pub fn of(key: &str, value: ValueKind) -> Self {
        Self { fields: BTreeMap::from([(key.to_owned(), Value { kind: Some(value) })]) }
    }
}

impl ValueKind {
    /// A list of texts.
    pub fn list(texts: impl IntoIterator<Item = String>) -> Self {
        let value = |text| Value { kind: Some(Self::String(text)) };
        Self::List(ListValue { values: texts.into_iter().map(value).collect() })
    }

    /// The text, or those in the list.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Number(_) => Vec::new(),
            Self::String(text) => vec![text],
            Self::List(list) => {
                list.values.iter().filter_map(|v| v.kind.as_ref()).flat_map(Self::texts).collect()
            }
        }
    }
}

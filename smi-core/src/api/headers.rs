//! Header filters in their two wire forms (S3).
//!
//! Shape: names and patterns in the order in which they were written; a name may stand twice, which is for validation to refuse.
//! Source: smi-spec `traffic-specs.md`: a list of single-key maps until v0.6.0 (and in smi-sdk-go and the official CRD), a map since.

use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How header filters are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeaderForm {
    /// `- name: pattern`: what the official CRD and smi-sdk-go accept.
    #[default]
    List,
    /// `name: pattern`: what the text of the specification shows.
    Map,
}

/// Header names and patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// The form in which they were read and will be written.
    pub form: HeaderForm,
    /// Name and pattern.
    pub entries: Vec<(Arc<str>, Arc<str>)>,
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.form {
            HeaderForm::List => {
                let mut list = s.serialize_seq(Some(self.entries.len()))?;
                for (name, value) in &self.entries {
                    list.serialize_element(&Entry(name, value))?;
                }
                list.end()
            }
            HeaderForm::Map => {
                let mut map = s.serialize_map(Some(self.entries.len()))?;
                for (name, value) in &self.entries {
                    map.serialize_entry(&**name, &**value)?;
                }
                map.end()
            }
        }
    }
}

struct Entry<'a>(&'a str, &'a str);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(1))?;
        map.serialize_entry(self.0, self.1)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of single-key maps or a map")
    }

    fn visit_unit<E>(self) -> Result<Headers, E> {
        Ok(Headers::default())
    }

    fn visit_none<E>(self) -> Result<Headers, E> {
        Ok(Headers::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Headers, D::Error> {
        d.deserialize_any(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Headers, A::Error> {
        Ok(Headers { form: HeaderForm::Map, entries: pairs(map)? })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Headers, A::Error> {
        let mut entries = Vec::new();
        // The CRD accepts an item with several keys; Go's decoder does not. Reading it as several headers narrows nothing.
        while let Some(Item(mut item)) = seq.next_element()? {
            entries.append(&mut item);
        }
        Ok(Headers { form: HeaderForm::List, entries })
    }
}

fn pairs<'de, A: MapAccess<'de>>(mut map: A) -> Result<Entries, A::Error> {
    let mut entries = Vec::new();
    while let Some(entry) = map.next_entry()? {
        entries.push(entry);
    }
    Ok(entries)
}

/// Names and patterns.
type Entries = Vec<(Arc<str>, Arc<str>)>;

struct Item(Entries);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct ItemVisitor;
        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of one header name to a pattern")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
                pairs(map).map(Item)
            }
        }
        d.deserialize_map(ItemVisitor)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Headers {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Headers".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // Both forms are accepted, which a structural schema cannot say otherwise.
        schemars::json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_both_forms_are_read_and_written_back() {
        for (text, form) in
            [(r#"[{"a":"b"},{"c":"d"}]"#, HeaderForm::List), (r#"{"a":"b","c":"d"}"#, HeaderForm::Map)]
        {
            let headers: Headers = serde_json::from_str(text).unwrap();
            assert_eq!(headers.form, form);
            assert_eq!(headers.entries.len(), 2);
            assert_eq!(serde_json::to_string(&headers).unwrap(), text);
        }
    }
}

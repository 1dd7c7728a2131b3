//! Trees → types, as a serde `Deserializer` with the place of every fault.
//!
//! The API server's rules, not serde's leniency: a boolean or number is not a string and a string is not a number; null is absent (in
//! structs) or empty (lists and maps). A key that stands twice in a map is an error: kubectl takes the last one or refuses, depending on
//! how it is called, and which was meant cannot be known.
//! Faults: the first one of an object ends its decoding ([`DeError`]); unknown fields and nulls are collected ([`Notes`]).
//! Absent: enums with content, bytes; no type here has them.

mod error;

pub use error::DeError;

use std::cell::RefCell;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::scalar::Scalar;
use super::tree::{Entry, Kind, Node, repeated_key};
use super::yaml::shorten;
use crate::diag::FieldPath;

/// Where in the object and in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The field.
    pub path: FieldPath,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// What decoding noticed beside the value.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Fields that the type does not have, in the order of the text.
    pub unknown: Vec<Unknown>,
    /// Fields of the type that are null, and so absent.
    pub null: Vec<Place>,
}

/// A field that the type does not have.
#[derive(Clone, Debug)]
pub struct Unknown {
    /// The field; the span is that of its key.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// The fields that the type has.
    pub known: &'static [&'static str],
}

#[derive(Clone, Copy, Debug)]
enum Step<'n> {
    Field(&'n str),
    Index(usize),
}

/// What is shared while one object is decoded.
#[derive(Debug, Default)]
struct Context<'n> {
    steps: RefCell<Vec<Step<'n>>>,
    notes: RefCell<Notes>,
}

impl<'n> Context<'n> {
    fn path(&self) -> FieldPath {
        self.steps.borrow().iter().fold(FieldPath::root(), |path, step| match step {
            Step::Field(name) => path.key(*name),
            Step::Index(index) => path.index(*index),
        })
    }

    fn within<T>(
        &self,
        step: Step<'n>,
        caret: impl FnOnce() -> (u32, u32),
        decode: impl FnOnce() -> Result<T, DeError>,
    ) -> Result<T, DeError> {
        self.steps.borrow_mut().push(step);
        let result = decode().map_err(|e| self.place(e, caret()));
        self.steps.borrow_mut().pop();
        result
    }

    /// Says where an error is, unless that is known already.
    fn place(&self, mut error: DeError, (start, end): (u32, u32)) -> DeError {
        if error.0.place.is_none() {
            error.0.place = Some(Place { path: self.path(), start, end });
        }
        error
    }
}

/// Decodes a tree.
///
/// # Errors
/// The first fault, with its place.
pub fn decode<'n, T>(
    node: &'n Node<'n>,
    read: impl FnOnce(NodeDeserializer<'_, 'n>) -> Result<T, DeError>,
) -> (Result<T, DeError>, Notes) {
    let context = Context::default();
    let result = read(NodeDeserializer { context: &context, node, key: None, siblings: &[] });
    let result = result.map_err(|e| context.place(e, node.caret(None)));
    (result, context.notes.into_inner())
}

/// A `Deserializer` that reads one value of a tree.
#[derive(Clone, Copy, Debug)]
pub struct NodeDeserializer<'c, 'n> {
    context: &'c Context<'n>,
    node: &'n Node<'n>,
    /// The entry this is the value of.
    key: Option<&'n Entry<'n>>,
    /// The fields that the type around this value has.
    siblings: &'static [&'static str],
}

impl<'c, 'n> NodeDeserializer<'c, 'n> {
    fn mismatch(&self, wanted: impl fmt::Display) -> DeError {
        match self.node.scalar() {
            Some(Scalar::Null) => DeError::new(format!("expected {wanted}, found null")),
            Some(scalar) => DeError::new(format!(
                "expected {wanted}, found {} `{}`",
                scalar.type_name(),
                shorten(self.text())
            )),
            None if matches!(self.node.kind, Kind::Seq(_)) => {
                DeError::new(format!("expected {wanted}, found a list"))
            }
            None => DeError::new(format!("expected {wanted}, found a map")),
        }
    }

    fn text(&self) -> &'n str {
        match &self.node.kind {
            Kind::Scalar(text) => &text.text,
            Kind::Seq(_) | Kind::Map(_) => "",
        }
    }

    fn list<V: Visitor<'n>>(self, items: &'n [Node<'n>], visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_seq(Items { context: self.context, items: items.iter().enumerate() })
    }

    fn map<V: Visitor<'n>>(
        self,
        entries: &'n [Entry<'n>],
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        if let Some((first, second)) = repeated_key(entries) {
            let mut error = DeError::new(format!("the key `{}` stands twice", shorten(&second.key)));
            if matches!(second.key.as_ref(), "apiVersion" | "kind" | "metadata" | "spec") {
                error = error.help("is a line `---` missing between two objects?");
            }
            error.0.first = Some((first.key_start, first.key_end));
            error.0.place = Some(Place {
                path: self.context.path().key(&*second.key),
                start: second.key_start,
                end: second.key_end,
            });
            return Err(error);
        }
        visitor.visit_map(Entries {
            context: self.context,
            entries: entries.iter(),
            value: None,
            skip_null: fields.is_some(),
            fields: fields.unwrap_or(&[]),
        })
    }

    fn number<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node.scalar() {
            Some(Scalar::Int(value)) => visitor.visit_i64(value),
            Some(Scalar::Uint(value)) => visitor.visit_u64(value),
            Some(Scalar::Float(value)) => {
                let error = self.mismatch("a whole number");
                let small = value.fract() == 0.0 && value.abs() < 1e9;
                Err(if small { error.help(format!("write `{value}`")) } else { error })
            }
            Some(Scalar::Str(text)) => {
                let error = self.mismatch("a whole number");
                let bare = matches!(super::scalar::resolve(text, true), Scalar::Int(_) | Scalar::Uint(_));
                Err(if bare { error.help(format!("write `{text}` without quotes")) } else { error })
            }
            Some(Scalar::Null | Scalar::Bool(_)) | None => Err(self.mismatch("a whole number")),
        }
    }
}

impl<'n> Deserializer<'n> for NodeDeserializer<'_, 'n> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        match &self.node.kind {
            Kind::Seq(items) => self.list(items, visitor),
            Kind::Map(entries) => self.map(entries, None, visitor),
            Kind::Scalar(_) => match self.node.scalar() {
                Some(Scalar::Bool(value)) => visitor.visit_bool(value),
                Some(Scalar::Int(value)) => visitor.visit_i64(value),
                Some(Scalar::Uint(value)) => visitor.visit_u64(value),
                Some(Scalar::Float(value)) => visitor.visit_f64(value),
                Some(Scalar::Str(_)) => visitor.visit_borrowed_str(self.text()),
                Some(Scalar::Null) | None => visitor.visit_unit(),
            },
        }
    }

    fn deserialize_str<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node.scalar() {
            Some(Scalar::Str(_)) => visitor.visit_borrowed_str(self.text()),
            Some(Scalar::Null) => Err(self.mismatch("a string")),
            Some(Scalar::Bool(_) | Scalar::Int(_) | Scalar::Uint(_) | Scalar::Float(_)) => {
                Err(self.mismatch("a string").help(format!("quote it: `\"{}\"`", self.text())))
            }
            None => Err(self.mismatch("a string")),
        }
    }

    fn deserialize_string<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node.scalar() {
            Some(Scalar::Bool(value)) => visitor.visit_bool(value),
            _ => Err(self.mismatch("`true` or `false`")),
        }
    }

    fn deserialize_i8<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.number(visitor)
    }

    fn deserialize_i16<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.number(visitor)
    }

    fn deserialize_i32<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.number(visitor)
    }

    fn deserialize_i64<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.number(visitor)
    }

    fn deserialize_u8<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.number(visitor)
    }

    fn deserialize_u16<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.number(visitor)
    }

    fn deserialize_u32<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.number(visitor)
    }

    fn deserialize_u64<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.number(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        match &self.node.kind {
            Kind::Seq(items) => self.list(items, visitor),
            Kind::Scalar(_) if self.node.is_null() => self.list(&[], visitor),
            Kind::Scalar(_) | Kind::Map(_) => Err(self.mismatch("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        match &self.node.kind {
            Kind::Map(entries) => self.map(entries, None, visitor),
            Kind::Scalar(_) if self.node.is_null() => self.map(&[], None, visitor),
            Kind::Scalar(_) | Kind::Seq(_) => Err(self.mismatch("a map")),
        }
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match &self.node.kind {
            Kind::Map(entries) => self.map(entries, Some(fields), visitor),
            Kind::Scalar(_) if self.node.is_null() => self.map(&[], Some(fields), visitor),
            Kind::Scalar(_) | Kind::Seq(_) => Err(self.mismatch("a map")),
        }
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match self.node.scalar() {
            Some(Scalar::Str(text)) => visitor.visit_enum(StrDeserializer::new(text)),
            _ => Err(self.mismatch("a string")),
        }
    }

    /// serde asks for this exactly for the values of fields that a type does not have.
    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        let root = self.context.steps.borrow().len() == 1;
        if let Some(entry) = self.key
            && !(root && matches!(entry.key.as_ref(), "apiVersion" | "kind"))
        {
            let place = Place { path: self.context.path(), start: entry.key_start, end: entry.key_end };
            let name = entry.key.clone().into_owned();
            self.context.notes.borrow_mut().unknown.push(Unknown { place, name, known: self.siblings });
        }
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'n>>
        i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier
    }
}

#[derive(Debug)]
struct Items<'c, 'n> {
    context: &'c Context<'n>,
    items: std::iter::Enumerate<std::slice::Iter<'n, Node<'n>>>,
}

impl<'n> SeqAccess<'n> for Items<'_, 'n> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some((index, node)) = self.items.next() else { return Ok(None) };
        let context = self.context;
        context
            .within(
                Step::Index(index),
                || node.caret(None),
                || seed.deserialize(NodeDeserializer { context, node, key: None, siblings: &[] }),
            )
            .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

#[derive(Debug)]
struct Entries<'c, 'n> {
    context: &'c Context<'n>,
    entries: std::slice::Iter<'n, Entry<'n>>,
    value: Option<&'n Entry<'n>>,
    skip_null: bool,
    fields: &'static [&'static str],
}

impl<'n> MapAccess<'n> for Entries<'_, 'n> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        for entry in self.entries.by_ref() {
            if self.skip_null && entry.value.is_null() {
                if self.fields.contains(&entry.key.as_ref()) {
                    let path = self.context.path().key(&*entry.key);
                    let place = Place { path, start: entry.key_start, end: entry.key_end };
                    self.context.notes.borrow_mut().null.push(place);
                }
                continue;
            }
            self.value = Some(entry);
            return seed.deserialize(BorrowedStrDeserializer::new(&entry.key)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, DeError> {
        let Some(entry) = self.value.take() else {
            return Err(DeError::new("a value was read before its key"));
        };
        let (context, siblings) = (self.context, self.fields);
        let key = Some(entry);
        context.within(
            Step::Field(&entry.key),
            || entry.value.caret(key),
            || seed.deserialize(NodeDeserializer { context, node: &entry.value, key, siblings }),
        )
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len())
    }
}

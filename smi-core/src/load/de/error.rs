//! Faults of decoding, in the words of manifests.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::Place;
use crate::diag::suggest;
use crate::load::yaml::shorten;

/// Why an object cannot be decoded.
#[derive(Debug)]
pub struct DeError(pub(super) Box<Inner>);

#[derive(Debug, Default)]
pub(super) struct Inner {
    message: String,
    help: Option<String>,
    pub(super) place: Option<Place>,
    pub(super) first: Option<(u32, u32)>,
}

impl DeError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Inner { message: message.into(), ..Inner::default() }))
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// Where.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// For a repeated key: the bytes where it stands first.
    #[must_use]
    pub fn first_key(&self) -> Option<(u32, u32)> {
        self.0.first
    }
}

impl fmt::Display for DeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for DeError {}

/// What a type wants, in the words of manifests instead of Rust's.
struct Wanted<'e>(&'e dyn Expected);

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        match text.as_str() {
            "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => f.write_str("a whole number"),
            "u8" => f.write_str("a whole number from 0 to 255"),
            "u16" => f.write_str("a whole number from 0 to 65535"),
            "u32" => f.write_str("a whole number from 0 to 4294967295"),
            "u64" | "u128" | "usize" => f.write_str("a whole number, not negative"),
            "a boolean" => f.write_str("`true` or `false`"),
            "a sequence" => f.write_str("a list"),
            other if other.starts_with("struct ") => f.write_str("a map"),
            other => f.write_str(other),
        }
    }
}

fn found(unexpected: &Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("the boolean `{value}`"),
        Unexpected::Unsigned(value) => format!("the number `{value}`"),
        Unexpected::Signed(value) => format!("the number `{value}`"),
        Unexpected::Float(value) => format!("the number `{value}`"),
        Unexpected::Char(value) => format!("the string `{value}`"),
        Unexpected::Str(value) => format!("the string `{}`", shorten(value)),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        Unexpected::Bytes(_)
        | Unexpected::NewtypeStruct
        | Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant
        | Unexpected::Other(_) => unexpected.to_string(),
    }
}

impl de::Error for DeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {}", Wanted(expected), found(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("`{field}` is missing"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let list = expected.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ");
        let error = Self::new(format!("`{}` is none of {list}", shorten(variant)));
        match suggest::closest(variant, expected.iter().copied()) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        }
    }
}

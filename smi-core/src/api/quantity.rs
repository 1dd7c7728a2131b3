//! Kubernetes quantities, read exactly (S4).
//!
//! Shape: the text as written, and its value as a whole number of a power of ten ([`Decimal`]). No floating point anywhere.
//! Source: Kubernetes API reference, `resource.Quantity`: a signed decimal with a suffix `n u m k M G T P E`, `Ki Mi Gi Ti Pi Ei`, or a
//! decimal exponent `e3`, `E-2`.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A quantity as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantity {
    text: Arc<str>,
    /// Whether it was a number in JSON, not a string.
    number: bool,
}

/// `digits × 10^exponent`, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// Digits, without trailing zeros unless they are all zero.
    pub digits: i128,
    /// Power of ten.
    pub exponent: i32,
}

impl Quantity {
    /// Text as in a manifest, `500m`.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), number: false }
    }

    /// A whole number, written as a string as Go does.
    #[must_use]
    pub fn whole(number: u64) -> Self {
        Self { text: number.to_string().into(), number: false }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its value; `None` when the text is no quantity or beyond 38 digits.
    #[must_use]
    pub fn value(&self) -> Option<Decimal> {
        parse(&self.text)
    }
}

fn parse(text: &str) -> Option<Decimal> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let mut digits: i128 = 0;
    for c in whole.chars().chain(fraction.chars()) {
        digits = digits.checked_mul(10)?.checked_add(i128::from(c.to_digit(10)?))?;
    }
    let mut exponent = i32::try_from(fraction.len()).ok()?.checked_neg()?;
    let (power, binary) = suffix_value(suffix)?;
    exponent = exponent.checked_add(power)?;
    for _ in 0..binary {
        digits = digits.checked_mul(1024)?;
    }
    if negative {
        digits = -digits;
    }
    while digits != 0 && digits % 10 == 0 {
        digits /= 10;
        exponent = exponent.checked_add(1)?;
    }
    if digits == 0 {
        exponent = 0;
    }
    Some(Decimal { digits, exponent })
}

/// Power of ten and number of factors 1024.
fn suffix_value(suffix: &str) -> Option<(i32, u32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (-9, 0),
        "u" => (-6, 0),
        "m" => (-3, 0),
        "k" => (3, 0),
        "M" => (6, 0),
        "G" => (9, 0),
        "T" => (12, 0),
        "P" => (15, 0),
        "E" => (18, 0),
        "Ki" => (0, 1),
        "Mi" => (0, 2),
        "Gi" => (0, 3),
        "Ti" => (0, 4),
        "Pi" => (0, 5),
        "Ei" => (0, 6),
        other => {
            let exponent = other.strip_prefix(['e', 'E'])?;
            // It takes one sign.
            let power: i32 = exponent.parse().ok()?;
            ((-1000..=1000).contains(&power).then_some(power)?, 0)
        }
    })
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if !self.number {
            return s.serialize_str(&self.text);
        }
        // A number stays the number that it was: above the signed ones too, and without a detour over floating point.
        match (self.text.parse::<i64>(), self.text.parse::<u64>(), self.text.parse::<f64>()) {
            (Ok(number), ..) => s.serialize_i64(number),
            (_, Ok(number), _) => s.serialize_u64(number),
            (.., Ok(number)) => s.serialize_f64(number),
            (Err(_), Err(_), Err(_)) => s.serialize_str(&self.text),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity such as `500m` or a whole number")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Quantity, E> {
                match parse(text) {
                    Some(_) => Ok(Quantity { text: text.into(), number: false }),
                    None => Err(E::custom(format_args!("`{text}` is not a quantity"))),
                }
            }

            fn visit_i64<E>(self, number: i64) -> Result<Quantity, E> {
                Ok(Quantity { text: number.to_string().into(), number: true })
            }

            fn visit_u64<E>(self, number: u64) -> Result<Quantity, E> {
                Ok(Quantity { text: number.to_string().into(), number: true })
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Quantity, E> {
                // The shortest decimal that reads back as the same number is what was written, for every number of up to 15 digits.
                // Negative zero is zero.
                self.visit_str(&(number + 0.0).to_string())
                    .map(|quantity| Quantity { number: true, ..quantity })
            }
        }
        d.deserialize_any(Visitor)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Quantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "x-kubernetes-int-or-string": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_quantities_are_exact() {
        let value = |t: &str| Quantity::new(t).value().map(|d| (d.digits, d.exponent));
        assert_eq!(value("500m"), Some((5, -1)));
        assert_eq!(value("1"), Some((1, 0)));
        assert_eq!(value("1.5"), Some((15, -1)));
        assert_eq!(value("1k"), Some((1, 3)));
        assert_eq!(value("1Ki"), Some((1024, 0)));
        assert_eq!(value("2e-3"), Some((2, -3)));
        assert_eq!(value("2e+3"), Some((2, 3)));
        for bad in ["1e++3", "1e+-3", "1e--3", "1e-+3", "1e", "1e+"] {
            assert_eq!(value(bad), None, "{bad}");
        }
        assert_eq!(value("-1"), Some((-1, 0)));
        assert_eq!(value("0m"), Some((0, 0)));
        assert_eq!(value("abc"), None);
        assert_eq!(value("1.2.3"), None);
        assert_eq!(value(""), None);
    }

    #[test]
    fn numbers_and_strings_are_written_as_read() {
        for text in ["1", "1.5", "18446744073709551615", "\"500m\"", "\"1\"", "\"1.5\""] {
            let quantity: Quantity = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&quantity).unwrap(), text);
        }
    }
}

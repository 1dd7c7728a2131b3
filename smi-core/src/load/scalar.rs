//! What a plain YAML scalar means to Kubernetes.
//!
//! kubectl turns YAML into JSON before the API server sees it, with the rules of YAML 1.1 as sigs.k8s.io/yaml (go-yaml v2) has them:
//! `yes`, `on` and `y` are true, `014` is twelve, `1_000` a thousand, sexagesimals and dates stay text. Quoted scalars are text.
//! Source: kubernetes-sigs/yaml `goyaml.v2/resolve.go`.
//! Difference, on purpose: a number with a decimal point stays a float even when it is whole, so that `weight: 1.0` is refused where a
//! whole number is wanted; numbers with an exponent but no point (`1e3`) and decimals with leading zeros (`08`) are whole.

use std::borrow::Cow;

/// A resolved scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(&'a str),
}

impl Scalar<'_> {
    /// What it is, for messages: `boolean`.
    #[must_use]
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "the boolean",
            Self::Int(_) | Self::Uint(_) | Self::Float(_) => "the number",
            Self::Str(_) => "the string",
        }
    }
}

/// Reads a scalar; `plain` means that it is neither quoted nor tagged as text.
#[must_use]
pub fn resolve(text: &str, plain: bool) -> Scalar<'_> {
    if plain { resolve_plain(text) } else { Scalar::Str(text) }
}

fn resolve_plain(text: &str) -> Scalar<'_> {
    let number = match text.as_bytes().first() {
        None => return Scalar::Null,
        Some(b'0'..=b'9' | b'+' | b'-') => number(text),
        // A leading point goes to the number reader with its underscores.
        Some(b'.') => float(text),
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => None,
        Some(_) => return Scalar::Str(text),
    };
    number.or_else(|| word(text)).unwrap_or(Scalar::Str(text))
}

fn word(text: &str) -> Option<Scalar<'static>> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

/// Integers in the four bases, then decimals with fraction or exponent.
fn number(text: &str) -> Option<Scalar<'static>> {
    let text: Cow<'_, str> =
        if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..)?),
        Some(b'+') => (false, text.get(1..)?),
        _ => (false, text.as_ref()),
    };
    if let Some(magnitude) = magnitude(digits) {
        let value = i128::from(magnitude);
        let value = if negative { -value } else { value };
        if let Ok(value) = i64::try_from(value) {
            return Some(Scalar::Int(value));
        }
        // Like Go's ParseUint, which takes no sign.
        if !text.starts_with(['+', '-']) {
            return Some(Scalar::Uint(magnitude));
        }
    }
    float(&text)
}

/// An unsigned number as Go's `ParseUint(…, 0, 64)` reads it: `0x`, `0o`, `0b`, a leading `0` for octal.
fn magnitude(digits: &str) -> Option<u64> {
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // `from_str_radix` would take another sign.
    if digits.starts_with(['+', '-']) { None } else { u64::from_str_radix(digits, radix).ok() }
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`, finite.
fn float(text: &str) -> Option<Scalar<'static>> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits_only =
        unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let starts_well = matches!(unsigned.as_bytes(), [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..]);
    if !digits_only || !starts_well {
        return None;
    }
    let value: f64 = text.parse().ok().filter(|v: &f64| v.is_finite())?;
    // 2^53: up to here every whole number is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !text.contains('.') && value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Some(Scalar::Int(value as i64));
    }
    Some(Scalar::Float(value))
}

/// The text that a plain scalar becomes as a key of a JSON object; `None` where kubectl refuses it (null).
#[must_use]
pub fn key_text(text: Cow<'_, str>, plain: bool) -> Option<Cow<'_, str>> {
    let resolved = match resolve(&text, plain) {
        Scalar::Str(_) => return Some(text),
        Scalar::Null => return None,
        Scalar::Bool(value) => value.to_string(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Uint(value) => value.to_string(),
        Scalar::Float(value) => value.to_string(),
    };
    Some(Cow::Owned(resolved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_resolve_as_kubectl_does() {
        use Scalar::{Bool, Float, Int, Null, Str, Uint};
        let table: &[(&str, Scalar<'_>)] = &[
            ("", Null),
            ("~", Null),
            ("null", Null),
            ("NULL", Null),
            ("nULL", Str("nULL")),
            ("y", Bool(true)),
            ("Yes", Bool(true)),
            ("yEs", Str("yEs")),
            ("on", Bool(true)),
            ("n", Bool(false)),
            ("OFF", Bool(false)),
            ("true", Bool(true)),
            ("tRue", Str("tRue")),
            ("0", Int(0)),
            ("-0", Int(0)),
            ("014", Int(12)),
            ("0o14", Int(12)),
            ("0b11", Int(3)),
            ("-0b11", Int(-3)),
            ("0x1f", Int(31)),
            ("0X1F", Int(31)),
            ("1_000", Int(1000)),
            ("+1", Int(1)),
            ("+-1", Str("+-1")),
            ("--1", Str("--1")),
            ("08", Int(8)),
            ("1e3", Int(1000)),
            ("1E+3", Int(1000)),
            ("1e-3", Float(0.001)),
            ("1.0", Float(1.0)),
            ("1.", Float(1.0)),
            (".5", Float(0.5)),
            ("-.5", Float(-0.5)),
            ("1.e2", Float(100.0)),
            ("1e400", Str("1e400")),
            (".", Str(".")),
            (".e5", Str(".e5")),
            ("-", Str("-")),
            ("+", Str("+")),
            ("0x", Str("0x")),
            ("0b2", Str("0b2")),
            ("9223372036854775807", Int(i64::MAX)),
            ("-9223372036854775808", Int(i64::MIN)),
            ("18446744073709551615", Uint(u64::MAX)),
            ("100000000000000000000", Float(1e20)),
            ("12:30:45", Str("12:30:45")),
            ("2001-12-14", Str("2001-12-14")),
            ("1.2.3", Str("1.2.3")),
            ("10.0.0.1", Str("10.0.0.1")),
            ("500m", Str("500m")),
            ("=", Str("=")),
            ("<<", Str("<<")),
            (".inf", Float(f64::INFINITY)),
            ("-.INF", Float(f64::NEG_INFINITY)),
            ("inf", Str("inf")),
            ("nan", Str("nan")),
            ("infinity", Str("infinity")),
            ("_1", Str("_1")),
            ("1_", Int(1)),
        ];
        for (text, wanted) in table {
            assert_eq!(resolve(text, true), *wanted, "{text:?}");
            assert_eq!(resolve(text, false), Str(text), "quoted {text:?}");
        }
        assert!(matches!(resolve(".NaN", true), Float(v) if v.is_nan()));
    }

    #[test]
    fn keys_become_text_as_json_needs_it() {
        let key = |text| key_text(Cow::Borrowed(text), true);
        assert_eq!(key("on").as_deref(), Some("true"));
        assert_eq!(key("014").as_deref(), Some("12"));
        assert_eq!(key("app").as_deref(), Some("app"));
        assert_eq!(key("~"), None);
        assert_eq!(key_text(Cow::Borrowed("on"), false).as_deref(), Some("on"));
    }
}

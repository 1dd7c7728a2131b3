//! Header patterns in words that mean the same of bytes and of characters (S7, S8).
//!
//! Header lines may hold bytes outside ASCII. Envoy reads such a line byte by byte, Go character by character (and what is no UTF-8 as
//! U+FFFD): `.` and `[^a]` take one byte there and one character here, and `(?i)k` takes the Kelvin sign too in Go. What is spelt here
//! lists ASCII characters only, but for what is repeated without end, where both readings come to the same.
//! Shape: the language of the pattern, of bytes, printed anew; only patterns that need it are.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassBytes, Hir, HirKind, Look, Repetition};

/// Matches nothing, in every engine.
const NOTHING: &str = "(?:$.)";

/// The portable text in such words; `None`: it is already. `folds`: some part ignores case.
pub(super) fn spelt(portable: &str, folds: bool) -> Option<String> {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(portable).ok()?;
    if !folds && !is_wide(&hir, false) {
        return None;
    }
    let mut out = String::with_capacity(portable.len() * 2);
    print(&hir, false, &mut out);
    Some(out)
}

/// Whether a class with bytes outside ASCII stands where it is not repeated without end.
fn is_wide(hir: &Hir, repeated: bool) -> bool {
    match hir.kind() {
        HirKind::Class(class) => !repeated && of_bytes(class).is_some_and(|class| is_open(&class)),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) => false,
        HirKind::Repetition(repetition) => is_wide(&repetition.sub, is_endless(repetition)),
        HirKind::Capture(capture) => is_wide(&capture.sub, repeated),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(|part| is_wide(part, false)),
    }
}

/// Alternatives of one ASCII character each are a class of characters even where bytes are asked for.
fn of_bytes(class: &Class) -> Option<ClassBytes> {
    match class {
        Class::Bytes(bytes) => Some(bytes.clone()),
        Class::Unicode(characters) => characters.to_byte_class(),
    }
}

/// `*` and `+`; from two on the number counts.
fn is_endless(repetition: &Repetition) -> bool {
    repetition.max.is_none() && repetition.min <= 1
}

/// Classes cannot list characters outside ASCII, so they hold all such bytes or none.
fn is_open(class: &ClassBytes) -> bool {
    class.ranges().iter().any(|range| !range.end().is_ascii())
}

fn print(hir: &Hir, repeated: bool, out: &mut String) {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => regex_syntax::escape_into(text, out),
            Err(_) => out.push_str(NOTHING),
        },
        HirKind::Class(found) => match of_bytes(found) {
            Some(bytes) => class(&bytes, repeated, out),
            None => out.push_str(NOTHING),
        },
        // No header line holds a line feed, so lines and texts begin and end alike.
        HirKind::Look(Look::Start | Look::StartLF) => out.push('^'),
        HirKind::Look(Look::End | Look::EndLF) => out.push('$'),
        HirKind::Look(_) => out.push_str(NOTHING),
        HirKind::Repetition(repetition) => {
            group(&repetition.sub, is_endless(repetition), out);
            match (repetition.min, repetition.max) {
                (0, Some(1)) => out.push('?'),
                (0, None) => out.push('*'),
                (1, None) => out.push('+'),
                (min, None) => out.push_str(&format!("{{{min},}}")),
                (min, Some(max)) => out.push_str(&format!("{{{min},{max}}}")),
            }
        }
        HirKind::Capture(capture) => group(&capture.sub, repeated, out),
        HirKind::Concat(parts) => {
            for part in parts {
                if matches!(part.kind(), HirKind::Alternation(_)) {
                    group(part, false, out);
                } else {
                    print(part, false, out);
                }
            }
        }
        HirKind::Alternation(parts) => {
            for (place, part) in parts.iter().enumerate() {
                if place > 0 {
                    out.push('|');
                }
                print(part, false, out);
            }
        }
    }
}

fn group(hir: &Hir, repeated: bool, out: &mut String) {
    if matches!(hir.kind(), HirKind::Class(_)) {
        return print(hir, repeated, out);
    }
    out.push_str("(?:");
    print(hir, repeated, out);
    out.push(')');
}

fn class(class: &ClassBytes, repeated: bool, out: &mut String) {
    let open = repeated && is_open(class);
    let mut listed = class.clone();
    if open {
        listed.negate();
    }
    let mut text = String::new();
    for range in listed.ranges().iter().filter(|range| range.start().is_ascii()) {
        let end = range.end().min(0x7f);
        byte(range.start(), &mut text);
        if end > range.start() {
            text.push('-');
            byte(end, &mut text);
        }
    }
    match (open, text.is_empty()) {
        (true, true) => out.push_str(r"[^\n]"),
        (true, false) => out.push_str(&format!("[^{text}]")),
        (false, true) => out.push_str(NOTHING),
        (false, false) => out.push_str(&format!("[{text}]")),
    }
}

fn byte(byte: u8, out: &mut String) {
    if byte.is_ascii_alphanumeric() {
        out.push(char::from(byte));
    } else {
        out.push_str(&format!("\\x{byte:02x}"));
    }
}

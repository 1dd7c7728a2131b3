//! The canonical path (S9): what is matched, and what the application receives.

use crate::ir::EncodedSlashes;

/// Why a request target is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTarget {
    /// It does not start with `/`.
    #[error("the request target is not a path")]
    NotAPath,
    /// `%2F` or `%5C`.
    #[error("the path holds an encoded slash or backslash")]
    EncodedSlash,
    /// `%00`.
    #[error("the path holds an encoded NUL")]
    EncodedNul,
    /// `\`.
    #[error("the path holds a raw backslash")]
    Backslash,
    /// `%` without two hex digits.
    #[error("the path holds a bad escape")]
    BadEscape,
    /// A control character, a space, `#`, or a byte outside ASCII.
    #[error("the path holds a byte that must be escaped")]
    RawByte,
}

/// Query removed, unreserved characters decoded, dot segments removed, slashes merged, hex digits in upper case.
///
/// # Errors
/// When the target can be read in more than one way; such a request goes nowhere.
pub fn canonical_path(target: &str, slashes: EncodedSlashes) -> Result<String, BadTarget> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if !path.starts_with('/') {
        return Err(BadTarget::NotAPath);
    }
    let decoded = decode_unreserved(path, slashes)?;
    Ok(remove_dot_segments(&decoded))
}

fn decode_unreserved(path: &str, slashes: EncodedSlashes) -> Result<String, BadTarget> {
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digit = |b: Option<u8>| {
                    b.and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok())
                };
                let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
                    return Err(BadTarget::BadEscape);
                };
                let value = high << 4 | low;
                match value {
                    0 => return Err(BadTarget::EncodedNul),
                    b'/' | b'\\' if slashes == EncodedSlashes::Refuse => return Err(BadTarget::EncodedSlash),
                    b if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') => {
                        out.push(char::from(b))
                    }
                    b => out.push_str(&format!("%{b:02X}")),
                }
            }
            b'\\' => return Err(BadTarget::Backslash),
            b'#' | 0..=b' ' | 0x7f.. => return Err(BadTarget::RawByte),
            b => out.push(char::from(b)),
        }
    }
    Ok(out)
}

/// RFC 3986 section 5.2.4, with slashes merged. A trailing dot segment leaves a trailing slash.
fn remove_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut directory = false;
    for segment in path.split('/') {
        directory = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if directory || kept.is_empty() {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_paths() {
        let ok = |t: &str| canonical_path(t, EncodedSlashes::Refuse).unwrap();
        assert_eq!(ok("/api/../secret"), "/secret");
        assert_eq!(ok("/api/%2e%2e/secret"), "/secret");
        assert_eq!(ok("//api//x"), "/api/x");
        assert_eq!(ok("/%61pi/./x?y=/../"), "/api/x");
        assert_eq!(ok("/api/.."), "/");
        assert_eq!(ok("/api/."), "/api/");
        assert_eq!(ok("/api/%7Euser%3fq"), "/api/~user%3Fq");
        assert_eq!(ok("/api/%252e%252e/secret"), "/api/%252e%252e/secret");
    }

    #[test]
    fn ambiguous_targets_are_refused() {
        let refused = |t: &str| canonical_path(t, EncodedSlashes::Refuse).unwrap_err();
        assert_eq!(refused("/api%2fx"), BadTarget::EncodedSlash);
        assert_eq!(refused("/api/..%5Csecret"), BadTarget::EncodedSlash);
        assert_eq!(refused("/api/%00"), BadTarget::EncodedNul);
        assert_eq!(refused("/api\\x"), BadTarget::Backslash);
        assert_eq!(refused("/api/%zz"), BadTarget::BadEscape);
        assert_eq!(refused("/api/x%"), BadTarget::BadEscape);
        assert_eq!(refused("/api/☃"), BadTarget::RawByte);
        assert_eq!(refused("api"), BadTarget::NotAPath);
        assert_eq!(canonical_path("/a%2fb", EncodedSlashes::Keep).unwrap(), "/a%2Fb");
    }
}

//! How Traefik reads the path of a request.
//!
//! Shape: [`received`] is what it looks at and forwards, [`matched`] what its matchers see of that.
//! Source: Traefik 3.7.15, measured (`smi-conformance/tests/live_traefik_traps`, `trap_5_1_13*`); it follows from Go's `net/url`, which
//! escapes a path anew as soon as one of its bytes should have been escaped. Then `\` becomes `%5C`, and a `%2F` beside it a slash.

/// The path that is looked at and forwarded: without query, dot segments and double slashes. `None`: 400, whatever the configuration is.
#[must_use]
pub fn received(target: &str) -> Option<String> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if !path.starts_with('/') || path.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'#') {
        return None;
    }
    let mut tidy = String::new();
    let mut bytes = Vec::new();
    let mut sound = true;
    for (byte, escaped) in units(path) {
        match (byte, escaped) {
            (b'%', false) => return None,
            (b, true) if !is_unreserved(b) => tidy.push_str(&format!("%{b:02X}")),
            (b, true) => tidy.push(char::from(b)),
            (b, false) => {
                sound &= is_unreserved(b) || KEPT.contains(&b) || ESCAPED_ANEW.contains(&b);
                tidy.push(char::from(b));
            }
        }
        bytes.push(byte);
    }
    if !sound {
        tidy.clear();
        for byte in bytes {
            if is_unreserved(byte) || KEPT.contains(&byte) {
                tidy.push(char::from(byte));
            } else {
                tidy.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    Some(clean(&tidy))
}

/// The path that matchers see: escapes of everything but reserved characters are decoded.
#[must_use]
pub fn matched(received: &str) -> String {
    let mut out = Vec::new();
    for (byte, escaped) in units(received) {
        if escaped && b":/?#[]@!$&'()*+,;=%".contains(&byte) {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What may stand in a path as it is, besides unreserved characters, also when it is escaped anew.
const KEPT: &[u8] = b"$&+,/:;=@";

/// What may stand in a path as it is, but not when another byte makes Go escape it anew.
const ESCAPED_ANEW: &[u8] = b"!'()*[]";

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Bytes of a path, and whether each stood there as an escape.
fn units(path: &str) -> impl Iterator<Item = (u8, bool)> {
    let mut bytes = path.bytes();
    std::iter::from_fn(move || {
        let byte = bytes.next()?;
        let mut ahead = bytes.clone();
        let mut digit =
            || ahead.next().and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (byte, digit(), digit()) {
            (b'%', Some(high), Some(low)) => {
                bytes = ahead;
                Some((high << 4 | low, true))
            }
            _ => Some((byte, false)),
        }
    })
}

/// As Go's `path.Clean`, with the slash at the end if there was one.
fn clean(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = kept.pop(),
            other => kept.push(other),
        }
    }
    let end = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a live Traefik forwarded.
    #[test]
    fn s9_measured_paths() {
        for (target, forwarded) in [
            ("/a/%2e%2e/b?x=/../", "/b"),
            ("//a///b/", "/a/b/"),
            ("/x/.", "/x"),
            ("/x/y/..", "/x"),
            ("/..", "/"),
            ("/%61%7e%3fq", "/a~%3Fq"),
            (r"/.\a", "/.%5Ca"),
            (r"/api\../one/x", "/api%5C../one/x"),
            (r"/a\b/../c", "/c"),
            (r"/a\b/%2e%2e/c", "/c"),
            ("/a%2Fb/../c", "/c"),
            ("/a%00/../c", "/c"),
            ("/a%2F../c", "/a%2F../c"),
            (r"/a\b/../c%2Fd", "/c/d"),
            (r"/a\b%2F..%2Fc", "/c"),
            (r"/a\b%252F..%252Fc", "/a%5Cb%252F..%252Fc"),
            ("/a|%2fb", "/a%7C/b"),
            ("/a|b!%3F", "/a%7Cb%21%3F"),
            ("/a!%2fb", "/a!%2Fb"),
            ("/a\u{2603}%2fb", "/a%E2%98%83/b"),
        ] {
            assert_eq!(received(target).as_deref(), Some(forwarded), "{target}");
        }
        for refused in ["/a%zz/../c", "/a%", "/a%4", "/a#b/../c", "/a b", "/a\u{7f}", "a", ""] {
            assert_eq!(received(refused), None, "{refused}");
        }
    }

    #[test]
    fn s9_matchers_see_reserved_characters_as_they_stand() {
        assert_eq!(matched("/a%7Cb%3Fc%2Fd%5Ce%25f"), "/a|b%3Fc%2Fd\\e%25f");
    }
}

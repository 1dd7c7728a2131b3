//! Text of the user's in lines for people.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with everything escaped (`\u{1b}`) that could steer a terminal or reorder a line: control characters, line ends and marks that
/// change the direction of writing or take no room.
///
/// ```
/// use smi_core::diag::printable;
///
/// assert_eq!(printable("a\u{1b}[2J\n\u{202e}b"), r"a\u{1b}[2J\u{a}\u{202e}b");
/// ```
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(misleads) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if misleads(c) {
            // Writing to a string does not fail.
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Marks of direction, embeddings and isolates.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Without room: two names that look alike.
            | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
            // Ends of lines and paragraphs.
            | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in ["", "SMI0008", "`/items?x=\\`", "Grüße, 世界 ☃ é"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        let text = "\u{0}\u{7}\u{8}\t\n\r\u{1b}\u{7f}\u{9b}31m\u{85}\u{200b}\u{200f}\u{2028}\u{202e}\u{2067}\u{feff}\u{e0041}";
        let shown = printable(text);
        assert!(shown.is_ascii() && !shown.bytes().any(|b| b.is_ascii_control()), "{shown}");
        assert_eq!(printable("\u{1b}]0;x\u{7}"), "\\u{1b}]0;x\\u{7}");
    }
}

//! JSON texts that are not YAML: several objects one after the other, without `---`.

use std::ops::Range;

use serde::de::IgnoredAny;

/// The places of the values of a text that consists of two or more JSON objects; `None` for any other text.
pub(super) fn values(text: &str) -> Option<Vec<Range<usize>>> {
    let start = text.find('{')?;
    let before = text.get(..start)?;
    // A byte order mark, or the marker that begins the piece.
    if !before.trim_start_matches('\u{feff}').trim_start_matches("---").trim().is_empty() {
        return None;
    }
    let mut stream = serde_json::Deserializer::from_str(text.get(start..)?).into_iter::<IgnoredAny>();
    let mut values = Vec::new();
    loop {
        let from = start + stream.byte_offset();
        match stream.next() {
            None => break,
            Some(Ok(IgnoredAny)) => values.push(from..start + stream.byte_offset()),
            Some(Err(_)) => return None,
        }
    }
    (values.len() > 1).then_some(values)
}

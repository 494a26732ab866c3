//! Reading JSON without losing a digit, and the names in JSON pointers.

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};

/// Deepest nesting that is read; a reply beyond it is no billing object.
const MAX_DEPTH: usize = 64;

/// Parses JSON so that every number which is not a 64-bit integer becomes a string of its own digits.
///
/// `serde_json::Value` would push those numbers through a binary float. Which strings are numbers is known to the
/// [`Shape`](super::Shape) that reads the value next.
///
/// # Errors
/// When the text is not JSON, or nested deeper than 64 levels.
pub fn parse_exact(text: &str) -> Result<Value, serde_json::Error> {
    exact(serde_json::from_str::<&RawValue>(text)?, MAX_DEPTH)
}

fn exact(raw: &RawValue, depth: usize) -> Result<Value, serde_json::Error> {
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| <serde_json::Error as serde::de::Error>::custom("nested too deeply"))?;
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<BTreeMap<String, &RawValue>>(text)?
            .into_iter()
            .map(|(key, raw)| Ok((key, exact(raw, depth)?)))
            .collect(),
        Some(b'[') => {
            serde_json::from_str::<Vec<&RawValue>>(text)?.into_iter().map(|raw| exact(raw, depth)).collect()
        }
        Some(b'-' | b'0'..=b'9') => {
            Ok(text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from))
        }
        _ => serde_json::from_str(text),
    }
}

/// A name as one segment of a JSON pointer (RFC 6901).
#[must_use]
pub fn to_segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The name that a segment of a JSON pointer stands for.
#[must_use]
pub fn of_segment(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_keep_every_digit() {
        let value =
            parse_exact(r#"{"a": [0.1234567890123456789012345678, 7], "b": null, "c": "x"}"#).unwrap();
        assert_eq!(value, json!({"a": ["0.1234567890123456789012345678", 7], "b": null, "c": "x"}));
    }

    #[test]
    fn a_name_is_the_same_after_it_was_in_a_pointer() {
        for (name, segment) in [("team", "team"), ("a/b", "a~1b"), ("~1", "~01"), ("~/", "~0~1")] {
            assert_eq!((to_segment(name), of_segment(segment)), (segment.to_owned(), name.to_owned()));
        }
    }

    #[test]
    fn text_that_is_not_json_is_an_error() {
        assert!(parse_exact("<html>").is_err());
        assert!(parse_exact(&"[".repeat(100_000)).is_err());
    }
}

//! What is said of a value that its schema does not take.

use serde_json::{Map, Value};

use super::text;
use crate::terms::decimal::{MAX_LENGTH, Range};

/// What belongs in the place of a value of another type.
pub(super) fn expected(schema: &Value, kind: &str, value: &Value) -> String {
    let is_decimal = text(schema, "pattern").and_then(Range::of_pattern).is_some();
    match (kind, value) {
        ("string", Value::Number(number)) if is_decimal => match as_written(&number.to_string()) {
            Some(number) => format!("in quotes, \"{number}\": a bare number may lose digits"),
            None => "in quotes: a bare number loses digits, as this one does".to_owned(),
        },
        // Somebody may have written `no`, which means false, or digits of which a number has other ones.
        ("string", Value::Number(_) | Value::Bool(_)) => {
            format!("text, in quotes: without them, it means {value}")
        }
        ("object", _) => format!("a mapping of fields, not {}", shown(value)),
        ("array", _) => format!("a list, not {}", shown(value)),
        ("integer", Value::String(text)) if text.parse::<i64>().is_ok() => {
            format!("a whole number, without quotes: {text}")
        }
        ("integer", _) => format!("a whole number, not {}", shown(value)),
        ("boolean", _) => format!("true or false, not {}", shown(value)),
        _ => format!("text, not {}", shown(value)),
    }
}

/// A number that was read, if that is the one that was written: with more digits than a binary float holds, it may not be.
fn as_written(number: &str) -> Option<&str> {
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte));
    (is_plain && number.len() <= FLOAT_DIGITS).then_some(number)
}

/// What to say of a field that does not exist and has no value. Between braces a comma ends an entry, so that `100,000` is
/// 100 and a field `000`: the amount that was meant would be lost without a word.
pub(super) fn nothing(name: &str, known: Option<&Map<String, Value>>) -> String {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return "is no field, but what follows a comma: between braces, a number must be written without commas".to_owned();
    }
    format!("{}, and it has no value", unknown(name, known).trim_end_matches('?'))
}

/// What to say of a field that does not exist.
pub(super) fn unknown(name: &str, known: Option<&Map<String, Value>>) -> String {
    // As the billing APIs' own documentation writes fields: `access_schedule`.
    let plain = |name: &str| name.replace(['_', '-', ' '], "").to_lowercase();
    let written = plain(name);
    let names = known.into_iter().flat_map(Map::keys);
    let near = names.map(|known| (strsim::damerau_levenshtein(&written, &plain(known)), known)).min();
    match near {
        Some((distance, near)) if distance <= 3 => format!("is no field; did you mean `{near}`?"),
        _ => "is no field here".to_owned(),
    }
}

/// What to say of text that does not fit a pattern.
pub(super) fn misfit(pattern: &str, value: &str) -> String {
    let form = match Range::of_pattern(pattern) {
        Some(range) => format!("{range}, {}", digits(range, value)),
        None => form(pattern).map_or_else(|| format!("text that matches {pattern}"), str::to_owned),
    };
    format!("must be {form}, not {}", quoted(value))
}

/// How a decimal is to be written, as far as a text that is none lacks it.
fn digits(range: Range, text: &str) -> &'static str {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte));
    match range {
        _ if is_plain && text.len() > MAX_LENGTH => "of at most 28 digits in all",
        Range::Any | Range::NonNegative => "in plain digits such as 1250.50",
        Range::Whole | Range::Integer => "in plain digits such as 1250",
        Range::Fraction => "in plain digits",
    }
}

/// What a pattern of our definitions stands for, where it is no decimal's.
pub(super) fn form(pattern: &str) -> Option<&'static str> {
    FORMS.iter().find(|(known, _)| *known == pattern).map(|(_, form)| *form)
}

/// Patterns, and what they stand for.
const FORMS: [(&str, &str); 8] = [
    ("^/", "a place that begins with `/`, such as /notes"),
    ("^[A-Z]{3}$", "three capital letters, such as USD"),
    (
        "^[0-9a-f]{32}$",
        "32 of the characters 0 to 9 and a to f, as `status.plan.digest` of the contract has them",
    ),
    (
        "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "an ID in lower case, such as 6f0c3f0e-6b7e-4b8e-9f0a-2b1f6f1f7a11",
    ),
    ("^[-._a-zA-Z0-9]+$", "letters, digits, `-`, `_` and `.`"),
    (
        "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "lower case letters, digits, `-` and `.`, and begin and end with one of the first two",
    ),
    (
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "lower case letters, digits and `-`, and begin and end with one of the first two",
    ),
    ("^https?://[^/?#]+/?$", "an address without a path, such as https://api.example.com"),
];

/// Digits that a binary float holds.
const FLOAT_DIGITS: usize = 15;
/// Most characters of a value that a message shows.
pub(super) const SHOWN: usize = 60;

/// A value for people, shortened.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "a mapping".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        value => value.to_string().chars().take(SHOWN).collect(),
    }
}

/// Text in quotes, cut where it is long; what cannot be seen stands there as an escape.
fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown:?}…") } else { format!("{shown:?}") }
}

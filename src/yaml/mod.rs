//! YAML, as Kubernetes reads it: several documents in one text, each a JSON value, with the place of every part of it.
//!
//! The API server, kubectl and Flux read YAML 1.1 with Go's rules: a bare `no` is false and `012` is ten. What is read
//! here is what they would read, or a file would be called sound that the cluster refuses.

mod build;
mod hint;
mod json;
mod scalar;
mod tidy;

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::Value;

pub use self::{json::parse_json, tidy::tidy};

use self::build::Builder;

/// A place in a text: line and column, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// Text that is no YAML that Kubernetes takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.place.line, self.place.column, self.message)
    }
}

impl std::error::Error for SyntaxError {}

/// Where a document stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    start: usize,
    end: usize,
    /// Lines before it.
    lines: usize,
}

impl Part {
    /// The place of every part of the document, by its JSON pointer: of members, that of their key. `text` is the one that
    /// the document was read from.
    #[must_use]
    pub fn places(self, text: &str) -> BTreeMap<String, Place> {
        let mut builder = Builder::new(self.of(text), self.lines).with_places();
        // An error is told where the document was read; places before it are of use all the same.
        let _ = builder.document();
        builder.into_places()
    }

    /// What the document says; null when it is empty. `text` is the one that it stands in.
    ///
    /// # Errors
    /// Where it is no YAML, or says one key twice.
    pub fn value(self, text: &str) -> Result<Value, SyntaxError> {
        read(self.of(text), self.lines)
    }

    /// The line that it begins in.
    #[must_use]
    pub const fn line(self) -> usize {
        self.lines + 1
    }

    /// Its text.
    #[must_use]
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// Reads the text of one document that so many lines stand before.
fn read(text: &str, lines: usize) -> Result<Value, SyntaxError> {
    if let Some((index, line)) = text.lines().enumerate().find(|(_, line)| is_marker(line)) {
        let rest = line.strip_prefix(MARKER).unwrap_or_default().trim_start();
        if !rest.is_empty() && !rest.starts_with('#') {
            let message = "must stand alone in its line: kubectl refuses what follows `---` there";
            let place = Place { line: lines + index + 1, column: 1 };
            return Err(SyntaxError { message: message.to_owned(), place });
        }
    }
    Builder::new(text, lines).document().map_err(|error| match hint::cure(text, lines, error.place) {
        Some(cure) => SyntaxError { message: format!("{}; {cure}", error.message), ..error },
        None => error,
    })
}

/// What a document begins with, beside the first.
const MARKER: &str = "---";

/// Whether a line begins a document.
fn is_marker(line: &str) -> bool {
    line.strip_prefix(MARKER).is_some_and(|rest| rest.chars().next().is_none_or(char::is_whitespace))
}

/// Reads every document; empty ones are left out.
///
/// # Errors
/// Where the text is no YAML, or says one key twice.
pub fn parse_documents(text: &str) -> Result<Vec<Value>, SyntaxError> {
    let values: Result<Vec<_>, _> = parts(text).into_iter().map(|part| part.value(text)).collect();
    Ok(values?.into_iter().filter(|value| !value.is_null()).collect())
}

/// Writes one document.
///
/// # Errors
/// When the value has something that YAML cannot say.
pub fn to_string(value: &impl Serialize) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(value)
}

/// The documents of a text, those with errors and empty ones included: each from its `---` on, so that an error in one hides
/// no other, or each of several JSON values in a row.
#[must_use]
pub fn parts(text: &str) -> Vec<Part> {
    json::several(text).unwrap_or_else(|| split(text))
}

fn split(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut start, mut lines, mut has_content, mut offset) = (0, 0, false, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let is_marker = is_marker(line);
        if is_marker && has_content {
            parts.push(Part { start, end: offset, lines });
            (start, lines) = (offset, number);
        }
        // A comment or a directive before the first `---` belongs to the document that follows.
        has_content |= is_marker || !matches!(line.trim_start().chars().next(), None | Some('#' | '%'));
        offset += line.len();
    }
    parts.push(Part { start, end: offset, lines });
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_read_in_order_and_empty_ones_left_out() {
        let text = "---\na: 1\n---\n# nothing\n---\nb: [x, 2026-01-01T00:00:00Z]\n";
        assert_eq!(
            parse_documents(text).unwrap(),
            [json!({"a": 1}), json!({"b": ["x", "2026-01-01T00:00:00Z"]})]
        );
        assert_eq!(parse_documents("").unwrap(), [Value::Null; 0]);
        assert_eq!(parse_documents("%YAML 1.2\n# one\n---\na: 1\n--- # two\nb: 2\n").unwrap().len(), 2);
    }

    #[test]
    fn a_key_that_is_written_twice_is_an_error_with_its_place() {
        let error = parse_documents("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(error.place, Place { line: 3, column: 1 });
        assert!(error.message.contains("`a`") && error.message.contains("line 1"), "{error}");
    }

    #[test]
    fn what_kubectl_refuses_after_the_mark_of_a_document_is_refused() {
        for text in ["a: 1\n--- {b: 2}\n", "a: 1\n--- !!map\nb: 2\n", "a: 1\n--- text\n"] {
            let error = parse_documents(text).unwrap_err();
            assert_eq!(error.place, Place { line: 2, column: 1 }, "{text}");
            assert!(error.message.contains("must stand alone"), "{error}");
        }
    }

    #[test]
    fn what_most_likely_broke_the_text_is_said_with_the_cure() {
        for (text, part) in [
            ("a:\n  b: 1\n\tc: 2\n", "line 3 is indented by a tab"),
            ("a: 1\n\u{a0}\u{a0}b: 2\nc: [\n", "(U+00A0)"),
            ("a:\n<<<<<<< HEAD\n  b: 1\n=======\n  b: 2\n>>>>>>> other\n", "a merge left its marks"),
            ("{{- if .Values.x }}\na: 1\n{{- end }}\n", "a template"),
            ("a: 1\n---\nb: {{ .Values.b }}\n", "a template"),
        ] {
            let error = parse_documents(text).unwrap_err();
            assert!(error.message.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn an_error_in_one_document_hides_no_other() {
        let text = "a: [\n---\nb: 1\n---\nc: {\n---\nd: 2\n";
        let read: Vec<_> = parts(text).into_iter().map(|part| part.value(text)).collect();
        let values: Vec<_> = read.iter().map(|value| value.as_ref().ok()).collect();
        assert_eq!(values, [None, Some(&json!({"b": 1})), None, Some(&json!({"d": 2}))]);
        let lines = read.iter().filter_map(|value| Some(value.as_ref().err()?.place.line));
        assert!(lines.eq([1, 5]) || read[2].as_ref().unwrap_err().place.line >= 5, "{read:#?}");
    }

    #[test]
    fn there_are_as_many_documents_in_a_text_as_somebody_writes() {
        assert_eq!(parse_documents(&"---\na: 1\n".repeat(5000)).unwrap().len(), 5000);
    }

    #[test]
    fn each_part_is_found_again_by_its_pointer() {
        let text = "# first\n---\na: 1\n---\nb:\n  - c: 1\n    d: [x, 'y']\n  - &e {f: 2}\n  - *e\n";
        let places = parts(text)[1].places(text);
        let place = |pointer: &str| places.get(pointer).map(|place| (place.line, place.column));
        assert_eq!(place("/b"), Some((5, 1)));
        assert_eq!(place("/b/0"), Some((6, 5)));
        assert_eq!(place("/b/0/d"), Some((7, 5)));
        assert_eq!(place("/b/0/d/1"), Some((7, 12)));
        assert_eq!(place("/b/1/f").map(|place| place.0), Some(8));
        assert_eq!(place("/b/2").map(|place| place.0), Some(9));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let value =
            json!({"amount": "0.50", "no": "no", "time": "2026-01-01T00:00:00Z", "list": [{"a": null}]});
        let text = to_string(&value).unwrap();
        assert_eq!(parse_documents(&text).unwrap(), [value], "{text}");
    }
}

//! YAML, as Kubernetes reads it: several documents in one text, each a JSON value.

use serde::Serialize;
use serde_json::Value;

/// Reads every document; empty ones are left out.
///
/// # Errors
/// Where the text is no YAML, or says one key twice.
pub fn parse_documents(text: &str) -> Result<Vec<Value>, serde_saphyr::Error> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Writes one document.
///
/// # Errors
/// When the value has something that YAML cannot say.
pub fn to_string(value: &impl Serialize) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(value)
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
    }

    #[test]
    fn a_key_that_is_written_twice_is_an_error_with_its_place() {
        let error = parse_documents("a: 1\nb: 2\na: 3\n").unwrap_err().to_string();
        assert!(error.contains('3') && error.contains('a'), "{error}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let value =
            json!({"amount": "0.50", "no": "no", "time": "2026-01-01T00:00:00Z", "list": [{"a": null}]});
        let text = to_string(&value).unwrap();
        assert_eq!(parse_documents(&text).unwrap(), [value], "{text}");
    }
}

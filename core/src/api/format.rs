//! In which format something is kept on record, in statuses and beside them: versions of the operator take turns, and none may
//! lose or misread what another one remembers.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The highest format that this version reads, and writes by leaving it out. A version that remembers what an earlier one would
/// lose, or take for something else, has a higher one. What is only shown needs none.
pub const FORMAT: i32 = 1;

/// Checks that this version reads a format; one that is left out is the first.
///
/// # Errors
/// What people are told: a later version has written it, as far as anybody can tell.
pub fn check_format(format: Option<&Value>) -> Result<(), String> {
    let reads = |format: &Value| format.as_i64().is_some_and(|format| format <= i64::from(FORMAT));
    match format.filter(|format| !format.is_null() && !reads(format)) {
        None => Ok(()),
        Some(format) => Err(format!(
            "a later version of Countersign has written it, in format {format}, and this one reads formats up to {FORMAT}. Run \
             that version, or a later one"
        )),
    }
}

/// Reads what is on record beside statuses, with the member `format` where a later version than the first has written it.
///
/// # Errors
/// Why this version cannot read it.
pub fn read_record<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    check_format(value.get("format"))?;
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_later_version_has_written_is_not_read() {
        for read in [None, Some(json!(null)), Some(json!(1)), Some(json!(FORMAT))] {
            assert_eq!(check_format(read.as_ref()), Ok(()));
        }
        for later in [json!(FORMAT + 1), json!(u64::MAX), json!("2"), json!({})] {
            let why = check_format(Some(&later)).unwrap_err();
            assert!(
                why.contains(&format!("in format {later}, and this one reads formats up to {FORMAT}")),
                "{why}"
            );
        }
    }

    #[test]
    fn what_a_later_version_has_on_record_is_not_read_as_if_it_were_known() {
        let read = |text: &str| read_record::<BTreeMap<String, i32>>(text);
        assert_eq!(read(r#"{"format": 1}"#), Ok([("format".to_owned(), 1)].into()));
        assert!(read(r#"{"format": 2}"#).unwrap_err().contains("in format 2"));
        assert!(read(r#"{"rounds": "one"}"#).unwrap_err().contains("one"));
        assert!(read("soon").is_err());
    }
}

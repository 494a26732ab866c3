//! In which format something is kept on record, in statuses and beside them: versions of the operator take turns, and none may
//! lose or misread what another one remembers.

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

#[cfg(test)]
mod tests {
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
}

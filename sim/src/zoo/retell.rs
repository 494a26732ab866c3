//! A contract told in other words that mean the same, as a server with a database of its own may: rows in another
//! order, decimals and times spelled differently, nulls left out. Whoever compares what it wrote with what it reads
//! back must not see a difference. Pure.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The same contract in other words.
///
/// # Errors
/// When `view` is not JSON.
pub(super) fn retell(view: &str) -> Result<Box<RawValue>, serde_json::Error> {
    value("", serde_json::from_str(view)?)
}

fn value(field: &str, raw: &RawValue) -> Result<Box<RawValue>, serde_json::Error> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            let mut fields: BTreeMap<&str, Box<RawValue>> = BTreeMap::new();
            for (name, raw) in serde_json::from_str::<BTreeMap<&str, &RawValue>>(text)? {
                if raw.get() != "null" {
                    fields.insert(name, value(name, raw)?);
                }
            }
            serde_json::value::to_raw_value(&fields)
        }
        Some(b'[') => {
            let rows: Vec<&RawValue> = serde_json::from_str(text)?;
            let rows: Result<Vec<_>, _> = rows.into_iter().rev().map(|row| value("", row)).collect();
            serde_json::value::to_raw_value(&rows?)
        }
        _ if field.ends_with("_amount") || field == "unit_price" => RawValue::from_string(decimal(text)),
        _ if field.ends_with("_at") => RawValue::from_string(text.replace("Z\"", "+00:00\"")),
        _ => Ok(raw.to_owned()),
    }
}

/// The same decimal with a place more: `5` becomes `5.0`, and `0.5` becomes `0.50`.
fn decimal(text: &str) -> String {
    let (mantissa, exponent) = text.find(['e', 'E']).map_or((text, ""), |position| text.split_at(position));
    let point = if mantissa.contains('.') { "" } else { "." };
    format!("{mantissa}{point}0{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_change() {
        let view = r#"{"name":"5","notes":null,"term_end_at":"2027-01-01T00:00:00Z","periods":[
            {"period_index":0,"commitment_amount":5},{"period_index":1,"commitment_amount":1.5e3}]}"#;
        let retold = r#"{"name":"5","periods":[{"commitment_amount":1.50e3,"period_index":1},{"commitment_amount":5.0,"period_index":0}],"term_end_at":"2027-01-01T00:00:00+00:00"}"#;
        assert_eq!(retell(view).unwrap().get(), retold);
    }
}

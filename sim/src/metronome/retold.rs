//! What is told, in other words that mean the same: rows in another order, decimals and times spelled differently,
//! words in lower case, nulls where there was nothing. Who compares what it wrote with what it reads back must not see
//! a difference. Pure.

use super::value::{Fields, Json};

/// Words that are known to come in lower case as well.
const LOWER: [&str; 4] = ["type", "target", "rate_type", "multiplier_override_prioritization"];

/// The same in other words.
pub(super) fn fields(told: Fields) -> Fields {
    let is_item = told.has("id");
    let retold = told.into_iter().map(|(name, value)| {
        let value = if LOWER.contains(&name.as_str()) { lower(value) } else { json(value) };
        (name, value)
    });
    let mut retold: Fields = retold.collect();
    if is_item {
        for nothing in ["archived_at", "ending_before", "description"] {
            if retold.get(nothing).is_none() {
                retold.set(nothing, Json::Null);
            }
        }
    }
    retold
}

fn json(told: Json) -> Json {
    match told {
        Json::Number(digits) => Json::Number(longer(&digits)),
        Json::Text(text) => {
            Json::Text(text.strip_suffix("+00:00").map_or(text.clone(), |time| format!("{time}Z")))
        }
        Json::List(values) => {
            let rows = values.iter().all(|value| value.object().is_some_and(|row| row.has("id")));
            let values = values.into_iter().map(json);
            Json::List(if rows { values.rev().collect() } else { values.collect() })
        }
        Json::Object(object) => fields(object).into(),
        other => other,
    }
}

fn lower(value: Json) -> Json {
    match value {
        Json::Text(word) => Json::Text(word.to_ascii_lowercase()),
        other => json(other),
    }
}

/// The same decimal with a place more: `5` becomes `5.0`, and `0.5` becomes `0.50`.
fn longer(digits: &str) -> String {
    let (mantissa, exponent) =
        digits.find(['e', 'E']).map_or((digits, ""), |position| digits.split_at(position));
    let point = if mantissa.contains('.') { "" } else { "." };
    format!("{mantissa}{point}0{exponent}")
}

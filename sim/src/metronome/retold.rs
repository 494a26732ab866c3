//! What is told, in other words that mean the same: rows in another order, decimals and times spelled differently,
//! words in lower case, nulls where there was nothing. Who compares what it wrote with what it reads back must not see
//! a difference. And what is told otherwise than it was sent, where there is one. Pure.

use super::switches::{OverrideRates, Tags, Texts};
use super::value::{Fields, Json};
use crate::settings::Settings;

/// Words that are known to come in lower case as well.
const LOWER: [&str; 4] = ["type", "target", "rate_type", "multiplier_override_prioritization"];

/// What the service has made of what it was sent, where the settings say that it does: unlike [`fields`], this is not
/// the same any more. Custom fields are left alone.
pub(super) fn altered(told: Json, settings: &Settings) -> Json {
    match told {
        Json::List(values) => {
            values.into_iter().map(|value| altered(value, settings)).collect::<Vec<_>>().into()
        }
        Json::Object(object) => {
            let told = object.into_iter().map(|(name, value)| {
                let value = altered_field(&name, value, settings);
                (name, value)
            });
            Json::Object(told.collect())
        }
        other => other,
    }
}

fn altered_field(name: &str, value: Json, settings: &Settings) -> Json {
    let trims = settings.metronome_texts == Texts::Trimmed;
    let lowers = settings.metronome_tags == Tags::LowerCase;
    let fills = settings.metronome_override_rates == OverrideRates::Filled;
    match (name, value) {
        (custom, value) if custom.ends_with("custom_fields") => value,
        ("name" | "contract_name" | "description", Json::Text(text)) if trims => text.trim().into(),
        ("product_tags" | "applicable_product_tags", Json::List(tags)) if lowers => {
            Json::List(tags.into_iter().map(lower).collect())
        }
        ("overwrite_rate", Json::Object(mut rate)) if fills => {
            rate.set_default("is_prorated", false);
            rate.into()
        }
        (_, value) => altered(value, settings),
    }
}

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

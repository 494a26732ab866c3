//! Rules of single values, which hold wherever such a value stands: what the schema bounds, and full hours.
//!
//! Walks terms by their schema, so that no field is forgotten. The API server checks the same bounds; files that have
//! not met one are checked here.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    terms::{Decimal, Timestamp, decimal::Range, text::ItemKey},
    validate::Violations,
};

/// Checks every value of terms.
pub(super) fn check_values(schema: &Value, terms: &impl Serialize, found: &mut Violations) {
    if let Ok(Value::Object(members)) = serde_json::to_value(terms) {
        check_members(schema, &members, found);
    }
}

fn check_members(schema: &Value, members: &Map<String, Value>, found: &mut Violations) {
    for (name, value) in members {
        let schema = schema.get("properties").and_then(|properties| properties.get(name));
        if let Some(schema) = schema {
            check_member(schema, name, value, found);
        }
    }
}

fn check_member(schema: &Value, name: &str, value: &Value, found: &mut Violations) {
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    if let Some(schema) = alternatives.and_then(|alternatives| alternatives.first()) {
        return check_member(schema, name, value, found);
    }
    match value {
        Value::String(text) => check_text(schema, name, text, found),
        Value::Number(number) => {
            let bound = |bound| schema.get(bound).and_then(Value::as_i64);
            let (least, most) = (bound("minimum").unwrap_or(i64::MIN), bound("maximum").unwrap_or(i64::MAX));
            let allowed = number.as_i64().is_none_or(|number| (least..=most).contains(&number));
            found.check(allowed, name, || format!("must be from {least} to {most}, not {number}"));
        }
        Value::Array(items) => check_list(schema, name, items, found),
        Value::Object(members) => {
            check_size(schema, "Properties", name, members.len(), found);
            if let Some(schema) = schema.get("additionalProperties") {
                let each = |(key, value): (&String, _)| {
                    check_member(schema, &format!("{name}[{key}]"), value, found);
                };
                members.iter().for_each(each);
            }
            found.within(name, |found| check_members(schema, members, found));
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_text(schema: &Value, name: &str, text: &str, found: &mut Violations) {
    let pattern = schema.get("pattern").and_then(Value::as_str);
    if let Some(range) = pattern.and_then(Range::of_pattern) {
        let allowed = text.parse::<Decimal>().is_ok_and(|decimal| range.allows(decimal));
        found.check(allowed, name, || format!("must be {range}, not {text}"));
    } else if pattern == Some(ItemKey::PATTERN) {
        found.check(ItemKey::is_well_formed(text), name, || {
            format!(
                "must be lower-case letters, digits and inner hyphens, such as `prepaid-2026`, not {text:?}"
            )
        });
    } else if schema.get("format").is_some_and(|format| format == "date-time") {
        found.check(text.parse().is_ok_and(Timestamp::is_full_hour), name, || {
            format!("must be a full hour, such as 2026-01-01T00:00:00Z, not {text}")
        });
    }
    check_size(schema, "Length", name, text.chars().count(), found);
}

fn check_list(schema: &Value, name: &str, items: &[Value], found: &mut Violations) {
    check_size(schema, "Items", name, items.len(), found);
    let is_set = schema.get("x-kubernetes-list-type").is_some_and(|kind| kind == "set");
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let key = key_of(schema, item);
        let place = format!("{name}[{}]", key.clone().unwrap_or_else(|| index.to_string()));
        if let Some(identity) = key.or_else(|| item.as_str().filter(|_| is_set).map(str::to_owned)) {
            let message = format!("repeats {identity:?}, which may stand in the list once");
            found.check(seen.insert(identity), &place, || message);
        }
        if let Some(schema) = schema.get("items") {
            check_member(schema, &place, item, found);
        }
    }
}

/// What identifies an item of a keyed list.
fn key_of(list: &Value, item: &Value) -> Option<String> {
    let keys = list.get("x-kubernetes-list-map-keys")?.as_array()?;
    let key = |name: &Value| item.get(name.as_str()?)?.as_str();
    keys.iter().map(key).collect::<Option<Vec<_>>>().map(|keys| keys.join(","))
}

/// Checks a length against the schema's `max…` and `min…`.
fn check_size(schema: &Value, of: &str, name: &str, size: usize, found: &mut Violations) {
    let bound = |end| schema.get(format!("{end}{of}")).and_then(Value::as_u64);
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    let unit = match of {
        "Length" => "characters",
        "Items" => "items",
        _ => "members",
    };
    if let Some(most) = bound("max") {
        found.check(size <= most, name, || format!("must have at most {most} {unit}, not {size}"));
    }
    if let Some(least) = bound("min") {
        found.check(size >= least, name, || format!("must have at least {least} {unit}, not {size}"));
    }
}

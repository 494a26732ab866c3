//! One value of the terms as text.

use serde_json::{Map, Value};

use crate::{
    plan::unit::{US_CENTS, Unit, is_amount, is_rate, item_key, unit_in},
    terms::{Decimal, json::to_segment, text::seen},
};

/// Members that say what an object is: they go first.
const TITLES: [&str; 3] = ["name", "displayName", "code"];
/// Members that an item of a list goes by: they stand in its path already.
const KEYS: [&str; 1] = ["key"];

/// An amount as a number of its unit, and the unit's name apart.
#[must_use]
pub fn number(amount: Decimal, unit: &Unit) -> (Decimal, &str) {
    unit.in_label(amount).map_or((amount, US_CENTS), |number| (number, unit.label()))
}

/// An amount with its unit: `1200.00 USD`.
pub(super) fn money(amount: Decimal, unit: &Unit) -> String {
    let (number, label) = number(amount, unit);
    format!("{number} {}", plain(label))
}

/// The number that a member of this name holds, if it is an amount of money or a factor on one.
pub(super) fn rate(name: &str, value: &Value) -> Option<Decimal> {
    value
        .as_str()
        .filter(|_| is_amount(name) || is_rate(name))
        .and_then(|digits| Decimal::from_wire(digits).ok())
}

/// Text on one line: what nobody sees is a space.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(seen).collect()
}

/// A value of a member as words: amounts with their unit, an object as its members, a list as its items.
pub(super) fn words(name: &str, value: &Value, around: Option<&Unit>) -> String {
    match value {
        Value::Object(members) => members_in_words(members, unit_in(value, around).as_ref()),
        Value::Array(items) => items_in_words(name, items, around),
        Value::String(text) => match (rate(name, value), around) {
            (Some(amount), Some(unit)) if is_amount(name) => money(amount, unit),
            _ => plain(text),
        },
        other => other.to_string(),
    }
}

fn members_in_words(members: &Map<String, Value>, unit: Option<&Unit>) -> String {
    if let Some(tier) = tier_in_words(members, unit) {
        return tier;
    }
    let titles = TITLES.iter().filter_map(|title| members.get_key_value(*title));
    let is_shown = |name: &str, value: &Value| {
        let is_empty = value.as_array().is_some_and(Vec::is_empty);
        !TITLES.contains(&name) && !KEYS.contains(&name) && !is_empty
    };
    let others = members.iter().filter(|(name, value)| is_shown(name, value));
    let words = titles.map(|(name, value)| words(name, value, unit)).chain(others.map(|(name, value)| {
        let words = words(name, value, unit);
        if value.is_object() { format!("{name} ({words})") } else { format!("{name} {words}") }
    }));
    words.collect::<Vec<_>>().join(", ")
}

/// A price for a range of quantities: `0 to 100000 at 0.5 USD`, `from 100000 at 0.42 USD`.
fn tier_in_words(members: &Map<String, Value>, unit: Option<&Unit>) -> Option<String> {
    let (start, price) = (members.get("tierStartInclusive")?, members.get("unitPrice")?);
    let price = words("unitPrice", price, unit);
    match (members.get("tierEndExclusive"), members.len()) {
        (None, 2) => Some(format!("from {start} at {price}")),
        (Some(end), 3) => Some(format!("{start} to {end} at {price}")),
        _ => None,
    }
}

fn items_in_words(name: &str, items: &[Value], around: Option<&Unit>) -> String {
    let words: Vec<_> = items.iter().map(|item| words(name, item, around)).collect();
    let separator = if items.iter().any(Value::is_object) { "; " } else { ", " };
    format!("[{}]", words.join(separator))
}

/// What an item of a list goes by in a path: its key, or its position.
pub(super) fn segment(index: usize, item: &Value) -> String {
    to_segment(&item_key(item).unwrap_or_else(|| index.to_string()))
}

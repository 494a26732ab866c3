//! Values as the API tells them: what becomes of times, temporary ids, nulls and recurring schedules.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub(super) fn object(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().unwrap()
}

pub(super) fn list<'v>(value: &'v mut Value, name: &str) -> &'v mut Vec<Value> {
    object(value).entry(name).or_insert_with(|| json!([])).as_array_mut().unwrap()
}

pub(super) fn digits(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

/// A number, for tests whose numbers are short.
fn number(value: &Value) -> rust_decimal::Decimal {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned).parse().unwrap()
}

/// `9.50 × 2` with the digits of both.
pub(super) fn product(a: &Value, b: &Value) -> Value {
    (number(a) * number(b)).to_string().into()
}

/// Times with their offset written out, and no nulls.
pub(super) fn told(value: &Value) -> Value {
    match value {
        Value::String(text) if text.len() == 20 && text.ends_with("00Z") => {
            text.replace('Z', "+00:00").into()
        }
        Value::Array(items) => items.iter().map(told).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), told(value))).collect(),
        _ => value.clone(),
    }
}

/// Replaces temporary ids by those that were minted, in the members that refer to other items.
pub(super) fn resolve(value: &mut Value, temporary: &BTreeMap<String, String>) {
    let minted = |id: &Value| temporary.get(id.as_str()?).map(|id| json!(id));
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| resolve(item, temporary)),
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    (
                        "any_commit_or_credit_ids" | "commit_ids" | "recurring_commit_ids",
                        Value::Array(ids),
                    ) => {
                        for id in ids {
                            *id = minted(id).unwrap_or_else(|| id.clone());
                        }
                    }
                    ("subscription_id", id) => *id = minted(id).unwrap_or_else(|| id.clone()),
                    (_, value) => resolve(value, temporary),
                }
            }
        }
        _ => {}
    }
}

/// Sets what was sent and clears nulls; objects that are named are merged likewise.
pub(super) fn merge(into: &mut Value, sent: &Value, deep: &[&str]) {
    for (name, value) in sent.as_object().unwrap() {
        if value.is_null() {
            object(into).remove(name);
        } else if deep.contains(&name.as_str()) && into.get(name).is_some() {
            merge(&mut into[name.as_str()], value, &[]);
        } else {
            object(into).insert(name.clone(), value.clone());
        }
    }
}

/// The items of a recurring schedule, what does not divide evenly on the first.
pub(super) fn split(recurring: &Value) -> Vec<Value> {
    let time =
        |name: &str| recurring[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let step = match recurring["frequency"].as_str().unwrap() {
        "MONTHLY" => 1,
        "QUARTERLY" => 3,
        "SEMI_ANNUAL" => 6,
        _ => 12,
    };
    let mut times = Vec::new();
    for index in 0.. {
        let at = time("starting_at") + chrono::Months::new(index * step);
        if at >= time("ending_before") {
            break;
        }
        times.push(at.to_rfc3339());
    }
    if recurring["amount_distribution"] == "EACH" {
        let members = |name: &str| recurring.get(name).map(|value| (name.to_owned(), value.clone()));
        let members: Map<_, _> =
            ["amount", "unit_price", "quantity"].into_iter().filter_map(members).collect();
        return times
            .into_iter()
            .map(|at| {
                let mut item = members.clone();
                item.insert("timestamp".into(), at.into());
                item.into()
            })
            .collect();
    }
    let total = recurring
        .get("amount")
        .cloned()
        .unwrap_or_else(|| product(&recurring["unit_price"], &recurring["quantity"]));
    let (total, count) = (number(&total), rust_decimal::Decimal::from(times.len()));
    let part = (total / count).trunc();
    let part =
        |index: usize| if index == 0 { total - part * (count - rust_decimal::Decimal::ONE) } else { part };
    let item = |(index, at)| json!({"timestamp": at, "amount": part(index).to_string()});
    times.into_iter().enumerate().map(item).collect()
}

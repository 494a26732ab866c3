//! Sample terms made from their schema, for tests that must hold for every field: none is forgotten when one is added.
//!
//! The same schema always gives the same sample, and no two single values in one are alike unless their type leaves no
//! choice. Rules between members (one of two, start before end) are not heeded.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::{Timestamp, decimal::Range, shape};

/// Makes sample values of one type.
#[derive(Debug)]
pub struct Sampler {
    schema: Value,
}

/// Which optional members a sample has.
#[derive(Clone, Copy)]
enum Members<'a> {
    /// All of them.
    All,
    /// Those on the way to a place, and what belongs there.
    Towards(&'a [&'a str], Option<&'a Value>),
}

impl Sampler {
    /// Samples of `T`.
    #[must_use]
    pub fn of<T: JsonSchema>() -> Self {
        Self { schema: shape::schema_of::<T>() }
    }

    /// A value with every member, one item in every list.
    #[must_use]
    pub fn full(&self) -> Value {
        sample(&self.schema, "", Members::All, &mut 0)
    }

    /// The smallest value that has the member at `path`: names of members, lists passed through. `leaf` stands there
    /// if given.
    #[must_use]
    pub fn with(&self, path: &[&str], leaf: Option<&Value>) -> Value {
        sample(&self.schema, "", Members::Towards(path, leaf), &mut 0)
    }
}

fn sample(schema: &Value, name: &str, wanted: Members<'_>, count: &mut u16) -> Value {
    if let Members::Towards([], Some(leaf)) = wanted {
        return leaf.clone();
    }
    *count += 1;
    let number = *count;
    if let Some(words) = shape::words(schema) {
        let words: Vec<_> = words.iter().cycle().skip(number.into()).take(1).cloned().collect();
        return words.concat().into();
    }
    let alternatives = ["anyOf", "oneOf"].into_iter().find_map(|key| schema.get(key)?.as_array());
    if let Some(schema) = alternatives.and_then(|alternatives| alternatives.first()) {
        return sample(schema, name, wanted, count);
    }
    if schema.get("x-kubernetes-preserve-unknown-fields").is_some() {
        return json!({"anyMember": [number, true, {"share": 0.5}]});
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|found| found == name));
        let mut members = Map::new();
        for (name, schema) in properties {
            let below = match wanted {
                Members::All => Members::All,
                Members::Towards([next, rest @ ..], leaf) if next == name => Members::Towards(rest, leaf),
                Members::Towards(..) if is_required(name) => Members::Towards(&[], None),
                Members::Towards(..) => continue,
            };
            members.insert(name.clone(), sample(schema, name, below, count));
        }
        return members.into();
    }
    if let Some(values) = schema.get("additionalProperties") {
        return json!({"anyName": sample(values, name, wanted, count)});
    }
    if let Some(items) = schema.get("items") {
        return json!([sample(items, name, wanted, count)]);
    }
    let text = |key| schema.get(key).and_then(Value::as_str);
    if let Some(range) = text("pattern").and_then(Range::of_pattern) {
        return match range {
            Range::Any | Range::NonNegative => format!("{number}.50"),
            Range::Fraction => format!("0.{number:04}1"),
            Range::Whole | Range::Integer => number.to_string(),
        }
        .into();
    }
    if text("format") == Some("date-time") {
        let start = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_454);
        return Timestamp(start + TimeDelta::hours(number.into())).to_string().into();
    }
    if shape::is_type(schema, "boolean") {
        return true.into();
    }
    if shape::is_type(schema, "integer") {
        return number.into();
    }
    format!("{}-{number}", if name.is_empty() { "text" } else { name }).into()
}

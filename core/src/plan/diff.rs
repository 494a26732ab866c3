//! Differences between what is wanted and what is observed, in canonical terms.
//!
//! Only what the spec sets is compared: a member that it leaves out belongs to the billing API. Lists with keys are
//! matched by key, plain lists of single values regardless of order, decimals as numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    render,
    unit::{self, Unit},
};
use crate::terms::{
    Decimal, Shape,
    json::{of_segment, to_segment},
};

/// One difference, as data: values in canonical form, exact numbers as text. `render` makes text of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// JSON pointer into the terms; items of keyed lists go by their key: `/items/fde/fixedFeeAmount`. Empty for a whole
    /// contract.
    pub path: String,
    /// What the billing API holds; nothing when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What the spec says; nothing when it is to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    /// What the amounts of `to`, or of `from` where that is all there is, are counted in, but for those below a member
    /// that names another unit. `None` where there are no amounts, and for numbers of units and shares: they are no
    /// money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The same for `from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_unit: Option<Unit>,
}

impl Change {
    /// A difference at a path, amounts without unit.
    #[must_use]
    pub fn new(path: impl Into<String>, from: Option<Value>, to: Option<Value>) -> Self {
        Self { path: path.into(), from, to, unit: None, from_unit: None }
    }

    /// What is not there and is to be: an item, a member.
    #[must_use]
    pub fn added(path: impl Into<String>, to: Value) -> Self {
        Self::new(path, None, Some(to))
    }

    /// What is there and is to go.
    #[must_use]
    pub fn removed(path: impl Into<String>, from: Value) -> Self {
        Self::new(path, Some(from), None)
    }

    /// A contract where there is none.
    #[must_use]
    pub fn new_contract(terms: Value) -> Self {
        Self::added("", terms)
    }

    /// Whether this is a contract where there was none.
    #[must_use]
    pub fn is_new_contract(&self) -> bool {
        self.path.is_empty() && self.from.is_none()
    }

    /// The same difference with the units that are around the place in the contract and in the spec.
    #[must_use]
    pub(super) fn counted_in(mut self, from: Option<&Unit>, to: Option<&Unit>) -> Self {
        let unit_of = |value: &Option<Value>, around: Option<&Unit>| {
            value.as_ref().and_then(|value| unit::unit_of(&self.path, value, around))
        };
        (self.from_unit, self.unit) = (unit_of(&self.from, from), unit_of(&self.to, to));
        if self.to.is_none() {
            self.unit.clone_from(&self.from_unit);
        }
        self
    }

    /// The same difference with the names of pricing units by their IDs.
    #[must_use]
    pub(super) fn naming(mut self, names: &BTreeMap<String, String>) -> Self {
        for unit in [&mut self.unit, &mut self.from_unit].into_iter().flatten() {
            unit.find_name(names);
        }
        self
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render::line(self))
    }
}

/// Every difference between two values in canonical form, in the order of their paths.
#[must_use]
pub fn diff(shape: &Shape, desired: &Value, observed: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(shape, desired, Some(observed), &mut String::new(), &mut changes);
    changes
}

fn compare(
    shape: &Shape,
    desired: &Value,
    observed: Option<&Value>,
    path: &mut String,
    changes: &mut Vec<Change>,
) {
    match (shape, desired, observed) {
        (Shape::Object(_) | Shape::Map(_), Value::Object(desired), Some(Value::Object(observed))) => {
            for (name, desired) in desired {
                let member = shape.member(name).unwrap_or(&Shape::Any);
                at(path, name, |path| compare(member, desired, observed.get(name), path, changes));
            }
            if matches!(shape, Shape::Map(_)) {
                for (name, value) in observed.iter().filter(|(name, _)| !desired.contains_key(*name)) {
                    at(path, name, |path| changes.push(Change::removed(path.clone(), value.clone())));
                }
            }
        }
        (Shape::List { item, keys }, Value::Array(desired), Some(Value::Array(observed)))
            if !keys.is_empty() =>
        {
            for wanted in desired {
                let key = key_of(wanted, keys);
                let found = observed.iter().find(|observed| key_of(observed, keys) == key);
                at(path, &key, |path| compare(item, wanted, found, path, changes));
            }
            let mut wanted: BTreeSet<_> = desired.iter().map(|desired| key_of(desired, keys)).collect();
            for value in observed {
                let key = key_of(value, keys);
                // A second one of a key is one too many, whatever it says.
                if !wanted.remove(&key) {
                    at(path, &key, |path| changes.push(Change::removed(path.clone(), value.clone())));
                }
            }
        }
        (_, desired, observed) => {
            if !observed.is_some_and(|observed| agrees(shape, desired, observed)) {
                changes.push(Change::new(path.clone(), observed.cloned(), Some(desired.clone())));
            }
        }
    }
}

/// Whether two values of one shape say the same, where no part of them is reported by itself.
fn agrees(shape: &Shape, desired: &Value, observed: &Value) -> bool {
    match (shape, desired, observed) {
        (Shape::Decimal, Value::String(desired), Value::String(observed)) => {
            match (desired.parse::<Decimal>(), Decimal::from_wire(observed)) {
                (Ok(desired), Ok(observed)) => desired.agrees_with(observed),
                _ => desired == observed,
            }
        }
        (Shape::List { item, .. }, Value::Array(desired), Value::Array(observed)) => {
            let same = |a: &Value, b: &Value| agrees(item, a, b) && agrees(item, b, a);
            let found = |wanted: &Value| observed.iter().any(|observed| same(wanted, observed));
            let wanted = |found: &Value| desired.iter().any(|desired| same(desired, found));
            desired.len() == observed.len() && desired.iter().all(found) && observed.iter().all(wanted)
        }
        (Shape::Object(_) | Shape::Map(_), _, Value::Object(_)) => diff(shape, desired, observed).is_empty(),
        (Shape::Any, desired, observed) => says_the_same(desired, observed),
        _ => desired == observed,
    }
}

/// Whether two values of no known shape are the same, however their numbers are spelled: `1` and `1.0`. Exact numbers
/// of a reply are text.
fn says_the_same(desired: &Value, observed: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Number(number) => Decimal::from_wire(&number.to_string()).ok(),
        Value::String(text) => Decimal::from_wire(text).ok(),
        _ => None,
    };
    match (desired, observed) {
        (Value::Object(desired), Value::Object(observed)) => {
            let same = |(name, value)| observed.get(name).is_some_and(|found| says_the_same(value, found));
            desired.len() == observed.len() && desired.iter().all(same)
        }
        (Value::Array(desired), Value::Array(observed)) => {
            let mut pairs = desired.iter().zip(observed);
            desired.len() == observed.len()
                && pairs.all(|(desired, observed)| says_the_same(desired, observed))
        }
        _ => desired == observed || number(desired).is_some_and(|own| number(observed) == Some(own)),
    }
}

/// The members that identify an item of a keyed list, as one path segment.
fn key_of(item: &Value, keys: &[String]) -> String {
    let plain = |key: &String| match item.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    keys.iter().map(plain).collect::<Vec<_>>().join(",")
}

fn at(path: &mut String, segment: &str, visit: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(&to_segment(segment));
    visit(path);
    path.truncate(length);
}

/// Whether `pointer` covers `path`: it is the same place or one above it.
#[must_use]
pub fn covers(pointer: &str, path: &str) -> bool {
    path.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Replaces what ignored `pointers` name by what is observed there, so that a replace leaves it as it is.
pub fn keep_observed(shape: &Shape, pointers: &[String], desired: &mut Value, observed: &Value) {
    for pointer in pointers {
        let segments: Vec<String> = pointer.split('/').skip(1).map(of_segment).collect();
        keep(shape, &segments, desired, Some(observed));
    }
}

fn keep(shape: &Shape, segments: &[String], desired: &mut Value, observed: Option<&Value>) {
    let Some((segment, rest)) = segments.split_first() else { return };
    match (shape, desired) {
        (Shape::Object(_) | Shape::Map(_), Value::Object(desired)) => {
            let observed = observed.and_then(|observed| observed.get(segment));
            if !rest.is_empty() {
                if let (Some(member), Some(desired)) = (shape.member(segment), desired.get_mut(segment)) {
                    keep(member, rest, desired, observed);
                }
            } else if let Some(observed) = observed {
                desired.insert(segment.clone(), observed.clone());
            }
        }
        (Shape::List { item, keys }, Value::Array(desired)) if !keys.is_empty() => {
            let observed = observed.and_then(Value::as_array).into_iter().flatten();
            let observed = observed.into_iter().find(|observed| key_of(observed, keys) == *segment);
            let wanted = desired.iter_mut().find(|desired| key_of(desired, keys) == *segment);
            match (wanted, observed) {
                (Some(desired), observed) if !rest.is_empty() => keep(item, rest, desired, observed),
                (Some(desired), Some(observed)) => *desired = observed.clone(),
                (None, Some(observed)) if rest.is_empty() => desired.push(observed.clone()),
                _ => {}
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::zoo;
    use serde_json::json;

    fn terms() -> Value {
        json!({
            "name": "Acme", "currency": "USD", "effectiveAt": "2026-01-01T00:00:00Z",
            "items": [{"code": "fde", "fixedFeeAmount": "10"}, {"code": "enterprise_support", "fixedFeeAmount": "20"}],
            "periods": [],
        })
    }

    fn paths(desired: &Value, observed: &Value) -> Vec<String> {
        diff(&zoo::SHAPE, desired, observed).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_terms_have_no_differences() {
        assert!(paths(&terms(), &terms()).is_empty());
    }

    #[test]
    fn what_the_spec_leaves_out_is_no_difference() {
        let mut observed = terms();
        observed["notes"] = json!("theirs");
        observed["items"][0]["active"] = json!(true);
        assert!(paths(&terms(), &observed).is_empty());
    }

    #[test]
    fn items_are_matched_by_key_whatever_their_order() {
        let mut observed = terms();
        observed["items"].as_array_mut().unwrap().reverse();
        assert!(paths(&terms(), &observed).is_empty());
        observed["items"][1]["fixedFeeAmount"] = json!("11");
        assert_eq!(paths(&terms(), &observed), ["/items/fde/fixedFeeAmount: 11 -> 10"]);
    }

    #[test]
    fn items_that_come_and_go_are_differences() {
        let mut observed = terms();
        observed["items"][0]["code"] = json!("govcloud_management");
        let found = paths(&terms(), &observed);
        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("/items/fde: +"), "{found:?}");
        assert!(found[1].starts_with("/items/govcloud_management: -"), "{found:?}");
    }

    #[test]
    fn numbers_of_a_free_form_agree_however_they_are_spelled() {
        let agree = |a: Value, b: Value| diff(&Shape::Any, &a, &b).is_empty();
        assert!(agree(
            json!({"curve": [1, 0.5], "unit": "api"}),
            json!({"curve": ["1.0", "0.50"], "unit": "api"})
        ));
        assert!(!agree(json!({"curve": [1, 0.5]}), json!({"curve": ["1.0", "0.51"]})));
        assert!(!agree(json!({"curve": [1, 0.5]}), json!({"curve": [1]})));
        assert!(!agree(json!({"curve": [1]}), json!({"curve": [1], "unit": "api"})));
    }

    #[test]
    fn a_pointer_covers_its_place_and_what_is_below() {
        assert!(covers("/items/fde", "/items/fde/fixedFeeAmount"));
        assert!(covers("/notes", "/notes"));
        assert!(!covers("/items/f", "/items/fde"));
    }

    #[test]
    fn ignored_places_keep_what_is_observed() {
        let mut observed = terms();
        observed["items"][0]["fixedFeeAmount"] = json!("99");
        observed["name"] = json!("theirs");
        let mut desired = terms();
        keep_observed(&zoo::SHAPE, &["/items/fde/fixedFeeAmount".to_owned()], &mut desired, &observed);
        assert_eq!(paths(&desired, &observed), ["/name: theirs -> Acme"]);
    }
}

//! Use that somebody expects, so that prices have sums: units by item, by contract.
//!
//! A number of units stands for one span of the billing API's own (a period, a year): tiers are gone through once. What
//! the terms alone do not price stays open.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    plan::{
        Unit,
        usage::{UsagePrice, cost},
    },
    terms::Decimal,
};

/// Units by item, by contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volumes(BTreeMap<String, BTreeMap<String, Decimal>>);

/// What expected use costs before and after a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The item's code (Zoo), or the product's ID (Metronome).
    pub item: String,
    /// How many units.
    pub units: Decimal,
    /// What the sums are counted in.
    pub unit: Unit,
    /// What they cost before, zero where there was no price; `None` where the last tier ends below them, and beyond 28
    /// digits.
    pub before: Option<Decimal>,
    /// What they cost after.
    pub after: Option<Decimal>,
}

impl Volumes {
    /// Reads what a file says: a mapping of contracts (`name`, or `namespace/name`) to mappings of items to units.
    ///
    /// # Errors
    /// What is no such mapping, by its place.
    pub fn read(value: &Value) -> Result<Self, String> {
        let contracts = value.as_object().ok_or("must be a mapping of contracts to their items")?;
        let mut all = BTreeMap::new();
        for (contract, items) in contracts {
            let wrong = || format!("`{contract}` must be a mapping of items to units, such as `api: 250000`");
            let mut volumes = BTreeMap::new();
            for (item, units) in items.as_object().ok_or_else(wrong)? {
                let digits = match units {
                    Value::String(digits) => digits.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return Err(wrong()),
                };
                let units = Decimal::from_wire(&digits).ok().filter(|units| !units.is_negative());
                let units = units.ok_or_else(|| {
                    format!("`{contract}.{item}` must be a number of units, 0 or more, not {digits:?}")
                })?;
                volumes.insert(item.clone(), units);
            }
            all.insert(contract.clone(), volumes);
        }
        Ok(Self(all))
    }

    /// Whether nothing is expected of anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a contract's expected use costs; `name` is `namespace/name`, or the name where there is no namespace.
    #[must_use]
    pub fn estimates(&self, name: &str, prices: &[UsagePrice]) -> Vec<Estimate> {
        let estimate = |price: &UsagePrice| {
            let units = *self.of(name)?.get(&price.item)?;
            let sum = |tiers: &Option<Vec<_>>| match tiers {
                Some(tiers) => cost(tiers, units),
                None => Some(Decimal::ZERO),
            };
            Some(Estimate {
                item: price.item.clone(),
                units,
                unit: price.unit.clone(),
                before: sum(&price.before),
                after: sum(&price.after),
            })
        };
        prices.iter().filter_map(estimate).collect()
    }

    /// Contracts that volumes name and that are not among some, as `namespace/name`.
    #[must_use]
    pub fn unknown<'v>(&'v self, names: &BTreeSet<&str>) -> Vec<&'v str> {
        let is_known = |named: &str| names.iter().any(|name| *name == named || short(name) == named);
        self.0.keys().map(String::as_str).filter(|named| !is_known(named)).collect()
    }

    /// Items of a contract that volumes name and that nothing in some terms is called: a price for their use is not known.
    #[must_use]
    pub fn unknown_items(&self, name: &str, terms: &[Value]) -> Vec<String> {
        let is_said = |item: &&String| terms.iter().any(|terms| says(terms, item));
        self.of(name).into_iter().flat_map(BTreeMap::keys).filter(|item| !is_said(item)).cloned().collect()
    }

    fn of(&self, name: &str) -> Option<&BTreeMap<String, Decimal>> {
        self.0.get(name).or_else(|| self.0.get(short(name)))
    }
}

/// Whether a text stands somewhere in terms.
fn says(terms: &Value, sought: &str) -> bool {
    match terms {
        Value::Object(members) => members.values().any(|value| says(value, sought)),
        Value::Array(items) => items.iter().any(|value| says(value, sought)),
        Value::String(text) => text == sought,
        _ => false,
    }
}

fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::usage::Tier;
    use serde_json::json;

    fn price(item: &str, before: Option<&str>, after: Option<&str>) -> UsagePrice {
        let tiers = |price: Option<&str>| {
            price.map(|price| vec![Tier { from: Decimal::ZERO, to: None, price: price.parse().unwrap() }])
        };
        let unit = Unit::Currency("USD".into());
        let (before, after) = (tiers(before), tiers(after));
        UsagePrice { item: item.to_owned(), path: format!("/items/{item}"), unit, before, after }
    }

    #[test]
    fn expected_use_has_a_sum_before_and_after() {
        let volumes = Volumes::read(&json!({"acme": {"api": 1000, "seats": "2.5"}, "b/zeta": {"api": 7}}));
        let volumes = volumes.unwrap();
        let prices = [
            price("api", Some("0.5"), Some("0.4")),
            price("seats", None, Some("10")),
            price("x", None, None),
        ];
        let found = volumes.estimates("billing/acme", &prices);
        let text: Vec<_> = found
            .iter()
            .map(|found| format!("{}: {} -> {}", found.item, found.before.unwrap(), found.after.unwrap()))
            .collect();
        assert_eq!(text, ["api: 500 -> 400", "seats: 0 -> 25"]);
        assert!(volumes.estimates("billing/zeta", &prices).is_empty(), "it is of another namespace");
        assert_eq!(volumes.unknown(&["billing/acme"].into()), ["b/zeta"]);
    }

    #[test]
    fn an_item_that_the_terms_do_not_have_is_named() {
        let volumes = Volumes::read(&json!({"acme": {"api": 1, "apis": 2}, "zeta": {"x": 1}})).unwrap();
        let terms = [json!({"items": [{"code": "seats"}]}), json!({"items": [{"code": "api"}]})];
        assert_eq!(volumes.unknown_items("billing/acme", &terms), ["apis"]);
        assert_eq!(volumes.unknown_items("billing/globex", &terms), [""; 0]);
    }

    #[test]
    fn what_is_no_number_of_units_is_refused_by_its_place() {
        let refused = |value: Value| Volumes::read(&value).unwrap_err();
        assert!(refused(json!({"acme": {"api": -1}})).starts_with("`acme.api` must be a number of units"));
        assert!(refused(json!({"acme": {"api": "many"}})).contains("not \"many\""));
        assert!(refused(json!({"acme": 5})).contains("`acme` must be a mapping"));
        assert!(refused(json!([])).contains("must be a mapping of contracts"));
    }
}

//! What amounts are counted in, and which numbers of terms are money.
//!
//! Knows the names of members of both billing APIs, and nothing of plans, of times, or of what is owed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::terms::Decimal;

/// ID of Metronome's default pricing unit, "USD (cents)".
pub const USD_CENTS: &str = "2714e483-4ff1-48e4-9e25-ac732e8f24f2";

/// What an amount of US dollars is counted in where dollars would lose digits of it.
pub(super) const US_CENTS: &str = "US cents";

/// Members whose number is an amount of money.
const AMOUNTS: [&str; 13] = [
    "amount",
    "commitmentAmount",
    "fixedFeeAmount",
    "maxAmount",
    "price",
    "rechargeToAmount",
    "resellerContractValue",
    "rolloverInAmount",
    "rolloverOutAmount",
    "taxAmount",
    "thresholdAmount",
    "totalContractValue",
    "unitPrice",
];
/// Members whose number says what use costs, whatever the use will be.
const RATES: [&str; 3] = ["multiplier", "price", "unitPrice"];
/// The member whose number is a fee that is due whatever is used.
pub(super) const FEE: &str = "fixedFeeAmount";

/// What amounts are counted in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    /// A currency in whole units, by its code (Zoo): `USD`.
    Currency(String),
    /// A pricing unit of Metronome. [`USD_CENTS`] counts cents; every other one counts whole units.
    PricingUnit {
        /// Its ID.
        id: String,
        /// Its name, where a reply told it.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

impl Unit {
    /// The unit for people: a currency's code, or the pricing unit's name, or its ID where the name is not known.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::Currency(code) => code,
            Self::PricingUnit { id, .. } if id == USD_CENTS => "USD",
            Self::PricingUnit { id, name } => name.as_deref().unwrap_or(id),
        }
    }

    /// An amount in units of the [`label`](Self::label): US dollars with at least two decimals for cents, and as it is
    /// for everything else; `None` when the dollars have more digits than fit, so that some would be lost: of a very small
    /// amount, all.
    #[must_use]
    pub fn in_label(&self, amount: Decimal) -> Option<Decimal> {
        if !matches!(self, Self::PricingUnit { id, .. } if id == USD_CENTS) {
            return Some(amount);
        }
        let dollars = amount.normalized().checked_mul("0.01".parse().ok()?)?.normalized();
        if dollars.checked_mul(Decimal::from(100))? != amount {
            return None;
        }
        // Padding cannot fail: it adds at most two digits, and a number with 28 keeps what it has.
        Some(dollars.with_decimals(2).unwrap_or(dollars))
    }

    /// Takes the name of a pricing unit from names by ID.
    pub(super) fn find_name(&mut self, names: &BTreeMap<String, String>) {
        if let Self::PricingUnit { id, name } = self {
            *name = names.get(id).cloned();
        }
    }

    /// Whether both are one unit, whatever is known of its name.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Currency(one), Self::Currency(other))
            | (Self::PricingUnit { id: one, .. }, Self::PricingUnit { id: other, .. }) => one == other,
            _ => false,
        }
    }
}

/// What an object says about the amounts in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says<'v> {
    /// They are no money: numbers of units, or shares.
    NoMoney,
    /// They are in the pricing unit with this ID.
    PricingUnit(&'v str),
    /// Nothing: they are in the unit around it.
    Nothing,
}

/// What an object says about the amounts in it. Contracts of Zoo never say anything: they have one currency.
pub(super) fn said_by(object: &Value) -> Says<'_> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let counts_units = text("accessType") == Some("QUANTITY");
    let is_share = text("rateType").is_some_and(|rate| rate.contains("PERCENTAGE"));
    match text("creditTypeId").or_else(|| text("customCreditTypeId")) {
        _ if counts_units || is_share => Says::NoMoney,
        Some(id) => Says::PricingUnit(id),
        None => Says::Nothing,
    }
}

/// The unit of the amounts in an object, given the one around it.
pub(super) fn unit_in(object: &Value, around: Option<&Unit>) -> Option<Unit> {
    match said_by(object) {
        Says::NoMoney => None,
        Says::PricingUnit(id) => {
            let unit = Unit::PricingUnit { id: id.to_owned(), name: None };
            Some(around.filter(|around| around.is_same(&unit)).cloned().unwrap_or(unit))
        }
        Says::Nothing => around.cloned(),
    }
}

/// Whether the number of a member of this name is an amount of money.
pub(super) fn is_amount(name: &str) -> bool {
    AMOUNTS.contains(&name)
}

/// Whether the number of a member of this name says what use costs.
pub(super) fn is_rate(name: &str) -> bool {
    RATES.contains(&name)
}

/// Whether the number of a member of this name says what something costs, whatever is bought of it: a rate or a fee.
pub(super) fn is_price(name: &str) -> bool {
    is_rate(name) || name == FEE
}

/// Calls `visit` with every number of money in a value, or rate: its path, its member, its unit and its digits.
pub(super) fn each_number(
    path: &str,
    value: &Value,
    around: Option<&Unit>,
    visit: &mut impl FnMut(&str, &str, Option<&Unit>, &str),
) {
    match value {
        Value::Object(members) => {
            let unit = unit_in(value, around);
            for (name, value) in members {
                each_number(&format!("{path}/{name}"), value, unit.as_ref(), visit);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let segment = item_key(item).unwrap_or_else(|| index.to_string());
                each_number(&format!("{path}/{segment}"), item, around, visit);
            }
        }
        Value::String(digits) => {
            let name = path.rsplit('/').next().unwrap_or_default();
            if is_amount(name) || is_rate(name) {
                visit(path, name, around, digits);
            }
        }
        _ => {}
    }
}

/// What an item of a list goes by, where it has a key.
pub(super) fn item_key(item: &Value) -> Option<String> {
    const KEYS: [&str; 5] = ["key", "code", "periodIndex", "alias", "tierStartInclusive"];
    KEYS.iter().find_map(|name| match item.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// What the amounts at a path are counted in: `around` unless all of them name another unit; `None` where there are none.
pub(super) fn unit_of(path: &str, value: &Value, around: Option<&Unit>) -> Option<Unit> {
    let mut units: Vec<Option<Unit>> = Vec::new();
    each_number(path, value, around, &mut |_, name, unit, _| {
        let unit = unit.cloned();
        if is_amount(name) && !units.contains(&unit) {
            units.push(unit);
        }
    });
    match &*units {
        [] => None,
        [unit] => unit.clone(),
        _ => around.cloned(),
    }
}

/// One side of a change: its value, and the unit around it.
pub(super) type Side<'v> = (Option<&'v Value>, Option<&'v Unit>);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usd() -> Unit {
        Unit::PricingUnit { id: USD_CENTS.into(), name: None }
    }

    #[test]
    fn cents_become_dollars_without_losing_a_digit() {
        let shown = |cents: &str| usd().in_label(cents.parse().unwrap()).unwrap().to_string();
        assert_eq!(shown("120000"), "1200.00");
        assert_eq!(shown("5"), "0.05");
        assert_eq!(shown("0.5"), "0.005");
        assert_eq!(shown("-1250.00"), "-12.50");
        assert_eq!(shown("0"), "0.00");
        assert_eq!(shown("9999999999999999999999999999"), "99999999999999999999999999.99");
        assert_eq!(shown("0.00000000000000000000000001"), "0.0000000000000000000000000001");
        assert_eq!(usd().in_label("0.000000000000000000000000001".parse().unwrap()), None);
    }

    #[test]
    fn the_unit_of_a_value_is_the_one_that_its_amounts_name() {
        let euros =
            json!({"name": "a", "schedule": {"creditTypeId": "eur", "scheduleItems": [{"amount": "1"}]}});
        let named = Unit::PricingUnit { id: "eur".into(), name: None };
        assert_eq!(unit_of("/charges/a", &euros, Some(&usd())), Some(named));
        assert_eq!(unit_of("/charges/a/name", &json!("a"), Some(&usd())), None);
        assert_eq!(unit_of("/charges/a/amount", &json!("1"), Some(&usd())), Some(usd()));
        let euro = Unit::PricingUnit { id: "eur".into(), name: None };
        let of_two = json!({"creditTypeId": "eur", "amount": "1", "unitPrice": "2"});
        assert_eq!(unit_of("/charges/a", &of_two, Some(&usd())), Some(euro.clone()), "both are in one unit");
        let with_factor = json!({"multiplier": "0.5", "schedule": {"creditTypeId": "eur", "amount": "1"}});
        assert_eq!(unit_of("/charges/a", &with_factor, Some(&usd())), Some(euro), "a factor has none");
        let mixed = json!([{"creditTypeId": "eur", "amount": "1"}, {"creditTypeId": "gbp", "amount": "1"}]);
        assert_eq!(
            unit_of("/charges", &mixed, Some(&usd())),
            Some(usd()),
            "that around it, where it is none"
        );
        let share = json!({"rateType": "PERCENTAGE", "price": "0.1"});
        assert_eq!(unit_of("/rate", &share, Some(&usd())), None);
    }
}

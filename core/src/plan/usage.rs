//! What use of an item costs by the terms alone, so that a number of units has a sum.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Change, Unit,
    unit::{Side, unit_in},
};
use crate::terms::Decimal;

/// A price for a range of quantities, in the unit that stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tier {
    /// First unit that it is for, counted from 0.
    pub from: Decimal,
    /// First unit that it is no longer for; none in the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Decimal>,
    /// Price of one unit.
    pub price: Decimal,
}

/// What use of one item costs before and after a plan, where the terms alone say so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsagePrice {
    /// What volumes go by: the item's code (Zoo), the product's ID (Metronome).
    pub item: String,
    /// Where it is in the terms, as a JSON pointer.
    pub path: String,
    /// What its prices are counted in.
    pub unit: Unit,
    /// Prices before; `None` when there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<Tier>>,
    /// Prices after; `None` when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<Tier>>,
}

/// What so many units cost, each at the price of its tier; `None` beyond the last tier or 28 digits.
#[must_use]
pub fn cost(tiers: &[Tier], units: Decimal) -> Option<Decimal> {
    let mut sum = Decimal::ZERO;
    let mut covered = Decimal::ZERO;
    for tier in tiers.iter().filter(|tier| tier.from < units) {
        let end = tier.to.map_or(units, |to| to.min(units));
        sum = sum.checked_add(end.checked_sub(tier.from)?.checked_mul(tier.price)?)?;
        covered = covered.max(end);
    }
    (covered == units).then_some(sum.normalized())
}

/// Prices on both sides of one list, paired by item; those in two units stand apart, as they cannot be compared.
pub(super) fn pair(before: Vec<UsagePrice>, after: Vec<UsagePrice>) -> Vec<UsagePrice> {
    let mut all = before;
    for new in after {
        let same =
            |old: &&mut UsagePrice| old.after.is_none() && old.item == new.item && old.unit == new.unit;
        match all.iter_mut().find(same) {
            Some(old) => {
                old.after = new.after;
                old.path = new.path;
            }
            None => all.push(new),
        }
    }
    all
}

/// Prices of the overrides of Metronome that come and go: those that say a price of one product in full.
pub(super) fn of_overrides(changes: &[Change]) -> Vec<UsagePrice> {
    let of = |change: &Change, side: Side<'_>, is_after: bool| {
        let rate = side.0?.get("overwriteRate")?;
        let unit = unit_in(rate, side.1)?;
        let (item, tiers) = (product(side.0?)?, Some(tiers(rate)?));
        let (before, after) = if is_after { (None, tiers) } else { (tiers, None) };
        Some(UsagePrice { item: item.to_owned(), path: change.path.clone(), unit, before, after })
    };
    let changes = || {
        let is_whole =
            |change: &&Change| change.path.starts_with("/overrides/") && change.path.split('/').count() == 3;
        changes.iter().filter(is_whole)
    };
    let usd = Unit::PricingUnit { id: super::USD_CENTS.to_owned(), name: None };
    let before = changes().filter_map(|change| {
        of(change, (change.from.as_ref(), change.from_unit.as_ref().or(Some(&usd))), false)
    });
    let after = changes()
        .filter_map(|change| of(change, (change.to.as_ref(), change.unit.as_ref().or(Some(&usd))), true));
    pair(before.collect(), after.collect())
}

/// The one product that an override is for.
fn product(terms: &Value) -> Option<&str> {
    if let Some(id) = terms.get("productId") {
        return id.as_str();
    }
    let [specifier] = terms.get("overrideSpecifiers")?.as_array()?.as_slice() else { return None };
    // Anything else that it says makes it the price of a part of the use.
    let members = specifier.as_object()?;
    members.get("productId").filter(|_| members.len() == 1)?.as_str()
}

/// Prices of a rate by quantity; none for shares and for what a subscription costs.
fn tiers(rate: &Value) -> Option<Vec<Tier>> {
    let number = |value: &Value, name: &str| Decimal::from_wire(value.get(name)?.as_str()?).ok();
    match rate.get("rateType")?.as_str()? {
        "FLAT" => Some(vec![Tier { from: Decimal::ZERO, to: None, price: number(rate, "price")? }]),
        "TIERED" => {
            let mut from = Some(Decimal::ZERO);
            let tier = |tier: &Value| {
                let start = from?;
                let to = number(tier, "size").and_then(|size| start.checked_add(size));
                from = to;
                Some(Tier { from: start, to, price: number(tier, "price")? })
            };
            rate.get("tiers")?.as_array()?.iter().map(tier).collect()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn units_cost_what_the_tiers_say_that_they_are_in() {
        let tiers = [
            Tier { from: decimal("0"), to: Some(decimal("100")), price: decimal("0.50") },
            Tier { from: decimal("100"), to: None, price: decimal("0.42") },
        ];
        for (units, sum) in [("0", "0"), ("40", "20"), ("100", "50"), ("150", "71"), ("100.5", "50.21")] {
            assert_eq!(cost(&tiers, decimal(units)).unwrap().to_string(), sum, "{units}");
        }
        assert_eq!(cost(&tiers[..1], decimal("101")), None, "nothing says what the last one costs");
        assert_eq!(cost(&[], decimal("1")), None);
    }

    #[test]
    fn an_override_with_a_price_of_its_own_has_a_sum_and_a_factor_has_none() {
        let price = |price: &str| {
            json!({"type": "OVERWRITE", "overrideSpecifiers": [{"productId": "p"}],
                "overwriteRate": {"rateType": "FLAT", "price": price}})
        };
        let factor = json!({"type": "MULTIPLIER", "productId": "q", "multiplier": "0.8"});
        let changes = [
            Change::removed("/overrides/1", price("2")),
            Change::added("/overrides/2", price("3")),
            Change::added("/overrides/3", factor),
        ];
        let found = of_overrides(&changes);
        assert_eq!(found.len(), 1, "{found:?}");
        let UsagePrice { item, unit, before, after, .. } = &found[0];
        assert_eq!((item.as_str(), unit.label()), ("p", "USD"));
        let price = |tiers: &Option<Vec<Tier>>| tiers.as_ref().unwrap()[0].price.to_string();
        assert_eq!((price(before), price(after)), ("2".to_owned(), "3".to_owned()));
    }

    #[test]
    fn tiers_by_size_follow_each_other() {
        let rate = json!({"rateType": "TIERED", "tiers": [{"price": "3", "size": "10"}, {"price": "2"}]});
        let tiers = tiers(&rate).unwrap();
        assert_eq!((tiers[1].from, tiers[1].to), (decimal("10"), None));
        assert_eq!(cost(&tiers, decimal("12")), Some(decimal("34")));
    }
}

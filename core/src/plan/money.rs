//! What a plan does to the money that a customer owes, as data: what is owed on both sides, by kind, unit and year of the
//! contract, and what changes without a sum.
//!
//! Knows nothing of where a billing API has its amounts: what is owed comes from its own [`Owed`].

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    months::{self, Month},
    numbers::numbers,
    owed::{FixedKind, Owed, add, year_of},
    unit::{Side, Unit, is_rate},
    usage::UsagePrice,
};
use crate::terms::Decimal;

/// What a plan does to the money that the customer owes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MoneyEffect {
    /// What is owed whatever the customer uses: by unit, kind and year of the contract, what stays the same included.
    pub fixed: Vec<Fixed>,
    /// What changes and has no sum beforehand.
    pub open: Vec<Open>,
    /// The fixed money again, by the month in which it is due.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<Month>,
    /// What use costs, where the terms alone say so: what stays the same included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<UsagePrice>,
}

/// Fixed money of one kind in one unit and one year, before and after a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fixed {
    /// Why it is owed.
    pub kind: FixedKind,
    /// What it is counted in.
    pub unit: Unit,
    /// Year of the contract, counted from its start to the day: 1 is the first; 0 is what is due before it. `None` when
    /// nothing says when it is due.
    pub year: Option<u32>,
    /// Sum before, zero when nothing was owed; `None` beyond 28 digits.
    pub before: Option<Decimal>,
    /// Sum after; `None` beyond 28 digits.
    pub after: Option<Decimal>,
}

impl Fixed {
    /// How much more is owed after than before; `None` beyond 28 digits.
    #[must_use]
    pub fn difference(&self) -> Option<Decimal> {
        self.after?.checked_sub(self.before?)
    }

    /// Whether anything changes, or may.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.difference() != Some(Decimal::ZERO)
    }
}

/// Why money has no sum beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OpenCause {
    /// It is owed for what is used.
    Usage,
    /// It is owed again and again, and nothing says until when, or how often.
    NoEnd,
    /// Its price is not in the contract but on the rate card.
    RateCard,
    /// Its last period is cut short, and the billing API says what part of the amount that costs.
    PartOfPeriod,
    /// A package has the terms.
    Package,
}

/// Money that has no sum beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Open {
    /// Where it is in the terms, as a JSON pointer.
    pub path: String,
    /// Why it has no sum.
    pub cause: OpenCause,
    /// What its price is counted in; `None` for factors, shares, and where there is no price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Price or factor before; `None` when there was none.
    pub before: Option<Decimal>,
    /// Price or factor after; `None` when there is none.
    pub after: Option<Decimal>,
}

impl MoneyEffect {
    /// The effect on fixed money, with what is open beside it.
    pub(super) fn between(before: &Owed, after: &Owed, open: Vec<Open>) -> Self {
        type Sums = (Option<Decimal>, Option<Decimal>);
        let zero = Some(Decimal::ZERO);
        let mut sums: BTreeMap<(FixedKind, Unit, Option<u32>), Sums> = BTreeMap::new();
        for (side, is_after) in [(before, false), (after, true)] {
            for due in &side.dues {
                let year = due.time.zip(side.start).map(|(time, start)| year_of(start, time));
                let sums = sums.entry((due.kind, due.unit.clone(), year)).or_insert((zero, zero));
                let sum = if is_after { &mut sums.1 } else { &mut sums.0 };
                *sum = add(*sum, due.amount);
            }
        }
        let fixed = |((kind, unit, year), (before, after))| Fixed { kind, unit, year, before, after };
        let months = months::between(before, after);
        Self { fixed: sums.into_iter().map(fixed).collect(), open, months, usage: Vec::new() }
    }

    /// Fixed money by kind and unit, over all years.
    #[must_use]
    pub fn totals(&self) -> Vec<Fixed> {
        let mut totals: Vec<Fixed> = Vec::new();
        for fixed in &self.fixed {
            match totals.iter_mut().find(|sum| sum.kind == fixed.kind && sum.unit == fixed.unit) {
                Some(sum) => {
                    sum.before = add(sum.before, fixed.before);
                    sum.after = add(sum.after, fixed.after);
                }
                None => totals.push(Fixed { year: None, ..fixed.clone() }),
            }
        }
        totals
    }

    /// The same with what use costs.
    #[must_use]
    pub(super) fn with_usage(self, usage: Vec<UsagePrice>) -> Self {
        Self { usage, ..self }
    }

    /// What several plans do to fixed money together, by kind and unit, and by month. What has no sum is left out.
    #[must_use]
    pub fn sum<'a>(effects: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let fixed = effects.clone().flat_map(|effect| effect.fixed.iter().cloned()).collect();
        let fixed = Self { fixed, ..Self::default() }.totals();
        let months = months::sum(effects.flat_map(|effect| &effect.months));
        Self { fixed, months, ..Self::default() }
    }

    /// Takes the names of pricing units from names by ID.
    pub(super) fn find_names(&mut self, names: &BTreeMap<String, String>) {
        self.fixed.iter_mut().for_each(|fixed| fixed.unit.find_name(names));
        self.open.iter_mut().filter_map(|open| open.unit.as_mut()).for_each(|unit| unit.find_name(names));
        self.months.iter_mut().for_each(|month| month.unit.find_name(names));
        self.usage.iter_mut().for_each(|usage| usage.unit.find_name(names));
    }

    /// Whether the plan changes nothing about money.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.open.is_empty() && !self.fixed.iter().any(Fixed::is_changed)
    }
}

/// Prices and factors at a path that are not the same before and after.
pub(super) fn open_rates(path: &str, before: Side<'_>, after: Side<'_>, cause: OpenCause) -> Vec<Open> {
    let rates = |(value, unit): Side<'_>| numbers(path, value, unit, is_rate);
    let (old, new) = (rates(before), rates(after));
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let open = |path: &str, unit: &Option<Unit>, before, after| Open {
        path: path.to_owned(),
        cause,
        unit: unit.clone(),
        before,
        after,
    };
    let mut all = Vec::new();
    for path in paths {
        match (old.get(path), new.get(path)) {
            // Prices in two units cannot stand in one line.
            (Some((unit, before)), Some((other, after))) if unit != other => {
                all.push(open(path, unit, Some(*before), None));
                all.push(open(path, other, None, Some(*after)));
            }
            (Some((_, before)), Some((_, after))) if before == after => {}
            (before, after) => {
                let unit = after.or(before).and_then(|(unit, _)| unit.clone());
                let rate = |side: Option<&(_, Decimal)>| side.map(|(_, rate)| *rate);
                all.push(open(path, &unit, rate(before), rate(after)));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        plan::{Due, USD_CENTS},
        terms::Timestamp,
    };

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn usd() -> Unit {
        Unit::PricingUnit { id: USD_CENTS.into(), name: None }
    }

    fn due(time: &str, amount: &str) -> Due {
        let time = Some(self::time(time));
        Due { kind: FixedKind::Commitment, unit: usd(), time, amount: amount.parse().ok() }
    }

    fn owed(dues: Vec<Due>) -> Owed {
        Owed { start: Some(time("2026-03-15T00:00:00Z")), dues }
    }

    #[test]
    fn a_year_of_a_contract_begins_on_its_day_and_not_in_january() {
        let effect = MoneyEffect::between(
            &owed(vec![]),
            &owed(vec![
                due("2026-03-14T23:59:59Z", "1"),
                due("2026-03-15T00:00:00Z", "2"),
                due("2027-03-14T23:00:00Z", "3"),
                due("2027-03-15T00:00:00Z", "4"),
            ]),
            vec![],
        );
        let years: Vec<_> =
            effect.fixed.iter().map(|fixed| (fixed.year, fixed.after.unwrap().to_string())).collect();
        assert_eq!(years, [(Some(0), "1".into()), (Some(1), "5".into()), (Some(2), "4".into())]);
        let totals = effect.totals();
        assert_eq!((totals.len(), totals[0].difference()), (1, Some("10".parse().unwrap())));
    }

    #[test]
    fn a_sum_beyond_all_digits_is_unknown_and_counts_as_a_change() {
        let much = "9999999999999999999999999999";
        let dues = vec![due("2026-04-01T00:00:00Z", much); 9];
        let effect = MoneyEffect::between(&owed(dues.clone()), &owed(dues), vec![]);
        assert_eq!((effect.fixed[0].before, effect.fixed[0].difference()), (None, None));
        assert!(effect.fixed[0].is_changed() && !effect.is_none());
    }

    #[test]
    fn what_several_plans_do_to_money_is_summed_by_kind_and_unit_over_years() {
        let fee = |time: &str, amount: &str| Due { kind: FixedKind::Fee, ..due(time, amount) };
        let one = MoneyEffect::between(
            &owed(vec![due("2026-04-01T00:00:00Z", "1")]),
            &owed(vec![due("2026-04-01T00:00:00Z", "3"), due("2027-04-01T00:00:00Z", "5")]),
            vec![],
        );
        let of_other_unit = Due { unit: Unit::Currency("EUR".into()), ..due("2026-04-01T00:00:00Z", "7") };
        let two = MoneyEffect::between(
            &owed(vec![fee("2026-04-01T00:00:00Z", "11"), of_other_unit]),
            &owed(vec![due("2026-04-01T00:00:00Z", "13")]),
            vec![],
        );
        let sum = MoneyEffect::sum([&one, &two].into_iter());
        let told = |fixed: &Fixed| {
            let sides = [fixed.before, fixed.after].map(|side| side.unwrap().to_string());
            (fixed.kind, fixed.unit.label().to_owned(), fixed.year, sides.join(" -> "))
        };
        let mut told: Vec<_> = sum.fixed.iter().map(told).collect();
        told.sort();
        assert_eq!(
            told,
            [
                (FixedKind::Commitment, "EUR".to_owned(), None, "7 -> 0".to_owned()),
                (FixedKind::Commitment, "USD".to_owned(), None, "1 -> 21".to_owned()),
                (FixedKind::Fee, "USD".to_owned(), None, "11 -> 0".to_owned()),
            ]
        );
        let months = sum.months.iter().filter(|month| month.month == "2026-04" && month.unit == usd());
        assert_eq!(months.map(|month| month.after.unwrap().to_string()).collect::<Vec<_>>(), ["16", "0"]);
    }

    #[test]
    fn a_price_in_another_unit_is_another_price() {
        let rate = |unit: &str, price: &str| json!({"creditTypeId": unit, "price": price});
        let (old, new) = (rate("eur", "10"), rate(USD_CENTS, "10"));
        let open = |a: &Value, b: &Value| {
            open_rates("/overrides/x", (Some(a), None), (Some(b), None), OpenCause::Usage)
        };
        assert!(open(&old, &old).is_empty());
        let found = open(&old, &new);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].unit.as_ref().map(Unit::label), Some("eur"));
        assert_eq!((found[1].before, found[1].after), (None, Some("10".parse().unwrap())));
    }
}

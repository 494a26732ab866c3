//! Money as data: what amounts are counted in, and what a plan does to the money that a customer owes.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    months::{self, Month},
    usage::UsagePrice,
};
use crate::terms::{
    Decimal, Timestamp,
    calendar::{RelativeTime, TimeUnit},
};

/// ID of Metronome's default pricing unit, "USD (cents)".
pub const USD_CENTS: &str = "2714e483-4ff1-48e4-9e25-ac732e8f24f2";

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
    /// for everything else; `None` when the dollars have more than 28 digits.
    #[must_use]
    pub fn in_label(&self, amount: Decimal) -> Option<Decimal> {
        if !matches!(self, Self::PricingUnit { id, .. } if id == USD_CENTS) {
            return Some(amount);
        }
        let dollars = amount.normalized().checked_mul("0.01".parse().ok()?)?.normalized();
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
    fn is_same(&self, other: &Self) -> bool {
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
#[must_use]
pub fn is_price(name: &str) -> bool {
    is_rate(name) || name == FEE
}

/// Calls `visit` with every number of money in a value, or rate: its path, its member, its unit and its digits.
pub fn each_number(
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

/// Why fixed money is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FixedKind {
    /// The customer commits to spend it.
    Commitment,
    /// A fee that does not draw a commitment down.
    Fee,
    /// A discount by amount, as the billing API has it.
    Discount,
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

/// Fixed money that is due at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Why.
    pub kind: FixedKind,
    /// What it is counted in.
    pub unit: Unit,
    /// When, if anything says so.
    pub time: Option<Timestamp>,
    /// How much; `None` beyond 28 digits.
    pub amount: Option<Decimal>,
}

/// What is owed on one side of a plan, and when the contract starts there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owed {
    /// Start of the contract.
    pub start: Option<Timestamp>,
    /// Everything that is due.
    pub dues: Vec<Due>,
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

/// The sum, `None` when it or a part of it is beyond 28 digits.
pub(super) fn add(sum: Option<Decimal>, more: Option<Decimal>) -> Option<Decimal> {
    sum?.checked_add(more?.normalized())
}

/// The year of a contract that a time is in: 1 from its start, 0 before it.
fn year_of(start: Timestamp, time: Timestamp) -> u32 {
    let begun = |years: &u32| start_of_year(start, *years).is_some_and(|begin| begin <= time);
    let count = (0..10_000).take_while(begun).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The start of a year of a contract that starts at `start`; the first is 0. `None` after the year 9999.
#[must_use]
pub fn start_of_year(start: Timestamp, index: u32) -> Option<Timestamp> {
    let value = i32::try_from(index).ok()?;
    RelativeTime { unit: TimeUnit::Years, value }.span()?.after(start)
}

/// One side of a change: its value, and the unit around it.
pub(super) type Side<'v> = (Option<&'v Value>, Option<&'v Unit>);

/// Prices and factors at a path that are not the same before and after.
pub(super) fn open_rates(path: &str, before: Side<'_>, after: Side<'_>, cause: OpenCause) -> Vec<Open> {
    type Rates = BTreeMap<String, (Option<Unit>, Decimal)>;
    let rates = |(value, unit): Side<'_>| {
        let mut rates = Rates::new();
        let Some(value) = value else { return rates };
        each_number(path, value, unit, &mut |path, name, unit, digits| {
            if let (true, Ok(rate)) = (is_rate(name), Decimal::from_wire(digits)) {
                // A factor is no amount, whatever unit is around it.
                rates.insert(path.to_owned(), (unit.filter(|_| is_amount(name)).cloned(), rate));
            }
        });
        rates
    };
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
    use super::*;
    use serde_json::json;

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
    fn cents_become_dollars_without_losing_a_digit() {
        let shown = |cents: &str| usd().in_label(cents.parse().unwrap()).unwrap().to_string();
        assert_eq!(shown("120000"), "1200.00");
        assert_eq!(shown("5"), "0.05");
        assert_eq!(shown("0.5"), "0.005");
        assert_eq!(shown("-1250.00"), "-12.50");
        assert_eq!(shown("0"), "0.00");
        assert_eq!(shown("9999999999999999999999999999"), "99999999999999999999999999.99");
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
    fn the_unit_of_a_value_is_the_one_that_its_amounts_name() {
        let euros =
            json!({"name": "a", "schedule": {"creditTypeId": "eur", "scheduleItems": [{"amount": "1"}]}});
        let named = Unit::PricingUnit { id: "eur".into(), name: None };
        assert_eq!(unit_of("/charges/a", &euros, Some(&usd())), Some(named));
        assert_eq!(unit_of("/charges/a/name", &json!("a"), Some(&usd())), None);
        assert_eq!(unit_of("/charges/a/amount", &json!("1"), Some(&usd())), Some(usd()));
        let share = json!({"rateType": "PERCENTAGE", "price": "0.1"});
        assert_eq!(unit_of("/rate", &share, Some(&usd())), None);
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

//! Fixed money by the month in which it is due, in each currency.

use std::collections::BTreeMap;

use chrono::Datelike;

use super::customers::Customer;
use crate::{
    plan::{Due, FixedKind, OpenCause},
    terms::{Decimal, Timestamp},
};

/// A month of the calendar (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// Its year.
    pub year: i32,
    /// Its number, from 1.
    pub month: u32,
}

impl Month {
    /// The month that a moment is in.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Self { year: time.0.year(), month: time.0.month() }
    }

    /// The month after it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// What is due at one time, of all contracts together; each is `None` beyond 28 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    /// What customers commit to.
    pub committed: Option<Decimal>,
    /// Fees beside it.
    pub fees: Option<Decimal>,
    /// Discounts by amount, as the billing API has them.
    pub discounts: Option<Decimal>,
}

impl Default for Sums {
    fn default() -> Self {
        let zero = Some(Decimal::ZERO);
        Self { committed: zero, fees: zero, discounts: zero }
    }
}

impl Sums {
    fn add(&mut self, kind: FixedKind, amount: Option<Decimal>) {
        let sum = match kind {
            FixedKind::Commitment => &mut self.committed,
            FixedKind::Fee => &mut self.fees,
            FixedKind::Discount => &mut self.discounts,
        };
        *sum = sum.zip(amount).and_then(|(sum, more)| sum.checked_add(more.normalized()));
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let mut sum = self;
        sum.add(FixedKind::Commitment, other.committed);
        sum.add(FixedKind::Fee, other.fees);
        sum.add(FixedKind::Discount, other.discounts);
        sum
    }
}

/// Fixed money of all contracts in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Currency {
    /// Its code, or the name of the pricing unit.
    pub label: String,
    /// Months in which something is due, in their order.
    pub months: BTreeMap<Month, Sums>,
    /// What is due at a time that nothing says.
    pub undated: Sums,
}

impl Currency {
    /// Everything together.
    #[must_use]
    pub fn total(&self) -> Sums {
        self.months.values().fold(self.undated, |total, sums| total.plus(*sums))
    }
}

/// Fixed money of every contract that is billed, by currency.
#[must_use]
pub fn currencies(customers: &[Customer<'_>]) -> Vec<Currency> {
    let mut all: BTreeMap<String, Currency> = BTreeMap::new();
    let contracts = customers.iter().flat_map(|customer| &customer.contracts);
    for outlook in contracts.filter(|contract| contract.is_billed()).flat_map(|contract| &contract.outlook) {
        for Due { kind, unit, time, amount } in &outlook.dues {
            let label = unit.label().to_owned();
            let currency =
                all.entry(label.clone()).or_insert_with(|| Currency { label, ..Currency::default() });
            let sums = match time {
                Some(time) => currency.months.entry(Month::of(*time)).or_default(),
                None => &mut currency.undated,
            };
            sums.add(*kind, amount.and_then(|amount| unit.in_label(amount)));
        }
    }
    all.into_values().collect()
}

/// How many contracts that are billed have more than the sums show, by why.
#[must_use]
pub fn open(customers: &[Customer<'_>]) -> Vec<(OpenCause, usize)> {
    let mut counts: BTreeMap<OpenCause, usize> = BTreeMap::new();
    let contracts = customers.iter().flat_map(|customer| &customer.contracts);
    for outlook in contracts.filter(|contract| contract.is_billed()).flat_map(|contract| &contract.outlook) {
        for cause in &outlook.open {
            *counts.entry(*cause).or_default() += 1;
        }
    }
    counts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Resources,
            customers::customers,
            fixture::{contract, contract_of},
        },
        *,
    };

    #[test]
    fn commitments_are_added_up_in_the_month_in_which_they_are_due_and_drafts_are_left_out() {
        let mut draft = contract("draft", "2026-01-01", "2027-01-01");
        draft.spec.zoo.as_mut().unwrap().terms.status = serde_json::from_value("draft".into()).ok();
        let mut euros = contract_of("euros", 3, "2026-03-01", "2027-03-01", "7");
        euros.spec.zoo.as_mut().unwrap().terms.currency = serde_json::from_value("EUR".into()).ok();
        let contracts = vec![
            contract_of("a", 1, "2026-01-15", "2027-01-15", "100.10"),
            contract_of("b", 2, "2026-01-31", "2027-01-31", "0.20"),
            euros,
            draft,
        ];
        let resources = Resources { contracts, ..Resources::default() };
        let customers = customers(&resources, "2026-06-01T00:00:00Z".parse().unwrap(), 90);
        let found: Vec<_> = currencies(&customers)
            .into_iter()
            .map(|currency| {
                let months: Vec<_> = currency
                    .months
                    .iter()
                    .map(|(month, sums)| format!("{month} {}", sums.committed.unwrap().normalized()))
                    .collect();
                (currency.label.clone(), months, currency.total().committed.unwrap().normalized().to_string())
            })
            .collect();
        assert_eq!(
            found,
            [
                ("EUR".to_owned(), vec!["2026-03 7".to_owned()], "7".to_owned()),
                ("USD".to_owned(), vec!["2026-01 100.3".to_owned()], "100.3".to_owned()),
            ]
        );
        assert_eq!(open(&customers), [(OpenCause::Usage, 3)]);
    }

    #[test]
    fn a_sum_that_is_beyond_all_digits_is_not_told_as_another_one() {
        let much = "9999999999999999999999999999";
        let contracts = (1..10).map(|n| contract_of("a", n, "2026-01-01", "2027-01-01", much)).collect();
        let resources = Resources { contracts, ..Resources::default() };
        let customers = customers(&resources, "2026-06-01T00:00:00Z".parse().unwrap(), 90);
        let total = currencies(&customers)[0].total();
        assert_eq!((total.committed, total.fees), (None, Some(Decimal::ZERO)));
    }

    #[test]
    fn december_is_followed_by_january() {
        assert_eq!(Month { year: 2026, month: 12 }.next().to_string(), "2027-01");
    }
}

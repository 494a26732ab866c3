//! Numbers of money in terms, by where they are: JSON pointers, items of keyed lists by their key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::unit::{Unit, each_number, is_amount, is_price};
use crate::terms::Decimal;

/// Numbers by where they are, each with what it is counted in; no unit for factors.
pub type Numbers = BTreeMap<String, (Option<Unit>, Decimal)>;

/// Every amount and every price in terms as a resource has them.
#[must_use]
pub fn money_numbers(terms: &Value) -> BTreeMap<String, Decimal> {
    let numbers = numbers("", Some(terms), None, |_| true);
    numbers.into_iter().map(|(path, (_, number))| (path, number)).collect()
}

/// Every number of money in a value at a path, given the unit around it.
#[must_use]
pub fn money_at(path: &str, value: Option<&Value>, around: Option<&Unit>) -> Numbers {
    numbers(path, value, around, |_| true)
}

/// Every price in a value at a path, given the unit around it: rates of use and fees.
#[must_use]
pub fn prices(path: &str, value: Option<&Value>, around: Option<&Unit>) -> Numbers {
    numbers(path, value, around, is_price)
}

/// The numbers of money in a value at a path whose members count.
pub(super) fn numbers(
    path: &str,
    value: Option<&Value>,
    around: Option<&Unit>,
    counts: impl Fn(&str) -> bool,
) -> Numbers {
    let mut numbers = Numbers::new();
    let Some(value) = value else { return numbers };
    each_number(path, value, around, &mut |path, name, unit, digits| {
        if let (true, Ok(number)) = (counts(name), Decimal::from_wire(digits)) {
            // A factor is no amount, whatever unit is around it.
            numbers.insert(path.to_owned(), (unit.filter(|_| is_amount(name)).cloned(), number));
        }
    });
    numbers
}

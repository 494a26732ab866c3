//! Every number of money in terms, by where it is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::unit::each_number;
use crate::terms::Decimal;

/// Every amount and every price in terms as a resource has them, by its JSON pointer; items of keyed lists by their key.
#[must_use]
pub fn money_numbers(terms: &Value) -> BTreeMap<String, Decimal> {
    let mut numbers = BTreeMap::new();
    each_number("", terms, None, &mut |path, _, _, digits| {
        if let Ok(number) = digits.parse() {
            numbers.insert(path.to_owned(), number);
        }
    });
    numbers
}

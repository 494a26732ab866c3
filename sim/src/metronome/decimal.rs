//! Exact arithmetic on the digits of JSON numbers. Pure.

use std::str::FromStr as _;

use bigdecimal::{BigDecimal, One as _, RoundingMode, Zero as _};

use super::value::Json;

/// Digits before or after the point beyond which a number is taken for nonsense.
const DIGITS: u64 = 200;

/// Decimal places of a quotient that goes on for ever.
const PLACES: i64 = 12;

/// The number; `None` when it is out of all bounds.
pub(super) fn parse(digits: &str) -> Option<BigDecimal> {
    let number = BigDecimal::from_str(digits).ok()?;
    (number.digits() <= DIGITS && number.fractional_digit_count().unsigned_abs() <= DIGITS).then_some(number)
}

/// A number as JSON, without exponent and without zeros at the end.
pub(super) fn json(number: &BigDecimal) -> Json {
    Json::Number(number.normalized().to_plain_string())
}

/// Whether the digits mean zero.
pub(super) fn is_zero(digits: &str) -> bool {
    parse(digits).is_some_and(|number| number.is_zero())
}

/// Whether the digits mean less than zero.
pub(super) fn is_negative(digits: &str) -> bool {
    parse(digits).is_some_and(|number| number < BigDecimal::zero())
}

/// Whether the digits mean a number from 0 to 1.
pub(super) fn is_fraction(digits: &str) -> bool {
    parse(digits).is_some_and(|number| (BigDecimal::zero()..=BigDecimal::one()).contains(&number))
}

/// `amount` in `count` parts that add up to it; each but the last is rounded to `places`.
pub(super) fn divide(amount: &BigDecimal, count: u32, whole: bool) -> Vec<BigDecimal> {
    let Some(others) = count.checked_sub(1) else { return Vec::new() };
    let places = if whole { 0 } else { PLACES };
    let part = (amount / BigDecimal::from(count)).with_scale_round(places, RoundingMode::HalfUp);
    let last = amount - &part * BigDecimal::from(others);
    (0..others).map(|_| part.clone()).chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        let parts = divide(&parse("100").unwrap(), 3, true);
        assert_eq!(
            parts.iter().map(json).collect::<Vec<_>>(),
            ["33", "33", "34"].map(|n| Json::Number(n.into()))
        );
        let parts = divide(&parse("0.1").unwrap(), 7, false);
        assert_eq!(parts.iter().sum::<BigDecimal>(), parse("0.1").unwrap());
    }

    #[test]
    fn products_are_exact() {
        let product = parse("1234567890123456789.01").unwrap() * parse("0.00000000000000000003").unwrap();
        assert_eq!(json(&product), Json::Number("0.0370370367037037036703".into()));
        assert_eq!(parse("1e999999999"), None);
    }
}

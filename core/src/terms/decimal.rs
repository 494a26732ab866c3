//! Exact decimals: money, quantities with fractions, factors.
//!
//! A decimal is a string in YAML and a JSON number with exactly those digits on the wire. No float ever holds one.

use std::{borrow::Cow, fmt, ops::RangeInclusive, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Pattern of a decimal string in a custom resource. Digits before and after the point together may not exceed 28.
pub const PATTERN: &str = r"^-?(0|[1-9][0-9]{0,27})(\.[0-9]{1,27})?$";
/// [`PATTERN`] without the sign, for amounts that may not be negative.
pub const NON_NEGATIVE_PATTERN: &str = r"^(0|[1-9][0-9]{0,27})(\.[0-9]{1,27})?$";
/// [`PATTERN`] from 0 to 1, for shares of a whole.
pub const FRACTION_PATTERN: &str = r"^(0(\.[0-9]{1,27})?|1(\.0{1,27})?)$";
/// [`NON_NEGATIVE_PATTERN`] without a point, for counts that the billing API types as plain numbers.
pub const WHOLE_PATTERN: &str = r"^(0|[1-9][0-9]{0,27})$";
/// [`PATTERN`] without a point, for numbers of digits and the like.
pub const INTEGER_PATTERN: &str = r"^-?(0|[1-9][0-9]{0,27})$";
/// 28 digits and a sign or a point: with both, one digit less, since no pattern can count digits on both sides of a point.
pub const MAX_LENGTH: usize = 29;
/// Most significant digits that a decimal can hold exactly.
pub const MAX_DIGITS: usize = 28;

/// An exact decimal number, with the scale it was written with (`0.50` stays `0.50`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(rust_decimal::Decimal);

/// Why a text is not a [`Decimal`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` must be a decimal such as \"1250.00\": digits with at most one point, no exponent, at most 28 digits"
)]
pub struct DecimalError(String);

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(rust_decimal::Decimal::ZERO);

    /// Reads a JSON number as a billing API wrote it: exponents are allowed, and digits past the 28th are rounded,
    /// since an API that computes in binary floating point may print them.
    ///
    /// # Errors
    /// When the text is no number or its magnitude is beyond 28 digits.
    pub fn from_wire(text: &str) -> Result<Self, DecimalError> {
        rust_decimal::Decimal::from_str_exact(text)
            .or_else(|_| rust_decimal::Decimal::from_scientific(text))
            .or_else(|_| rust_decimal::Decimal::from_str(text))
            .map(Self)
            .map_err(|_| DecimalError(text.to_owned()))
    }

    /// Whether the number is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0 < rust_decimal::Decimal::ZERO
    }

    /// The same number without trailing zeros: `0.50` becomes `0.5`.
    #[must_use]
    pub fn normalized(self) -> Self {
        Self(self.0.normalize())
    }

    /// Whether a billing API's `observed` number says the same as this one.
    ///
    /// Equal values always do. An API that keeps binary floats returns the 15 digits that those can hold (IEEE 754
    /// double precision), or the 17 that tell them apart, so a number with that many digits is compared to that
    /// precision. One with more digits is exact.
    #[must_use]
    pub fn agrees_with(self, observed: Self) -> bool {
        const PRINTED: RangeInclusive<usize> = 15..=17;
        if self.0 == observed.0 {
            return true;
        }
        let digits = observed.0.normalize().mantissa().unsigned_abs().to_string().len();
        PRINTED.contains(&digits) && self.to_float_digits() == observed.to_float_digits()
    }

    /// The number with the 15 digits that a binary float holds, or itself where that cannot be had. It is the same for
    /// numbers that agree.
    #[must_use]
    pub fn to_float_digits(self) -> Self {
        const FLOAT_DIGITS: u32 = 15;
        self.0.round_sf(FLOAT_DIGITS).map_or(self, |rounded| Self(rounded.normalize()))
    }

    /// The sum, or `None` beyond 28 digits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` beyond 28 digits.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The product, or `None` beyond 28 digits.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        self.0.checked_mul(other.0).map(Self)
    }

    /// The quotient to 28 digits, or `None` beyond them or by zero.
    #[must_use]
    pub fn checked_div(self, other: Self) -> Option<Self> {
        self.0.checked_div(other.0).map(Self)
    }

    /// By how many percent of its size the number moves to another one, below zero when it falls; `None` from zero, and
    /// beyond 28 digits.
    #[must_use]
    pub fn percent_to(self, other: Self) -> Option<Self> {
        other.checked_sub(self)?.checked_mul(Self::from(100))?.checked_div(self.abs())
    }

    /// The number without the decimals after so many places.
    #[must_use]
    pub fn truncated(self, places: u32) -> Self {
        Self(self.0.trunc_with_scale(places))
    }

    /// Whether a resource has room for the number: its [`PATTERN`] takes it. One that was read from a billing API, or computed,
    /// may have more digits.
    #[must_use]
    pub fn fits(self) -> bool {
        let text = self.to_string();
        text.len() <= MAX_LENGTH && text.parse::<Self>().is_ok()
    }

    /// How many decimals the number is written with.
    #[must_use]
    pub fn decimals(self) -> u32 {
        self.0.scale()
    }

    /// The same number, written with at least so many decimals; `None` when that takes more than 28 digits.
    #[must_use]
    pub fn with_decimals(self, places: u32) -> Option<Self> {
        let mut padded = self.0;
        padded.rescale(places.max(self.decimals()));
        (padded.scale() >= places).then_some(Self(padded))
    }

    /// The number without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self(value.into())
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    /// Accepts what [`PATTERN`] accepts, and nothing that would have to be rounded.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let refuse = || DecimalError(text.chars().take(MAX_LENGTH + 10).collect());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (unsigned, None),
        };
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let well_formed = all_digits(whole)
            && fraction.is_none_or(all_digits)
            && (whole == "0" || !whole.starts_with('0'))
            && whole.len() + fraction.map_or(0, str::len) <= MAX_DIGITS;
        if !well_formed {
            return Err(refuse());
        }
        rust_decimal::Decimal::from_str_exact(text).map(Self).map_err(|_| refuse())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Decimal;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal in quotes, such as \"1250.00\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Which decimals a member takes. The pattern in its schema says so to the API server; `validate` asks [`Range::allows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Every decimal.
    Any,
    /// 0 and above.
    NonNegative,
    /// 0 to 1.
    Fraction,
    /// 0, 1, 2, …
    Whole,
    /// …, -1, 0, 1, …
    Integer,
}

impl Range {
    const ALL: [Self; 5] = [Self::Any, Self::NonNegative, Self::Fraction, Self::Whole, Self::Integer];

    /// The range that a pattern stands for, `None` when it is no decimal's.
    #[must_use]
    pub fn of_pattern(pattern: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.pattern() == pattern)
    }

    /// Whether a decimal lies in the range.
    #[must_use]
    pub fn allows(self, decimal: Decimal) -> bool {
        let is_integer = decimal.0.scale() == 0;
        match self {
            Self::Any => true,
            Self::NonNegative => !decimal.is_negative(),
            Self::Fraction => !decimal.is_negative() && decimal.0 <= rust_decimal::Decimal::ONE,
            Self::Whole => is_integer && !decimal.is_negative(),
            Self::Integer => is_integer,
        }
    }

    const fn pattern(self) -> &'static str {
        match self {
            Self::Any => PATTERN,
            Self::NonNegative => NON_NEGATIVE_PATTERN,
            Self::Fraction => FRACTION_PATTERN,
            Self::Whole => WHOLE_PATTERN,
            Self::Integer => INTEGER_PATTERN,
        }
    }

    fn schema(self) -> Schema {
        json_schema!({"type": "string", "pattern": self.pattern(), "maxLength": MAX_LENGTH})
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "a decimal",
            Self::NonNegative => "0 or more",
            Self::Fraction => "from 0 to 1, such as \"0.25\"",
            Self::Whole => "a whole number, 0 or more",
            Self::Integer => "a whole number",
        })
    }
}

impl JsonSchema for Decimal {
    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Range::Any.schema()
    }
}

/// Schema of a decimal that may not be negative, for `#[schemars(schema_with = …)]`.
#[must_use]
pub fn non_negative(_: &mut SchemaGenerator) -> Schema {
    Range::NonNegative.schema()
}

/// Schema of a decimal from 0 to 1, for `#[schemars(schema_with = …)]`.
#[must_use]
pub fn fraction(_: &mut SchemaGenerator) -> Schema {
    Range::Fraction.schema()
}

/// Schema of a whole number, for `#[schemars(schema_with = …)]`.
#[must_use]
pub fn integer(_: &mut SchemaGenerator) -> Schema {
    Range::Integer.schema()
}

/// Schema of a whole number that may not be negative, for `#[schemars(schema_with = …)]`.
#[must_use]
pub fn whole(_: &mut SchemaGenerator) -> Schema {
    Range::Whole.schema()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn the_digits_of_a_decimal_survive() {
        for text in ["0", "0.50", "-12.30", "9999999999999999999999999999", "0.000000000000000000000000001"] {
            assert_eq!(decimal(text).to_string(), text);
        }
    }

    #[test]
    fn what_would_be_rounded_or_guessed_is_refused() {
        for text in [
            "",
            "-",
            ".5",
            "1.",
            "1e3",
            "+1",
            "1_000",
            "007",
            "1,5",
            " 1",
            "NaN",
            "0.0000000000000000000000000001",
        ] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_takes_what_its_pattern_says() {
        let takes =
            |range: Range| ["-1", "0", "0.5", "1.00", "1.01", "2"].map(|text| range.allows(decimal(text)));
        assert_eq!(takes(Range::Any), [true; 6]);
        assert_eq!(takes(Range::NonNegative), [false, true, true, true, true, true]);
        assert_eq!(takes(Range::Fraction), [false, true, true, true, false, false]);
        assert_eq!(takes(Range::Whole), [false, true, false, false, false, true]);
        assert_eq!(takes(Range::Integer), [true, true, false, false, false, true]);
        for range in Range::ALL {
            assert_eq!(Range::of_pattern(range.pattern()), Some(range));
        }
    }

    #[test]
    fn what_the_schema_takes_can_be_held() {
        let (ones, zeros) = ("1".repeat(60), "0".repeat(60));
        let mut held = 0;
        for range in Range::ALL {
            let pattern = regex_lite::Regex::new(range.pattern()).unwrap();
            for sign in ["", "-"] {
                for whole in 1..=30 {
                    for fraction in 0..=30 {
                        for digits in [&ones, &zeros] {
                            let point = if fraction == 0 { "" } else { "." };
                            let whole = if digits == &zeros { "0" } else { &ones[..whole] };
                            let text = format!("{sign}{whole}{point}{}", &digits[..fraction]);
                            if pattern.is_match(&text) && text.len() <= MAX_LENGTH {
                                assert!(text.parse::<Decimal>().is_ok(), "{range}: {text}");
                                held += 1;
                            }
                        }
                    }
                }
            }
        }
        assert!(held > 1000, "{held}");
        assert!("1".repeat(28).parse::<Decimal>().is_ok());
    }

    #[test]
    fn unquoted_money_is_refused() {
        let error = serde_json::from_str::<Decimal>("0.5").unwrap_err().to_string();
        assert!(error.contains("in quotes"), "{error}");
    }

    #[test]
    fn a_number_from_the_wire_may_have_an_exponent() {
        assert_eq!(Decimal::from_wire("1e5").unwrap(), decimal("100000"));
        assert_eq!(Decimal::from_wire("100000.0").unwrap(), decimal("100000"));
        assert!(Decimal::from_wire("1e99").is_err());
    }

    #[test]
    fn a_float_keeping_api_agrees_to_fifteen_digits_and_no_fewer() {
        let price = decimal("0.12345678901234567890");
        assert!(price.agrees_with(Decimal::from_wire("0.12345678901234568").unwrap()));
        assert!(!price.agrees_with(Decimal::from_wire("0.1234567890").unwrap()));
        assert!(!decimal("0.50").agrees_with(decimal("0.55")));
        let exact = decimal("1234567890123456789.123456789");
        assert!(!exact.agrees_with(decimal("1234567890123456789.123456788")));
    }
}

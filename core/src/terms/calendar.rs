//! Calendar arithmetic in UTC: what "two months later" is.
//!
//! Every time is reckoned from one anchor, the contract's start, and never from a time that was reckoned before it. A
//! day of the month that a month lacks becomes that month's last day: monthly from January 31 gives February 28 (29 in
//! a leap year), March 31, April 30; yearly from February 29 gives February 28, and February 29 again in leap years.
//! Days and weeks are 24 and 168 hours; UTC has no summer time. Years are years of the Gregorian calendar.

use std::fmt;

use chrono::{Datelike, Days, Months};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Timestamp, api_enum::api_enums};

/// Last year that RFC 3339 can write.
const LAST_YEAR: i32 = 9999;

/// A length of time, in one unit of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RelativeTime {
    /// `DAYS`, `WEEKS`, `MONTHS` or `YEARS`.
    pub unit: TimeUnit,
    /// How many of them.
    #[schemars(range(min = 0, max = 100_000))]
    pub value: i32,
}

api_enums! { "SCREAMING_SNAKE_CASE"
    /// Units of the calendar.
    TimeUnit {
        /// Days of 24 hours.
        Days,
        /// Seven days.
        Weeks,
        /// Calendar months.
        Months,
        /// Twelve calendar months.
        Years,
    }
}

/// A distance from an anchor: whole months, and then whole days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    months: u32,
    days: u64,
}

impl RelativeTime {
    /// The distance that this is; `None` for a negative one.
    #[must_use]
    pub fn span(self) -> Option<Span> {
        let value = u32::try_from(self.value).ok()?;
        Some(match self.unit {
            TimeUnit::Days => Span { months: 0, days: value.into() },
            TimeUnit::Weeks => Span { months: 0, days: u64::from(value) * 7 },
            TimeUnit::Months => Span { months: value, days: 0 },
            TimeUnit::Years => Span { months: value.checked_mul(12)?, days: 0 },
        })
    }
}

impl fmt::Display for RelativeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value, self.unit)
    }
}

impl Span {
    /// Both distances together; `None` when that is beyond all calendars.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let months = self.months.checked_add(other.months)?;
        Some(Self { months, days: self.days.checked_add(other.days)? })
    }

    /// The distance, so many times; `None` when that is beyond all calendars.
    #[must_use]
    pub fn times(self, count: u32) -> Option<Self> {
        let months = self.months.checked_mul(count)?;
        Some(Self { months, days: self.days.checked_mul(count.into())? })
    }

    /// How many times another distance makes up this one exactly, wherever it starts; `None` when it does not.
    #[must_use]
    pub fn divided_by(self, part: Self) -> Option<u32> {
        let by_days = || u32::try_from(self.days.checked_div(part.days)?).ok();
        let count = self.months.checked_div(part.months).or_else(by_days)?;
        (part.times(count)? == self).then_some(count)
    }

    /// The time at this distance after an anchor; `None` after the year 9999.
    #[must_use]
    pub fn after(self, anchor: Timestamp) -> Option<Timestamp> {
        let time = anchor.0.checked_add_months(Months::new(self.months))?;
        let time = time.checked_add_days(Days::new(self.days))?;
        (time.year() <= LAST_YEAR).then_some(Timestamp(time))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Timelike};
    use proptest::{prelude::*, test_runner::RngSeed};

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn span(unit: TimeUnit, value: i32) -> Span {
        RelativeTime { unit, value }.span().unwrap()
    }

    /// The date that is `value` units after a date.
    #[track_caller]
    fn later(date: &str, unit: TimeUnit, value: i32) -> String {
        let later = span(unit, value).after(time(&format!("{date}T09:30:15Z"))).unwrap().to_string();
        later.strip_suffix("T09:30:15Z").expect("the time of day stays").to_owned()
    }

    #[test]
    fn days_and_weeks_count_through_months_and_leap_days() {
        assert_eq!(later("2026-01-31", TimeUnit::Days, 0), "2026-01-31");
        assert_eq!(later("2026-02-28", TimeUnit::Days, 1), "2026-03-01");
        assert_eq!(later("2028-02-28", TimeUnit::Days, 1), "2028-02-29");
        assert_eq!(later("2026-01-01", TimeUnit::Days, 365), "2027-01-01");
        assert_eq!(later("2028-01-01", TimeUnit::Days, 365), "2028-12-31");
        assert_eq!(later("2026-12-28", TimeUnit::Weeks, 1), "2027-01-04");
        assert_eq!(later("2026-03-25", TimeUnit::Weeks, 52), "2027-03-24");
    }

    #[test]
    fn months_end_on_the_last_day_that_there_is() {
        let monthly: Vec<_> = (1..=4).map(|value| later("2026-01-31", TimeUnit::Months, value)).collect();
        assert_eq!(monthly, ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]);
        assert_eq!(later("2028-01-31", TimeUnit::Months, 1), "2028-02-29");
        assert_eq!(later("2026-11-30", TimeUnit::Months, 3), "2027-02-28");
        assert_eq!(later("2026-01-15", TimeUnit::Months, 11), "2026-12-15");
        assert_eq!(later("2026-08-31", TimeUnit::Months, 1), "2026-09-30");
    }

    #[test]
    fn years_of_a_leap_day_fall_on_february_28_until_the_next_one() {
        let yearly: Vec<_> = (1..=4).map(|value| later("2028-02-29", TimeUnit::Years, value)).collect();
        assert_eq!(yearly, ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]);
        assert_eq!(later("2096-02-29", TimeUnit::Years, 4), "2100-02-28");
        assert_eq!(later("1996-02-29", TimeUnit::Years, 4), "2000-02-29");
        assert_eq!(later("2026-12-31", TimeUnit::Years, 1), "2027-12-31");
    }

    #[test]
    fn months_come_before_days_when_a_distance_has_both() {
        let both = span(TimeUnit::Days, 1).plus(span(TimeUnit::Months, 1)).unwrap();
        assert_eq!(both.after(time("2026-01-31T00:00:00Z")), Some(time("2026-03-01T00:00:00Z")));
    }

    #[test]
    fn there_is_nothing_after_the_year_9999_and_no_negative_distance() {
        let last = time("9999-12-31T23:59:59Z");
        assert_eq!(span(TimeUnit::Days, 0).after(last), Some(last));
        assert_eq!(span(TimeUnit::Days, 1).after(last), None);
        assert_eq!(span(TimeUnit::Years, 100_000).after(last), None);
        assert_eq!(RelativeTime { unit: TimeUnit::Years, value: i32::MAX }.span(), None);
        assert_eq!(RelativeTime { unit: TimeUnit::Days, value: -1 }.span(), None);
    }

    fn any_unit() -> impl Strategy<Value = TimeUnit> {
        prop_oneof![
            Just(TimeUnit::Days),
            Just(TimeUnit::Weeks),
            Just(TimeUnit::Months),
            Just(TimeUnit::Years)
        ]
    }

    /// Any second from 1970 to 2099.
    fn any_time() -> impl Strategy<Value = Timestamp> {
        (0..4_102_444_800_i64).prop_map(|second| Timestamp(DateTime::from_timestamp(second, 0).unwrap()))
    }

    fn days_in_month(time: Timestamp) -> u32 {
        let first = time.0.date_naive().with_day(1).unwrap();
        first
            .checked_add_months(Months::new(1))
            .unwrap()
            .signed_duration_since(first)
            .num_days()
            .try_into()
            .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn the_time_of_day_stays(anchor in any_time(), unit in any_unit(), value in 0..600) {
            let later = span(unit, value).after(anchor).unwrap();
            prop_assert_eq!(later.0.num_seconds_from_midnight(), anchor.0.num_seconds_from_midnight());
        }

        #[test]
        fn the_day_of_the_month_is_the_anchors_or_the_months_last(anchor in any_time(), value in 0..6000) {
            let later = span(TimeUnit::Months, value).after(anchor).unwrap();
            prop_assert_eq!(later.0.day(), anchor.0.day().min(days_in_month(later)));
            let months = |time: Timestamp| time.0.year() * 12 + i32::try_from(time.0.month()).unwrap();
            prop_assert_eq!(months(later), months(anchor) + value);
        }

        #[test]
        fn a_longer_distance_ends_later(anchor in any_time(), unit in any_unit(), value in 0..600) {
            prop_assert!(span(unit, value).after(anchor) < span(unit, value + 1).after(anchor));
        }

        #[test]
        fn twelve_months_are_a_year_and_seven_days_a_week(anchor in any_time(), value in 0..600) {
            prop_assert_eq!(
                span(TimeUnit::Months, 12 * value).after(anchor),
                span(TimeUnit::Years, value).after(anchor)
            );
            prop_assert_eq!(
                span(TimeUnit::Days, 7 * value).after(anchor),
                span(TimeUnit::Weeks, value).after(anchor)
            );
        }

        #[test]
        fn distances_of_one_unit_add_up(anchor in any_time(), unit in any_unit(), parts in (0..300, 0..300)) {
            let sum = span(unit, parts.0).plus(span(unit, parts.1)).unwrap();
            prop_assert_eq!(sum.after(anchor), span(unit, parts.0 + parts.1).after(anchor));
            let three = span(unit, parts.0).times(3).unwrap();
            prop_assert_eq!(three, span(unit, parts.0 * 3));
        }
    }
}

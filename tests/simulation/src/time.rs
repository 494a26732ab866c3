//! Virtual time: milliseconds since 1970, and nothing of the machine's clock.

use chrono::{DateTime, Months, SecondsFormat, Utc};
use serde_json::Value;

pub(crate) const SECOND: i64 = 1000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// When every run begins: 2026-01-05T00:00:00Z.
pub(crate) const START: i64 = 1_767_571_200 * SECOND;

/// A moment as the code under test takes it.
pub(crate) fn wall(moment: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(moment).unwrap_or_default()
}

/// A moment as a spec, or a billing API, writes it.
pub(crate) fn text(moment: i64) -> String {
    wall(moment).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A moment that was written so; the billing APIs compare moments and not texts.
pub(crate) fn parse(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
}

/// The same day of a later month.
pub(crate) fn months_after(moment: i64, months: u32) -> i64 {
    wall(moment).checked_add_months(Months::new(months)).map_or(moment, |time| time.timestamp_millis())
}

/// The first moment of a month, counted from January 2026.
pub(crate) fn month(index: u32) -> i64 {
    const JANUARY: i64 = 1_767_225_600 * SECOND;
    months_after(JANUARY, index)
}

/// The first month that begins after a moment.
pub(crate) fn next_month(moment: i64) -> u32 {
    (0..600).find(|index| month(*index) > moment).unwrap_or(600)
}

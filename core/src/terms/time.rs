//! Instants, as RFC 3339 text at second or finer precision; compared as instants, never as text.

use std::{borrow::Cow, fmt, str::FromStr, sync::LazyLock};

use chrono::{DateTime, SecondsFormat, Utc};
use regex_lite::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Pattern of a time in a custom resource, which is stricter than `format: date-time`: that one also takes `t` and `z`, any
/// offset, and anything before a fraction. What the API server takes and what can be read are the same by it.
pub const PATTERN: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(PATTERN).ok());

/// Nanoseconds of a second.
const SECOND: u32 = 1_000_000_000;

/// A point in time, written in UTC with `Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub DateTime<Utc>);

impl Timestamp {
    /// So many seconds after the beginning of 1970; nothing beyond the times that there are.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        DateTime::from_timestamp(seconds, 0).map(Self)
    }

    /// Reads a time as a billing API wrote it, in every spelling that RFC 3339 has: small letters, a space for the `T`, any
    /// number of decimals, and a 60th second, which is the first of the next minute.
    ///
    /// # Errors
    /// When the text is no such time.
    pub fn from_wire(text: &str) -> Result<Self, TimestampError> {
        let usual = text.parse();
        let other = || {
            let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
            let nanos = time.timestamp_subsec_nanos();
            let (over, nanos) = if nanos < SECOND { (0, nanos) } else { (1, nanos - SECOND) };
            DateTime::from_timestamp(time.timestamp() + over, nanos).map(Self)
        };
        usual.or_else(|error| other().ok_or(error))
    }

    /// Whether it is a full hour (UTC), as Metronome counts.
    #[must_use]
    pub fn is_full_hour(self) -> bool {
        self.0.timestamp() % 3600 == 0 && self.0.timestamp_subsec_nanos() == 0
    }

    /// A moment as a status has it.
    #[must_use]
    pub fn whole_seconds(now: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now))
    }
}

/// Why a text is not a [`Timestamp`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` must be a time such as 2026-01-01T00:00:00Z (RFC 3339)")]
pub struct TimestampError(String);

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let is_well_formed = is_usual(text) || FORM.as_ref().is_some_and(|form| form.is_match(text));
        let time = DateTime::parse_from_rfc3339(text).ok().filter(|_| is_well_formed);
        time.map(|time| Self(time.to_utc())).ok_or_else(|| TimestampError(text.chars().take(60).collect()))
    }
}

/// Whether a text is of the form that nearly all times have, `2026-01-01T00:00:00Z`, whatever the numbers are; those that are no
/// time are left to whoever reads it, but for a 60th second.
fn is_usual(text: &str) -> bool {
    let form = *b"0000-00-00T00:00:00Z";
    let fits = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    text.len() == form.len() && text.bytes().zip(form).all(fits) && text.as_bytes().get(17) <= Some(&b'5')
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time", "pattern": PATTERN, "maxLength": 35})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_fractions_name_the_same_instant() {
        let z: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!("2026-01-01T01:00:00.000+01:00".parse(), Ok(z));
        assert_eq!(z.to_string(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn only_one_spelling_of_a_time_is_taken() {
        for text in
            ["2026-01-01T00:00:00Z", "2026-01-01T23:59:59.123456789-23:59", "0000-01-01T00:00:00+23:59"]
        {
            assert!(text.parse::<Timestamp>().is_ok(), "{text}");
        }
        for text in [
            "2026-01-01t00:00:00z",
            "2026-01-01T00:00:00z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00\u{2212}01:00",
            "2026-01-01T00:00:00,5Z",
            "2026-01-01T00:00:00.1234567890Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_from_the_wire_may_be_spelled_in_every_way_that_there_is() {
        let time: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01t00:00:00z",
            "2026-01-01 00:00:00+00:00",
            "2026-01-01T00:00:00.000000000000Z",
            "2026-01-01T05:30:00.0+05:30",
            "2025-12-31T23:59:60Z",
        ] {
            assert_eq!(Timestamp::from_wire(text), Ok(time), "{text}");
        }
        for text in ["", "2026-01-01", "2026-01-01T00:00:00", "1767225600", "2026-02-30T00:00:00Z"] {
            assert!(Timestamp::from_wire(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_without_a_time_is_refused() {
        assert!("2026-01-01".parse::<Timestamp>().unwrap_err().to_string().contains("RFC 3339"));
    }
}

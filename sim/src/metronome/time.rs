//! Times as the API writes them, and the calendar: periods and offsets. Months are added as calendars do, so that a
//! period that starts on the 31st starts on the last day of a shorter month. Pure.

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, SecondsFormat, Timelike, Utc};

use super::value::{Fields, Json};

/// A time as the API writes it, with `+00:00` instead of `Z`.
pub(super) fn json(at: DateTime<Utc>) -> Json {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false).into()
}

/// The time in a field.
pub(super) fn of(fields: &Fields, name: &str) -> Option<DateTime<Utc>> {
    parse(fields.text(name)?)
}

/// A time from its text.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
}

/// Whether it is on a full hour.
pub(super) fn is_hour(at: DateTime<Utc>) -> bool {
    at.minute() == 0 && at.second() == 0 && at.nanosecond() == 0
}

/// The first moment of the month.
pub(super) fn start_of_month(at: DateTime<Utc>) -> DateTime<Utc> {
    let first = at.date_naive().with_day(1).unwrap_or(at.date_naive());
    first.and_time(NaiveTime::MIN).and_utc()
}

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many calendar months.
    Months(u32),
    /// So many days.
    Days(u64),
}

impl Step {
    /// The period of a frequency such as `MONTHLY`.
    pub(super) fn every(frequency: &str) -> Option<Self> {
        Some(match frequency {
            "DAILY" => Self::Days(1),
            "WEEKLY" => Self::Days(7),
            "MONTHLY" => Self::Months(1),
            "QUARTERLY" => Self::Months(3),
            "SEMI_ANNUAL" => Self::Months(6),
            "ANNUAL" => Self::Months(12),
            _ => return None,
        })
    }

    /// The length that `{"unit": "MONTHS", "value": 3}` says.
    pub(super) fn relative(length: &Fields) -> Option<Self> {
        let value: u32 = length.number("value")?.parse().ok()?;
        Some(match length.text("unit")? {
            "DAYS" => Self::Days(value.into()),
            "WEEKS" => Self::Days(u64::from(value) * 7),
            "MONTHS" => Self::Months(value),
            "YEARS" => Self::Months(value.checked_mul(12)?),
            _ => return None,
        })
    }

    /// The time `count` periods after `from`; `None` past the end of time.
    pub(super) fn after(self, from: DateTime<Utc>, count: u32) -> Option<DateTime<Utc>> {
        match self {
            Self::Months(months) => from.checked_add_months(Months::new(months.checked_mul(count)?)),
            Self::Days(days) => from.checked_add_days(Days::new(days.checked_mul(count.into())?)),
        }
    }

    /// The starts of the periods from `from` on, up to but without `until`.
    pub(super) fn starts(
        self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> {
        (0..).map_while(move |count| self.after(from, count)).take_while(move |start| *start < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        parse(text).unwrap()
    }

    #[test]
    fn months_are_counted_from_the_first_day_not_from_the_last_period() {
        let starts: Vec<_> = Step::Months(1)
            .starts(at("2027-12-31T00:00:00Z"), at("2028-04-01T00:00:00Z"))
            .map(|start| start.date_naive().to_string())
            .collect();
        assert_eq!(starts, ["2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31"]);
    }

    #[test]
    fn times_are_written_with_their_offset() {
        assert_eq!(json(at("2026-01-01T00:00:00.000Z")), Json::from("2026-01-01T00:00:00+00:00"));
    }
}

//! Times as the API writes them, and the calendar: periods and offsets. What becomes of a period that starts on the
//! 31st in a shorter month is [`MonthEnds`]' to say. Pure.

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, SecondsFormat, Timelike, Utc};

use super::switches::MonthEnds;
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

fn is_last_day(at: DateTime<Utc>) -> bool {
    last_day(at) == Some(at)
}

/// The same time on the last day of the month.
fn last_day(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (28..=31).rev().find_map(|day| at.with_day(day))
}

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many calendar months.
    Months(u32, MonthEnds),
    /// So many days.
    Days(u64),
}

impl Step {
    /// The period of a frequency such as `MONTHLY`.
    pub(super) fn every(frequency: &str, ends: MonthEnds) -> Option<Self> {
        Some(match frequency {
            "DAILY" => Self::Days(1),
            "WEEKLY" => Self::Days(7),
            "MONTHLY" => Self::Months(1, ends),
            "QUARTERLY" => Self::Months(3, ends),
            "SEMI_ANNUAL" => Self::Months(6, ends),
            "ANNUAL" => Self::Months(12, ends),
            _ => return None,
        })
    }

    /// The length that `{"unit": "MONTHS", "value": 3}` says.
    pub(super) fn relative(length: &Fields) -> Option<Self> {
        let value: u32 = length.number("value")?.parse().ok()?;
        Some(match length.text("unit")? {
            "DAYS" => Self::Days(value.into()),
            "WEEKS" => Self::Days(u64::from(value) * 7),
            "MONTHS" => Self::Months(value, MonthEnds::default()),
            "YEARS" => Self::Months(value.checked_mul(12)?, MonthEnds::default()),
            _ => return None,
        })
    }

    /// The time `count` periods after `from`; `None` past the end of time.
    pub(super) fn after(self, from: DateTime<Utc>, count: u32) -> Option<DateTime<Utc>> {
        match self {
            Self::Months(months, MonthEnds::FromStart) => {
                from.checked_add_months(Months::new(months.checked_mul(count)?))
            }
            Self::Months(months, MonthEnds::Carried) => {
                (0..count).try_fold(from, |at, _| at.checked_add_months(Months::new(months)))
            }
            Self::Months(months, MonthEnds::LastDay) => {
                let at = from.checked_add_months(Months::new(months.checked_mul(count)?))?;
                if is_last_day(from) { last_day(at) } else { Some(at) }
            }
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

    fn monthly(from: &str, ends: MonthEnds) -> Vec<String> {
        let starts = Step::Months(1, ends).starts(at(from), at("2028-04-01T00:00:00Z"));
        starts.map(|start| start.date_naive().to_string()).collect()
    }

    #[test]
    fn months_are_counted_from_the_first_day_not_from_the_last_period() {
        let starts = monthly("2027-12-31T00:00:00Z", MonthEnds::FromStart);
        assert_eq!(starts, ["2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31"]);
    }

    #[test]
    fn a_shorter_month_can_shorten_all_that_follow() {
        let starts = monthly("2027-12-31T00:00:00Z", MonthEnds::Carried);
        assert_eq!(starts, ["2027-12-31", "2028-01-31", "2028-02-29", "2028-03-29"]);
    }

    #[test]
    fn what_starts_on_the_last_day_of_a_month_can_stay_there() {
        let starts = monthly("2027-11-30T06:00:00Z", MonthEnds::LastDay);
        assert_eq!(starts, ["2027-11-30", "2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31"]);
        let starts = monthly("2028-01-29T06:00:00Z", MonthEnds::LastDay);
        assert_eq!(starts, ["2028-01-29", "2028-02-29", "2028-03-29"]);
    }

    #[test]
    fn times_are_written_with_their_offset() {
        assert_eq!(json(at("2026-01-01T00:00:00.000Z")), Json::from("2026-01-01T00:00:00+00:00"));
    }
}

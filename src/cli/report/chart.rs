//! Where bars go. Whole numbers of the drawing only; money becomes a height at the very end.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use crate::{
    overview::calendar::{Currency, Month, Sums},
    terms::{Decimal, Timestamp},
};

/// Width of a timeline.
pub(super) const TIMELINE: i64 = 400;
/// How many years before and after today a timeline may show.
const YEARS: i64 = 10;
/// Most bars of a chart; more months are shown by the quarter, or by the year.
const MOST_BARS: usize = 48;

/// The times that all timelines of a page show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

/// A year on a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) x: i64,
    pub(super) label: String,
}

impl Span {
    /// Whole years around some terms, at most [`YEARS`] from now.
    pub(super) fn around(
        terms: impl Iterator<Item = (Timestamp, Option<Timestamp>)>,
        now: DateTime<Utc>,
    ) -> Self {
        let (mut first, mut last) = (now, now);
        for (start, end) in terms {
            first = first.min(start.0);
            last = last.max(end.unwrap_or(start).0);
        }
        let most = TimeDelta::days(YEARS * 366);
        let (first, last) = (first.max(now - most), last.min(now + most));
        let new_year = |year: i32| {
            let day = chrono::NaiveDate::from_ymd_opt(year, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
            day.map(|day| day.and_utc())
        };
        // A term that ends with the year needs no other one.
        let end_year = (last - TimeDelta::seconds(1)).year() + 1;
        Self { start: new_year(first.year()).unwrap_or(first), end: new_year(end_year).unwrap_or(last) }
    }

    /// Where a moment is, cut at both ends.
    pub(super) fn x(&self, time: DateTime<Utc>) -> i64 {
        let whole = (self.end - self.start).num_seconds().max(1);
        let at = (time - self.start).num_seconds().clamp(0, whole);
        at.saturating_mul(TIMELINE) / whole
    }

    /// Where a term is: its left end and its width, never so narrow that nobody sees it.
    pub(super) fn bar(&self, start: Timestamp, end: Option<Timestamp>) -> (i64, i64) {
        let x = self.x(start.0);
        let end = end.map_or(TIMELINE, |end| self.x(end.0));
        (x.min(TIMELINE - 2), (end - x).max(2))
    }

    /// Years, as many as have room for their number.
    pub(super) fn ticks(&self) -> Vec<Tick> {
        let count = self.end.year() - self.start.year();
        let step = usize::try_from(count / 10 + 1).unwrap_or(1);
        let years = (self.start.year()..self.end.year()).step_by(step);
        let tick = |year: i32| {
            let day = chrono::NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)?.and_utc();
            Some(Tick { x: self.x(day), label: year.to_string() })
        };
        years.filter_map(tick).collect()
    }
}

/// A chart of money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chart {
    pub(super) width: i64,
    pub(super) height: i64,
    /// What a bar is: `month`, `quarter`, `year`.
    pub(super) step: &'static str,
    pub(super) description: String,
    pub(super) lines: Vec<Line>,
    pub(super) bars: Vec<Bar>,
}

/// A line across, with the amount that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) label: String,
}

/// What is due at one time: commitments, and fees on top of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) x: i64,
    pub(super) width: i64,
    pub(super) committed_top: i64,
    pub(super) committed: i64,
    pub(super) fees_top: i64,
    pub(super) fees: i64,
    /// What was committed before a change, as an outline; 0 where there is none.
    pub(super) before_top: i64,
    pub(super) before: i64,
    /// Its time, where there is room for it.
    pub(super) label: String,
    /// Its time and amounts.
    pub(super) title: String,
}

const WIDTH: i64 = 860;
const HEIGHT: i64 = 200;
/// Room for amounts on the left, and for times below.
const LEFT: i64 = 96;
const BELOW: i64 = 20;
/// Most width of a bar with its distance to the next, and the width of a label.
const WIDEST: i64 = 56;
const LABEL: i64 = 52;
const ABOVE: i64 = 10;

impl Chart {
    /// The chart of one currency; none without anything that has a time, or where a sum is beyond all digits. What was
    /// committed `before` a change is drawn as an outline.
    pub(super) fn of(currency: &Currency, before: Option<&Currency>) -> Option<Self> {
        let none = BTreeMap::new();
        let months_before = before.map_or(&none, |before| &before.months);
        let (step, bins) = self::bins(&on_both(&currency.months, months_before))?;
        let (_, bins_before) = self::bins(&on_both(months_before, &currency.months))?;
        let sums_before = bins_before.iter().map(|(_, sums)| sums.committed);
        let most = bins
            .iter()
            .map(|(_, sums)| sums.committed?.checked_add(sums.fees?))
            .chain(sums_before)
            .collect::<Option<Vec<_>>>()?;
        let most = most.into_iter().max().filter(|most| *most > Decimal::ZERO)?;
        let room = HEIGHT - BELOW - ABOVE;
        let floor = HEIGHT - BELOW;
        let count = i64::try_from(bins.len()).ok()?;
        let slot = ((WIDTH - LEFT) / count).min(WIDEST);
        let labelled = (LABEL / slot + 1).max(1);
        let (mut bars, mut x) = (Vec::new(), LEFT);
        for (index, ((label, sums), (_, sums_before))) in bins.iter().zip(&bins_before).enumerate() {
            let committed = height(sums.committed?, most, room);
            // Both together, so that no rounding parts them.
            let fees = height(sums.committed?.checked_add(sums.fees?)?, most, room) - committed;
            // A label that has no room up to the edge would be cut.
            let is_labelled =
                x + LABEL <= WIDTH && i64::try_from(index).is_ok_and(|index| index % labelled == 0);
            let outline = height(sums_before.committed?, most, room);
            let was = before.and(sums_before.committed);
            let was = was.map(|was| format!(", {} before", grouped(was))).unwrap_or_default();
            bars.push(Bar {
                x,
                width: (slot - slot / 5).max(1),
                committed_top: floor - committed,
                committed,
                fees_top: floor - committed - fees,
                fees,
                before_top: floor - outline,
                before: outline,
                label: if is_labelled { label.clone() } else { String::new() },
                title: format!(
                    "{label}: {} committed{was}, {} fees ({})",
                    grouped(sums.committed?),
                    grouped(sums.fees?),
                    currency.label
                ),
            });
            x += slot;
        }
        let half = most.checked_div(Decimal::from(2)).unwrap_or(most);
        let line =
            |amount: Decimal| Line { x: LEFT, y: floor - height(amount, most, room), label: grouped(amount) };
        let (first, last) = (bins.first()?, bins.last()?);
        Some(Self {
            width: WIDTH,
            height: HEIGHT,
            step,
            description: format!("From {} to {}; at most {} at once.", first.0, last.0, grouped(most)),
            lines: vec![line(most), line(half), line(Decimal::ZERO)],
            bars,
        })
    }
}

/// Months of one side, and those of the other with nothing in them, so that both have the same bars.
fn on_both(months: &BTreeMap<Month, Sums>, others: &BTreeMap<Month, Sums>) -> BTreeMap<Month, Sums> {
    let mut all: BTreeMap<Month, Sums> = others.keys().map(|month| (*month, Sums::default())).collect();
    all.extend(months.iter().map(|(month, sums)| (*month, *sums)));
    all
}

type Bins = Vec<(String, Sums)>;
/// A step of a chart: its word, and what a month's bar is called.
type Step = (&'static str, fn(Month) -> String);
/// Terms may reach far; beyond this many months a chart would say nothing.
const LONGEST: usize = 12 * 400;

/// Every month, quarter or year from the first to the last, whichever is not too many.
fn bins(months: &BTreeMap<Month, Sums>) -> Option<(&'static str, Bins)> {
    let (first, last) = (*months.keys().next()?, *months.keys().next_back()?);
    let steps: [Step; 3] = [
        ("month", |month| month.to_string()),
        ("quarter", |month| format!("{} Q{}", month.year, month.month.div_ceil(3))),
        ("year", |month| month.year.to_string()),
    ];
    for (step, name) in steps {
        let mut bins: Bins = Vec::new();
        let mut month = first;
        for _ in 0..LONGEST {
            let label = name(month);
            let sums = months.get(&month).copied().unwrap_or_default();
            match bins.last_mut().filter(|(last, _)| *last == label) {
                Some((_, sum)) => *sum = sum.plus(sums),
                None => bins.push((label, sums)),
            }
            if month == last {
                break;
            }
            month = month.next();
        }
        if bins.len() <= MOST_BARS || step == "year" {
            return Some((step, bins));
        }
    }
    None
}

/// A part of a whole, as a whole number of so many.
fn height(part: Decimal, whole: Decimal, room: i64) -> i64 {
    let share = part.checked_div(whole).and_then(|share| share.checked_mul(Decimal::from(room)));
    let tall = share.and_then(|share| share.truncated(0).to_string().parse::<i64>().ok()).unwrap_or_default();
    // What is not nothing is seen.
    if part > Decimal::ZERO { tall.clamp(1, room) } else { 0 }
}

/// A number with its thousands apart, every digit kept, and two decimals where it has any.
pub(super) fn grouped(number: Decimal) -> String {
    let number = number.normalized();
    let number = if number.decimals() > 0 { number.with_decimals(2).unwrap_or(number) } else { number };
    let text = number.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, rest) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{sign}{out}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(day: &str) -> Timestamp {
        format!("{day}T00:00:00Z").parse().unwrap()
    }

    fn sums(committed: &str, fees: &str) -> Sums {
        Sums { committed: committed.parse().ok(), fees: fees.parse().ok(), ..Sums::default() }
    }

    fn currency(months: &[(i32, u32, &str, &str)]) -> Currency {
        let months = months.iter().map(|(year, month, committed, fees)| {
            (Month { year: *year, month: *month }, sums(committed, fees))
        });
        Currency { label: "USD".to_owned(), months: months.collect(), ..Currency::default() }
    }

    #[test]
    fn numbers_keep_every_digit_and_their_sign() {
        let shown = |number: &str| grouped(number.parse().unwrap());
        assert_eq!(shown("120000.00"), "120,000");
        assert_eq!(shown("1234567.5"), "1,234,567.50");
        assert_eq!(shown("-1000"), "-1,000");
        assert_eq!(shown("0.00005"), "0.00005");
        assert_eq!(shown("999"), "999");
    }

    #[test]
    fn a_timeline_shows_whole_years_and_cuts_what_is_far_away() {
        let now = time("2026-06-01").0;
        let span = Span::around([(time("2026-01-01"), Some(time("2027-01-01")))].into_iter(), now);
        assert_eq!(span.bar(time("2026-01-01"), Some(time("2027-01-01"))), (0, 400));
        assert_eq!(span.ticks(), [Tick { x: 0, label: "2026".to_owned() }]);
        let span = Span::around([(time("2025-07-01"), Some(time("2999-01-01")))].into_iter(), now);
        let (x, width) = span.bar(time("2025-07-01"), Some(time("2999-01-01")));
        assert!(x > 0 && x + width == 400, "{x} {width}");
        assert_eq!(span.ticks().first().map(|tick| tick.label.as_str()), Some("2025"));
    }

    #[test]
    fn a_term_that_is_very_short_is_still_seen() {
        let span =
            Span::around([(time("2020-01-01"), Some(time("2030-01-01")))].into_iter(), time("2026-06-01").0);
        assert_eq!(span.bar(time("2026-01-01"), Some(time("2026-01-02"))).1, 2);
        let (x, width) = span.bar(time("2029-12-31"), None);
        assert!(x + width <= TIMELINE, "{x} {width}");
    }

    #[test]
    fn the_highest_bar_has_all_the_room_and_fees_stand_on_commitments() {
        let chart = Chart::of(&currency(&[(2026, 1, "300", "100"), (2026, 3, "100", "0")]), None).unwrap();
        assert_eq!((chart.step, chart.bars.len()), ("month", 3));
        let [first, second, third] = &*chart.bars else { panic!("{chart:?}") };
        assert_eq!(first.committed + first.fees, HEIGHT - BELOW - ABOVE);
        assert_eq!(first.fees_top + first.fees, first.committed_top);
        assert_eq!((second.committed, second.fees), (0, 0));
        assert_eq!(third.committed, first.committed / 3);
        assert_eq!(first.title, "2026-01: 300 committed, 100 fees (USD)");
    }

    #[test]
    fn many_months_are_shown_by_the_quarter_or_the_year_and_none_is_lost() {
        let long = |years: i32| {
            let months: Vec<_> = (2020..2020 + years)
                .flat_map(|year| (1..=12).map(move |month| (year, month, "1", "0")))
                .collect();
            let chart = Chart::of(&currency(&months), None).unwrap();
            (chart.step, chart.bars.len(), chart.bars[0].title.clone())
        };
        assert_eq!(long(4).0, "month");
        assert_eq!(long(5), ("quarter", 20, "2020 Q1: 3 committed, 0 fees (USD)".to_owned()));
        assert_eq!(long(20), ("year", 20, "2020: 12 committed, 0 fees (USD)".to_owned()));
    }

    #[test]
    fn nothing_and_what_is_beyond_all_digits_have_no_chart() {
        assert_eq!(Chart::of(&Currency::default(), None), None);
        assert_eq!(Chart::of(&currency(&[(2026, 1, "0", "0")]), None), None);
        let mut beyond = currency(&[(2026, 1, "1", "0")]);
        beyond.months.values_mut().for_each(|sums| sums.committed = None);
        assert_eq!(Chart::of(&beyond, None), None);
    }

    #[test]
    fn what_was_before_is_an_outline_on_the_same_scale_also_where_nothing_is_left() {
        let after = currency(&[(2026, 1, "100", "0")]);
        let before = currency(&[(2026, 1, "50", "0"), (2026, 2, "200", "0")]);
        let chart = Chart::of(&after, Some(&before)).unwrap();
        let room = HEIGHT - BELOW - ABOVE;
        let bars: Vec<_> = chart.bars.iter().map(|bar| (bar.committed, bar.before)).collect();
        assert_eq!(bars, [(room / 2, room / 4), (0, room)]);
        assert_eq!(chart.bars[0].title, "2026-01: 100 committed, 50 before, 0 fees (USD)");
    }
}

//! What charts show: when contracts apply, and what customers commit to over time, before and after.

use std::collections::BTreeMap;

use chrono::{Datelike, Months, NaiveDate};

use super::planned::Planned;
use crate::{
    plan::{FixedKind, Unit, render::number},
    review::term::{Span, Terming},
    terms::{Decimal, Timestamp},
};

/// Most months that are shown one by one; more are shown by year.
const MOST_MONTHS: usize = 36;

/// When one contract applies, before and after.
pub(super) struct Bar<'p> {
    /// The contract.
    pub(super) name: &'p str,
    /// Before.
    pub(super) before: Option<Span>,
    /// After.
    pub(super) after: Option<Span>,
}

/// The terms of every contract that changes.
pub(super) fn terms(planned: &Planned) -> Vec<Bar<'_>> {
    let bar = |row: &'_ super::planned::Row| row.term.map(|Terming { before, after }| (before, after));
    let bars = planned
        .rows
        .iter()
        .filter_map(|row| bar(row).map(|(before, after)| Bar { name: &row.name, before, after }));
    bars.collect()
}

/// From the first moment to the last that terms are about; those without an end go on for a year.
pub(super) fn range(bars: &[Bar<'_>]) -> Option<(Timestamp, Timestamp)> {
    let spans = || bars.iter().flat_map(|bar| [bar.before, bar.after]).flatten();
    let end =
        |span: Span| span.end.or_else(|| Some(Timestamp(span.start.0.checked_add_months(Months::new(12))?)));
    Some((spans().map(|span| span.start).min()?, spans().filter_map(end).max()?))
}

/// What customers commit to over time, in one unit.
pub(super) struct Chart {
    /// The unit, for people.
    pub(super) unit: String,
    /// Whether a column is a year; else it is a month.
    pub(super) by_year: bool,
    /// Each column: its month or year, the sum before and after, in units of the label.
    pub(super) columns: Vec<Column>,
}

/// One month or year.
pub(super) struct Column {
    /// `2026-01`, or `2026`.
    pub(super) label: String,
    /// What is due in it before.
    pub(super) before: Decimal,
    /// What is due in it after.
    pub(super) after: Decimal,
}

/// What is committed over time by all plans together, a chart for each unit; sums beyond 28 digits are left out.
pub(super) fn commitments(planned: &Planned) -> Vec<Chart> {
    let mut units: BTreeMap<Unit, BTreeMap<String, (Decimal, Decimal)>> = BTreeMap::new();
    for month in planned.total().months.into_iter().filter(|month| month.kind == FixedKind::Commitment) {
        if let (Some(before), Some(after)) = (month.before, month.after) {
            units.entry(month.unit).or_default().insert(month.month, (before, after));
        }
    }
    units.into_iter().map(|(unit, months)| columns(&unit, &months)).collect()
}

fn columns(unit: &Unit, months: &BTreeMap<String, (Decimal, Decimal)>) -> Chart {
    let all = every_month(months.keys());
    let by_year = all.len() > MOST_MONTHS;
    let mut sums: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
    for month in &all {
        let label = if by_year { month.chars().take(4).collect() } else { month.clone() };
        let (before, after) = months.get(month).copied().unwrap_or_default();
        let sum = sums.entry(label).or_default();
        sum.0 = sum.0.checked_add(before).unwrap_or(sum.0);
        sum.1 = sum.1.checked_add(after).unwrap_or(sum.1);
    }
    let in_label = |sum: Decimal| number(sum, unit).0.normalized();
    let column =
        |(label, (before, after))| Column { label, before: in_label(before), after: in_label(after) };
    Chart { unit: unit.label().to_owned(), by_year, columns: sums.into_iter().map(column).collect() }
}

/// Every month from the first to the last.
fn every_month<'m>(mut months: impl Iterator<Item = &'m String> + Clone) -> Vec<String> {
    const MOST: usize = 12 * 400;
    let date = |month: &String| format!("{month}-01").parse::<NaiveDate>().ok();
    let last = months.clone().last().and_then(date);
    let (Some(first), Some(last)) = (months.next().and_then(date), last) else { return Vec::new() };
    let next = |date: &NaiveDate| date.checked_add_months(Months::new(1));
    let all = std::iter::successors(Some(first), next).take_while(|date| *date <= last).take(MOST);
    all.map(|date| format!("{:04}-{:02}", date.year(), date.month())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Unit {
        Unit::Currency("USD".into())
    }

    fn months(all: &[(&str, i64)]) -> BTreeMap<String, (Decimal, Decimal)> {
        all.iter().map(|(month, sum)| ((*month).to_owned(), (Decimal::ZERO, Decimal::from(*sum)))).collect()
    }

    #[test]
    fn months_without_money_are_shown_between_those_with_some() {
        let found = columns(&usd(), &months(&[("2026-11", 5), ("2027-01", 7)]));
        let text: Vec<_> =
            found.columns.iter().map(|column| format!("{} {}", column.label, column.after)).collect();
        assert_eq!(text, ["2026-11 5", "2026-12 0", "2027-01 7"]);
        assert!(!found.by_year);
    }

    #[test]
    fn what_goes_on_for_long_is_shown_by_year() {
        let found = columns(&usd(), &months(&[("2026-01", 5), ("2026-07", 6), ("2030-01", 7)]));
        let text: Vec<_> =
            found.columns.iter().map(|column| format!("{} {}", column.label, column.after)).collect();
        assert_eq!(text, ["2026 11", "2027 0", "2028 0", "2029 0", "2030 7"]);
        assert!(found.by_year);
    }

    #[test]
    fn terms_without_an_end_go_on_for_a_year() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let bar = Bar { name: "acme", before: None, after: Some(Span { start, end: None }) };
        let (from, to) = range(&[bar]).unwrap();
        assert_eq!(
            (from.to_string(), to.to_string()),
            ("2026-01-01T00:00:00Z".into(), "2027-01-01T00:00:00Z".into())
        );
        assert!(range(&[]).is_none());
    }
}

//! Changes as rows: a place, what it was, what it will be. Every form of text is made from them.

use serde_json::Value;

use super::value::{number, plain, rate, segment, words};
use crate::{
    plan::{
        Change, FixedKind, MoneyEffect,
        money::{Fixed, Open, OpenCause},
        unit::{Unit, unit_in, unit_of},
    },
    terms::Decimal,
};

/// One difference in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Where.
    pub place: String,
    /// What billing says; nothing when it says nothing.
    pub before: Option<String>,
    /// What Git says.
    pub after: Option<String>,
    /// The unit of both, where they are amounts of one unit.
    pub unit: Option<String>,
}

impl Row {
    /// One side with its unit.
    pub(super) fn with_unit(&self, side: Option<&String>) -> Option<String> {
        let unit = self.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
        side.map(|side| format!("{side}{unit}"))
    }
}

/// Rows of all changes; a new contract has one for each of its parts, those with money first.
pub(super) fn rows(changes: &[Change]) -> Vec<Row> {
    changes.iter().flat_map(of_change).collect()
}

/// Rows of one change.
fn of_change(change: &Change) -> Vec<Row> {
    match &change.to {
        Some(terms) if change.is_new_contract() => new_contract(terms, change.unit.as_ref()),
        _ => vec![of_difference(change)],
    }
}

fn of_difference(change: &Change) -> Row {
    let place = plain(if change.path.is_empty() { "the contract" } else { &change.path });
    let name = change.path.rsplit('/').next().unwrap_or_default();
    let rate = |value: &Option<Value>| rate(name, value.as_ref()?);
    if let (Some(from), Some(to), true) =
        (rate(&change.from), rate(&change.to), change.from_unit == change.unit)
    {
        let in_unit = |rate| change.unit.as_ref().map_or((rate, ""), |unit| number(rate, unit));
        let ((from, old), (to, new)) = (in_unit(from), in_unit(to));
        if old == new {
            let (before, after) = (Some(from.to_string()), Some(aligned(from, to).to_string()));
            let unit = Some(plain(new)).filter(|unit| !unit.is_empty());
            return Row { place, before, after, unit };
        }
    }
    let side = |value: &Option<Value>, unit: &Option<Unit>| {
        value.as_ref().map(|value| words(name, value, unit.as_ref()))
    };
    let before = side(&change.from, &change.from_unit);
    Row { place, before, after: side(&change.to, &change.unit), unit: None }
}

/// The second of two numbers with at least the decimals of the first, so that 0.40 after 0.42 does not look cut off.
fn aligned(from: Decimal, to: Decimal) -> Decimal {
    to.with_decimals(from.decimals()).unwrap_or(to)
}

/// The parts of a new contract: what costs money first, each item of a list by itself.
fn new_contract(terms: &Value, around: Option<&Unit>) -> Vec<Row> {
    let name = terms.get("name").map(|name| words("name", name, None)).unwrap_or_default();
    let first = Row { place: "new contract".to_owned(), before: None, after: Some(name), unit: None };
    let unit = unit_in(terms, around);
    let mut parts: Vec<(bool, Row)> = Vec::new();
    let mut part = |place: String, name: &str, value: &Value| {
        let costs = costs_money(name, value, unit.as_ref());
        let after = Some(words(name, value, unit.as_ref()));
        parts.push((costs, Row { place: plain(&place), before: None, after, unit: None }));
    };
    for (name, value) in terms.as_object().into_iter().flatten().filter(|(name, _)| *name != "name") {
        match value {
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (index, item) in items.iter().enumerate() {
                    part(format!("/{name}/{}", segment(index, item)), name, item);
                }
            }
            _ => part(format!("/{name}"), name, value),
        }
    }
    parts.sort_by_key(|(costs, _)| !costs);
    std::iter::once(first).chain(parts.into_iter().map(|(_, row)| row)).collect()
}

/// Whether a part of a contract says what something costs.
fn costs_money(name: &str, value: &Value, unit: Option<&Unit>) -> bool {
    const PRICED: [&str; 2] = ["overrides", "subscriptions"];
    PRICED.contains(&name) || unit_of(&format!("/{name}"), value, unit).is_some()
}

/// One line of what a plan does to money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MoneyRow {
    /// What it is: `committed`, `fees`.
    pub what: &'static str,
    /// In which year of the contract; empty for the sum of all.
    pub year: String,
    /// The sum before.
    pub before: String,
    /// The sum after.
    pub after: String,
    /// What is more or less, with its sign.
    pub by: String,
    /// The unit of all three.
    pub unit: String,
}

/// What stands for a sum that is not known exactly.
const BEYOND: &str = "(more than 28 digits)";

impl MoneyRow {
    fn of(fixed: &Fixed) -> Self {
        let shown = |amount: Option<Decimal>| amount.and_then(|amount| fixed.unit.in_label(amount));
        let (before, after, by) = (shown(fixed.before), shown(fixed.after), shown(fixed.difference()));
        let text = |amount: Option<Decimal>| amount.map_or_else(|| BEYOND.to_owned(), |sum| sum.to_string());
        let aligned = |amount: Option<Decimal>| match (before, amount) {
            (Some(before), Some(amount)) => Some(self::aligned(before, amount)),
            _ => amount,
        };
        let sign = if by.is_some_and(|by| !by.is_negative()) { "+" } else { "" };
        Self {
            what: match fixed.kind {
                FixedKind::Commitment => "committed",
                FixedKind::Fee => "fees",
                FixedKind::Discount => "discounts",
            },
            year: match fixed.year {
                None => String::new(),
                Some(0) => "before the start".to_owned(),
                Some(year) => format!("year {year}"),
            },
            before: text(before),
            after: text(aligned(after)),
            by: format!("{sign}{}", text(by)),
            unit: plain(fixed.unit.label()),
        }
    }
}

/// Sums over all years that change, and those of single years where the sum does not show what they do.
pub(super) fn totals(effect: &MoneyEffect) -> Vec<MoneyRow> {
    let mut rows = Vec::new();
    for total in effect.totals() {
        if total.is_changed() {
            rows.push(MoneyRow::of(&total));
        } else {
            let years =
                effect.fixed.iter().filter(|fixed| fixed.kind == total.kind && fixed.unit == total.unit);
            rows.extend(years.filter(|fixed| fixed.is_changed()).map(MoneyRow::of));
        }
    }
    rows
}

/// Sums of every year that changes, each kind and unit followed by its sum over all years.
pub(super) fn years(effect: &MoneyEffect) -> Vec<MoneyRow> {
    let mut rows = Vec::new();
    for total in effect.totals() {
        let years = effect.fixed.iter().filter(|fixed| fixed.kind == total.kind && fixed.unit == total.unit);
        let years: Vec<_> = years.collect();
        let changed = years.iter().filter(|fixed| fixed.is_changed());
        rows.extend(changed.map(|fixed| MoneyRow::of(fixed)));
        if years.len() > 1 && years.iter().any(|fixed| fixed.is_changed()) {
            rows.push(MoneyRow { year: "in all".to_owned(), ..MoneyRow::of(&total) });
        }
    }
    rows
}

/// Why money has no sum, in words.
pub(super) fn cause(cause: OpenCause) -> &'static str {
    match cause {
        OpenCause::Usage => "by use",
        OpenCause::NoEnd => "without end",
        OpenCause::RateCard => "priced by the rate card",
        OpenCause::PartOfPeriod => "part of a period",
        OpenCause::Package => "from a package",
    }
}

/// A price that has no sum, as a row.
pub(super) fn open(open: &Open) -> Row {
    let side = |rate: Option<Decimal>| {
        let rate = rate?;
        Some(open.unit.as_ref().map_or((rate, ""), |unit| number(rate, unit)))
    };
    let (before, after) = (side(open.before), side(open.after));
    let label = before.or(after).map(|(_, label)| label).filter(|label| !label.is_empty());
    let after = match (before, after) {
        (Some((before, _)), Some((after, _))) => Some(aligned(before, after)),
        _ => after.map(|(after, _)| after),
    };
    Row {
        place: plain(&open.path),
        before: before.map(|(before, _)| before.to_string()),
        after: after.map(|after| after.to_string()),
        unit: label.map(plain),
    }
}

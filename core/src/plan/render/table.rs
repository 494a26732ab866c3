//! Changes and money as cells of tables, for whoever draws them: plain text, nothing cut and nothing escaped.

use super::row;
use crate::plan::{Change, MoneyEffect};

/// One line of a table: a place, and what stands there before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// Where.
    pub place: String,
    /// What billing says; empty when it says nothing.
    pub before: String,
    /// What Git says; empty when it is to go.
    pub after: String,
    /// Why it has no sum; empty where that is not the point.
    pub why: &'static str,
}

/// Fixed money of one kind and year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// What it is: `committed`, `fees`.
    pub what: &'static str,
    /// In which year of the contract; empty for the sum of all.
    pub year: String,
    /// The sum before, with its unit.
    pub before: String,
    /// The sum after, with its unit.
    pub after: String,
    /// What is more or less, with its sign and its unit.
    pub by: String,
}

fn cells(row: &row::Row, why: &'static str) -> Cells {
    let side = |side: Option<&String>| row.with_unit(side).unwrap_or_default();
    Cells {
        place: row.place.clone(),
        before: side(row.before.as_ref()),
        after: side(row.after.as_ref()),
        why,
    }
}

/// Every change; a new contract has a line for each of its parts.
#[must_use]
pub fn rows(changes: &[Change]) -> Vec<Cells> {
    row::rows(changes).iter().map(|row| cells(row, "")).collect()
}

/// What has no sum beforehand.
#[must_use]
pub fn open(effect: &MoneyEffect) -> Vec<Cells> {
    effect.open.iter().map(|open| cells(&row::open(open), row::cause(open.cause))).collect()
}

/// Fixed money of every year that changes.
#[must_use]
pub fn years(effect: &MoneyEffect) -> Vec<Sum> {
    let sum = |row: row::MoneyRow| {
        let [before, after, by] = [row.before, row.after, row.by].map(|sum| format!("{sum} {}", row.unit));
        Sum { what: row.what, year: row.year, before, after, by }
    };
    row::years(effect).into_iter().map(sum).collect()
}

//! Plain text: one line for conditions and events, several for a terminal.

use super::row::{self, MoneyRow, Row, rows};
use crate::plan::{Change, MoneyEffect, OpenCause, Plan};

/// Most bytes of changes in one line.
const CHANGES_LENGTH: usize = 2000;
/// Most bytes of a plan in one line, so that it fits into an event, which holds 1024.
const SUMMARY_LENGTH: usize = 1000;
/// Most bytes of one change in a line, so that a long one does not hide all others.
const LINE_LENGTH: usize = 500;
/// Bytes that are kept for saying how much was left out.
const MORE_LENGTH: usize = 40;

/// One change as a line, with an arrow from what billing says to what Git says.
#[must_use]
pub fn line(change: &Change) -> String {
    let lines: Vec<_> = rows(std::slice::from_ref(change)).iter().map(arrow).collect();
    lines.join("; ")
}

/// Changes as one line with arrows, cut at a bound, where it says how many more there are.
#[must_use]
pub fn summarize(changes: &[Change]) -> String {
    join(short(changes, arrow), CHANGES_LENGTH)
}

/// A plan as one line that fits into an event: its changes, and what they do to the money that the customer owes.
#[must_use]
pub fn summary(plan: &Plan) -> String {
    summary_within(plan, SUMMARY_LENGTH)
}

/// A plan as one line of at most so many bytes. Money is kept before changes; what is left out is counted.
#[must_use]
pub fn summary_within(plan: &Plan, most: usize) -> String {
    let effect = match effect(plan) {
        effect if effect.is_empty() => effect,
        effect => format!(" ({})", cut(effect, (most / 2).saturating_sub(MORE_LENGTH))),
    };
    let mut lines = short(&plan.changes, arrow);
    if lines.is_empty() {
        return effect.trim_start().to_owned();
    }
    // The parts of a new contract follow what it is, and what it costs.
    if let (true, Some(first)) = (is_new(plan), lines.first_mut()) {
        first.push_str(&effect);
        return join(lines, most);
    }
    join(lines, most.saturating_sub(effect.len())) + &effect
}

/// A plan in several lines: every change, then money by year, then what has no sum. Nothing is cut.
#[must_use]
pub fn lines(plan: &Plan) -> String {
    let mut lines: Vec<String> = rows(&plan.changes).iter().map(arrow).collect();
    let money = row::years(&plan.effect);
    if !money.is_empty() {
        lines.push("money:".to_owned());
        let is_new = is_new(plan);
        lines.extend(money.iter().map(|row| format!("  {}", sum(row, is_new))));
    }
    if !plan.effect.open.is_empty() {
        lines.push("without a sum:".to_owned());
        let open = plan.effect.open.iter();
        lines.extend(open.map(|open| match (open.before, open.after) {
            (None, None) => format!("  {} ({})", row::open(open).place, row::cause(open.cause)),
            _ => format!("  {} ({})", arrow(&row::open(open)), row::cause(open.cause)),
        }));
    }
    lines.extend(plan.invoiced.lines());
    lines.into_iter().map(|line| line + "\n").collect()
}

/// The first `most` of these lines, each cut at a bound; where there are more, the last one says how many.
#[must_use]
pub fn lines_within(plan: &Plan, most: usize) -> Vec<String> {
    let text = lines(plan);
    let count = text.lines().count();
    let shown = if count > most { most.saturating_sub(1) } else { count };
    let mut kept: Vec<_> = text.lines().take(shown).map(|line| cut(line.to_owned(), LINE_LENGTH)).collect();
    if count > shown {
        kept.push(format!("(and {} more lines)", count - shown));
    }
    kept
}

/// Fixed money that changes, a line each.
#[must_use]
pub fn money(effect: &MoneyEffect) -> Vec<String> {
    row::years(effect).iter().map(|row| sum(row, false)).collect()
}

/// Drift as one line, cut at a bound, where it says how many more differences there are.
#[must_use]
pub fn drift(changes: &[Change]) -> String {
    join(short(changes, sides), CHANGES_LENGTH)
}

/// One difference that is only told.
#[must_use]
pub fn drift_line(change: &Change) -> String {
    let lines: Vec<_> = rows(std::slice::from_ref(change)).iter().map(sides).collect();
    cut(lines.join("; "), LINE_LENGTH)
}

/// The first `most` differences that are only told; where there are more, the last line says how many.
#[must_use]
pub fn drift_lines(changes: &[Change], most: usize) -> Vec<String> {
    if changes.len() <= most {
        return changes.iter().map(drift_line).collect();
    }
    let shown = most.saturating_sub(1);
    let mut lines: Vec<_> = changes.iter().take(shown).map(drift_line).collect();
    lines.push(more(changes.len() - shown));
    lines
}

fn arrow(row: &Row) -> String {
    let unit = row.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    match (&row.before, &row.after) {
        (Some(from), Some(to)) => format!("{}: {from} -> {to}{unit}", row.place),
        (None, Some(to)) => format!("{}: + {to}{unit}", row.place),
        (Some(from), None) => format!("{}: - {from}{unit}", row.place),
        (None, None) => row.place.clone(),
    }
}

fn sides(row: &Row) -> String {
    let unit = row.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    match (&row.before, &row.after) {
        (Some(from), Some(to)) => format!("{}: billing says {from}, Git says {to}{unit}", row.place),
        (None, Some(to)) => format!("{}: billing says nothing, Git says {to}{unit}", row.place),
        (Some(from), None) => format!("{}: billing says {from}{unit}, Git says nothing", row.place),
        (None, None) => row.place.clone(),
    }
}

/// Lines of changes, each cut at a bound.
fn short(changes: &[Change], line: impl Fn(&Row) -> String) -> Vec<String> {
    rows(changes).iter().map(|row| cut(line(row), LINE_LENGTH)).collect()
}

/// Lines with semicolons between them, as many as the bound allows; the first one is always there.
fn join(lines: Vec<String>, most: usize) -> String {
    let (count, mut text) = (lines.len(), String::new());
    for (index, line) in lines.into_iter().enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        if index > 0 && text.len() + separator.len() + line.len() + MORE_LENGTH > most {
            return format!("{text} {}", more(count - index));
        }
        text = text + separator + &line;
    }
    text
}

fn more(count: usize) -> String {
    let noun = if count == 1 { "change" } else { "changes" };
    format!("(and {count} more {noun})")
}

/// A text of at most so many bytes, cut between two characters, and an ellipsis where it was cut.
fn cut(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", text.get(..end).unwrap_or_default())
}

fn is_new(plan: &Plan) -> bool {
    plan.changes.iter().any(Change::is_new_contract)
}

/// What a plan does to money, and what of it is invoiced already, in a few words; empty when nothing.
fn effect(plan: &Plan) -> String {
    let is_new = is_new(plan);
    let sums = row::totals(&plan.effect).iter().map(|row| sum(row, is_new)).collect::<Vec<_>>();
    sums.into_iter().chain(open(&plan.effect)).chain(plan.invoiced.words()).collect::<Vec<_>>().join("; ")
}

fn sum(row: &MoneyRow, is_new: bool) -> String {
    let MoneyRow { what, year, before, after, by, unit } = row;
    let year = if year.is_empty() { String::new() } else { format!(", {year}") };
    if is_new {
        format!("{what}{year}: {after} {unit}")
    } else {
        format!("{what}{year}: {before} -> {after} {unit}, {by}")
    }
}

/// How much has no sum, by its cause.
fn open(effect: &MoneyEffect) -> Option<String> {
    let mut counts: Vec<(OpenCause, usize)> = Vec::new();
    for open in &effect.open {
        match counts.iter_mut().find(|(cause, _)| *cause == open.cause) {
            Some((_, count)) => *count += 1,
            None => counts.push((open.cause, 1)),
        }
    }
    let counts: Vec<_> =
        counts.into_iter().map(|(cause, count)| format!("{count} {}", row::cause(cause))).collect();
    (!counts.is_empty()).then(|| format!("without a sum: {}", counts.join(", ")))
}

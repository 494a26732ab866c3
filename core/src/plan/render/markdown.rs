//! Markdown for pull requests: tables, values as code, so that nothing in a name is taken for markup or a mention.

use super::row::{self, Row, rows};
use crate::plan::{Change, MoneyEffect, Plan};

/// A plan: a table of every change, one of money by year, one of what has no sum. Nothing is cut.
#[must_use]
pub fn plan(plan: &Plan) -> String {
    let mut tables = vec![table(&["Change", "Before", "After"], &changes(&plan.changes))];
    tables.push(money(&plan.effect));
    let open = plan.effect.open.iter().map(|open| {
        let row = row::open(open);
        let why = row::cause(open.cause).to_owned();
        vec![code(&row.place), why, side(&row, row.before.as_ref()), side(&row, row.after.as_ref())]
    });
    tables.push(table(&["Without a sum", "Why", "Before", "After"], &open.collect::<Vec<_>>()));
    let invoices = plan.invoiced.invoices.iter().map(|invoice| vec![code(&invoice.line())]);
    tables.push(table(&["Invoiced already"], &invoices.collect::<Vec<_>>()));
    tables.extend(plan.invoiced.unknown.as_ref().and_then(|_| Some(plan.invoiced.words()? + "\n")));
    tables.retain(|table| !table.is_empty());
    tables.join("\n")
}

/// A table of fixed money that changes.
#[must_use]
pub fn money(effect: &MoneyEffect) -> String {
    let money = row::years(effect).into_iter().map(|row| {
        let [before, after, by] =
            [row.before, row.after, row.by].map(|sum| code(&format!("{sum} {}", row.unit)));
        vec![row.what.to_owned(), row.year, before, after, by]
    });
    table(&["Money", "When", "Before", "After", "Difference"], &money.collect::<Vec<_>>())
}

/// Drift: a table of what each side says.
#[must_use]
pub fn drift(differences: &[Change]) -> String {
    table(&["Difference", "Billing says", "Git says"], &changes(differences))
}

fn changes(changes: &[Change]) -> Vec<Vec<String>> {
    let rows = rows(changes);
    let cells =
        |row: &Row| vec![code(&row.place), side(row, row.before.as_ref()), side(row, row.after.as_ref())];
    rows.iter().map(cells).collect()
}

/// One side of a row as a cell.
fn side(row: &Row, side: Option<&String>) -> String {
    row.with_unit(side).map(|text| code(&text)).unwrap_or_default()
}

/// A table, nothing without rows.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule = vec!["---".to_owned(); head.len()];
    [head, rule].iter().chain(rows).map(|cells| line(cells)).collect()
}

/// Text as code, in more backticks than it has in a row, with what would end a cell escaped.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if longest == 0 { "" } else { " " };
    format!("{fence}{pad}{}{pad}{fence}", text.replace('|', "\\|"))
}

//! A plan for a terminal.

use super::pairs::{Part, Planned, Row};
use crate::{
    api::contract::Amount,
    cli::out::count,
    plan::{render, summarize},
    review::change::Effect,
};

pub(super) fn write(planned: &Planned) -> String {
    let mut text = String::new();
    for part in Part::ALL {
        let mut rows = planned.part(part).peekable();
        if rows.peek().is_none() && (part != Part::Refused || planned.wrong.is_empty()) {
            continue;
        }
        text.extend([format!("{}:\n\n", part.title())]);
        for entry in planned.wrong.iter().filter(|_| part == Part::Refused) {
            text.extend([format!("{}:{}:{}: {}\n", entry.file, entry.line, entry.column, entry.message)]);
        }
        for row in rows {
            text.extend([format!("{} {} ({}): {}\n", row.kind, row.name, row.file, what(row))]);
            text.extend(body(row).lines().map(|line| format!("    {line}\n")));
            text.push('\n');
        }
    }
    let total = render::money(&planned.total());
    if planned.part(Part::Does).count() > 1 && !total.is_empty() {
        text += "All together:\n\n";
        text.extend(total.iter().map(|line| format!("    {line}\n")));
        text.push('\n');
    }
    let counts = planned.counts();
    if counts.is_empty() && planned.wrong.is_empty() {
        text.extend([format!("Nothing changes in billing ({}).\n", count(planned.contracts, "contract"))]);
        return text;
    }
    text.extend([format!(
        "{}.\n",
        if counts.is_empty() { "The files are wrong".to_owned() } else { counts }
    )]);
    text
}

/// What happened to a resource, in a few words.
pub(super) fn what(row: &Row) -> String {
    let how = match &row.cause {
        Some(cause) => format!("by {cause}"),
        None => row.how.word().to_owned(),
    };
    match &row.effect {
        Effect::Changes { waits: true, .. } => format!("{how}, waits for approval"),
        Effect::Left { why, .. } | Effect::Open(why) => format!("{how}; {why}"),
        _ => how,
    }
}

/// An amount with its currency.
pub(super) fn sum(amount: &Amount) -> String {
    let digits = amount.amount.map_or_else(|| "more than 28 digits of".to_owned(), |sum| sum.to_string());
    format!("{digits} {}", amount.currency)
}

/// What is told of a resource below its name.
fn body(row: &Row) -> String {
    if !row.wrong.is_empty() {
        let lines = row
            .wrong
            .iter()
            .map(|entry| format!("{}:{}:{}: {}", entry.file, entry.line, entry.column, entry.message));
        return lines.collect::<Vec<_>>().join("\n");
    }
    match &row.effect {
        Effect::Changes { plan, .. } => render::lines(plan),
        Effect::Refused(refusal) => format!("{}: {}", refusal.reason, refusal.message),
        Effect::Left { changes, value, .. } => {
            let value = value.iter().map(|sum| format!("committed: {}", self::sum(sum)));
            let changes = (!changes.is_empty()).then(|| format!("differs: {}", summarize(changes)));
            value.chain(changes).collect::<Vec<_>>().join("\n")
        }
        Effect::Nothing | Effect::Open(_) => String::new(),
    }
}

//! A plan for a terminal.

use super::{
    planned::{Planned, Row},
    rates,
};
use crate::{
    cli::out::count,
    plan::{Call, Method, render, summarize},
    review::{change::Effect, document::Part, words},
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
        let mut before = String::new();
        for row in rows {
            text.extend([format!("{} {} ({}): {}\n", row.kind, row.name, row.file, row.what())]);
            // What keeps a provider from being asked is one thing, however many contracts it has.
            let told = body(row, part, planned.live);
            let is_told = matches!(row.effect, Effect::Refused(_) | Effect::Unknown(_)) && told == before;
            if is_told {
                text += "    as above\n";
            } else {
                text.extend(told.lines().map(|line| format!("    {line}\n")));
            }
            before = told;
            text.push('\n');
        }
    }
    for told in &planned.rates {
        text.extend([format!("What use of BillingContract {} costs now:\n\n", told.name)]);
        text.extend(rates::lines(told).into_iter().map(|line| format!("    {line}\n")));
        text.push('\n');
    }
    let mut total = render::money(&planned.total());
    total.extend(words::expected(planned.rows.iter().flat_map(|row| &row.estimates)));
    if planned.rows.iter().filter(|row| row.plan().is_some()).count() > 1 && !total.is_empty() {
        text += "All together:\n\n";
        text.extend(total.iter().map(|line| format!("    {line}\n")));
        text.push('\n');
    }
    if planned.is_empty() {
        text.extend([format!("Nothing changes in billing ({}).\n", count(planned.contracts, "contract"))]);
        return text;
    }
    let counts = planned.counts();
    text.extend([format!(
        "{}.\n",
        if counts.is_empty() { "The files are wrong".to_owned() } else { counts }
    )]);
    text
}

/// What is told of a resource below its name.
fn body(row: &Row, part: Part, live: bool) -> String {
    if !row.wrong.is_empty() {
        let lines = row
            .wrong
            .iter()
            .map(|entry| format!("{}:{}:{}: {}", entry.file, entry.line, entry.column, entry.message));
        return lines.collect::<Vec<_>>().join("\n");
    }
    match &row.effect {
        Effect::Changes { .. } => changes(row, part, live),
        Effect::Refused(refusal) | Effect::Unknown(refusal) => {
            format!("{}: {}", refusal.reason, refusal.message)
        }
        Effect::Left { changes, value, .. } => {
            let value = value.iter().map(|amount| format!("committed: {amount}"));
            let changes = (!changes.is_empty()).then(|| format!("differs: {}", summarize(changes)));
            value.chain(changes).collect::<Vec<_>>().join("\n")
        }
        Effect::Nothing | Effect::Open(_) => String::new(),
    }
}

/// What a plan does, or in the part for that, what it undoes; its money stands in the first part that it is told in.
fn changes(row: &Row, part: Part, live: bool) -> String {
    let undone = row.undone();
    let mut lines: Vec<String> =
        if part == Part::Undone { render::drift_lines(undone, usize::MAX) } else { Vec::new() };
    if row.part() == Some(part)
        && let Some(mut own) = row.own()
    {
        if part == Part::Undone {
            own.changes.clear();
        }
        lines.extend(render::lines(&own).lines().map(str::to_owned));
        lines.extend(words::estimates(&row.estimates));
        let looks = row.looks();
        if !looks.is_empty() {
            lines.push("look at:".to_owned());
            lines.extend(looks.into_iter().map(|look| format!("  {look}")));
        }
        lines.extend(own.calls.iter().filter(|_| live).map(|sent| format!("call: {}", call(sent))));
    }
    lines.join("\n")
}

/// A call, without its body.
pub(super) fn call(call: &Call) -> String {
    let method = match call.method {
        Method::Put => "PUT",
        Method::Post => "POST",
    };
    format!("{method} {}", call.path)
}

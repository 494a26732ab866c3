//! A plan as one comment of a pull request: counts and the total first, then a row a resource, then each in full.
//!
//! Forges cut comments without a word. So this one is cut here, whole resources at a time, and says so.

use super::{
    pairs::{Part, Planned, Row},
    text::what,
};
use crate::{cli::out::count, plan::render, review::change::Effect};

/// By which the comment is found again, to be updated in its place.
pub(super) const MARKER: &str = "<!-- countersign-plan -->";
/// Most characters that GitHub takes in a comment; GitLab takes more.
const MOST: usize = 65_536;
/// Characters that are kept for saying what was left out.
const KEPT: usize = 400;

pub(super) fn write(planned: &Planned) -> String {
    within(planned, MOST)
}

fn within(planned: &Planned, most: usize) -> String {
    let mut text = format!("{MARKER}\n");
    let counts = planned.counts();
    if counts.is_empty() && planned.wrong.is_empty() {
        text.extend([format!(
            "### ✅ Nothing changes in billing\n\n{}, all as they were.\n",
            count(planned.contracts, "contract")
        )]);
        return text;
    }
    let mark = if planned.code() == 2 { "❌" } else { "💰" };
    text.extend([format!(
        "### {mark} Billing: {}\n\n",
        if counts.is_empty() { "the files are wrong" } else { &counts }
    )]);
    let total = planned.total();
    match render::money_markdown(&total) {
        table if table.is_empty() => text += "Fixed money stays as it is.\n\n",
        table => text.extend([format!("{table}\n")]),
    }
    for entry in &planned.wrong {
        text.extend([format!(
            "- {}:{}:{}: {}\n",
            plain(&entry.file),
            entry.line,
            entry.column,
            plain(&entry.message)
        )]);
    }
    let rows: Vec<&Row> = Part::ALL.iter().flat_map(|part| planned.part(*part)).collect();
    let budget = most.saturating_sub(KEPT);
    text += "\n| Resource | What happens | Money |\n| --- | --- | --- |\n";
    let mut listed = 0;
    for row in &rows {
        let line = format!(
            "| {} {} | {} | {} |\n",
            row.kind,
            plain(&row.name),
            plain(&happens(row)),
            code(&money(row))
        );
        if length(&text) + length(&line) > budget {
            break;
        }
        text += &line;
        listed += 1;
    }
    let mut told = 0;
    if listed == rows.len() {
        for row in &rows {
            let part = row.part().map(Part::title).unwrap_or_default();
            let summary = format!("{} {}: {}", row.kind, row.name, happens(row));
            let detail = format!(
                "\n<details><summary>{}</summary>\n\n{}\n\n{}\n</details>\n",
                html(&summary),
                part,
                detail(row)
            );
            if length(&text) + length(&detail) > budget {
                break;
            }
            text += &detail;
            told += 1;
        }
    }
    if listed < rows.len() {
        let rest = rows.len() - listed;
        text.extend([format!(
            "\n**This comment is full: {rest} of {} resources are not in the table, and none is shown in full.** ",
            rows.len()
        )]);
        text += "Run `countersign plan` with the same arguments, or read the job's log, to see them all.\n";
    } else if told < rows.len() {
        let rest = rows.len() - told;
        text.extend([format!(
            "\n**This comment is full: {rest} of {} resources are not shown in full.** ",
            rows.len()
        )]);
        text += "Run `countersign plan` with the same arguments, or read the job's log, to see them all.\n";
    }
    text
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// What happens, in a few words: a part, and what happened to the file.
fn happens(row: &Row) -> String {
    let refused = || match &row.effect {
        Effect::Refused(refusal) if row.wrong.is_empty() => format!("refused: {}", refusal.reason),
        _ => format!("refused: {}", count(row.wrong.len(), "violation")),
    };
    match row.part() {
        Some(Part::Refused) => refused(),
        _ => what(row),
    }
}

/// What it does to fixed money, in a cell.
fn money(row: &Row) -> String {
    let Some(effect) = row.money() else { return String::new() };
    let sums = render::money(&crate::plan::MoneyEffect::sum(std::iter::once(effect)));
    let open =
        (!effect.open.is_empty()).then(|| format!("{} without a sum", count(effect.open.len(), "price")));
    sums.into_iter().chain(open).collect::<Vec<_>>().join("; ")
}

fn detail(row: &Row) -> String {
    if !row.wrong.is_empty() {
        let line = |entry: &super::super::validate::Entry| {
            format!("- {}:{}:{}: {}", plain(&entry.file), entry.line, entry.column, plain(&entry.message))
        };
        return row.wrong.iter().map(line).collect::<Vec<_>>().join("\n");
    }
    match &row.effect {
        Effect::Changes { plan, .. } => render::plan_markdown(plan),
        Effect::Refused(refusal) => plain(&refusal.message),
        Effect::Left { why, changes, value } => {
            let value =
                value.iter().map(|sum| format!("Still committed: {}.", plain(&super::text::sum(sum))));
            let changes = (!changes.is_empty()).then(|| render::drift_markdown(changes));
            std::iter::once(format!("Why: {}.", plain(why)))
                .chain(value)
                .chain(changes)
                .collect::<Vec<_>>()
                .join("\n\n")
        }
        Effect::Open(why) => format!("{}.", plain(why)),
        Effect::Nothing => String::new(),
    }
}

/// Text in which nothing is taken for markup, a mention or a reference; what it has in backticks is code.
fn plain(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // A backtick that nothing closes would swallow what follows.
        return plain(&text.replace('`', "'"));
    }
    let mut plain = String::new();
    for (index, part) in parts.into_iter().enumerate() {
        if !index.is_multiple_of(2) {
            plain.push_str(&code(part));
            continue;
        }
        for character in part.chars() {
            match character {
                '\n' | '\r' => plain.push(' '),
                '@' | '#' => plain.extend([character, '\u{200b}']),
                '<' => plain.push_str("&lt;"),
                '>' => plain.push_str("&gt;"),
                '&' => plain.push_str("&amp;"),
                '|' | '*' | '_' | '[' | ']' | '~' | '\\' => plain.extend(['\\', character]),
                character => plain.push(character),
            }
        }
    }
    plain
}

/// Text as code in a cell.
fn code(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("`{}`", text.replace('`', "'").replace('|', "\\|").replace(['\n', '\r'], " "))
}

/// Text inside an element of HTML.
fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('@', "@\u{200b}")
        .replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{
        files::{Files, Source},
        plan::pairs::Planned,
    };

    fn contract(name: &str, fee: &str) -> String {
        let organization =
            format!("6f0c3f0e-6b7e-4b8e-9f0a-{:012}", name.len() + usize::from(name.as_bytes()[0]));
        format!(
            "apiVersion: billing.countersign.dev/v1alpha1\nkind: BillingContract\nmetadata: {{name: {name}}}\nspec:\n  \
             providerRef: {{name: zoo}}\n  deletionPolicy: End\n  zoo:\n    organizationId: {organization}\n    name: '@{name} <b>|'\n    \
             status: active\n    provider: stripe\n    billingCadence: annual\n    commitmentScope: pooled\n    rolloverPolicy: none\n    \
             currency: USD\n    effectiveAt: 2026-01-01T00:00:00Z\n    termEndAt: 2027-01-01T00:00:00Z\n    items:\n      \
             - {{code: fde, displayName: Engineer, kind: fixed_fee, unit: year, fixedFeeAmount: '{fee}'}}\n    periods: []\n"
        )
    }

    fn planned(before: &[(&str, &str)], after: &[(&str, &str)]) -> Planned {
        let files = |all: &[(&str, &str)]| {
            let source = |(name, fee): &(&str, &str)| Source {
                name: format!("{name}.yaml"),
                text: contract(name, fee),
            };
            Files::of(all.iter().map(source).collect())
        };
        Planned::of(&files(before), &mut files(after), "2026-06-15T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_comment_has_counts_and_money_first_and_every_resource_in_full() {
        let before = [("acme", "1000"), ("globex", "10"), ("initech", "5")];
        let after = [("acme", "1200.50"), ("globex", "10"), ("zeta", "7"), ("initrode", "0x")];
        let planned = planned(&before, &after);
        assert_eq!(planned.code(), 2);
        insta::assert_snapshot!(format!(
            "{}\n== text\n{}",
            write(&planned),
            super::super::text::write(&planned)
        ));
    }

    #[test]
    fn where_nothing_changes_there_is_one_line() {
        let planned = planned(&[("acme", "1000")], &[("acme", "1000.00")]);
        assert_eq!(planned.code(), 0);
        assert_eq!(
            write(&planned),
            format!("{MARKER}\n### ✅ Nothing changes in billing\n\n1 contract, all as they were.\n")
        );
        assert_eq!(super::super::text::write(&planned), "Nothing changes in billing (1 contract).\n");
    }

    #[test]
    fn a_comment_that_is_too_long_says_what_it_leaves_out() {
        let planned = planned(&[("acme", "1000")], &[("acme", "1"), ("globex", "10"), ("zeta", "7")]);
        assert_eq!((planned.code(), planned.rows.len()), (3, 3));
        for (most, part) in
            [(2100, "resources are not shown in full"), (800, "resources are not in the table")]
        {
            let text = within(&planned, most);
            assert!(text.chars().count() <= most && text.contains(part), "{}: {text}", text.chars().count());
        }
        assert!(!write(&planned).contains("This comment is full"));
    }
}

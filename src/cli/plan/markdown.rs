//! A plan as one comment of a pull request: counts and the total first, then charts, a row a resource, then each in full.
//!
//! Forges cut comments without a word. So this one is cut here, whole resources at a time, and says so, and where the rest is.

use super::{
    charts::{self, Bar, Chart},
    planned::{Planned, Row},
    text::call,
};
use crate::{
    cli::{out::count, validate::Entry},
    plan::render,
    review::{change::Effect, document::Part, term::Span, words},
    terms::Timestamp,
};

/// By which the comment is found again, to be updated in its place.
pub(super) const MARKER: &str = "<!-- countersign-plan -->";
/// Most characters that GitHub takes in a comment; GitLab takes more.
const MOST: usize = 65_536;
/// Characters that are kept for saying what was left out.
const KEPT: usize = 600;
/// Most contracts in a chart of terms, and most prices that are called out before the table.
const MOST_BARS: usize = 40;
const MOST_ALERTS: usize = 20;
/// Where what does not fit is to be found.
const REST: &str = "Everything is in the HTML file of this run (`countersign plan --output html`, among the job's artifacts).\n";

pub(super) fn write(planned: &Planned) -> String {
    within(planned, MOST)
}

fn within(planned: &Planned, most: usize) -> String {
    let mut text = format!("{MARKER}\n");
    if planned.is_empty() {
        text.extend([format!(
            "### ✅ Nothing changes in billing\n\n{}, all as they were.\n",
            count(planned.contracts, "contract")
        )]);
        return text;
    }
    let counts = planned.counts();
    let mark = match planned.code() {
        0 => "✅",
        3 => "💰",
        _ => "❌",
    };
    text.extend([format!(
        "### {mark} Billing: {}\n\n",
        if counts.is_empty() { "the files are wrong" } else { &counts }
    )]);
    text += &total(planned);
    text += &alerts(planned);
    for entry in &planned.wrong {
        text += &found(entry);
        text.push('\n');
    }
    text += &over_time(planned);
    let rows: Vec<&Row> = Part::ALL
        .iter()
        .flat_map(|part| planned.part(*part).filter(move |row| row.part() == Some(*part)))
        .collect();
    let budget = most.saturating_sub(KEPT);
    text += "\n| Resource | What happens | Money |\n| --- | --- | --- |\n";
    let mut room = budget.saturating_sub(length(&text));
    let mut add = |text: &mut String, more: &str| {
        let fits = length(more) <= room;
        if fits {
            room -= length(more);
            text.push_str(more);
        }
        fits
    };
    let line = |row: &&Row| {
        format!("| {} {} | {} | {} |\n", row.kind, plain(&row.name), plain(&happens(row)), code(&money(row)))
    };
    let listed = rows.iter().take_while(|row| add(&mut text, &line(row))).count();
    let shown = |row: &&Row| {
        let parts = row.parts().into_iter().map(Part::title).collect::<Vec<_>>().join("; ");
        let summary = format!("{} {}: {}", row.kind, row.name, happens(row));
        format!(
            "\n<details><summary>{}</summary>\n\n{parts}\n\n{}\n</details>\n",
            html(&summary),
            detail(row, planned.live)
        )
    };
    let all = rows.len();
    if listed < all {
        text.extend([format!(
            "\n**This comment is full: {} of {all} resources are not in the table, and none is shown in full.** {REST}",
            all - listed
        )]);
        return text;
    }
    let told = rows.iter().take_while(|row| add(&mut text, &shown(row))).count();
    if told < all {
        text.extend([format!(
            "\n**This comment is full: {} of {all} resources are not shown in full.** {REST}",
            all - told
        )]);
    }
    text
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// What all of it does to money.
fn total(planned: &Planned) -> String {
    let mut text = match render::money_markdown(&planned.total()) {
        table if table.is_empty() => "Fixed money stays as it is.\n\n".to_owned(),
        table => format!("{table}\n"),
    };
    for line in words::expected(planned.rows.iter().flat_map(|row| &row.estimates)) {
        text.extend([format!("- {}\n", code(&line))]);
    }
    text
}

/// Prices that deserve a look, and what the files ask.
fn alerts(planned: &Planned) -> String {
    let all = planned.rows.iter().flat_map(|row| {
        let lines = row.looks().into_iter();
        lines.map(move |line| format!("- ⚠️ {}: {}\n", plain(&row.name), code(&line)))
    });
    let all: Vec<String> = all.collect();
    let mut text: String = all.iter().take(MOST_ALERTS).map(String::as_str).collect();
    if all.len() > MOST_ALERTS {
        text.extend([format!("- ⚠️ and {} more, each with its resource\n", all.len() - MOST_ALERTS)]);
    }
    text
}

/// Terms and commitments as charts, which forges draw from Mermaid.
fn over_time(planned: &Planned) -> String {
    let bars = charts::terms(planned);
    let mut charts = gantt(&bars);
    charts.extend(charts::commitments(planned).iter().map(columns));
    if charts.is_empty() {
        return String::new();
    }
    let charts = charts.iter().fold(String::new(), |text, chart| text + "```mermaid\n" + chart + "```\n\n");
    let more = bars.len().saturating_sub(MOST_BARS);
    let more = if more > 0 {
        format!("{} more are not in the chart of terms.\n\n", count(more, "contract"))
    } else {
        String::new()
    };
    format!("\n<details><summary>Terms and commitments over time</summary>\n\n{charts}{more}</details>\n")
}

fn gantt(bars: &[Bar<'_>]) -> Vec<String> {
    let Some((_, last)) = charts::range(bars) else { return Vec::new() };
    let mut chart = "gantt\n  dateFormat YYYY-MM-DD\n  axisFormat %Y-%m\n".to_owned();
    let day = |time: Timestamp| time.0.format("%Y-%m-%d").to_string();
    for bar in bars.iter().take(MOST_BARS) {
        chart.extend([format!("  section {}\n", word(bar.name))]);
        let mut line = |what: &str, style: &str, span: Option<Span>| {
            let Some(Span { start, end }) = span else { return };
            let goes_on = if end.is_none() { " (no end)" } else { "" };
            chart.extend([format!(
                "  {what}{goes_on} :{style}, {}, {}\n",
                day(start),
                day(end.unwrap_or(last))
            )]);
        };
        line("before", "done", bar.before);
        line("after", "active", bar.after);
    }
    vec![chart]
}

fn columns(chart: &Chart) -> String {
    let list = |value: &dyn Fn(&charts::Column) -> String| {
        chart.columns.iter().map(value).collect::<Vec<_>>().join(", ")
    };
    let by = if chart.by_year { "year" } else { "month" };
    format!(
        "xychart-beta\n  title \"Committed by {by} in {} (bars: after, line: before)\"\n  x-axis [{}]\n  bar [{}]\n  line [{}]\n",
        word(&chart.unit),
        list(&|column| format!("\"{}\"", column.label)),
        list(&|column| column.after.to_string()),
        list(&|column| column.before.to_string())
    )
}

/// Text that Mermaid takes for nothing but text.
fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_./ ".contains(letter);
    text.chars().map(|letter| if is_plain(letter) { letter } else { ' ' }).collect()
}

/// What happens, in a few words: a part, and what happened to the file.
pub(super) fn happens(row: &Row) -> String {
    match &row.effect {
        _ if !row.wrong.is_empty() => format!("refused: {}", count(row.wrong.len(), "violation")),
        Effect::Refused(refusal) => format!("refused: {}", refusal.reason),
        Effect::Unknown(refusal) => format!("not compared: {}", refusal.reason),
        Effect::Changes { undone, .. } if !undone.is_empty() => {
            format!("{}; undoes {} in billing", row.what(), count(undone.len(), "change"))
        }
        _ => row.what(),
    }
}

/// What it does to fixed money, in a cell.
pub(super) fn money(row: &Row) -> String {
    let Some(effect) = row.money() else { return String::new() };
    let sums = render::money(&crate::plan::MoneyEffect::sum(std::iter::once(effect)));
    let open =
        (!effect.open.is_empty()).then(|| format!("{} without a sum", count(effect.open.len(), "price")));
    let expected = words::expected(row.estimates.iter());
    sums.into_iter().chain(expected).chain(open).collect::<Vec<_>>().join("; ")
}

fn found(entry: &Entry) -> String {
    format!("- {}:{}:{}: {}", plain(&entry.file), entry.line, entry.column, plain(&entry.message))
}

fn detail(row: &Row, live: bool) -> String {
    if !row.wrong.is_empty() {
        return row.wrong.iter().map(found).collect::<Vec<_>>().join("\n");
    }
    match &row.effect {
        Effect::Changes { .. } => changes(row, live),
        Effect::Refused(refusal) | Effect::Unknown(refusal) => plain(&refusal.message),
        Effect::Left { why, changes, value } => {
            let value =
                value.iter().map(|amount| format!("Still committed: {}.", plain(&amount.to_string())));
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

fn changes(row: &Row, live: bool) -> String {
    let mut parts: Vec<String> = row.own().iter().map(render::plan_markdown).collect();
    if !row.undone().is_empty() {
        parts.push(format!("{}:\n\n{}", Part::Undone.title(), render::drift_markdown(row.undone())));
    }
    let lists = [words::estimates(&row.estimates), row.looks()];
    parts.extend(
        lists
            .iter()
            .filter(|list| !list.is_empty())
            .map(|list| list.iter().fold(String::new(), |text, line| text + "- " + &code(line) + "\n")),
    );
    let calls = row.plan().filter(|_| live).map(|plan| plan.calls.as_slice()).unwrap_or_default();
    if !calls.is_empty() {
        let calls = calls.iter().fold(String::new(), |text, sent| text + "1. " + &code(&call(sent)) + "\n");
        parts.push(format!("Calls, in order:\n\n{calls}"));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
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
        plan::{
            pairs::Change,
            planned::{Looks, Planned},
        },
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
                unread: None,
            };
            Files::of(all.iter().map(source).collect())
        };
        let (mut before, mut after) = (files(before), files(after));
        let change = Change::of(Some(&mut before), &mut after, "2026-06-15T10:00:00Z".parse().unwrap());
        Planned::offline(&change, &Looks { price_alert: 20.into(), ..Looks::default() })
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
    fn what_keeps_several_contracts_from_being_compared_is_told_once() {
        let mut planned = planned(&[], &[("acme", "1"), ("globex", "2"), ("initech", "3")]);
        for (row, why) in planned.rows.iter_mut().zip(["it is down", "it is down", "it is slow"]) {
            let reason = crate::api::reasons::PROVIDER_NOT_READY;
            row.effect = Effect::Unknown(crate::plan::Refusal { reason, message: why.to_owned() });
        }
        let text = super::super::text::write(&planned);
        let bodies: Vec<_> = text.lines().filter(|line| line.starts_with("    ")).map(str::trim).collect();
        assert_eq!(bodies, ["ProviderNotReady: it is down", "as above", "ProviderNotReady: it is slow"]);
    }

    #[test]
    fn a_comment_that_is_too_long_says_what_it_leaves_out() {
        let planned = planned(&[("acme", "1000")], &[("acme", "1"), ("globex", "10"), ("zeta", "7")]);
        assert_eq!((planned.code(), planned.rows.len()), (3, 3));
        for (most, part) in
            [(3400, "resources are not shown in full"), (1700, "resources are not in the table")]
        {
            let text = within(&planned, most);
            assert!(text.chars().count() <= most && text.contains(part), "{}: {text}", text.chars().count());
        }
        assert!(!write(&planned).contains("This comment is full"));
    }
}

//! A page of a plan: what a change does, with what was before as an outline.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{
    Chart, CurrencyPart, CustomerPart, MonthRow, Note, OPEN, Page, PriceRow, Row, Span, TROUBLES, Tile,
    TroubleRow, Words, grouped, groups_of, money, open_words, priced, sum,
};
use crate::{
    overview::calendar::{Currency, Month, Sums},
    plan::{Change, FixedKind, OpenCause, Unit, prices},
    review::{
        alerts::percent,
        document::{Document, Found, How, Part, Resource},
        term,
    },
    terms::{Decimal, Timestamp},
};

impl Page {
    /// The page of a plan that was read from a file.
    pub(in crate::cli::report) fn of_plan(plan: &Document, scope: &str, now: DateTime<Utc>) -> Self {
        let terms = plan.resources.iter().filter_map(|resource| resource.term);
        let terms = terms.flat_map(|term| [term.before, term.after]).flatten();
        let span = Span::around(terms.map(|span| (span.start, span.end)), now);
        let mut troubles: Vec<TroubleRow> = plan.findings.iter().map(|found| wrong("", found)).collect();
        troubles.extend(plan.resources.iter().flat_map(trouble));
        let more_troubles = troubles.split_off(troubles.len().min(TROUBLES));
        let is_open = plan.resources.len() <= OPEN;
        let parts = plan.resources.iter().map(|resource| CustomerPart::of_change(resource, is_open, span));
        let known = if plan.live { "the billing API has" } else { "the files said" };
        let mut hints = Vec::new();
        if !plan.live {
            hints.push(
                "The billing API was not asked: what the files said before is taken for what is billed."
                    .to_owned(),
            );
        }
        Self {
            words: Words {
                heading: "What a change does",
                troubles: "What is refused, left or not known",
                money: "Money by month",
                sums: "What customers owe by the contracts that change, whatever they use, in the month in which it is due \
                       (UTC), before and after.",
                terms: "What changes",
                key: format!(
                    "Each bar is a term by what it will be; an outline is what {known} before. The dashed line is {}.",
                    now.date_naive()
                ),
            },
            scope: scope.to_owned(),
            made: now.format("%Y-%m-%d %H:%M UTC").to_string(),
            version: env!("CARGO_PKG_VERSION"),
            tiles: tiles(plan),
            hints,
            troubles,
            more_troubles,
            no_trouble: "Nothing is.",
            open: open_words(open(plan)),
            currencies: currencies(plan),
            ticks: span.ticks(),
            today: Some(span.x(now)),
            groups: groups_of(parts.collect(), "resource"),
        }
    }
}

fn tiles(plan: &Document) -> Vec<Tile> {
    let counts = &plan.counts;
    let all = [
        (counts.does, if counts.does == 1 { "changes" } else { "change" }),
        (counts.undone, "changed in billing"),
        (counts.open, "open"),
        (counts.left, "left as they are"),
        (counts.refused, "refused"),
        (counts.unknown, "not known"),
    ];
    let told = all.into_iter().filter(|(count, what)| *count > 0 || *what == "change");
    told.map(|(count, what)| Tile { count, what: what.to_owned() }).collect()
}

fn label(resource: &Resource) -> String {
    format!("{} {}", resource.kind, resource.name)
}

fn wrong(kind: &str, found: &Found) -> TroubleRow {
    TroubleRow {
        kind: kind.to_owned(),
        name: format!("{}:{}", found.file, found.line),
        mark: "wrong",
        class: "bad",
        since: String::new(),
        reason: String::new(),
        message: found.message.clone(),
        cure: "correct the file".to_owned(),
    }
}

/// What keeps a resource from being changed, if anything does.
fn trouble(resource: &Resource) -> Vec<TroubleRow> {
    if !resource.findings.is_empty() {
        return resource.findings.iter().map(|found| wrong(&label(resource), found)).collect();
    }
    let part = resource.parts.first().copied();
    let (mark, class) = match part {
        Some(Part::Refused) => ("refused", "bad"),
        Some(Part::Unknown) => ("not known", "bad"),
        Some(Part::Left) => ("left", "wait"),
        Some(Part::Open) => ("open", "wait"),
        _ => return Vec::new(),
    };
    let value: Vec<_> = resource.committed_value.iter().map(money).collect();
    let committed =
        if value.is_empty() { String::new() } else { format!(" (committed: {})", value.join(", ")) };
    let why = resource.message.as_ref().or(resource.why.as_ref()).cloned().unwrap_or_default();
    vec![TroubleRow {
        kind: resource.kind.clone(),
        name: resource.name.clone(),
        mark,
        class,
        since: String::new(),
        reason: resource.reason.clone().unwrap_or_default(),
        message: why + &committed,
        cure: String::new(),
    }]
}

/// How many resources have more than the sums show, by why.
fn open(plan: &Document) -> Vec<(OpenCause, usize)> {
    let mut counts: BTreeMap<OpenCause, usize> = BTreeMap::new();
    for effect in plan.resources.iter().filter_map(|resource| resource.effect.as_ref()) {
        let mut causes: Vec<OpenCause> = effect.open.iter().map(|open| open.cause).collect();
        causes.sort_unstable();
        causes.dedup();
        for cause in causes {
            *counts.entry(cause).or_default() += 1;
        }
    }
    counts.into_iter().collect()
}

/// Money of one unit on both sides.
fn currencies(plan: &Document) -> Vec<CurrencyPart> {
    let mut sides: BTreeMap<&str, [Currency; 2]> = BTreeMap::new();
    for row in &plan.months {
        let label = row.unit.label();
        let sides = sides
            .entry(label)
            .or_insert_with(|| [(); 2].map(|()| Currency { label: label.to_owned(), ..Currency::default() }));
        let Some(month) = month(&row.month) else { continue };
        for (side, amount) in sides.iter_mut().zip([row.before, row.after]) {
            let sums = side.months.entry(month).or_default();
            *sums = sums.plus(of_kind(row.kind, &row.unit, amount));
        }
    }
    // What has no month is in the sums of all.
    let mut totals: BTreeMap<&str, [Sums; 2]> = BTreeMap::new();
    for row in &plan.total {
        let totals = totals.entry(row.unit.label()).or_default();
        for (total, amount) in totals.iter_mut().zip([row.before, row.after]) {
            *total = total.plus(of_kind(row.kind, &row.unit, amount));
        }
    }
    totals
        .into_iter()
        .map(|(label, totals)| CurrencyPart::of_both(label, totals, sides.remove(label)))
        .collect()
}

/// An amount of one kind, in the unit that people know.
fn of_kind(kind: FixedKind, unit: &Unit, amount: Option<Decimal>) -> Sums {
    let amount = amount.and_then(|amount| unit.in_label(amount));
    match kind {
        FixedKind::Commitment => Sums { committed: amount, ..Sums::default() },
        FixedKind::Fee => Sums { fees: amount, ..Sums::default() },
        FixedKind::Discount => Sums { discounts: amount, ..Sums::default() },
    }
}

fn month(text: &str) -> Option<Month> {
    let (year, month) = text.rsplit_once('-')?;
    Some(Month {
        year: year.parse().ok()?,
        month: month.parse().ok().filter(|month| (1..=12).contains(month))?,
    })
}

/// How much more that is, with its sign.
fn difference(before: Option<Decimal>, after: Option<Decimal>) -> String {
    let more = before.zip(after).and_then(|(before, after)| after.checked_sub(before));
    match more {
        None => sum(None),
        Some(more) if more > Decimal::ZERO => format!("+{}", grouped(more)),
        Some(more) => grouped(more),
    }
}

impl CurrencyPart {
    fn of_both(label: &str, [before, after]: [Sums; 2], sides: Option<[Currency; 2]>) -> Self {
        let [was, is] = sides.unwrap_or_default();
        let row = |month: String, before: Sums, after: Sums| MonthRow {
            month,
            sums: vec![
                sum(before.committed),
                sum(after.committed),
                difference(before.committed, after.committed),
                sum(before.fees),
                sum(after.fees),
                difference(before.fees, after.fees),
            ],
        };
        let at = |side: &Currency, month: &Month| side.months.get(month).copied().unwrap_or_default();
        let months: BTreeSet<&Month> = was.months.keys().chain(is.months.keys()).collect();
        let mut rows: Vec<_> =
            months.into_iter().map(|month| row(month.to_string(), at(&was, month), at(&is, month))).collect();
        rows.push(row("in all".to_owned(), before, after));
        let mut title = format!(
            "{label}: {} committed ({})",
            sum(after.committed),
            difference(before.committed, after.committed)
        );
        if (before.fees, after.fees) != (Some(Decimal::ZERO), Some(Decimal::ZERO)) {
            title.extend([format!(", {} fees ({})", sum(after.fees), difference(before.fees, after.fees))]);
        }
        Self {
            label: label.to_owned(),
            title,
            has_before: true,
            chart: Chart::of(&is, Some(&was)),
            columns: vec!["Committed before", "After", "Difference", "Fees before", "After", "Difference"],
            rows,
        }
    }
}

impl CustomerPart {
    /// What becomes of one resource.
    fn of_change(resource: &Resource, is_open: bool, span: Span) -> Self {
        let happens = match (&resource.cause, resource.file_is) {
            (Some(cause), _) => format!("by {cause}"),
            (None, How::Read) => "compared with billing".to_owned(),
            (None, how) => how.word().to_owned(),
        };
        let mut notes = vec![Note { class: "soft", text: happens }];
        if resource.waits_for_approval {
            notes.push(Note { class: "wait", text: "waits for approval".to_owned() });
        }
        for part in &resource.parts {
            let (class, text) = match part {
                Part::Does => continue,
                Part::Undone => ("wait", "undoes a change in billing"),
                Part::Open => ("wait", "open"),
                Part::Left => ("wait", "left as it is"),
                Part::Refused => ("bad", "refused"),
                Part::Unknown => ("bad", "not known"),
            };
            notes.push(Note { class, text: text.to_owned() });
        }
        if !resource.alerts.is_empty() {
            notes.push(Note { class: "bad", text: "prices to look at".to_owned() });
        }
        if !resource.questions.is_empty() {
            notes.push(Note { class: "wait", text: "to be asked about".to_owned() });
        }
        let term = resource.term;
        let committed = committed(resource);
        let sides = [
            ("before", term.and_then(|term| term.before), "bar idle", 0),
            ("after", term.and_then(|term| term.after), "bar", 1),
        ];
        let rows = sides.into_iter().filter_map(|(name, term, bar, side)| {
            let sums: Vec<String> = committed.iter().filter_map(|sums| sums.get(side).cloned()).collect();
            Some(Row::of_side(name, term?, bar, sums, span))
        });
        let since = term.and_then(|term| term.after.or(term.before)).map(|span| span.start);
        Self {
            label: label(resource),
            id: resource.file.clone(),
            is_open,
            notes,
            rows: rows.collect(),
            steps: resource.changes.iter().flat_map(|change| steps(change, since, &resource.name)).collect(),
            prices: Vec::new(),
        }
    }
}

/// What a contract commits to over its whole term before and after, in each unit.
fn committed(resource: &Resource) -> Vec<[String; 2]> {
    let mut sums: BTreeMap<&str, [Option<Decimal>; 2]> = BTreeMap::new();
    let fixed = resource.effect.iter().flat_map(|effect| &effect.fixed);
    for row in fixed.filter(|row| row.kind == FixedKind::Commitment) {
        let sums = sums.entry(row.unit.label()).or_insert([Some(Decimal::ZERO); 2]);
        for (sum, amount) in sums.iter_mut().zip([row.before, row.after]) {
            let amount = amount.and_then(|amount| row.unit.in_label(amount));
            *sum = sum.zip(amount).and_then(|(sum, amount)| sum.checked_add(amount));
        }
    }
    sums.into_iter().map(|(label, sides)| sides.map(|side| format!("{} {label}", sum(side)))).collect()
}

impl Row {
    fn of_side(name: &str, term: term::Span, bar: &'static str, committed: Vec<String>, span: Span) -> Self {
        let (x, width) = span.bar(term.start, term.end);
        let (start, end) = (super::day(term.start), term.end.map(super::day));
        let term = match end {
            Some(end) => vec![start, format!("to {end}")],
            None => vec![format!("from {start}")],
        };
        Self { name: name.to_owned(), term, bar, x, width, committed, ..Self::default() }
    }
}

/// The prices that a change moves, adds or takes away.
fn steps(change: &Change, since: Option<Timestamp>, by: &str) -> Vec<PriceRow> {
    let before = prices(&change.path, change.from.as_ref(), change.from_unit.as_ref());
    let after = prices(&change.path, change.to.as_ref(), change.unit.as_ref());
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let shown = |price: Option<&(Option<Unit>, Decimal)>| {
        price.map_or_else(|| "none".to_owned(), |(unit, price)| in_words(*price, unit.as_ref()))
    };
    let step = |path: &String| {
        let (was, is) = (before.get(path), after.get(path));
        if was == is {
            return None;
        }
        let same = was.zip(is).filter(|((unit, _), (other, _))| unit == other);
        let moved = same.and_then(|((_, was), (_, is))| percent(*was, *is));
        let sign = moved.filter(|moved| *moved > Decimal::ZERO).map_or("", |_| "+");
        Some(PriceRow {
            what: path.trim_start_matches('/').replace('/', " "),
            at: since.map(super::day).unwrap_or_default(),
            before: shown(was),
            after: shown(is),
            change: moved.map(|moved| format!("{sign}{moved} %")).unwrap_or_default(),
            by: by.to_owned(),
        })
    };
    paths.into_iter().filter_map(step).collect()
}

/// A price in the unit that people know.
fn in_words(price: Decimal, unit: Option<&Unit>) -> String {
    match unit.and_then(|unit| unit.in_label(price)) {
        Some(price) => priced(price, unit),
        None => grouped(price),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Document {
        let usd = serde_json::json!({"currency": "USD"});
        let span = |end: &str| serde_json::json!({"start": "2026-01-01T00:00:00Z", "end": end});
        let money = |before: &str, after: &str| serde_json::json!({"kind": "commitment", "unit": usd, "year": 1, "before": before, "after": after});
        let month = |month: &str, before: &str, after: &str| serde_json::json!({"kind": "commitment", "unit": usd, "month": month, "before": before, "after": after});
        serde_json::from_str(
            &serde_json::json!({
                "version": 1, "live": false,
                "counts": {"does": 1, "undone": 0, "open": 0, "left": 0, "refused": 1, "unknown": 0},
                "resources": [
                    {"kind": "BillingContract", "name": "billing/acme", "file": "<b>.yaml", "fileIs": "changed", "cause": null,
                     "parts": ["does"], "findings": [], "digest": "0123456789abcdef0123456789abcdef",
                     "changes": [{"path": "/items/fde/fixedFeeAmount", "from": "1000", "to": "1250", "unit": usd, "fromUnit": usd}],
                     "undone": [], "effect": {"fixed": [money("100000", "120000")], "open": []},
                     "waitsForApproval": true, "calls": [], "committedValue": [], "alerts": [], "estimates": [],
                     "term": {"before": span("2027-01-01T00:00:00Z"), "after": span("2028-01-01T00:00:00Z")}},
                    {"kind": "BillingContract", "name": "billing/initech", "file": "i.yaml", "fileIs": "new", "cause": null,
                     "parts": ["refused"], "findings": [], "changes": [], "undone": [], "waitsForApproval": false, "calls": [],
                     "committedValue": [], "reason": "InvalidSpec", "message": "it is <wrong>", "alerts": [], "estimates": []},
                ],
                "total": [money("100000", "120000")],
                "months": [month("2026-01", "100000", "60000"), month("2027-01", "0", "60000")],
                "findings": [],
            })
            .to_string(),
        )
        .unwrap()
    }

    #[test]
    fn a_page_of_a_plan_has_what_was_before_as_an_outline_and_each_price_that_moves() {
        let html =
            Page::of_plan(&plan(), "plan.json", "2026-06-01T00:00:00Z".parse().unwrap()).html().unwrap();
        for part in [
            "<title>What a change does: plan.json</title>",
            "USD: 120,000 committed (+20,000)",
            "committed before; each bar is a month</p>",
            "<title>2026-01: 60,000 committed, 100,000 before, 0 fees (USD)</title>",
            "<rect class=\"bar idle\"",
            "<th scope=\"row\">2027-01</th><td class=\"n\">0</td><td class=\"n\">60,000</td><td class=\"n\">+60,000</td>",
            "items fde fixedFeeAmount",
            "<td class=\"n\">1,000 USD</td><td class=\"n\">1,250 USD</td><td class=\"n\">+25 %</td>",
            "<span class=\"wait\">waits for approval</span>",
            "100,000 USD<br>",
            "<b>InvalidSpec</b>: it is &#60;wrong&#62;",
            "The billing API was not asked",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
        assert!(!html.contains("<b>.yaml"), "what a file is called is escaped: {html}");
    }
}

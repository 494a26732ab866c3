//! What the page says, row by row. Whatever a resource or a billing API says is escaped by the template.

mod change;

use askama::Template;
use chrono::{DateTime, Utc};

use super::{
    super::{Failure, out::count, validate::Entry},
    chart::{Chart, Span, Tick, grouped},
};
use crate::{
    api::contract::Amount,
    overview::{
        Mark, Resources,
        calendar::{self, Sums},
        customers::{After, Contract, Customer, Gap, Step, counts, customers},
    },
    plan::{OpenCause, Price, Unit},
    terms::{Decimal, Timestamp},
};

/// Most customers that stand open side by side.
const OPEN: usize = 25;
/// How many rows of what is not ready are not folded.
const TROUBLES: usize = 50;
/// How many customers a folded group has.
const GROUP: usize = 100;

/// What a report is made of.
#[derive(Debug)]
pub(super) struct Found {
    /// The resources.
    pub(super) resources: Resources,
    /// Where they are from, for people.
    pub(super) scope: String,
    /// Whether they are from a cluster, where everything has a status.
    pub(super) is_cluster: bool,
    /// What is wrong with files.
    pub(super) wrong: Vec<Entry>,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "report.html")]
pub(super) struct Page {
    words: Words,
    scope: String,
    made: String,
    version: &'static str,
    tiles: Vec<Tile>,
    /// What the reader has to know first.
    hints: Vec<String>,
    troubles: Vec<TroubleRow>,
    /// Those that are folded.
    more_troubles: Vec<TroubleRow>,
    no_trouble: &'static str,
    open: String,
    currencies: Vec<CurrencyPart>,
    ticks: Vec<Tick>,
    today: Option<i64>,
    groups: Vec<Group>,
}

/// What the parts of a page are called, and what is to be known of each.
#[derive(Debug)]
struct Words {
    heading: &'static str,
    troubles: &'static str,
    money: &'static str,
    sums: &'static str,
    /// Whose terms and prices there are.
    terms: &'static str,
    key: String,
}

#[derive(Debug)]
struct Tile {
    count: usize,
    what: String,
}

#[derive(Debug)]
struct TroubleRow {
    kind: String,
    name: String,
    mark: &'static str,
    class: &'static str,
    since: String,
    reason: String,
    message: String,
    cure: String,
}

#[derive(Debug)]
struct CurrencyPart {
    label: String,
    title: String,
    has_before: bool,
    chart: Option<Chart>,
    columns: Vec<&'static str>,
    rows: Vec<MonthRow>,
}

#[derive(Debug)]
struct MonthRow {
    month: String,
    /// Sums, in the order of the columns.
    sums: Vec<String>,
}

#[derive(Debug)]
struct Group {
    /// Empty where nothing is folded.
    title: String,
    customers: Vec<CustomerPart>,
}

#[derive(Debug)]
struct CustomerPart {
    label: String,
    id: String,
    is_open: bool,
    notes: Vec<Note>,
    rows: Vec<Row>,
    steps: Vec<PriceRow>,
    prices: Vec<PriceRow>,
}

#[derive(Debug)]
struct Note {
    class: &'static str,
    text: String,
}

/// A contract, or a time without one.
#[derive(Debug, Default)]
struct Row {
    name: String,
    title: String,
    /// Its parts, none of which is broken.
    term: Vec<String>,
    bar: &'static str,
    x: i64,
    width: i64,
    committed: Vec<String>,
    mark: &'static str,
    class: &'static str,
    after: String,
    after_class: &'static str,
}

#[derive(Debug)]
struct PriceRow {
    what: String,
    at: String,
    before: String,
    after: String,
    change: String,
    by: String,
}

impl Page {
    /// The page of some resources. `days` before its end a contract is due to be renewed.
    pub(super) fn of(found: &Found, now: DateTime<Utc>, days: u32) -> Self {
        let customers = customers(&found.resources, now, days);
        let terms = customers.iter().flat_map(|customer| &customer.contracts).filter_map(Contract::term);
        let span = Span::around(terms, now);
        let mut troubles = troubles(found);
        let tiles = tiles(&customers, found, troubles.len());
        let more_troubles = troubles.split_off(troubles.len().min(TROUBLES));
        let hints = found.resources.unseen.iter().map(|unseen| format!("Not looked at: {unseen}."));
        Self {
            words: Words {
                heading: "Contracts",
                troubles: "What is not ready",
                money: "Money by month",
                sums: "What customers owe whatever they use, in the month in which it is due (UTC). It is what the resources \
                       say, also those that are refused; drafts and canceled contracts are left out.",
                terms: "Customers",
                key: format!(
                    "Each bar is a contract's term; the dashed line is {}. Pale red is time between two contracts without one; \
                     an outline is a draft or canceled.",
                    now.date_naive()
                ),
            },
            scope: found.scope.clone(),
            made: now.format("%Y-%m-%d %H:%M UTC").to_string(),
            version: env!("CARGO_PKG_VERSION"),
            tiles,
            hints: hints.collect(),
            no_trouble: if found.is_cluster {
                "Everything is ready."
            } else {
                "Nothing is wrong with these files."
            },
            troubles,
            more_troubles,
            open: open_words(calendar::open(&customers)),
            currencies: calendar::currencies(&customers).iter().map(CurrencyPart::of).collect(),
            ticks: span.ticks(),
            today: Some(span.x(now)),
            groups: groups(&customers, found.is_cluster, span),
        }
    }

    /// The page as HTML.
    pub(super) fn html(&self) -> Result<String, Failure> {
        Ok(self.render()?)
    }
}

const fn class(mark: Mark) -> &'static str {
    match mark {
        Mark::Refused => "bad",
        Mark::Approval | Mark::Waiting => "wait",
        Mark::Unseen | Mark::Suspended => "soft",
        Mark::Ready => "good",
    }
}

fn tiles(customers: &[Customer<'_>], found: &Found, troubles: usize) -> Vec<Tile> {
    let all = || customers.iter().flat_map(|customer| &customer.contracts);
    let mut tiles = vec![
        Tile { count: customers.len(), what: plural(customers.len(), "customer") },
        Tile { count: all().count(), what: plural(all().count(), "contract") },
    ];
    let mut more = |count: usize, what: &str| {
        if count > 0 {
            tiles.push(Tile { count, what: what.to_owned() });
        }
    };
    if found.is_cluster {
        for (mark, count) in counts(customers) {
            more(count, mark.word());
        }
    } else {
        more(troubles, "not ready");
    }
    more(
        all().filter(|contract| matches!(contract.after, After::RenewalDue { .. })).count(),
        "due to be renewed",
    );
    more(all().filter(|contract| matches!(contract.after, After::Lapsed { .. })).count(), "lapsed");
    let gaps = customers.iter().map(|customer| customer.gaps.len()).sum();
    more(gaps, &plural(gaps, "gap"));
    let steps = customers.iter().map(|customer| customer.steps.len()).sum();
    more(steps, &plural(steps, "price step"));
    tiles
}

fn plural(number: usize, thing: &str) -> String {
    if number == 1 { thing.to_owned() } else { format!("{thing}s") }
}

/// What is not ready in a cluster, or what is wrong with files and what their statuses say.
fn troubles(found: &Found) -> Vec<TroubleRow> {
    let wrong = found.wrong.iter().map(|entry| TroubleRow {
        kind: entry.resource.clone(),
        name: format!("{}:{}", entry.file, entry.line),
        mark: "wrong",
        class: "bad",
        since: String::new(),
        reason: String::new(),
        message: entry.message.clone(),
        cure: "correct the file".to_owned(),
    });
    let told = found.resources.troubles().into_iter();
    // Files have no status as a rule, and say nothing of how things stand.
    let told = told.filter(|trouble| found.is_cluster || !trouble.standing.reason.is_empty());
    let told = told.map(|trouble| TroubleRow {
        kind: trouble.kind,
        name: trouble.name,
        mark: trouble.standing.mark.word(),
        class: class(trouble.standing.mark),
        since: trouble.standing.since.map(day).unwrap_or_default(),
        reason: trouble.standing.reason,
        message: trouble.standing.message,
        cure: trouble.standing.cure.unwrap_or_default(),
    });
    wrong.chain(told).collect()
}

/// Why there is more than the sums show, and for how many contracts.
fn open_words(causes: Vec<(OpenCause, usize)>) -> String {
    let words = |(cause, number): (OpenCause, usize)| {
        let what = match cause {
            OpenCause::Usage => "what is owed for use",
            OpenCause::NoEnd => "what is owed again and again without an end",
            OpenCause::RateCard => "what the rate card prices",
            OpenCause::PartOfPeriod => "the part of a period at the end",
            OpenCause::Package => "what a package of the billing API says",
        };
        format!("{what} ({})", count(number, "contract"))
    };
    causes.into_iter().map(words).collect::<Vec<_>>().join("; ")
}

impl CurrencyPart {
    fn of(currency: &calendar::Currency) -> Self {
        let total = currency.total();
        let mut rows: Vec<_> =
            currency.months.iter().map(|(month, sums)| MonthRow::of(month.to_string(), *sums)).collect();
        if currency.undated != Sums::default() {
            rows.push(MonthRow::of("without a date".to_owned(), currency.undated));
        }
        rows.push(MonthRow::of("in all".to_owned(), total));
        let label = currency.label.clone();
        let mut title = format!("{label}: {} committed", sum(total.committed));
        if total.fees != Some(Decimal::ZERO) {
            title.extend([format!(", {} fees", sum(total.fees))]);
        }
        let (columns, chart) = (vec!["Committed", "Fees", "Discounts"], Chart::of(currency, None));
        Self { label, title, has_before: false, chart, columns, rows }
    }
}

impl MonthRow {
    fn of(month: String, sums: Sums) -> Self {
        Self { month, sums: vec![sum(sums.committed), sum(sums.fees), sum(sums.discounts)] }
    }
}

/// A sum; one that is beyond all digits says so.
fn sum(amount: Option<Decimal>) -> String {
    amount.map_or_else(|| "more than 28 digits".to_owned(), grouped)
}

fn money(amount: &Amount) -> String {
    format!("{} {}", sum(amount.amount), amount.currency)
}

fn day(time: Timestamp) -> String {
    time.0.date_naive().to_string()
}

/// Customers by their name; very many of them in folded groups, so that the page opens and scrolls.
fn groups(customers: &[Customer<'_>], is_cluster: bool, span: Span) -> Vec<Group> {
    let is_open = customers.len() <= OPEN;
    groups_of(
        customers.iter().map(|customer| CustomerPart::of(customer, is_cluster, is_open, span)).collect(),
        "customer",
    )
}

fn groups_of(mut parts: Vec<CustomerPart>, thing: &str) -> Vec<Group> {
    parts.sort_by(|one, other| (&one.label, &one.id).cmp(&(&other.label, &other.id)));
    if parts.is_empty() {
        return Vec::new();
    }
    if parts.len() <= GROUP {
        return vec![Group { title: String::new(), customers: parts }];
    }
    let mut groups = Vec::new();
    let mut parts = parts.into_iter().peekable();
    while parts.peek().is_some() {
        let customers: Vec<_> = parts.by_ref().take(GROUP).collect();
        let label = |customer: Option<&CustomerPart>| {
            customer.map(|customer| customer.label.clone()).unwrap_or_default()
        };
        let title = format!(
            "{} to {} ({})",
            label(customers.first()),
            label(customers.last()),
            count(customers.len(), thing)
        );
        groups.push(Group { title, customers });
    }
    groups
}

impl CustomerPart {
    fn of(customer: &Customer<'_>, is_cluster: bool, is_open: bool, span: Span) -> Self {
        let titles = || {
            customer
                .contracts
                .iter()
                .rev()
                .filter_map(|contract| contract.outlook.as_ref().ok()?.title.clone())
        };
        let name = || customer.contracts.last().map(Contract::name).unwrap_or_default();
        let mut rows: Vec<(Option<Timestamp>, Row)> = customer
            .contracts
            .iter()
            .map(|contract| (contract.term().map(|(start, _)| start), Row::of(contract, is_cluster, span)))
            .collect();
        rows.extend(customer.gaps.iter().map(|gap| (Some(gap.start), Row::of_gap(gap, span))));
        rows.sort_by_key(|(start, _)| (start.is_none(), *start));
        let prices = customer.contracts.iter().flat_map(|contract| {
            let by = contract.name();
            contract
                .outlook
                .iter()
                .flat_map(|outlook| &outlook.prices)
                .map(move |price| PriceRow::of(price, &by))
        });
        Self {
            label: titles().next().unwrap_or_else(name),
            id: customer.id.clone(),
            is_open,
            notes: notes(customer, is_cluster),
            rows: rows.into_iter().map(|(_, row)| row).collect(),
            steps: customer.steps.iter().map(PriceRow::of_step).collect(),
            prices: prices.collect(),
        }
    }
}

/// What a folded customer says of itself.
fn notes(customer: &Customer<'_>, is_cluster: bool) -> Vec<Note> {
    let of = |is: &dyn Fn(&Contract<'_>) -> bool| {
        customer.contracts.iter().filter(|contract| is(contract)).count()
    };
    let mut notes = vec![Note { class: "soft", text: count(customer.contracts.len(), "contract") }];
    let mut more = |number: usize, class: &'static str, what: &str| {
        if number > 0 {
            notes.push(Note { class, text: format!("{number} {what}") });
        }
    };
    if is_cluster {
        for mark in [Mark::Refused, Mark::Approval, Mark::Waiting] {
            more(of(&|contract| contract.standing.mark == mark), class(mark), mark.word());
        }
    }
    more(of(&|contract| contract.outlook.is_err()), "bad", "with wrong terms");
    more(of(&|contract| matches!(contract.after, After::RenewalDue { .. })), "wait", "due to be renewed");
    more(of(&|contract| matches!(contract.after, After::Lapsed { .. })), "bad", "lapsed");
    let gaps = customer.gaps.len();
    more(gaps, "bad", if gaps == 1 { "gap" } else { "gaps" });
    notes
}

impl Row {
    fn of(contract: &Contract<'_>, is_cluster: bool, span: Span) -> Self {
        let standing = &contract.standing;
        let is_told = is_cluster || !standing.reason.is_empty();
        let (x, width) = contract.term().map_or((0, 0), |(start, end)| span.bar(start, end));
        let term = match (&contract.outlook, contract.term()) {
            (_, Some((start, Some(end)))) => vec![day(start), format!("to {}", day(end))],
            (_, Some((start, None))) => vec![format!("from {}", day(start))],
            (_, None) => vec!["not known".to_owned()],
        };
        let bar = match standing.mark {
            _ if !contract.is_billed() => "bar idle",
            Mark::Refused if is_told => "bar bad",
            Mark::Approval | Mark::Waiting if is_told => "bar wait",
            _ => "bar",
        };
        let (after, after_class) = match &contract.after {
            After::OpenEnded => ("open-ended".to_owned(), "soft"),
            After::NotYet => (String::new(), "soft"),
            After::RenewalDue { days } => (format!("renewal due: ends in {}", days_text(*days)), "wait"),
            After::Renewed { by } => (format!("followed by {by}"), "soft"),
            After::Lapsed { days } => (format!("lapsed {} ago", days_text(*days)), "bad"),
            After::NotBilled => ("not billed".to_owned(), "soft"),
            After::Unknown => (contract.outlook.as_ref().err().cloned().unwrap_or_default(), "bad"),
        };
        Self {
            name: contract.name(),
            title: contract
                .outlook
                .as_ref()
                .ok()
                .and_then(|outlook| outlook.title.clone())
                .unwrap_or_default(),
            term,
            bar,
            x,
            width,
            committed: contract.committed().iter().map(money).collect(),
            mark: if is_told { standing.mark.word() } else { "" },
            class: class(standing.mark),
            after,
            after_class,
        }
    }

    fn of_gap(gap: &Gap, span: Span) -> Self {
        let (x, width) = span.bar(gap.start, Some(gap.end));
        Self {
            name: "no contract".to_owned(),
            term: vec![day(gap.start), format!("to {}", day(gap.end))],
            bar: "gap",
            x,
            width,
            after: format!("gap of {}", days_text(gap.days())),
            after_class: "bad",
            ..Self::default()
        }
    }
}

fn days_text(days: i64) -> String {
    count(usize::try_from(days).unwrap_or_default(), "day")
}

impl PriceRow {
    fn of(price: &Price, by: &str) -> Self {
        Self {
            what: format!("{} {}", price.item, price.part).trim_end().to_owned(),
            at: day(price.since),
            before: String::new(),
            after: priced(price.value, price.unit.as_ref()),
            change: String::new(),
            by: by.to_owned(),
        }
    }

    fn of_step(step: &Step) -> Self {
        let sign = if step.after > step.before { "+" } else { "" };
        Self {
            what: step.what.clone(),
            at: day(step.at),
            before: priced(step.before, step.unit.as_ref()),
            after: priced(step.after, step.unit.as_ref()),
            change: step.percent().map(|percent| format!("{sign}{percent} %")).unwrap_or_default(),
            by: step.contract.clone(),
        }
    }
}

fn priced(value: Decimal, unit: Option<&Unit>) -> String {
    match unit {
        Some(unit) => format!("{} {}", grouped(value), unit.label()),
        None => grouped(value),
    }
}

#[cfg(test)]
mod tests;

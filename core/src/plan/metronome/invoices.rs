//! What is invoiced already: which part of the past a plan touches, and which invoices of that are final.
//!
//! A draft follows every edit and says nothing. A final invoice stays as it is until somebody voids it, whatever the
//! contract says, and the API refuses to change a part of a schedule that is on one. So a plan names the final invoices of
//! what it changes. What only an invoice still tells of, as billing does not show the item any more, counts as what the
//! contract had (`past`): it is not billed again by the way.
//!
//! Which part of a plan is about the past follows from its calls, so that nothing that is sent is left out. Where none is,
//! invoices are not read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    EDIT_COMMIT, EDIT_CONTRACT, EDIT_CREDIT, ObservedContract, end,
    lists::{LISTS, List, Removal, Writes},
    observed::{ApiId, Billed},
    schedule, text,
};
use crate::{
    plan::{
        Call, Recorded, Unit,
        invoiced::{FinalInvoice, Invoiced},
    },
    terms::{Decimal, Timestamp, json::parse_exact},
};

/// Members of an item that say nothing of money.
const WORDS: [&str; 4] = ["name", "description", "netsuite_sales_order_id", "custom_fields"];
/// The status of an invoice that is final.
const FINALIZED: &str = "FINALIZED";

/// What was read of a contract's invoices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Invoices {
    /// Those that are final.
    Final(Vec<Invoice>),
    /// They could not be read, and why.
    Unknown(String),
}

/// An invoice that is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invoice {
    id: String,
    /// When it was issued, or else the period that it is about ended.
    at: Option<Timestamp>,
    /// The end of the period of use that it is about; none where it is about no use.
    use_until: Option<Timestamp>,
    total: Option<Decimal>,
    unit: Option<Unit>,
    lines: Vec<Line>,
}

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    /// ID of the item of the contract that it is for.
    item: Option<String>,
    /// The list of the contract that has such items, for what is bought outright.
    list: Option<&'static str>,
    product: Option<String>,
    /// When the period that it is about begins, where it says so.
    at: Option<Timestamp>,
}

impl Invoices {
    /// Reads a list of a customer's invoices; nothing was told where the customer is not known.
    pub(super) fn read(told: Option<&Value>, contract_id: &str) -> Self {
        let Some(told) = told.and_then(Value::as_array) else {
            return Self::Unknown("billing knows no invoices of this customer".to_owned());
        };
        let is_final = |invoice: &&Value| {
            text(invoice, "status").is_some_and(|status| status.eq_ignore_ascii_case(FINALIZED))
        };
        // A filter may be ignored, and an invoice may be several contracts'.
        let is_its = |invoice: &&Value| {
            let of_line = |line: &Value| {
                line.pointer("/origin/contract_id").and_then(Value::as_str) == Some(contract_id)
            };
            text(invoice, "contract_id").is_none_or(|id| id == contract_id) || lines(invoice).any(of_line)
        };
        Self::Final(told.iter().filter(is_final).filter(is_its).filter_map(Invoice::read).collect())
    }

    /// What final invoices tell of items that billing shows neither in force nor archived, and that nothing on record tells of.
    pub(super) fn gone(&self, observed: &ObservedContract, recorded: &Recorded) -> BTreeSet<Billed> {
        let Self::Final(invoices) = self else { return BTreeSet::new() };
        let (shown, known) = (observed.all_ids(), recorded.items.values().map(String::as_str));
        let known: BTreeSet<&str> = known.collect();
        let is_gone = |id: &str| {
            let is_shown = shown.contains(id)
                || observed.listed.contains(id)
                || observed.keys.contains_key(&ApiId::from(id));
            !is_shown && !known.contains(id)
        };
        let gone = invoices.iter().flat_map(|invoice| &invoice.lines).filter_map(|line| {
            let is_gone = line.item.as_deref().is_some_and(is_gone);
            let billed = || Some(Billed { list: line.list?, product: line.product.clone()? });
            is_gone.then(billed).flatten()
        });
        gone.collect()
    }
}

fn lines(invoice: &Value) -> impl Iterator<Item = &Value> {
    invoice.get("line_items").and_then(Value::as_array).into_iter().flatten()
}

fn time(value: &Value, name: &str) -> Option<Timestamp> {
    Timestamp::from_wire(text(value, name)?).ok()
}

impl Invoice {
    /// Reads an invoice; one without an ID cannot be named.
    fn read(invoice: &Value) -> Option<Self> {
        let total = match invoice.get("total") {
            Some(Value::String(digits)) => Decimal::from_wire(digits).ok(),
            Some(Value::Number(number)) => number.as_i64().map(Decimal::from),
            _ => None,
        };
        let of_unit = |name: &str| Some(text(invoice.get("credit_type")?, name)?.to_owned());
        let end = time(invoice, "end_timestamp");
        Some(Self {
            id: text(invoice, "id")?.to_owned(),
            at: time(invoice, "issued_at").or(end),
            use_until: end.filter(|_| text(invoice, "type").is_none_or(|kind| kind.starts_with("USAGE"))),
            total,
            unit: of_unit("id").map(|id| Unit::PricingUnit { id, name: of_unit("name") }),
            lines: lines(invoice).map(Line::read).collect(),
        })
    }
}

impl Line {
    fn read(line: &Value) -> Self {
        let id = |name: &str| text(line, name).map(str::to_owned);
        let (charge, subscription) = (id("scheduled_charge_id"), id("subscription_id"));
        let pays = text(line, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("commit_purchase"));
        let list = match (&charge, pays) {
            (Some(_), _) => Some("scheduledCharges"),
            (None, true) => Some("commits"),
            (None, false) => None,
        };
        Self {
            // What a balance was drawn down by is use, and no payment for it.
            item: charge.or(subscription).or_else(|| id("commit_id").filter(|_| pays)),
            list,
            product: id("product_id"),
            at: time(line, "starting_at"),
        }
    }
}

/// A part of the past that a plan touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Touched {
    /// Where it is in the terms.
    place: String,
    part: Part,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// All that was invoiced.
    All { is_voided: bool },
    /// What was invoiced for an item, from a moment on.
    Item { id: String, from: Option<Timestamp> },
    /// What was invoiced for one part of an item's schedule.
    Row { item: String, at: Timestamp, invoice: Option<String> },
    /// What was invoiced from a moment on, of use alone or of everything.
    Since { from: Timestamp, is_use: bool },
}

impl Touched {
    /// Whether it is about an invoice.
    fn is_on(&self, invoice: &Invoice) -> bool {
        let ends = |line: &Line| line.at.or(invoice.at);
        match &self.part {
            Part::All { .. } => true,
            Part::Item { id, from } => invoice.lines.iter().any(|line| {
                let is_late = from.is_none_or(|from| ends(line).is_none_or(|at| at >= from));
                line.item.as_ref() == Some(id) && is_late
            }),
            Part::Row { invoice: Some(id), .. } => invoice.id == *id,
            Part::Row { item, at, invoice: None } => invoice.lines.iter().any(|line| {
                let is_of_day = ends(line).is_none_or(|found| found.0.date_naive() == at.0.date_naive());
                line.item.as_ref() == Some(item) && is_of_day
            }),
            Part::Since { from, is_use: true } => invoice.use_until.is_some_and(|until| until > *from),
            Part::Since { from, is_use: false } => {
                invoice.use_until.is_some_and(|until| until > *from)
                    || invoice.at.is_none_or(|at| at >= *from)
            }
        }
    }
}

/// The final invoices of what a plan touches.
pub(super) fn invoiced(touched: &[Touched], invoices: &Invoices) -> Invoiced {
    let all = match invoices {
        Invoices::Final(all) => all,
        Invoices::Unknown(why) => return Invoiced { unknown: Some(why.clone()), ..Invoiced::default() },
    };
    let mut found: Vec<FinalInvoice> = Vec::new();
    for invoice in all {
        let of: Vec<&Touched> = touched.iter().filter(|touched| touched.is_on(invoice)).collect();
        if of.is_empty() {
            continue;
        }
        let mut places: Vec<String> = of.iter().map(|touched| touched.place.clone()).collect();
        places.sort();
        places.dedup();
        found.push(FinalInvoice {
            id: invoice.id.clone(),
            issued_at: invoice.at,
            total: invoice.total,
            unit: invoice.unit.clone(),
            places,
            is_voided: of.iter().any(|touched| touched.part == Part::All { is_voided: true }),
        });
    }
    found.sort_by(|a, b| (a.issued_at, &a.id).cmp(&(b.issued_at, &b.id)));
    Invoiced { invoices: found, unknown: None }
}

/// The parts of the past that calls touch.
pub(super) fn touched(
    calls: &[Call],
    observed: &ObservedContract,
    recorded: &Recorded,
    now: DateTime<Utc>,
) -> Vec<Touched> {
    let names = recorded.items.iter().filter(|(path, _)| path.split('/').count() == 2);
    let names: BTreeMap<&str, &str> = names.map(|(path, id)| (id.as_str(), path.as_str())).collect();
    let mut look = Look { observed, names, now: Timestamp(now), found: Vec::new() };
    for call in calls {
        let body = parse_exact(&call.body).unwrap_or_default();
        look.at_call(call, &body);
    }
    look.found
}

/// A look through calls for what is past.
struct Look<'a> {
    observed: &'a ObservedContract,
    /// Paths of items on record, by their ids.
    names: BTreeMap<&'a str, &'a str>,
    now: Timestamp,
    found: Vec<Touched>,
}

impl Look<'_> {
    fn at_call(&mut self, call: &Call, body: &Value) {
        match call.path.as_str() {
            EDIT_CONTRACT => self.at_edit(call, body),
            EDIT_COMMIT => self.at_beside(["commits", "customerCommits"], "commit_id", body),
            EDIT_CREDIT => self.at_beside(["credits", "customerCredits"], "credit_id", body),
            end::ARCHIVE => {
                let is_voided = body.get("void_invoices") == Some(&Value::Bool(true));
                self.note("the contract".to_owned(), Part::All { is_voided });
            }
            _ => {}
        }
    }

    /// A change of an item of one of two lists.
    fn at_beside(&mut self, [own, beside]: [&'static str; 2], id_name: &str, body: &Value) {
        let is_beside =
            self.observed.items(beside).any(|item| text(body, id_name) == Some(item.ids.own.as_str()));
        self.at_update(if is_beside { beside } else { own }, id_name, body);
    }

    fn at_edit(&mut self, call: &Call, body: &Value) {
        for list in &LISTS {
            let Writes::Edit { add, update } = list.writes else { continue };
            let added = call.adds.iter().filter(|added| added.verb == add);
            for (item, added) in items(body, add).zip(added) {
                self.at_new(list, &added.recorded_as, item);
            }
            for item in items(body, update) {
                self.at_update(list.name, list.id, item);
            }
            if let Removal::Archive { verb, .. } = list.removal {
                for id in items(body, verb).filter_map(|item| text(item, "id")) {
                    self.at_item(list.name, id, None);
                }
            }
        }
        for item in items(body, "add_overrides") {
            self.since("/overrides", time(item, "starting_at"), true);
        }
        for id in items(body, "remove_overrides").filter_map(|item| text(item, "id")) {
            let item = self.observed.items("overrides").find(|item| item.ids.own.as_str() == id);
            let start = item.and_then(|item| time(item.terms, "startingAt"));
            self.since("/overrides", start, true);
        }
        self.since("/endingBefore", time(body, "update_contract_end_date"), false);
    }

    /// An item that is added: what begins in the past is in periods that may be invoiced.
    fn at_new(&mut self, list: &List, path: &str, item: &Value) {
        let place = format!("/{path}");
        if let Some(start) = time(item, "starting_at") {
            return self.since(&place, Some(start), false);
        }
        let parts = |name: &str| {
            let schedule = item.get(name);
            schedule
                .into_iter()
                .flat_map(|schedule| items(schedule, "schedule_items"))
                .filter_map(wire_start)
                .min()
        };
        self.since(&place, parts("access_schedule"), true);
        let invoice = if list.name == "scheduledCharges" { "schedule" } else { "invoice_schedule" };
        self.since(&place, parts(invoice), false);
    }

    /// An item that is changed by its id.
    fn at_update(&mut self, list: &'static str, id_name: &str, update: &Value) {
        let Some(id) = text(update, id_name).map(str::to_owned) else { return };
        let place = self.place(list, &id);
        for (name, value) in update.as_object().into_iter().flatten() {
            match name.as_str() {
                "access_schedule" | "invoice_schedule" => {
                    self.at_schedule(list, &id, value, name == "access_schedule");
                }
                "ending_before" => match value.as_str().and_then(|end| end.parse().ok()) {
                    // An invoice names what was made by a template, and not the template.
                    Some(end) if list.starts_with("recurring") => self.since(&place, Some(end), false),
                    Some(end) => self.at_item(list, &id, Some(end)),
                    // It goes on from where it has ended.
                    None => self.since(&place, self.end_of(list, &id), false),
                },
                "quantity_updates" | "seat_updates" => {
                    let from = items(update, name).filter_map(|part| time(part, "starting_at")).min();
                    if let Some(from) = from {
                        self.at_item(list, &id, Some(from));
                    }
                }
                "customer_id" | "contract_id" => {}
                name if WORDS.contains(&name) || name == id_name => {}
                // What a template makes changes from the next period on.
                _ if list.starts_with("recurring") => {}
                _ => self.at_item(list, &id, None),
            }
        }
    }

    /// A change of a schedule: its parts are known by their ids.
    fn at_schedule(&mut self, list: &'static str, id: &str, change: &Value, is_access: bool) {
        let place = self.place(list, id);
        for part in items(change, "add_schedule_items") {
            self.since(&place, wire_start(part), is_access);
        }
        let verbs = ["remove_schedule_items", "update_schedule_items"];
        for part in verbs.iter().flat_map(|verb| items(change, verb)) {
            let row =
                text(part, "id").and_then(|row| Some((row, self.start_of_row(list, id, row, is_access)?)));
            let moved = wire_start(part);
            if is_access {
                let start = row.map(|(_, start)| start).into_iter().chain(moved).min();
                self.since(&place, start, true);
                continue;
            }
            if let Some((row, at)) = row.filter(|(_, at)| *at < self.now) {
                let invoice = self.observed.invoices.get(row).cloned();
                self.note(place.clone(), Part::Row { item: id.to_owned(), at, invoice });
            }
            self.since(&place, moved, false);
        }
    }

    /// All that was invoiced for an item from a moment on: nothing while it has not begun.
    fn at_item(&mut self, list: &'static str, id: &str, from: Option<Timestamp>) {
        let has_begun = match from {
            Some(from) => from < self.now,
            None => self.has_begun(list, id),
        };
        if has_begun {
            self.note(self.place(list, id), Part::Item { id: id.to_owned(), from });
        }
    }

    /// All that was invoiced since a moment, if that is past.
    fn since(&mut self, place: &str, from: Option<Timestamp>, is_use: bool) {
        if let Some(from) = from.filter(|from| *from < self.now) {
            self.note(place.to_owned(), Part::Since { from, is_use });
        }
    }

    fn note(&mut self, place: String, part: Part) {
        let touched = Touched { place, part };
        if !self.found.contains(&touched) {
            self.found.push(touched);
        }
    }

    /// Whether an item has begun; one that is not shown may have.
    fn has_begun(&self, list: &str, id: &str) -> bool {
        let Some(item) = self.observed.items(list).find(|item| item.ids.own.as_str() == id) else {
            return true;
        };
        let of_schedules = ["accessSchedule", "invoiceSchedule", "schedule"].into_iter();
        let parts = of_schedules.filter_map(|name| item.terms.get(name)).flat_map(schedule::items);
        let starts = parts.filter_map(|part| schedule::start_of(&part));
        let start = time(item.terms, "startingAt").into_iter().chain(starts).min();
        start.is_none_or(|start| start < self.now)
    }

    fn end_of(&self, list: &str, id: &str) -> Option<Timestamp> {
        let item = self.observed.items(list).find(|item| item.ids.own.as_str() == id)?;
        time(item.terms, "endingBefore")
    }

    fn start_of_row(&self, list: &str, id: &str, row: &str, is_access: bool) -> Option<Timestamp> {
        let item = self.observed.items(list).find(|item| item.ids.own.as_str() == id)?;
        let of = LISTS.iter().find(|of| of.name == list)?;
        let (ids, name) =
            if is_access { (&item.ids.access, of.access) } else { (&item.ids.invoice, of.invoice) };
        let index = ids.iter().position(|found| found == row)?;
        schedule::start_of(schedule::items(item.terms.get(name?)?).get(index)?)
    }

    /// Where an item is in the terms, as far as that is on record.
    fn place(&self, list: &str, id: &str) -> String {
        self.names.get(id).map_or_else(|| format!("/{list}/{id}"), |path| format!("/{path}"))
    }
}

/// The items of a member that is a list.
fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// When a part of a schedule begins, as it is sent.
fn wire_start(part: &Value) -> Option<Timestamp> {
    time(part, "starting_at").or_else(|| time(part, "timestamp"))
}

//! Schedules of access and of invoices: what was sent, split into dated items with ids; and changes to the items.

use uuid::Uuid;

use super::call::Call;
use super::contract::{Contract, Invoice};
use super::failure::Failure;
use super::time::{self, Step};
use super::value::{Fields, Json};
use super::{catalog, decimal};

/// A fresh id.
pub(super) fn fresh() -> String {
    Uuid::new_v4().to_string()
}

/// `access_schedule` as it is read.
pub(super) fn access(call: &Call, sent: &Fields) -> Result<Fields, Failure> {
    let quantity = sent.text("access_type") == Some("QUANTITY");
    let unit = sent.text("credit_type_id").or(quantity.then_some(catalog::NO_CREDIT_TYPE));
    let mut schedule = Fields::default()
        .with("access_type", sent.text("access_type").unwrap_or("SPEND"))
        .with("credit_type", catalog::credit_type(call, unit)?);
    let items: Result<Vec<_>, _> = sent.objects("schedule_items").map(access_item).collect();
    schedule.extend("schedule_items", items?);
    Ok(schedule)
}

fn access_item(sent: &Fields) -> Result<Fields, Failure> {
    check_access_item(sent)?;
    let mut item = Fields::default().with("id", fresh());
    item.copy(sent, &["amount", "starting_at", "ending_before"]);
    Ok(item)
}

fn check_access_item(item: &Fields) -> Result<(), Failure> {
    if time::of(item, "starting_at") >= time::of(item, "ending_before") {
        return Err(Failure::bad_request("access schedule item: ending_before must be after starting_at"));
    }
    if item.number("amount").is_some_and(decimal::is_negative) {
        return Err(Failure::bad_request("access schedule item: amount must not be negative"));
    }
    Ok(())
}

/// `invoice_schedule` or `schedule` as it is read: a recurring one is split into its items.
pub(super) fn invoices(call: &Call, sent: &Fields) -> Result<Fields, Failure> {
    let mut schedule = Fields::default()
        .with("credit_type", catalog::credit_type(call, sent.text("credit_type_id"))?)
        .with("do_not_invoice", sent.flag("do_not_invoice").unwrap_or(false));
    let items = match sent.object("recurring_schedule") {
        Some(_) if sent.has("schedule_items") => {
            return Err(Failure::bad_request("recurring_schedule and schedule_items exclude each other"));
        }
        Some(recurring) => recurring_items(call, recurring)?,
        None => sent.objects("schedule_items").map(invoice_item).collect::<Result<_, _>>()?,
    };
    schedule.extend("schedule_items", items);
    Ok(schedule)
}

fn invoice_item(sent: &Fields) -> Result<Fields, Failure> {
    let mut item = Fields::default().with("id", fresh());
    item.copy(sent, &["timestamp"]);
    price(&mut item, sent)?;
    Ok(item)
}

/// Gives an item its amount, unit price and quantity from what was sent: the amount, or the two others.
fn price(item: &mut Fields, sent: &Fields) -> Result<(), Failure> {
    if let Some(amount) = sent.get("amount") {
        if sent.has("unit_price") || sent.has("quantity") {
            return Err(Failure::bad_request("amount excludes unit_price and quantity"));
        }
        item.set("amount", amount.clone());
        item.set("unit_price", amount.clone());
        item.set("quantity", 1);
        return Ok(());
    }
    item.copy(sent, &["unit_price", "quantity"]);
    let (Some(unit_price), Some(quantity)) = (item.number("unit_price"), item.number("quantity")) else {
        return Err(Failure::bad_request("an invoice item needs an amount, or a unit_price and a quantity"));
    };
    item.set("amount", product(unit_price, quantity)?);
    Ok(())
}

/// The product, exactly; one times something keeps that one's digits.
pub(super) fn product(one: &str, other: &str) -> Result<Json, Failure> {
    if other == "1" {
        return Ok(Json::Number(one.to_owned()));
    }
    let (Some(one), Some(other)) = (decimal::parse(one), decimal::parse(other)) else {
        return Err(Failure::bad_request("a number is out of bounds"));
    };
    Ok(decimal::json(&(one * other)))
}

fn recurring_items(call: &Call, sent: &Fields) -> Result<Vec<Fields>, Failure> {
    let (start, end) = (time::of(sent, "starting_at"), time::of(sent, "ending_before"));
    let step = sent.text("frequency").and_then(|it| Step::every(it, call.settings.metronome_month_ends));
    let (Some(start), Some(end), Some(step)) = (start, end, step) else {
        return Err(Failure::bad_request(
            "recurring_schedule: starting_at, ending_before or frequency is no good",
        ));
    };
    if start >= end {
        return Err(Failure::bad_request("recurring_schedule: ending_before must be after starting_at"));
    }
    let starts: Vec<_> = step.starts(start, end).collect();
    let mut whole = Fields::default();
    price(&mut whole, sent)?;
    let amounts = match sent.text("amount_distribution") {
        Some("EACH") | None => vec![whole; starts.len()],
        Some(how) => divided(&whole, starts.len(), how == "DIVIDED_ROUNDED")?,
    };
    let dated = starts.into_iter().zip(amounts);
    Ok(dated.map(|(start, item)| item.with("id", fresh()).with("timestamp", time::json(start))).collect())
}

fn divided(whole: &Fields, count: usize, rounded: bool) -> Result<Vec<Fields>, Failure> {
    let out_of_bounds = || Failure::bad_request("recurring_schedule: out of bounds");
    let amount = whole.number("amount").and_then(decimal::parse).ok_or_else(out_of_bounds)?;
    let count = u32::try_from(count).map_err(|_| out_of_bounds())?;
    let parts = decimal::divide(&amount, count, rounded);
    let item = |part| {
        let part = decimal::json(&part);
        Fields::default().with("amount", part.clone()).with("unit_price", part).with("quantity", 1)
    };
    Ok(parts.into_iter().map(item).collect())
}

/// Which kind of schedule an edit changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Access,
    Invoice,
}

/// Adds, changes and removes items of the schedule in `field` of an item, as an edit says.
pub(super) fn change(
    contract: &Contract,
    item: &mut Fields,
    field: &str,
    kind: Kind,
    sent: &Fields,
) -> Result<(), Failure> {
    let mut schedule = item.object(field).cloned().unwrap_or_default();
    let missing = |id: &str| Failure::bad_request(format!("schedule item {id} not found"));
    for removal in sent.objects("remove_schedule_items") {
        let id = removal.text("id").unwrap_or_default();
        schedule.item("schedule_items", id).ok_or_else(|| missing(id))?;
        match contract.invoices.get(id) {
            Some(Invoice::Finalized) => return Err(bound(id, "finalized", "removed")),
            Some(Invoice::Voided) if kind == Kind::Invoice => return Err(bound(id, "voided", "removed")),
            _ => {}
        }
        schedule.retain("schedule_items", |item| item.text("id") != Some(id));
    }
    for update in sent.objects("update_schedule_items") {
        let id = update.text("id").unwrap_or_default();
        let item = schedule.item_mut("schedule_items", id).ok_or_else(|| missing(id))?;
        match kind {
            Kind::Access => {
                item.copy(update, &["amount", "starting_at", "ending_before"]);
                check_access_item(item)?;
            }
            Kind::Invoice if contract.is_finalized(id) => return Err(bound(id, "finalized", "changed")),
            Kind::Invoice => {
                item.copy(update, &["timestamp"]);
                if ["amount", "unit_price", "quantity"].iter().any(|name| update.has(name)) {
                    price(item, update)?;
                }
            }
        }
    }
    let added: Result<Vec<_>, _> = match kind {
        Kind::Access => sent.objects("add_schedule_items").map(access_item).collect(),
        Kind::Invoice => sent.objects("add_schedule_items").map(invoice_item).collect(),
    };
    schedule.extend("schedule_items", added?);
    item.set(field, schedule);
    Ok(())
}

fn bound(id: &str, invoice: &str, changed: &str) -> Failure {
    Failure::bad_request(format!("schedule item {id} is on a {invoice} invoice and can't be {changed}"))
}

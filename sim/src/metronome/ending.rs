//! The end of a contract, and what it drops: nothing starts at or after it, nothing goes on beyond it.
//!
//! A later end brings nothing back. What is dropped is remembered, for a test to see.

use chrono::{DateTime, Utc};

use super::call::Call;
use super::contract::Contract;
use super::failure::Failure;
use super::switches::AfterEnd;
use super::value::{Fields, Json};
use super::{rules, time};

/// The lists whose items have a schedule, with the field that it is in.
const SCHEDULES: [(&str, &str); 5] = [
    ("commits", "access_schedule"),
    ("commits", "invoice_schedule"),
    ("credits", "access_schedule"),
    ("scheduled_charges", "schedule"),
    ("discounts", "schedule"),
];

/// The lists whose items have an end of their own.
const TERMS: [&str; 4] = ["recurring_commits", "recurring_credits", "subscriptions", "overrides"];

/// Sets the end of a contract, or takes it away when `end` is null. An earlier end cuts the terms short and takes
/// away what would be invoiced later.
pub(super) fn set(contract: &mut Contract, end: &Json, before_finalized: bool) -> Result<(), Failure> {
    contract.terms.set_or_clear("ending_before", end);
    rules::term(&contract.terms)?;
    let Some(at) = time::of(&contract.terms, "ending_before") else { return Ok(()) };
    let later = |row: &Fields| time::of(row, "timestamp").is_some_and(|timestamp| timestamp >= at);
    let stays = |row: &Fields| later(row) && row.text("id").is_some_and(|id| contract.is_finalized(id));
    let any = SCHEDULES.iter().any(|(list, field)| {
        let schedules = contract.terms.objects(list).filter_map(|item| item.object(field));
        schedules.flat_map(|schedule| schedule.objects("schedule_items")).any(stays)
    });
    if any && !before_finalized {
        return Err(Failure::bad_request("the contract would end before a finalized invoice"));
    }
    cut(contract, at);
    Ok(())
}

/// Does with terms that were created or added after the contract's end what the settings say.
pub(super) fn hold(call: &Call, contract: &mut Contract) -> Result<(), Failure> {
    let Some(at) = time::of(&contract.terms, "ending_before") else { return Ok(()) };
    match call.settings.metronome_after_end {
        AfterEnd::Keep => {}
        AfterEnd::Drop => cut(contract, at),
        AfterEnd::Reject => {
            let before = contract.dropped.len();
            let mut tried = contract.clone();
            cut(&mut tried, at);
            let dropped = tried.dropped.iter().skip(before).find(|dropped| dropped.has("dropped"));
            if let Some(list) = dropped.and_then(|dropped| dropped.text("list")) {
                let message = format!("{list}: an item begins at or after the contract's end");
                return Err(Failure::bad_request(message));
            }
        }
    }
    Ok(())
}

/// Cuts the terms short. What is on a finalized invoice stays.
fn cut(contract: &mut Contract, at: DateTime<Utc>) {
    let mut terms = std::mem::take(&mut contract.terms);
    let mut dropped = Vec::new();
    for (list, field) in SCHEDULES {
        for item in terms.objects_mut(list).filter(|item| item.has(field)) {
            let of = Fields::default().with("list", list).with("id", item.text("id").unwrap_or_default());
            item.edit(field, |schedule| cut_schedule(contract, schedule, at, &of, &mut dropped));
        }
    }
    for list in TERMS {
        for item in terms.objects_mut(list) {
            let of = Fields::default().with("list", list).with("id", item.text("id").unwrap_or_default());
            dropped.extend(shorten(item, at, &of));
        }
    }
    contract.terms = terms;
    contract.dropped.extend(dropped);
}

/// Ends a schedule of an item early. What is on a finalized invoice stays.
pub(super) fn end_early(contract: &Contract, item: &mut Fields, field: &str, at: DateTime<Utc>) {
    if item.has(field) {
        item.edit(field, |schedule| {
            cut_schedule(contract, schedule, at, &Fields::default(), &mut Vec::new());
        });
    }
}

fn cut_schedule(
    contract: &Contract,
    schedule: &mut Fields,
    at: DateTime<Utc>,
    of: &Fields,
    dropped: &mut Vec<Fields>,
) {
    schedule.retain("schedule_items", |row| {
        let start = time::of(row, "starting_at").or_else(|| time::of(row, "timestamp"));
        let stays = start.is_none_or(|start| start < at)
            || row.text("id").is_some_and(|id| contract.is_finalized(id));
        if !stays {
            dropped.push(of.clone().with("dropped", row.clone()));
        }
        stays
    });
    for row in schedule.objects_mut("schedule_items") {
        dropped.extend(shorten(row, at, of));
    }
}

/// Ends an item where it would go on; says where it ended before.
fn shorten(item: &mut Fields, at: DateTime<Utc>, of: &Fields) -> Option<Fields> {
    let until = time::of(item, "ending_before").filter(|until| *until > at)?;
    item.set("ending_before", time::json(at));
    Some(of.clone().with("ended", time::json(until)))
}

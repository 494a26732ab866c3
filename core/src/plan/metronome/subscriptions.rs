//! Quantities and seats of subscriptions, which applications change as they run.
//!
//! The spec says them "at the start". A value that the spec had when it was last in force is not written again over
//! what an application has made of it; a value that is new in the spec is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Desired, ObservedContract,
    draft::Draft,
    leaving::Known,
    matching::{Matched, Wanted, has_ended},
    money::Unit,
    notes::{self, SEATS, UNASSIGNED},
    observed::{Item, Seats},
    part::{Members, Part},
    text,
};
use crate::{
    plan::{Change, Recorded},
    terms::{Decimal, Digest},
};

/// Member with the quantity at the start.
pub(super) const QUANTITY: &str = "initialQuantity";
const MODE: &str = "/quantityManagementMode";
const SEAT_BASED: &str = "SEAT_BASED";

/// Path under which the quantity that was last in force is recorded.
pub(super) fn quantity_path(key: &str) -> String {
    format!("subscriptions/{key}/initialQuantity")
}

/// Path under which the seats that were last in force are recorded.
pub(super) fn seats_path(key: &str) -> String {
    format!("subscriptions/{key}/initialSeatIds")
}

/// Path under which the number of seats without an ID that was last in force is recorded.
fn unassigned_path(key: &str) -> String {
    format!("subscriptions/{key}/initialUnassignedSeats")
}

/// The seats of a subscription of the spec, if it lists any. A number of seats without an ID that leaves the spec is none
/// from then on, as in a subscription that never had one.
fn wanted_seats(item: &Value, key: &str, recorded: &Recorded) -> Option<Seats> {
    let config = item.get("seatConfig")?;
    let taken = config.get("initialSeatIds")?.as_array()?;
    let taken = taken.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let left = recorded.items.contains_key(&unassigned_path(key)).then_some(Decimal::ZERO);
    let unassigned = text(config, "initialUnassignedSeats").and_then(|seats| Decimal::from_wire(seats).ok());
    let unassigned = unassigned.or(left);
    Some(Seats { taken, unassigned: unassigned.map(Decimal::normalized) })
}

/// What a write is to set of seats that are not so yet. Those that were not read are not written.
pub(super) fn seats_to_set(
    wanted: &Wanted,
    recorded: &Recorded,
    item: Option<Item<'_>>,
    observed: Option<&ObservedContract>,
) -> Vec<(&'static str, Value)> {
    let found = item.and_then(|item| observed?.seats.get(&item.ids.own));
    let to = wanted_seats(&wanted.written, &wanted.key, recorded);
    let Some(to) = to.filter(|_| item.is_none() || found.is_some()) else { return Vec::new() };
    let taken = found.is_none_or(|found| found.taken != to.taken).then(|| (SEATS, json!(to.taken)));
    let unassigned = to.unassigned.filter(|seats| found.is_none_or(|found| found.unassigned != Some(*seats)));
    taken.into_iter().chain(unassigned.map(|seats| (UNASSIGNED, json!(seats.to_string())))).collect()
}

/// What writes that nobody heard of have put in force: where each is recorded, and as what.
pub(super) fn in_force_unheard(
    observed: &ObservedContract,
    known: &Known<'_>,
    wanted: &Wanted,
    item: Item<'_>,
) -> Vec<(String, String)> {
    let seats = observed.seats.get(&item.ids.own);
    let in_force = [
        (QUANTITY, quantity_path(&wanted.key), text(item.terms, QUANTITY).map(str::to_owned)),
        (SEATS, seats_path(&wanted.key), seats.map(|seats| digest(&seats.taken))),
        (
            UNASSIGNED,
            unassigned_path(&wanted.key),
            seats.and_then(|seats| Some(seats.unassigned?.to_string())),
        ),
    ];
    let in_force = in_force.into_iter().filter(|(field, ..)| is_unheard(known, wanted, item, field));
    in_force.filter_map(|(_, path, value)| Some((path, value?))).collect()
}

/// What is recorded of seats, once they are in force.
pub(super) fn seats_record(
    observed: &ObservedContract,
    recorded: &Recorded,
    wanted: &Wanted,
    item: Item<'_>,
) -> Vec<(String, Option<(String, bool)>)> {
    let to = wanted_seats(&wanted.written, &wanted.key, recorded);
    let (Some(to), found) = (to, observed.seats.get(&item.ids.own)) else {
        return Vec::new();
    };
    let taken = (digest(&to.taken), found.is_some_and(|found| found.taken == to.taken));
    let unassigned = to
        .unassigned
        .map(|seats| (seats.to_string(), found.is_some_and(|found| found.unassigned == to.unassigned)));
    vec![(seats_path(&wanted.key), Some(taken)), (unassigned_path(&wanted.key), unassigned)]
}

fn digest(seats: &BTreeSet<String>) -> String {
    Digest::of(&json!(seats)).to_string()
}

/// Whether two quantities are the same number.
pub(super) fn same_quantity(a: &str, b: &str) -> bool {
    match (Decimal::from_wire(a), Decimal::from_wire(b)) {
        (Ok(a), Ok(b)) => a.agrees_with(b),
        _ => a == b,
    }
}

impl ObservedContract {
    /// Ids of the subscriptions whose seats must be read before a plan is made: the spec lists seats, and they are not
    /// those that were last in force. Of one that does not count seats yet there are none to be read.
    #[must_use]
    pub fn needs_seats(
        &self,
        desired: &Desired,
        recorded: &Recorded,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Vec<String> {
        let lists_seats = |item: &Value| item.pointer("/seatConfig/initialSeatIds").is_some();
        if !super::list(desired.terms(), "subscriptions").any(lists_seats) {
            return Vec::new();
        }
        let desired = &*desired.within(self, recorded);
        let matched = Matched::new(desired, self, recorded, now);
        let subscriptions = matched.lists.iter().filter(|pairs| pairs.list.name == "subscriptions");
        let unsettled = subscriptions.flat_map(|pairs| &pairs.wanted).filter_map(|(wanted, item)| {
            let seats = wanted_seats(&wanted.written, &wanted.key, recorded)?;
            let is_unheard = notes::sets_seats(recorded, &wanted.key);
            let recorded = |path: String| recorded.items.get(&path);
            let is_new = is_unheard
                || recorded(seats_path(&wanted.key)) != Some(&digest(&seats.taken))
                || recorded(unassigned_path(&wanted.key))
                    != seats.unassigned.map(|seats| seats.to_string()).as_ref();
            let item = item.filter(|item| is_new && !item.ids.own.is_empty() && counts_seats(item.terms));
            item.map(|item| item.ids.own.to_string())
        });
        unsettled.collect()
    }
}

fn counts_seats(terms: &Value) -> bool {
    terms.pointer(MODE).is_some_and(|mode| mode == SEAT_BASED)
}

/// Puts changes of quantity, seats and their management into the update of a subscription, and takes what it has dealt
/// with out of the differences.
pub(super) fn edit(
    draft: &mut Draft<'_>,
    wanted: &Wanted,
    item: Item<'_>,
    members: &mut Vec<Change>,
    update: &mut Members,
) {
    let becomes_seat_based =
        members.iter().any(|change| change.path == MODE && change.to == Some(json!(SEAT_BASED)));
    if becomes_seat_based {
        let group_key =
            wanted.written.pointer("/seatConfig/seatGroupKey").and_then(Value::as_str).unwrap_or_default();
        let (dealt, rest): (Vec<_>, Vec<_>) = members
            .drain(..)
            .partition(|change| change.path == MODE || change.path.starts_with("/seatConfig"));
        *members = rest;
        let mut counts = false;
        for change in dealt {
            let path = format!("/subscriptions/{}{}", wanted.key, change.path);
            counts |= draft.change(&Change { path, ..change }, Unit::Other);
        }
        if counts {
            let mode = Part::object([
                ("quantity_management_mode", Part::text(SEAT_BASED)),
                ("seat_config", Part::object([("seat_group_key", Part::text(group_key))])),
            ]);
            update.insert("quantity_management_mode_update", mode);
        }
    }
    edit_quantity(draft, wanted, item, update);
    edit_seats(draft, wanted, item, update);
}

/// Whether a value that differs is to be written: it is another than was last in force, or the contract is taken over.
fn is_new(draft: &Draft<'_>, path: &str, same: impl Fn(&str) -> bool) -> bool {
    draft.recorded(path).map_or_else(|| draft.overrides(), |recorded| !same(recorded))
}

/// Whether a write of this resource that nobody heard of has made a value of a subscription what it is, and no application.
fn is_unheard(known: &Known<'_>, wanted: &Wanted, item: Item<'_>, field: &str) -> bool {
    known.of_item("subscriptions", &wanted.key, item).is_some_and(|set| set.contains(field))
}

fn edit_quantity(draft: &mut Draft<'_>, wanted: &Wanted, item: Item<'_>, update: &mut Members) {
    let (Some(to), Some(from)) = (text(&wanted.written, QUANTITY), text(item.terms, QUANTITY)) else {
        return;
    };
    for (time, quantity) in draft.observed.planned.get(&item.ids.own).into_iter().flatten() {
        if !same_quantity(to, quantity) {
            let path = format!("/subscriptions/{}/quantityUpdates/{time}", wanted.key);
            draft.report(&Change::removed(path, json!(quantity)), Unit::Other);
        }
    }
    if same_quantity(to, from) {
        return;
    }
    // Written only when the spec has a new one: to write the old one again would undo what the customer has bought. One
    // that had ended and goes on again begins anew with what the spec says.
    let path = quantity_path(&wanted.key);
    let is_written = if has_ended(draft.shown, item, draft.now) {
        draft.change(&Change::new(format!("/{path}"), Some(json!(from)), Some(json!(to))), Unit::Other)
    } else {
        let is_ours = is_unheard(&draft.known, wanted, item, QUANTITY);
        is_wanted(draft, &path, &json!(from), &json!(to), to, is_ours)
    };
    if !is_written {
        return;
    }
    if let Ok(quantity) = Decimal::from_wire(to) {
        let start = draft.soonest(start(item));
        let quantity =
            Part::object([("quantity", Part::decimal(quantity)), ("starting_at", Part::time(start))]);
        update.insert("quantity_updates", Part::List(vec![quantity]));
    }
}

fn edit_seats(draft: &mut Draft<'_>, wanted: &Wanted, item: Item<'_>, update: &mut Members) {
    let to = wanted_seats(&wanted.written, &wanted.key, draft.recorded);
    let (Some(to), Some(from)) = (to, draft.observed.seats.get(&item.ids.own)) else {
        return;
    };
    let start = draft.soonest(start(item));
    // As with quantities.
    let begins_anew = has_ended(draft.shown, item, draft.now);
    let mut verbs = Members::new();
    // New seats fill free ones first.
    let mut filled = Decimal::ZERO;
    if to.taken != from.taken
        && is_wanted(
            draft,
            &seats_path(&wanted.key),
            &json!(from.taken),
            &json!(to.taken),
            &digest(&to.taken),
            begins_anew || is_unheard(&draft.known, wanted, item, SEATS),
        )
    {
        for (verb, seats) in [
            ("add_seat_ids", to.taken.difference(&from.taken).cloned().collect::<Vec<_>>()),
            ("remove_seat_ids", from.taken.difference(&to.taken).cloned().collect()),
        ] {
            if verb == "add_seat_ids" {
                filled = i64::try_from(seats.len()).map_or(Decimal::ZERO, Decimal::from);
            }
            if !seats.is_empty() {
                let part =
                    Part::object([("seat_ids", Part::texts(seats)), ("starting_at", Part::time(start))]);
                verbs.insert(verb, Part::List(vec![part]));
            }
        }
    }
    if let (Some(wanted_number), Some(number)) = (to.unassigned, from.unassigned) {
        let number = number.checked_sub(filled).unwrap_or(Decimal::ZERO).max(Decimal::ZERO);
        let (from, to) = (json!(number.to_string()), json!(wanted_number.to_string()));
        let path = unassigned_path(&wanted.key);
        let is_filled = filled > Decimal::ZERO;
        let is_ours = begins_anew || is_unheard(&draft.known, wanted, item, UNASSIGNED);
        let mut counts = |path: String| {
            let change = Change::new(format!("/{path}"), Some(from.clone()), Some(to.clone()));
            if is_filled {
                draft.change(&change, Unit::Other)
            } else {
                is_wanted(draft, &path, &from, &to, &wanted_number.to_string(), is_ours)
            }
        };
        if wanted_number != number && counts(path) {
            let (verb, by) = if wanted_number > number {
                ("add_unassigned_seats", wanted_number.checked_sub(number))
            } else {
                ("remove_unassigned_seats", number.checked_sub(wanted_number))
            };
            if let Some(by) = by {
                let part =
                    Part::object([("quantity", Part::decimal(by)), ("starting_at", Part::time(start))]);
                verbs.insert(verb, Part::List(vec![part]));
            }
        }
    }
    if !verbs.is_empty() {
        update.insert("seat_updates", Part::Object(verbs));
    }
}

/// Whether a difference is to be written; otherwise it is reported. Where nothing is recorded and nothing is there, or what
/// is there is this resource's own, nothing can be trampled.
fn is_wanted(
    draft: &mut Draft<'_>,
    path: &str,
    from: &Value,
    to: &Value,
    record: &str,
    is_ours: bool,
) -> bool {
    let change = Change::new(format!("/{path}"), Some(from.clone()), Some(to.clone()));
    let empty = from.as_array().is_some_and(Vec::is_empty) || *from == json!("0");
    let is_new = is_ours
        || is_new(draft, path, |recorded| same_quantity(recorded, record))
        || (empty && draft.recorded(path).is_none());
    if is_new {
        draft.change(&change, Unit::Other)
    } else {
        draft.report(&change, Unit::Other);
        false
    }
}

fn start(item: Item<'_>) -> Option<crate::terms::Timestamp> {
    text(item.terms, "startingAt")?.parse().ok()
}

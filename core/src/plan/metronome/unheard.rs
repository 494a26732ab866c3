//! What a write sets of single items, and puts in force of what is recorded once it is, as the write notes it.
//!
//! Should nobody hear what became of it, and Git go back before the next look, nothing else tells that what billing has of
//! that is the resource's own. A note names the thing and the field: `commits/launch:rolloverFraction=1f2e3d4c`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    Desired, ObservedContract, create, keyless, leaving,
    lists::{LISTS, List, item_shape, list_names},
    matching::{Matched, Wanted, float_digits, wanted_items},
    notes::{IS_ENABLED_FIELD, OVERRIDES, SEATS, UNASSIGNED, added_notes, created_note, noted},
    observed::Item,
    schedule, subscriptions,
    tables::{KEYLESS, THRESHOLD_NAMES},
    thresholds::is_enabled,
};
use crate::{
    plan::{
        Recorded,
        three_way::{Fields, OF, fields, note, said},
    },
    terms::{Decimal, Shape, shape::Spelling},
};

/// Most bytes of a note.
const LONGEST: usize = 250;
/// Most bytes of all notes of a write: those of every write that is under way are on record in one object of the cluster.
const MOST_BYTES: usize = 4096;
/// Members of items that are schedules.
const SCHEDULES: [&str; 3] = ["accessSchedule", "invoiceSchedule", "schedule"];
/// Fields that cost the customer something: they come first, as how much of one write is remembered has a limit.
const BILLED: [&str; 4] = ["invoiceAmount", "invoiceSchedule", "rolloverFraction", "schedule"];

/// What a write is to set of items that billing does not say yet.
pub(super) fn to_set(
    desired: &Desired,
    observed: Option<&ObservedContract>,
    recorded: &Recorded,
    now: DateTime<Utc>,
) -> Vec<String> {
    let mut notes = watched(desired, observed);
    let mut rest = Vec::new();
    let mut added = BTreeSet::new();
    let mut add = |list: &'static str, wanted: &keyless::Wanted, rest: &mut Vec<(String, String)>| {
        if list == OVERRIDES {
            added.insert(wanted.path.clone());
        }
        rest.extend(fields_of(list, &wanted.path, &wanted.written, None));
    };
    if let Some(observed) = observed {
        let desired = &*desired.within(observed, recorded);
        let matched = Matched::new(desired, observed, recorded, now);
        for pairs in &matched.lists {
            for (wanted, item) in &pairs.wanted {
                of_item(pairs.list, wanted, *item, Some(observed), recorded, &mut notes, &mut rest);
            }
        }
        for pairs in keyless::matched(desired, observed, recorded, &matched.references) {
            for (wanted, _) in pairs.wanted.iter().filter(|(_, item)| item.is_none()) {
                add(pairs.list, wanted, &mut rest);
            }
        }
    } else {
        let made = create::counts(desired).into_iter();
        notes.extend(made.filter_map(|(list, count)| created_note(list, count)));
        let references = BTreeMap::new();
        for list in &LISTS {
            for wanted in wanted_items(desired, list, &references) {
                of_item(list, &wanted, None, None, recorded, &mut notes, &mut rest);
            }
        }
        for list in KEYLESS {
            for wanted in keyless::wanted(desired, &references, list) {
                add(list, &wanted, &mut rest);
            }
        }
    }
    notes.extend(added_notes(&added));
    rest.sort_by_key(|(field, _): &(String, String)| {
        let top = field.split('/').next().unwrap_or_default();
        !BILLED.contains(&top)
    });
    notes.extend(rest.into_iter().map(|(_, note)| note));
    let mut room = MOST_BYTES;
    notes
        .into_iter()
        .take_while(|note| room.checked_sub(note.len()).inspect(|left| room = *left).is_some())
        .collect()
}

/// Whether thresholds are to be watched, where billing says otherwise.
fn watched(desired: &Desired, observed: Option<&ObservedContract>) -> Vec<String> {
    let notes = THRESHOLD_NAMES.into_iter().filter_map(|name| {
        let found = observed.and_then(|observed| is_enabled(&observed.terms, name));
        // One that the spec does not have is turned off.
        let to = is_enabled(desired.terms(), name).or(found.map(|_| false))?;
        (found != Some(to)).then(|| note(name, IS_ENABLED_FIELD, &json!(to)))
    });
    notes.collect()
}

fn of_item(
    list: &'static List,
    wanted: &Wanted,
    item: Option<Item<'_>>,
    observed: Option<&ObservedContract>,
    recorded: &Recorded,
    notes: &mut Vec<String>,
    rest: &mut Vec<(String, String)>,
) {
    let thing = format!("{}/{}", list.name, wanted.key);
    if list.name == "subscriptions" {
        let in_force = item.and_then(|item| quantity(item.terms));
        let to = quantity(&wanted.written).filter(|to| Some(to) != in_force.as_ref());
        notes.extend(to.map(|to| note(&thing, subscriptions::QUANTITY, &to)));
        let to = subscriptions::seats_to_set(wanted, recorded, item, observed);
        notes.extend(to.into_iter().map(|(field, value)| note(&thing, field, &value)));
    }
    match item {
        Some(item) => rest.extend(fields_of(list.name, &thing, &wanted.written, Some(item.terms))),
        None => rest.extend(all_fields_of(list.name, &thing, &wanted.written)),
    }
}

/// The optional fields of an item that is to be added, as few notes: whatever the item says of them is the write's.
fn all_fields_of(list: &str, thing: &str, written: &Value) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for field in fields(item_shape(list), written, &leaving::is_apart) {
        match all.last_mut().filter(|(_, note)| note.len() + field.len() < LONGEST) {
            Some((_, note)) => *note = format!("{note},{field}"),
            None => all.push((field.clone(), format!("{thing}{OF}{field}"))),
        }
    }
    all
}

/// The optional fields of an item that billing does not say yet, each with its note.
fn fields_of(list: &str, thing: &str, written: &Value, found: Option<&Value>) -> Vec<(String, String)> {
    let Ok(canonical) = item_shape(list).canonical(written, Spelling::Spec) else { return Vec::new() };
    let fields = fields(item_shape(list), written, &leaving::is_apart).into_iter();
    let noted = fields.filter_map(|field| {
        let to = mark(list, &field, &canonical)?;
        let is_there = found.and_then(|found| mark(list, &field, found)).as_ref() == Some(&to);
        (!is_there).then(|| (field.clone(), note(thing, &field, &to)))
    });
    noted.collect()
}

fn quantity(terms: &Value) -> Option<Value> {
    terms.get(subscriptions::QUANTITY).map(|quantity| json!(float_digits(quantity)))
}

/// What is the same of a field in what is sent and in what is told of it, whatever the API fills in.
fn mark(list: &str, field: &str, terms: &Value) -> Option<Value> {
    let value = said(terms, field)?;
    if SCHEDULES.contains(&field) {
        // How a divided amount is rounded, and at which end of a month an item is due, is the API's own affair.
        let items = schedule::items(value);
        let sum = items.iter().try_fold(Decimal::ZERO, |sum, item| sum.checked_add(schedule::amount(item)?));
        return Some(json!([items.len(), sum.map(|sum| sum.to_float_digits().to_string())]));
    }
    let shape =
        field.split('/').fold(item_shape(list), |shape, name| shape.member(name).unwrap_or(&Shape::Any));
    Some(needed(shape, value))
}

/// A value without what may be left out of it, its numbers as all that agree with them have them.
fn needed(shape: &Shape, value: &Value) -> Value {
    match (shape, value) {
        (Shape::Object(members), Value::Object(values)) => {
            let needed = values.iter().filter_map(|(name, value)| {
                let member = members.get(name).filter(|member| !member.optional)?;
                Some((name.clone(), needed(&member.shape, value)))
            });
            needed.collect::<Map<_, _>>().into()
        }
        (Shape::Decimal, value) => json!(float_digits(value)),
        (_, value) => value.clone(),
    }
}

/// Takes for set what writes without a reply were to set and billing says: of the item that is on record as theirs, or else of
/// one that nothing on record is.
pub(super) fn recall(observed: &ObservedContract, recorded: &mut Recorded) {
    for (thing, notes) in noted(recorded) {
        let is_noted = |field: &str, value: &Value| {
            notes.iter().any(|(_, found)| *found == Some(note(&thing, field, value)))
        };
        if let Some(threshold) = THRESHOLD_NAMES.iter().find(|name| **name == thing) {
            let enabled = observed.terms.get(*threshold).and_then(|found| found.get(IS_ENABLED_FIELD));
            if enabled.is_some_and(|enabled| is_noted(IS_ENABLED_FIELD, enabled)) {
                recorded.set.add(threshold, Fields::from([IS_ENABLED_FIELD.to_owned()]));
            }
            continue;
        }
        let list = thing.split_once('/').and_then(|(list, _)| list_names().find(|found| *found == list));
        let Some(list) = list else { continue };
        let is_set = |item: Item<'_>, (field, whole): &&(String, Option<String>)| {
            let seats = || observed.seats.get(&item.ids.own);
            let found = match field.as_str() {
                subscriptions::QUANTITY => quantity(item.terms),
                SEATS => seats().map(|seats| json!(seats.taken)),
                UNASSIGNED => seats().and_then(|seats| Some(json!(seats.unassigned?.to_string()))),
                field => mark(list, field, item.terms),
            };
            found.is_some_and(|found| whole.is_none() || is_noted(field, &found))
        };
        for item in candidates(observed, recorded, list, &thing) {
            let set: Fields =
                notes.iter().filter(|note| is_set(item, note)).map(|(field, _)| field.clone()).collect();
            // What has no key went by what it said then, which is on record where the reply came.
            let of = if KEYLESS.contains(&list) && !recorded.items.contains_key(&thing) {
                format!("{list}/{}", item.recorded_id())
            } else {
                thing.clone()
            };
            recorded.set.add(&of, set);
        }
    }
}

/// The item on record by a path, or, where there is none, those that are on record by none.
fn candidates<'v>(
    observed: &'v ObservedContract,
    recorded: &Recorded,
    list: &str,
    path: &str,
) -> Vec<Item<'v>> {
    let known: BTreeSet<&str> = recorded.items.values().map(String::as_str).collect();
    let is_it = |item: &Item<'_>| match recorded.items.get(path) {
        Some(id) => item.recorded_id() == *id,
        None => !known.contains(&*item.recorded_id()),
    };
    observed.items(list).filter(is_it).collect()
}

//! What a status records of a contract: everything that the spec has put into it, so that it can be taken out again.
//!
//! The paths are those of the terms, without the leading slash: `commits/launch` has the id of a commit,
//! `customFields/team` that of the contract that has the field, `subscriptions/seats/initialQuantity` the quantity that
//! was last in force, `rateCardAlias` what the contract was made with and no reply shows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    CUSTOM_FIELDS, Desired, ObservedContract, balances,
    fields::record_prefix,
    gate, keyless,
    leaving::{self, Known},
    list,
    lists::{LISTS, List, Removal},
    matching::{Matched, Wanted, has_ended},
    members::remembered,
    next_hour,
    observed::Item,
    subscriptions,
    tables::{CLEARABLE, REMEMBERED, THRESHOLD_NAMES},
    text, thresholds,
};
use crate::plan::{Recorded, SetTerms};

/// What is to be on record of a contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Paths, and the ids and values that belong to them.
    pub items: Vec<(String, String)>,
    /// Optional fields that the spec has set and that were in force.
    pub set: SetTerms,
}

/// What is to be recorded after a contract was read.
///
/// What an earlier record has and the spec no longer says is kept for as long as the contract has it, so that it is
/// still known when it can be taken out.
#[must_use]
pub fn record(
    desired: &Desired,
    observed: &ObservedContract,
    recorded: &Recorded,
    now: DateTime<Utc>,
) -> Record {
    let desired = &*desired.within(observed, recorded);
    let matched = Matched::new(desired, observed, recorded, now);
    let keyless = keyless::matched(desired, observed, recorded, &matched.references);
    let is_told = matched.ambiguous.is_empty() && keyless.iter().all(|pairs| pairs.ambiguous.is_empty());
    if recorded.items.is_empty() && !is_told {
        // A record of some items would say that the others are not the spec's, and they would be added once more.
        return Record::default();
    }
    let (mut record, mut set) = (BTreeMap::new(), SetTerms::default());
    let known = Known::new(recorded, observed);
    set.insert(String::new(), leaving::record_of_contract(desired, observed, &known));
    for (name, _) in CLEARABLE {
        let wanted = desired.terms().get(name);
        // One that never was in force is somebody else's, and is not cleared when it leaves the spec.
        let was_set = recorded.items.contains_key(name) || observed.terms.get(name) == wanted;
        if wanted.is_some() && was_set {
            record.insert(name.to_owned(), observed.contract_id.clone());
        }
    }
    let is_known = recorded.contract_id.as_ref() == Some(&observed.contract_id);
    for place in REMEMBERED {
        let path = place.trim_start_matches('/');
        let before = recorded.items.get(path).filter(|_| is_known).cloned();
        record.extend(
            before.or_else(|| remembered(desired.terms(), place)).map(|value| (path.to_owned(), value)),
        );
    }
    record_fields(&mut record, recorded, "", &observed.contract_id, desired.terms(), &observed.terms);
    for pairs in &matched.lists {
        for (wanted, item) in pairs.wanted.iter().filter_map(|(wanted, item)| Some((wanted, (*item)?))) {
            let place = format!("{}/{}", pairs.list.name, wanted.key);
            record_fields(&mut record, recorded, &place, item.ids.own.as_str(), &wanted.written, item.terms);
            let fields = leaving::record_of_item(observed, &known, &place, &wanted.written, item);
            set.insert(place.clone(), fields);
            record.extend(gate::record(recorded, pairs.list, wanted));
            record.insert(place, item.ids.own.to_string());
            if pairs.list.name == "subscriptions" {
                record_subscription(&mut record, observed, recorded, wanted, item);
                record.extend(subscriptions::in_force_unheard(observed, &known, wanted, item));
            }
        }
    }
    for pairs in &keyless {
        for (wanted, item) in pairs.wanted.iter().filter_map(|(wanted, item)| Some((wanted, (*item)?))) {
            record_fields(
                &mut record,
                recorded,
                &wanted.path,
                item.ids.own.as_str(),
                &wanted.written,
                item.terms,
            );
            let fields = leaving::record_of_item(observed, &known, &wanted.path, &wanted.written, item);
            set.insert(wanted.path.clone(), fields);
            record.insert(wanted.path.clone(), item.recorded_id().into_owned());
        }
    }
    for alias in list(desired.terms(), "spendTrackers").filter_map(|tracker| text(tracker, "alias")) {
        if list(&observed.terms, "spendTrackers").any(|found| text(found, "alias") == Some(alias)) {
            record.insert(format!("spendTrackers/{alias}"), alias.to_owned());
        }
    }
    record_nameless(&mut record, observed, recorded);
    for name in THRESHOLD_NAMES {
        record_threshold(&mut record, desired, observed, recorded, name);
    }
    let filter_start = |terms: &Value| {
        terms.pointer(&format!("/{}", leaving::FILTER_START)).and_then(Value::as_str).map(str::to_owned)
    };
    let before = recorded.items.get(leaving::FILTER_START).cloned();
    let start = filter_start(desired.terms()).or(before);
    let start = start.filter(|start| filter_start(&observed.terms).as_ref() == Some(start));
    record.extend(start.map(|start| (leaving::FILTER_START.to_owned(), start)));
    // What left the spec stays on record until it is out of the contract: without it, nobody would end what is billed.
    let kept: Vec<_> = recorded
        .items
        .iter()
        .filter(|(path, id)| {
            !record.contains_key(*path)
                && !record.values().any(|found| found == *id && is_item(path))
                && match holder(path).and_then(|item| recorded.items.get_key_value(item)) {
                    Some((item, id)) => !record.contains_key(item) && is_there(observed, item, id, now),
                    None => is_there(observed, path, id, now),
                }
        })
        .map(|(path, id)| (path.clone(), id.clone()))
        .collect();
    for (path, _) in &kept {
        set.insert(path.clone(), recorded.set.get(path).cloned().unwrap_or_default());
    }
    record.extend(kept);
    let made = made_beside(observed, &record, now);
    record.extend(made);
    Record { items: record.into_iter().collect(), set }
}

/// Records what a write without a reply has added and has no id: it is known by that alone.
fn record_nameless(record: &mut BTreeMap<String, String>, observed: &ObservedContract, recorded: &Recorded) {
    for item in leaving::nameless(&observed.terms) {
        let is_known = record.values().any(|id| *id == item.id);
        if !is_known && recorded.set.get(&item.path).is_some() {
            record.insert(item.path, item.id);
        }
    }
}

/// What was made beside the contract for a spec that came and went, and is not on record: its key alone shows whose it is,
/// and it is looked for only while it is on record.
fn made_beside(
    observed: &ObservedContract,
    record: &BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Vec<(String, String)> {
    let made = |list: &List, item: Item<'_>| {
        let (_, key) = observed.made_key(&item.ids.own)?.rsplit_once('/')?;
        let (path, id) = (format!("{}/{key}", list.name), item.ids.own.to_string());
        let is_known = record.contains_key(&path) || record.values().any(|known| *known == id);
        (!is_known && !balances::is_over(list, item, next_hour(now))).then_some((path, id))
    };
    let beside = LISTS.iter().filter(|list| list.is_beside());
    beside.flat_map(|list| observed.items(list.name).filter_map(move |item| made(list, item))).collect()
}

/// Records a value of the spec once it is in force; until then what was in force before stays recorded.
fn record_once_in_force(
    record: &mut BTreeMap<String, String>,
    recorded: &Recorded,
    path: String,
    value: Option<(String, bool)>,
) {
    let before = recorded.items.get(&path).cloned();
    // A value that is recorded too early is taken for one that an application changed, and is never written.
    let in_force = match value {
        Some((value, true)) => Some(value),
        Some((_, false)) => before,
        None => None,
    };
    record.extend(in_force.map(|value| (path, value)));
}

fn record_threshold(
    record: &mut BTreeMap<String, String>,
    desired: &Desired,
    observed: &ObservedContract,
    recorded: &Recorded,
    name: &str,
) {
    // One that left the spec is off from then on, and the spec may turn it on again.
    let was_set = recorded.items.contains_key(&thresholds::enabled_path(name));
    let wanted = |name: &str| match desired.terms().get(name) {
        Some(_) => thresholds::is_enabled(desired.terms(), name),
        None => was_set.then_some(false),
    };
    let path = thresholds::enabled_path(name);
    let is_unheard = thresholds::is_unheard(recorded, name) && wanted(name).is_some();
    if let Some(in_force) = thresholds::is_enabled(&observed.terms, name).filter(|_| is_unheard) {
        record.insert(path, in_force.to_string());
        return;
    }
    let to =
        wanted(name).map(|to| (to.to_string(), thresholds::is_enabled(&observed.terms, name) == Some(to)));
    record_once_in_force(record, recorded, path, to);
}

fn record_subscription(
    record: &mut BTreeMap<String, String>,
    observed: &ObservedContract,
    recorded: &Recorded,
    wanted: &Wanted,
    item: Item<'_>,
) {
    let quantity = text(&wanted.written, subscriptions::QUANTITY).map(|to| {
        let same = text(item.terms, subscriptions::QUANTITY)
            .is_some_and(|found| subscriptions::same_quantity(to, found));
        (to.to_owned(), same)
    });
    record_once_in_force(record, recorded, subscriptions::quantity_path(&wanted.key), quantity);
    for (path, value) in subscriptions::seats_record(observed, recorded, wanted, item) {
        record_once_in_force(record, recorded, path, value);
    }
}

/// Records the custom fields of the spec that a thing has.
fn record_fields(
    record: &mut BTreeMap<String, String>,
    recorded: &Recorded,
    place: &str,
    id: &str,
    wanted: &Value,
    found: &Value,
) {
    let fields = |value: &Value| -> Map<String, Value> {
        value.get(CUSTOM_FIELDS).and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let found = fields(found);
    for (name, value) in fields(wanted) {
        let path = format!("{}{name}", record_prefix(place));
        let is_there = found.contains_key(&name);
        if is_there && (recorded.items.contains_key(&path) || found.get(&name) == Some(&value)) {
            record.insert(path, id.to_owned());
        }
    }
}

/// Path of the item that a value is recorded of, such as a quantity: it is on record for as long as the item is.
fn holder(path: &str) -> Option<&str> {
    let (item, _) = path.rsplit_once('/')?;
    is_item(item).then_some(item)
}

/// Whether a path is that of an item of a list, not of a place in one.
fn is_item(path: &str) -> bool {
    path.split('/').count() == 2 && !path.starts_with(CUSTOM_FIELDS)
}

/// Whether an item can only have been archived, and billing does not show what is: that there was one stays on record, so
/// that its past is not billed again.
fn has_vanished(observed: &ObservedContract, list: &str, id: &str) -> bool {
    let is_archived = LISTS.iter().any(|found| found.name == list && found.removal != Removal::End);
    is_archived && !observed.gone.get(list).into_iter().flatten().any(|(gone, _)| gone.as_str() == id)
}

/// Whether the contract still has what was recorded.
fn is_there(observed: &ObservedContract, path: &str, id: &str, now: DateTime<Utc>) -> bool {
    let mut parts = path.splitn(2, '/');
    let (name, rest) = (parts.next().unwrap_or_default(), parts.next());
    let Some(rest) = rest else { return observed.terms.get(name).is_some() };
    if name == CUSTOM_FIELDS {
        return observed.custom_field(rest).is_some();
    }
    if name == "spendTrackers" {
        return list(&observed.terms, name).any(|tracker| text(tracker, "alias") == Some(rest));
    }
    let ends = LISTS.iter().any(|list| list.name == name && list.removal == Removal::End);
    let item = observed.items(name).find(|item| item.recorded_id() == id);
    if item.is_none() && !rest.contains('/') && has_vanished(observed, name, id) {
        return true;
    }
    let beside = LISTS.iter().find(|list| list.name == name && list.is_beside());
    let is_over = |item: &Item<'_>| match beside {
        Some(list) => balances::is_over(list, *item, next_hour(now)),
        None => ends && has_ended(observed, *item, now),
    };
    let Some(item) = item.filter(|item| !is_over(item)) else { return false };
    match rest.split_once(&format!("/{CUSTOM_FIELDS}/")) {
        Some((_, field)) => item.terms.get(CUSTOM_FIELDS).is_some_and(|fields| fields.get(field).is_some()),
        None => !rest.contains('/'),
    }
}

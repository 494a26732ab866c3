//! What a contract has in segments of time: which one is in force, and which are planned for later; and when its items were
//! made.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::Value;

use super::{Desired, ObservedContract, defaults::prune, lists::wire_name, observed::Planned};
use crate::terms::{Timestamp, metronome::CONTRACT, shape::Spelling};

/// How long a contract may take to be made, with everything in it.
const MAKING: TimeDelta = TimeDelta::seconds(10);

/// Lists whose items tell when they were made.
const TELL_TIMES: [&str; 4] = ["commits", "credits", "overrides", "subscriptions"];

/// Lists all of whose items tell that they were made along with the contract. A history of edits may be behind what it is the
/// history of, so each has to tell it as well.
pub(super) fn made(wire: &Value) -> BTreeSet<&'static str> {
    let Some(made_at) = instant(wire, "created_at") else { return BTreeSet::new() };
    let is_at_once = |item: &Value| since(made_at, item).is_some_and(|after| after.abs() <= MAKING);
    let mut lists = BTreeSet::from(TELL_TIMES);
    lists.retain(|list| segments(wire, wire_name(&CONTRACT, list)).iter().all(is_at_once));
    lists
}

/// How long after the contract an item tells that it was made.
fn since(made_at: Timestamp, item: &Value) -> Option<TimeDelta> {
    Some(instant(item, "created_at")?.0.signed_duration_since(made_at.0))
}

/// Ids of the items that tell that they were made after the contract was: no package has brought them along.
pub(super) fn made_later(wire: &Value) -> BTreeSet<String> {
    let Some(made_at) = instant(wire, "created_at") else { return BTreeSet::new() };
    let is_later = |item: &&Value| since(made_at, item).is_some_and(|after| after > MAKING);
    let items = TELL_TIMES.iter().flat_map(|list| segments(wire, wire_name(&CONTRACT, list)));
    items.filter(is_later).filter_map(|item| item.get("id")?.as_str().map(str::to_owned)).collect()
}

impl ObservedContract {
    /// Takes the filter of usage that holds when the spec's begins for the one to compare with, where the spec plans ahead.
    pub(super) fn take_filter_of(&mut self, desired: &Desired) {
        let start = desired.terms().pointer("/usageFilter/startingAt").and_then(Value::as_str);
        let Some(start) = start.and_then(|start| start.parse::<Timestamp>().ok()) else { return };
        let begun = self.planned_filters.partition_point(|(time, _)| *time <= start);
        let last = self.planned_filters.drain(..begun).next_back();
        if let (Some((_, filter)), Some(terms)) = (last, self.terms.as_object_mut()) {
            terms.insert("usageFilter".to_owned(), filter);
        }
    }
}

/// The segment that is in force at a moment; the first one where all are later. A segment that is planned for later changes
/// nothing until then, and the customer pays for this one.
pub(super) fn current<'v>(segments: &'v [Value], time: &str, at: Timestamp) -> Option<&'v Value> {
    let begins = |segment: &&Value| instant(segment, time);
    let begun = segments.iter().filter(|segment| begins(segment).is_none_or(|start| start <= at));
    begun.max_by_key(begins).or_else(|| segments.iter().min_by_key(begins))
}

/// Member with the segments of the filter of usage.
pub(super) const FILTERS: &str = "usage_filter";
/// Member with the segments of where invoices go.
pub(super) const BILLING: &str = "billing_provider_configuration_schedule";

pub(super) fn segments<'v>(wire: &'v Value, name: &str) -> &'v [Value] {
    wire.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The last moment at which the next period of invoices can begin: a switch of where they go applies from then on.
pub(super) fn next_period(wire: &Value, soonest: Timestamp) -> Timestamp {
    let frequency = wire.pointer("/usage_statement_schedule/frequency").and_then(Value::as_str);
    let days = match frequency.map(str::to_ascii_uppercase).as_deref() {
        Some("WEEKLY") => 7,
        Some("QUARTERLY") => 92,
        Some("SEMI_ANNUAL") => 184,
        Some("ANNUAL") => 366,
        _ => 31,
    };
    soonest.0.checked_add_signed(TimeDelta::days(days)).map_or(soonest, Timestamp)
}

/// Filters of usage, and configurations of where invoices go, that are planned for after those in force, the first one first.
pub(super) fn planned_segments(wire: &Value, soonest: Timestamp) -> (Vec<Planned>, Vec<Planned>) {
    let planned = |name: &str, time: &str, at: Timestamp, read: &dyn Fn(&Value) -> Option<Value>| {
        let segments = segments(wire, name);
        let last = current(segments, time, at).and_then(|segment| instant(segment, time));
        let later = segments.iter().filter_map(|segment| {
            let start = instant(segment, time).filter(|start| Some(*start) > last)?;
            Some((start, read(segment)?))
        });
        let mut later: Vec<_> = later.collect();
        later.sort_by_key(|(start, _)| *start);
        later
    };
    let canonical = |name: &str, value: &Value| {
        let mut value = CONTRACT.member(name)?.canonical(value, Spelling::Wire).ok()?;
        prune(&mut value);
        Some(value)
    };
    let filters = planned(FILTERS, "starting_at", soonest, &|segment| canonical("usageFilter", segment));
    let billing = planned(BILLING, "effective_at", next_period(wire, soonest), &|segment| {
        let told = segment.get("billing_provider_configuration").cloned();
        canonical("billingProviderConfiguration", &identified(told, "billing_provider_configuration_id"))
    });
    (filters, billing)
}

/// A configuration with its id under the name that a request has for it.
pub(super) fn identified(configuration: Option<Value>, name: &str) -> Value {
    let Some(Value::Object(mut members)) = configuration else { return Value::Null };
    if let Some(id) = members.remove("id") {
        members.insert(name.to_owned(), id);
    }
    members.into()
}

/// A time of a segment, or of an item.
pub(super) fn instant(segment: &Value, name: &str) -> Option<Timestamp> {
    Timestamp::from_wire(segment.get(name)?.as_str()?).ok()
}

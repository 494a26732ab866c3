//! The end of a contract cuts what is wanted: nothing begins at or after it, and nothing goes on beyond it.
//!
//! The API cuts the terms of a contract short when its end is set, and takes terms that are added later as they are. So the
//! spec is cut before it is compared or sent, and what billing shows is compared as it will be once its end is set.

use std::{borrow::Cow, collections::BTreeSet};

use chrono::TimeDelta;
use serde_json::Value;

use super::{
    Desired, ObservedContract,
    lists::{LISTS, Removal},
    schedule::{self, shorten},
    text,
};
use crate::{plan::Recorded, terms::Timestamp};

/// Lists without keys that are cut, and their members with a schedule.
const OTHERS: [(&str, Option<&str>); 2] = [(DISCOUNTS, Some("schedule")), ("overrides", None)];
/// The list that can only be added to.
const DISCOUNTS: &str = "discounts";

/// Lists whose items may have an end of their own.
fn is_dated(list: &str) -> bool {
    list == "overrides" || LISTS.iter().any(|found| found.name == list && found.removal == Removal::End)
}

/// The lists that are cut, each with its members with schedules.
fn lists() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    // What is beside the contract outlasts it.
    let keyed = LISTS
        .iter()
        .filter(|of| !of.is_beside())
        .map(|of| (of.name, of.access.into_iter().chain(of.invoice).collect()));
    keyed.chain(OTHERS.into_iter().map(|(name, schedule)| (name, schedule.into_iter().collect())))
}

/// Cuts the terms of a spec at the contract's end. Returns the paths of items that begin only then, which are taken out.
pub(super) fn cut(terms: &mut Value, end: Timestamp) -> BTreeSet<String> {
    let mut beyond = BTreeSet::new();
    for (list, schedules) in lists() {
        let Some(items) = terms.get_mut(list).and_then(Value::as_array_mut) else { continue };
        items.retain_mut(|item| {
            let is_late = if is_dated(list) {
                shorten(item, end);
                starts_late(item, end)
            } else {
                // A list that can only be added to keeps what is in it.
                let had_any = has_items(item, &schedules);
                for name in &schedules {
                    let last = last_moment(item, name, end);
                    if let Some(schedule) = item.get_mut(*name) {
                        schedule::cut(schedule, end, last);
                    }
                }
                list != DISCOUNTS && had_any && !has_items(item, &schedules)
            };
            if is_late {
                beyond.insert(format!("{list}/{}", text(item, "key").unwrap_or_default()));
            }
            !is_late
        });
    }
    beyond
}

fn has_items(item: &Value, schedules: &[&str]) -> bool {
    schedules.iter().filter_map(|name| item.get(*name)).any(|of| !schedule::items(of).is_empty())
}

fn starts_late(item: &Value, end: Timestamp) -> bool {
    schedule::start_of(item).is_some_and(|start| start >= end)
}

/// The moment from which on a schedule's items are cut. What a postpaid commit comes to is settled when the contract ends:
/// cut at that very moment, a minimum would never be billed.
fn last_moment(item: &Value, schedule: &str, end: Timestamp) -> Timestamp {
    let settles = schedule == "invoiceSchedule" && text(item, "type") == Some("POSTPAID");
    if settles { Timestamp(end.0 + TimeDelta::nanoseconds(1)) } else { end }
}

impl Desired {
    /// The end that the contract is to have, given what billing shows and what the spec once said.
    pub(super) fn end_in(&self, observed: &ObservedContract, recorded: &Recorded) -> Option<Timestamp> {
        match text(&self.canonical, "endingBefore") {
            Some(end) => end.parse().ok(),
            None if recorded.items.contains_key("endingBefore") => None,
            None if observed.is_of(recorded) && recorded.set.has("", "endingBefore") => None,
            None => observed.ending_before,
        }
    }

    /// What is wanted of a contract that has an end which the spec does not say, such as one from its package.
    pub(super) fn within(&self, observed: &ObservedContract, recorded: &Recorded) -> Cow<'_, Self> {
        let says_it = self.canonical.get("endingBefore").is_some();
        match self.end_in(observed, recorded).filter(|_| !says_it) {
            Some(end) => {
                let mut within = self.clone();
                within.cut(end);
                Cow::Owned(within)
            }
            None => Cow::Borrowed(self),
        }
    }

    /// Cuts what is wanted at the contract's end.
    pub(super) fn cut(&mut self, end: Timestamp) {
        self.beyond.extend(cut(&mut self.written, end));
        cut(&mut self.canonical, end);
    }

    /// Whether an item of the spec begins only after the contract's end: nothing is done about it.
    pub(super) fn is_beyond(&self, list: &str, key: &str) -> bool {
        self.beyond.contains(&format!("{list}/{key}"))
    }
}

impl ObservedContract {
    /// The contract as billing will show it once it ends when the spec says. What a list that can only be added to has after
    /// the end is left out though billing may keep it: nothing can take it out, and nothing comes of it.
    pub(super) fn once_ended(&self, desired: &Desired, recorded: &Recorded) -> Cow<'_, Self> {
        let Some(end) = desired.end_in(self, recorded) else { return Cow::Borrowed(self) };
        let is_earlier = self.ending_before.is_none_or(|set| end < set);
        let is_cut = |list: &str| is_earlier || list == DISCOUNTS;
        if !is_earlier && self.terms.get(DISCOUNTS).is_none() {
            return Cow::Borrowed(self);
        }
        let mut shown = self.clone();
        shown.ending_before = if is_earlier { Some(end) } else { self.ending_before };
        for (list, schedules) in lists().filter(|(list, _)| is_cut(list)) {
            let Some(items) = shown.terms.get_mut(list).and_then(Value::as_array_mut) else { continue };
            let mut all_ids = shown.ids.get_mut(list).into_iter().flatten();
            for item in items {
                let Some(ids) = all_ids.next() else { break };
                if is_dated(list) {
                    shorten(item, end);
                }
                for name in &schedules {
                    let last = last_moment(item, name, end);
                    let of_access = *name == "accessSchedule";
                    let ids = if of_access { &mut ids.access } else { &mut ids.invoice };
                    let Some(rows) = item.pointer_mut(&format!("/{name}/scheduleItems")) else { continue };
                    let Some(rows) = rows.as_array_mut() else { continue };
                    let stays: Vec<_> = rows.iter().map(|row| !starts_late(row, last)).collect();
                    let (mut of_rows, mut of_ids) = (stays.iter(), stays.iter());
                    rows.retain(|_| of_rows.next() == Some(&true));
                    ids.retain(|_| of_ids.next() == Some(&true));
                    for row in rows {
                        shorten(row, end);
                    }
                }
            }
        }
        Cow::Owned(shown)
    }
}

//! A plan in the making: differences as they are found, and the parts of the calls that remove them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    Desired, ObservedContract,
    immutable::Remedy,
    leaving::Known,
    money::Units,
    observed::ApiId,
    part::{Members, Part},
};
use crate::{
    plan::{Added, Call, CallKind, Change, MoneyEffect, Policy, Recorded, Refusal, diff::covers},
    terms::{Digest, Timestamp},
};

/// A plan in the making.
pub(super) struct Draft<'a> {
    pub desired: &'a Desired,
    pub observed: &'a ObservedContract,
    /// The same with its items as billing will have them once the contract's end is as the spec says.
    pub shown: &'a ObservedContract,
    pub recorded: &'a Recorded,
    /// What the spec had set and was in force.
    pub known: Known<'a>,
    pub policy: &'a Policy,
    pub now: DateTime<Utc>,
    /// What the plan does to the money that the customer owes.
    pub effect: MoneyEffect,
    /// Differences that the plan removes.
    pub changes: Vec<Change>,
    /// Differences that are only reported.
    pub reported: Vec<Change>,
    /// Differences that the API cannot remove, and the remedy of each.
    pub rejected: Vec<(Change, Remedy)>,
    /// Paths of items that were made and are not shown yet.
    pub unseen: Vec<String>,
    /// Items that could be several, as sentences.
    pub ambiguous: Vec<String>,
    /// Verbs of the edit.
    verbs: Members,
    /// Items that the edit adds.
    adds: Vec<Added>,
    /// Verbs that must wait for the edit.
    later: Members,
    /// What ids on record are of: lists and keys.
    keys: HashMap<&'a str, &'a str>,
    /// Calls beside the edit.
    calls: Vec<Result<Call, Refusal>>,
}

impl<'a> Draft<'a> {
    /// Nothing found yet.
    pub(super) fn new(
        desired: &'a Desired,
        observed: &'a ObservedContract,
        shown: &'a ObservedContract,
        recorded: &'a Recorded,
        policy: &'a Policy,
        now: DateTime<Utc>,
    ) -> Self {
        let is_item = |path: &&String| path.split('/').count() == 2;
        let items = recorded.items.iter().filter(|(path, id)| is_item(path) && !id.is_empty());
        Self {
            desired,
            observed,
            shown,
            keys: items.map(|(path, id)| (id.as_str(), path.as_str())).collect(),
            recorded,
            known: Known::new(recorded, observed),
            policy,
            now,
            effect: MoneyEffect::default(),
            changes: Vec::new(),
            reported: Vec::new(),
            rejected: Vec::new(),
            unseen: Vec::new(),
            ambiguous: Vec::new(),
            verbs: Members::new(),
            adds: Vec::new(),
            later: Members::new(),
            calls: Vec::new(),
        }
    }

    /// Every difference, of whatever kind.
    pub(super) fn all_changes(&self) -> Vec<Change> {
        let rejected = self.rejected.iter().map(|(change, _)| change);
        self.changes.iter().chain(rejected).chain(&self.reported).cloned().collect()
    }

    /// Whether differences at a place count.
    pub(super) fn counts(&self, path: &str) -> bool {
        !self.policy.ignore.iter().any(|pointer| covers(pointer, path))
    }

    /// A difference that the plan removes; whether it counts. `units` are those around the place that the path ends in.
    pub(super) fn change(&mut self, change: &Change, units: impl Into<Units>) -> bool {
        let counts = self.counts(&change.path);
        if counts {
            self.changes.push(self.counted(change, units));
        }
        counts
    }

    /// A difference that is only reported.
    pub(super) fn report(&mut self, change: &Change, units: impl Into<Units>) {
        if self.counts(&change.path) {
            self.reported.push(self.counted(change, units));
        }
    }

    /// A difference that the API cannot remove.
    pub(super) fn reject(&mut self, change: &Change, units: impl Into<Units>, remedy: Remedy) {
        if self.counts(&change.path) {
            self.rejected.push((self.counted(change, units), remedy));
        }
    }

    /// A difference with the units of its amounts, named where the API told their names.
    fn counted(&self, change: &Change, units: impl Into<Units>) -> Change {
        let Units { from, to } = units.into();
        let (from, to) = (from.data(), to.data());
        change.clone().counted_in(from.as_ref(), to.as_ref()).naming(&self.observed.unit_names)
    }

    /// A verb with one value.
    pub(super) fn set(&mut self, verb: &'static str, part: Part) {
        self.verbs.insert(verb, part);
    }

    /// One more item for a verb with a list.
    pub(super) fn push(&mut self, verb: &'static str, part: Part) {
        push(&mut self.verbs, verb, part);
    }

    /// One more item of the contract, by a verb that adds it, and what it is recorded as once its id is told.
    pub(super) fn add(&mut self, verb: &'static str, recorded_as: String, part: Part) {
        self.push(verb, part);
        self.adds.push(Added { verb, recorded_as });
    }

    /// One more item for a verb with a list, in an edit after the first.
    pub(super) fn push_later(&mut self, verb: &'static str, part: Part) {
        push(&mut self.later, verb, part);
    }

    /// A call beside the edit, complete.
    pub(super) fn push_call(&mut self, call: Result<Call, Refusal>) {
        self.calls.push(call);
    }

    /// A call beside the edit.
    pub(super) fn call(&mut self, path: &str, body: &Members) {
        self.calls.push(call(CallKind::Other, path, body));
    }

    /// Whether a path was recorded as put there by the spec.
    pub(super) fn recorded(&self, path: &str) -> Option<&'a str> {
        self.recorded.items.get(path).map(String::as_str)
    }

    /// Whether the spec has set a member of the contract that an edit clears: as is on record, or as a write without a reply
    /// tells.
    pub(super) fn was_set(&self, name: &str) -> bool {
        self.recorded(name).is_some() || self.known.of_contract().is_some_and(|set| set.contains(name))
    }

    /// The key, or digest, under which an item of a list is on record.
    pub(super) fn recorded_as(&self, list: &str, id: &ApiId) -> Option<&'a str> {
        self.keys.get(id.as_str())?.strip_prefix(list)?.strip_prefix('/')
    }

    /// Ids on record of items of a list.
    pub(super) fn recorded_ids(&self, list: &str) -> impl Iterator<Item = &'a str> {
        let of_list = move |path: &&str| path.strip_prefix(list).is_some_and(|rest| rest.starts_with('/'));
        self.keys.iter().filter(move |(_, path)| of_list(path)).map(|(id, _)| *id)
    }

    /// Whether an item that others have put into a list is reported: where the spec has the list, or the contract is this
    /// resource's, so that nothing in it goes unsaid. What a package has brought along was made with the contract, and what
    /// does not tell when it was made is taken for that.
    pub(super) fn reports_foreign(&self, list: &str, id: &ApiId) -> bool {
        let is_held = self.recorded.contract_id.as_ref() == Some(&self.observed.contract_id);
        let is_own =
            || is_held || self.observed.has_key_of(self.desired) || self.observed.is_stamped(self.desired);
        let is_of_package = self.desired.has_package() && !self.observed.made_later.contains(id.as_str());
        !is_of_package && (self.desired.terms().get(list).is_some() || is_own())
    }

    /// Whether the user asks for this contract to be made what the spec says, whatever it is.
    pub(super) fn overrides(&self) -> bool {
        use crate::api::contract::AdoptMode;
        let adopt = self.policy.adopt.as_ref();
        adopt.is_some_and(|adopt| {
            adopt.mode == AdoptMode::Override && adopt.contract_id == self.observed.contract_id
        })
    }

    /// The moment from which a change without a date applies: the next full hour, or the start of what begins later.
    pub(super) fn soonest(&self, start: Option<Timestamp>) -> Timestamp {
        let next = super::next_hour(self.now);
        start.map_or(next, |start| start.max(next)).max(self.observed.starting_at)
    }

    /// The calls, edits first.
    ///
    /// # Errors
    /// When one of them cannot be written as JSON.
    pub(super) fn into_calls(self) -> Result<Vec<Call>, Refusal> {
        let (observed, desired) = (self.observed, self.desired);
        let edits = [(self.verbs, self.adds), (self.later, Vec::new())].into_iter().enumerate();
        let edits = edits.filter(|(_, (verbs, _))| !verbs.is_empty());
        let edits = edits.map(|(round, (verbs, adds))| {
            let call = edit(desired, observed, verbs, round)?;
            Ok(Call { adds, ..call })
        });
        edits.chain(self.calls).collect()
    }
}

fn push(verbs: &mut Members, verb: &'static str, part: Part) {
    if let Part::List(parts) = verbs.entry(verb).or_insert_with(|| Part::List(Vec::new())) {
        parts.push(part);
    }
}

/// An edit of the contract. Its key begins with the resource's mark, by which the history of edits tells whose it was, and
/// follows from the contract and its last edit alone: of all that is planned after one edit, whatever it says, the API takes
/// one. What was planned against an older state than it thinks, or arrives late, is refused so, and cannot add anything
/// twice.
fn edit(
    desired: &Desired,
    observed: &ObservedContract,
    mut verbs: Members,
    round: usize,
) -> Result<Call, Refusal> {
    let digest = Digest::of(&json!([observed.contract_id, observed.last_edit, round]));
    let key = format!("{}{digest}", desired.key().mark());
    verbs.insert("contract_id", Part::text(&observed.contract_id));
    verbs.insert("customer_id", Part::text(&observed.customer_id));
    verbs.insert("uniqueness_key", Part::text(key));
    call(CallKind::Edit, super::EDIT_CONTRACT, &verbs)
}

/// A call.
pub(super) fn call(kind: CallKind, path: &str, body: &Members) -> Result<Call, Refusal> {
    let mut call = Call::new(kind, path, body, Digest::of(&json!(path)))?;
    call.fingerprint = Digest::of(&json!([path, call.body]));
    Ok(call)
}

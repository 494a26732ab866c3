//! A plan in the making: differences as they are found, and the parts of the calls that remove them.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    Desired, ObservedContract,
    immutable::Remedy,
    leaving::Known,
    money::Units,
    part::{Members, Part},
};
use crate::{
    plan::{Call, CallKind, Change, MoneyEffect, Policy, Recorded, Refusal, diff::covers},
    terms::{Digest, Timestamp},
};

/// A plan in the making.
pub(super) struct Draft<'a> {
    pub desired: &'a Desired,
    pub view: &'a ObservedContract,
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
    /// Items that could be several, as sentences.
    pub ambiguous: Vec<String>,
    /// Verbs of the edit.
    verbs: Members,
    /// Verbs that must wait for the edit.
    later: Members,
    /// Calls beside the edit.
    calls: Vec<Result<Call, Refusal>>,
}

impl<'a> Draft<'a> {
    /// Nothing found yet.
    pub(super) fn new(
        desired: &'a Desired,
        view: &'a ObservedContract,
        recorded: &'a Recorded,
        policy: &'a Policy,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            desired,
            view,
            recorded,
            known: Known::new(recorded, view),
            policy,
            now,
            effect: MoneyEffect::default(),
            changes: Vec::new(),
            reported: Vec::new(),
            rejected: Vec::new(),
            ambiguous: Vec::new(),
            verbs: Members::new(),
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
        change.clone().counted_in(from.as_ref(), to.as_ref()).naming(&self.view.unit_names)
    }

    /// A verb with one value.
    pub(super) fn set(&mut self, verb: &'static str, part: Part) {
        self.verbs.insert(verb, part);
    }

    /// One more item for a verb with a list.
    pub(super) fn push(&mut self, verb: &'static str, part: Part) {
        push(&mut self.verbs, verb, part);
    }

    /// One more item for a verb with a list, in an edit after the first.
    pub(super) fn push_later(&mut self, verb: &'static str, part: Part) {
        push(&mut self.later, verb, part);
    }

    /// A call beside the edit.
    pub(super) fn call(&mut self, path: &str, body: &Members) {
        self.calls.push(call(CallKind::Other, path, body));
    }

    /// Whether a path was recorded as put there by the spec.
    pub(super) fn recorded(&self, path: &str) -> Option<&'a str> {
        self.recorded.items.get(path).map(String::as_str)
    }

    /// Whether the user asks for this contract to be made what the spec says, whatever it is.
    pub(super) fn overrides(&self) -> bool {
        use crate::api::contract::AdoptMode;
        let adopt = self.policy.adopt.as_ref();
        adopt.is_some_and(|adopt| {
            adopt.mode == AdoptMode::Override && adopt.contract_id == self.view.contract_id
        })
    }

    /// The moment from which a change without a date applies: the next full hour, or the start of what begins later.
    pub(super) fn soonest(&self, start: Option<Timestamp>) -> Timestamp {
        let next = super::next_hour(self.now);
        start.map_or(next, |start| start.max(next)).max(self.view.starting_at)
    }

    /// The calls, edits first, for a plan of a digest.
    ///
    /// # Errors
    /// When one of them cannot be written as JSON.
    pub(super) fn into_calls(self, digest: &Digest) -> Result<Vec<Call>, Refusal> {
        let view = self.view;
        let edits = [self.verbs, self.later].into_iter().enumerate().filter(|(_, verbs)| !verbs.is_empty());
        edits.map(|(round, verbs)| edit(view, verbs, digest, round)).chain(self.calls).collect()
    }
}

fn push(verbs: &mut Members, verb: &'static str, part: Part) {
    if let Part::List(parts) = verbs.entry(verb).or_insert_with(|| Part::List(Vec::new())) {
        parts.push(part);
    }
}

/// An edit of the contract. Its key follows from the contract, its last edit and the plan, so that the API takes it once.
fn edit(view: &ObservedContract, mut verbs: Members, digest: &Digest, round: usize) -> Result<Call, Refusal> {
    let key = Digest::of(&json!([view.contract_id, view.last_edit, digest, round]));
    verbs.insert("contract_id", Part::text(&view.contract_id));
    verbs.insert("customer_id", Part::text(&view.customer_id));
    verbs.insert("uniqueness_key", Part::text(key.as_str()));
    call(CallKind::Edit, super::EDIT_CONTRACT, &verbs)
}

/// A call.
pub(super) fn call(kind: CallKind, path: &str, body: &Members) -> Result<Call, Refusal> {
    let mut call = Call::new(kind, path, body, Digest::of(&json!(path)))?;
    call.fingerprint = Digest::of(&json!([path, call.body]));
    Ok(call)
}

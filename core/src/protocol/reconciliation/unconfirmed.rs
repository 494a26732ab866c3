//! What stays on record of a write until it is seen to be in force: how often it has left its difference, whether it may be
//! in force and only not show, and what comes of it when it is not.
//!
//! Sends nothing and reads nothing. Lost writes, of which there can be many, are in [`lost`].

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Reconciliation;
use crate::{
    api::{contract::UnconfirmedWrite, reasons},
    plan::{Call, CallKind, Plan, Planner, Refusal, SETTLING, not_converging},
    protocol::{Outcome, ReconcileResult, Requeue, failure::key_elsewhere, lost},
    terms::Timestamp,
};

/// How many times the same difference may be left by a write before writing stops.
const MAX_ROUNDS: i32 = 3;

impl<P: Planner> Reconciliation<P> {
    /// Notes which lost writes have arrived: what billing shows, or, once it `agrees` with the spec, what was to put the
    /// same spec in force.
    pub(super) fn note_arrived(&mut self, agrees: bool, now: DateTime<Utc>) {
        let (planner, spec) = (&self.planner, self.planner.digest());
        lost::arrived(&mut self.recorded.lost, now, |write| {
            planner.shows(&write.digest) || (agrees && write.spec_digest.as_ref() == spec)
        });
    }

    /// What stays on record of a write, with all others that are not seen to be in force.
    pub(super) fn with_lost(&self, write: UnconfirmedWrite) -> UnconfirmedWrite {
        UnconfirmedWrite { lost: lost::unseen(&self.recorded.lost, &self.answered), ..write }
    }

    /// The result when a write left a difference: another try, and after a few rounds none.
    pub(super) fn unsettled(&mut self, left: Plan, now: DateTime<Utc>) -> ReconcileResult<P::Snapshot> {
        // What took the key may not show yet, and nothing was made of this plan: that is no round.
        let is_behind = self.key_was_used && self.is_settling(now);
        if is_behind || self.count_round(&left, now) < MAX_ROUNDS {
            return self.not_in_force(&left, now);
        }
        self.never_settled(left, now)
    }

    /// Whether so many rounds have left a difference that it is not written any more, though each of them ended before it
    /// could be seen what it had left.
    pub(super) fn has_left_it_too_often(&self, plan: &Plan) -> bool {
        self.rounds(plan) >= MAX_ROUNDS
    }

    /// The result then: nothing is written before somebody changes something.
    pub(super) fn never_settled(&mut self, left: Plan, now: DateTime<Utc>) -> ReconcileResult<P::Snapshot> {
        self.write.clone_from(&self.recorded.unconfirmed);
        let outcome = Outcome::Refused { refusal: not_converging(&left), blocked_plan: Some(left) };
        self.result(outcome, Requeue::AfterSyncPeriod, now)
    }

    /// Notes the write before a plan that takes out what it has set.
    pub(super) fn note_overtaken(&mut self, plan: &Plan, now: DateTime<Utc>) {
        let replaces = plan.calls.iter().any(|call| call.kind == CallKind::Replace);
        let overtaken = self.planner.overtaken(&self.recorded).filter(|_| replaces);
        if let (Some(overtaken), Some(wrote_at)) = (overtaken, self.recorded.wrote_at) {
            lost::overtaken(&mut self.recorded.lost, overtaken, wrote_at, now);
        }
    }

    /// The result when a write of this pass was followed by a wait for newer reads once too often: each leaves something, and
    /// no read is ever new enough to tell what.
    pub(super) fn waited_too_often(
        &mut self,
        refusal: &Refusal,
        now: DateTime<Utc>,
    ) -> Option<ReconcileResult<P::Snapshot>> {
        let creates = |plan: &Plan| plan.calls.iter().any(|call| call.kind == CallKind::Create);
        let last = self.written.last().filter(|last| !creates(last)).cloned()?;
        if refusal.reason != reasons::NOT_YET_IN_FORCE || self.count_round(&last, now) < MAX_ROUNDS {
            return None;
        }
        Some(self.never_settled(last, now))
    }

    /// The result when a write was taken and does not show yet: another look.
    pub(super) fn not_in_force(&mut self, left: &Plan, now: DateTime<Utc>) -> ReconcileResult<P::Snapshot> {
        if self.write.is_none() {
            self.write = Some(self.recorded.unconfirmed.clone().unwrap_or_else(|| self.sending(left, now)));
        }
        let message =
            format!("The billing API accepted the change but says something else: {}", left.summary());
        self.result(Outcome::NotInForce { message }, Requeue::Backoff(Duration::ZERO), now)
    }

    /// The result when a create is refused because its key was used before, as after a lost reply, and nothing is shown
    /// that has the key: another look, as lists may lag behind, and never another create; after a few looks none.
    pub(super) fn key_used(&mut self, plan: &Plan, now: DateTime<Utc>) -> ReconcileResult<P::Snapshot> {
        // The refusal of this pass was counted when it came, so that it is on record even if nothing could be read after it.
        let rounds = if self.key_was_used { self.rounds(plan) } else { self.count_round(plan, now) };
        if rounds < MAX_ROUNDS {
            let message = "The uniqueness key was used before; what has it is being looked for.".to_owned();
            return self.result(Outcome::Unconfirmed { message }, Requeue::Backoff(Duration::ZERO), now);
        }
        self.blocked(reasons::KEY_TAKEN, key_elsewhere(self.api), plan.clone(), now)
    }

    /// How often in a row a write has left this difference up to now.
    pub(super) fn rounds(&self, plan: &Plan) -> i32 {
        let write = self.recorded.unconfirmed.as_ref();
        let write = write.filter(|write| write.difference.as_ref() == Some(&plan.difference()));
        write.map_or(0, |write| write.rounds)
    }

    /// Counts one more, on record: a restart must not begin anew.
    pub(super) fn count_round(&mut self, plan: &Plan, now: DateTime<Utc>) -> i32 {
        let rounds = self.rounds(plan).saturating_add(1);
        let mut write = self.recorded.unconfirmed.clone().unwrap_or_else(|| self.sending(plan, now));
        write.difference = Some(plan.difference());
        write.rounds = rounds;
        self.recorded.unconfirmed = Some(write.clone());
        self.write = Some(write);
        rounds
    }

    /// Whether what a plan edits may be in force already and only not show yet: an edit was sent a short while ago, and
    /// this is another one. The same edit can be sent again, since the API takes it once.
    pub(super) fn may_be_in_force(&self, plan: &Plan, now: DateTime<Utc>) -> bool {
        // What has no key is added once more by a repeat, whatever was sent before.
        let appends = plan.calls.iter().any(|call| call.kind == CallKind::Append);
        if appends && self.recorded.unconfirmed.as_ref().is_some_and(|write| is_recent(write, now)) {
            return true;
        }
        let before = self.recorded.unconfirmed.as_ref().filter(|_| self.is_settling(now));
        let edit = plan.calls.iter().find(|call| call.kind == CallKind::Edit);
        before.zip(edit).is_some_and(|(before, edit)| before.digest != edit.fingerprint)
    }

    /// Whether an edit was sent a short while ago, which a read may not show yet.
    pub(super) fn is_settling(&self, now: DateTime<Utc>) -> bool {
        let edit = self.recorded.unconfirmed.as_ref().filter(|write| write.after_edit.is_some());
        edit.is_some_and(|write| is_recent(write, now))
    }

    /// What is remembered of a plan that is about to be carried out.
    pub(super) fn sending(&self, plan: &Plan, now: DateTime<Utc>) -> UnconfirmedWrite {
        let before = self.recorded.unconfirmed.as_ref();
        let same = before.filter(|before| before.difference.as_ref() == Some(&plan.difference()));
        UnconfirmedWrite {
            digest: main_call(plan).map_or(&plan.digest, |call| &call.fingerprint).clone(),
            time: Timestamp::whole_seconds(now),
            after_edit: before
                .filter(|before| !before.taken)
                .and_then(|before| before.after_edit.clone())
                .or_else(|| self.planner.last_edit()),
            taken: false,
            difference: same.and_then(|before| before.difference.clone()),
            rounds: same.map_or(0, |before| before.rounds),
            lost: Vec::new(),
        }
    }
}

/// Whether a write was sent so short a while ago that a read may not show it yet.
fn is_recent(write: &UnconfirmedWrite, now: DateTime<Utc>) -> bool {
    now.signed_duration_since(write.time.0) < SETTLING
}

/// The call by which a plan is recognised: those that only prepare recognise nothing.
pub(super) fn main_call(plan: &Plan) -> Option<&Call> {
    plan.calls.iter().find(|call| call.kind != CallKind::Other).or(plan.calls.first())
}

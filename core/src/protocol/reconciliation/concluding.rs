//! What a pass came to: the result that its status is written from.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Goal, Reconciliation};
use crate::{
    api::{
        contract::ItemId,
        reasons::{self, Reason},
    },
    plan::{Decision, Plan, Planner, Recorded, Refusal, summarize},
    protocol::{
        CallError, During, Failure, Outcome, ReconcileResult, Requeue,
        failure::{look_again, requeue_after},
        lost,
    },
};

impl<P: Planner> Reconciliation<P> {
    /// A call failed in a way that says nothing of the plan.
    pub(super) fn fail(&mut self, error: &CallError, during: During) {
        let failure = Failure::of(error, during, self.api);
        let (requeue, suspects_token) = (failure.requeue, failure.suspects_token);
        // What was sent before stays on record, and that a key was used; what was not sent never was there.
        let keeps = self.has_sent || (self.key_was_used && during == During::Read);
        let write = self.write.take().filter(|_| keeps).or_else(|| self.inherited.take());
        let write = write.map(|write| self.with_lost(write));
        self.ended = Some(Box::new(ReconcileResult {
            created_id: self.created_id.take(),
            customer_id: self.planner.customer_id().map(str::to_owned),
            items: self.known_items(),
            write,
            sent: self.sent.take(),
            begun: self.recorded.begun_plan.take(),
            suspects_token,
            ..ReconcileResult::new(failure.outcome(), requeue)
        }));
    }

    /// The result when there is nothing (more) to write.
    pub(super) fn conclude(
        &mut self,
        decision: Decision,
        now: DateTime<Utc>,
    ) -> ReconcileResult<P::Snapshot> {
        if let Decision::Refuse(refusal) = &decision
            && refusal.reason == reasons::BACKDATED_ITEM
            && self.is_settling(now)
        {
            // What was just added is taken for something that is gone for as long as it does not show.
            let message = format!("What was written may not show yet. {}", refusal.message);
            self.write = self.write.take().or_else(|| self.recorded.unconfirmed.clone());
            return self.result(Outcome::NotInForce { message }, Requeue::Backoff(Duration::ZERO), now);
        }
        if let Decision::Wait(refusal) = &decision
            && let Some(result) = self.waited_too_often(refusal, now)
        {
            return result;
        }
        let requeue = match &decision {
            Decision::Refuse(refusal) => requeue_after(refusal),
            Decision::Wait(refusal) => look_again(refusal),
            _ => Requeue::AfterSyncPeriod,
        };
        let agrees = decision == Decision::InSync && self.goal == Goal::InForce;
        self.note_arrived(agrees, now);
        let mut applied = || std::mem::take(&mut self.written);
        let (outcome, is_settled) = match (decision, self.goal) {
            (Decision::InSync, Goal::Ended(_)) => (Outcome::Ended { applied: applied() }, true),
            (Decision::InSync, Goal::InForce) => {
                let spec_digest = self.planner.digest().cloned();
                (Outcome::InSync { spec_digest, applied: applied() }, true)
            }
            // Under a policy that only looks, there is nothing that could agree with the spec.
            (Decision::Report(changes), Goal::InForce) if self.is_absent => {
                let message = format!(
                    "Nothing is in billing, and differences are only reported: {}",
                    summarize(&changes)
                );
                (Outcome::Waiting { reason: reasons::NOT_IN_BILLING, message }, false)
            }
            (Decision::Report(changes), _) => (Outcome::Drifted { changes }, true),
            (Decision::AwaitApproval(plan), _) => (Outcome::AwaitingApproval(plan), false),
            (Decision::Refuse(refusal), _) => (Outcome::Refused { refusal, blocked_plan: None }, false),
            (Decision::Deny(plan, refusal), _) => {
                (Outcome::Refused { refusal: *refusal, blocked_plan: Some(plan) }, false)
            }
            (Decision::Wait(refusal), _) => {
                (Outcome::Waiting { reason: refusal.reason, message: refusal.message }, false)
            }
            (Decision::Write(plan), _) => return self.unsettled(plan, now),
        };
        let mut result = self.result(outcome, requeue, now);
        if is_settled {
            // What was compared and agrees needs no looking up any more, but for what may still come and undo it.
            result.write = lost::still_late(&self.recorded.lost, now);
        }
        result
    }

    /// Refused until the plan is another one.
    pub(super) fn blocked(
        &mut self,
        reason: Reason,
        message: String,
        plan: Plan,
        now: DateTime<Utc>,
    ) -> ReconcileResult<P::Snapshot> {
        let outcome = Outcome::Refused { refusal: Refusal { reason, message }, blocked_plan: Some(plan) };
        self.write = self.write.take().filter(|_| self.has_sent || reason == reasons::KEY_TAKEN);
        self.result(outcome, Requeue::AfterSyncPeriod, now)
    }

    /// A result with what is known now.
    ///
    /// What was observed belongs to it where the outcome speaks of it, and whenever this pass has written: whatever comes
    /// after a create, what it made must be on record (else a crash or a refusal would lose it).
    pub(super) fn result(
        &mut self,
        outcome: Outcome,
        requeue: Requeue,
        now: DateTime<Utc>,
    ) -> ReconcileResult<P::Snapshot> {
        let tells =
            matches!(outcome, Outcome::InSync { .. } | Outcome::Drifted { .. } | Outcome::NotInForce { .. });
        let snapshot = if tells || self.has_sent { self.planner.snapshot(&self.recorded, now) } else { None };
        let requeue = match lost::wait(&self.recorded.lost, now) {
            Some(wait) => requeue.within(wait),
            None => requeue,
        };
        ReconcileResult {
            snapshot,
            created_id: self.created_id.take(),
            customer_id: self.planner.customer_id().map(str::to_owned),
            items: self.known_items(),
            write: self.write.take().or_else(|| self.inherited.take()).map(|write| self.with_lost(write)),
            sent: self.sent.take(),
            begun: self.recorded.begun_plan.take(),
            ..ReconcileResult::new(outcome, requeue)
        }
    }

    /// What is on record of items once this pass has written: replies tell ids, whatever can be read after them. So does what
    /// was read before a write, whatever comes of it.
    fn known_items(&self) -> Vec<ItemId> {
        if self.has_sent { item_ids(&self.recorded) } else { self.learned.clone() }
    }
}

pub(super) fn item_ids(recorded: &Recorded) -> Vec<ItemId> {
    recorded.items.iter().map(|(key, id)| ItemId { key: key.clone(), id: id.clone() }).collect()
}

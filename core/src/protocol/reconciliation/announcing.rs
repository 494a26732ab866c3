//! What is put on record before it is sent, so that a process that ends before its report leaves what a lost reply leaves.
//!
//! Where it is put is whoever runs the machine's to say. What a later process makes of it is in [`Announced`].

use chrono::{DateTime, TimeDelta, Utc};

use super::{Reconciliation, unconfirmed::main_call};
use crate::{
    api::contract::UnconfirmedWrite,
    plan::{Announced, Call, CallKind, Plan, Planner},
    protocol::{
        CallError, During, Goal,
        lost::{self, Means},
    },
};

/// How long after a plan was decided on it may begin to be carried out: what it follows from may be otherwise by then.
const FRESH: TimeDelta = TimeDelta::seconds(5);
const TOO_LONG: &str = "it took so long that what was read may not be so any more";

impl<P: Planner> Reconciliation<P> {
    /// What is to be on record before a plan is carried out: of what billing does not tell afterwards that this resource did
    /// it. A key and the history of edits tell of what was made and changed, but not for whom a contract was made that is looked
    /// for among those of one customer, that a field was set, or that somebody had approved it.
    pub(super) fn announces(
        &mut self,
        plan: &Plan,
        sending: &UnconfirmedWrite,
        now: DateTime<Utc>,
    ) -> Option<Announced> {
        let account = self.recorded.account.clone()?;
        let is_untold =
            |call: &Call| matches!(call.kind, CallKind::Create | CallKind::Replace | CallKind::Append);
        let is_end = self.goal != Goal::InForce;
        // Where billing shows what has ended, an end tells of itself; it is not sent twice, approved or not.
        if is_end && !plan.calls.iter().any(is_untold) {
            return None;
        }
        let means = Means::of(&self.planner, self.goal);
        // What follows a create is approved along with it, and its key keeps it from being made again.
        let creates = plan.calls.iter().any(|call| call.kind == CallKind::Create);
        let approved = plan.consent.given.as_ref().filter(|_| !creates).map(|_| plan.digest.clone());
        if means.sets.is_empty() && approved.is_none() && !plan.calls.iter().any(is_untold) {
            return None;
        }
        // What this pass has sent before is on record nowhere else yet.
        let mut lost = self.recorded.lost.clone();
        lost.extend(self.announced.lost.iter().cloned());
        lost::announce(&mut lost, main_call(plan)?, means, now);
        self.announced.lost =
            lost.iter().filter(|write| !self.recorded.lost.contains(write)).cloned().collect();
        let write = UnconfirmedWrite { lost, ..sending.clone() };
        Some(Announced { account, after: self.recorded.reported.clone(), approved, write })
    }

    /// Takes whether what [`Step::Announce`] asked for is on record; if it is not, or may not be, nothing is sent.
    pub fn announced(&mut self, outcome: Result<(), CallError>) {
        let Some(running) = &mut self.running else { return };
        match outcome {
            Ok(()) => (running.announces, running.is_announced) = (None, true),
            Err(error) => {
                (self.running, self.announced.withdraws) = (None, true);
                self.fail(&error, During::Write);
            }
        }
    }

    /// Takes that what [`Step::Withdraw`] asked for is done.
    pub fn withdrawn(&mut self) {
        self.announced.withdraws = false;
    }

    /// Gives a plan up that was put on record and not begun, once what it was decided on may be otherwise. With its announcement
    /// goes the use of its approval.
    pub(super) fn give_up_what_is_old(&mut self, now: DateTime<Utc>) {
        let Some(running) = self.running.as_ref().filter(|running| running.is_announced) else { return };
        if now.signed_duration_since(running.since) > FRESH {
            (self.running, self.announced.withdraws) = (None, true);
            self.fail(&CallError::NotOnRecord(TOO_LONG.to_owned()), During::Write);
        } else if let Some(ended) = self.gone(now).or_else(|| self.overtaken()) {
            (self.running, self.announced.withdraws) = (None, true);
            self.ended = Some(Box::new(ended));
        }
    }
}

//! The state machine of a reconcile: observe, plan, execute, until nothing more is to be written.

mod announcing;
mod concluding;
mod meant;
mod unconfirmed;

use std::{collections::VecDeque, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;

use self::concluding::item_ids;
use super::{
    CallError, During, Failure, Outcome, ReconcileResult, Requeue,
    lost::{self, Means},
};
use crate::{
    api::{
        Api, REQUESTED_AT,
        contract::{ItemId, LostWrite, UnconfirmedWrite},
        reasons,
    },
    plan::{
        Announced, Call, CallKind, Decision, Ending, Holders, Observation, Pace, Plan, Planner, Policy,
        Recorded, Refusal,
    },
};

/// How many plans one pass carries out: a create, what it could not take, and what shows only then. A further one would
/// be a billing API that never says what was written.
const MAX_PLANS: usize = 4;
/// How soon a contract is looked at again that waits because too many others were changed.
const PACE: Duration = Duration::from_mins(5);

/// What is to come of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Billing says what the spec says.
    InForce,
    /// The resource is deleted: what it holds ends.
    Ended(Ending),
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<N, S> {
    /// Read a fact, and say what came of it by [`Reconciliation::told`].
    Read(N),
    /// Ask whether what the resource refers to still says what it said, and tell by [`Reconciliation::confirmed`]. Once, before
    /// the first write.
    Confirm,
    /// Put on record what is sent next, where a later process finds it, and say whether that was done by
    /// [`Reconciliation::announced`].
    Announce(Box<Announced>),
    /// Put on record again what was there before the last [`Announce`](Self::Announce), as nothing that was announced by it was
    /// sent, and say so by [`Reconciliation::withdrawn`].
    Withdraw,
    /// Carry out a write, and say what came of it by [`Reconciliation::sent`].
    Send(Call),
    /// Nothing more: this is the result.
    Done(Box<ReconcileResult<S>>),
}

/// A plan that is being carried out.
struct Running {
    plan: Plan,
    /// When it was decided on.
    since: DateTime<Utc>,
    /// What it was decided on is known to be so still.
    is_confirmed: bool,
    /// What is to be on record before the first call is sent.
    announces: Option<Box<Announced>>,
    /// It is on record, and nothing of it was sent yet.
    is_announced: bool,
    /// Calls that were not carried out yet.
    left: VecDeque<Call>,
}

/// What a pass has announced.
#[derive(Default)]
struct Announcements {
    /// Writes of all of them.
    lost: Vec<LostWrite>,
    /// The last one is to be withdrawn.
    withdraws: bool,
}

/// One reconcile of one contract or package.
pub struct Reconciliation<P: Planner> {
    api: Api,
    planner: P,
    goal: Goal,
    policy: Policy,
    pace: Pace,
    recorded: Recorded,
    /// Why somebody else holds what this resource claims.
    claimed: Option<Refusal>,
    /// What other resources hold, and whether this one is still there.
    holders: Holders,
    running: Option<Running>,
    /// Plans that were carried out.
    written: Vec<Plan>,
    /// What this pass made.
    created_id: Option<String>,
    /// The write that stays on record until it is seen to be in force.
    write: Option<UnconfirmedWrite>,
    /// A write that an earlier pass has announced and not reported: what it came to is this pass's to report.
    inherited: Option<UnconfirmedWrite>,
    announced: Announcements,
    /// What this pass has written, as far as only reads tell afterwards what it has set.
    answered: Vec<LostWrite>,
    /// Whether billing shows nothing of what is planned.
    is_absent: bool,
    /// Whether this pass has carried out a call.
    has_sent: bool,
    /// The plan of which this pass has last sent a call.
    sent: Option<Plan>,
    /// Items that this pass has told by what they say, before a write that may change that.
    learned: Vec<ItemId>,
    /// Whether a create or an edit of this pass was refused because its key was used before.
    key_was_used: bool,
    /// The result, once the pass has ended.
    ended: Option<Box<ReconcileResult<P::Snapshot>>>,
}

impl<P: Planner> Reconciliation<P> {
    /// A reconcile that has not begun.
    #[must_use]
    pub fn new(api: Api, planner: P, goal: Goal, recorded: Recorded, policy: Policy) -> Self {
        let inherited = recorded.unconfirmed.clone().filter(|_| recorded.is_announced);
        Self {
            api,
            planner,
            goal,
            policy,
            pace: Pace::default(),
            recorded,
            claimed: None,
            holders: Holders::default(),
            running: None,
            written: Vec::new(),
            created_id: None,
            write: None,
            inherited,
            announced: Announcements::default(),
            answered: Vec::new(),
            is_absent: false,
            has_sent: false,
            sent: None,
            learned: Vec::new(),
            key_was_used: false,
            ended: None,
        }
    }

    /// The same for a resource that may not have what it claims, because somebody else holds it.
    #[must_use]
    pub fn claimed_by_another(self, refusal: Option<Refusal>) -> Self {
        Self { claimed: refusal, ..self }
    }

    /// The same, where it can be told what other resources of the cluster hold.
    #[must_use]
    pub fn knowing(mut self, holders: Holders) -> Self {
        self.planner.know(holders.clone());
        self.holders = holders;
        self
    }

    /// The same, where changes of contracts are counted.
    #[must_use]
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// The plan that is being carried out.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.running.as_ref().map(|running| &running.plan)
    }

    /// The plan that is being carried out, with the calls that follow it, as far as they can be told before it is.
    #[must_use]
    pub fn foreseen(&self, now: DateTime<Utc>) -> Option<Plan> {
        let mut plan = self.plan()?.clone();
        plan.calls.extend(self.planner.follow_ups(&plan, &self.recorded, &self.policy, now));
        Some(plan)
    }

    /// What was observed, where it is known to be this resource's.
    #[must_use]
    pub fn seen(&self, now: DateTime<Utc>) -> Option<P::Snapshot> {
        self.planner.snapshot(&self.recorded, now)
    }

    /// What is to be done next. Asking again without telling anything gives the same answer.
    pub fn next(&mut self, now: DateTime<Utc>) -> Step<P::Need, P::Snapshot> {
        loop {
            self.give_up_what_is_old(now);
            if self.announced.withdraws {
                return Step::Withdraw;
            }
            if let Some(result) = &self.ended {
                return Step::Done(result.clone());
            }
            if let Some(running) = &self.running {
                if !running.is_confirmed {
                    return Step::Confirm;
                }
                if let Some(announced) = &running.announces {
                    return Step::Announce(announced.clone());
                }
                if let Some(call) = running.left.front() {
                    return Step::Send(call.clone());
                }
            }
            let result = match self.decide(now) {
                Err(need) => return Step::Read(need),
                Ok(Decision::Write(plan)) => match self.admit(plan, now) {
                    Ok(running) => {
                        self.running = Some(running);
                        continue;
                    }
                    Err(result) => result,
                },
                Ok(decision) => Box::new(self.conclude(decision, now)),
            };
            // What was said of the end is said again: asking must neither count a round nor send anything.
            self.ended = Some(result);
        }
    }

    /// Observes, puts on record what a write has led to, and plans.
    fn decide(&mut self, now: DateTime<Utc>) -> Result<Decision, P::Need> {
        match self.goal {
            Goal::Ended(ending) => {
                let decision = self.planner.end(&ending, &self.recorded, &self.policy, now)?;
                self.note_arrived(false, now);
                Ok(decision)
            }
            Goal::InForce => {
                // A spec that is wrong is told so first: it may be wrong about what it claims.
                if let Some(refusal) = self.planner.invalid().or(self.claimed.as_ref()) {
                    return Ok(Decision::Refuse(refusal.clone()));
                }
                let observation = self.planner.observe(&self.recorded, &self.policy, now)?;
                let held = self.recorded.contract_id.clone();
                self.planner.recall(&mut self.recorded);
                self.is_absent = observation == Observation::Nothing;
                self.note_arrived(false, now);
                match observation {
                    Observation::Nothing | Observation::Found => {}
                    Observation::Waiting(refusal) => return Ok(Decision::Wait(refusal)),
                    Observation::Blocked(refusal) => {
                        // What was found to be this resource's is on record, though nothing is done with it.
                        let found = self.recorded.contract_id.clone().filter(|_| held.is_none());
                        self.created_id = self.created_id.take().or(found);
                        return Ok(Decision::Refuse(refusal));
                    }
                }
                if !self.written.is_empty() {
                    // What follows a create must know its items by their ids, not by likeness.
                    self.planner.remember(&mut self.recorded, now);
                }
                self.planner.plan(&self.recorded, &self.policy, now)
            }
        }
    }

    /// Whether a plan may be carried out; the result instead when it may not.
    fn admit(
        &mut self,
        mut plan: Plan,
        now: DateTime<Utc>,
    ) -> Result<Running, Box<ReconcileResult<P::Snapshot>>> {
        let is_repeated = |before: &Plan| before.digest == plan.digest || before.overlaps(&plan);
        if self.written.len() >= MAX_PLANS || self.written.iter().any(is_repeated) {
            return Err(Box::new(self.unsettled(plan, now)));
        }
        let creates = plan.calls.iter().any(|call| call.kind == CallKind::Create);
        if creates && (self.key_was_used || self.rounds(&plan) > 0) {
            // The key was refused as used, and what has it is not shown: another create could only be refused
            // again, or, were the API to forget keys, bill twice.
            return Err(Box::new(self.key_used(&plan, now)));
        }
        if self.written.is_empty() && self.has_left_it_too_often(&plan) {
            return Err(Box::new(self.never_settled(plan, now)));
        }
        if self.may_be_in_force(&plan, now) {
            return Err(Box::new(self.not_in_force(&plan, now)));
        }
        if let Some(gone) = self.gone(now) {
            return Err(Box::new(gone));
        }
        if let Some(overtaken) = self.overtaken() {
            return Err(Box::new(overtaken));
        }
        if let (Err(hurry), None) = (self.pace.take(), &plan.consent.given) {
            plan.consent.notes.insert(0, hurry.to_string());
            let outcome = Outcome::AwaitingApproval(plan);
            return Err(Box::new(self.result(outcome, Requeue::Within(PACE), now)));
        }
        lost::repeat(&mut self.recorded.lost, plan.calls.iter());
        self.note_overtaken(&plan, now);
        let sending = self.sending(&plan, now);
        let announces = self.announces(&plan, &sending, now).map(Box::new);
        self.recorded.unconfirmed = Some(sending.clone());
        self.write = Some(sending);
        Ok(Running {
            left: plan.calls.iter().cloned().collect(),
            since: now,
            is_confirmed: self.has_begun(),
            announces,
            is_announced: false,
            plan,
        })
    }

    /// Takes what came of a read.
    pub fn told(&mut self, need: &P::Need, told: Result<Option<Value>, CallError>, now: DateTime<Utc>) {
        let learned = match told {
            Ok(told) => self.planner.learn(need, told, now),
            // What can be done without is waited for only where it can soon be had.
            Err(error) => {
                let passes = matches!(error, CallError::Throttled { .. });
                if passes || !self.planner.spare(need, &error.to_string()) {
                    self.fail(&error, During::Read);
                }
                return;
            }
        };
        if let Err(unreadable) = learned {
            self.fail(&CallError::Unreachable(unreadable.0), During::Read);
        }
    }

    /// Takes what came of the write that [`Step::Send`] asked for.
    pub fn sent(&mut self, reply: Result<Value, CallError>, now: DateTime<Utc>) {
        let Some(running) = &mut self.running else { return };
        let Some(call) = running.left.pop_front() else { return };
        running.is_announced = false;
        let means = Means::of(&self.planner, self.goal);
        if matches!(reply, Ok(_) | Err(CallError::Unknown(_))) {
            self.sent = Some(running.plan.clone());
        }
        if self.planner.sending(&call, &mut self.recorded) {
            self.learned = item_ids(&self.recorded);
        }
        let reply = reply.and_then(|reply| {
            self.planner.forget();
            let wrote = self.planner.wrote(&call, &reply, &mut self.recorded, now);
            wrote.map_err(|unreadable| CallError::Unknown(unreadable.0))
        });
        match reply {
            Ok(()) => {
                lost::carried_out(&mut self.recorded.lost, &call);
                lost::answered(&mut self.answered, &call, means, now);
                self.done(&call);
            }
            // What was to be made beside the contract is there: made by this very call, whose reply was lost. It is read next.
            Err(CallError::KeyUsed { .. }) if call.kind == CallKind::Add => {
                self.planner.forget();
                lost::is_used(&mut self.recorded.lost, &call, now);
                self.done(&call);
            }
            // An edit was taken after the one that this follows: this very one, whose reply was lost, or another. What holds
            // is read next, and what was to follow is planned anew.
            Err(CallError::KeyUsed { .. }) if call.kind == CallKind::Edit => {
                self.planner.forget();
                running.left.clear();
                self.key_was_used = true;
                lost::is_used(&mut self.recorded.lost, &call, now);
                self.done(&call);
            }
            // An earlier create whose reply was lost may have used it: what it made is looked for at once.
            Err(CallError::KeyUsed { .. }) if call.kind == CallKind::Create => {
                self.planner.forget();
                self.key_was_used = true;
                lost::used(&mut self.recorded.lost, &call, means, now);
                if let Some(running) = self.running.take() {
                    self.count_round(&running.plan, now);
                }
            }
            // What is to end is not there: whether that is so is read next.
            Err(CallError::NotFound { .. }) if matches!(self.goal, Goal::Ended(_)) => {
                self.planner.forget();
                self.done(&call);
            }
            Err(error) => self.refused(&call, means, &error, now),
        }
    }

    /// One call was carried out; the plan is when it was the last.
    fn done(&mut self, call: &Call) {
        self.has_sent = true;
        if call.kind == CallKind::Edit {
            // Its key is used up, so what may be left is another edit.
            for write in [&mut self.write, &mut self.recorded.unconfirmed].into_iter().flatten() {
                write.taken = true;
            }
        }
        if call.kind == CallKind::Create {
            self.created_id.clone_from(&self.recorded.contract_id);
        }
        if let Some(running) = self.running.take_if(|running| running.left.is_empty()) {
            self.written.push(running.plan);
            // What was in force is not what the spec says any more, so what is left now is no drift.
            self.recorded.applied_spec = None;
        }
    }

    /// A call of the plan was not carried out, or may have been: the pass ends.
    fn refused(&mut self, call: &Call, means: Means, error: &CallError, now: DateTime<Utc>) {
        let Some(running) = self.running.take() else { return };
        let result = match error {
            CallError::Unknown(why) => {
                if let Some(write) = &mut self.write {
                    write.digest = call.fingerprint.clone();
                }
                // An end that comes late ends what has ended.
                if self.goal == Goal::InForce {
                    lost::note(&mut self.recorded.lost, call, means, now);
                }
                let message = format!(
                    "The outcome of a write is not known yet ({why}); it is looked up before anything is written again."
                );
                self.result(Outcome::Unconfirmed { message }, Requeue::Backoff(Duration::ZERO), now)
            }
            CallError::EditNotEnabled { .. } => {
                let message = format!(
                    "{error}. Ask {} to enable contract editing for the account, then annotate the contract with \
                     {REQUESTED_AT}; until then only new contracts can be made",
                    self.api
                );
                self.blocked(reasons::EDIT_NOT_ENABLED, message, running.plan, now)
            }
            error => {
                let failure = Failure::of(error, During::Write, self.api);
                if failure.reason != reasons::REJECTED {
                    return self.fail(error, During::Write);
                }
                // The same request would be refused again; it is not sent before somebody changes something.
                self.blocked(reasons::REJECTED, failure.message, running.plan, now)
            }
        };
        self.ended = Some(Box::new(result));
    }
}

//! One reconcile of one contract, await by await, as `src/controller/contract` does it: look up, finalizer, the protocol's
//! steps, the status. Each step makes at most one request; between two of them anything can happen.

use std::sync::Arc;

use countersign_core::{
    api::{
        APPROVED_PLAN, Api, BillingContract, ContractApproval, FINALIZER, RELEASE, REQUESTED_AT,
        contract::ManagementPolicy,
    },
    plan::{ContractSnapshot, Holders, Planner, Policy, Recorded, metronome, zoo},
    protocol::{
        Goal, Outcome, ReconcileResult, Reconciliation, Requeue, Step,
        deletion::{self, Deletion},
        references::ProviderLookup,
    },
    status::contract::{ContractResult, event, is_tolerated, spent, status},
    terms::Digest,
};

use super::{
    Memory,
    desk::{Desk, Known, claimed, heard, heir, is_as_meant},
    journal,
    line::{Fact, Fate, Line, takes},
    queue::{Due, Fingerprint},
    report::{Kube, Report, of_kubernetes, write},
    spend::{self, Marked, Spend},
};
use crate::{
    check,
    cluster::Name,
    ground::Ground,
    mutant::Mutant,
    time::{SECOND, wall},
};

/// How often a contract is compared again.
pub(crate) const SYNC_PERIOD: i64 = 600 * SECOND;

/// What comes after a finalizer was set or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Bring,
    Nothing,
}

/// What is to be done next.
pub(super) enum Stage {
    /// The object is read anew: a write of its status may have been carried out without an answer.
    Look,
    Finalizer {
        set: bool,
        then: Then,
    },
    Zoo(Box<Reconciliation<zoo::ContractPlanner>>),
    Metronome(Box<Reconciliation<metronome::ContractPlanner>>),
    Report(Box<Report>),
    Spend(Spend),
}

/// One reconcile.
pub(crate) struct Task {
    pub(crate) desk: Desk,
    pub(super) stage: Stage,
}

impl Task {
    /// Whether it plans, and does not only set or take away a finalizer.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(self.stage, Stage::Look | Stage::Finalizer { then: Then::Nothing, .. })
    }
}

/// What a step came to.
pub(crate) enum Next {
    Task(Box<Task>),
    Done,
    /// The process died.
    Dead,
}

/// Whether and how a contract is to be reconciled now.
pub(crate) fn begin(memory: &mut Memory, ground: &Ground, name: &Name, skew: i64) -> Option<Task> {
    memory.touched.remove(name);
    let object = Arc::clone(memory.cache.get(name)?);
    let uid = object.metadata.uid.clone().unwrap_or_default();
    let now = ground.now;
    let said = memory.said_of(name);
    let fingerprint = fingerprint(&object, &said, ground);
    let version = object.metadata.resource_version.as_deref();
    let is_deleted = object.metadata.deletion_timestamp.is_some();
    let needs = deletion::contract_needs_finalizer(&object);
    let has = object.metadata.finalizers.iter().flatten().any(|found| found == FINALIZER);
    let due = memory.queue.due(&uid, version, &fingerprint, now);
    let is_doubted = memory.queue.doubts(&uid, version);
    let desk = Desk::of(object, said, memory, ground);
    let finalizer = |set, then| Stage::Finalizer { set, then };
    let mut task = Task { desk, stage: finalizer(false, Then::Nothing) };
    match due {
        Due::Later(_) if !is_deleted && needs != has => task.stage = finalizer(needs, Then::Nothing),
        Due::Stale | Due::Later(_) => return None,
        Due::Now if is_doubted => task.stage = Stage::Look,
        Due::Now if is_deleted => match deletion::of_contract(&task.desk.object) {
            Deletion::NotOurs => {
                memory.queue.after(&uid, 24 * 3600 * SECOND, now);
                return None;
            }
            Deletion::Release => {}
            Deletion::End(_) if heir(&task.desk, ground) => {}
            Deletion::End(goal) => {
                task.desk.goal = goal;
                return task.bring(memory, ground, skew);
            }
        },
        Due::Now if needs != has => task.stage = finalizer(needs, Then::Bring),
        Due::Now => return task.bring(memory, ground, skew),
    }
    Some(task)
}

fn fingerprint(object: &BillingContract, said: &[Arc<ContractApproval>], ground: &Ground) -> Fingerprint {
    let annotation = |name: &str| object.metadata.annotations.as_ref().and_then(|all| all.get(name)).cloned();
    let provider = ground.provider_of(object);
    Fingerprint {
        generation: object.metadata.generation,
        deleting: object.metadata.deletion_timestamp.is_some(),
        annotations: [REQUESTED_AT, APPROVED_PLAN, RELEASE].map(annotation).to_vec(),
        dependencies: provider
            .map(|provider| format!("{} {}", provider.is_ready, provider.epoch))
            .into_iter()
            .chain(said.iter().filter_map(|said| said.metadata.uid.clone()))
            .collect(),
    }
}

impl Task {
    /// Resolves what the contract depends on, and begins the protocol.
    fn bring(mut self, memory: &mut Memory, ground: &Ground, skew: i64) -> Option<Self> {
        match self.protocol(ground, false) {
            Ok(()) => Some(self),
            Err(result) => self.report(*result, memory, ground, skew),
        }
    }

    /// Begins the protocol; with nothing on record where a 404 is believed, as one of the mutants does.
    pub(super) fn protocol(&mut self, ground: &Ground, believes: bool) -> Result<(), Box<ContractResult>> {
        let object = Arc::clone(&self.desk.object);
        if object.spec.suspend && ground.mutant != Some(Mutant::PolicyUnheard) {
            return Err(Box::new(ReconcileResult::new(Outcome::Suspended, Requeue::OnChange)));
        }
        let lookup = match ground.provider_of(&object) {
            Some(provider) if provider.is_ready => ProviderLookup::Ready(()),
            Some(_) => ProviderLookup::NotReady("the billing API does not accept the token".to_owned()),
            None => ProviderLookup::Unknown,
        };
        lookup.account(&object.spec.provider_ref.name, &Name::of(&object).namespace)?;
        let is_wanted = self.desk.goal == Goal::InForce;
        let claimed = if is_wanted { claimed(&self.desk, ground) } else { None };
        let recorded = self.recorded(ground, believes);
        let mut policy =
            Policy::of(&object).under(self.desk.demands.clone(), heard(&self.desk.said, ground.mutant));
        if ground.mutant == Some(Mutant::PolicyUnheard) && policy.management == ManagementPolicy::Observe {
            policy.management = ManagementPolicy::Apply;
        }
        let goal = self.desk.goal;
        let api = ground.accounts.get(self.desk.account).map_or(Api::Zoo, |account| account.api);
        let refused = |refusal| Box::new(ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod));
        self.stage = match api {
            Api::Zoo => match zoo::ContractPlanner::new(&object.spec, None) {
                Ok(planner) => Stage::Zoo(Box::new(
                    Reconciliation::new(api, planner, goal, recorded, policy).claimed_by_another(claimed),
                )),
                Err(refusal) => return Err(refused(refusal)),
            },
            Api::Metronome => {
                let settings =
                    metronome::AccountSettings { key_prefix: "prod".to_owned(), stamp_cluster: None };
                match metronome::ContractPlanner::new(&object, None, None, &settings) {
                    Ok(planner) => Stage::Metronome(Box::new(
                        Reconciliation::new(api, planner, goal, recorded, policy).claimed_by_another(claimed),
                    )),
                    Err(refusal) => return Err(refused(refusal)),
                }
            }
        };
        Ok(())
    }

    /// What the status has on record, as far as it is believed.
    fn recorded(&self, ground: &Ground, believes: bool) -> Recorded {
        let object = &self.desk.object;
        let announced =
            self.desk.announced.clone().filter(|_| ground.mutant != Some(Mutant::AnnouncedUnheard));
        let mut recorded = Recorded::of(object, &self.desk.account_name).and_announced(announced);
        match ground.mutant {
            Some(Mutant::ApprovalNotSpent) => recorded.applied_plan = None,
            Some(Mutant::LostForgotten) => (recorded.lost, recorded.unconfirmed) = (Vec::new(), None),
            _ if believes => recorded.contract_id = None,
            _ => {}
        }
        recorded
    }

    /// What a result comes to: a status to write, a finalizer to take away, or nothing more.
    fn report(
        mut self,
        mut result: ContractResult,
        memory: &mut Memory,
        ground: &Ground,
        skew: i64,
    ) -> Option<Self> {
        let object = Arc::clone(&self.desk.object);
        let uid = object.metadata.uid.clone().unwrap_or_default();
        let name = object.metadata.name.clone().unwrap_or_default();
        if self.desk.goal != Goal::InForce {
            if let (true, Outcome::Ended { applied }) = (deletion::may_go(&result), &result.outcome) {
                // One that waited may have been carried out by a process that ended before it could say so.
                let waited = object.status.as_ref().and_then(|status| status.plan.as_ref());
                let plans = applied.iter().map(|plan| &plan.digest).chain(waited.map(|plan| &plan.digest));
                let plans: Vec<_> = plans.cloned().collect();
                return self.spend(&plans, spend::Then::Release, memory, ground);
            }
            if let Outcome::Waiting { message, .. } = &mut result.outcome {
                *message = deletion::how_to_release(message, "contract", &name, "ended");
            }
            if let Outcome::Refused { refusal, .. } = &mut result.outcome {
                refusal.message = deletion::how_to_release(&refusal.message, "contract", &name, "ended");
            }
        }
        if result.overtaken.is_some() {
            memory.touched.insert(Name::of(&object));
            return None;
        }
        let requeue = result.requeue;
        if !is_tolerated(&object, &result, memory.queue.failures(&uid)) {
            let mut status = status(&object, &result, None, wall(ground.now + skew));
            // Who wrote last is no difference.
            status.fence = object.status.as_ref().and_then(|status| status.fence);
            drop(event(&object, &result));
            let spends = spent(&object, &status, &result);
            if object.status.as_ref() != Some(&status) {
                let asked = result.account.is_some();
                let report = Report { object, status, tries: 0, must_read: false, requeue, spends, asked };
                self.stage = Stage::Report(Box::new(report));
                return Some(self);
            }
            if result.account.is_some() {
                memory.journal.writes.remove(&uid);
            }
            return self.spend(&spends, spend::Then::Requeue(requeue), memory, ground);
        }
        memory.queue.requeue(&uid, requeue, SYNC_PERIOD, ground.now);
        None
    }

    /// Carries out one step.
    pub(crate) fn step(
        mut self,
        memory: &mut Memory,
        ground: &mut Ground,
        fate: Fate,
        operator: usize,
        skew: i64,
    ) -> Next {
        let believes = ground.mutant == Some(Mutant::NotFoundBelieved)
            && fate == Fate::ForeignNotFound
            && matches!(self.stage, Stage::Zoo(_));
        if believes {
            // It was begun before, so there is nothing in the way.
            drop(self.protocol(ground, true));
        }
        let Self { mut desk, stage } = self;
        let next = |task: Option<Self>| task.map_or(Next::Done, |task| Next::Task(Box::new(task)));
        match stage {
            Stage::Look => {
                look(&desk, memory, ground, fate);
                if fate == Fate::Crash { Next::Dead } else { Next::Done }
            }
            Stage::Finalizer { set, then } => {
                Self { desk, stage }.finalize(memory, ground, fate, (set, then), skew)
            }
            Stage::Report(report) => {
                let (spends, requeue) = (report.spends.clone(), report.requeue);
                match write(&desk, *report, memory, ground, fate, operator) {
                    Ok(report) => Next::Task(Box::new(Self { desk, stage: Stage::Report(Box::new(report)) })),
                    Err(over) => {
                        if desk.has_sent && !over.is_written {
                            ground.lost_record(desk.slot);
                        }
                        if over.is_dead {
                            return Next::Dead;
                        }
                        let stage = Stage::Finalizer { set: false, then: Then::Nothing };
                        let then = spend::Then::Requeue(requeue);
                        let goes_on = over.goes_on.then(|| Self { desk, stage });
                        next(goes_on.and_then(|task| task.spend(&spends, then, memory, ground)))
                    }
                }
            }
            Stage::Spend(mut spend) => match spend.step(memory, ground, fate) {
                Marked::On => next(Self { desk, stage: Stage::Spend(spend) }.spent(memory, ground)),
                Marked::Failed => {
                    memory.queue.retry(
                        desk.object.metadata.uid.as_deref().unwrap_or_default(),
                        0,
                        ground.now,
                    );
                    Next::Done
                }
                Marked::Dead => Next::Dead,
            },
            Stage::Zoo(reconciliation) => {
                let known = Holders::new(Known::of(&desk, memory, ground));
                let mut reconciliation = Box::new(reconciliation.knowing(known));
                match turn(&mut reconciliation, &mut desk, memory, ground, fate, operator, skew) {
                    Turn::On => next(Some(Self { desk, stage: Stage::Zoo(reconciliation) })),
                    Turn::Dead => {
                        ground.lost_record(desk.slot);
                        Next::Dead
                    }
                    Turn::Done(result) => {
                        let stage = Stage::Finalizer { set: false, then: Then::Nothing };
                        next(Self { desk, stage }.end(*result, memory, ground, skew))
                    }
                }
            }
            Stage::Metronome(reconciliation) => {
                let known = Holders::new(Known::of(&desk, memory, ground));
                let mut reconciliation = Box::new(reconciliation.knowing(known));
                match turn(&mut reconciliation, &mut desk, memory, ground, fate, operator, skew) {
                    Turn::On => next(Some(Self { desk, stage: Stage::Metronome(reconciliation) })),
                    Turn::Dead => {
                        ground.lost_record(desk.slot);
                        Next::Dead
                    }
                    Turn::Done(result) => {
                        let stage = Stage::Finalizer { set: false, then: Then::Nothing };
                        next(Self { desk, stage }.end(*result, memory, ground, skew))
                    }
                }
            }
        }
    }

    /// Marks approvals whose plan was carried out.
    fn spend(
        mut self,
        plans: &[Digest],
        then: spend::Then,
        memory: &mut Memory,
        ground: &Ground,
    ) -> Option<Self> {
        self.stage = Stage::Spend(Spend::new(&self.desk, memory, plans, ground, then));
        self.spent(memory, ground)
    }

    /// Goes on once no approval is left to be marked.
    fn spent(mut self, memory: &mut Memory, ground: &Ground) -> Option<Self> {
        let Stage::Spend(spend) = &self.stage else { return Some(self) };
        match spend.then {
            _ if !spend.is_over() => Some(self),
            spend::Then::Release => {
                self.stage = Stage::Finalizer { set: false, then: Then::Nothing };
                Some(self)
            }
            spend::Then::Requeue(requeue) => {
                if let Some(finding) = check::unspent(&self.desk, ground) {
                    memory.found.push(finding);
                }
                let uid = self.desk.object.metadata.uid.clone().unwrap_or_default();
                memory.queue.requeue(&uid, requeue, SYNC_PERIOD, ground.now);
                None
            }
        }
    }

    fn end(
        self,
        result: ContractResult,
        memory: &mut Memory,
        ground: &mut Ground,
        skew: i64,
    ) -> Option<Self> {
        let result = ReconcileResult { account: Some(self.desk.account_name.clone()), ..result };
        ground.note(|| format!("  result: {:?} requeue {:?}", short(&result.outcome), result.requeue));
        ground.count(outcome_name(&result.outcome));
        // What ends does so at the next full hour by the operator's own clock.
        for finding in check::in_sync(&self.desk, &result, &ground.rules, ground.now + skew) {
            ground.find(finding);
        }
        self.report(result, memory, ground, skew)
    }

    fn finalize(
        mut self,
        memory: &mut Memory,
        ground: &mut Ground,
        fate: Fate,
        (set, then): (bool, Then),
        skew: i64,
    ) -> Next {
        let uid = self.desk.object.metadata.uid.clone().unwrap_or_default();
        let patched = match of_kubernetes(fate) {
            Kube::Lost => None,
            Kube::Arrives { hears } => {
                let patched = ground.cluster.finalize(&self.desk.object, FINALIZER, set);
                ground.note(|| format!("  finalizer {set}: {:?}", patched.as_ref().map(|_| ())));
                if fate == Fate::Crash {
                    return Next::Dead;
                }
                patched.ok().filter(|_| hears)
            }
        };
        let Some(patched) = patched else {
            // A conflict, or no answer: all of it is tried again.
            memory.queue.retry(&uid, 0, ground.now);
            return Next::Done;
        };
        memory.queue.wrote(&uid, patched.metadata.resource_version.as_deref());
        // The answer to a patch of metadata is metadata.
        let mut object = BillingContract::clone(&self.desk.object);
        object.metadata.clone_from(&patched.metadata);
        self.desk.object = Arc::new(object);
        let task = if then == Then::Bring { self.bring(memory, ground, skew) } else { None };
        task.map_or(Next::Done, |task| Next::Task(Box::new(task)))
    }
}

/// Reads the version of an object anew.
fn look(desk: &Desk, memory: &mut Memory, ground: &mut Ground, fate: Fate) {
    ground.count("object read anew");
    let uid = desk.object.metadata.uid.clone().unwrap_or_default();
    let Kube::Arrives { hears: true } = of_kubernetes(fate) else {
        memory.queue.retry(&uid, 0, ground.now);
        return;
    };
    let found = ground.cluster.get(&Name::of(&desk.object));
    let found = found.filter(|found| found.metadata.uid == desk.object.metadata.uid);
    if let Some(found) = found {
        memory.queue.knows(&uid, found.metadata.resource_version.as_deref());
    }
    memory.touched.insert(Name::of(&desk.object));
}

/// What a turn of the protocol came to.
enum Turn {
    On,
    Done(Box<ContractResult>),
    Dead,
}

/// Carries out the protocol's next step, as `run` in `src/billing/mod.rs` does.
fn turn<P>(
    reconciliation: &mut Reconciliation<P>,
    desk: &mut Desk,
    memory: &mut Memory,
    ground: &mut Ground,
    fate: Fate,
    operator: usize,
    skew: i64,
) -> Turn
where
    P: Planner<Snapshot = ContractSnapshot>,
    P::Need: Fact,
{
    let now = wall(ground.now + skew);
    let gate = memory.may_write(takes(), ground.now);
    let mut step = reconciliation.next(now);
    // Watches that are ahead of one another are `tests/shell`'s. What is confirmed goes out at once, as there.
    if matches!(step, Step::Confirm) {
        reconciliation.confirmed(true);
        step = reconciliation.next(now);
    }
    desk.plan = reconciliation.plan().map(|plan| plan.digest.to_string());
    desk.is_approved = desk.object.spec.management_policy == ManagementPolicy::Plan
        || reconciliation.plan().is_some_and(|plan| plan.consent.given.is_some());
    let mut line = Line { ground, fate, desk, gate, operator, is_dead: false };
    match step {
        Step::Read(need) => {
            line.ground.note(|| format!("  read {need:?} {fate:?}"));
            let told = line.read(&need);
            if line.is_dead {
                return Turn::Dead;
            }
            reconciliation.told(&need, told, now);
            Turn::On
        }
        Step::Confirm => Turn::On,
        Step::Announce(announced) => {
            line.ground.note(|| format!("  announce {fate:?}"));
            desk.before = memory.journal.writes.get(&desk.uid()).cloned();
            let Some(outcome) = journal::announce(desk, *announced, memory, ground, fate, operator) else {
                return Turn::Dead;
            };
            reconciliation.announced(outcome);
            Turn::On
        }
        Step::Withdraw => {
            line.ground.count("announcement withdrawn");
            journal::withdraw(desk, memory);
            reconciliation.withdrawn();
            Turn::On
        }
        Step::Send(call) => {
            line.ground.note(|| format!("  send {:?} {} {fate:?}", call.kind, call.path));
            if !line.desk.has_sent && !is_as_meant(line.desk, memory, line.ground) {
                let name = Name::of(&line.desk.object);
                line.ground.find(format!("{name}: it writes what is not meant any more, and has heard so"));
            }
            line.desk.foreseen = reconciliation.foreseen(now).map(|plan| plan.calls).unwrap_or_default();
            let reply = line.send(&call);
            if line.is_dead {
                return Turn::Dead;
            }
            reconciliation.sent(reply, now);
            Turn::On
        }
        Step::Done(result) => Turn::Done(result),
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::InSync { applied, .. } if applied.is_empty() => "result: in sync",
        Outcome::InSync { .. } => "result: applied",
        Outcome::Drifted { .. } => "result: drifted",
        Outcome::AwaitingApproval(_) => "result: awaiting approval",
        Outcome::Unconfirmed { .. } => "result: unconfirmed",
        Outcome::NotInForce { .. } => "result: not in force",
        Outcome::Waiting { .. } => "result: waiting",
        Outcome::Refused { .. } => "result: refused",
        Outcome::Suspended => "result: suspended",
        Outcome::Ended { .. } => "result: ended",
    }
}

fn short(outcome: &Outcome) -> String {
    let text = match outcome {
        Outcome::Refused { refusal, .. } => format!("{}: {}", refusal.reason, refusal.message),
        Outcome::Waiting { reason, message } => format!("{reason}: {message}"),
        Outcome::Unconfirmed { message } | Outcome::NotInForce { message } => message.clone(),
        Outcome::AwaitingApproval(plan) => format!("plan {}", plan.digest),
        _ => String::new(),
    };
    format!("{} {}", outcome_name(outcome), text.chars().take(300).collect::<String>())
}

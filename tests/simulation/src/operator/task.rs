//! One reconcile of one contract, await by await, as `src/controller/contract` does it: look up, finalizer, the protocol's
//! steps, the status. Each step makes at most one request; between two of them anything can happen.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_core::{
    api::{APPROVED_PLAN, Api, BillingContract, FINALIZER, RELEASE, REQUESTED_AT},
    plan::{
        ContractSnapshot, Departed, Holder, Holders, MAY_SHOW_LATER, Others, Planner, Policy, Recorded,
        Refusal, Sibling, Sought, metronome, zoo,
    },
    protocol::{
        Goal, Outcome, ReconcileResult, Reconciliation, Requeue, Step,
        claims::{self, Asking, Subject},
        deletion::{self, Deletion},
        references::ProviderLookup,
    },
    status::contract::{ContractResult, event, is_tolerated, status},
};

use super::{
    Memory,
    line::{Fact, Fate, Line, takes},
    queue::{Due, Fingerprint},
    report::{Kube, Report, of_kubernetes, write},
};
use crate::{
    billing::Seen,
    check,
    cluster::Name,
    ground::Ground,
    mutant::Mutant,
    time::{SECOND, wall},
};

/// How often a contract is compared again.
pub(crate) const SYNC_PERIOD: i64 = 600 * SECOND;

/// What a reconcile works on, and what has to be known to judge what it does.
pub(crate) struct Desk {
    pub(crate) object: Arc<BillingContract>,
    /// The deal, as people number it.
    pub(crate) slot: usize,
    pub(crate) account: usize,
    pub(crate) account_name: String,
    /// What was last shown of the contract.
    pub(crate) seen: Seen,
    /// Other contracts of the same account that the operator knows of.
    pub(crate) others: Vec<Arc<BillingContract>>,
    /// Digest of the plan that is being carried out.
    pub(crate) plan: Option<String>,
    pub(crate) goal: Goal,
    /// It has sent a write.
    pub(crate) has_sent: bool,
}

impl Desk {
    /// The contract on record, of this account.
    pub(crate) fn holds(&self) -> Option<String> {
        let status = self.object.status.as_ref()?;
        let is_here = status.account.as_ref().is_none_or(|account| *account == self.account_name);
        status.contract_id.clone().filter(|_| is_here)
    }

    /// Says that all is in force, whether or not it is: what one of the mutants does.
    pub(crate) fn claim_in_sync(&mut self, ground: &mut Ground) {
        let outcome = Outcome::InSync { spec_digest: None, applied: Vec::new() };
        let result = ReconcileResult {
            account: Some(self.account_name.clone()),
            ..ReconcileResult::new(outcome, Requeue::AfterSyncPeriod)
        };
        for finding in check::in_sync(self, &result, &ground.rules) {
            ground.find(finding);
        }
        let mut claimed = BillingContract::clone(&self.object);
        claimed.status = Some(status(&self.object, &result, None, wall(ground.now)));
        if let Ok(written) = ground.write_status(&claimed) {
            self.object = written;
        }
    }
}

/// What comes after a finalizer was set or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Bring,
    Nothing,
}

/// What is to be done next.
enum Stage {
    Finalizer { set: bool, then: Then },
    Zoo(Box<Reconciliation<zoo::ContractPlanner>>),
    Metronome(Box<Reconciliation<metronome::ContractPlanner>>),
    Report(Box<Report>),
}

/// One reconcile.
pub(crate) struct Task {
    pub(crate) desk: Desk,
    stage: Stage,
}

/// What a step came to.
pub(crate) enum Next {
    Task(Box<Task>),
    Done,
    /// The process died.
    Dead,
}

/// The deal that a contract is of.
pub(crate) fn slot_of(contract: &BillingContract) -> usize {
    let deal = contract.metadata.annotations.as_ref().and_then(|all| all.get("deal"));
    deal.and_then(|deal| deal.parse().ok()).unwrap_or(usize::MAX)
}

/// Whether and how a contract is to be reconciled now.
pub(crate) fn begin(memory: &mut Memory, ground: &Ground, name: &Name, skew: i64) -> Option<Task> {
    memory.touched.remove(name);
    let object = Arc::clone(memory.cache.get(name)?);
    let uid = object.metadata.uid.clone().unwrap_or_default();
    let now = ground.now;
    let fingerprint = fingerprint(&object, ground);
    let version = object.metadata.resource_version.as_deref();
    let is_deleted = object.metadata.deletion_timestamp.is_some();
    let needs = deletion::contract_needs_finalizer(&object);
    let has = object.metadata.finalizers.iter().flatten().any(|found| found == FINALIZER);
    let due = memory.queue.due(&uid, version, &fingerprint, now);
    let account_name = account_of(&object, ground).unwrap_or_default();
    let account = ground.account_at(&account_name).unwrap_or_default();
    let others = others(memory, ground, name, account);
    let desk = Desk {
        slot: slot_of(&object),
        account,
        account_name,
        seen: Seen::Nothing,
        others,
        plan: None,
        goal: Goal::InForce,
        has_sent: false,
        object,
    };
    let finalizer = |set, then| Stage::Finalizer { set, then };
    let mut task = Task { desk, stage: finalizer(false, Then::Nothing) };
    match due {
        Due::Later if !is_deleted && needs != has => task.stage = finalizer(needs, Then::Nothing),
        Due::Stale | Due::Later => return None,
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

fn fingerprint(object: &BillingContract, ground: &Ground) -> Fingerprint {
    let annotation = |name: &str| object.metadata.annotations.as_ref().and_then(|all| all.get(name)).cloned();
    let provider = ground.provider_of(object);
    Fingerprint {
        generation: object.metadata.generation,
        deleting: object.metadata.deletion_timestamp.is_some(),
        annotations: [REQUESTED_AT, APPROVED_PLAN, RELEASE].map(annotation).to_vec(),
        dependencies: provider
            .map(|provider| format!("{} {}", provider.is_ready, provider.epoch))
            .into_iter()
            .collect(),
    }
}

/// A contract's account, as the operator names it.
fn account_of(contract: &BillingContract, ground: &Ground) -> Option<String> {
    let said = ground.provider_of(contract).map(|provider| ground.account_name(provider.url));
    said.or_else(|| contract.status.as_ref()?.account.clone())
}

/// Whether another resource claims what this one, which is deleted, has or claims.
fn heir(desk: &Desk, ground: &Ground) -> bool {
    let mut rivals = rivals(desk, ground);
    claims::heir(&desk.object, &mut rivals).is_some()
}

/// Other contracts of the same account that the operator knows of now.
fn others(memory: &Memory, ground: &Ground, name: &Name, account: usize) -> Vec<Arc<BillingContract>> {
    let is_other = |(other, found): &(&Name, &Arc<BillingContract>)| {
        *other != name && account_of(found, ground).and_then(|url| ground.account_at(&url)) == Some(account)
    };
    memory.cache.iter().filter(is_other).map(|(_, other)| Arc::clone(other)).collect()
}

/// What the operator knows now of the others.
struct Known {
    others: Vec<Arc<BillingContract>>,
    asking: Asking,
    is_there: bool,
    departed: Vec<Departed>,
    unseen_until: Option<DateTime<Utc>>,
}

impl Known {
    fn of(desk: &Desk, memory: &Memory, ground: &Ground) -> Self {
        let name = Name::of(&desk.object);
        let asking = Asking::of(&desk.object);
        let found = memory.cache.get(&name);
        let own = claims::customers(&desk.object);
        let is_its = |(_, gone): &&(i64, Arc<BillingContract>)| {
            let is_same = claims::customers(gone).iter().any(|customer| own.contains(customer));
            is_same && Name::of(gone) != name && gone.spec.api() == desk.object.spec.api()
        };
        let departed = memory.departed.iter().filter(is_its);
        Self {
            others: others(memory, ground, &name, desk.account),
            is_there: found.is_some_and(|found| asking.is(found.metadata.uid.as_deref())),
            departed: departed.map(|(at, gone)| claims::departed(gone, wall(*at))).collect(),
            unseen_until: memory.took_over_at.map(|at| wall(at) + MAY_SHOW_LATER),
            asking,
        }
    }
}

impl Others for Known {
    fn holder(&self, sought: Sought<'_>) -> Holder {
        let keeper = claims::keeper(&self.asking, &sought, self.others.iter().map(Arc::as_ref));
        keeper.map_or(Holder::Nobody, |keeper| Holder::Resource(Name::of(keeper).to_string()))
    }

    fn is_there(&self) -> bool {
        self.is_there
    }

    fn departed(&self, _: &[&str]) -> Vec<Departed> {
        self.departed.clone()
    }

    fn siblings(&self, customer: &[&str]) -> Vec<Sibling> {
        let is_its = |other: &&Arc<BillingContract>| {
            claims::customers(other).iter().any(|name| customer.contains(&name.as_str()))
        };
        self.others.iter().filter(is_its).map(|other| claims::sibling(&self.asking, other)).collect()
    }

    fn unseen_until(&self) -> Option<DateTime<Utc>> {
        self.unseen_until
    }

    fn share(&self, customer: &str) -> bool {
        let means_it = |other: &Arc<BillingContract>| {
            claims::subjects(other).contains(&Subject::Customer(customer.to_owned()))
        };
        self.others.iter().any(means_it)
    }
}

fn rivals<'d>(desk: &'d Desk, ground: &Ground) -> impl Iterator<Item = &'d BillingContract> {
    let same = desk.others.iter().map(Arc::as_ref);
    same.filter(|other| account_of(other, ground).as_deref() == Some(desk.account_name.as_str()))
}

fn claimed(desk: &Desk, ground: &Ground) -> Option<Refusal> {
    let holder = claims::holder(&desk.object, rivals(desk, ground));
    holder.map(|(holder, subject)| claims::refusal(holder, &subject))
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
    fn protocol(&mut self, ground: &Ground, believes: bool) -> Result<(), Box<ContractResult>> {
        let object = Arc::clone(&self.desk.object);
        if object.spec.suspend {
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
        let mut recorded = Recorded::of(&object, &self.desk.account_name);
        if ground.mutant == Some(Mutant::ApprovalNotSpent) {
            recorded.applied_plan = None;
        }
        if believes {
            recorded.contract_id = None;
        }
        let (policy, goal) = (Policy::of(&object), self.desk.goal);
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
            if matches!(result.outcome, Outcome::Ended { .. }) {
                self.stage = Stage::Finalizer { set: false, then: Then::Nothing };
                return Some(self);
            }
            if let Outcome::Waiting { message, .. } = &mut result.outcome {
                *message = deletion::how_to_release(message, "contract", &name, "ended");
            }
            if let Outcome::Refused { refusal, .. } = &mut result.outcome {
                refusal.message = deletion::how_to_release(&refusal.message, "contract", &name, "ended");
            }
        }
        let requeue = result.requeue;
        if !is_tolerated(&object, &result, memory.queue.failures(&uid)) {
            let status = status(&object, &result, None, wall(ground.now + skew));
            drop(event(&object, &result));
            if object.status.as_ref() != Some(&status) {
                let report = Report { object, status, tries: 0, must_read: false, requeue };
                self.stage = Stage::Report(Box::new(report));
                return Some(self);
            }
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
            Stage::Finalizer { set, then } => {
                Self { desk, stage }.finalize(memory, ground, fate, (set, then), skew)
            }
            Stage::Report(report) => match write(&desk, *report, memory, ground, fate) {
                Ok(report) => Next::Task(Box::new(Self { desk, stage: Stage::Report(Box::new(report)) })),
                Err(over) => {
                    if desk.has_sent && !over.is_written {
                        ground.lost_record(desk.slot);
                    }
                    if over.is_dead { Next::Dead } else { Next::Done }
                }
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
        for finding in check::in_sync(&self.desk, &result, &ground.rules) {
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
    memory: &Memory,
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
    let step = reconciliation.next(now);
    desk.plan = reconciliation.plan().map(|plan| plan.digest.to_string());
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
        Step::Send(call) => {
            line.ground.note(|| format!("  send {:?} {} {fate:?}", call.kind, call.path));
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

//! What a change of files does, without asking the billing API: what the files said before is taken for what is billed.
//!
//! The plan is the protocol's own, by the planner that the operator runs. Only what it reads is made up: where a read would
//! ask the billing API, it is told what the old files mean, in the form of a reply.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use kube::ResourceExt;
use serde_json::Value;

use crate::{
    api::{
        Api, BillingContract, BillingContractStatus, ContractPackage, FINALIZER, PACKAGE_FINALIZER,
        contract::{Amount, LastApplied, ManagementPolicy},
        package::Lifecycle,
        provider::BillingProviderSpec,
        reasons::{self, Reason},
    },
    plan::{
        Change, ContractSnapshot, Demands, Plan, Planner, Policy, Recorded, Refusal, Sayings, SetTerms,
        diff::covers, facts::Facts, metronome, package, zoo,
    },
    protocol::{
        Goal, Outcome, Reconciliation, Step,
        deletion::{self, Deletion},
    },
    terms::{Digest, Timestamp},
};

pub use crate::plan::facts::Side;

/// What a change does to one contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// This.
    Changes {
        /// What the operator would carry out.
        plan: Plan,
        /// Whether it waits for somebody's approval first.
        waits: bool,
        /// Those of its changes that undo what somebody has changed in billing, and not what this change of files does.
        undone: Vec<Change>,
    },
    /// The contract is left as it is, and differs from the files or is no longer watched.
    Left {
        /// Why.
        why: &'static str,
        /// What differs.
        changes: Vec<Change>,
        /// What the customer stays committed to, where it is known.
        value: Vec<Amount>,
    },
    /// The operator would refuse it.
    Refused(Refusal),
    /// Only the billing API can tell.
    Open(&'static str),
    /// The billing API was asked, and it cannot be told.
    Unknown(Refusal),
}

/// How a reconciliation went up to its first write.
#[derive(Clone, Debug)]
pub enum Ran<S> {
    /// It would write this.
    Planned {
        /// What it would carry out.
        plan: Plan,
        /// What was observed, where it is known to be the resource's.
        seen: Option<S>,
    },
    /// It came to this by reading alone.
    Ended(Outcome, Option<S>),
}

/// Reasons for which nothing can be told until the billing API answers again.
const NO_ANSWER: [Reason; 6] = [
    reasons::BILLING_UNREACHABLE,
    reasons::CREDENTIALS_REFUSED,
    reasons::NOT_LEADER,
    reasons::NOT_ON_RECORD,
    reasons::PROVIDER_NOT_READY,
    reasons::THROTTLED,
];
/// Why nothing is written for a contract with `spec.suspend`.
const SUSPENDED: &str = "it is suspended: still billed, and no longer watched";
/// Why nothing is written for a contract under `managementPolicy: Observe`.
const OBSERVED: &str = "its policy is to look only";

/// What becomes of a contract when files change from one side to the other; a side is missing where there is no such
/// resource.
#[must_use]
pub fn contract(before: Option<&Side<'_>>, after: Option<&Side<'_>>, now: DateTime<Utc>) -> Effect {
    let Some(api) = after.or(before).and_then(|side| side.contract.spec.api()) else {
        return Effect::Nothing;
    };
    match api {
        Api::Zoo => change::<zoo::Billed>(before, after, now),
        Api::Metronome => change::<metronome::Billed>(before, after, now),
        #[cfg(feature = "fake")]
        Api::Fake => Effect::Open("contracts of this billing API can only be planned with it"),
    }
}

/// What becomes of a contract whose resource is new, where one that is gone from the files meant the same customer: it is what
/// the operator finds. `former` is that one, which is most likely the same resource under its former name.
#[must_use]
pub fn taken_up(former: &Side<'_>, after: &Side<'_>, now: DateTime<Utc>) -> Effect {
    match after.contract.spec.api() {
        Some(Api::Zoo) => take_up::<zoo::Billed>(former, after, now),
        Some(Api::Metronome) => take_up::<metronome::Billed>(former, after, now),
        #[cfg(feature = "fake")]
        Some(Api::Fake) => Effect::Open("contracts of this billing API can only be planned with it"),
        None => Effect::Nothing,
    }
}

/// Whether a resource that is new takes up what one that is gone has left: both mean a customer, and what the other held stays.
#[must_use]
pub fn takes_up(former: &BillingContract, after: &BillingContract) -> bool {
    let names: Vec<&str> = former.spec.customer_names().collect();
    let is_same_customer = after.spec.customer_names().any(|name| names.contains(&name));
    // Where a customer has one contract, who goes leaves it to whoever claims it, whatever its `deletionPolicy` is.
    let stays = after.spec.sole_customer().is_some() || end_of_contract(former).is_none();
    former.spec.api() == after.spec.api() && is_same_customer && stays && after.spec.adopt.is_none()
}

/// What becomes of a package that so many contracts refer to.
#[must_use]
pub fn package(
    before: Option<&ContractPackage>,
    after: Option<&ContractPackage>,
    account: Option<&BillingProviderSpec>,
    contracts: usize,
    now: DateTime<Utc>,
) -> Effect {
    let Some(resource) = after.or(before).filter(|package| package::has_packages(package.spec.api())) else {
        // Its terms go into each contract: what they do is shown there.
        return Effect::Nothing;
    };
    let is_published = |package: &&ContractPackage| package.spec.lifecycle != Lifecycle::Draft;
    let (before, is_wanted) = (before.filter(is_published), after.is_some_and(|after| is_published(&after)));
    let goal = match (after, before) {
        (Some(_), _) if is_wanted => Goal::InForce,
        (None, Some(before)) => match end_of_package(before) {
            Some(goal) => goal,
            None => return Effect::Left { why: ORPHANED, changes: Vec::new(), value: Vec::new() },
        },
        _ => return Effect::Nothing,
    };
    let planner = |package| {
        metronome::package::PackagePlanner::new(
            package,
            contracts.try_into().unwrap_or(i32::MAX),
            &metronome::settings(account),
        )
    };
    let billed = match before.map(|before| planner(before).shown(&before.name_any())).transpose() {
        Ok(billed) => billed,
        Err(refusal) => return Effect::Refused(refusal),
    };
    let recorded = Recorded { contract_id: before.map(ContractPackage::name_any), ..Recorded::default() };
    let ran =
        run(Api::Metronome, planner(resource), goal, recorded, Policy::default(), now, |need| match need {
            metronome::Need::Package { .. } => billed.clone(),
            _ => Some(billed.iter().filter(|_| matches!(need, metronome::Need::Packages)).cloned().collect()),
        });
    of_package(ran)
}

/// What becomes of a package, by how its reconciliation went.
#[must_use]
pub fn of_package<S>(ran: Ran<S>) -> Effect {
    match ran {
        Ran::Planned { plan, .. } => Effect::Changes { plan, waits: false, undone: Vec::new() },
        Ran::Ended(Outcome::Refused { refusal, .. }, _) => Effect::Refused(refusal),
        Ran::Ended(Outcome::Waiting { reason, message }, _) => waiting(reason, message),
        Ran::Ended(Outcome::Unconfirmed { message } | Outcome::NotInForce { message }, _) => {
            Effect::Unknown(Refusal { reason: reasons::WRITE_UNCONFIRMED, message })
        }
        Ran::Ended(..) => Effect::Nothing,
    }
}

fn waiting(reason: Reason, message: String) -> Effect {
    let refusal = Refusal { reason, message };
    if NO_ANSWER.contains(&reason) { Effect::Unknown(refusal) } else { Effect::Refused(refusal) }
}

/// What becomes of a contract, by how its reconciliation went. `was` is what its resource said before, and `value` what the
/// customer is committed to, where nothing was observed.
#[must_use]
pub fn of_contract(
    ran: Ran<ContractSnapshot>,
    contract: &BillingContract,
    was: Option<&BillingContract>,
    value: &[Amount],
) -> Effect {
    let seen = match &ran {
        Ran::Planned { seen, .. } | Ran::Ended(_, seen) => seen.as_ref(),
    };
    let value = seen.map_or(value, |seen| &seen.committed_value).to_vec();
    let left = |why, changes| Effect::Left { why, changes, value: value.clone() };
    let is_observed =
        |contract: &BillingContract| contract.spec.management_policy == ManagementPolicy::Observe;
    let effect = match ran {
        Ran::Planned { plan, .. } => Effect::Changes { plan, waits: false, undone: Vec::new() },
        Ran::Ended(outcome, _) => match outcome {
            Outcome::AwaitingApproval(plan) => Effect::Changes { plan, waits: true, undone: Vec::new() },
            Outcome::Drifted { changes } if is_observed(contract) => left(OBSERVED, changes),
            Outcome::Drifted { changes } => left("its policy is to report drift only", changes),
            Outcome::Waiting { reason: reasons::NOT_IN_BILLING, .. } => left(OBSERVED, Vec::new()),
            Outcome::Refused { refusal, .. } => Effect::Refused(refusal),
            Outcome::Waiting { reason, message } => waiting(reason, message),
            Outcome::Unconfirmed { message } | Outcome::NotInForce { message } => {
                Effect::Unknown(Refusal { reason: reasons::WRITE_UNCONFIRMED, message })
            }
            Outcome::InSync { .. } | Outcome::Suspended | Outcome::Ended { .. } => Effect::Nothing,
        },
    };
    match effect {
        Effect::Changes { plan, .. } if contract.spec.suspend => left(SUSPENDED, plan.changes),
        Effect::Nothing if contract.spec.suspend && was.is_some_and(|was| !was.spec.suspend) => {
            left(SUSPENDED, Vec::new())
        }
        Effect::Nothing if is_observed(contract) && was.is_some_and(|was| !is_observed(was)) => {
            left(OBSERVED, Vec::new())
        }
        effect => effect,
    }
}

/// Tells apart, in what a reconciliation would do, what a change of files does from what it would undo: `change` is what the
/// change does where what the files said before is billed.
#[must_use]
pub fn told_apart(effect: Effect, change: &Effect) -> Effect {
    let Effect::Changes { plan, waits, .. } = effect else { return effect };
    let changes: &[Change] = match change {
        Effect::Changes { plan, .. } => &plan.changes,
        Effect::Nothing => &[],
        // Nothing is known of what was billed.
        _ => return Effect::Changes { plan, waits, undone: Vec::new() },
    };
    let is_same = |one: &str, other: &str| covers(one, other) || covers(other, one);
    let is_undone = |found: &&Change| !changes.iter().any(|change| is_same(&change.path, &found.path));
    let undone = plan.changes.iter().filter(is_undone).cloned().collect();
    Effect::Changes { plan, waits, undone }
}

/// How what a contract's resource holds ends when the resource goes; nothing where it stays as it is.
#[must_use]
pub fn end_of_contract(contract: &BillingContract) -> Option<Goal> {
    let mut held = contract.clone();
    if deletion::contract_needs_finalizer(&held) {
        held.metadata.finalizers.get_or_insert_default().push(FINALIZER.to_owned());
    }
    match deletion::of_contract(&held) {
        Deletion::End(goal) => Some(goal),
        Deletion::NotOurs | Deletion::Release => None,
    }
}

/// The same for a package.
#[must_use]
pub fn end_of_package(package: &ContractPackage) -> Option<Goal> {
    let mut held = package.clone();
    if deletion::package_needs_finalizer(&held) {
        held.metadata.finalizers.get_or_insert_default().push(PACKAGE_FINALIZER.to_owned());
    }
    match deletion::of_package(&held) {
        Deletion::End(goal) => Some(goal),
        Deletion::NotOurs | Deletion::Release => None,
    }
}

/// Why something stays whose resource is gone, and another one means the same customer.
pub const TAKEN_UP: &str =
    "the resource is gone, and what it holds is left to a new one of the same customer";

/// Why something stays that has no resource any more.
pub const ORPHANED: &str = "the resource is gone, and by its `deletionPolicy` what it holds stays as it is";

fn change<F: Facts>(before: Option<&Side<'_>>, after: Option<&Side<'_>>, now: DateTime<Utc>) -> Effect {
    let known = match before.map(|side| known::<F>(side, now)).transpose() {
        Ok(known) => known,
        Err(refusal) => return Effect::Refused(refusal),
    };
    let (facts, recorded, snapshot) = known.unwrap_or_else(|| (F::default(), Recorded::default(), None));
    let value = snapshot.map(|snapshot| snapshot.committed_value).unwrap_or_default();
    let left = |why, changes| Effect::Left { why, changes, value: value.clone() };
    let (side, goal) = match (before, after) {
        (_, Some(after)) => {
            if before.is_none() && after.contract.spec.adopt.is_some() {
                return Effect::Open(
                    "it adopts a contract that exists: what it changes, only the billing API can tell",
                );
            }
            (after, Goal::InForce)
        }
        (Some(before), None) => match end_of_contract(before.contract) {
            Some(goal) => (before, goal),
            None => return left(ORPHANED, Vec::new()),
        },
        (None, None) => return Effect::Nothing,
    };
    let planner = match F::planner(side) {
        Ok(planner) => planner,
        Err(refusal) => return Effect::Refused(refusal),
    };
    let demands = side.account.map(Demands::of).unwrap_or_default();
    let policy = Policy::of(side.contract).under(demands, Sayings::default());
    let ran = run(F::API, planner, goal, recorded, policy, now, |need| facts.told(need, side));
    of_contract(ran, side.contract, before.map(|side| side.contract), &value)
}

fn take_up<F: Facts>(former: &Side<'_>, after: &Side<'_>, now: DateTime<Utc>) -> Effect {
    let known = known::<F>(former, now).and_then(|(facts, ..)| Ok((facts, F::planner(after)?)));
    let (facts, planner) = match known {
        Ok(known) => known,
        Err(refusal) => return Effect::Refused(refusal),
    };
    let demands = after.account.map(Demands::of).unwrap_or_default();
    let policy = Policy::of(after.contract).under(demands, Sayings::default());
    let ran =
        run(F::API, planner, Goal::InForce, Recorded::default(), policy, now, |need| facts.told(need, after));
    of_contract(ran, after.contract, None, &[])
}

/// What the operator would have on record of a contract that it holds, once it has carried out what the files said before:
/// `seen` is what is billed now.
#[must_use]
pub fn remembered(
    side: &Side<'_>,
    seen: ContractSnapshot,
    account: &str,
    now: DateTime<Utc>,
) -> BillingContractStatus {
    let digest = spec_digest(side, now);
    let time = Timestamp::whole_seconds(now);
    let applied = |spec_digest| LastApplied { spec_digest, observed_digest: seen.digest.clone(), time };
    BillingContractStatus {
        observed_generation: side.contract.metadata.generation,
        account: Some(account.to_owned()),
        last_applied: digest.map(applied),
        contract_id: Some(seen.contract_id),
        items: seen.items,
        set_fields: seen.set_fields,
        state: Some(seen.state),
        term: seen.term,
        committed_value: seen.committed_value,
        ..BillingContractStatus::default()
    }
}

/// What is billed and on record when one side has been carried out.
fn known<F: Facts>(
    side: &Side<'_>,
    now: DateTime<Utc>,
) -> Result<(F, Recorded, Option<ContractSnapshot>), Refusal> {
    let adopted = side.contract.spec.adopt.as_ref().map(|adopt| adopt.contract_id.clone());
    let id = adopted.unwrap_or_else(|| side.contract.name_any());
    let facts = F::of(side, &id)?;
    let planner = F::planner(side)?;
    let mut recorded =
        Recorded { contract_id: Some(id), applied_spec: planner.digest().cloned(), ..Recorded::default() };
    let policy = Policy { ignore: side.contract.spec.ignore_drift.clone(), ..Policy::default() };
    match run(F::API, planner, Goal::InForce, recorded.clone(), policy, now, |need| facts.told(need, side)) {
        Ran::Ended(Outcome::InSync { spec_digest, .. }, snapshot) => {
            recorded.applied_spec = spec_digest;
            if let Some(snapshot) = &snapshot {
                recorded.state = Some(snapshot.state.clone());
                recorded.set = SetTerms::of(&snapshot.set_fields);
                recorded.items =
                    snapshot.items.iter().map(|item| (item.key.clone(), item.id.clone())).collect();
            } else {
                recorded.state = facts.unseen_state();
            }
            Ok((facts, recorded, snapshot))
        }
        Ran::Ended(Outcome::Refused { refusal, .. }, _) => {
            let message = format!("What the files said before could not be planned: {}", refusal.message);
            Err(Refusal { message, ..refusal })
        }
        // Nothing is made of the difference: whatever is in the way is told by the side that is to come.
        _ => Ok((facts, recorded, None)),
    }
}

/// Digest of the terms that files say, as a status has it once they are in force. A customer goes by what they call it.
fn spec_digest(side: &Side<'_>, now: DateTime<Utc>) -> Option<Digest> {
    fn of<F: Facts>(side: &Side<'_>, now: DateTime<Utc>) -> Option<Digest> {
        known::<F>(side, now).ok()?.1.applied_spec
    }
    match side.contract.spec.api()? {
        Api::Zoo => of::<zoo::Billed>(side, now),
        Api::Metronome => of::<metronome::Billed>(side, now),
        #[cfg(feature = "fake")]
        Api::Fake => None,
    }
}

/// Whether what files say of a contract was in force, by its status in a cluster: only then has somebody changed what billing
/// says otherwise. Where that cannot be told, it was if anything was.
#[must_use]
pub fn was_in_force(side: &Side<'_>, status: &BillingContractStatus, now: DateTime<Utc>) -> bool {
    let Some(applied) = &status.last_applied else { return false };
    let mut contract = side.contract.clone();
    if let (Some(terms), Some(id)) = (&mut contract.spec.metronome, &status.customer_id)
        && terms.customer_alias.take().is_some()
    {
        terms.customer_id = Some(id.as_str().into());
    }
    let digest = spec_digest(&Side { contract: &contract, ..*side }, now);
    digest.is_none_or(|digest| digest == applied.spec_digest)
}

/// Runs the protocol up to the first write, on facts that are known.
fn run<P: Planner>(
    api: Api,
    planner: P,
    goal: Goal,
    recorded: Recorded,
    policy: Policy,
    now: DateTime<Utc>,
    told: impl Fn(&P::Need) -> Option<Value>,
) -> Ran<P::Snapshot> {
    let mut reconciliation = Reconciliation::new(api, planner, goal, recorded, policy);
    loop {
        match reconciliation.next(now) {
            Step::Read(need) => {
                let told = told(&need);
                reconciliation.told(&need, Ok(told), now);
            }
            Step::Confirm | Step::Announce(_) | Step::Send(_) => {
                if let Some(plan) = reconciliation.foreseen(now) {
                    return Ran::Planned { plan, seen: reconciliation.seen(now) };
                }
            }
            Step::Withdraw => reconciliation.withdrawn(),
            Step::Done(result) => return Ran::Ended(result.outcome, result.snapshot),
        }
    }
}

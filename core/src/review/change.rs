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
        Api, ContractPackage, FINALIZER, PACKAGE_FINALIZER,
        contract::{Amount, ManagementPolicy},
        package::Lifecycle,
        provider::BillingProviderSpec,
    },
    plan::{
        Change, ContractSnapshot, Demands, Plan, Planner, Policy, Recorded, Refusal, Sayings, SetTerms,
        facts::Facts, metronome, package, zoo,
    },
    protocol::{
        Goal, Outcome, Reconciliation, Step,
        deletion::{self, Deletion},
    },
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
}

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
        (None, Some(before)) => {
            let mut held = before.clone();
            if deletion::package_needs_finalizer(&held) {
                held.metadata.finalizers.get_or_insert_default().push(PACKAGE_FINALIZER.to_owned());
            }
            match deletion::of_package(&held) {
                Deletion::End(goal) => goal,
                Deletion::NotOurs | Deletion::Release => {
                    return Effect::Left { why: ORPHANED, changes: Vec::new(), value: Vec::new() };
                }
            }
        }
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
    match ran {
        Ran::Planned(plan) => Effect::Changes { plan, waits: false },
        Ran::Ended(Outcome::Refused { refusal, .. }, _) => Effect::Refused(refusal),
        Ran::Ended(Outcome::Waiting { reason, message }, _) => Effect::Refused(Refusal { reason, message }),
        Ran::Ended(..) => Effect::Nothing,
    }
}

/// Why something stays that has no resource any more.
const ORPHANED: &str = "the resource is gone, and by its `deletionPolicy` what it holds stays as it is";

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
        (Some(before), None) => {
            let mut held = before.contract.clone();
            if deletion::contract_needs_finalizer(&held) {
                held.metadata.finalizers.get_or_insert_default().push(FINALIZER.to_owned());
            }
            match deletion::of_contract(&held) {
                Deletion::End(goal) => (before, goal),
                Deletion::NotOurs | Deletion::Release => {
                    return left(ORPHANED, Vec::new());
                }
            }
        }
        (None, None) => return Effect::Nothing,
    };
    let planner = match F::planner(side) {
        Ok(planner) => planner,
        Err(refusal) => return Effect::Refused(refusal),
    };
    let demands = side.account.map(Demands::of).unwrap_or_default();
    let policy = Policy::of(side.contract).under(demands, Sayings::default());
    let effect = match run(F::API, planner, goal, recorded, policy, now, |need| facts.told(need, side)) {
        Ran::Planned(plan) => Effect::Changes { plan, waits: false },
        Ran::Ended(outcome, _) => match outcome {
            Outcome::AwaitingApproval(plan) => Effect::Changes { plan, waits: true },
            Outcome::Drifted { changes } => left("its policy is to look only", changes),
            Outcome::Refused { refusal, .. } => Effect::Refused(refusal),
            Outcome::Waiting { .. } if side.contract.spec.management_policy == ManagementPolicy::Observe => {
                left("its policy is to look only", Vec::new())
            }
            Outcome::Waiting { reason, message } => Effect::Refused(Refusal { reason, message }),
            _ => Effect::Nothing,
        },
    };
    match effect {
        Effect::Changes { plan, .. } if side.contract.spec.suspend => left("it is suspended", plan.changes),
        effect => effect,
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

/// How a reconciliation without the billing API went.
enum Ran<S> {
    /// It would write this.
    Planned(Plan),
    /// It came to this by reading alone.
    Ended(Outcome, Option<S>),
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
            Step::Send(_) => {
                if let Some(plan) = reconciliation.plan() {
                    return Ran::Planned(plan.clone());
                }
            }
            Step::Done(result) => return Ran::Ended(result.outcome, result.snapshot),
        }
    }
}

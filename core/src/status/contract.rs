//! The status of a contract, and the event that a reconcile is worth.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::Value;

use super::{ConditionUpdate, EventRecord, Ready, Summary, conditions};
use crate::{
    api::{
        BillingContract, BillingContractStatus,
        contract::{Amount, LastApplied, PlanStatus, UnconfirmedWrite, UsedPackage},
        reasons::{self, DRIFTED, READY, RECONCILING, Reason, STALLED},
        requested_at,
    },
    plan::{Change, ContractSnapshot, Plan, is_sticky, render},
    protocol::{Outcome, ReconcileResult, deletion},
    terms::{Digest, Timestamp},
};

/// Most differences that `status.drift` lists.
const MAX_DRIFT: usize = 20;
/// Most bytes of the summary of a plan that waits.
const MAX_PLAN: usize = 16_000;
/// Most lines of a plan that waits.
const MAX_LINES: usize = 100;
/// Most sums that `status.committed` shows.
const MOST_SUMS: usize = 3;
/// How many failed reads in a row a contract that is ready stays ready for.
const TOLERATED_FAILURES: u32 = 2;

/// What to do about items in billing that the spec does not say.
const UNSAID: &str = ". What is in billing and not in the spec is kept by writing it into the spec, and taken out by taking it \
                      out of the spec again or in billing; `spec.ignoreDrift` leaves it unsaid";

/// What a reconcile of a contract came to.
pub type ContractResult = ReconcileResult<ContractSnapshot>;

/// The status of a contract after a reconcile; what is known of the contract then came from `package`, if any.
#[must_use]
pub fn status(
    contract: &BillingContract,
    result: &ContractResult,
    package: Option<&UsedPackage>,
    now: DateTime<Utc>,
) -> BillingContractStatus {
    let previous = contract.status.clone().unwrap_or_default();
    let generation = contract.metadata.generation;
    let mut status = previous.clone();
    status.observed_generation = generation;
    status.last_handled_reconcile_at = requested_at(&contract.metadata);
    if result.outcome == Outcome::Suspended {
        suspend(&mut status, contract, now);
        return status;
    }
    record(&mut status, result, package);
    if let Some(begun) = &result.begun {
        status.applied_plan = Some(begun.clone());
    }
    if result.sent.is_some() {
        status.last_write_at = Some(Timestamp::whole_seconds(now));
    }
    let mut drifted = None;
    let mut summary = match &result.outcome {
        Outcome::InSync { spec_digest, applied } => {
            status.last_applied = last_applied(&previous, result, spec_digest.as_ref(), now);
            // A plan that waited, or was sent by a process that ended before it could say so, is over with the difference:
            // whoever approved it has not approved it for another day.
            let over = previous.plan.as_ref().filter(|_| !is_moved(&previous, result));
            let spent = applied.last().map(|plan| &plan.digest).or(over.map(|plan| &plan.digest));
            if let Some(digest) = spent {
                status.applied_plan = Some(digest.clone());
            }
            status.plan = None;
            status.drift.clear();
            drifted = Some((false, reasons::IN_SYNC, String::new()));
            let is_unseen =
                result.snapshot.as_ref().map_or(applied.is_empty(), |snapshot| !snapshot.is_shown);
            let message = if is_unseen {
                "The billing API does not show contracts in this state; it was written as the spec says."
            } else {
                "The billing API says what the spec says."
            };
            Summary::ready(reasons::IN_SYNC, message)
        }
        Outcome::Drifted { changes } => {
            status.plan = None;
            status.drift = drift_lines(changes);
            let text = render::drift(changes);
            drifted = Some((true, reasons::DRIFT_DETECTED, text.clone()));
            let unsaid = if changes.iter().any(is_unsaid) { UNSAID } else { "" };
            let message = format!("Differences are only reported, not corrected: {text}{unsaid}");
            Summary::ready(reasons::DRIFT_REPORTED, message)
        }
        Outcome::AwaitingApproval(plan) => {
            status.plan = Some(plan_status(plan));
            awaiting(plan)
        }
        Outcome::Unconfirmed { message } => Summary::waiting(reasons::WRITE_UNCONFIRMED, message),
        Outcome::NotInForce { message } => Summary::waiting(reasons::NOT_YET_IN_FORCE, message),
        Outcome::Waiting { reason, message } => Summary::waiting(*reason, message),
        Outcome::Refused { refusal, blocked_plan } => {
            let kept = || previous.plan.clone().filter(|_| is_sticky(refusal.reason));
            status.plan = blocked_plan.as_ref().map(plan_status).or_else(kept);
            Summary::stalled(refusal.reason, &refusal.message)
        }
        Outcome::Suspended => return status,
        Outcome::Ended { .. } if result.write.is_some() => Summary::waiting(
            reasons::ENDED,
            "Nothing is left to end in billing. A write whose reply did not come may still be carried out, so it is looked \
             at once more before the resource goes.",
        ),
        Outcome::Ended { .. } => {
            Summary::waiting(reasons::ENDED, "Nothing is left to end in billing; the resource may go.")
        }
    };
    if let (Outcome::Unconfirmed { .. } | Outcome::NotInForce { .. }, Some(plan)) =
        (&result.outcome, approved(result))
    {
        status.plan = Some(plan_status(plan));
    }
    if !matches!(result.outcome, Outcome::Ended { .. }) {
        summary.message = deletion::told(contract, &summary.message);
    }
    let update = drifted.map(|(holds, reason, message)| ConditionUpdate {
        type_: DRIFTED,
        holds: Some(holds),
        reason,
        message,
    });
    status.conditions = conditions(&previous.conditions, &summary, update.as_slice(), generation, now);
    status
}

/// Plans whose approvals count no more once this status is written: what was carried out last or begun unseen, and what
/// somebody approved and is in force, or was followed by what somebody approved after it.
#[must_use]
pub fn spent(
    contract: &BillingContract,
    status: &BillingContractStatus,
    result: &ContractResult,
) -> Vec<Digest> {
    let before = contract.status.as_ref().and_then(|before| before.last_approval.as_ref());
    let last = status.last_approval.as_ref();
    let is_in_force = matches!(result.outcome, Outcome::InSync { .. });
    let followed = before.filter(|before| last.is_some_and(|last| last.digest != before.digest));
    let approved = last.filter(|_| is_in_force).into_iter().chain(followed);
    let applied = status.applied_plan.iter().chain(&result.begun);
    applied.chain(approved.map(|approval| &approval.digest)).cloned().collect()
}

/// Whether a contract that is ready may stay so through a short failure of the billing API, as its last words are still
/// true as far as anybody knows.
#[must_use]
pub fn is_tolerated(contract: &BillingContract, result: &ContractResult, failures: u32) -> bool {
    let Some(status) = &contract.status else { return false };
    let is_short = matches!(
        result.outcome,
        Outcome::Waiting {
            reason: reasons::BILLING_UNREACHABLE | reasons::THROTTLED | reasons::HELD_CONTRACT_MISSING,
            ..
        }
    );
    is_short
        && result.write.is_none()
        && !is_moved(status, result)
        && status.conditions.iter().any(|condition| condition.type_ == READY && condition.status == "True")
        && status.observed_generation == contract.metadata.generation
        && failures < TOLERATED_FAILURES
}

/// The event that a reconcile is worth, given the status before it.
#[must_use]
pub fn event(contract: &BillingContract, result: &ContractResult) -> Option<EventRecord> {
    let previous = contract.status.clone().unwrap_or_default();
    if is_moved(&previous, result) {
        return Some(moved(contract, &previous, result));
    }
    let was_stalled = |reason: Reason, message: &str| {
        let same = |c: &Condition| {
            c.type_ == STALLED && c.status == "True" && c.reason == reason.as_str() && c.message == message
        };
        previous.observed_generation == contract.metadata.generation && previous.conditions.iter().any(same)
    };
    match &result.outcome {
        Outcome::InSync { applied, .. } if !applied.is_empty() => {
            Some(EventRecord::normal(reasons::APPLIED, told_of(applied)).about(&changes(applied)))
        }
        Outcome::InSync { .. } if previous.contract_id.is_none() => {
            let snapshot = result.snapshot.as_ref()?;
            let message =
                format!("Contract {} says what the spec says; nothing was written.", snapshot.contract_id);
            Some(EventRecord::normal(reasons::FOUND, message))
        }
        Outcome::Drifted { changes } if previous.drift != drift_lines(changes) => {
            let all: Vec<_> = changes.iter().collect();
            Some(EventRecord::warning(reasons::DRIFTED_OUTSIDE, render::drift(changes)).about(&all))
        }
        Outcome::AwaitingApproval(plan)
            if previous.plan.as_ref().is_none_or(|before| before.digest != plan.digest) =>
        {
            let all: Vec<_> = plan.changes.iter().collect();
            Some(EventRecord::normal(reasons::AWAITING_APPROVAL, plan.summary()).about(&all))
        }
        Outcome::Refused { refusal, .. } => {
            let message = deletion::told(contract, &refusal.message);
            (!was_stalled(refusal.reason, &message)).then(|| EventRecord::warning(refusal.reason, message))
        }
        Outcome::Ended { applied } if !applied.is_empty() => {
            Some(EventRecord::normal(reasons::ENDED, told_of(applied)).about(&changes(applied)))
        }
        _ => None,
    }
}

fn changes(plans: &[Plan]) -> Vec<&Change> {
    plans.iter().flat_map(|plan| &plan.changes).collect()
}

/// What was written, and by whose leave.
fn told_of(plans: &[Plan]) -> String {
    let told = |plan: &Plan| match &plan.consent.given {
        Some(approval) => format!("[{approval}] {}", plan.summary()),
        None => plan.summary(),
    };
    plans.iter().map(told).collect::<Vec<_>>().join("; ")
}

/// The plan that this pass has sent, where somebody approved it.
fn approved(result: &ContractResult) -> Option<&Plan> {
    result.sent.as_ref().filter(|plan| plan.consent.given.is_some())
}

/// Whether the result speaks of another account than the status does.
fn is_moved(status: &BillingContractStatus, result: &ContractResult) -> bool {
    status.account.is_some() && result.account.is_some() && status.account != result.account
}

/// The event of a contract whose provider means another account now, where everything begins anew.
fn moved(
    contract: &BillingContract,
    previous: &BillingContractStatus,
    result: &ContractResult,
) -> EventRecord {
    let mut anew = contract.clone();
    anew.status = None;
    let account = |account: &Option<String>| account.clone().unwrap_or_default();
    let story = format!(
        "The account is {} now and was {}; the contract was looked up there as a new one.",
        account(&result.account),
        account(&previous.account)
    );
    match event(&anew, result) {
        Some(record) => record.after(&story),
        None => EventRecord::warning(reasons::ACCOUNT_CHANGED, story),
    }
}

/// Nothing is looked at. The last word stays only while it was said of the spec as it is: of anything else nobody knows
/// whether billing says it.
fn suspend(status: &mut BillingContractStatus, contract: &BillingContract, now: DateTime<Utc>) {
    let generation = contract.metadata.generation;
    let is_deleted = contract.metadata.deletion_timestamp.is_some();
    status.conditions.retain(|condition| !matches!(condition.type_.as_str(), RECONCILING | STALLED));
    let mut compared = status.conditions.iter().filter(|condition| condition.type_ == READY);
    if !is_deleted && compared.any(|ready| ready.observed_generation == generation) {
        return;
    }
    let message = if is_deleted {
        "The contract is suspended, so nothing is ended. To end it, take `spec.suspend` away."
    } else {
        "The contract is suspended: nothing is read or written, and what the spec says was not compared with billing."
    };
    let summary = Summary {
        ready: Ready::Unknown,
        reason: reasons::SUSPENDED,
        message: deletion::told(contract, message),
        abnormal: None,
    };
    status.conditions = conditions(&status.conditions, &summary, &[], generation, now);
}

/// The last state in which spec and billing API agreed; it keeps its time for as long as that state stays the same.
fn last_applied(
    previous: &BillingContractStatus,
    result: &ContractResult,
    spec_digest: Option<&Digest>,
    now: DateTime<Utc>,
) -> Option<LastApplied> {
    let before = previous.last_applied.as_ref();
    let Some(spec_digest) = spec_digest else { return before.cloned() };
    let same_spec = before.filter(|last| last.spec_digest == *spec_digest);
    let seen = result.snapshot.as_ref().map(|snapshot| &snapshot.digest);
    let observed_digest = seen.or(same_spec.map(|last| &last.observed_digest)).unwrap_or(spec_digest);
    match same_spec.filter(|last| last.observed_digest == *observed_digest) {
        Some(last) => Some(last.clone()),
        None => Some(LastApplied {
            spec_digest: spec_digest.clone(),
            observed_digest: observed_digest.clone(),
            time: Timestamp::whole_seconds(now),
        }),
    }
}

fn awaiting(plan: &Plan) -> Summary {
    let message =
        format!("{}To carry the plan out, {}: {}", plan.notes(), plan.how_to_approve(), plan.summary());
    Summary {
        abnormal: Some((RECONCILING, reasons::AWAITING_APPROVAL)),
        ..Summary::waiting(reasons::AWAITING_APPROVAL, message)
    }
}

/// Puts on record what is known now. An outcome that knows nothing of the contract takes nothing away.
fn record(status: &mut BillingContractStatus, result: &ContractResult, package: Option<&UsedPackage>) {
    if is_moved(status, result) {
        // What is known of one account means nothing in another.
        *status = BillingContractStatus {
            conditions: std::mem::take(&mut status.conditions),
            observed_generation: status.observed_generation,
            last_handled_reconcile_at: status.last_handled_reconcile_at.take(),
            account: result.account.clone(),
            ..BillingContractStatus::default()
        };
    }
    if let Some(approval) = approved(result).and_then(|plan| plan.consent.given.as_deref()) {
        status.last_approval = Some(approval.clone());
    }
    if let Some(id) = &result.created_id {
        status.contract_id = Some(id.clone());
        status.customer_id.clone_from(&result.customer_id);
    }
    let is_compared = matches!(
        result.outcome,
        Outcome::InSync { .. } | Outcome::Drifted { .. } | Outcome::NotInForce { .. }
    );
    if is_compared || result.snapshot.is_some() {
        status.customer_id.clone_from(&result.customer_id);
        status.package = package.cloned();
    }
    if let Some(snapshot) = &result.snapshot {
        status.contract_id = Some(snapshot.contract_id.clone());
        status.account_id.clone_from(&snapshot.account_id);
        status.items.clone_from(&snapshot.items);
        status.set_fields.clone_from(&snapshot.set_fields);
        status.renews.clone_from(&snapshot.renews);
        status.renewed_by.clone_from(&snapshot.renewed_by);
        status.state = Some(snapshot.state.clone());
        status.term.clone_from(&snapshot.term);
        status.committed_value.clone_from(&snapshot.committed_value);
        status.committed = committed(&snapshot.committed_value);
    }
    if result.snapshot.is_none() && !result.items.is_empty() {
        status.items.clone_from(&result.items);
    }
    if is_compared || result.snapshot.is_some() || result.created_id.is_some() || result.write.is_some() {
        status.account.clone_from(&result.account);
    }
    if let Some(write) = &result.write {
        status.unconfirmed_write = Some(kept(status.unconfirmed_write.as_ref(), write));
    } else if matches!(result.outcome, Outcome::InSync { .. } | Outcome::Drifted { .. }) {
        status.unconfirmed_write = None;
    }
}

/// Sums in a column of a table, which shows one text; nothing where there are none.
fn committed(sums: &[Amount]) -> Option<String> {
    let more = sums.len().saturating_sub(MOST_SUMS);
    let shown: Vec<_> = sums.iter().take(MOST_SUMS).map(ToString::to_string).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!sums.is_empty()).then(|| shown.join(", ") + &more)
}

/// A write as it is remembered: one that is on record already keeps its time, from which it is counted as late; once it was
/// taken, that of the first time that this was known.
pub(super) fn kept(before: Option<&UnconfirmedWrite>, write: &UnconfirmedWrite) -> UnconfirmedWrite {
    let same = |before: &&UnconfirmedWrite| {
        (&before.digest, &before.after_edit, before.taken) == (&write.digest, &write.after_edit, write.taken)
    };
    let same = before.filter(same);
    UnconfirmedWrite { time: same.map_or(write.time, |before| before.time), ..write.clone() }
}

fn plan_status(plan: &Plan) -> PlanStatus {
    PlanStatus {
        digest: plan.digest.clone(),
        changes: i32::try_from(plan.changes.len()).unwrap_or(i32::MAX),
        summary: render::summary_within(plan, MAX_PLAN),
        lines: render::lines_within(plan, MAX_LINES),
    }
}

fn drift_lines(changes: &[Change]) -> Vec<String> {
    render::drift_lines(changes, MAX_DRIFT)
}

/// Whether a difference is a whole item of a list that billing has and the spec does not say.
fn is_unsaid(change: &Change) -> bool {
    change.to.is_none()
        && change.from.as_ref().is_some_and(Value::is_object)
        && change.path.split('/').count() == 3
}

//! The end of a contract whose resource is deleted.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    Desired, ObservedContract,
    balances::{self, Endings},
    compare,
    draft::call,
    immutable::Remedy,
    next_hour,
    part::{Members, Part},
};
use crate::{
    api::{contract::DeletionPolicy, reasons},
    plan::{Call, CallKind, Change, Decision, Ending, MoneyEffect, Plan, Policy, Recorded, Refusal},
    terms::{Shape, Timestamp},
};

/// Path of the call that archives a contract.
pub(super) const ARCHIVE: &str = "v1/contracts/archive";
/// Shape of a truth value outside the terms.
static PLAIN: Shape = Shape::Plain;

/// Plans the end of a contract that was found to be the resource's; nothing when there is nothing to do: it is archived
/// or ends in time already, or is not the one that the resource holds. Harmless when repeated.
///
/// `End` sets the end date to `end_at`, or to the next full hour. One that has not begun by then has nothing to end in
/// good order, and is archived. `Cancel` archives at once; `void_invoices` says what becomes of invoices that are final.
///
/// # Errors
/// When the body cannot be written as JSON.
pub(super) fn end(
    observed: &ObservedContract,
    recorded: &Recorded,
    policy: DeletionPolicy,
    end_at: Option<Timestamp>,
    void_invoices: bool,
    now: DateTime<Utc>,
) -> Result<Option<Call>, Refusal> {
    let is_held = recorded.contract_id.as_ref().is_none_or(|id| *id == observed.contract_id);
    if observed.archived || !is_held {
        return Ok(None);
    }
    match policy {
        DeletionPolicy::Orphan => Ok(None),
        DeletionPolicy::Cancel => archive(observed, void_invoices).map(Some),
        DeletionPolicy::End => {
            let end = ends_at(end_at, now);
            if observed.ending_before.is_some_and(|set| set <= end) {
                Ok(None)
            } else if observed.starting_at >= end {
                archive(observed, void_invoices).map(Some)
            } else {
                update_end_date(observed, end).map(Some)
            }
        }
    }
}

/// When what is to end at a time, or as soon as it can, ends: at a full hour, as the API takes no other.
fn ends_at(end_at: Option<Timestamp>, now: DateTime<Utc>) -> Timestamp {
    let hour = |end: Timestamp| if end.is_full_hour() { end } else { next_hour(end.0) };
    end_at.map_or_else(|| next_hour(now), |end| hour(end).max(next_hour(now)))
}

/// What keeps a contract from being ended that nothing on record shows to be the resource's, and that only its key leads to:
/// its stamp names another owner, or it says what no edit changes otherwise than the spec, so that this spec has not made it.
/// One before it may have, where the process ended before it could say so; then the resource stays and says why.
pub(super) fn unproven(
    desired: &Desired,
    observed: &ObservedContract,
    recorded: &Recorded,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Option<Decision> {
    if observed.other_owner(desired).is_some() {
        return Some(Decision::InSync);
    }
    let may_have_sent = recorded.unconfirmed.is_some() || !recorded.lost.is_empty();
    if may_have_sent || observed.is_stamped(desired) {
        return None;
    }
    let differs = fixed_differences(desired, observed, recorded, policy, now);
    let first = differs.first()?;
    if !recorded.had_another_spec {
        return Some(Decision::InSync);
    }
    Some(Decision::refuse(
        reasons::OWNERSHIP_UNPROVEN,
        format!(
            "Nothing was written: contract {} has the key of this resource and differs from its spec in what no edit changes \
             ({first}), and nothing on record shows that this resource made it from an earlier spec. If it did, end the contract in \
             billing, or by a new resource that takes it over, and let this one go.",
            observed.contract_id
        ),
    ))
}

/// Places at which a contract differs from the spec and that only another contract could change.
fn fixed_differences(
    desired: &Desired,
    observed: &ObservedContract,
    recorded: &Recorded,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Vec<String> {
    let (within, shown) = (desired.within(observed, recorded), observed.once_ended(desired, recorded));
    let draft = compare::compare(&within, observed, &shown, recorded, policy, now);
    let fixed = draft.rejected.iter().filter(|(_, remedy)| *remedy == Remedy::Contract);
    fixed.map(|(change, _)| change.path.clone()).collect()
}

/// Decides how a contract comes to its end, under the same policies as any other write.
pub(super) fn plan(
    observed: &ObservedContract,
    recorded: &Recorded,
    policy: &Policy,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Decision {
    let Ending { policy: deletion, end_at, void_invoices } = *ending;
    let call = match end(observed, recorded, deletion, end_at, void_invoices, now) {
        Ok(call) => call,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    let beside = match beside(observed, recorded, deletion, end_at, now) {
        Ok(beside) => beside,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    if call.is_none() && beside.calls.is_empty() {
        return Decision::InSync;
    }
    let to = match &call {
        Some(call) if call.path == ARCHIVE => json!("archived"),
        Some(_) => {
            // One that is over by then comes to the same as none.
            let end = ends_at(end_at, now);
            let is_next = end == next_hour(now);
            json!(if is_next { "ends at the next full hour".to_owned() } else { format!("ends {end}") })
        }
        None => json!("stays as it is"),
    };
    let change = Change::new(
        format!("contract {}", observed.contract_id),
        Some(json!(observed.state)),
        Some(to.clone()),
    );
    let changes = call.is_some().then_some(change).into_iter().chain(beside.changes).collect();
    let calls = call.into_iter().chain(beside.calls).collect();
    // Without a date of its own the plan stays the same from hour to hour, so that it can be approved.
    let wanted = json!([observed.contract_id, to, void_invoices]);
    Plan::new(&observed.terms, &wanted, changes, MoneyEffect::default(), calls).under(policy, recorded, false)
}

/// Ends what the resource has made beside the contract, at the same time: there is no call that archives it.
///
/// # Errors
/// When the API does not end all of it.
fn beside(
    observed: &ObservedContract,
    recorded: &Recorded,
    policy: DeletionPolicy,
    end_at: Option<Timestamp>,
    now: DateTime<Utc>,
) -> Result<Endings, Refusal> {
    let is_held = recorded.contract_id.as_ref().is_none_or(|id| *id == observed.contract_id);
    let at = match policy {
        DeletionPolicy::Orphan => return Ok(Endings::default()),
        DeletionPolicy::Cancel => next_hour(now),
        DeletionPolicy::End => ends_at(end_at, now),
    };
    if !is_held {
        return Ok(Endings::default());
    }
    let endings = balances::end_all(observed, recorded, at)?;
    if endings.without_end.is_empty() {
        return Ok(endings);
    }
    Err(Refusal {
        reason: reasons::IMMUTABLE_FIELD,
        message: format!(
            "Nothing was written: the API ends no POSTPAID commit of a customer that has begun: {}. Ways out: end it in \
             billing; or set `spec.deletionPolicy: Orphan`, which leaves everything as it is",
            endings.without_end.join(", ")
        ),
    })
}

fn update_end_date(observed: &ObservedContract, end: Timestamp) -> Result<Call, Refusal> {
    let body = Members::from([
        ("contract_id", Part::text(&observed.contract_id)),
        ("customer_id", Part::text(&observed.customer_id)),
        ("ending_before", Part::time(end)),
    ]);
    call(CallKind::Other, "v1/contracts/updateEndDate", &body)
}

fn archive(observed: &ObservedContract, void_invoices: bool) -> Result<Call, Refusal> {
    let body = Members::from([
        ("contract_id", Part::text(&observed.contract_id)),
        ("customer_id", Part::text(&observed.customer_id)),
        ("void_invoices", Part::Terms(&PLAIN, void_invoices.into())),
    ]);
    call(CallKind::Other, ARCHIVE, &body)
}

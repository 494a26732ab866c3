//! The end of a Zoo contract whose resource is deleted: a replace with another status.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Desired, ObservedContract, fingerprint, put, state, unseen};
use crate::{
    api::{contract::DeletionPolicy, reasons},
    plan::{Change, Decision, MoneyEffect, Plan, Policy, Recorded},
    terms::{Digest, zoo::ContractStatus},
};

/// Plans the end of what a resource holds; [`Decision::InSync`] when there is nothing to end.
///
/// Only what is shown to be this resource's is ended: the contract on record, or one that it sent. That a contract says
/// what the spec says is no proof. `GET` does not show a scheduled contract; its terms are those of the spec,
/// if they are still known, and it is ended only while nothing else stands in its place: a replace would close that.
pub(super) fn plan(
    organization_id: &str,
    desired: Option<&Desired>,
    shown: Option<&ObservedContract>,
    recorded: &Recorded,
    policy: &Policy,
    deletion: DeletionPolicy,
    now: DateTime<Utc>,
) -> Decision {
    let status = match deletion {
        DeletionPolicy::Orphan => return Decision::InSync,
        DeletionPolicy::End => ContractStatus::Closed,
        DeletionPolicy::Cancel => ContractStatus::Canceled,
    };
    let held = recorded.contract_id.as_deref();
    match (shown, desired, held) {
        (Some(observed), ..) if is_own(observed, recorded) => end(
            organization_id,
            &observed.contract_id,
            &observed.state,
            observed.terms.clone(),
            status,
            recorded,
            policy,
        ),
        (Some(observed), Some(desired), None) if desired.changes(&observed.terms, &[]).is_empty() => {
            unproven(observed, "says what the spec says")
        }
        // The operator may have been killed between a write and its record, and the spec have changed since.
        (Some(observed), _, None) if recorded.may_lack_a_write => {
            unproven(observed, "may have been made from the spec as it was before it was changed")
        }
        (None, Some(desired), Some(held)) if recorded.state.as_deref() == Some("scheduled") => {
            end(organization_id, held, "scheduled", desired.written.clone(), status, recorded, policy)
        }
        (None, _, Some(held)) if !is_over(organization_id, desired, recorded, now) => Decision::Wait(
            unseen::missing(held, "If it has ended by other means, the resource can be let go."),
        ),
        _ => Decision::InSync,
    }
}

/// Plans the end of a contract with these terms.
fn end(
    organization_id: &str,
    contract: &str,
    state: &str,
    mut terms: Value,
    status: ContractStatus,
    recorded: &Recorded,
    policy: &Policy,
) -> Decision {
    if json!(status) == json!(state) || matches!(state, "closed" | "canceled") {
        return Decision::InSync;
    }
    let observed = terms.clone();
    if let Some(terms) = terms.as_object_mut() {
        terms.insert("status".to_owned(), json!(status));
    }
    let change = Change::new(format!("contract {contract}"), Some(json!(state)), Some(json!(status)));
    match put(organization_id, &terms) {
        Ok(mut call) => {
            call.fingerprint = mark(organization_id, status);
            let plan = Plan::new(&observed, &terms, vec![change], MoneyEffect::default(), vec![call]);
            state::allows(plan.under(policy, recorded, false), (contract, state), true, status)
        }
        Err(refusal) => Decision::Refuse(refusal),
    }
}

fn is_own(observed: &ObservedContract, recorded: &Recorded) -> bool {
    recorded.contract_id.as_ref() == Some(&observed.contract_id)
        || recorded.may_have_sent(&fingerprint(&observed.terms))
}

/// Recognises an end that was sent: what it made of the organization's contract is not shown. It does not say which contract: what a
/// replace whose reply was lost had made of it may have had another ID than the one on record.
fn mark(organization_id: &str, status: ContractStatus) -> Digest {
    Digest::of(&json!(["end", organization_id, status]))
}

/// Whether it is known why a contract that is on record is not shown: it has ended.
fn is_over(
    organization_id: &str,
    desired: Option<&Desired>,
    recorded: &Recorded,
    now: DateTime<Utc>,
) -> bool {
    let in_force = desired.filter(|desired| recorded.applied_spec.as_ref() == Some(&desired.digest));
    in_force.is_some_and(|desired| desired.contract.term_end_at.0 <= now)
        || matches!(recorded.state.as_deref(), Some("closed" | "canceled"))
        || unseen::has_ended(recorded, now)
        || [ContractStatus::Closed, ContractStatus::Canceled]
            .into_iter()
            .any(|status| recorded.may_have_sent(&mark(organization_id, status)))
}

/// The refusal to end a contract that may be this resource's, as it would be if the operator had been killed right after it made
/// it, and nothing is on record.
fn unproven(observed: &ObservedContract, likeness: &str) -> Decision {
    let id = &observed.contract_id;
    Decision::refuse(
        reasons::OWNERSHIP_UNPROVEN,
        format!(
            "Nothing was written: contract {id} {likeness}, but nothing on record shows that this resource \
             made it. If it did, end the contract in billing, or by a new resource that takes it over, and let this one \
             go."
        ),
    )
}

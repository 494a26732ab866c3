//! The end of a Zoo contract whose resource is deleted: a replace with another status.

use serde_json::json;

use super::{Desired, ObservedContract, fingerprint, put};
use crate::{
    api::contract::DeletionPolicy,
    plan::{Change, Decision, MoneyEffect, Plan, Policy, Recorded},
    terms::zoo::ContractStatus,
};

/// Plans the end of what a resource holds; [`Decision::Settle`] when there is nothing to end.
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
) -> Decision {
    let status = match deletion {
        DeletionPolicy::Orphan => return Decision::Settle,
        DeletionPolicy::End => ContractStatus::Closed,
        DeletionPolicy::Cancel => ContractStatus::Canceled,
    };
    let was_scheduled = recorded.contract_id.is_some() && recorded.state.as_deref() == Some("scheduled");
    let (contract, state, mut terms) = match (shown, desired) {
        (Some(view), _) if is_own(view, recorded) => {
            (view.contract_id.as_str(), view.state.as_str(), view.terms.clone())
        }
        (None, Some(desired)) if was_scheduled => {
            (recorded.contract_id.as_deref().unwrap_or_default(), "scheduled", desired.written.clone())
        }
        _ => return Decision::Settle,
    };
    if json!(status) == json!(state) || matches!(state, "closed" | "canceled") {
        return Decision::Settle;
    }
    let observed = terms.clone();
    if let Some(terms) = terms.as_object_mut() {
        terms.insert("status".to_owned(), json!(status));
    }
    let change = Change::new(format!("contract {contract}"), Some(json!(state)), Some(json!(status)));
    match put(organization_id, &terms) {
        Ok(call) => Plan::new(&observed, &terms, vec![change], MoneyEffect::default(), vec![call])
            .under(policy, recorded, false),
        Err(refusal) => Decision::Refuse(refusal),
    }
}

fn is_own(view: &ObservedContract, recorded: &Recorded) -> bool {
    recorded.contract_id.as_ref() == Some(&view.contract_id)
        || recorded.sent() == Some(&fingerprint(&view.terms))
}

//! What follows the create of a contract, told before either is carried out.
//!
//! A create from a package takes little beside it, and none takes what lies beside the contract or waits for a payment; what
//! else the spec says follows. That is planned against what the create makes, so it is made up here from what the create
//! says. What only replies tell stands in angle brackets.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Desired, ObservedContract, observed::Ours, plan};
use crate::{
    plan::{Call, CallKind, Decision, Policy, Recorded},
    terms::json::parse_exact,
};

/// What stands for the ID of a contract that is not made yet.
const CONTRACT: &str = "<ID of the new contract>";
/// What stands for the key of an edit, which follows from the ID and what billing shows.
const KEY: &str = "<key of this edit>";

/// The writes that follow the create of a contract; none where the create takes all.
pub(super) fn writes(desired: &Desired, recorded: &Recorded, now: DateTime<Utc>) -> Vec<Call> {
    let Some(observed) = created(desired, now) else { return Vec::new() };
    let recorded =
        Recorded { contract_id: Some(observed.contract_id.clone()), applied_spec: None, ..recorded.clone() };
    // What was let through as a create is let through with what belongs to it.
    match plan(desired, Some(&observed), &recorded, &Policy::default(), now) {
        Decision::Write(plan) => plan.calls.into_iter().map(without_key).collect(),
        _ => Vec::new(),
    }
}

/// Whether all that is planned of a contract was shown along with its create. What billing makes otherwise of the create is
/// another matter, and was not.
pub(super) fn are_shown(
    calls: &[Call],
    desired: &Desired,
    observed: &ObservedContract,
    recorded: &Recorded,
    now: DateTime<Utc>,
) -> bool {
    // What is on record by now came with the create.
    let before = Recorded { account: recorded.account.clone(), ..Recorded::default() };
    let shown = writes(desired, &before, now);
    let (id, untold) =
        (Value::from(observed.contract_id.as_str()).to_string(), Value::from(CONTRACT).to_string());
    let is_shown = |call: &Call| {
        let call = without_key(call.clone());
        let body = call.body.replace(&id, &untold);
        shown.iter().any(|shown| (shown.kind, &shown.path, &shown.body) == (call.kind, &call.path, &body))
    };
    calls.iter().all(is_shown)
}

/// The contract as a read shows it once it is made.
fn created(desired: &Desired, now: DateTime<Utc>) -> Option<ObservedContract> {
    let shown = desired.shown_as_created(CONTRACT).ok()?;
    let mut observed = ObservedContract::read(&shown.contract, now).ok()?;
    observed.merge_v1(&shown.legacy);
    (observed.last_edit, observed.ours) = (Some(String::new()), Some(Ours::default()));
    Some(observed)
}

fn without_key(call: Call) -> Call {
    if call.kind != CallKind::Edit {
        return call;
    }
    let sent = parse_exact(&call.body).unwrap_or_default();
    match sent.get("uniqueness_key").and_then(Value::as_str) {
        Some(key) => Call { body: call.body.replace(key, KEY), ..call },
        None => call,
    }
}

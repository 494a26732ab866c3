//! What the state of a contract, or of one of its periods, keeps a replace from.

use serde_json::{Value, json};

use super::ObservedContract;
use crate::{
    api::reasons,
    plan::{
        Decision,
        diff::{Change, covers},
    },
    terms::{Shape, zoo::ContractStatus, zoo::SHAPE},
};

/// The decision, where the state in which the contract is shown allows it. What was ended, by whomever, is changed or opened
/// again only when somebody says that this is meant; and so is what is in a state that this version does not know, as nobody
/// can tell what a replace makes of that. `wanted` is the state that the plan would put
/// there; `is_own` says that a write of this resource made the contract what it is.
pub(super) fn allows(
    decision: Decision,
    (contract_id, state): (&str, &str),
    is_own: bool,
    wanted: ContractStatus,
) -> Decision {
    let Decision::Write(plan) = &decision else { return decision };
    if plan.consent.given.is_some() {
        return decision;
    }
    let has_ended = matches!(state, "closed" | "canceled");
    let (reason, why) = if !is_known(&SHAPE, state) {
        let why = format!(
            "a state that this version of Countersign does not know, so that nobody can tell what a replace by `{wanted}` would \
             make of it. It is looked at again. Bring it into another state in billing, or use a version that knows this one"
        );
        (reasons::UNKNOWN_STATE, why)
    } else if has_ended && !is_own {
        let why = format!(
            "and a replace would change or open it again. Write `spec.zoo.status: {state}`, or delete the resource"
        );
        (reasons::TERM_OVER, why)
    } else {
        return decision;
    };
    Decision::refuse(
        reason,
        format!(
            "Nothing was written: contract {contract_id} is {state} in billing, {why}; or, if that is meant, {}: {}",
            plan.how_to_approve(),
            plan.summary()
        ),
    )
}

/// Whether this version knows a state of what has this shape: a contract, or a period.
fn is_known(shape: &Shape, state: &str) -> bool {
    matches!(shape.member("status"), Some(Shape::Enum(words)) if words.iter().any(|word| word == state))
}

/// Changes that a replace must not make, whoever asks for them.
pub(super) fn forbidden(
    status: ContractStatus,
    observed: &ObservedContract,
    changes: &[Change],
) -> Option<Decision> {
    let takes_out_of_force = matches!(status, ContractStatus::Draft | ContractStatus::Scheduled);
    if observed.state == "active" && takes_out_of_force {
        return Some(Decision::refuse(
            reasons::ACTIVE_NOT_REPLACED,
            format!(
                "Nothing was written: contract {} is active, and `spec.zoo.status: {}` would take it out of force. Set \
                 `status: active` to change it, or `closed` or `canceled` to end it first",
                observed.contract_id,
                json!(status).as_str().unwrap_or_default()
            ),
        ));
    }
    let mut periods = observed.terms.get("periods").and_then(Value::as_array).into_iter().flatten();
    periods.find_map(|period| forbidden_in(period, changes))
}

/// Changes that a replace must not make because of what one period is: closed, or in a state that this version does not know.
fn forbidden_in(period: &Value, changes: &[Change]) -> Option<Decision> {
    let index = period.get("periodIndex")?;
    let state = period.get("status")?.as_str().filter(|state| *state != "open")?;
    let is_known = matches!(SHAPE.member("periods"), Some(Shape::List { item, .. }) if is_known(item, state));
    let (reason, why) = if is_known {
        (reasons::PERIOD_CLOSED, format!("period {index} is {state}, and closed periods are read-only"))
    } else {
        let why =
            format!("period {index} is {state}, a state that this version of Countersign does not know");
        (reasons::UNKNOWN_STATE, why)
    };
    if let Some(change) = changes.iter().find(|change| change.path == "/currency") {
        let cure = "in another currency its amounts would be other ones. Restore `spec.zoo.currency`, and end this contract \
                    before another one begins";
        return Some(Decision::refuse(
            reason,
            format!("Nothing was written: {why}: {cure}. Difference: {change}"),
        ));
    }
    let pointer = format!("/periods/{index}");
    let change = changes.iter().find(|change| covers(&pointer, &change.path))?;
    let cure = "Restore its terms in the spec, or name the place in `spec.ignoreDrift`";
    Some(Decision::refuse(reason, format!("Nothing was written: {why}. {cure}. Difference: {change}")))
}

//! What to do where Zoo shows no contract of the organization: there is none, or it is in a state that is not shown, or it
//! should be there and is not.
//!
//! Absence needs proof. A replace on the word of one 404 would carry nothing over: it would open closed periods again,
//! and wipe rollovers, notes and the customer's number at the provider. So a contract that is on record and should be
//! shown is looked for again, and written anew only when somebody says that it is gone.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Desired, money, put};
use crate::{
    api::reasons,
    plan::{
        Change, Decision, Plan, Policy, Recorded, Refusal, ownership::nothing_to_adopt, snapshot::day,
        summarize,
    },
    terms::Timestamp,
};

/// Plans a contract of which nothing is shown.
pub(super) fn plan(
    desired: &Desired,
    recorded: &Recorded,
    policy: &Policy,
    applied: bool,
    now: DateTime<Utc>,
) -> Decision {
    if applied && !desired.contract.status.is_visible() {
        return Decision::InSync;
    }
    if let Some(held) = recorded.contract_id.as_deref().filter(|_| has_ended_begun(desired, recorded, now)) {
        return reopen(held, desired, recorded, policy, applied);
    }
    let held = recorded.contract_id.as_deref().filter(|_| !is_hidden(recorded));
    let Some(held) = held else { return create(&Value::Null, desired, recorded, policy, applied) };
    let ends_at = desired.contract.term_end_at;
    if ends_at.0 <= now {
        return if applied { Decision::InSync } else { Decision::Refuse(over(held, &ends_at.to_string())) };
    }
    // Nothing that was approved before can mean this create.
    let created = create(&json!({"missing": held}), desired, recorded, policy, applied);
    let plan = match created {
        Decision::Write(plan) | Decision::AwaitApproval(plan) => plan,
        Decision::Report(changes) => return Decision::Wait(missing(held, &summarize(&changes))),
        decision => return decision,
    };
    if plan.consent.given.is_some() {
        return Decision::Write(plan);
    }
    let way_out = format!(
        "If it is gone for good and a new one is to be made, {}: {}",
        plan.how_to_approve(),
        plan.summary()
    );
    match &recorded.ends_on {
        Some(ended) if has_ended(recorded, now) => {
            let Refusal { reason, message } = over(held, ended);
            Decision::refuse(reason, format!("{message}. {way_out}"))
        }
        _ => Decision::Wait(missing(held, &way_out)),
    }
}

/// Whether the contract was closed or canceled after one of its periods had begun: billing may have closed that, and rolled
/// amounts over.
fn has_ended_begun(desired: &Desired, recorded: &Recorded, now: DateTime<Utc>) -> bool {
    let has_ended = matches!(recorded.state.as_deref(), Some("closed" | "canceled"));
    has_ended && desired.contract.periods.iter().any(|period| period.period_start_at.0 < now)
}

/// Plans a change of a contract that has ended, which Zoo does not show: a replace carries nothing over, so that it opens
/// closed periods again. It is made only when somebody who knows that says so.
fn reopen(held: &str, desired: &Desired, recorded: &Recorded, policy: &Policy, applied: bool) -> Decision {
    let plan = match create(&json!({"ended": held}), desired, recorded, policy, applied) {
        Decision::Write(plan) => plan,
        decision => return decision,
    };
    if plan.consent.given.is_some() {
        return Decision::Write(plan);
    }
    let state = recorded.state.as_deref().unwrap_or_default();
    Decision::refuse(
        reasons::TERM_OVER,
        format!(
            "Nothing was written: contract {held} is {state}, and the billing API does not show it any more. \
             What billing has made of its periods since they began (which are closed, what was rolled over) can't be \
             carried over, so that a replace would begin them anew. Restore the spec; or, if that is meant, {}: {}",
            plan.how_to_approve(),
            plan.summary()
        ),
    )
}

/// Whether the contract was last seen in a state that Zoo never shows.
pub(super) fn is_hidden(recorded: &Recorded) -> bool {
    recorded.state.as_deref().is_some_and(is_never_shown)
}

/// Whether Zoo shows no contract in this state.
pub(super) fn is_never_shown(state: &str) -> bool {
    matches!(state, "scheduled" | "closed" | "canceled")
}

/// Whether the day on which the contract's term was last seen to end is over.
pub(super) fn has_ended(recorded: &Recorded, now: DateTime<Utc>) -> bool {
    recorded.ends_on.as_ref().is_some_and(|ends_on| *ends_on < day(Timestamp(now)))
}

/// Why nothing is done about a contract that should be shown and is not.
pub(super) fn missing(contract_id: &str, rest: &str) -> Refusal {
    Refusal {
        reason: reasons::HELD_CONTRACT_MISSING,
        message: format!(
            "Nothing was written: the resource has contract {contract_id}, and the billing API shows no contract of the \
             organization. It is looked for again. {rest}"
        ),
    }
}

fn over(contract_id: &str, ended: &str) -> Refusal {
    Refusal {
        reason: reasons::TERM_OVER,
        message: format!(
            "Nothing was written: the term of contract {contract_id} ended on {ended}, and the billing API does not show it \
             any more, so what was billed can't be changed. Restore the spec, or delete the resource and write a \
             new one for a new term"
        ),
    }
}

/// Plans a contract where there is none.
fn create(
    observed: &Value,
    desired: &Desired,
    recorded: &Recorded,
    policy: &Policy,
    applied: bool,
) -> Decision {
    if let Some(refusal) = nothing_to_adopt(recorded, policy, "organization") {
        return refusal;
    }
    let unit = money::unit(&desired.canonical);
    let change = Change::new_contract(desired.canonical.clone()).counted_in(None, unit.as_ref());
    let effect = money::effect(None, &desired.canonical);
    let calls = match put(desired.organization_id(), &desired.written) {
        Ok(call) => vec![call],
        Err(refusal) => return Decision::Refuse(refusal),
    };
    Plan::new(observed, &desired.canonical, vec![change], effect, calls).under(policy, recorded, applied)
}

//! A contract compared as a whole, part by part, and what comes of the differences.

use chrono::{DateTime, Utc};

use super::{
    Desired, ObservedContract, draft::Draft, effect, fields, immutable, items, keyless, matching::Matched,
    members, thresholds,
};
use crate::plan::{Decision, Plan, Policy, Recorded};

/// Compares what is wanted with what is observed; `shown` is how billing will show it once it ends when the spec says.
pub(super) fn compare<'a>(
    desired: &'a Desired,
    observed: &'a ObservedContract,
    shown: &'a ObservedContract,
    recorded: &'a Recorded,
    policy: &'a Policy,
    now: DateTime<Utc>,
) -> Draft<'a> {
    let mut draft = Draft::new(desired, observed, shown, recorded, policy, now);
    let matched = Matched::new(desired, shown, recorded, now);
    draft.ambiguous.extend(matched.ambiguous.iter().cloned());
    members::compare(&mut draft);
    items::compare(&mut draft, &matched);
    keyless::compare(&mut draft, &matched);
    thresholds::compare(&mut draft);
    fields::compare(&mut draft);
    draft.effect = effect::of_edit(&draft, &matched);
    draft
}

/// What to do: nothing, the calls, a report or a refusal.
pub(super) fn decide(mut draft: Draft<'_>, applied: bool) -> Decision {
    if !draft.unseen.is_empty() {
        return Decision::Wait(immutable::unseen(&draft.unseen));
    }
    if draft.rejected.iter().any(|(_, remedy)| remedy.blocks()) {
        return immutable::refusal(draft.observed, &draft.rejected);
    }
    if !draft.ambiguous.is_empty() {
        return immutable::ambiguous(draft.observed, &draft.ambiguous);
    }
    if draft.changes.is_empty() && !draft.rejected.is_empty() {
        return immutable::refusal(draft.observed, &draft.rejected);
    }
    let reported = std::mem::take(&mut draft.reported);
    if draft.changes.is_empty() {
        return if reported.is_empty() { Decision::InSync } else { Decision::Report(reported) };
    }
    fields::note(&mut draft);
    let (observed, wanted) = (&draft.observed.terms, draft.desired.terms());
    let (policy, recorded, changes) = (draft.policy, draft.recorded, std::mem::take(&mut draft.changes));
    let effect = std::mem::take(&mut draft.effect);
    let calls = match draft.into_calls() {
        Ok(calls) => calls,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    let plan = Plan::new(observed, wanted, changes, effect, calls);
    match plan.under(policy, recorded, applied) {
        Decision::Report(mut changes) => {
            changes.extend(reported);
            Decision::Report(changes)
        }
        decision => decision,
    }
}

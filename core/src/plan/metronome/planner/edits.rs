//! What the history of a contract's edits adds to a plan: which edit the next one follows, which items are the resource's
//! own, and whether what was read may be behind.

use chrono::{DateTime, TimeDelta, Utc};

use super::{ContractPlanner, Observed};
use crate::{
    api::{contract::UnconfirmedWrite, reasons},
    plan::{
        CallKind, Decision, Plan, Recorded, Refusal, SETTLING,
        metronome::{ContractRef, Need, ObservedContract, history::Edits, unexplained},
    },
    terms::Digest,
};

/// For how long nobody else has the time to edit what a create has just made.
const NEW: TimeDelta = TimeDelta::seconds(60);
/// The verb of an edit that adds a part to a schedule of an item.
const ADD_PARTS: &str = "\"add_schedule_items\"";

impl ContractPlanner {
    /// Reads the history of edits of what was found: the last one, which the key of the next follows from, and what the
    /// resource's own have added. Whether that was news.
    ///
    /// What was read may be older than an edit that was sent and whose reply was lost: whatever follows that one now must
    /// not be taken as well. So a plan after such a write follows the same edit as that write.
    pub(super) fn read_edits(&mut self, recorded: &Recorded, now: DateTime<Utc>) -> Result<bool, Need> {
        let (Some(desired), Some(Observed::Contract(observed))) = (&self.desired, &mut self.observed) else {
            return Ok(false);
        };
        if observed.last_edit.is_some() {
            return Ok(false);
        }
        let Some(edits) = self.facts.edits.get(&observed.contract_id) else {
            return Err(Need::Edits(ContractRef::new(desired.customer_id(), &observed.contract_id)));
        };
        let follows = lost_edit(recorded).map_or_else(|| after(edits, recorded, now), str::to_owned);
        observed.last_edit = Some(follows);
        observed.ours = Some(edits.ours());
        observed.edited_by = edits.edited_by();
        observed.missing = edits.missing(observed);
        Ok(true)
    }

    /// Whether what a create made came never on record, so that its items go by their likeness, and others had the time to edit
    /// it since.
    pub(super) fn is_long_unrecorded(&self, recorded: &Recorded) -> bool {
        let (Some(desired), Some(observed)) = (&self.desired, self.found()) else { return false };
        let is_new = |observed: &ObservedContract| {
            let age = observed.made_at.map(|made| observed.read_at.signed_duration_since(made.0));
            age.is_some_and(|age| age < NEW)
        };
        recorded.items.is_empty() && desired.is_sent(recorded) && !is_new(observed)
    }

    /// Whether a decision has to know the edits of the contract: it is to edit it, or cannot tell whose an item is.
    pub(super) fn depends_on_edits(decision: &Decision) -> bool {
        match decision {
            Decision::Write(plan) | Decision::AwaitApproval(plan) | Decision::Deny(plan, _) => edits(plan),
            Decision::Refuse(refusal) => refusal.reason == reasons::AMBIGUOUS_ITEM,
            _ => false,
        }
    }

    /// Whether the contract has items that neither the spec nor the record explains, since it last agreed with the spec.
    /// One that an edit of this resource has added may be among them: its record was lost before it left the spec.
    pub(super) fn has_unexplained(&self, recorded: &Recorded, now: DateTime<Utc>) -> bool {
        let (Some(desired), Some(observed)) = (&self.desired, self.found()) else { return false };
        let is_known = recorded.agreed_on.as_ref() == Some(&Digest::of(&observed.terms));
        !is_known && unexplained::has_any(desired, observed, recorded, now)
    }

    /// Why a plan is not carried out yet: what was read of the contract may be behind an edit that the history has.
    pub(super) fn behind(&self, decision: &Decision) -> Option<Refusal> {
        let (Decision::Write(plan), Some(observed)) = (decision, self.found()) else { return None };
        let edits = self.facts.edits.get(&observed.contract_id).filter(|_| edits(plan))?;
        let adds_parts = plan.calls.iter().any(|call| call.body.contains(ADD_PARTS));
        let why = edits.why_behind(observed, adds_parts)?;
        Some(Refusal {
            reason: reasons::NOT_YET_IN_FORCE,
            message: format!(
                "Nothing was written yet: contract {} as it was read may be behind: {why}. It is read again",
                observed.contract_id
            ),
        })
    }
}

/// Whether a plan edits the contract.
fn edits(plan: &Plan) -> bool {
    plan.calls.iter().any(|call| call.kind == CallKind::Edit)
}

/// What the next edit follows: the last one of the history. Where an edit after that one was taken and the history does
/// not show it long afterwards, its key is used up all the same, and the next follows that one.
fn after(edits: &Edits, recorded: &Recorded, now: DateTime<Utc>) -> String {
    let last = edits.last.as_str();
    let taken = recorded.unconfirmed.as_ref().filter(|write| write.taken && edits.is_told);
    let followed = |write: &&UnconfirmedWrite| {
        let after = write.after_edit.as_deref();
        after.and_then(|after| after.split(' ').next()) == Some(last)
    };
    let is_old = |write: &&UnconfirmedWrite| now.signed_duration_since(write.time.0) >= SETTLING;
    match taken.filter(followed).filter(is_old) {
        Some(write) => format!("{last} {}", write.digest.as_str().chars().take(16).collect::<String>()),
        None => last.to_owned(),
    }
}

/// The edit before one that was sent and whose reply was lost.
pub(super) fn lost_edit(recorded: &Recorded) -> Option<&str> {
    recorded.unconfirmed.as_ref().filter(|write| !write.taken)?.after_edit.as_deref()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::terms::Timestamp;

    #[test]
    fn an_edit_that_was_taken_is_followed_long_afterwards_where_a_history_that_is_told_does_not_show_it() {
        let now = "2026-06-01T10:30:00Z".parse::<DateTime<Utc>>().unwrap();
        let told = json!([{"id": "e1", "timestamp": "2026-05-01T00:00:00Z"}]);
        let follows = |told: Option<&serde_json::Value>, taken: bool, after_edit: &str, ago: TimeDelta| {
            let write = UnconfirmedWrite {
                digest: Digest::of(&json!("edit")),
                time: Timestamp(now - ago),
                after_edit: Some(after_edit.to_owned()),
                taken,
                difference: None,
                rounds: 0,
                lost: Vec::new(),
            };
            let recorded = Recorded { unconfirmed: Some(write), ..Recorded::default() };
            after(&Edits::read(told, "mark"), &recorded, now)
        };
        let key = follows(Some(&told), true, "e1", SETTLING);
        assert_eq!(key, format!("e1 {}", &Digest::of(&json!("edit")).as_str()[..16]));
        assert_eq!(follows(Some(&told), true, &key, SETTLING), key, "it was sent with such a key itself");
        assert_eq!(
            follows(Some(&told), true, "e1", SETTLING - TimeDelta::seconds(1)),
            "e1",
            "it may show yet"
        );
        assert_eq!(follows(Some(&told), true, "e0", SETTLING), "e1", "another edit came since");
        assert_eq!(follows(Some(&told), false, "e1", SETTLING), "e1", "it was not taken");
        assert_eq!(follows(None, true, "", SETTLING), "", "nothing is told of any");
    }
}

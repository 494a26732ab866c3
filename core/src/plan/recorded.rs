//! What a resource's own status has on record of earlier passes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};

use super::{
    Reported, SETTLING, SetTerms,
    refusal::{Refusal, STICKY},
};
use crate::{
    api::{
        BillingContract, ContractPackage,
        contract::{LostWrite, UnconfirmedWrite},
        reasons::{READY, STALLED},
        requested_at,
    },
    terms::{Digest, Timestamp, shape::in_usual_letters},
};

/// What the resource's own status remembers of earlier passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The account that all of it speaks of; none where there is only one.
    pub account: Option<String>,
    /// The contract that this resource holds.
    pub contract_id: Option<String>,
    /// The customer that the contract is of.
    pub customer_id: Option<String>,
    /// Lifecycle state that was last seen.
    pub state: Option<String>,
    /// Day (UTC) on which the contract's term was last seen to end, as `2026-01-01`.
    pub ends_on: Option<String>,
    /// Digest of the spec's terms when they were last in force.
    pub applied_spec: Option<Digest>,
    /// Digest of what billing showed when it last agreed with the spec.
    pub agreed_on: Option<Digest>,
    /// A write whose reply was lost, or that was taken and not seen to be in force.
    pub unconfirmed: Option<UnconfirmedWrite>,
    /// Every write whose reply did not come, oldest first.
    pub lost: Vec<LostWrite>,
    /// When a plan was last carried out.
    pub wrote_at: Option<DateTime<Utc>>,
    /// What was last written for this resource may not be on record: no status speaks of the spec as it is now, or, once it
    /// is deleted, as it was last.
    pub may_lack_a_write: bool,
    /// What was written for another spec, between the one that the status speaks of and the one that is there now, may not
    /// be on record.
    pub may_lack_a_spec: bool,
    /// How many specs the resource has had, as its generation tells: a deletion counts there as well, and is none.
    pub specs: i64,
    /// Digest of the plan that was last carried out.
    pub applied_plan: Option<Digest>,
    /// A plan that must not be carried out again as it is.
    pub blocked_plan: Option<BlockedPlan>,
    /// What the spec has put into the contract, by its path in the terms: ids of items, and the like. What is here and
    /// no longer in the spec is taken out again; what is in neither is somebody else's.
    pub items: BTreeMap<String, String>,
    /// Optional fields that the spec has set and that were in force.
    pub set: SetTerms,
    /// What tells the last report from others.
    pub reported: Reported,
    /// What is unconfirmed was announced by a pass that did not come to report it.
    pub is_announced: bool,
    /// The plan of that pass, where somebody had approved it.
    pub begun_plan: Option<Digest>,
}

/// A plan that must not be carried out again, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedPlan {
    /// The plan.
    pub digest: Digest,
    /// What was said when it stopped.
    pub refusal: Refusal,
}

impl Recorded {
    /// Whether this resource has sent a write with this fingerprint that may be in force.
    #[must_use]
    pub fn may_have_sent(&self, fingerprint: &Digest) -> bool {
        self.unconfirmed.as_ref().is_some_and(|write| write.digest == *fingerprint)
            || self.lost.iter().any(|write| write.digest == *fingerprint)
    }

    /// Until when what writes make whose replies did not come may still come, or not show yet; nothing where none of those that
    /// are meant can any more.
    pub(super) fn shows_until(
        &self,
        now: DateTime<Utc>,
        is_meant: impl Fn(&LostWrite) -> bool,
    ) -> Option<Timestamp> {
        let meant = self.lost.iter().filter(|write| is_meant(write));
        let until = meant.map(|write| write.late_until.0 + SETTLING).max();
        until.filter(|until| *until > now).map(Timestamp)
    }

    /// What a contract's status has on record of an account. What it knows of another account means nothing in this one.
    #[must_use]
    pub fn of(contract: &BillingContract, account: &str) -> Self {
        let specs = specs(&contract.metadata).unwrap_or_default();
        let nothing = || Self { account: Some(account.to_owned()), specs, ..Self::default() };
        let Some(status) = &contract.status else {
            let may_lack_a_spec = may_lack_a_spec(&contract.metadata, None, &[]);
            return Self { may_lack_a_write: true, may_lack_a_spec, ..nothing() };
        };
        if status.account.as_ref().is_some_and(|recorded| recorded != account) {
            return nothing();
        }
        let tries_anew = tries_anew(
            &contract.metadata,
            status.observed_generation,
            status.last_handled_reconcile_at.as_ref(),
        );
        let plan = status.plan.as_ref().map(|plan| &plan.digest);
        Self {
            account: Some(account.to_owned()),
            contract_id: status.contract_id.as_deref().map(in_usual_letters),
            customer_id: status.customer_id.as_deref().map(in_usual_letters),
            state: status.state.clone(),
            ends_on: status.term.as_ref().and_then(|term| term.end_date.clone()),
            applied_spec: status.last_applied.as_ref().map(|applied| applied.spec_digest.clone()),
            agreed_on: status.last_applied.as_ref().map(|applied| applied.observed_digest.clone()),
            unconfirmed: unconfirmed(status.unconfirmed_write.as_ref(), tries_anew),
            lost: lost(status.unconfirmed_write.as_ref()),
            wrote_at: status.last_write_at.map(|time| time.0),
            may_lack_a_write: may_lack_a_write(&contract.metadata, status.observed_generation),
            specs,
            may_lack_a_spec: may_lack_a_spec(
                &contract.metadata,
                status.observed_generation,
                &status.conditions,
            ),
            applied_plan: status.applied_plan.clone(),
            blocked_plan: plan.filter(|_| !tries_anew).and_then(|plan| blocked(&status.conditions, plan)),
            items: status
                .items
                .iter()
                .map(|item| (item.key.clone(), known_id(&item.key, &item.id)))
                .collect(),
            set: SetTerms::of(&status.set_fields),
            reported: Reported::in_status(status),
            is_announced: false,
            begun_plan: None,
        }
    }

    /// What a package's status has on record.
    #[must_use]
    pub fn of_package(package: &ContractPackage) -> Self {
        let Some(status) = &package.status else { return Self::default() };
        let tries_anew = tries_anew(
            &package.metadata,
            status.observed_generation,
            status.last_handled_reconcile_at.as_ref(),
        );
        let plan = status.plan.as_ref();
        Self {
            contract_id: status.package_id.as_deref().map(in_usual_letters),
            unconfirmed: unconfirmed(status.unconfirmed_write.as_ref(), tries_anew),
            lost: lost(status.unconfirmed_write.as_ref()),
            blocked_plan: plan.filter(|_| !tries_anew).and_then(|plan| blocked(&status.conditions, plan)),
            ..Self::default()
        }
    }
}

/// What is on record of a place: of an item, or a custom field, the ID of the thing, in the letters in which IDs are compared.
fn known_id(place: &str, recorded: &str) -> String {
    let is_id = place.split('/').count() == 2 || place.contains("/customFields/");
    if is_id { in_usual_letters(recorded) } else { recorded.to_owned() }
}

/// Whether somebody asks for what was stopped to be tried again: by a new spec, or by a request to reconcile.
fn tries_anew(metadata: &ObjectMeta, observed: Option<i64>, handled: Option<&String>) -> bool {
    observed != metadata.generation || requested_at(metadata).as_ref() != handled
}

/// Whether the last report is not of the spec as it is, or was last: a deletion counts as a generation too, and one that was
/// reported on hides what was reported before.
fn may_lack_a_write(metadata: &ObjectMeta, observed: Option<i64>) -> bool {
    specs(metadata).is_some_and(|last| observed != Some(last))
}

/// How many specs there were: the generation, without that of a deletion.
fn specs(metadata: &ObjectMeta) -> Option<i64> {
    metadata.generation.map(|last| last - i64::from(metadata.deletion_timestamp.is_some()))
}

/// Whether a spec came and went of which no report is final: one that nothing was reported of at all, or the last one that
/// was reported on, where that report was not the last of what was done for it. It stays so until a spec is in force: while
/// this one waits or is refused, what is left of those before it is not taken out.
fn may_lack_a_spec(metadata: &ObjectMeta, observed: Option<i64>, conditions: &[Condition]) -> bool {
    let is_ready = |condition: &Condition| condition.type_ == READY && condition.status == "True";
    let is_final = conditions.iter().any(is_ready);
    let observed = observed.unwrap_or_default().max(0);
    match metadata.generation.unwrap_or_default() - observed {
        ..=0 => observed > 1 && !is_final,
        1 => observed > 0 && !is_final,
        _ => true,
    }
}

fn unconfirmed(write: Option<&UnconfirmedWrite>, tries_anew: bool) -> Option<UnconfirmedWrite> {
    let mut write = write?.clone();
    if tries_anew {
        (write.difference, write.rounds) = (None, 0);
    }
    Some(write)
}

fn lost(write: Option<&UnconfirmedWrite>) -> Vec<LostWrite> {
    write.map(|write| write.lost.clone()).unwrap_or_default()
}

/// The plan that the conditions say must not be carried out again.
fn blocked(conditions: &[Condition], plan: &Digest) -> Option<BlockedPlan> {
    let stalled = conditions.iter().find(|condition| condition.type_ == STALLED)?;
    let reason = STICKY.into_iter().find(|reason| stalled.reason == reason.as_str())?;
    let refusal = Refusal { reason, message: stalled.message.clone() };
    Some(BlockedPlan { digest: plan.clone(), refusal })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn contract(metadata: &Value, status: &Value) -> BillingContract {
        serde_json::from_value(json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract", "metadata": metadata,
            "spec": {"providerRef": {"name": "zoo"}}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn what_is_on_record_of_one_account_is_not_known_in_another() {
        let status = json!({
            "account": "https://one", "contractId": "c-1", "observedGeneration": 1,
            "items": [{"key": "commits/launch", "id": "i-1"}],
        });
        let contract = contract(&json!({"name": "acme", "generation": 1}), &status);
        assert_eq!(Recorded::of(&contract, "https://one").contract_id.as_deref(), Some("c-1"));
        let elsewhere = Recorded { account: Some("https://two".into()), specs: 1, ..Recorded::default() };
        assert_eq!(Recorded::of(&contract, "https://two"), elsewhere);
    }

    #[test]
    fn what_was_written_for_a_spec_that_went_may_be_missing_until_one_is_in_force() {
        let lacks = |generation: i64, observed: i64, ready: &str| {
            let condition = json!({
                "type": "Ready", "status": ready, "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
            });
            let status = json!({"observedGeneration": observed, "conditions": [condition]});
            let contract = contract(&json!({"name": "acme", "generation": generation}), &status);
            Recorded::of(&contract, "https://one").may_lack_a_spec
        };
        assert!(!lacks(1, -1, "Unknown") && !lacks(1, 1, "False"), "there was no spec before it");
        assert!(lacks(2, -1, "Unknown") && lacks(3, 1, "True"), "nothing was reported of one");
        assert!(
            lacks(2, 1, "False") && !lacks(2, 1, "True"),
            "what was reported of it was not the last word"
        );
        assert!(lacks(3, 3, "False") && !lacks(3, 3, "True"), "nothing is in force since");
        let unreported = contract(&json!({"name": "acme", "generation": 2}), &Value::Null);
        assert!(Recorded::of(&unreported, "https://one").may_lack_a_spec);
    }
}

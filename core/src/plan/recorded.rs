//! What a resource's own status has on record of earlier passes.

use std::collections::BTreeMap;

use super::{Refusal, model::STICKY};
use crate::{
    api::{BillingContract, BillingContractStatus, REQUESTED_AT, contract::UnconfirmedWrite},
    terms::Digest,
};

/// What the resource's own status remembers of earlier passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The contract that this resource holds.
    pub contract_id: Option<String>,
    /// The customer that the contract is of.
    pub customer_id: Option<String>,
    /// Lifecycle state that was last seen.
    pub state: Option<String>,
    /// Digest of the spec's terms when they were last in force.
    pub applied_spec: Option<Digest>,
    /// A write whose reply was lost, or that was taken and not seen to be in force.
    pub unconfirmed: Option<UnconfirmedWrite>,
    /// Digest of a plan that was carried out several times and did not hold.
    pub stuck: Option<Stuck>,
    /// What the spec has put into the contract, by its path in the terms: ids of items, and the like. What is here and
    /// no longer in the spec is taken out again; what is in neither is somebody else's.
    pub items: BTreeMap<String, String>,
}

/// A plan that must not be carried out again, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The plan.
    pub digest: Digest,
    /// What was said when it stopped.
    pub refusal: Refusal,
}

impl Recorded {
    /// Digest of the write that may be in force.
    #[must_use]
    pub fn sent(&self) -> Option<&Digest> {
        self.unconfirmed.as_ref().map(|write| &write.digest)
    }

    /// What a resource's status remembers.
    #[must_use]
    pub fn of(contract: &BillingContract) -> Self {
        let Some(status) = &contract.status else { return Self::default() };
        Self {
            contract_id: status.contract_id.clone(),
            customer_id: status.customer_id.clone(),
            state: status.state.clone(),
            applied_spec: status.last_applied.as_ref().map(|applied| applied.spec_digest.clone()),
            unconfirmed: status.unconfirmed_write.clone(),
            stuck: stuck(contract, status),
            items: status.items.iter().map(|item| (item.key.clone(), item.id.clone())).collect(),
        }
    }
}

/// The plan that the status says must not be carried out again. A new spec or a request to reconcile tries it again.
fn stuck(contract: &BillingContract, status: &BillingContractStatus) -> Option<Stuck> {
    let requested = contract.metadata.annotations.as_ref().and_then(|all| all.get(REQUESTED_AT));
    let is_new = status.observed_generation != contract.metadata.generation
        || requested != status.last_handled_reconcile_at.as_ref();
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled");
    let stalled = stalled.filter(|_| !is_new)?;
    let reason = STICKY.into_iter().find(|reason| stalled.reason == **reason)?;
    let refusal = Refusal { reason, message: stalled.message.clone() };
    Some(Stuck { digest: status.plan.as_ref()?.digest.clone(), refusal })
}

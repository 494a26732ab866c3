//! Whose a contract is: what this resource cannot show to be its own is not changed without `adopt`.

use super::{Change, Decision, Policy, Recorded, Refusal, summarize};
use crate::api::{contract::AdoptMode, reasons};

/// A contract that was found, and what is known of whose it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    /// ID of the contract.
    pub contract_id: &'a str,
    /// What the billing API calls the customer.
    pub customer: &'static str,
    /// Whether something on the contract itself shows that this resource made it.
    pub is_own: bool,
}

impl Found<'_> {
    /// Whether this resource may change the contract, given its differences from the spec.
    ///
    /// # Errors
    /// A refusal that says how to take the contract over.
    pub(super) fn may_change(
        &self,
        recorded: &Recorded,
        policy: &Policy,
        changes: &[Change],
    ) -> Result<(), Refusal> {
        let (contract_id, customer) = (self.contract_id, self.customer);
        let holds = recorded.contract_id.as_deref() == Some(contract_id);
        if holds || self.is_own || (changes.is_empty() && policy.adopt.is_none()) {
            return Ok(());
        }
        let differences = || summarize(changes);
        let Some(adopt) = &policy.adopt else {
            let (reason, story) = match &recorded.contract_id {
                Some(recorded) => (
                    reasons::REPLACED_OUTSIDE,
                    format!("contract {recorded} was replaced outside of Git by {contract_id}"),
                ),
                None => (
                    reasons::CONTRACT_EXISTS,
                    format!("the {customer} has a contract already, {contract_id}"),
                ),
            };
            return Err(Refusal {
                reason,
                message: format!(
                    "Nothing was written: {story}, and it differs. To take it over and change it, set `spec.adopt` to \
                     {{contractId: {contract_id}, mode: Override}}; to take it over as it is, write its terms into the \
                     spec. Differences: {}",
                    differences()
                ),
            });
        };
        if adopt.contract_id != contract_id {
            return Err(Refusal {
                reason: reasons::ADOPTION_TARGET_NOT_FOUND,
                message: format!(
                    "Nothing was written: `spec.adopt.contractId` is {}, but the {customer}'s contract is {contract_id}",
                    adopt.contract_id
                ),
            });
        }
        if adopt.mode == AdoptMode::Match && !changes.is_empty() {
            return Err(Refusal {
                reason: reasons::ADOPTION_MISMATCH,
                message: format!(
                    "Nothing was written: contract {contract_id} is to be adopted as it is, but differs from the spec. \
                     Correct the spec, or set `spec.adopt.mode: Override` to change the contract. Differences: {}",
                    differences()
                ),
            });
        }
        Ok(())
    }
}

/// The refusal to create a contract where one is to be adopted and none is seen.
pub(super) fn nothing_to_adopt(recorded: &Recorded, policy: &Policy, customer: &str) -> Option<Decision> {
    let adopt = policy.adopt.as_ref().filter(|_| recorded.contract_id.is_none())?;
    Some(Decision::refuse(
        reasons::ADOPTION_TARGET_NOT_FOUND,
        format!(
            "Nothing was written: `spec.adopt.contractId` is {}, but the {customer} shows no such contract. Take `adopt` \
             out to create one",
            adopt.contract_id
        ),
    ))
}

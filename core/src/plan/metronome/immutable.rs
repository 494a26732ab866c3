//! Refusals: what the API cannot change, what is somebody else's, what could be several things.

use super::{CustomerId, ObservedContract, UniquenessKey};
use crate::{
    api::reasons,
    plan::{Change, Decision, Refusal},
};

/// Most questions that one refusal asks.
const MOST_QUESTIONS: usize = 10;

/// What to do about a difference that the API cannot remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Another contract.
    Contract,
    /// Another item in its place, by another key.
    Item,
    /// Another value: the API changes it and cannot take it out.
    Say,
    /// Nothing but the value that billing has: the list can only be added to.
    Restore,
    /// Time: an item that has not begun cannot be ended yet.
    Begin,
    /// Another key: somebody archived the item that was made with this one.
    Archived,
    /// Time: a commit that is paid at its end is not ended before.
    Postpaid,
    /// A later start, or somebody who says that the past is to be billed again.
    Past,
    /// A look at billing, or somebody who says that what it does not show is gone.
    Unseen,
}

impl Remedy {
    /// Whether nothing at all may be written until it was applied. What only has to wait leaves the rest alone.
    pub(super) fn blocks(self) -> bool {
        self != Self::Begin
    }

    fn text(self) -> &'static str {
        match self {
            Self::Contract => {
                "restore the value; or write the new terms into a new BillingContract, which may renew this one with \
                 `transition: {type: RENEWAL, fromContractRef: {name: …}}`, and end this one with `endingBefore`"
            }
            Self::Item => {
                "restore the value; or give the item another `key`, and a new `startingAt`, or schedule items that are still to \
                 come only: the one that is there is ended or archived, another is added, and nothing is billed twice"
            }
            Self::Say => {
                "restore it, or write what is to hold instead, as the API changes it and cannot take it out; or leave it as \
                 billing has it by naming the place in `spec.ignoreDrift`"
            }
            Self::Restore => "restore the value, as the API only adds to the list; or start a new contract",
            Self::Begin => {
                "an item that has not begun can be neither archived nor ended, and another one for the same is not added beside \
                 it: restore it, with quantities of 0 if it must not bill, and take it out once it has begun"
            }
            Self::Archived => {
                "give the item another `key`: the one that was made with this key is archived in billing, and the API never \
                 frees its uniqueness key"
            }
            Self::Postpaid => {
                "restore it: the API ends no POSTPAID commit that has begun; or change its schedules, or leave it to billing \
                 by naming the place in `spec.ignoreDrift`"
            }
            Self::Past => {
                "let it begin now or later (another `key` with a new `startingAt`, or schedule items that are still to come \
                 only); or, if that time is to be billed again, say `backdate: true` on the item, or approve a plan that names it \
                 (`managementPolicy: Plan`)"
            }
            Self::Unseen => {
                "look for the item in billing, and archive or end it there so that its history says so; or, if it is gone, approve \
                 a plan that adds another (`managementPolicy: Plan`)"
            }
        }
    }
}

/// The refusal for differences that the API cannot remove.
pub(super) fn refusal(observed: &ObservedContract, rejected: &[(Change, Remedy)]) -> Decision {
    let fields: Vec<_> = rejected.iter().map(|(change, _)| change.to_string()).collect();
    let mut remedies: Vec<Remedy> = Vec::new();
    for (_, remedy) in rejected {
        if !remedies.contains(remedy) {
            remedies.push(*remedy);
        }
    }
    let (reason, why) = match remedies[..] {
        [Remedy::Past] => {
            (reasons::BACKDATED_ITEM, "this would bill the past again, as there is or was the like")
        }
        [Remedy::Unseen] => (
            reasons::AMBIGUOUS_ITEM,
            "an edit of this resource has added the like, and billing does not show it",
        ),
        _ => (reasons::IMMUTABLE_FIELD, "the API cannot change this"),
    };
    let remedies: Vec<_> = remedies.into_iter().map(Remedy::text).collect();
    Decision::refuse(
        reason,
        format!(
            "Nothing was written: {why} in contract {} (billing -> spec): {}. Ways out: {}",
            observed.contract_id,
            fields.join("; "),
            remedies.join("; ")
        ),
    )
}

/// The refusal for a spec that names another customer than the contract's.
pub(super) fn moved(contract_id: &str, from: &str, to: &str) -> Refusal {
    Refusal {
        reason: reasons::IMMUTABLE_FIELD,
        message: format!(
            "Nothing was written: the API cannot change this in contract {contract_id} (billing -> spec): /customerId, or \
             what /customerAlias stands for: {from} -> {to}. Ways out: {}",
            Remedy::Contract.text()
        ),
    }
}

/// Why nothing is written yet: what was made for the customer is not shown.
pub(super) fn unseen(paths: &[String]) -> Refusal {
    Refusal {
        reason: reasons::BILLING_UNREACHABLE,
        message: format!(
            "Nothing was written: the billing API does not show yet what it has made for the customer: {}",
            paths.join(", ")
        ),
    }
}

/// The refusal for items that could be several.
pub(super) fn ambiguous(observed: &ObservedContract, questions: &[String]) -> Decision {
    let mut summary: Vec<_> = questions.iter().take(MOST_QUESTIONS).cloned().collect();
    if questions.len() > MOST_QUESTIONS {
        summary.push(format!("and {} more", questions.len() - MOST_QUESTIONS));
    }
    Decision::refuse(
        reasons::AMBIGUOUS_ITEM,
        format!(
            "Nothing was written: the items of contract {} are ambiguous: {}. Write into the spec what tells them apart \
             (name, dates or amounts as billing has them), leave new items out until the contract was found without them, \
             or archive in billing what is not the spec's",
            observed.contract_id,
            summary.join("; ")
        ),
    )
}

/// The refusal for a contract of another owner.
pub(super) fn owned_elsewhere(observed: &ObservedContract, field: &str, owner: &str) -> Decision {
    Decision::refuse(
        reasons::OWNED_ELSEWHERE,
        format!(
            "Nothing was written: the custom field `{field}` of contract {} says that it belongs to {owner:?}. Delete the \
             resource there, or take the contract over with `spec.adopt: {{contractId: {}, mode: Override}}`",
            observed.contract_id, observed.contract_id
        ),
    )
}

/// The refusal for a contract that is archived.
pub(super) fn archived(observed: &ObservedContract) -> Decision {
    Decision::refuse(
        reasons::CONTRACT_ARCHIVED,
        format!(
            "Nothing was written: contract {} is archived in billing, which cannot be undone. Delete this resource, or set \
             another `spec.metronome.uniquenessKey` to create a new contract in its place",
            observed.contract_id
        ),
    )
}

/// The refusal for a contract that the resource has and the API does not list.
pub(super) fn vanished(contract_id: &str, customer_id: &CustomerId) -> Refusal {
    Refusal {
        reason: reasons::CONTRACT_NOT_FOUND,
        message: format!(
            "Nothing was written: the resource has contract {contract_id}, but it is not among those of customer \
             {customer_id}. Check the provider's account and its `baseUrl`; to create another contract, write its terms into \
             a BillingContract of another name"
        ),
    }
}

/// The refusal for a key that an archived contract holds.
pub(super) fn key_taken(observed: &ObservedContract, key: &UniquenessKey) -> Refusal {
    Refusal {
        reason: reasons::KEY_TAKEN,
        message: format!(
            "Nothing was written: the uniqueness key {key:?} belongs to contract {}, which is archived, and the API never \
             frees a key. Set another `spec.metronome.uniquenessKey` to create a new contract",
            observed.contract_id,
            key = key.as_str()
        ),
    }
}

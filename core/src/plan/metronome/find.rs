//! Finding a contract again among all those of its customer.

use super::{Desired, ObservedContract, immutable};
use crate::plan::{Policy, Recorded, Refusal};

/// What a list of a customer's contracts, archived ones included, has for a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'v> {
    /// The resource's contract: it has the recorded id, the uniqueness key or the stamp.
    Own(&'v ObservedContract),
    /// The contract that `spec.adopt` names.
    Adoptable(&'v ObservedContract),
    /// None.
    Nothing,
    /// A contract that is in the way for good.
    Refused(Refusal),
}

/// Refuses a spec that names another customer than the one whose contract the resource holds: a contract cannot move, and
/// looking for it there would find nothing.
#[must_use]
pub fn moved(desired: &Desired, recorded: &Recorded) -> Option<Refusal> {
    let (contract_id, from) = (recorded.contract_id.as_ref()?, recorded.customer_id.as_ref()?);
    let to = desired.customer_id();
    (from != to.as_str()).then(|| immutable::moved(contract_id, from, to.as_str()))
}

/// Finds a resource's contract among those of its customer.
///
/// An archived contract that is recorded no longer counts once the spec has another key; one that holds the spec's key
/// is in the way. One that is recorded and not listed at all has not gone, since the API deletes none: it is looked for in
/// the wrong place, where it must not be made anew.
#[must_use]
pub fn find<'v>(
    desired: &Desired,
    listed: &'v [ObservedContract],
    recorded: &Recorded,
    policy: &Policy,
) -> Found<'v> {
    let has_key = |observed: &ObservedContract| observed.has_key_of(desired);
    let by_id =
        |id: Option<&String>| id.and_then(|id| listed.iter().find(|observed| observed.contract_id == *id));
    let held = by_id(recorded.contract_id.as_ref());
    if let Some(observed) = held.filter(|observed| !observed.archived || has_key(observed)) {
        return Found::Own(observed);
    }
    if let Some(observed) = by_id(policy.adopt.as_ref().map(|adopt| &adopt.contract_id)) {
        return Found::Adoptable(observed);
    }
    // A key as it is goes before one with the API's word in front, which could be somebody's own.
    let is_exact =
        |observed: &&ObservedContract| observed.uniqueness_key.as_deref() == Some(desired.key().as_str());
    let holder = listed.iter().find(is_exact).or_else(|| listed.iter().find(|observed| has_key(observed)));
    if let Some(observed) = holder {
        return if observed.archived {
            Found::Refused(immutable::key_taken(observed, desired.key()))
        } else {
            Found::Own(observed)
        };
    }
    // Made by a create without a reply, under the key that the resource had before.
    let is_sent = |observed: &&ObservedContract| !observed.archived && observed.is_sent_by(recorded);
    if let Some(observed) = listed.iter().find(is_sent).filter(|_| recorded.contract_id.is_none()) {
        return Found::Own(observed);
    }
    let mut stamped = listed.iter().filter(|observed| !observed.archived && observed.is_stamped(desired));
    match (stamped.next(), stamped.next()) {
        (Some(observed), None) => Found::Own(observed),
        _ => match &recorded.contract_id {
            Some(id) if held.is_none() => Found::Refused(immutable::vanished(id, desired.customer_id())),
            _ => Found::Nothing,
        },
    }
}

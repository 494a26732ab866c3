//! Before a contract is made by a derived key: whether the customer has one already that is most likely this one, under the
//! name that its resource had before.
//!
//! A place in the cluster is no identity. A resource that is renamed, or moved to another namespace, derives another key, and
//! the API would make a second contract beside the first, both active and both billed. So one that was made by our prefix
//! and that no resource holds any more stops the create, and one that another resource still holds delays it for as long
//! as that resource may be about to go in the same commit.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Desired, ObservedContract, compare, stamp::STAMP_KEYS};
use crate::{
    api::reasons,
    plan::{Before, Decision, Holder, Holders, MAY_SHOW_LATER, Policy, Recorded, Refusal, Sought},
};

/// For how long a new resource waits for another one that may be about to go.
const RENAMING: TimeDelta = TimeDelta::seconds(30);

/// What is known of the resource itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// Start of derived keys.
    pub prefix: String,
    /// The user gave the key, and so said that this contract is another.
    pub gives_key: bool,
    /// When the resource was made.
    pub created: Option<DateTime<Utc>>,
}

/// Why a contract is not made, or not yet.
pub(super) fn in_the_way(
    origin: &Origin,
    holders: &Holders,
    (desired, alias): (&Desired, Option<&str>),
    listed: &[ObservedContract],
    recorded: &Recorded,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Option<Decision> {
    if origin.gives_key {
        return None;
    }
    if let Some(wait) = left_behind(holders, desired, alias, listed, now) {
        return Some(wait);
    }
    let mut held = Vec::new();
    for observed in listed.iter().filter(|observed| may_be_meant(observed, desired)) {
        let Some((place, sought)) = derived(observed, &origin.prefix) else { continue };
        match holders.of(sought) {
            Holder::Nobody => return Some(unclaimed(observed, place, now)),
            Holder::Resource(name) => held.push((observed, name)),
            Holder::OutOfSight => {}
        }
    }
    let says_the_same = |observed: &ObservedContract| {
        compare::compare(desired, observed, observed, recorded, policy, now).all_changes().is_empty()
    };
    if let Some((observed, name)) = held.iter().find(|(observed, _)| says_the_same(observed)) {
        return Some(duplicate(observed, name));
    }
    let is_new = origin.created.is_some_and(|created| now.signed_duration_since(created) < RENAMING);
    held.first().filter(|_| is_new).map(|(observed, name)| {
        Decision::Wait(Refusal {
            reason: reasons::OTHER_CONTRACT_HELD,
            message: format!(
                "The customer has contract {}, which BillingContract {name} holds. A second one is made within a minute, unless \
                 that resource goes, as in a rename",
                observed.contract_id
            ),
        })
    })
}

/// Why a contract is not made yet: a resource of the customer has just gone, and what it may have made does not show.
fn left_behind(
    holders: &Holders,
    desired: &Desired,
    alias: Option<&str>,
    listed: &[ObservedContract],
    now: DateTime<Utc>,
) -> Option<Decision> {
    let names: Vec<&str> = [desired.customer_id().as_str()].into_iter().chain(alias).collect();
    let is_listed = |id: &String| listed.iter().any(|observed| observed.contract_id == *id);
    let departed = holders.departed(&names);
    let mut hidden = departed.iter().filter(|gone| {
        now.signed_duration_since(gone.at) < MAY_SHOW_LATER
            && !gone.contract_id.as_ref().is_some_and(is_listed)
    });
    hidden.next().map(|gone| {
        Decision::Wait(Refusal {
            reason: reasons::OTHER_CONTRACT_HELD,
            message: format!(
                "BillingContract {}, of the same customer, has just gone, and what it may have made does not show yet. It is \
                 looked for, for a minute and a half, before a contract is made",
                gone.resource
            ),
        })
    })
}

/// Whether a contract could be the one that the spec means: it is, was or will be in force at the same time as the spec's,
/// and is neither another cluster's nor the one that the spec renews. One that is over counts for the time that it billed.
fn may_be_meant(observed: &ObservedContract, desired: &Desired) -> bool {
    let terms = desired.terms();
    let time = |name: &str| super::text(terms, name).and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let end = [observed.ending_before, observed.archived_at].into_iter().flatten().min();
    let has_time = end.is_none_or(|end| end > observed.starting_at);
    let ends_after_start = end.zip(time("startingAt")).is_none_or(|(end, start)| end.0 > start);
    let begins_before_end = time("endingBefore").is_none_or(|end| observed.starting_at.0 < end);
    let renewed = terms.pointer("/transition/fromContractId").and_then(serde_json::Value::as_str);
    let [cluster, ..] = STAMP_KEYS;
    let is_elsewhere = desired
        .owner()
        .find(|(name, _)| *name == cluster)
        .is_some_and(|(_, own)| observed.custom_field(cluster).is_some_and(|found| found != own));
    has_time
        && ends_after_start
        && begins_before_end
        && renewed != Some(observed.contract_id.as_str())
        && !is_elsewhere
}

/// Why a contract that was found, and is not on record, is left alone: another resource holds or claims it.
pub(super) fn kept(
    observed: &ObservedContract,
    prefix: &str,
    holders: &Holders,
    before: Before,
) -> Option<Refusal> {
    let sought = match derived(observed, prefix) {
        Some((_, sought)) => Sought { before, ..sought },
        None => Sought {
            contract_id: &observed.contract_id,
            key: observed.uniqueness_key.as_deref(),
            place: None,
            before,
        },
    };
    let Holder::Resource(name) = holders.of(sought) else { return None };
    Some(Refusal {
        reason: reasons::DUPLICATE_CLAIM,
        message: format!(
            "Nothing was written: this resource finds contract {}, and BillingContract {name} holds or claims it. Delete one of \
             the two; if another contract is meant here, set another `spec.metronome.uniquenessKey`",
            observed.contract_id
        ),
    })
}

/// A contract that was made by a key which was derived with this prefix, and the resource that it was derived from.
fn derived<'v>(observed: &'v ObservedContract, prefix: &str) -> Option<((&'v str, &'v str), Sought<'v>)> {
    let read = observed.uniqueness_key.as_deref()?;
    let plain = |key: &'v str| {
        let place = key.strip_prefix(prefix)?.strip_prefix('/')?.split_once('/')?;
        let sought = Sought {
            contract_id: &observed.contract_id,
            key: Some(key),
            place: Some(place),
            before: Before::Creating,
        };
        (!place.1.contains('/')).then_some((place, sought))
    };
    plain(read).or_else(|| plain(read.split_once(':')?.1))
}

fn unclaimed(observed: &ObservedContract, (namespace, name): (&str, &str), now: DateTime<Utc>) -> Decision {
    let id = &observed.contract_id;
    let story = format!(
        "Nothing was written: the customer has contract {id}, which was made from BillingContract {namespace}/{name}, and no \
         resource holds it any more"
    );
    let message = match (observed.archived_at, observed.ending_before) {
        (Some(end), _) | (None, Some(end)) if end.0 <= now => format!(
            "{story}. It was in force until {end}, and a contract that begins before then bills that time again. If that is \
             meant, set `spec.metronome.uniquenessKey`; or let this one begin at {end} or later"
        ),
        _ => format!(
            "{story}. If it is this one under its former name, take it over with `spec.adopt: {{contractId: {id}, mode: \
             Override}}`; if another contract is meant, set `spec.metronome.uniquenessKey`; or restore the resource that \
             held it"
        ),
    };
    Decision::refuse(reasons::CONTRACT_UNCLAIMED, message)
}

fn duplicate(observed: &ObservedContract, name: &str) -> Decision {
    Decision::refuse(
        reasons::DUPLICATE_CLAIM,
        format!(
            "Nothing was written: the customer has contract {}, which says what this resource says, and BillingContract {name} \
             holds it. If this one is to follow it, delete that one; if a second contract with the same terms is meant, set \
             `spec.metronome.uniquenessKey`",
            observed.contract_id
        ),
    )
}

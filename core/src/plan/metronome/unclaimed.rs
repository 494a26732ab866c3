//! Before a contract is made by a derived key: whether the customer has one already that is most likely this one, under the
//! name that its resource had before.
//!
//! A place in the cluster is no identity. A resource that is renamed, or moved to another namespace, derives another key, and
//! the API would make a second contract beside the first, both active and both billed. So one that was made by our prefix
//! and that no resource holds any more stops the create, and one that another resource still holds delays it for as long
//! as that resource may be about to go in the same commit. What that one bills is never billed by a second one without a
//! word: how long a resource has to go is a guess, and a backup of the cluster may bring it back.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{
    Desired, ObservedContract, compare,
    lists::{LISTS, List},
    past,
    stamp::STAMP_KEYS,
};
use crate::{
    api::{contract::LostWrite, reasons},
    plan::{Before, Decision, Holder, Holders, MAY_SHOW_LATER, Policy, Recorded, Refusal, Sibling, Sought},
    terms::Timestamp,
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
    /// The terms as the spec says them.
    pub terms: Value,
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
    if let Some(refusal) = may_come(desired, recorded, now) {
        return Some(Decision::Wait(refusal));
    }
    if origin.gives_key {
        return None;
    }
    let names: Vec<&str> = [desired.customer_id().as_str()].into_iter().chain(alias).collect();
    let others = || beside(origin, &holders.siblings(&names), desired, listed);
    if let Some(stop) = left_behind(holders, &names, listed, now).or_else(others) {
        return Some(stop);
    }
    let mut held = Vec::new();
    for observed in listed.iter().filter(|observed| may_be_meant(observed, desired)) {
        let Some((place, sought)) = derived(observed, &origin.prefix) else { continue };
        match holders.of(sought) {
            Holder::Nobody => return Some(unclaimed(desired, observed, place, now)),
            Holder::Resource(name) => held.push((observed, name)),
            Holder::OutOfSight => {}
        }
    }
    let says_the_same = |observed: &ObservedContract| {
        compare::compare(desired, observed, observed, recorded, policy, now).all_changes().is_empty()
    };
    if let Some((observed, name)) = held.iter().find(|(observed, _)| says_the_same(observed)) {
        return Some(duplicate(desired, observed, name, "says what this resource says"));
    }
    for (observed, name) in &held {
        let (terms, start) = (&observed.terms, Some(observed.starting_at));
        if let Some(what) = bills_the_same(desired, terms, start) {
            let why = format!("has what this resource says at `{what}`");
            return Some(duplicate(desired, observed, name, &why));
        }
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

/// Why a contract is not made yet: one may still come, or show, that a create of the resource's makes under another key, and the
/// API would take both.
fn may_come(desired: &Desired, recorded: &Recorded, now: DateTime<Utc>) -> Option<Refusal> {
    let create = desired.create_fingerprint();
    awaited(recorded, now, |write| write.digest != create)
}

/// The same of one for another customer: nothing of the spec's customer is taken for the resource's either, as it cannot hold
/// two.
pub(super) fn may_come_elsewhere(
    desired: &Desired,
    recorded: &Recorded,
    now: DateTime<Utc>,
) -> Option<Refusal> {
    let own = desired.customer_id().as_str();
    awaited(recorded, now, |write| write.customer_id.as_deref().is_some_and(|customer| customer != own))
}

/// Why a lost write is waited for, while no contract is on record, until it can neither be carried out nor be hidden any more.
fn awaited(
    recorded: &Recorded,
    now: DateTime<Utc>,
    is_meant: impl Fn(&LostWrite) -> bool,
) -> Option<Refusal> {
    let until = recorded.shows_until(now, is_meant)?;
    recorded.contract_id.is_none().then(|| Refusal {
        reason: reasons::OTHER_CONTRACT_HELD,
        message: format!(
            "A create whose reply did not come, under another key or for another customer, may still be carried out. What it makes \
             is looked for, until {until}, before a contract is made"
        ),
    })
}

/// Where the spec bills, or gives, the same product from the same moment on as other terms.
fn bills_the_same(desired: &Desired, terms: &Value, start: Option<Timestamp>) -> Option<String> {
    let own_start = time(&desired.written, "startingAt");
    if let Some(name) = priced_the_same(&desired.written, terms).filter(|_| start == own_start) {
        return Some(name.to_owned());
    }
    LISTS.iter().filter(|list| !list.is_beside()).find_map(|list| {
        let there: Vec<_> =
            super::list(terms, list.name).filter_map(|item| Billed::of(list, item, start)).collect();
        let is_there =
            |item: &&Value| Billed::of(list, item, own_start).is_some_and(|billed| there.contains(&billed));
        let item = super::list(&desired.written, list.name).find(is_there)?;
        Some(format!("{}/{}", list.name, super::text(item, "key").unwrap_or_default()))
    })
}

/// Why a contract is not made beside other resources of the customer: one has a contract that does not show, so that the
/// list is behind; or an older one says the like and has none on record, which it may just be making; so may a younger one that calls
/// the customer otherwise, and so may not know of this one.
fn beside(
    origin: &Origin,
    siblings: &[Sibling],
    desired: &Desired,
    listed: &[ObservedContract],
) -> Option<Decision> {
    // An alias that both name may have moved to another customer.
    let is_its =
        |other: &&Sibling| other.customer_id.as_deref().is_none_or(|id| id == desired.customer_id().as_str());
    siblings.iter().filter(is_its).find_map(|other| {
        let name = &other.resource;
        match &other.contract_id {
            Some(id) if listed.iter().all(|observed| observed.contract_id != *id) => {
                Some(Decision::Wait(Refusal {
                    reason: reasons::OTHER_CONTRACT_HELD,
                    message: format!(
                        "BillingContract {name}, of the same customer, has contract {id}, which the billing API does not list yet"
                    ),
                }))
            }
            Some(_) => None,
            None if !other.is_before && (!other.may_be_making || names_alike(origin, other)) => None,
            None => {
                let start = time(&other.terms, "startingAt");
                let same = || (other.terms == origin.terms).then(|| "all places".to_owned());
                let what = bills_the_same(desired, &other.terms, start).or_else(same)?;
                if !other.is_before {
                    return Some(Decision::Wait(Refusal {
                        reason: reasons::OTHER_CONTRACT_HELD,
                        message: format!(
                            "BillingContract {name}, of the same customer under another name, says the same at `{what}` and may \
                             just be making it. It is waited for"
                        ),
                    }));
                }
                Some(Decision::refuse(
                    reasons::DUPLICATE_CLAIM,
                    format!(
                        "Nothing was written: BillingContract {name} is older, of the same customer, and says the same at \
                         `{what}`. If this one is to follow it, delete that one; if a second contract that bills the same is \
                         meant, {}",
                        own_key(desired)
                    ),
                ))
            }
        }
    })
}

/// Whether another resource calls the customer as this one does, and so knew of this one from the start.
fn names_alike(origin: &Origin, other: &Sibling) -> bool {
    ["customerId", "customerAlias"]
        .iter()
        .any(|name| origin.terms.get(name).is_some() && origin.terms.get(name) == other.terms.get(name))
}

/// The member by which two contracts that begin at one moment bill the same use, or all that a package has.
fn priced_the_same(one: &Value, other: &Value) -> Option<&'static str> {
    let is_same = |name: &&str| one.get(*name).is_some() && one.get(*name) == other.get(*name);
    let package = ["packageId", "packageAlias"].into_iter().find(|name| is_same(name));
    let is_all_use = |terms: &Value| terms.get("usageFilter").is_none_or(Value::is_null);
    let card = || ["rateCardId", "rateCardAlias"].into_iter().find(|name| is_same(name));
    package.or_else(|| card().filter(|_| is_all_use(one) && is_all_use(other)))
}

/// What an item bills or gives, and from when on.
#[derive(PartialEq, Eq)]
struct Billed<'v> {
    product: &'v str,
    since: Timestamp,
}

impl<'v> Billed<'v> {
    fn of(list: &List, item: &'v Value, contract: Option<Timestamp>) -> Option<Self> {
        let products = ["/productId", "/subscriptionRate/productId"];
        let product = products.iter().find_map(|place| item.pointer(place)?.as_str())?;
        let since = past::starts(list, item, contract?).into_iter().min()?;
        Some(Self { product, since })
    }
}

/// Why a contract is not made yet: what a resource of the customer has made, which has gone, may not show.
fn left_behind(
    holders: &Holders,
    customer: &[&str],
    listed: &[ObservedContract],
    now: DateTime<Utc>,
) -> Option<Decision> {
    if let Some(until) = holders.unseen_until().filter(|until| now < *until) {
        return Some(Decision::Wait(Refusal {
            reason: reasons::OTHER_CONTRACT_HELD,
            message: format!(
                "An operator before this one may have stopped in the middle of a create. What it may have made is looked for, \
                 until {}, before a contract is made",
                Timestamp(until)
            ),
        }));
    }
    let is_listed = |id: &String| listed.iter().any(|observed| observed.contract_id == *id);
    let departed = holders.departed(customer);
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
    let time = |name: &str| time(terms, name).map(|time| time.0);
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

/// How to say that another contract is meant: with a key of its own, for which the one that it would have anyway is as good as
/// any.
fn own_key(desired: &Desired) -> String {
    format!("set `spec.metronome.uniquenessKey: {}`", desired.key())
}

fn unclaimed(
    desired: &Desired,
    observed: &ObservedContract,
    (namespace, name): (&str, &str),
    now: DateTime<Utc>,
) -> Decision {
    let own_key = own_key(desired);
    let id = &observed.contract_id;
    let story = format!(
        "Nothing was written: the customer has contract {id}, which was made from BillingContract {namespace}/{name}, and no \
         resource holds it any more"
    );
    let message = match (observed.archived_at, observed.ending_before) {
        (Some(end), _) | (None, Some(end)) if end.0 <= now => format!(
            "{story}. It was in force until {end}, and a contract that begins before then bills that time again. If that is \
             meant, {own_key}; or let this one begin at {end} or later"
        ),
        _ => format!(
            "{story}. If it is this one under its former name, take it over with `spec.adopt: {{contractId: {id}, mode: \
             Override}}`; if another contract is meant, {own_key}; or restore the resource that \
             held it"
        ),
    };
    Decision::refuse(reasons::CONTRACT_UNCLAIMED, message)
}

fn time(terms: &Value, name: &str) -> Option<Timestamp> {
    super::text(terms, name)?.parse().ok()
}

fn duplicate(desired: &Desired, observed: &ObservedContract, name: &str, why: &str) -> Decision {
    Decision::refuse(
        reasons::DUPLICATE_CLAIM,
        format!(
            "Nothing was written: the customer has contract {}, which {why}, and BillingContract {name} holds it. If this one \
             is to follow it, delete that one; if a second contract that bills the same is meant, {}",
            observed.contract_id,
            own_key(desired)
        ),
    )
}

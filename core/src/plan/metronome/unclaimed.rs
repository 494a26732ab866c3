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
    plan::{Decision, Holder, Holders, Policy, Recorded, Refusal, Sought},
};

/// For how long a new resource waits for another one that may be about to go.
const RENAMING: TimeDelta = TimeDelta::seconds(30);

/// What is known of the resource itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// Start of derived keys; nothing when the user gave the key, and so said that this contract is another.
    pub prefix: Option<String>,
    /// When the resource was made.
    pub created: Option<DateTime<Utc>>,
}

/// Why a contract is not made, or not yet.
pub(super) fn in_the_way(
    origin: &Origin,
    holders: &Holders,
    desired: &Desired,
    listed: &[ObservedContract],
    recorded: &Recorded,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Option<Decision> {
    let prefix = origin.prefix.as_deref()?;
    let mut held = Vec::new();
    for view in listed.iter().filter(|view| may_be_meant(view, desired, now)) {
        let Some(sought) = sought(view, prefix) else { continue };
        match holders.of(sought) {
            Holder::Nobody => return Some(unclaimed(view, sought)),
            Holder::Resource(name) => held.push((view, name)),
            Holder::OutOfSight => {}
        }
    }
    let says_the_same = |view: &ObservedContract| {
        compare::compare(desired, view, view, recorded, policy, now).all_changes().is_empty()
    };
    if let Some((view, name)) = held.iter().find(|(view, _)| says_the_same(view)) {
        return Some(duplicate(view, name));
    }
    let is_new = origin.created.is_some_and(|created| now.signed_duration_since(created) < RENAMING);
    held.first().filter(|_| is_new).map(|(view, name)| {
        Decision::Wait(Refusal {
            reason: reasons::OTHER_CONTRACT_HELD,
            message: format!(
                "The customer has contract {}, which BillingContract {name} holds. A second one is made within a minute, unless \
                 that resource goes, as in a rename",
                view.contract_id
            ),
        })
    })
}

/// Whether a contract could be the one that the spec means: it is in force or will be, at the same time as the spec's, and
/// is neither another cluster's nor the one that the spec renews.
fn may_be_meant(view: &ObservedContract, desired: &Desired, now: DateTime<Utc>) -> bool {
    let terms = desired.terms();
    let time = |name: &str| super::text(terms, name).and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let ends_after = |moment: Option<DateTime<Utc>>| {
        view.ending_before.zip(moment).is_none_or(|(end, moment)| end.0 > moment)
    };
    let begins_before_end = time("endingBefore").is_none_or(|end| view.starting_at.0 < end);
    let renewed = terms.pointer("/transition/fromContractId").and_then(serde_json::Value::as_str);
    let [cluster, ..] = STAMP_KEYS;
    let is_elsewhere = desired
        .owner()
        .find(|(name, _)| *name == cluster)
        .is_some_and(|(_, own)| view.custom_field(cluster).is_some_and(|found| found != own));
    !view.archived
        && ends_after(Some(now))
        && ends_after(time("startingAt"))
        && begins_before_end
        && renewed != Some(view.contract_id.as_str())
        && !is_elsewhere
}

/// A contract that was made by a key which was derived with this prefix.
fn sought<'v>(view: &'v ObservedContract, prefix: &str) -> Option<Sought<'v>> {
    let read = view.uniqueness_key.as_deref()?;
    let plain = |key: &'v str| {
        let (namespace, name) = key.strip_prefix(prefix)?.strip_prefix('/')?.split_once('/')?;
        (!name.contains('/')).then_some(Sought {
            contract_id: &view.contract_id,
            key,
            place: (namespace, name),
        })
    };
    plain(read).or_else(|| plain(read.split_once(':')?.1))
}

fn unclaimed(view: &ObservedContract, sought: Sought<'_>) -> Decision {
    let (id, (namespace, name)) = (&view.contract_id, sought.place);
    Decision::refuse(
        reasons::CONTRACT_UNCLAIMED,
        format!(
            "Nothing was written: the customer has contract {id}, which was made from BillingContract {namespace}/{name}, and no \
             resource holds it any more. If it is this one under its former name, take it over with `spec.adopt: \
             {{contractId: {id}, mode: Override}}`; if another contract is meant, set `spec.metronome.uniquenessKey`; or \
             restore the resource that held it"
        ),
    )
}

fn duplicate(view: &ObservedContract, name: &str) -> Decision {
    Decision::refuse(
        reasons::DUPLICATE_CLAIM,
        format!(
            "Nothing was written: the customer has contract {}, which says what this resource says, and BillingContract {name} \
             holds it. If this one is to follow it, delete that one; if a second contract with the same terms is meant, set \
             `spec.metronome.uniquenessKey`",
            view.contract_id
        ),
    )
}

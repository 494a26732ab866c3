//! Plans for Metronome: a create, or the least edit that leads from what is observed to what is wanted.
//!
//! Nothing is replaced as a whole there: an edit adds, changes, archives and removes single items by their ids. So items
//! of the spec are matched with those of the contract first, by what this resource recorded, by a stamp, or by what
//! they say, and never by a guess.
//!
//! What the spec never said is the API's. What it had set and was in force is recorded, and when it leaves the spec it is
//! cleared or taken out, set to what it means when it is left out, or refused by name ([`leaving`]). The three members
//! that say which usage draws a balance down mean all usage when they are left out, whoever set them.
//!
//! Items that neither the spec nor the record knows are looked for in the history of edits: what an edit of this resource
//! has added is its own, though its record was lost, and is taken out. What somebody else has made is reported and left
//! alone. With a package, that is what tells that it was made after the contract: most of the rest is the package's.
//! Quantities and seats of subscriptions, which applications change as they run, and thresholds that the API turned
//! off after a failed payment, are written only when the spec changes; until then a difference is reported.

mod balances;
mod compare;
mod create;
mod defaults;
mod draft;
mod effect;
mod end;
mod facts;
mod fields;
mod find;
mod follow;
mod gate;
mod history;
mod immutable;
mod invoices;
mod items;
mod key;
mod keyless;
mod leaving;
mod likeness;
mod lists;
mod matching;
mod members;
mod money;
mod needs;
mod notes;
mod observed;
pub mod package;
mod part;
mod past;
mod planned;
mod planner;
mod rates;
mod record;
mod reply;
mod schedule;
mod shown;
mod stamp;
mod subscriptions;
mod tables;
mod term;
mod thresholds;
mod unclaimed;
mod unexplained;
mod unheard;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::{Value, json};

pub(super) use self::money::outlook;
pub use self::{
    balances::ObservedBalances,
    defaults::leave_out_defaults,
    facts::{Billed, settings},
    find::{Found, find, moved},
    key::UniquenessKey,
    lists::keyed_lists,
    needs::{Balances, ContractId, ContractRef, CustomerId, Need, RATE_SCHEDULE, query_time},
    observed::ObservedContract,
    planner::{AccountSettings, ContractPlanner},
    rates::rates,
    record::{Record, record},
    shown::Shown,
    stamp::{ADD_KEY, ITEM_KEY, STAMP_KEYS, entities, registered, stamp_is_registered},
};
use super::{Decision, Policy, Recorded, ownership};
use crate::{
    api::reasons,
    terms::{
        Digest, Timestamp,
        metronome::{CONTRACT, Contract},
        shape::{ShapeError, Spelling},
    },
    validate::Validated,
};

/// Path of the call that creates a contract.
pub const CREATE_CONTRACT: &str = "v1/contracts/create";
/// Path of the call that edits a contract.
pub const EDIT_CONTRACT: &str = "v2/contracts/edit";
/// Path of the call that edits a commit.
pub const EDIT_COMMIT: &str = "v2/contracts/commits/edit";
/// Path of the call that edits a credit.
pub const EDIT_CREDIT: &str = "v2/contracts/credits/edit";
/// What the records of custom fields go by.
const CUSTOM_FIELDS: &str = "customFields";

/// What a contract means once its references are looked up.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// ID of the customer.
    pub customer_id: CustomerId,
    /// ID of the contract that this one renews.
    pub from_contract_id: Option<String>,
    /// ID of the package that the contract is made from, where the spec names it by its resource.
    pub package_id: Option<String>,
    /// Key that keeps the API from creating the contract twice.
    pub key: UniquenessKey,
    /// Custom fields that say who owns the contract, if the provider stamps contracts.
    pub stamp: Option<Stamp>,
}

/// Custom fields on a contract that say who owns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Who owns it: cluster, namespace, name. Where a contract has other values, it is somebody else's.
    pub fields: BTreeMap<String, String>,
    /// What is noted beside that, such as the Git revision: written along with other changes, never by itself.
    pub notes: BTreeMap<String, String>,
}

/// What a contract should be, in the forms that planning needs.
#[derive(Clone, Debug)]
pub struct Desired {
    resolved: Resolved,
    /// Terms with the digits of the spec, references looked up.
    written: Value,
    /// The same in canonical form.
    canonical: Value,
    /// Paths of items of the spec that begin only after the contract's end.
    beyond: BTreeSet<String>,
    /// Digest of the terms of the spec and their customer.
    pub digest: Digest,
}

impl Desired {
    /// Prepares a validated contract.
    ///
    /// # Errors
    /// Never for terms that came through the types; the error names the place otherwise.
    pub fn new(contract: Validated<&Contract>, resolved: Resolved) -> Result<Self, ShapeError> {
        let mut written = serde_json::to_value(*contract).map_err(|error| ShapeError {
            path: String::new(),
            expected: "a contract",
            found: error.to_string(),
        })?;
        CONTRACT.with_usual_ids(&mut written);
        if let (Some(id), Some(members)) = (&resolved.package_id, written.as_object_mut()) {
            members.insert("packageId".to_owned(), json!(id));
        }
        let digest =
            Digest::of(&json!([resolved.customer_id, CONTRACT.canonical(&written, Spelling::Spec)?]));
        if let Some(members) = written.as_object_mut() {
            members.insert("customerId".to_owned(), json!(resolved.customer_id));
        }
        let transition = written.get_mut("transition").and_then(Value::as_object_mut);
        if let (Some(transition), Some(id)) = (transition, &resolved.from_contract_id) {
            transition.insert("fromContractId".to_owned(), json!(id));
        }
        sort_keyed(&mut written);
        let canonical = CONTRACT.canonical(&written, Spelling::Spec)?;
        let end = text(&canonical, "endingBefore").and_then(|end| end.parse().ok());
        let mut desired = Self { resolved, written, canonical, beyond: BTreeSet::new(), digest };
        if let Some(end) = end {
            desired.cut(end);
        }
        Ok(desired)
    }

    /// The terms in canonical form.
    #[must_use]
    pub fn terms(&self) -> &Value {
        &self.canonical
    }

    /// ID of the customer.
    #[must_use]
    pub fn customer_id(&self) -> &CustomerId {
        &self.resolved.customer_id
    }

    /// The contract's uniqueness key.
    #[must_use]
    pub fn key(&self) -> &UniquenessKey {
        &self.resolved.key
    }

    /// ID of the package that the contract is made from, where it is known.
    #[must_use]
    pub fn package_id(&self) -> Option<&str> {
        text(&self.canonical, "packageId")
    }

    /// Whether the contract is made from a package.
    fn has_package(&self) -> bool {
        ["packageId", "packageAlias"].iter().any(|name| self.canonical.get(name).is_some())
    }

    /// Recognises the create of the contract, whatever its terms were then.
    fn create_fingerprint(&self) -> Digest {
        create_fingerprint(self.key().as_str(), self.customer_id())
    }

    /// Whether its create may have been sent, and no reply came on record.
    fn is_sent(&self, recorded: &Recorded) -> bool {
        recorded.may_have_sent(&self.create_fingerprint())
    }

    /// The fields that say who owns the contract.
    fn owner(&self) -> impl Iterator<Item = (&String, &String)> {
        self.resolved.stamp.iter().flat_map(|stamp| &stamp.fields)
    }
}

/// Recognises the create of a contract of a customer with a key.
fn create_fingerprint(key: &str, customer_id: &CustomerId) -> Digest {
    Digest::of(&json!([CREATE_CONTRACT, key, customer_id]))
}

/// Decides what to do about a contract.
#[must_use]
pub fn plan(
    desired: &Desired,
    observed: Option<&ObservedContract>,
    recorded: &Recorded,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Decision {
    let applied = recorded.applied_spec.as_ref() == Some(&desired.digest);
    let Some(observed) = observed else {
        return match ownership::nothing_to_adopt(recorded, policy, "customer") {
            Some(refusal) => refusal,
            None => create::plan(desired, recorded, policy, applied),
        };
    };
    if observed.truncated {
        return Decision::refuse(
            reasons::INCOMPLETE_REPLY,
            format!(
                "Nothing was written: the reply leaves out commits or credits of contract {}",
                observed.contract_id
            ),
        );
    }
    if observed.archived {
        return immutable::archived(observed);
    }
    let adopts = policy.adopt.as_ref().is_some_and(|adopt| adopt.contract_id == observed.contract_id);
    if let Some((name, owner)) = observed.other_owner(desired).filter(|_| !adopts) {
        return immutable::owned_elsewhere(observed, name, owner);
    }
    if create::is_approved(desired, recorded, policy)
        && let Decision::Write(plan) = compared(desired, observed, recorded, &policy.approved(), now)
        && follow::are_shown(&plan.calls, desired, observed, recorded, now)
    {
        return Decision::Write(plan);
    }
    compared(desired, observed, recorded, policy, now)
}

/// Decides what to do about a contract that is there and can be changed.
fn compared(
    desired: &Desired,
    observed: &ObservedContract,
    recorded: &Recorded,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Decision {
    let applied = recorded.applied_spec.as_ref() == Some(&desired.digest);
    let (desired, shown) = (desired.within(observed, recorded), observed.once_ended(desired, recorded));
    let desired = &*desired;
    let draft = compare::compare(desired, observed, &shown, recorded, policy, now);
    let found = ownership::Found {
        contract_id: &observed.contract_id,
        customer: "customer",
        is_own: observed.has_key_of(desired) || observed.is_sent_by(recorded) || observed.is_stamped(desired),
    };
    if let Err(refusal) = found.may_change(recorded, policy, &draft.all_changes()) {
        return Decision::Refuse(refusal);
    }
    compare::decide(draft, applied)
}

/// The next full hour, at which something that begins or ends "now" does: the API counts in full hours.
fn next_hour(now: DateTime<Utc>) -> Timestamp {
    let hour = TimeDelta::hours(1);
    Timestamp(now.duration_trunc(hour).unwrap_or(now) + hour)
}

/// Puts the items of lists with keys into the order of the canonical form, so that both can be read side by side.
fn sort_keyed(written: &mut Value) {
    let keys = lists::LISTS.iter().map(|list| (list.name, "key")).chain([("spendTrackers", "alias")]);
    for (name, key) in keys {
        if let Some(items) = written.get_mut(name).and_then(Value::as_array_mut) {
            items.sort_by(|a, b| text(a, key).cmp(&text(b, key)));
        }
    }
}

/// The items of a list of terms.
fn list<'v>(terms: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    terms.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// Text of a member.
fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

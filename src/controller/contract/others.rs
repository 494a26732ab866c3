//! The other contracts of an account, as one of them sees them, and whether it still is what it was when that began.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kube::{Resource as _, ResourceExt, runtime::reflector::ObjectRef};

use super::{
    accounts::{account, claimed, heir, provider_key, spec_version},
    claims::ClaimIndex,
};
use crate::{
    api::{APPROVED_PLAN, BillingContract, RELEASE},
    clock,
    controller::{Context, Guarded, approval::Approvals, context::Stores, provider::registry::SpecVersion},
    plan::{Departed, Holder, Others, Sibling, Sought},
    protocol::claims::{self, Asking, Subject},
};

/// The other contracts of an account, as one of them sees them. It is looked at again as soon as what it asked for changes.
pub(super) struct OthersOf {
    index: Arc<ClaimIndex>,
    approvals: Arc<Approvals>,
    stores: Stores,
    asking: Asking,
    this: ObjectRef<BillingContract>,
    account: String,
    /// The one namespace that this operator sees, if it does not see all.
    scope: Option<String>,
    meant: Meant,
}

/// What a contract's resource, its provider and people say of it: what is decided on that is not carried out once they say
/// something else.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Meant {
    generation: Option<i64>,
    is_deleted: bool,
    annotations: [Option<String>; 2],
    approvals: String,
    pub(super) provider: Option<SpecVersion>,
}

impl Meant {
    pub(super) fn of(contract: &BillingContract, approvals: &Approvals, stores: &Stores) -> Self {
        Self {
            generation: contract.metadata.generation,
            is_deleted: contract.metadata.deletion_timestamp.is_some(),
            annotations: [APPROVED_PLAN, RELEASE].map(|name| contract.annotations().get(name).cloned()),
            approvals: approvals.version(contract),
            provider: spec_version(&provider_key(contract), stores),
        }
    }
}

impl OthersOf {
    pub(super) fn new(contract: &BillingContract, account: &str, meant: Meant, context: &Context) -> Self {
        Self {
            index: Arc::clone(&context.claims),
            approvals: Arc::clone(&context.approvals),
            stores: context.stores.clone(),
            asking: Asking::of(contract),
            this: ObjectRef::from_obj(contract),
            account: account.to_owned(),
            scope: context.options.namespace.clone(),
            meant,
        }
    }

    /// Whether another resource holds by now what this one claims; or, where this one is deleted, claims what would end.
    fn is_anothers(&self, this: &BillingContract) -> bool {
        if this.metadata.deletion_timestamp.is_some() {
            heir(this, &self.account, &self.index, &self.stores).is_some()
        } else {
            claimed(this, &self.account, &self.index, &self.stores).is_some()
        }
    }

    /// The resource itself as it is now.
    fn now(&self) -> Option<Arc<Guarded<BillingContract>>> {
        let namespace = self.this.namespace.as_deref().unwrap_or_default();
        let found = self.stores.contracts.get(&ObjectRef::new(&self.this.name).within(namespace));
        found.filter(|found| self.asking.is(found.meta().uid.as_deref()))
    }
}

impl Others for OthersOf {
    fn holder(&self, sought: Sought<'_>) -> Holder {
        let found = self.index.marked(&claims::marks_of(&sought), &self.this);
        let others = found.iter().filter_map(|other| other.readable());
        // What is on record by its ID is the same contract by whichever address.
        let mut others = others.filter(|other| {
            account(other, &self.stores).as_deref() == Some(&self.account)
                || claims::holds(other, sought.contract_id)
        });
        match claims::keeper(&self.asking, &sought, &mut others) {
            Some(keeper) => {
                Holder::Resource(format!("{}/{}", keeper.namespace().unwrap_or_default(), keeper.name_any()))
            }
            None if is_out_of_sight(&sought, self.scope.as_deref()) => Holder::OutOfSight,
            None => Holder::Nobody,
        }
    }

    fn is_there(&self) -> bool {
        self.now().is_some()
    }

    fn is_as_meant(&self) -> bool {
        let found = self.now();
        let Some(now) = found.as_ref().and_then(|found| found.readable()) else { return false };
        Meant::of(now, &self.approvals, &self.stores) == self.meant && !self.is_anothers(now)
    }

    fn departed(&self, customer: &[&str]) -> Vec<Departed> {
        let gone = self.index.departed(&self.index.names(&self.account, customer), clock::now());
        // Of one that never came to a status, and whose provider went with it, the account is not known.
        let is_ours = |found: &BillingContract| {
            account(found, &self.stores).is_none_or(|account| account == self.account)
        };
        // One of the same name has the same key, which the API takes once.
        let is_other = |found: &BillingContract| ObjectRef::from_obj(found) != self.this;
        let readable = gone.iter().filter_map(|(at, object)| Some((*at, object.readable()?)));
        let ours = readable.filter(|(_, found)| is_ours(found) && is_other(found));
        ours.map(|(at, found)| claims::departed(found, at)).collect()
    }

    fn siblings(&self, customer: &[&str]) -> Vec<Sibling> {
        let names = self.index.names(&self.account, customer);
        let marks: Vec<_> = names.into_iter().map(Subject::Of).collect();
        let found = self.index.marked(&marks, &self.this);
        let others = found.iter().filter_map(|other| other.readable());
        let ours = others.filter(|other| account(other, &self.stores).as_deref() == Some(&self.account));
        ours.map(|other| claims::sibling(&self.asking, other)).collect()
    }

    fn unseen_until(&self) -> Option<DateTime<Utc>> {
        self.index.unseen_until()
    }

    fn share(&self, customer: &str) -> bool {
        let found = self.index.marked(&[Subject::Customer(customer.to_owned())], &self.this);
        let mut others = found.iter().filter_map(|other| other.readable());
        others.any(|other| account(other, &self.stores).as_deref() == Some(&self.account))
    }
}

/// Whether a contract may be held by what this operator does not see.
fn is_out_of_sight(sought: &Sought<'_>, scope: Option<&str>) -> bool {
    scope.is_some_and(|scope| sought.place.is_none_or(|(namespace, _)| namespace != scope))
}

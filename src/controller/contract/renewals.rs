//! Contracts that renew each other: whoever waits for the other's contract, or for its link, is looked at as soon as it is
//! there. Knows nothing of billing APIs.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::wakes::Wakes;
use crate::{
    api::BillingContract,
    controller::{Guarded, ObjectId, decoded},
    protocol::references::NotRenewable,
};

type Reference = ObjectRef<Guarded<BillingContract>>;

/// Contracts that wait for another's contract.
pub struct Renewals {
    store: Store<Guarded<BillingContract>>,
    /// Those that wait, by the one that they renew.
    waiting: Mutex<HashMap<Reference, HashSet<Reference>>>,
    wakes: Wakes,
}

impl Renewals {
    /// Nobody waits yet.
    #[must_use]
    pub fn new(store: Store<Guarded<BillingContract>>, wakes: Wakes) -> Self {
        Self { store, waiting: Mutex::default(), wakes }
    }

    /// ID of the contract that the resource has which another renews.
    ///
    /// # Errors
    /// Why there is none; the other is looked at again when there is one. `near` finds names like the one that leads nowhere.
    pub fn renewed(
        &self,
        contract: &BillingContract,
        name: &str,
        near: impl Fn(&str) -> Vec<String>,
    ) -> Result<String, NotRenewable> {
        let reference = sibling(contract, name);
        // Held while the cache is asked, so that a change in between still finds who waits.
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.store.get(&reference);
        let renewed = found.as_ref().and_then(|found| decoded(found).ok());
        let api = contract.spec.api();
        if let Some(renewed) = renewed.filter(|renewed| renewed.spec.api() != api) {
            return Err(NotRenewable::OfAnotherApi(renewed.spec.api().map(|api| api.to_string())));
        }
        if let Some(id) = renewed.and_then(|renewed| renewed.status.as_ref()?.contract_id.clone()) {
            return Ok(id);
        }
        waiting.entry(reference).or_default().insert(sibling(contract, &contract.name_any()));
        Err(if renewed.is_some() { NotRenewable::WithoutContract } else { NotRenewable::Missing(near(name)) })
    }

    /// Hears of a change of a contract.
    pub fn changed(&self, contract: &BillingContract) {
        if contract.status.as_ref().is_none_or(|status| status.contract_id.is_none()) {
            return;
        }
        let this = sibling(contract, &contract.name_any());
        let mut due =
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&this).unwrap_or_default();
        let renewed = contract.spec.renews().map(|name| sibling(contract, name));
        due.extend(renewed.filter(|renewed| self.lacks_link(renewed)));
        for reference in due {
            self.wakes.wake(reference, &self.store);
        }
    }

    /// Whether a contract's status does not name the contract that renews it yet.
    fn lacks_link(&self, renewed: &Reference) -> bool {
        let found: Option<Arc<_>> = self.store.get(renewed);
        let renewed = found.as_ref().and_then(|found| decoded(found).ok());
        renewed.and_then(|renewed| renewed.status.as_ref()).is_some_and(|status| status.renewed_by.is_none())
    }
}

fn sibling(contract: &BillingContract, name: &str) -> Reference {
    ObjectRef::new(name).within(&ObjectId::of(contract).namespace)
}

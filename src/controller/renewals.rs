//! Contracts that renew each other: whoever waits for the other's contract, or for its link, is looked at as soon as it is
//! there.
//!
//! Knows nothing of billing APIs.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use kube::{Resource, ResourceExt, runtime::reflector::ObjectRef};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Context, Guarded, decoded};
use crate::api::BillingContract;

type Reference = ObjectRef<Guarded<BillingContract>>;

/// Who is to be looked at again.
pub struct Renewals {
    /// Those that wait, by the one that they renew.
    waiting: Mutex<HashMap<Reference, HashSet<Reference>>>,
    due: UnboundedSender<Reference>,
}

impl Renewals {
    /// The sender, and the contracts that are due.
    #[must_use]
    pub fn new() -> (Self, UnboundedReceiver<Reference>) {
        let (due, receiver) = unbounded_channel();
        (Self { waiting: Mutex::default(), due }, receiver)
    }

    /// ID of the contract that the resource has which another renews.
    ///
    /// # Errors
    /// Why there is none; the other is looked at again when there is one.
    pub fn renewed(
        &self,
        contract: &BillingContract,
        name: &str,
        context: &Context,
    ) -> Result<String, String> {
        let reference = sibling(contract, name);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let found = context.contract_store.get(&reference);
        let renewed = found.as_ref().and_then(|found| decoded(found).ok());
        if renewed.is_some_and(|renewed| renewed.spec.metronome.is_none()) {
            return Err(format!(
                "BillingContract {name}, which this one renews, is not a contract with Metronome."
            ));
        }
        if let Some(id) = renewed.and_then(|renewed| renewed.status.as_ref()?.contract_id.clone()) {
            return Ok(id);
        }
        waiting.entry(reference).or_default().insert(sibling(contract, &contract.name_any()));
        let why = if renewed.is_some() { "has no contract yet" } else { "does not exist" };
        Err(format!("BillingContract {name}, which this one renews, {why}."))
    }

    /// Hears of a change of a contract.
    pub fn changed(&self, contract: &BillingContract, context: &Context) {
        if contract.status.as_ref().is_none_or(|status| status.contract_id.is_none()) {
            return;
        }
        let this = sibling(contract, &contract.name_any());
        let mut due =
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&this).unwrap_or_default();
        due.extend(renewed_by(contract).map(|name| sibling(contract, name)).filter(|renewed| {
            let found = context.contract_store.get(renewed);
            let renewed = found.as_ref().and_then(|found| decoded(found).ok());
            renewed
                .and_then(|renewed| renewed.status.as_ref())
                .is_some_and(|status| status.renewed_by.is_none())
        }));
        for reference in due {
            let found = context.contract_store.get(&reference);
            if let Some(uid) = found.and_then(|found| found.meta().uid.clone()) {
                context.contracts.wake(&uid);
            }
            if self.due.send(reference).is_err() {
                return;
            }
        }
    }
}

/// Name of the resource whose contract a contract renews.
fn renewed_by(contract: &BillingContract) -> Option<&str> {
    let transition = contract.spec.metronome.as_ref()?.transition.as_ref()?;
    Some(transition.from_contract_ref.as_ref()?.name.as_str())
}

fn sibling(contract: &BillingContract, name: &str) -> Reference {
    ObjectRef::new(name).within(&contract.namespace().unwrap_or_default())
}

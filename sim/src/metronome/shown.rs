//! Contracts as a call meets them: with what time has done to them since they were stored.

use std::collections::BTreeMap;

use chrono::Utc;

use super::call::Call;
use super::contract::{self, Contract, Missing};
use super::failure::Failure;
use super::value::Fields;
use super::{customers, settling};

/// The customer's contracts as the API shows them, oldest first, with the grants that time has made since.
pub(super) fn observe_all(call: &Call, customer: &str) -> Result<Vec<Contract>, Failure> {
    let mut contracts = Vec::new();
    for id in contract::observe_ids(&call.tx, customer)? {
        contracts.extend(observe(call, &id)?);
    }
    Ok(contracts)
}

/// The contract as the API shows it, with the grants that time has made since.
fn observe(call: &Call, id: &str) -> Result<Option<Contract>, Failure> {
    if call.tx.is_stale() {
        return Ok(contract::observe(&call.tx, id)?);
    }
    let Some(mut contract) = contract::find(&call.tx, id)? else { return Ok(None) };
    if settling::settle(&mut contract, call)? {
        contract.save(&call.tx)?;
    }
    Ok(Some(contract))
}

/// The contract that the body names, to be shown.
pub(super) fn named_to_show(call: &Call, missing: Missing) -> Result<Contract, Failure> {
    let (customer, id) = names(call);
    customers::require(call, customer).map_err(|_| missing.customer(customer))?;
    let contract = observe(call, id)?.filter(|contract| contract.customer_id == customer);
    contract.ok_or_else(|| missing.contract(id))
}

/// The contract that the body names, to be changed.
pub(super) fn named_to_change(call: &Call, missing: Missing) -> Result<Contract, Failure> {
    let (customer, id) = names(call);
    customers::require(call, customer).map_err(|_| missing.customer(customer))?;
    let contract = contract::find(&call.tx, id)?.filter(|contract| contract.customer_id == customer);
    let mut contract = contract.ok_or_else(|| missing.contract(id))?;
    settling::settle(&mut contract, call)?;
    Ok(contract)
}

fn names(call: &Call) -> (&str, &str) {
    let name = |field| call.body.text(field).unwrap_or_default();
    (name("customer_id"), name("contract_id"))
}

/// What a customer has beside its contracts, as the API shows it; nothing before the first.
pub(super) fn beside_to_show(call: &Call, customer: &str) -> Result<Option<Contract>, Failure> {
    observe(call, &contract::beside_id(customer))
}

/// What a customer has beside its contracts, to be changed.
pub(super) fn beside_to_change(call: &Call, customer: &str) -> Result<Contract, Failure> {
    let found = contract::find(&call.tx, &contract::beside_id(customer))?;
    let mut all = found.unwrap_or_else(|| none(call, customer));
    settling::settle(&mut all, call)?;
    Ok(all)
}

/// What a customer has beside its contracts before the first item.
fn none(call: &Call, customer: &str) -> Contract {
    Contract {
        id: contract::beside_id(customer),
        customer_id: customer.to_owned(),
        uniqueness_key: None,
        package_id: None,
        created_at: call.now,
        created_by: call.actor.clone(),
        recorded_at: Utc::now(),
        archived_at: None,
        renewed_by: None,
        terms: Fields::default(),
        initial: Fields::default(),
        edits: Vec::new(),
        invoices: BTreeMap::new(),
        issued: BTreeMap::new(),
        dropped: Vec::new(),
        granted: BTreeMap::new(),
        seats: BTreeMap::new(),
    }
}

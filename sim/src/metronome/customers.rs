//! A customer as it is kept, and the ways to find it: by id, by ingest alias.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::contract::Missing;
use super::failure::Failure;
use super::time;
use super::value::{Fields, Json};
use crate::store::{Collection, StoreError, Tx};

const CUSTOMERS: Collection<Customer> = Collection::new("metronome/customers");
/// Ids of customers by ingest alias.
const BY_ALIAS: Collection<String> = Collection::new("metronome/customer-aliases");

/// A customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) ingest_aliases: Vec<String>,
    pub(super) custom_fields: Fields,
    pub(super) salesforce_account_id: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) archived_at: Option<DateTime<Utc>>,
    /// Billing configurations as they are read.
    pub(super) billing: Vec<Fields>,
    /// Revenue system configurations as they are read.
    pub(super) revenue: Vec<Fields>,
}

impl Customer {
    /// The customer as a call that makes or changes it answers.
    pub(super) fn view(&self) -> Fields {
        let aliases: Vec<Json> = self.ingest_aliases.iter().map(|alias| Json::from(alias.as_str())).collect();
        Fields::default()
            .with("id", self.id.as_str())
            .with("external_id", self.ingest_aliases.first().unwrap_or(&self.id).as_str())
            .with("ingest_aliases", aliases)
            .with("name", self.name.as_str())
            .with("custom_fields", self.custom_fields.clone())
    }

    /// The customer as the API tells it alone or in a list.
    pub(super) fn detail(&self) -> Fields {
        let config = Fields::default().with("salesforce_account_id", self.salesforce_account_id.clone());
        self.view()
            .with("customer_config", config)
            .with("created_at", time::json(self.created_at))
            .with("updated_at", time::json(self.updated_at))
            .with("archived_at", self.archived_at.map(time::json))
    }

    /// Stores the customer.
    pub(super) fn save(&self, tx: &Tx) -> Result<(), StoreError> {
        tx.put(&CUSTOMERS, &self.id, self)
    }
}

/// The customer.
pub(super) fn require(call: &Call, id: &str) -> Result<Customer, Failure> {
    find(&call.tx, id)?.ok_or_else(|| Missing::V1.customer(id))
}

/// The customer, if there is one with that id.
pub(super) fn find(tx: &Tx, id: &str) -> Result<Option<Customer>, StoreError> {
    tx.get(&CUSTOMERS, id)
}

/// The customer as a read that may be behind has it.
pub(super) fn observe(tx: &Tx, id: &str) -> Result<Option<Customer>, StoreError> {
    tx.observe(&CUSTOMERS, id)
}

/// The customer that has the alias.
pub(super) fn with_alias(tx: &Tx, alias: &str) -> Result<Option<Customer>, StoreError> {
    match tx.get(&BY_ALIAS, alias)? {
        Some(id) => find(tx, &id),
        None => Ok(None),
    }
}

/// Every customer.
pub(super) fn all(tx: &Tx) -> Result<Vec<Customer>, StoreError> {
    Ok(tx.all(&CUSTOMERS)?.into_iter().map(|(_, customer)| customer).collect())
}

/// Changes and stores the customer.
pub(super) fn change(
    call: &Call,
    id: &str,
    apply: &dyn Fn(&mut Customer) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut customer = require(call, id)?;
    apply(&mut customer)?;
    customer.updated_at = call.now;
    Ok(customer.save(&call.tx)?)
}

/// Gives a customer the aliases in place of those it has.
pub(super) fn rename(call: &Call, customer: &mut Customer, aliases: Vec<String>) -> Result<(), Failure> {
    for alias in &aliases {
        if call.tx.get(&BY_ALIAS, alias)?.is_some_and(|owner| owner != customer.id) {
            return Err(Failure::conflict(format!("ingest alias {alias} is already in use")));
        }
    }
    for alias in &customer.ingest_aliases {
        call.tx.remove(&BY_ALIAS, alias)?;
    }
    for alias in &aliases {
        call.tx.put(&BY_ALIAS, alias, &customer.id)?;
    }
    customer.ingest_aliases = aliases;
    Ok(())
}

//! A contract as it is kept, and the ways to find it: by id, by customer, by uniqueness key, by the id of an item.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::seats::Seats;
use super::value::Fields;
use crate::store::{Collection, StoreError, Tx};

const CONTRACTS: Collection<Contract> = Collection::new("metronome/contracts");
/// Ids of contracts by customer, in the order of creation.
const BY_CUSTOMER: Collection<Vec<String>> = Collection::new("metronome/contracts-of");
/// Ids of contracts by the key they were created with, for ever.
const BY_KEY: Collection<String> = Collection::new("metronome/contract-keys");
/// Ids of contracts by the package they were made from, in the order of creation.
const BY_PACKAGE: Collection<Vec<String>> = Collection::new("metronome/contracts-on");
/// Ids of contracts by the id of one of their items.
const BY_ITEM: Collection<String> = Collection::new("metronome/contract-items");
/// What a contract was, by its id and the number of edits before.
const VERSIONS: Collection<Version> = Collection::new("metronome/contract-versions");

/// The state of an invoice that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Invoice {
    /// Sent, for good.
    Finalized,
    /// Sent, and taken back.
    Voided,
}

/// A contract with its history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Contract {
    pub(super) id: String,
    pub(super) customer_id: String,
    pub(super) uniqueness_key: Option<String>,
    pub(super) package_id: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) created_by: String,
    /// When it was really created: the simulator's clock may stand still.
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) archived_at: Option<DateTime<Utc>>,
    /// A later contract that took over, after which nothing can be edited.
    pub(super) renewed_by: Option<String>,
    /// What it says, in the form of the v2 read.
    pub(super) terms: Fields,
    /// What it said at first.
    pub(super) initial: Fields,
    /// Every edit, oldest first, in the form of the edit history.
    pub(super) edits: Vec<Fields>,
    /// Invoices by the key of what they are for: see [`super::invoices`].
    pub(super) invoices: BTreeMap<String, Invoice>,
    /// Invoices as they were issued, by the same keys.
    #[serde(default)]
    pub(super) issued: BTreeMap<String, Fields>,
    /// What the end of the contract dropped or shortened.
    #[serde(default)]
    pub(super) dropped: Vec<Fields>,
    /// How many grants each recurring commit or credit has made.
    pub(super) granted: BTreeMap<String, u32>,
    /// Who sits where, by the id of the subscription.
    pub(super) seats: BTreeMap<String, Seats>,
}

#[derive(Serialize, Deserialize)]
struct Version {
    /// Until when the contract was so.
    until: DateTime<Utc>,
    terms: Fields,
}

impl Contract {
    /// Whether the item's invoice can no longer be changed.
    pub(super) fn is_finalized(&self, item: &str) -> bool {
        self.invoices.get(item) == Some(&Invoice::Finalized)
    }

    /// Stores the contract; what it makes of a new one is [`insert`]'s work.
    pub(super) fn save(&self, tx: &Tx) -> Result<(), StoreError> {
        tx.put(&CONTRACTS, &self.id, self)
    }

    /// Stores what the contract says now as what it said until `until`.
    pub(super) fn remember(&self, tx: &Tx, until: DateTime<Utc>) -> Result<(), StoreError> {
        let version = Version { until, terms: self.terms.clone() };
        tx.put(&VERSIONS, &version_key(&self.id, self.edits.len()), &version)
    }

    /// What the contract said at a time.
    pub(super) fn terms_at(&self, tx: &Tx, at: DateTime<Utc>) -> Result<Fields, StoreError> {
        for edits in 0..=self.edits.len() {
            match tx.get(&VERSIONS, &version_key(&self.id, edits))? {
                Some(version) if at < version.until => return Ok(version.terms),
                _ => {}
            }
        }
        Ok(self.terms.clone())
    }
}

fn version_key(id: &str, edits: usize) -> String {
    format!("{id}/{edits:08}")
}

/// The contract, if there is one with that id.
pub(super) fn find(tx: &Tx, id: &str) -> Result<Option<Contract>, StoreError> {
    tx.get(&CONTRACTS, id)
}

/// How the ids of what customers have beside their contracts begin.
const BESIDE: &str = "beside ";

/// Id of what a customer has beside its contracts, which is kept as a contract is and shown as none.
pub(super) fn beside_id(customer: &str) -> String {
    format!("{BESIDE}{customer}")
}

/// Every contract, without what customers have beside theirs.
pub(super) fn all(tx: &Tx) -> Result<Vec<Contract>, StoreError> {
    Ok(all_with_beside(tx)?.into_iter().filter(|contract| !contract.id.starts_with(BESIDE)).collect())
}

/// Every contract, and what customers have beside theirs.
pub(super) fn all_with_beside(tx: &Tx) -> Result<Vec<Contract>, StoreError> {
    Ok(tx.all(&CONTRACTS)?.into_iter().map(|(_, contract)| contract).collect())
}

/// The contract that has an item with that id.
pub(super) fn of_item(tx: &Tx, item: &str) -> Result<Option<Contract>, StoreError> {
    match tx.get(&BY_ITEM, item)? {
        Some(id) => find(tx, &id),
        None => Ok(None),
    }
}

/// The id of the contract that was created with that key.
pub(super) fn with_key(tx: &Tx, key: &str) -> Result<Option<String>, StoreError> {
    tx.get(&BY_KEY, key)
}

/// Ids of a customer's contracts as the API shows them, oldest first.
pub(super) fn observe_ids(tx: &Tx, customer: &str) -> Result<Vec<String>, StoreError> {
    Ok(tx.observe(&BY_CUSTOMER, customer)?.unwrap_or_default())
}

/// The contract as a read that may be behind has it.
pub(super) fn observe(tx: &Tx, id: &str) -> Result<Option<Contract>, StoreError> {
    tx.observe(&CONTRACTS, id)
}

/// Stores a new contract with all that leads to it.
pub(super) fn insert(tx: &Tx, contract: &Contract) -> Result<(), StoreError> {
    contract.save(tx)?;
    list_under(tx, &BY_CUSTOMER, &contract.customer_id, &contract.id)?;
    if let Some(package) = &contract.package_id {
        list_under(tx, &BY_PACKAGE, package, &contract.id)?;
    }
    if let Some(key) = &contract.uniqueness_key {
        tx.put(&BY_KEY, key, &contract.id)?;
    }
    Ok(())
}

fn list_under(tx: &Tx, lists: &Collection<Vec<String>>, key: &str, id: &str) -> Result<(), StoreError> {
    let mut ids = tx.get(lists, key)?.unwrap_or_default();
    if !ids.iter().any(|known| known == id) {
        ids.push(id.to_owned());
        tx.put(lists, key, &ids)?;
    }
    Ok(())
}

/// The contracts made from a package, oldest first.
pub(super) fn on_package(tx: &Tx, package: &str) -> Result<Vec<Contract>, StoreError> {
    let ids = tx.get(&BY_PACKAGE, package)?.unwrap_or_default();
    ids.iter().filter_map(|id| find(tx, id).transpose()).collect()
}

/// Remembers whose an item is.
pub(super) fn index_item(tx: &Tx, item: &str, contract: &str) -> Result<(), StoreError> {
    tx.put(&BY_ITEM, item, &contract.to_owned())
}

/// What a call that names a contract and its customer answers when either is missing.
#[derive(Clone, Copy)]
pub(super) enum Missing {
    /// 404, as v1 does.
    V1,
    /// 400 with a code, as reading through v2 does.
    V2,
    /// 404 with a code for the customer, 400 with one for the contract, as editing does.
    Edit,
}

impl Missing {
    /// The answer when the customer is missing.
    pub(super) fn customer(self, id: &str) -> Failure {
        let message = format!("Customer {id} not found");
        match self {
            Self::V1 => Failure::not_found(message),
            Self::V2 => Failure::missing("CustomerNotFound", message),
            Self::Edit => Failure::gone(message),
        }
    }

    /// The answer when the customer has no such contract.
    pub(super) fn contract(self, id: &str) -> Failure {
        let message = format!("Contract {id} not found");
        match self {
            Self::V1 => Failure::not_found(message),
            Self::V2 | Self::Edit => Failure::missing("ContractNotFound", message),
        }
    }
}

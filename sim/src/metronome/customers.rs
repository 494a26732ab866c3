//! Customers: their names, ingest aliases, custom fields and billing configurations.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::call::{Answer, Call};
use super::contract::{self, Missing};
use super::failure::Failure;
use super::schedules::fresh;
use super::value::{Fields, Json};
use super::{billing, contract_calls, custom_fields, paging, time};
use crate::store::{Collection, StoreError, Tx};

const CUSTOMERS: Collection<Customer> = Collection::new("metronome/customers");
/// Ids of customers by ingest alias.
const BY_ALIAS: Collection<String> = Collection::new("metronome/customer-aliases");

/// The longest name, in characters; the rest is cut off.
const LONGEST_NAME: usize = 160;
/// The longest alias, in characters.
const LONGEST_ALIAS: usize = 128;

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
    fn view(&self) -> Fields {
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

    fn save(&self, tx: &Tx) -> Result<(), StoreError> {
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

/// Makes a customer, or makes it anew, under a chosen id.
pub(super) fn make(call: &Call, id: String) -> Result<Customer, Failure> {
    let body = &call.body;
    let before = find(&call.tx, &id)?;
    let mut customer = Customer {
        name: cut(body.text("name").unwrap_or_default()),
        ingest_aliases: before.as_ref().map(|customer| customer.ingest_aliases.clone()).unwrap_or_default(),
        custom_fields: body.object("custom_fields").cloned().unwrap_or_default(),
        salesforce_account_id: None,
        created_at: before.as_ref().map_or(call.now, |customer| customer.created_at),
        updated_at: call.now,
        archived_at: None,
        billing: Vec::new(),
        revenue: Vec::new(),
        id,
    };
    custom_fields::check(call, "customer", &customer.id, Some(&customer.custom_fields))?;
    let aliases = aliases(body)?;
    billing::add_all(&mut customer, body);
    rename(call, &mut customer, aliases)?;
    custom_fields::claim(call, "customer", &customer.id, Some(&customer.custom_fields))?;
    customer.save(&call.tx)?;
    Ok(customer)
}

fn cut(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

fn aliases(body: &Fields) -> Result<Vec<String>, Failure> {
    let mut aliases: Vec<String> = body.texts("ingest_aliases").map(str::to_owned).collect();
    aliases.extend(body.text("external_id").filter(|_| aliases.is_empty()).map(str::to_owned));
    aliases.dedup();
    match aliases.iter().find(|alias| alias.is_empty() || alias.chars().count() > LONGEST_ALIAS) {
        Some(_) => {
            Err(Failure::bad_request(format!("ingest_aliases: each has 1 to {LONGEST_ALIAS} characters")))
        }
        None => Ok(aliases),
    }
}

/// Gives a customer the aliases in place of those it has.
fn rename(call: &Call, customer: &mut Customer, aliases: Vec<String>) -> Result<(), Failure> {
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

/// `POST /v1/customers`
pub(super) fn create(call: &Call) -> Result<Answer, Failure> {
    Ok(Answer::data(make(call, fresh())?.view()))
}

/// `GET /v1/customers/{customer_id}`
pub(super) fn get(call: &Call) -> Result<Answer, Failure> {
    let customer = call.tx.observe(&CUSTOMERS, call.path("customer_id"))?;
    customer
        .map(|customer| Answer::data(customer.detail()))
        .ok_or_else(|| Missing::V1.customer(call.path("customer_id")))
}

/// `GET /v1/customers`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    let parameter = |name| call.query.get(name).map(String::as_str).filter(|value: &&str| !value.is_empty());
    let ids = parameter("customer_ids").map(|ids| ids.split(',').collect::<Vec<_>>());
    let sales = parameter("salesforce_account_ids").map(|ids| ids.split(',').collect::<Vec<_>>());
    let archived = parameter("only_archived") == Some("true");
    let customers = match parameter("ingest_alias") {
        Some(alias) => match call.tx.get(&BY_ALIAS, alias)? {
            Some(id) => find(&call.tx, &id)?.into_iter().collect(),
            None => Vec::new(),
        },
        None => all(&call.tx)?,
    };
    let wanted = |customer: &Customer| {
        let account = customer.salesforce_account_id.as_deref();
        customer.archived_at.is_some() == archived
            && ids.as_ref().is_none_or(|ids| ids.contains(&customer.id.as_str()))
            && sales.as_ref().is_none_or(|ids| account.is_some_and(|account| ids.contains(&account)))
    };
    let customers =
        customers.into_iter().filter(wanted).map(|customer| (customer.id.clone(), customer.detail()));
    Ok(paging::by_query(call, customers.collect(), 100)?.answer())
}

/// `POST /v1/customers/archive`: archives the contracts as well and voids their invoices; aliases stay taken.
pub(super) fn archive(call: &Call) -> Result<Answer, Failure> {
    let id = call.body.text("id").unwrap_or_default();
    if require(call, id)?.archived_at.is_some() {
        return Err(Failure::unprocessable("already archived"));
    }
    for mut contract in contract::observe_all(call, id)? {
        if contract.archived_at.is_none() {
            contract_calls::close(call, &mut contract)?;
        }
    }
    change(call, id, &|customer| {
        customer.archived_at = Some(call.now);
        Ok(())
    })?;
    Ok(Answer::data(Fields::default().with("id", id)))
}

/// `POST /v1/customers/{customer_id}/setIngestAliases`
pub(super) fn set_ingest_aliases(call: &Call) -> Result<Answer, Failure> {
    let aliases = aliases(&call.body)?;
    change(call, call.path("customer_id"), &|customer| rename(call, customer, aliases.clone()))?;
    Ok(Answer::Empty)
}

/// `POST /v1/customers/{customer_id}/setName`
pub(super) fn set_name(call: &Call) -> Result<Answer, Failure> {
    change(call, call.path("customer_id"), &|customer| {
        customer.name = cut(call.body.text("name").unwrap_or_default());
        Ok(())
    })?;
    Ok(Answer::data(require(call, call.path("customer_id"))?.view()))
}

/// `POST /v1/customers/{customer_id}/updateConfig`
pub(super) fn update_config(call: &Call) -> Result<Answer, Failure> {
    change(call, call.path("customer_id"), &|customer| {
        if call.body.get("salesforce_account_id").is_some() {
            customer.salesforce_account_id = call.body.text("salesforce_account_id").map(str::to_owned);
        }
        Ok(())
    })?;
    Ok(Answer::Empty)
}

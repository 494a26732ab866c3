//! Customers made, got, listed, changed and archived.

use super::call::{Answer, Call};
use super::contract::Missing;
use super::customers::{self, Customer};
use super::failure::Failure;
use super::schedules::fresh;
use super::value::Fields;
use super::{billing, contract_calls, custom_fields, paging, shown};

/// The longest name, in characters; the rest is cut off.
const LONGEST_NAME: usize = 160;
/// The longest alias, in characters.
const LONGEST_ALIAS: usize = 128;

/// Makes a customer, or makes it anew, under a chosen id.
pub(super) fn make(call: &Call, id: String) -> Result<Customer, Failure> {
    let body = &call.body;
    let before = customers::find(&call.tx, &id)?;
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
    customers::rename(call, &mut customer, aliases)?;
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

/// `POST /v1/customers`
pub(super) fn create(call: &Call) -> Result<Answer, Failure> {
    Ok(Answer::data(make(call, fresh())?.view()))
}

/// `GET /v1/customers/{customer_id}`
pub(super) fn get(call: &Call) -> Result<Answer, Failure> {
    let customer = customers::observe(&call.tx, call.path("customer_id"))?;
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
        Some(alias) => customers::with_alias(&call.tx, alias)?.into_iter().collect(),
        None => customers::all(&call.tx)?,
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
    if customers::require(call, id)?.archived_at.is_some() {
        return Err(Failure::unprocessable("already archived"));
    }
    for mut contract in shown::observe_all(call, id)? {
        if contract.archived_at.is_none() {
            contract_calls::close(call, &mut contract)?;
        }
    }
    customers::change(call, id, &|customer| {
        customer.archived_at = Some(call.now);
        Ok(())
    })?;
    Ok(Answer::data(Fields::default().with("id", id)))
}

/// `POST /v1/customers/{customer_id}/setIngestAliases`
pub(super) fn set_ingest_aliases(call: &Call) -> Result<Answer, Failure> {
    let aliases = aliases(&call.body)?;
    customers::change(call, call.path("customer_id"), &|customer| {
        customers::rename(call, customer, aliases.clone())
    })?;
    Ok(Answer::Empty)
}

/// `POST /v1/customers/{customer_id}/setName`
pub(super) fn set_name(call: &Call) -> Result<Answer, Failure> {
    customers::change(call, call.path("customer_id"), &|customer| {
        customer.name = cut(call.body.text("name").unwrap_or_default());
        Ok(())
    })?;
    Ok(Answer::data(customers::require(call, call.path("customer_id"))?.view()))
}

/// `POST /v1/customers/{customer_id}/updateConfig`
pub(super) fn update_config(call: &Call) -> Result<Answer, Failure> {
    customers::change(call, call.path("customer_id"), &|customer| {
        if call.body.get("salesforce_account_id").is_some() {
            customer.salesforce_account_id = call.body.text("salesforce_account_id").map(str::to_owned);
        }
        Ok(())
    })?;
    Ok(Answer::Empty)
}

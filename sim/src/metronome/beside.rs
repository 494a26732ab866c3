//! Commits and credits of a customer, which belong to none of its contracts: made by calls of their own with a uniqueness
//! key that is taken once, and ended early.
//!
//! They are kept as the items of a contract are, in one that is shown nowhere, so that edits, custom fields and invoices
//! treat both alike.

use super::call::{Answer, Call};
use super::contract::{self, Missing};
use super::failure::Failure;
use super::minting::Mint;
use super::switches::{Admission, ContractKeys};
use super::value::Fields;
use super::{contract_calls, customers, ending, rules, settling, shown, time};
use crate::store::Collection;

/// Ids of the items by the key that they were made with, for ever.
const BY_KEY: Collection<String> = Collection::new("metronome/customer-balance-keys");

/// `POST /v1/contracts/customerCommits/create`
pub(super) fn create_commit(call: &Call) -> Result<Answer, Failure> {
    let body = &call.body;
    let invoice = body.object("invoice_schedule");
    let is_invoiced = invoice.is_some_and(|schedule| schedule.flag("do_not_invoice") != Some(true));
    if (is_invoiced || body.text("type") == Some("POSTPAID")) && !body.has("invoice_contract_id") {
        return Err(Failure::bad_request("invoice_contract_id: is required where the commit is invoiced"));
    }
    if let Some(id) = body.text("invoice_contract_id") {
        let customer = body.text("customer_id").unwrap_or_default();
        let is_its = match contract::find(&call.tx, id)? {
            Some(contract) => contract.customer_id == customer,
            None => call.settings.metronome_unknown_ids == Admission::Accept,
        };
        if !is_its {
            return Err(Failure::not_found(format!("Contract {id} not found")));
        }
    }
    create(call, "commits", commit)
}

/// `POST /v1/contracts/customerCredits/create`
pub(super) fn create_credit(call: &Call) -> Result<Answer, Failure> {
    create(call, "credits", credit)
}

fn commit(mint: &mut Mint<'_>, sent: &Fields) -> Result<Fields, Failure> {
    mint.commit(sent)
}

fn credit(mint: &mut Mint<'_>, sent: &Fields) -> Result<Fields, Failure> {
    mint.credit(sent)
}

fn create(
    call: &Call,
    list: &str,
    make: impl Fn(&mut Mint<'_>, &Fields) -> Result<Fields, Failure>,
) -> Result<Answer, Failure> {
    let body = &call.body;
    let customer = body.text("customer_id").unwrap_or_default();
    customers::require(call, customer).map_err(|_| Missing::V1.customer(customer))?;
    let key = rules::uniqueness_key(body)?;
    if let Some(key) = key
        && let Some(owner) = call.tx.get(&BY_KEY, key)?
    {
        return Err(Failure::key_taken(&owner, call.settings.metronome_conflict));
    }
    rules::gated(body, call.settings.metronome_gated_fields)?;
    let mut all = shown::beside_to_change(call, customer)?;
    let mut mint = Mint::new(call, &all.id, call.now, &all.terms);
    let mut item = make(&mut mint, body)?;
    item.take("contract");
    item.copy(body, &["applicable_contract_ids", "salesforce_opportunity_id"]);
    if let Some(key) = key {
        let told = match call.settings.metronome_contract_keys {
            ContractKeys::Plain => key.to_owned(),
            ContractKeys::Prefixed => format!("commit:{key}"),
        };
        item.set("uniqueness_key", told);
    }
    if let Some(id) = body.text("invoice_contract_id") {
        item.set("invoice_contract", Fields::default().with("id", id));
    }
    let id = item.text("id").unwrap_or_default().to_owned();
    all.terms.extend(list, [item]);
    contract_calls::keep(call, &all.id, &mint.made)?;
    if let Some(key) = key {
        call.tx.put(&BY_KEY, key, &id)?;
    }
    settling::settle(&mut all, call)?;
    all.save(&call.tx)?;
    Ok(Answer::data(Fields::default().with("id", id)))
}

/// `POST /v1/contracts/customerCommits/updateEndDate`
pub(super) fn end_commit(call: &Call) -> Result<Answer, Failure> {
    end(call, "commits", "commit_id")
}

/// `POST /v1/contracts/customerCredits/updateEndDate`
pub(super) fn end_credit(call: &Call) -> Result<Answer, Failure> {
    end(call, "credits", "credit_id")
}

fn end(call: &Call, list: &str, id_field: &str) -> Result<Answer, Failure> {
    let body = &call.body;
    let customer = body.text("customer_id").unwrap_or_default();
    customers::require(call, customer).map_err(|_| Missing::V1.customer(customer))?;
    let id = body.text(id_field).unwrap_or_default();
    let mut all = shown::beside_to_change(call, customer)?;
    let missing = || Failure::not_found(format!("{id_field} {id} not found"));
    let mut item = all.terms.item(list, id).cloned().ok_or_else(missing)?;
    if item.text("type") == Some("POSTPAID") {
        return Err(Failure::bad_request("only PREPAID commits can be ended"));
    }
    if let Some(at) = time::of(body, "access_ending_before") {
        let access = item.object("access_schedule").cloned().unwrap_or_default();
        let parts = || access.objects("schedule_items");
        if parts().all(|part| time::of(part, "ending_before").is_some_and(|end| end < at)) {
            return Err(Failure::bad_request("access_ending_before: can only end the access earlier"));
        }
        if parts().all(|part| time::of(part, "starting_at").is_some_and(|start| start >= at)) {
            return Err(Failure::bad_request("access_ending_before: must be after the access begins"));
        }
        ending::end_early(&all, &mut item, "access_schedule", at);
    }
    if let Some(at) = time::of(body, "invoices_ending_before") {
        ending::end_early(&all, &mut item, "invoice_schedule", at);
    }
    *all.terms.item_mut(list, id).ok_or_else(missing)? = item;
    settling::settle(&mut all, call)?;
    all.save(&call.tx)?;
    Ok(Answer::data(Fields::default().with("id", id)))
}

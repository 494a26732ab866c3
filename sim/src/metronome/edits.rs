//! Edits of a contract: what may be edited, one edit as a whole, and the history.
//!
//! An edit is all or nothing: it is carried out on a copy, which replaces the contract at the end.

use super::call::{Answer, Call};
use super::changes;
use super::contract::{self, Contract, Missing};
use super::failure::Failure;
use super::minting::Mint;
use super::schedules::fresh;
use super::switches::{Editing, EmptyEdit, WriteReply};
use super::value::{Fields, Json};
use super::{billing, contract_calls, customers, ending, rules, settling, shown, time};
use crate::store::Collection;

/// Ids of edits by the key they were made with, for ever.
const BY_KEY: Collection<String> = Collection::new("metronome/edit-keys");

/// `POST /v2/contracts/edit`
pub(super) fn edit(call: &Call) -> Result<Answer, Failure> {
    let mut contract = shown::named_to_change(call, Missing::Edit)?;
    may_edit(call, &contract)?;
    let key = rules::uniqueness_key(&call.body)?;
    if let Some(key) = key
        && let Some(owner) = call.tx.get(&BY_KEY, key)?
    {
        let (status, tell) = (call.settings.metronome_edit_key, call.settings.metronome_conflict);
        return Err(Failure::edit_key_taken(&owner, status, tell));
    }
    rules::gated(&call.body, call.settings.metronome_gated_fields)?;
    let not_changes =
        ["contract_id", "customer_id", "uniqueness_key", "allow_contract_ending_before_finalized_invoice"];
    let empty = call.body.iter().all(|(name, _)| not_changes.contains(&name));
    if empty && call.settings.metronome_empty_edit == EmptyEdit::Reject {
        return Err(Failure::bad_request("the edit changes nothing"));
    }

    let before = contract.clone();
    let mut mint = Mint::new(call, &contract.id, starting_at(&contract), &contract.terms);
    let edit = apply(call, &mut contract, &mut mint)?;
    contract.seats.extend(std::mem::take(&mut mint.seats));
    let edit = finish(call, &before, &mut contract, edit, key)?;
    contract_calls::keep(call, &contract.id, &mint.made)?;
    let mut data = Fields::default();
    data.copy(&edit, &["id"]);
    if call.settings.metronome_reply == WriteReply::Full {
        data.set("edit", edit);
    }
    Ok(Answer::data(data))
}

fn starting_at(contract: &Contract) -> chrono::DateTime<chrono::Utc> {
    time::of(&contract.terms, "starting_at").unwrap_or(contract.created_at)
}

fn may_edit(call: &Call, contract: &Contract) -> Result<(), Failure> {
    const ASK: &str = "Contract editing is not enabled for this account; contact support";
    match call.settings.metronome_editing {
        Editing::Enabled => {}
        Editing::Off403 => return Err(Failure::forbidden(ASK)),
        Editing::Off400 => return Err(Failure::bad_request(ASK)),
    }
    if contract.archived_at.is_some() {
        return Err(Failure::bad_request("the contract is archived and can't be edited"));
    }
    if contract.renewed_by.is_some() {
        return Err(Failure::bad_request("the contract was renewed and can't be edited"));
    }
    Ok(())
}

/// Carries out all verbs of an edit, those that take away first; answers the edit as the history tells it.
fn apply(call: &Call, contract: &mut Contract, mint: &mut Mint<'_>) -> Result<Fields, Failure> {
    let body = &call.body;
    let mut edit = Fields::default();
    changes::archive_items(call, contract, body)?;
    edit.copy(body, &["archive_commits", "archive_credits", "archive_scheduled_charges"]);
    edit.copy(body, &["archive_spend_trackers", "remove_overrides"]);

    let mut added = contract_calls::add(mint, &mut contract.terms, body, "add_")?;
    added.rename("add_professional_services", "add_pro_services");
    rules::trackers(&contract.terms)?;
    for (name, value) in added {
        edit.set(&name, value);
    }
    for (name, value) in changes::update_items(call, contract, body)? {
        edit.set(&name, value);
    }
    for (name, value) in changes::thresholds(contract, mint, body)? {
        edit.set(&name, value);
    }

    let customer = customers::require(call, &contract.customer_id)?;
    if let Some(update) = body.object("add_billing_provider_configuration_update") {
        billing::switch(call, &customer, &mut contract.terms, update)?;
    }
    if let Some(update) = body.object("add_revenue_system_configuration_update") {
        billing::add_revenue(call, &customer, &mut contract.terms, update)?;
    }
    edit.copy(
        body,
        &["add_billing_provider_configuration_update", "add_revenue_system_configuration_update"],
    );

    for (verb, field) in
        [("update_contract_name", "name"), ("update_net_payment_terms_days", "net_payment_terms_days")]
    {
        if let Some(value) = body.get(verb) {
            contract.terms.set_or_clear(field, value);
            edit.set(verb, value.clone());
        }
    }
    if let Some(end) = body.get("update_contract_end_date") {
        let allowed = body.flag("allow_contract_ending_before_finalized_invoice") != Some(false);
        ending::set(contract, end, allowed)?;
        edit.set("update_contract_end_date", end.clone());
    }
    ending::hold(call, contract)?;
    Ok(edit)
}

/// Stores an edited contract and its edit, which gets its id and time here.
fn finish(
    call: &Call,
    before: &Contract,
    contract: &mut Contract,
    edit: Fields,
    key: Option<&str>,
) -> Result<Fields, Failure> {
    let mut edit = edit.with("id", fresh()).with("timestamp", time::json(call.now));
    if let Some(key) = key {
        edit.set("uniqueness_key", key);
        call.tx.put(&BY_KEY, key, &edit.text("id").unwrap_or_default().to_owned())?;
    }
    before.remember(&call.tx, call.now)?;
    settling::settle(contract, call)?;
    contract.edits.push(edit.clone());
    contract.save(&call.tx)?;
    Ok(edit)
}

/// `POST /v2/contracts/commits/edit`
pub(super) fn edit_commit(call: &Call) -> Result<Answer, Failure> {
    edit_balance(call, "commits", "commit_id", "update_commits")
}

/// `POST /v2/contracts/credits/edit`
pub(super) fn edit_credit(call: &Call) -> Result<Answer, Failure> {
    edit_balance(call, "credits", "credit_id", "update_credits")
}

fn edit_balance(call: &Call, list: &str, id_field: &str, verb: &str) -> Result<Answer, Failure> {
    let customer = call.body.text("customer_id").unwrap_or_default();
    customers::require(call, customer).map_err(|_| Missing::Edit.customer(customer))?;
    let id = call.body.text(id_field).unwrap_or_default();
    let found = contract::of_item(&call.tx, id)?;
    let found =
        found.filter(|contract| contract.customer_id == customer && contract.terms.item(list, id).is_some());
    let mut contract = found.ok_or_else(|| Failure::gone(format!("{id_field} {id} not found")))?;
    may_edit(call, &contract)?;
    settling::settle(&mut contract, call)?;
    let before = contract.clone();
    let mut update = call.body.clone();
    update.take("customer_id");
    let shown = changes::update_balance(call, &mut contract, list, id_field, &update)?;
    ending::hold(call, &mut contract)?;
    finish(call, &before, &mut contract, Fields::default().with(verb, vec![Json::from(shown)]), None)?;
    Ok(Answer::data(Fields::default().with("id", id)))
}

/// `POST /v1/contracts/updateEndDate`
pub(super) fn update_end_date(call: &Call) -> Result<Answer, Failure> {
    let mut contract = shown::named_to_change(call, Missing::V1)?;
    if contract.archived_at.is_some() {
        return Err(Failure::bad_request("the contract is archived"));
    }
    let before = contract.clone();
    let end = call.body.get("ending_before").cloned().unwrap_or_default();
    ending::set(&mut contract, &end, call.body.flag("allow_ending_before_finalized_invoice") != Some(false))?;
    finish(call, &before, &mut contract, Fields::default().with("update_contract_end_date", end), None)?;
    Ok(Answer::data(Fields::default().with("id", contract.id)))
}

/// `POST /v1/contracts/setUsageFilter`
pub(super) fn set_usage_filter(call: &Call) -> Result<Answer, Failure> {
    let mut contract = shown::named_to_change(call, Missing::V1)?;
    if contract.archived_at.is_some() {
        return Err(Failure::bad_request("the contract is archived"));
    }
    let before = contract.clone();
    let mut segment = Fields::default();
    segment.copy(&call.body, &["group_key", "group_values", "starting_at"]);
    let start = time::of(&segment, "starting_at");
    if start < time::of(&contract.terms, "starting_at") {
        return Err(Failure::bad_request("starting_at: must not be before the contract starts"));
    }
    // A filter that would begin at the same time or later gives way.
    contract.terms.retain("usage_filter", |filter| time::of(filter, "starting_at") < start);
    if let Some(last) = contract.terms.objects_mut("usage_filter").last() {
        last.set("ending_before", segment.get("starting_at").cloned().unwrap_or_default());
    }
    contract.terms.extend("usage_filter", [segment.clone()]);
    finish(
        call,
        &before,
        &mut contract,
        Fields::default().with("add_usage_filters", vec![Json::from(segment)]),
        None,
    )?;
    Ok(Answer::Empty)
}

/// `POST /v2/contracts/getEditHistory`
pub(super) fn history(call: &Call) -> Result<Answer, Failure> {
    let contract = shown::named_to_show(call, Missing::V2)?;
    Ok(Answer::data(contract.edits.into_iter().map(Json::from).collect::<Vec<_>>()))
}

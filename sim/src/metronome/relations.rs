//! What ties a contract to others: the one it renews, the one above it; and resellers, who are others as well.

use bigdecimal::{BigDecimal, Zero as _};

use super::call::Call;
use super::contract::{self, Contract};
use super::failure::Failure;
use super::schedules::fresh;
use super::switches::Renewal;
use super::value::{Fields, Json};
use super::{decimal, time};

/// Ties a new contract to the contracts that the request names, and those to it.
pub(super) fn link(call: &Call, contract: &mut Contract, body: &Fields) -> Result<(), Failure> {
    let from = body.object("transition").and_then(|transition| transition.text("from_contract_id"));
    let from = from.map(|id| other(call, id)).transpose()?;
    if from.as_ref().is_some_and(|from| from.customer_id != contract.customer_id) {
        return Err(Failure::bad_request("from_contract_id: is a contract of another customer"));
    }
    if let Some(sent) = body.object("hierarchy_configuration") {
        if let Some(parent) = sent.object("parent") {
            make_child(call, contract, sent, parent)?;
        } else {
            let mut shown = Fields::default().with("children", Vec::new());
            shown.copy(sent, &["parent_behavior"]);
            contract.terms.set("hierarchy_configuration", shown);
        }
    }
    match from {
        Some(from) => renew(call, contract, from),
        None => Ok(()),
    }
}

fn other(call: &Call, id: &str) -> Result<Contract, Failure> {
    contract::find(&call.tx, id)?.ok_or_else(|| Failure::bad_request(format!("contract {id} not found")))
}

fn make_child(call: &Call, contract: &mut Contract, sent: &Fields, parent: &Fields) -> Result<(), Failure> {
    let mut above = other(call, parent.text("contract_id").unwrap_or_default())?;
    if parent.text("customer_id") != Some(&above.customer_id) {
        return Err(Failure::bad_request("parent: the contract is not one of that customer"));
    }
    let mut shown = Fields::default();
    shown.copy(sent, &["parent", "payer", "usage_statement_behavior"]);
    contract.terms.set("hierarchy_configuration", shown);
    let child = Fields::default().with("contract_id", contract.id.as_str());
    let child = child.with("customer_id", contract.customer_id.as_str());
    above.terms.edit("hierarchy_configuration", |shown| shown.extend("children", [child]));
    Ok(above.save(&call.tx)?)
}

fn renew(call: &Call, contract: &mut Contract, mut from: Contract) -> Result<(), Failure> {
    let transition = Fields::default()
        .with("from_contract_id", from.id.as_str())
        .with("to_contract_id", contract.id.as_str())
        .with("type", "RENEWAL");
    contract.terms.extend("transitions", [transition.clone()]);
    from.terms.extend("transitions", [transition]);
    let rolled: Vec<_> =
        from.terms.objects("commits").filter_map(|commit| roll_over(&from, contract, commit)).collect();
    for commit in &rolled {
        contract::index_item(&call.tx, commit.text("id").unwrap_or_default(), &contract.id)?;
    }
    contract.terms.extend("commits", rolled);
    if call.settings.metronome_renewal == Renewal::EndOld {
        if let Some(start) = contract.terms.get("starting_at") {
            from.terms.set("ending_before", start.clone());
        }
        from.renewed_by = Some(contract.id.clone());
    }
    Ok(from.save(&call.tx)?)
}

/// What is left of a commit on the new contract; nothing is ever used here, so all of it counts as left.
fn roll_over(from: &Contract, to: &Contract, commit: &Fields) -> Option<Fields> {
    let fraction = decimal::parse(commit.number("rollover_fraction")?)?;
    if commit.has("archived_at") || fraction.is_zero() {
        return None;
    }
    let access = commit.object("access_schedule")?;
    let amounts =
        access.objects("schedule_items").filter_map(|item| item.number("amount").and_then(decimal::parse));
    let amount = amounts.sum::<BigDecimal>() * fraction;
    let last = access.objects("schedule_items").last()?;
    let end = to.terms.get("ending_before").or_else(|| last.get("ending_before"))?;
    let item = Fields::default()
        .with("id", fresh())
        .with("amount", decimal::json(&amount))
        .with("starting_at", to.terms.get("starting_at")?.clone())
        .with("ending_before", end.clone());
    let origin =
        Fields::default().with("commit_id", commit.text("id")?).with("contract_id", from.id.as_str());
    let mut rolled = commit.clone();
    for not_kept in ["invoice_schedule", "recurring_commit_id", "rollover_fraction", "custom_fields"] {
        rolled.take(not_kept);
    }
    rolled.edit("access_schedule", |access| access.set("schedule_items", vec![Json::from(item)]));
    let owner = Fields::default().with("id", to.id.as_str());
    let rolled = rolled.with("id", fresh()).with("contract", owner).with("rolled_over_from", origin);
    Some(rolled.with("created_at", time::json(to.created_at)))
}

/// Adds a segment to the reseller's royalties; what it leaves out is as in the segment before.
pub(super) fn add_royalty(terms: &mut Fields, sent: Fields) -> Result<(), Failure> {
    let reseller = sent.text("reseller_type").unwrap_or_default().to_owned();
    let mut royalties: Vec<Fields> = terms.objects("reseller_royalties").cloned().collect();
    let position = royalties.iter().position(|royalty| royalty.text("reseller_type") == Some(&reseller));
    let mut royalty = match position {
        Some(position) => royalties.remove(position),
        None => Fields::default().with("reseller_type", reseller),
    };
    let mut segment = royalty.objects("segments").last().cloned().unwrap_or_default();
    segment.take("ending_before");
    for (name, value) in sent {
        segment.set_or_clear(&name, &value);
    }
    if let Some(missing) =
        ["fraction", "netsuite_reseller_id", "starting_at"].iter().find(|name| !segment.has(name))
    {
        return Err(Failure::bad_request(format!("reseller royalty: {missing} is required")));
    }
    royalty.extend("segments", [segment]);
    royalties.push(royalty);
    terms.set("reseller_royalties", royalties.into_iter().map(Json::from).collect::<Vec<_>>());
    Ok(())
}

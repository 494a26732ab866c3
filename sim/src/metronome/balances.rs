//! Commits and credits as balances: what is left, the ledger, and the lists across a customer's contracts.
//!
//! Nothing is ever used here, so what is left is what is granted now.

use bigdecimal::BigDecimal;

use super::call::{Answer, Call};
use super::contract::{Contract, Missing};
use super::failure::Failure;
use super::value::{Fields, Json};
use super::{catalog, customers, decimal, paging, shown, time};

/// Adds the balance and the ledger when the call asks for them.
pub(super) fn show(call: &Call, balance: &mut Fields) {
    if call.body.flag("include_balance") == Some(true) {
        let left = left(call, balance);
        balance.set("balance", left);
    }
    if call.body.flag("include_ledgers") == Some(true) {
        let ledger = ledger(call, balance);
        balance.set("ledger", ledger);
    }
}

fn segments(balance: &Fields) -> impl Iterator<Item = &Fields> {
    balance.object("access_schedule").into_iter().flat_map(|schedule| schedule.objects("schedule_items"))
}

fn left(call: &Call, balance: &Fields) -> Json {
    let now = |item: &&Fields| {
        time::of(item, "starting_at").is_none_or(|start| start <= call.now)
            && time::of(item, "ending_before").is_none_or(|end| call.now < end)
    };
    let amounts =
        segments(balance).filter(now).filter_map(|item| item.number("amount").and_then(decimal::parse));
    decimal::json(&amounts.sum::<BigDecimal>())
}

fn ledger(call: &Call, balance: &Fields) -> Vec<Json> {
    let kind = match balance.text("type") {
        Some("CREDIT") => "CREDIT_SEGMENT_START",
        Some("PREPAID") => "PREPAID_COMMIT_SEGMENT_START",
        _ => return Vec::new(),
    };
    let begun = |item: &&Fields| time::of(item, "starting_at").is_some_and(|start| start <= call.now);
    let entry = |item: &Fields| {
        let part = |name| item.get(name).cloned().unwrap_or_default();
        let entry = Fields::default().with("type", kind).with("amount", part("amount"));
        Json::from(entry.with("segment_id", part("id")).with("timestamp", part("starting_at")))
    };
    segments(balance).filter(begun).map(entry).collect()
}

/// `POST /v1/contracts/customerBalances/list`
pub(super) fn list(call: &Call) -> Result<Answer, Failure> {
    balances(call, &["commits", "credits"], "include_contract_balances", "id")
}

/// `POST /v1/contracts/customerCommits/list`
pub(super) fn list_commits(call: &Call) -> Result<Answer, Failure> {
    balances(call, &["commits"], "include_contract_commits", "commit_id")
}

/// `POST /v1/contracts/customerCredits/list`
pub(super) fn list_credits(call: &Call) -> Result<Answer, Failure> {
    balances(call, &["credits"], "include_contract_credits", "credit_id")
}

fn balances(call: &Call, lists: &[&str], of_contracts: &str, id: &str) -> Result<Answer, Failure> {
    let customer = call.body.text("customer_id").unwrap_or_default();
    customers::require(call, customer).map_err(|_| Missing::V1.customer(customer))?;
    let mut found = Vec::new();
    let mut contracts: Vec<_> = shown::beside_to_show(call, customer)?.into_iter().collect();
    if call.body.flag(of_contracts) == Some(true) {
        contracts.extend(shown::observe_all(call, customer)?);
    }
    for contract in contracts {
        for list in lists {
            let wanted = contract.terms.objects(list).filter(|item| admits(call, &contract, item, id));
            found.extend(wanted.map(|item| {
                let mut shown = item.clone();
                show(call, &mut shown);
                (item.text("id").unwrap_or_default().to_owned(), shown)
            }));
        }
    }
    if call.body.flag("exclude_zero_balances") == Some(true) {
        found.retain(|(_, item)| left(call, item).number().is_some_and(|left| !decimal::is_zero(left)));
    }
    Ok(paging::by_body(call, found, "next_page", 25, 100)?.answer())
}

/// `POST /v1/contracts/customerBalances/getNetBalance`
pub(super) fn net(call: &Call) -> Result<Answer, Failure> {
    let body = &call.body;
    let customer = body.text("customer_id").unwrap_or_default();
    customers::require(call, customer).map_err(|_| Missing::V1.customer(customer))?;
    let kind = body.text("access_type").unwrap_or("SPEND");
    let unit = match (kind, body.text("credit_type_id")) {
        ("QUANTITY", Some(_)) => {
            return Err(Failure::bad_request("credit_type_id: excludes access_type QUANTITY"));
        }
        ("QUANTITY", None) => catalog::NO_CREDIT_TYPE,
        (_, unit) => unit.unwrap_or(catalog::USD),
    };
    let mut sum = BigDecimal::default();
    let contracts = shown::observe_all(call, customer)?;
    for contract in contracts.iter().chain(&shown::beside_to_show(call, customer)?) {
        for item in ["commits", "credits"].iter().flat_map(|list| contract.terms.objects(list)) {
            let access = item.object("access_schedule");
            let of_unit = access.and_then(|it| it.object("credit_type")?.text("id")) == Some(unit);
            let of_kind = access.and_then(|it| it.text("access_type")) == Some(kind);
            let there = contract.archived_at.is_none() && !item.has("archived_at");
            let wanted = !body.has("filters") || body.objects("filters").any(|filter| passes(filter, item));
            if of_unit && of_kind && there && wanted {
                sum += left(call, item).number().and_then(decimal::parse).unwrap_or_default();
            }
        }
    }
    Ok(Answer::data(Fields::default().with("balance", decimal::json(&sum)).with("credit_type_id", unit)))
}

/// Whether a balance is all that a filter asks for.
fn passes(filter: &Fields, item: &Fields) -> bool {
    let kind = match item.text("type") {
        Some("PREPAID") => "PREPAID_COMMIT",
        Some("POSTPAID") => "POSTPAID_COMMIT",
        _ => "CREDIT",
    };
    let custom = item.object("custom_fields").cloned().unwrap_or_default();
    let asked = filter.object("custom_fields").cloned().unwrap_or_default();
    (!filter.has("balance_types") || filter.texts("balance_types").any(|it| it == kind))
        && (!filter.has("ids") || filter.texts("ids").any(|id| item.text("id") == Some(id)))
        && asked.iter().all(|(key, value)| custom.get(key) == Some(value))
}

fn admits(call: &Call, contract: &Contract, item: &Fields, id: &str) -> bool {
    let body = &call.body;
    let archived = contract.archived_at.is_some() || item.has("archived_at");
    let starts = |item: &Fields| time::of(item, "starting_at");
    let ends = |item: &Fields| time::of(item, "ending_before");
    let kind = item.object("access_schedule").and_then(|schedule| schedule.text("access_type"));
    (!archived || body.flag("include_archived") == Some(true))
        && body.text(id).is_none_or(|id| item.text("id") == Some(id))
        && body.text("access_type").is_none_or(|wanted| kind == Some(wanted))
        && time::of(body, "covering_date")
            .is_none_or(|at| segments(item).any(|it| starts(it) <= Some(at) && Some(at) < ends(it)))
        && time::of(body, "starting_at").is_none_or(|at| segments(item).any(|it| ends(it) > Some(at)))
        && time::of(body, "effective_before").is_none_or(|at| segments(item).any(|it| starts(it) < Some(at)))
}

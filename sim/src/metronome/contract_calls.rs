//! Contracts from creation to archive: create, get, list, archive.

use chrono::{DateTime, Utc};

use super::call::{Answer, Call};
use super::contract::{self, Contract, Invoice, Missing};
use super::customers::{self, Customer};
use super::failure::Failure;
use super::minting::{self, Made, Mint};
use super::schedules::fresh;
use super::switches::WriteReply;
use super::value::{Fields, Json};
use super::{
    billing, catalog, custom_fields, ending, next_ids, paging, provisioning, relations, rules, settling,
    shown, time, views,
};

/// Fields of a contract that are written and read alike.
const PLAIN: [&str; 10] = [
    "ending_before",
    "multiplier_override_prioritization",
    "name",
    "net_payment_terms_days",
    "netsuite_sales_order_id",
    "salesforce_opportunity_id",
    "scheduled_charges_on_usage_invoices",
    "starting_at",
    "total_contract_value",
    "custom_fields",
];

/// `POST /v1/contracts/create`
pub(super) fn create(call: &Call) -> Result<Answer, Failure> {
    let contract = make(call, fresh(), call.body.clone())?;
    let mut data = Fields::default().with("id", contract.id.as_str());
    if call.settings.metronome_reply == WriteReply::Full {
        data.set("contract", views::v2(call, &contract, &contract.terms));
    }
    Ok(Answer::data(data))
}

/// Makes a contract under a chosen id.
pub(super) fn make(call: &Call, id: String, body: Fields) -> Result<Contract, Failure> {
    let customer = body.text("customer_id").unwrap_or_default();
    let customer = customers::find(&call.tx, customer)?.ok_or_else(|| Missing::V1.customer(customer))?;
    if customer.archived_at.is_some() {
        return Err(Failure::bad_request("the customer is archived"));
    }
    let uniqueness_key = rules::uniqueness_key(&body)?.map(str::to_owned);
    if let Some(key) = &uniqueness_key
        && let Some(owner) = contract::with_key(&call.tx, key)?
    {
        return Err(Failure::key_taken(&owner, call.settings.metronome_conflict));
    }
    let (body, package_id) = provisioning::expand(call, &customer, body)?;
    rules::gated(&body, call.settings.metronome_gated_fields)?;
    rules::contract(&body)?;

    let start = time::of(&body, "starting_at").unwrap_or(call.now);
    let (terms, mint) = terms(call, &customer, &id, start, &body, package_id.is_some())?;
    let mut contract = Contract {
        customer_id: customer.id.clone(),
        uniqueness_key,
        package_id,
        created_at: call.now,
        created_by: call.actor.clone(),
        recorded_at: Utc::now(),
        archived_at: None,
        renewed_by: None,
        initial: terms.clone(),
        terms,
        edits: Vec::new(),
        invoices: std::collections::BTreeMap::new(),
        issued: std::collections::BTreeMap::new(),
        dropped: Vec::new(),
        granted: std::collections::BTreeMap::new(),
        seats: mint.seats,
        id,
    };
    ending::hold(call, &mut contract)?;
    custom_fields::check(call, "contract", &contract.id, contract.terms.object("custom_fields"))?;
    relations::link(call, &mut contract, &body)?;
    custom_fields::claim(call, "contract", &contract.id, contract.terms.object("custom_fields"))?;
    keep(call, &contract.id, &mint.made)?;
    settling::settle(&mut contract, call)?;
    contract.initial = contract.terms.clone();
    contract::insert(&call.tx, &contract)?;
    Ok(contract)
}

/// Remembers whose the items are that were made.
pub(super) fn keep(call: &Call, contract: &str, made: &[Made]) -> Result<(), Failure> {
    for Made { entity, id, custom_fields } in made {
        contract::index_item(&call.tx, id, contract)?;
        next_ids::used(call, entity, id)?;
        custom_fields::claim(call, entity, id, custom_fields.as_ref())?;
    }
    Ok(())
}

fn terms<'a>(
    call: &'a Call,
    customer: &Customer,
    id: &str,
    start: DateTime<Utc>,
    body: &Fields,
    from_package: bool,
) -> Result<(Fields, Mint<'a>), Failure> {
    let mut terms =
        Fields::default().with("custom_fields", Fields::default()).with("transitions", Vec::new());
    terms.copy(body, &PLAIN);
    terms.set_default("multiplier_override_prioritization", "LOWEST_MULTIPLIER");
    if let Some(rate_card) = catalog::rate_card(call, body)? {
        terms.set("rate_card_id", rate_card);
    }
    terms.set("usage_statement_schedule", usage_statement_schedule(body, start));
    terms.set("usage_filter", Vec::new());
    if let Some(filter) = body.object("usage_filter") {
        let mut segment = filter.clone();
        segment.set_default("starting_at", time::json(start));
        terms.extend("usage_filter", [segment]);
    }
    billing::begin(customer, body, &mut terms, start)?;

    let mut mint = Mint::new(call, id, start, &terms);
    mint.check_keys = !from_package;
    add(&mut mint, &mut terms, body, "")?;
    for list in ["commits", "credits", "overrides", "scheduled_charges"] {
        terms.extend::<Json>(list, []);
    }
    for threshold in ["spend_threshold_configuration", "prepaid_balance_threshold_configuration"] {
        if let Some(sent) = body.object(threshold) {
            terms.set(threshold, mint.threshold(sent)?);
        }
    }
    Ok((terms, mint))
}

/// Adds to the lists of a contract what the same lists of `sent`, with a prefix to their names, have; answers what
/// was added, by the names in `sent`.
pub(super) fn add(
    mint: &mut Mint<'_>,
    terms: &mut Fields,
    sent: &Fields,
    prefix: &str,
) -> Result<Fields, Failure> {
    let mut added = Fields::default();
    for (list, make) in minting::LISTS {
        let field = format!("{prefix}{list}");
        let made = mint.all(sent, &field, make)?;
        if !made.is_empty() {
            terms.extend(list, made.clone());
            added.extend(&field, made);
        }
    }
    let field = format!("{prefix}reseller_royalties");
    for sent in sent.objects(&field) {
        let royalty = minting::royalty(sent);
        relations::add_royalty(terms, royalty.clone())?;
        added.extend(&field, [royalty]);
    }
    Ok(added)
}

fn usage_statement_schedule(body: &Fields, start: DateTime<Utc>) -> Fields {
    let sent = body.object("usage_statement_schedule").cloned().unwrap_or_default();
    let anchor = match sent.text("day") {
        Some("CONTRACT_START") => start,
        _ => time::of(&sent, "billing_anchor_date").unwrap_or_else(|| time::start_of_month(start)),
    };
    let schedule = Fields::default().with("billing_anchor_date", time::json(anchor));
    schedule.with("frequency", sent.text("frequency").unwrap_or("MONTHLY"))
}

/// `POST /v1/contracts/get`
pub(super) fn get_v1(call: &Call) -> Result<Answer, Failure> {
    let contract = shown::named_to_show(call, Missing::V1)?;
    Ok(Answer::data(views::v1(call, &contract)))
}

/// `POST /v2/contracts/get`
pub(super) fn get_v2(call: &Call) -> Result<Answer, Failure> {
    let contract = shown::named_to_show(call, Missing::V2)?;
    let Some(at) = time::of(&call.body, "as_of_date") else {
        return Ok(Answer::data(views::v2(call, &contract, &contract.terms)));
    };
    if call.body.flag("include_ledgers") == Some(true) {
        return Err(Failure::bad_request("as_of_date and include_ledgers exclude each other"));
    }
    Ok(Answer::data(views::v2(call, &contract, &contract.terms_at(&call.tx, at)?)))
}

/// `POST /v1/contracts/list`
pub(super) fn list_v1(call: &Call) -> Result<Answer, Failure> {
    list(call, Missing::V1, views::v1)
}

/// `POST /v2/contracts/list`
pub(super) fn list_v2(call: &Call) -> Result<Answer, Failure> {
    list(call, Missing::V2, |call, contract| views::v2(call, contract, &contract.terms))
}

fn list(call: &Call, missing: Missing, view: fn(&Call, &Contract) -> Fields) -> Result<Answer, Failure> {
    let body = &call.body;
    let customer = body.text("customer_id").unwrap_or_default();
    customers::require(call, customer).map_err(|_| missing.customer(customer))?;
    let (covering, starting) = (time::of(body, "covering_date"), time::of(body, "starting_at"));
    if covering.is_some() && starting.is_some() {
        return Err(Failure::bad_request("covering_date and starting_at exclude each other"));
    }
    let archived = body.flag("include_archived") == Some(true);
    let lag = chrono::Duration::milliseconds(call.settings.metronome_list_lag_ms.into());
    let visible = Utc::now() - lag;
    let wanted = |contract: &Contract| {
        let (start, end) =
            (time::of(&contract.terms, "starting_at"), time::of(&contract.terms, "ending_before"));
        (archived || contract.archived_at.is_none())
            && contract.recorded_at <= visible
            && covering
                .is_none_or(|at| start.is_none_or(|start| start <= at) && end.is_none_or(|end| at < end))
            && starting.is_none_or(|at| start.is_none_or(|start| at <= start))
    };
    let contracts = shown::observe_all(call, customer)?.into_iter().filter(wanted);
    let contracts = contracts.map(|contract| (contract.id.clone(), view(call, &contract)));
    Ok(paging::by_body(call, contracts.collect(), "cursor", 20, 20)?.answer_as("cursor"))
}

/// `POST /v1/contracts/getSubscriptionSeatsHistory`
pub(super) fn seats(call: &Call) -> Result<Answer, Failure> {
    let contract = shown::named_to_show(call, Missing::V1)?;
    let (covering, starting, ending) = (
        time::of(&call.body, "covering_date"),
        time::of(&call.body, "starting_at"),
        time::of(&call.body, "ending_before"),
    );
    if covering.is_some() && (starting.is_some() || ending.is_some()) {
        return Err(Failure::bad_request("covering_date excludes starting_at and ending_before"));
    }
    let subscription = call.body.text("subscription_id").unwrap_or_default();
    let Some(seats) = contract.seats.get(subscription) else {
        return Err(Failure::not_found(format!(
            "no subscription {subscription} of the contract counts seats"
        )));
    };
    let (from, to) = (covering.or(starting), covering.or(ending));
    let periods = seats.history().into_iter().filter(|(_, period)| {
        let (start, end) = (time::of(period, "starting_at"), time::of(period, "ending_before"));
        from.is_none_or(|from| end.is_none_or(|end| from < end)) && to.is_none_or(|to| start <= Some(to))
    });
    Ok(paging::by_body(call, periods.collect(), "cursor", 10, 10)?.answer())
}

/// `POST /v1/contracts/archive`
pub(super) fn archive(call: &Call) -> Result<Answer, Failure> {
    let mut contract = shown::named_to_change(call, Missing::V1)?;
    if contract.archived_at.is_some() {
        return Err(Failure::unprocessable("already archived"));
    }
    let finalized = contract.invoices.values().any(|invoice| *invoice == Invoice::Finalized);
    if finalized && call.body.flag("void_invoices") != Some(true) {
        return Err(Failure::bad_request(
            "the contract has finalized invoices; void them first, or with void_invoices",
        ));
    }
    close(call, &mut contract)?;
    Ok(Answer::data(Fields::default().with("id", contract.id)))
}

/// Archives a contract with its commits and credits, and voids its invoices.
pub(super) fn close(call: &Call, contract: &mut Contract) -> Result<(), Failure> {
    contract.remember(&call.tx, call.now)?;
    contract.archived_at = Some(call.now);
    for list in ["commits", "credits"] {
        for item in contract.terms.objects_mut(list) {
            item.set_default("archived_at", time::json(call.now));
        }
    }
    for invoice in contract.invoices.values_mut() {
        *invoice = Invoice::Voided;
    }
    Ok(contract.save(&call.tx)?)
}

//! What a test can do to Metronome's side behind its API, under `/_sim/metronome/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json as Body, Router};
use serde::Deserialize;

use super::call::{Call, checked};
use super::contract::{self, Contract, Invoice};
use super::custom_fields::Key;
use super::failure::Failure;
use super::fields;
use super::value::{Fields, Json};
use super::{
    billing, catalog, contract_calls, customer_calls, customers, invoices, next_ids, package_calls, packages,
    rates, settling, shown, time, views,
};
use crate::control::read;
use crate::state::Sim;
use crate::{clock, settings};

/// The routes.
pub(crate) fn router() -> Router<Arc<Sim>> {
    Router::new()
        .route("/customers", get(list_customers).post(seed_customers))
        .route("/customers/{id}", put(seed_customer))
        .route("/customers/{id}/billing-configurations/{configuration}", put(seed_configuration))
        .route("/customers/{id}/contracts/{contract}", put(seed_contract))
        .route("/products", put(seed_products))
        .route("/credit-types", put(seed_credit_types))
        .route("/rate-cards/{id}", put(seed_rate_card))
        .route("/next-ids", post(seed_ids))
        .route("/rate-cards/{id}/rates", put(seed_rates))
        .route("/packages", get(list_packages))
        .route("/packages/{id}", put(seed_package))
        .route("/custom-field-keys", post(seed_keys))
        .route("/contracts", get(list_contracts))
        .route("/contracts/{id}", get(show_contract))
        .route("/contracts/{id}/invoices", get(list_invoices).post(mark_invoices))
        .route("/contracts/{id}/disable-thresholds", post(disable_thresholds))
}

type Seeded = Result<Body<Fields>, Refused>;

/// A failure, as the API would tell it.
struct Refused(Failure);

impl<E: Into<Failure>> From<E> for Refused {
    fn from(failure: E) -> Self {
        Self(failure.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// Carries something out as if it had been called, and keeps it when it succeeds. The body must fit `table`, and may
/// have no other field; without a table it is not looked at.
async fn carry_out<T>(
    sim: &Sim,
    table: Option<&str>,
    body: &[u8],
    more: &[(&str, &str)],
    act: impl FnOnce(&Call) -> Result<T, Failure>,
) -> Result<T, Refused> {
    let tx = sim.store.begin().await.map_err(Failure::from)?;
    let settings = settings::get(&tx).map_err(Failure::from)?;
    let mut fields = Fields::default();
    if let Some(table) = table {
        let table = fields::table(table).ok_or_else(Failure::internal)?;
        let mut unknown = Vec::new();
        fields = checked(table, &with(body, more)?, settings.metronome_hours, &mut unknown)?;
        if !unknown.is_empty() {
            return Err(Failure::bad_request(format!("unknown fields: {}", unknown.join(", "))).into());
        }
    }
    let call = Call {
        now: clock::now(&tx).map_err(Failure::from)?,
        tx,
        settings,
        actor: "simulator".to_owned(),
        body: fields,
        query: BTreeMap::new(),
        ids: BTreeMap::new(),
    };
    let done = act(&call)?;
    call.tx.commit().map_err(Failure::from)?;
    Ok(done)
}

/// The body with some fields set.
fn with(body: &[u8], more: &[(&str, &str)]) -> Result<Vec<u8>, Failure> {
    let mut fields: Fields = parse(body)?;
    for (name, value) in more {
        fields.set(name, *value);
    }
    serde_json::to_vec(&fields).map_err(|_| Failure::internal())
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    read(body).map_err(|problem| Failure::bad_request(problem.message))
}

const CUSTOMER: Option<&str> = Some("POST /v1/customers");

async fn seed_customer(State(sim): State<Arc<Sim>>, Path(id): Path<String>, body: Bytes) -> Seeded {
    let customer = carry_out(&sim, CUSTOMER, &body, &[], |call| customer_calls::make(call, id)).await?;
    Ok(Body(Fields::default().with("id", customer.id)))
}

/// Many at once: `{"customers": {"<id>": {"name": ...}}}`.
async fn seed_customers(State(sim): State<Arc<Sim>>, body: Bytes) -> Result<StatusCode, Refused> {
    let body: Fields = parse(&body)?;
    for (id, customer) in body.object("customers").into_iter().flat_map(Fields::iter) {
        let body = serde_json::to_vec(customer).map_err(|_| Failure::internal())?;
        carry_out(&sim, CUSTOMER, &body, &[], |call| customer_calls::make(call, id.to_owned())).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn list_customers(State(sim): State<Arc<Sim>>) -> Seeded {
    let customers = carry_out(&sim, None, &[], &[], |call| Ok(customers::all(&call.tx)?)).await?;
    let shown = customers.iter().map(|customer| {
        let of = |list: &[Fields]| Json::List(list.iter().cloned().map(Json::from).collect());
        let view = customer.detail().with("billing_provider_configurations", of(&customer.billing));
        Json::from(view.with("revenue_system_configurations", of(&customer.revenue)))
    });
    Ok(Body(Fields::default().with("customers", shown.collect::<Vec<_>>())))
}

async fn seed_configuration(
    State(sim): State<Arc<Sim>>,
    Path((id, configuration)): Path<(String, String)>,
    body: Bytes,
) -> Seeded {
    let sent: Fields = parse(&body)?;
    let made = carry_out(&sim, None, &[], &[], |call| {
        customers::change(call, &id, &|customer| {
            billing::add(customer, &sent, configuration.clone());
            Ok(())
        })?;
        let customer = customers::require(call, &id)?;
        Ok(customer.billing.into_iter().next_back().unwrap_or_default())
    });
    Ok(Body(made.await?))
}

async fn seed_contract(
    State(sim): State<Arc<Sim>>,
    Path((customer, id)): Path<(String, String)>,
    body: Bytes,
) -> Seeded {
    let table = Some("POST /v1/contracts/create");
    let customer = [("customer_id", customer.as_str())];
    let made = carry_out(&sim, table, &body, &customer, |call| {
        let contract = contract_calls::make(call, id, call.body.clone())?;
        Ok(views::v2(call, &contract, &contract.terms))
    });
    Ok(Body(made.await?))
}

async fn seed_package(State(sim): State<Arc<Sim>>, Path(id): Path<String>, body: Bytes) -> Seeded {
    let table = Some("POST /v1/packages/create");
    let made = carry_out(&sim, table, &body, &[], |call| Ok(package_calls::make(call, id)?.view(call)));
    Ok(Body(made.await?))
}

/// `{"<id>": "<name>"}`
async fn seed_products(State(sim): State<Arc<Sim>>, body: Bytes) -> Result<StatusCode, Refused> {
    name_all(&sim, &body, &catalog::PRODUCTS).await
}

/// `{"<id>": "<name>"}`
async fn seed_credit_types(State(sim): State<Arc<Sim>>, body: Bytes) -> Result<StatusCode, Refused> {
    name_all(&sim, &body, &catalog::CREDIT_TYPES).await
}

async fn name_all(
    sim: &Sim,
    body: &[u8],
    collection: &crate::store::Collection<String>,
) -> Result<StatusCode, Refused> {
    let names: BTreeMap<String, String> = parse(body)?;
    carry_out(sim, None, &[], &[], |call| {
        for (id, name) in &names {
            call.tx.put(collection, id, name)?;
        }
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateCard {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
}

async fn seed_rate_card(State(sim): State<Arc<Sim>>, Path(id): Path<String>, body: Bytes) -> Seeded {
    let RateCard { name, aliases } = parse(&body)?;
    let made = carry_out(&sim, None, &[], &[], |call| {
        let aliases = aliases.into_iter().map(|name| Json::from(Fields::default().with("name", name)));
        let card = Fields::default()
            .with("id", id.as_str())
            .with("name", name)
            .with("created_at", time::json(call.now))
            .with("created_by", call.actor.as_str())
            .with("aliases", aliases.collect::<Vec<_>>())
            .with("fiat_credit_type", catalog::credit_type(call, None)?);
        call.tx.put(&catalog::RATE_CARDS, &id, &card)?;
        Ok(card)
    });
    Ok(Body(made.await?))
}

/// `{"commits"?: ["<id>"], "credits"?, "scheduled_charges"?, "subscriptions"?}`
async fn seed_ids(State(sim): State<Arc<Sim>>, body: Bytes) -> Result<StatusCode, Refused> {
    let chosen: BTreeMap<String, Vec<String>> = parse(&body)?;
    carry_out(&sim, None, &[], &[], |call| next_ids::seed(call, &chosen)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `[{"product_id", "rate_type", "starting_at", "price"?, ...}]`, instead of those before.
async fn seed_rates(
    State(sim): State<Arc<Sim>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    let sent: Vec<Fields> = parse(&body)?;
    carry_out(&sim, None, &[], &[], |call| rates::seed(call, &id, &sent)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `[{"entity", "key", "enforce_uniqueness"?}]`; those that exist stay as they are.
async fn seed_keys(State(sim): State<Arc<Sim>>, body: Bytes) -> Result<StatusCode, Refused> {
    let keys: Vec<Key> = parse(&body)?;
    carry_out(&sim, None, &[], &[], |call| keys.iter().try_for_each(|key| key.register(&call.tx).map(drop)))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_packages(State(sim): State<Arc<Sim>>) -> Seeded {
    let packages = carry_out(&sim, None, &[], &[], |call| {
        let all = packages::all(&call.tx)?;
        let shown = all.iter().map(|package| {
            let key = Json::from(package.uniqueness_key.clone());
            Json::from(package.view(call).with("uniqueness_key", key))
        });
        Ok(shown.collect::<Vec<_>>())
    });
    Ok(Body(Fields::default().with("packages", packages.await?)))
}

async fn list_contracts(State(sim): State<Arc<Sim>>) -> Seeded {
    let contracts = carry_out(&sim, None, &[], &[], |call| {
        let mut all = contract::all(&call.tx)?;
        all.sort_by_key(|contract| contract.recorded_at);
        all.iter().map(|contract| shown(call, contract).map(Json::from)).collect::<Result<Vec<_>, _>>()
    });
    Ok(Body(Fields::default().with("contracts", contracts.await?)))
}

async fn show_contract(State(sim): State<Arc<Sim>>, Path(id): Path<String>) -> Seeded {
    let shown = carry_out(&sim, None, &[], &[], |call| shown(call, &required(call, &id)?));
    Ok(Body(shown.await?))
}

fn required(call: &Call, id: &str) -> Result<Contract, Failure> {
    contract::find(&call.tx, id)?.ok_or_else(|| Failure::not_found(format!("contract {id} not found")))
}

/// A contract with what the API does not tell: state, keys as sent, edits, invoices; and what its customer has beside it.
fn shown(call: &Call, contract: &Contract) -> Result<Fields, Failure> {
    let beside = shown::beside_to_show(call, &contract.customer_id)?;
    let mut all = Fields::default();
    if let Some(beside) = beside {
        all.copy(&beside.terms, &["commits", "credits"]);
        all.set("edits", Json::Number(beside.edits.len().to_string()));
    }
    Ok(told(call, contract).with("beside", all))
}

fn told(call: &Call, contract: &Contract) -> Fields {
    let (start, end) = (time::of(&contract.terms, "starting_at"), time::of(&contract.terms, "ending_before"));
    let state = match () {
        () if contract.archived_at.is_some() => "archived",
        () if end.is_some_and(|end| end <= call.now) => "ended",
        () if start.is_some_and(|start| call.now < start) => "upcoming",
        () => "active",
    };
    let invoices = contract.invoices.iter().map(|(item, invoice)| {
        let state = match invoice {
            Invoice::Finalized => "finalized",
            Invoice::Voided => "voided",
        };
        (item.clone(), Json::from(state))
    });
    let edits: Vec<Json> = contract.edits.iter().cloned().map(Json::from).collect();
    Fields::default()
        .with("id", contract.id.as_str())
        .with("customer_id", contract.customer_id.as_str())
        .with("state", state)
        .with("uniqueness_key", contract.uniqueness_key.clone())
        .with("package_id", contract.package_id.clone())
        .with("created_at", time::json(contract.created_at))
        .with("edits", Json::Number(edits.len().to_string()))
        .with("history", edits)
        .with("invoices", invoices.collect::<Fields>())
        .with("dropped", contract.dropped.iter().cloned().map(Json::from).collect::<Vec<_>>())
        .with("contract", views::v2(call, contract, &contract.terms))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marks {
    /// Which schedule items and periods; all of the contract's when left out.
    #[serde(default)]
    items: Option<Vec<String>>,
    state: Mark,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mark {
    Finalized,
    Voided,
    None,
}

/// The contract's invoices, as the API would list them.
async fn list_invoices(State(sim): State<Arc<Sim>>, Path(id): Path<String>) -> Seeded {
    let told = carry_out(&sim, None, &[], &[], |call| {
        let mut contract = required(call, &id)?;
        settling::settle(&mut contract, call)?;
        contract.save(&call.tx)?;
        let mut told = invoices::of_contract(call, &contract)?;
        // What the customer has beside its contracts is billed on one of them.
        if let Some(beside) = shown::beside_to_show(call, &contract.customer_id)? {
            let billed = invoices::of_contract(call, &beside)?;
            told.extend(
                billed.into_iter().filter(|invoice| invoice.text("contract_id") == Some(id.as_str())),
            );
        }
        Ok(told.into_iter().map(Json::from).collect::<Vec<_>>())
    });
    Ok(Body(Fields::default().with("invoices", told.await?)))
}

/// Says which schedule items, and which periods of subscriptions, are on an invoice.
async fn mark_invoices(State(sim): State<Arc<Sim>>, Path(id): Path<String>, body: Bytes) -> Seeded {
    let Marks { items, state } = parse(&body)?;
    let shown = carry_out(&sim, None, &[], &[], |call| {
        let mut contract = required(call, &id)?;
        let mut known = schedule_items(&contract.terms);
        for key in invoices::keys(call, &contract)? {
            if !known.contains(&key) {
                known.push(key);
            }
        }
        for item in items.unwrap_or_else(|| known.clone()) {
            if !known.contains(&item) {
                return Err(Failure::not_found(format!("schedule item {item} not found")));
            }
            let state = match state {
                Mark::Finalized => Some(Invoice::Finalized),
                Mark::Voided => Some(Invoice::Voided),
                Mark::None => None,
            };
            invoices::mark(call, &mut contract, &item, state)?;
        }
        contract.save(&call.tx)?;
        shown(call, &contract)
    });
    Ok(Body(shown.await?))
}

const SCHEDULES: [&str; 3] = ["access_schedule", "invoice_schedule", "schedule"];
const SCHEDULED: [&str; 4] = ["commits", "credits", "scheduled_charges", "discounts"];

fn schedule_items(terms: &Fields) -> Vec<String> {
    let items = SCHEDULED.iter().flat_map(|list| terms.objects(list));
    let schedules = items.flat_map(|item| SCHEDULES.iter().filter_map(|field| item.object(field)));
    let rows = schedules.flat_map(|schedule| schedule.objects("schedule_items"));
    rows.filter_map(|row| row.text("id").map(str::to_owned)).collect()
}

/// Does what the service does after a payment failed: turns threshold billing off.
async fn disable_thresholds(State(sim): State<Arc<Sim>>, Path(id): Path<String>) -> Seeded {
    let shown = carry_out(&sim, None, &[], &[], |call| {
        let mut contract = required(call, &id)?;
        for field in ["spend_threshold_configuration", "prepaid_balance_threshold_configuration"] {
            if contract.terms.has(field) {
                contract.terms.edit(field, |threshold| threshold.set("is_enabled", false));
            }
        }
        contract.save(&call.tx)?;
        shown(call, &contract)
    });
    Ok(Body(shown.await?))
}

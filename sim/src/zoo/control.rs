//! What a test can do to Zoo's side behind its API, under `/_sim/zoo/`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::organization::{Organization, StoredContract};
use super::routes::{all, find, organization_id, save, terms};
use super::wire::BillingContractView;
use crate::clock;
use crate::control::{or_empty, read};
use crate::problem::Problem;
use crate::state::Sim;

/// The routes.
pub(crate) fn router() -> Router<Arc<Sim>> {
    Router::new()
        .route("/orgs", post(register_all))
        .route("/orgs/{org}", put(register))
        .route("/orgs/{org}/contracts", get(contracts_of))
        .route("/orgs/{org}/contracts/{contract_id}", put(seed))
        .route("/contracts", get(contracts))
}

/// A contract as the API shows it, and what the API does not show.
#[derive(Serialize)]
struct Contract {
    organization_id: String,
    #[serde(flatten)]
    view: BillingContractView,
    updated_at: DateTime<Utc>,
    writes: u64,
}

#[derive(Serialize)]
struct Contracts {
    contracts: Vec<Contract>,
}

fn shown(organization_id: &str, organization: Organization) -> Vec<Contract> {
    let show = |StoredContract { view, updated_at, writes }| Contract {
        organization_id: organization_id.to_owned(),
        view,
        updated_at,
        writes,
    };
    organization.contracts.into_iter().map(show).collect()
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    account_id: Option<Uuid>,
}

async fn register(
    State(sim): State<Arc<Sim>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let id = organization_id(&id)?;
    let Registration { account_id } = or_empty(&body)?;
    let tx = sim.store.begin().await?;
    let mut organization = find(&tx, id)?.unwrap_or_else(|| Organization::new(Uuid::new_v4()));
    if let Some(account_id) = account_id {
        organization.account_id = account_id;
    }
    save(&tx, id, &organization)?;
    tx.commit()?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registrations {
    ids: Vec<Uuid>,
}

async fn register_all(State(sim): State<Arc<Sim>>, body: Bytes) -> Result<StatusCode, Problem> {
    let Registrations { ids } = read(&body)?;
    let tx = sim.store.begin().await?;
    for id in ids {
        if find(&tx, id)?.is_none() {
            save(&tx, id, &Organization::new(Uuid::new_v4()))?;
        }
    }
    tx.commit()?;
    Ok(StatusCode::NO_CONTENT)
}

async fn seed(
    State(sim): State<Arc<Sim>>,
    Path((id, contract_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<BillingContractView>, Problem> {
    let (id, contract_id) = (organization_id(&id)?, organization_id(&contract_id)?);
    let terms = terms(&headers, &body)?;
    let tx = sim.store.begin().await?;
    let mut organization = find(&tx, id)?.unwrap_or_else(|| Organization::new(Uuid::new_v4()));
    let view = organization.seed(contract_id, terms, clock::now(&tx)?).clone();
    save(&tx, id, &organization)?;
    tx.commit()?;
    Ok(Json(view))
}

async fn contracts_of(
    State(sim): State<Arc<Sim>>,
    Path(id): Path<String>,
) -> Result<Json<Contracts>, Problem> {
    let id = organization_id(&id)?;
    let organization = find(&sim.store.begin().await?, id)?;
    let organization =
        organization.ok_or_else(|| Problem::not_found(format!("organization {id} is not registered")))?;
    Ok(Json(Contracts { contracts: shown(&id.to_string(), organization) }))
}

async fn contracts(State(sim): State<Arc<Sim>>) -> Result<Json<Contracts>, Problem> {
    let organizations = all(&sim.store.begin().await?)?;
    let contracts =
        organizations.into_iter().flat_map(|(id, organization)| shown(&id, organization)).collect();
    Ok(Json(Contracts { contracts }))
}

//! Zoo's routes, and Zoo's way of answering.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::organization::{Organization, UnknownOrganizations};
use super::wire::{BillingContractUpsert, BillingContractView};
use super::{retell, validate};
use crate::auth::{Caller, Role};
use crate::call::{Api, RequestId};
use crate::problem::Problem;
use crate::store::{Collection, StoreError, Tx};
use crate::{clock, json, settings};

/// Registered organizations, by id.
const ORGANIZATIONS: Collection<Organization> = Collection::new("zoo/organizations");

/// How a contract is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wording {
    /// In the order and with the digits in which it was sent.
    #[default]
    AsSent,
    /// In other words that mean the same; see [`retell`].
    Retold,
}

impl Wording {
    fn tell(self, view: &BillingContractView) -> Result<Json<Box<RawValue>>, StoreError> {
        Ok(Json(match self {
            Self::AsSent => to_raw_value(view)?,
            Self::Retold => retell::retell(&serde_json::to_string(view)?)?,
        }))
    }
}

/// How Zoo talks.
pub(crate) const API: Api = Api {
    problem: |problem, RequestId(id)| match &problem.code {
        Some(code) => serde_json::json!({"message": problem.message, "request_id": id, "error_code": code}),
        None => serde_json::json!({"message": problem.message, "request_id": id}),
    },
    headers: |headers, RequestId(id)| {
        let header = |id: Uuid| HeaderValue::from_str(&id.to_string()).ok();
        let call_id = (HeaderName::from_static("x-api-call-id"), header(Uuid::new_v4()));
        let request_id = (HeaderName::from_static("x-request-id"), header(id));
        for (name, value) in [call_id, request_id] {
            value.and_then(|value| headers.insert(name, value));
        }
    },
};

/// Zoo's routes; whatever else is asked for is 404 or 405.
pub(crate) fn router() -> Router {
    let contract = get(get_contract).put(put_contract).options(async || StatusCode::NO_CONTENT);
    Router::new()
        .route("/orgs/{id}/billing/contract", contract)
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .fallback(async || Problem::not_found("Not Found"))
}

async fn get_contract(
    tx: Tx,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Box<RawValue>>, Problem> {
    require_admin(&caller)?;
    let id = organization_id(&id)?;
    if find(&tx, id)?.is_none() {
        return Err(unknown_organization(id));
    }
    let organization = tx.observe(&ORGANIZATIONS, &id.to_string())?;
    let contract = organization.as_ref().and_then(Organization::visible);
    let contract =
        contract.ok_or_else(|| Problem::not_found(format!("no billing contract for organization {id}")))?;
    Ok(settings::get(&tx)?.zoo_view.tell(&contract.view)?)
}

async fn put_contract(
    tx: Tx,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Box<RawValue>>, Problem> {
    require_admin(&caller)?;
    let id = organization_id(&id)?;
    let terms = terms(&headers, &body)?;
    let settings = settings::get(&tx)?;
    let mut organization = match (find(&tx, id)?, settings.zoo_unknown_orgs) {
        (Some(organization), _) => organization,
        (None, UnknownOrganizations::Accept) => Organization::new(Uuid::new_v4()),
        (None, UnknownOrganizations::Reject) => return Err(unknown_organization(id)),
    };
    let reply = settings.zoo_view.tell(organization.upsert(terms, settings.zoo_replace, clock::now(&tx)?))?;
    save(&tx, id, &organization)?;
    Ok(reply)
}

fn require_admin(caller: &Caller) -> Result<(), Problem> {
    match caller {
        Caller::Known(_, Role::Admin) => Ok(()),
        Caller::Known(_, Role::Member) => {
            Err(Problem::new(StatusCode::FORBIDDEN, "this endpoint requires Zoo admin authentication"))
        }
        Caller::Anonymous => Err(Problem::new(StatusCode::UNAUTHORIZED, "no API token was sent")),
        Caller::Unknown(_) => Err(Problem::new(StatusCode::UNAUTHORIZED, "the API token is not valid")),
    }
}

fn unknown_organization(id: Uuid) -> Problem {
    Problem::not_found(format!("organization {id} not found"))
}

/// Reads an organization's id from a path.
pub(super) fn organization_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|error| Problem::bad_request(format!("bad parameter in URL path: {error}")))
}

/// Reads a contract's terms from the body of a request.
pub(super) fn terms(headers: &HeaderMap, body: &[u8]) -> Result<BillingContractUpsert, Problem> {
    if let Some(sent) = headers.get(header::CONTENT_TYPE) {
        let sent = sent.to_str().unwrap_or_default();
        let essence = sent.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            let message = format!("expected content type \"application/json\", got \"{sent}\"");
            return Err(Problem::bad_request(message));
        }
    }
    let refusal = |message| Problem::bad_request(format!("unable to parse JSON body: {message}"));
    let terms: BillingContractUpsert = json::parse(body).map_err(refusal)?;
    validate::check(&terms).map_err(|message| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message))?;
    Ok(terms)
}

/// The organization, if it is registered.
pub(super) fn find(tx: &Tx, id: Uuid) -> Result<Option<Organization>, StoreError> {
    tx.get(&ORGANIZATIONS, &id.to_string())
}

/// Creates or replaces the organization.
pub(super) fn save(tx: &Tx, id: Uuid, organization: &Organization) -> Result<(), StoreError> {
    tx.put(&ORGANIZATIONS, &id.to_string(), organization)
}

/// Every organization with its id.
pub(super) fn all(tx: &Tx) -> Result<Vec<(String, Organization)>, StoreError> {
    tx.all(&ORGANIZATIONS)
}

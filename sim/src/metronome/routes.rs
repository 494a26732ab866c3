//! Metronome's routes, and the way of each call: who calls, what the body says, what is answered.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{MatchedPath, Path, Query};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, any, on};
use axum::{Json as Body, Router};

use super::call::{Act, Answer, Call, checked};
use super::failure::Failure;
use super::{
    balances, beside, billing, catalog, contract_calls, custom_fields, customer_calls, edits, fields,
    invoice_calls, package_calls, rate_calls, retold,
};
use crate::auth::{Caller, Role};
use crate::call::{Api, UnknownFields};
use crate::problem::Problem;
use crate::store::Tx;
use crate::{clock, settings};

/// How Metronome talks.
pub(crate) const API: Api = Api {
    problem: |problem, _| match &problem.code {
        Some(code) => serde_json::json!({"code": code, "message": problem.message}),
        None => serde_json::json!({"message": problem.message}),
    },
    headers: |_, _| {},
};

/// Metronome's routes; whatever else is asked for under its prefixes is 404 or 405.
pub(crate) fn router() -> Router {
    let unknown = async || Problem::not_found("Not Found");
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, route)| router.route(path, route))
        .route("/v1/{*rest}", any(unknown))
        .route("/v2/{*rest}", any(unknown))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
}

fn routes() -> Vec<(&'static str, MethodRouter)> {
    vec![
        ("/v1/contracts/create", doing(contract_calls::create)),
        ("/v1/contracts/get", doing(contract_calls::get_v1)),
        ("/v2/contracts/get", doing(contract_calls::get_v2)),
        ("/v1/contracts/list", doing(contract_calls::list_v1)),
        ("/v2/contracts/list", doing(contract_calls::list_v2)),
        ("/v2/contracts/edit", doing(edits::edit)),
        ("/v2/contracts/commits/edit", doing(edits::edit_commit)),
        ("/v2/contracts/credits/edit", doing(edits::edit_credit)),
        ("/v2/contracts/getEditHistory", doing(edits::history)),
        ("/v1/contracts/getSubscriptionSeatsHistory", doing(contract_calls::seats)),
        ("/v1/contracts/getSubscriptionQuantityHistory", doing(rate_calls::quantities)),
        ("/v1/contracts/getContractRateSchedule", doing(rate_calls::schedule)),
        ("/v1/contracts/updateEndDate", doing(edits::update_end_date)),
        ("/v1/contracts/setUsageFilter", doing(edits::set_usage_filter)),
        ("/v1/contracts/archive", doing(contract_calls::archive)),
        ("/v1/contracts/customerBalances/list", doing(balances::list)),
        ("/v1/contracts/customerBalances/getNetBalance", doing(balances::net)),
        ("/v1/contracts/customerCommits/create", doing(beside::create_commit)),
        ("/v1/contracts/customerCommits/updateEndDate", doing(beside::end_commit)),
        ("/v1/contracts/customerCredits/create", doing(beside::create_credit)),
        ("/v1/contracts/customerCredits/updateEndDate", doing(beside::end_credit)),
        ("/v1/contracts/customerCommits/list", doing(balances::list_commits)),
        ("/v1/contracts/customerCredits/list", doing(balances::list_credits)),
        ("/v1/packages/create", doing(package_calls::create)),
        ("/v1/packages/get", doing(package_calls::get)),
        ("/v1/packages/list", doing(package_calls::list)),
        ("/v1/packages/archive", doing(package_calls::archive)),
        ("/v1/packages/listContractsOnPackage", doing(package_calls::contracts)),
        ("/v1/customers", doing(customer_calls::create).merge(reading(customer_calls::list))),
        ("/v1/customers/archive", doing(customer_calls::archive)),
        ("/v1/customers/{customer_id}", reading(customer_calls::get)),
        ("/v1/customers/{customer_id}/invoices", reading(invoice_calls::list)),
        ("/v1/customers/{customer_id}/invoices/{invoice_id}", reading(invoice_calls::get)),
        ("/v1/invoices/void", doing(invoice_calls::void)),
        ("/v1/invoices/regenerate", doing(invoice_calls::regenerate)),
        ("/v1/customers/{customer_id}/setIngestAliases", doing(customer_calls::set_ingest_aliases)),
        ("/v1/customers/{customer_id}/setName", doing(customer_calls::set_name)),
        ("/v1/customers/{customer_id}/updateConfig", doing(customer_calls::update_config)),
        ("/v1/getCustomerBillingProviderConfigurations", doing(billing::list)),
        ("/v1/setCustomerBillingProviderConfigurations", doing(billing::set)),
        ("/v1/listConfiguredBillingProviders", doing(|_| Ok(billing::list_providers()))),
        ("/v1/contract-pricing/rate-cards/list", doing(catalog::list_rate_cards)),
        ("/v1/contract-pricing/rate-cards/get", doing(catalog::get_rate_card)),
        ("/v1/credit-types/list", reading(catalog::list_credit_types)),
        ("/v1/services", reading(|_| Ok(catalog::services()))),
        ("/v1/customFields/addKey", doing(custom_fields::add_key)),
        ("/v1/customFields/setValues", doing(custom_fields::set_values)),
        ("/v1/customFields/deleteValues", doing(custom_fields::delete_values)),
        ("/v1/customFields/listKeys", doing(custom_fields::list_keys)),
    ]
}

fn doing(act: Act) -> MethodRouter {
    route(MethodFilter::POST, act)
}

fn reading(act: Act) -> MethodRouter {
    route(MethodFilter::GET, act)
}

type Parameters = BTreeMap<String, String>;

fn route(method: MethodFilter, act: Act) -> MethodRouter {
    on(
        method,
        async move |tx: Tx,
                    caller: Caller,
                    method: Method,
                    path: MatchedPath,
                    Path(ids): Path<Parameters>,
                    Query(query): Query<Parameters>,
                    body: Bytes| {
            let call = format!("{method} {}", path.as_str());
            Incoming { tx, caller, call, ids, query, body }.answer(act)
        },
    )
}

/// A request that has arrived.
struct Incoming {
    tx: Tx,
    caller: Caller,
    /// Which call it is, as the tables name it.
    call: String,
    ids: Parameters,
    query: Parameters,
    body: Bytes,
}

impl Incoming {
    fn answer(self, act: Act) -> Response {
        let mut unknown = Vec::new();
        let mut response = match self.carry_out(act, &mut unknown) {
            Ok(Answer::Body(body)) => Body(body).into_response(),
            Ok(Answer::Empty) => StatusCode::OK.into_response(),
            Err(failure) => failure.into_response(),
        };
        response.extensions_mut().insert(UnknownFields(unknown));
        response
    }

    fn carry_out(self, act: Act, unknown: &mut Vec<String>) -> Result<Answer, Failure> {
        let Self { tx, caller, call, ids, query, body } = self;
        let actor = match caller {
            Caller::Known(fingerprint, Role::Admin) => format!("token {}", fingerprint.short()),
            Caller::Known(_, Role::Member) => return Err(Failure::forbidden("Forbidden")),
            Caller::Anonymous | Caller::Unknown(_) => return Err(Failure::unauthorized()),
        };
        let settings = settings::get(&tx)?;
        let table = fields::table(&call).ok_or_else(Failure::internal)?;
        unknown.extend(table.unknown_parameters(query.keys().map(String::as_str)));
        let body = checked(table, &body, settings.metronome_hours, unknown)?;
        let call = Call { now: clock::now(&tx)?, tx, settings, actor, body, query, ids };
        Ok(match act(&call)? {
            Answer::Body(body) => Answer::Body(retold::altered(body, &call.settings)),
            Answer::Empty => Answer::Empty,
        })
    }
}

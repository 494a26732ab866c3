//! What a pass came to, written to the contract: a status if it changed, and at most one event.

use std::time::Duration;

use chrono::Utc;
use kube::{Api, Resource, ResourceExt, api::PostParams, runtime::controller::Action};

use super::{
    Context, Error, Handled, bounded, events,
    outcome::{Outcome, RARELY},
    packages,
    providers::Lookup,
    sources::Sources,
    status::{self, Finding},
};
use crate::api::{BillingContract, BillingContractStatus};

/// How many failed reads in a row a contract that is ready stays ready for.
const TOLERATED_FAILURES: u32 = 2;
/// How often a status write is repeated when the object moves on.
const MAX_CONFLICTS: u32 = 5;

/// Writes the status if it changed, at most one event, and says when to look again.
pub(super) async fn report(
    contract: &BillingContract,
    outcome: Outcome,
    sources: &Sources,
    context: &Context,
) -> Result<Action, Error> {
    let Outcome { finding, next } = outcome;
    let uid = contract.uid().unwrap_or_default();
    context.metrics.reconciled(BillingContract::LABEL, finding.outcome());
    if !is_tolerated(contract, &finding, context.contracts.failures(&uid)) {
        let package = sources.package.as_ref().ok().and_then(Option::as_ref).map(packages::used);
        let status = status::contract(contract, &finding, package.as_ref(), Utc::now());
        if contract.status.as_ref() != Some(&status) {
            write_status(contract, status, context).await?;
        }
        if let Some(note) = status::note(contract, &finding) {
            tracing::info!(
                contract = contract.name_any(),
                namespace = contract.namespace(),
                reason = note.reason,
                "{}",
                note.message
            );
            events::publish(&context.client, contract.object_ref(&()), &context.options.identity, note).await;
        }
    }
    let period = contract.spec.sync_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let period = match (period, &sources.provider) {
        (Some(seconds), _) => Duration::from_secs(seconds),
        (None, Lookup::Ready(account)) => account.sync_period,
        (None, _) => RARELY,
    };
    Ok(next.action(&context.contracts, &uid, period))
}

/// Whether a contract that is ready may stay so through a short failure of the billing API.
fn is_tolerated(contract: &BillingContract, finding: &Finding, failures: u32) -> bool {
    let Some(status) = &contract.status else { return false };
    let ready =
        status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let short = matches!(finding, Finding::Waiting { reason: "BillingUnreachable" | "Throttled", .. });
    short
        && ready
        && status.observed_generation == contract.metadata.generation
        && failures < TOLERATED_FAILURES
}

/// Replaces the status; should the object have moved on meanwhile, the newer object gets it.
async fn write_status(
    contract: &BillingContract,
    status: BillingContractStatus,
    context: &Context,
) -> Result<(), Error> {
    let (api, name) = (api(contract, context), contract.name_any());
    let mut object = contract.clone();
    object.status = Some(status.clone());
    for _ in 0..MAX_CONFLICTS {
        match bounded(api.replace_status(&name, &PostParams::default(), &object)).await {
            Ok(written) => {
                context.metrics.status_written(BillingContract::LABEL);
                context
                    .contracts
                    .wrote(&contract.uid().unwrap_or_default(), written.resource_version().as_deref());
                return Ok(());
            }
            Err(Error::Kubernetes(error)) if matches!(error.as_ref(), kube::Error::Api(status) if status.is_conflict()) =>
            {
                object = bounded(api.get(&name)).await?;
                if object.uid() != contract.uid() {
                    return Ok(());
                }
                object.status = Some(status.clone());
            }
            Err(Error::Kubernetes(error)) if matches!(error.as_ref(), kube::Error::Api(status) if status.is_not_found()) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::Timeout)
}

pub(super) fn api(contract: &BillingContract, context: &Context) -> Api<BillingContract> {
    Api::namespaced(context.client.clone(), &contract.namespace().unwrap_or_default())
}

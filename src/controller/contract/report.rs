//! What a reconcile came to, written to the contract: a status if it changed, and at most one event.

use kube::{Resource, ResourceExt, runtime::controller::Action};

use chrono::Utc;

use super::{api, references::References, sync_period};
use crate::{
    api::BillingContract,
    controller::{
        Context, Error, Handled, ObjectId,
        kubernetes::{events, status::write},
    },
    status::contract::{ContractResult, event, is_tolerated, status},
};

/// Writes the status if it changed, at most one event, and says when to look again.
pub(super) async fn report(
    contract: &BillingContract,
    result: ContractResult,
    references: &References,
    context: &Context,
) -> Result<Action, Error> {
    let uid = ObjectId::of(contract).uid;
    if context.tenure.stop().is_set() && result.is_given_up() {
        return Ok(Action::await_change());
    }
    context.metrics.reconciled(BillingContract::LABEL, result.outcome.label());
    if !is_tolerated(contract, &result, context.contract_queue.failures(&uid)) {
        let status = status(contract, &result, references.used_package().as_ref(), Utc::now());
        write(context, &api(contract, context), contract, status).await?;
        announce(contract, &result, context).await;
    }
    let period = sync_period(contract, references.sync_period());
    Ok(context.contract_queue.requeue(&uid, result.requeue, period))
}

/// Logs and records what happened, if anything did.
pub(super) async fn announce(contract: &BillingContract, result: &ContractResult, context: &Context) {
    let Some(record) = event(contract, result) else { return };
    tracing::info!(
        contract = contract.name_any(),
        namespace = contract.namespace(),
        reason = %record.reason,
        "{}",
        record.logged
    );
    events::publish(&context.client, contract.object_ref(&()), &context.options.identity, record).await;
}

//! What a reconcile came to, written to the contract: a status if it changed, and at most one event.

use kube::{Resource, ResourceExt, runtime::controller::Action};

use super::{api, references::References, sync_period};
use crate::{
    api::BillingContract,
    clock,
    controller::{
        Context, Error, Handled, ObjectId,
        kubernetes::{events, status::write},
    },
    protocol::Outcome,
    review::questions,
    status::contract::{ContractResult, event, is_tolerated, spent, status},
    validate::Violation,
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
    if let Some(wait) = result.overtaken {
        return Ok(Action::requeue(wait));
    }
    context.metrics.reconciled(BillingContract::LABEL, result.outcome.label());
    if !is_tolerated(contract, &result, context.contract_queue.failures(&uid)) {
        let status = status(contract, &result, references.used_package().as_ref(), clock::now());
        let spent = spent(contract, &status, &result);
        write(context, &api(contract, context), contract, status).await?;
        if result.account.is_some() {
            context.journal.reported(&uid);
        }
        let asked = questions::brought(contract, references.package(), &result.outcome);
        announce(contract, &result, &asked, context).await;
        context.approvals.spend(contract, &spent, &context.client, &context.leadership).await?;
    }
    let period = sync_period(contract, references.sync_period());
    Ok(context.contract_queue.requeue(&uid, result.requeue, period))
}

/// Marks the approvals of the end that a deleted contract has come to, which no status will say any more.
pub(super) async fn spend_on_end(
    contract: &BillingContract,
    result: &ContractResult,
    context: &Context,
) -> Result<(), Error> {
    let Outcome::Ended { applied } = &result.outcome else { return Ok(()) };
    // One that waited may have been carried out by a process that ended before it could say so.
    let waited = contract.status.as_ref().and_then(|status| status.plan.as_ref());
    let plans: Vec<_> =
        applied.iter().map(|plan| &plan.digest).chain(waited.map(|plan| &plan.digest)).cloned().collect();
    context.approvals.spend(contract, &plans, &context.client, &context.leadership).await
}

/// Logs and records what happened, if anything did, with what deserves a question in it.
pub(super) async fn announce(
    contract: &BillingContract,
    result: &ContractResult,
    asked: &[Violation],
    context: &Context,
) {
    let Some(record) = event(contract, result).map(|record| record.asking(asked)) else { return };
    tracing::info!(
        contract = contract.name_any(),
        namespace = contract.namespace(),
        reason = %record.reason,
        "{}",
        record.logged
    );
    events::publish(&context.client, contract.object_ref(&()), &context.options.identity, record).await;
}

//! A contract that this version cannot read: it is told so, and when it is deleted it goes as its policies say.
//!
//! Ending what a resource holds takes the contract's ID, its customer and its policies, and not the rest of its terms.

use kube::{Resource, ResourceExt, runtime::controller::Action};

use super::{References, end, report, sync_period};
use crate::{
    api::{BillingContract, FINALIZER},
    clock,
    controller::{
        Context, Error, Guarded, ObjectId,
        guarded::Invalid,
        kubernetes::{finalizer, queue::Due, undecodable},
    },
    protocol::deletion::{self, Deletion},
    status::contract::status,
};

/// Reports a contract that cannot be read, or lets it go.
pub(super) async fn reconcile(
    guarded: &Guarded<BillingContract>,
    invalid: &Invalid<BillingContract>,
    context: &Context,
) -> Result<Action, Error> {
    let message = undecodable::message(&invalid.error);
    if guarded.meta().deletion_timestamp.is_none() {
        return undecodable::report(context, guarded, &message).await;
    }
    if !finalizer::has(guarded, FINALIZER) {
        return Ok(Action::await_change());
    }
    if deletion::is_released(guarded) || invalid.is_orphan {
        return release(guarded, context).await;
    }
    let Some(contract) = invalid.endable() else {
        let message = deletion::how_to_release(&message, "contract", &guarded.name_any(), "ended");
        return undecodable::report(context, guarded, &message).await;
    };
    context.filled().await;
    let uid = ObjectId::of(contract).uid;
    context.contract_queue.begins(&uid);
    let references = References::load(contract, context);
    let fingerprint = references.fingerprint(contract);
    match context.contract_queue.due(&uid, contract.resource_version().as_deref(), &fingerprint) {
        Due::Stale => return Ok(Action::await_change()),
        Due::Later(wait) => return Ok(Action::requeue(wait)),
        Due::Now => {}
    }
    let goal = match deletion::of_contract(contract) {
        Deletion::NotOurs => return Ok(Action::await_change()),
        Deletion::Release => return release(guarded, context).await,
        Deletion::End(goal) => goal,
    };
    let Some(result) = end(contract, &references, goal, context).await? else {
        return release(guarded, context).await;
    };
    if let Some(wait) = result.overtaken {
        return Ok(Action::requeue(wait));
    }
    let status = status(contract, &result, references.used_package().as_ref(), clock::now());
    undecodable::put(context, guarded, &status).await?;
    report::announce(contract, &result, &[], context).await;
    let period = sync_period(contract, references.sync_period());
    Ok(context.contract_queue.requeue(&uid, result.requeue, period))
}

async fn release(guarded: &Guarded<BillingContract>, context: &Context) -> Result<Action, Error> {
    finalizer::release::<BillingContract>(context, guarded, FINALIZER).await?;
    Ok(Action::await_change())
}

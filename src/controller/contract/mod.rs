//! Reconcile of contracts: load, resolve, then observe, plan and execute as the protocol says, and report.

pub mod claims;
mod references;
pub mod renewals;
mod report;
pub mod wakes;

use std::{sync::Arc, time::Duration};

use kube::{Api, ResourceExt, runtime::controller::Action};

use self::{references::References, report::report};
use super::{
    Context, Error, Guarded, Handled, ObjectId, decoded,
    kubernetes::{
        finalizer,
        queue::{Due, Queue},
        undecodable,
    },
};
use crate::{
    api::{BillingContract, FINALIZER},
    protocol::{
        Goal, Outcome, ReconcileResult, Requeue,
        deletion::{self, Deletion},
    },
    status::contract::ContractResult,
};

pub use self::references::{GRACE, awaits_provider, of_provider, using, version as provider_version};

impl Handled for BillingContract {
    const LABEL: &'static str = "BillingContract";

    fn queue(context: &Context) -> &Queue {
        &context.contract_queue
    }
}

/// Brings one contract from what its spec says to what the billing API says, and reports.
///
/// # Errors
/// When the API server does not do its part; the reconcile is tried again.
pub async fn reconcile(
    guarded: Arc<Guarded<BillingContract>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    let contract = match decoded(&guarded) {
        Ok(contract) => contract,
        Err(invalid) => return undecodable::report(&context, &guarded, &invalid.error).await,
    };
    context.filled().await;
    context.renewals.changed(contract);
    let references = References::load(contract, &context);
    let uid = ObjectId::of(contract).uid;
    let fingerprint = references.fingerprint(contract);
    match context.contract_queue.due(&uid, contract.resource_version().as_deref(), &fingerprint) {
        Due::Stale => return Ok(Action::await_change()),
        // Whoever took our finalizer away must not get around the billing call by that.
        Due::Later(wait) if contract.metadata.deletion_timestamp.is_none() => {
            ensure_finalizer(contract, &context).await?;
            return Ok(Action::requeue(wait));
        }
        Due::Later(wait) => return Ok(Action::requeue(wait)),
        Due::Now => {}
    }
    if contract.metadata.deletion_timestamp.is_some() {
        return delete(contract, &references, &context).await;
    }
    if references.are_early(contract, &context) {
        return Ok(Action::requeue(GRACE));
    }
    let contract = ensure_finalizer(contract, &context).await?;
    let result = bring(&contract, &references, Goal::InForce, &context).await;
    report(&contract, result, &references, &context).await
}

/// Ends in billing what the resource holds, as its policies say, and lets it go.
async fn delete(
    contract: &BillingContract,
    references: &References,
    context: &Context,
) -> Result<Action, Error> {
    let goal = match deletion::of_contract(contract) {
        Deletion::NotOurs => return Ok(Action::await_change()),
        Deletion::Release => return release(contract, context).await,
        Deletion::End(goal) => goal,
    };
    if let Some(heir) = references.heir(contract, context) {
        tracing::info!(
            contract = contract.name_any(),
            namespace = contract.namespace(),
            heir,
            "another resource claims the contract: it is left as it is"
        );
        return release(contract, context).await;
    }
    let result = bring(contract, references, goal, context).await;
    if deletion::may_go(&result) {
        report::announce(contract, &result, context).await;
        return release(contract, context).await;
    }
    report(contract, result, references, context).await
}

async fn ensure_finalizer(contract: &BillingContract, context: &Context) -> Result<BillingContract, Error> {
    let needed = deletion::contract_needs_finalizer(contract);
    finalizer::ensure(context, &api(contract, context), contract, FINALIZER, needed).await
}

async fn release(contract: &BillingContract, context: &Context) -> Result<Action, Error> {
    finalizer::ensure(context, &api(contract, context), contract, FINALIZER, false).await?;
    Ok(Action::await_change())
}

/// Resolves what the contract depends on, and carries the protocol out.
async fn bring(
    contract: &BillingContract,
    references: &References,
    goal: Goal,
    context: &Context,
) -> ContractResult {
    if contract.spec.suspend {
        return ReconcileResult::new(Outcome::Suspended, Requeue::OnChange);
    }
    let (account, resolved) = match references.resolve(contract, goal, context) {
        Ok(resolved) => resolved,
        Err(blocked) => return *blocked,
    };
    let result = account.client.reconcile_contract(contract, &resolved, goal).await;
    if result.suspects_token {
        context.providers.suspect(&references.provider_key, account);
    }
    result
}

fn api(contract: &BillingContract, context: &Context) -> Api<BillingContract> {
    Api::namespaced(context.client.clone(), &ObjectId::of(contract).namespace)
}

/// How often a contract is compared again: as it says itself, or else its provider.
fn sync_period(contract: &BillingContract, provider: Option<Duration>) -> Duration {
    let own = contract.spec.sync_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    own.map(Duration::from_secs).or(provider).unwrap_or(crate::protocol::failure::RARELY)
}

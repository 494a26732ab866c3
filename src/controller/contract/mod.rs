//! Reconcile of contracts: load, resolve, then observe, plan and execute as the protocol says, and report.

mod accounts;
mod aliases;
pub mod claims;
mod others;
mod references;
pub mod renewals;
mod report;
mod unreadable;
pub mod wakes;

use std::{sync::Arc, time::Duration};

use kube::{Api, ResourceExt, runtime::controller::Action};

use self::{references::References, report::report};
use super::{
    Context, Error, Guarded, Handled, ObjectId, bounded, decoded,
    kubernetes::{
        finalizer,
        queue::{Due, Queue},
        turn::{Pass, Turn},
    },
};
use crate::{
    api::{BillingContract, FINALIZER, reasons},
    plan::Refusal,
    protocol::{
        Goal, Outcome, ReconcileResult, Requeue,
        deletion::{self, Deletion},
        references::GRACE,
    },
    status::contract::ContractResult,
};

pub use self::accounts::{account_of, spec_version};
pub use self::references::{
    awaits_provider, find_provider, of_provider, or_lingering, version as provider_version,
};

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
    mut guarded: Arc<Guarded<BillingContract>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    context.filled().await;
    let mut turn = Turn::default();
    loop {
        let slots = match Box::pin(pass(&guarded, &turn, &context)).await? {
            Pass::Done(action) => return Ok(action),
            Pass::Needs(slots) => slots,
        };
        match turn.take(&slots, &guarded, &context.stores.contracts, &context).await {
            Some(newest) => guarded = newest,
            None => return Ok(Action::await_change()),
        }
    }
}

/// As far as it goes without a slot, or with one to its end.
async fn pass(guarded: &Guarded<BillingContract>, turn: &Turn, context: &Context) -> Result<Pass, Error> {
    let done = |action| Ok(Pass::Done(action));
    let contract = match decoded(guarded) {
        Ok(contract) => contract,
        Err(invalid) => {
            return Box::pin(unreadable::reconcile(guarded, invalid, context)).await.map(Pass::Done);
        }
    };
    context.renewals.changed(contract);
    let uid = ObjectId::of(contract).uid;
    context.contract_queue.begins(&uid);
    let references = References::load(contract, context);
    let fingerprint = references.fingerprint(contract);
    match context.contract_queue.due(&uid, contract.resource_version().as_deref(), &fingerprint) {
        Due::Stale => return done(Action::await_change()),
        // Whoever took our finalizer away must not get around the billing call by that.
        Due::Later(wait) if contract.metadata.deletion_timestamp.is_none() => {
            ensure_finalizer(contract, context).await?;
            return done(Action::requeue(wait));
        }
        Due::Later(wait) => return done(Action::requeue(wait)),
        Due::Now => {}
    }
    if is_overtaken(contract, context).await? {
        return done(Action::await_change());
    }
    if contract.metadata.deletion_timestamp.is_some() {
        let unknown = guarded.unknown_besides_terms();
        return Box::pin(delete(contract, unknown, &references, turn, context)).await;
    }
    if let Some(wait) = references.early(contract, context) {
        return done(Action::requeue(wait));
    }
    let slots = references.slots(contract, context);
    if !turn.has(slots) {
        return Ok(Pass::Needs(slots.clone()));
    }
    let contract = ensure_finalizer(contract, context).await?;
    let result = match guarded.unknown() {
        Some(why) => unknown_field(why),
        None => bring(&contract, &references, Goal::InForce, context).await,
    };
    report(&contract, result, &references, context).await.map(Pass::Done)
}

/// Whether the API server has a newer form of the object, which the watch will tell of. It is asked after a status was written
/// without an answer: a plan that this status says was carried out must not be carried out again.
async fn is_overtaken(contract: &BillingContract, context: &Context) -> Result<bool, Error> {
    let ObjectId { uid, name, .. } = ObjectId::of(contract);
    let version = contract.resource_version();
    if !context.contract_queue.doubts(&uid, version.as_deref()) {
        return Ok(false);
    }
    let found = bounded(api(contract, context).get_metadata_opt(&name)).await?;
    let Some(found) = found.filter(|found| found.uid().as_deref() == Some(&uid)) else { return Ok(true) };
    context.contract_queue.knows(&uid, found.resource_version().as_deref());
    Ok(found.resource_version() != version)
}

/// Nothing is written for a spec that is understood in part.
fn unknown_field(why: String) -> ContractResult {
    let refusal = Refusal { reason: reasons::UNKNOWN_FIELD, message: why };
    ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod)
}

/// Ends in billing what the resource holds, as its policies say, and lets it go.
async fn delete(
    contract: &BillingContract,
    unknown: Option<String>,
    references: &References,
    turn: &Turn,
    context: &Context,
) -> Result<Pass, Error> {
    let goal = match deletion::of_contract(contract) {
        Deletion::NotOurs => return Ok(Pass::Done(Action::await_change())),
        Deletion::Release => return release(contract, context).await.map(Pass::Done),
        Deletion::End(goal) => goal,
    };
    let slots = references.slots(contract, context);
    let is_asked = unknown.is_none() && references.heir(contract, context).is_none();
    if is_asked && references.awaits_provider(contract, context) {
        return Ok(Pass::Done(Action::requeue(GRACE)));
    }
    if is_asked && !turn.has(slots) {
        return Ok(Pass::Needs(slots.clone()));
    }
    let stays = match unknown {
        Some(why) => Some(unknown_field(why)),
        None => end(contract, references, goal, context).await?,
    };
    match stays {
        Some(result) => report(contract, result, references, context).await.map(Pass::Done),
        None => release(contract, context).await.map(Pass::Done),
    }
}

/// Ends in billing what the resource holds; what is still in the way, or nothing when the resource may go.
async fn end(
    contract: &BillingContract,
    references: &References,
    goal: Goal,
    context: &Context,
) -> Result<Option<ContractResult>, Error> {
    if let Some(heir) = references.heir(contract, context) {
        tracing::info!(
            contract = contract.name_any(),
            namespace = contract.namespace(),
            heir,
            "another resource claims the contract: it is left as it is"
        );
        return Ok(None);
    }
    let result = bring(contract, references, goal, context).await;
    if deletion::may_go(&result) {
        context.metrics.reconciled(BillingContract::LABEL, result.outcome.label());
        report::announce(contract, &result, &[], context).await;
        report::spend_on_end(contract, &result, context).await?;
        return Ok(None);
    }
    Ok(Some(result))
}

async fn ensure_finalizer(contract: &BillingContract, context: &Context) -> Result<BillingContract, Error> {
    let needed = deletion::contract_needs_finalizer(contract);
    finalizer::ensure(context, contract, FINALIZER, needed).await
}

async fn release(contract: &BillingContract, context: &Context) -> Result<Action, Error> {
    finalizer::ensure(context, contract, FINALIZER, false).await?;
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
    let uid = ObjectId::of(contract).uid;
    if let Some(refusal) = context.journal.unread(&uid).await {
        return ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod);
    }
    let package = resolved.package.filter(|_| goal == Goal::InForce);
    let grounds = references.grounds(contract, package, context);
    let result = account.client.reconcile_contract(contract, &resolved, goal, &grounds).await;
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

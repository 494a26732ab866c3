//! Reconcile of contracts: resolve, validate, observe, plan, execute, report.

use std::sync::Arc;

use kube::{Resource, ResourceExt, runtime::controller::Action};

use super::{
    Context, Error, Guarded, decoded, deletion,
    outcome::{Next, Outcome},
    pass::Pass,
    report::report,
    schedule::Turn,
    sources::{GRACE, Sources, check_claim, is_early, resolve, trigger, without_package},
    status::Finding,
    undecodable,
};
use crate::{
    api::BillingContract,
    plan::{Policy, Recorded},
};

/// Brings one contract from what its spec says to what the billing API says, and reports.
///
/// # Errors
/// When the API server does not do its part; the pass is tried again.
pub async fn reconcile(
    guarded: Arc<Guarded<BillingContract>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    let contract = match decoded(&guarded) {
        Ok(contract) => contract,
        Err(invalid) => return undecodable::report(&context, &guarded, &invalid.error).await,
    };
    context.filled().await;
    context.renewals.changed(contract, &context);
    let uid = contract.uid().unwrap_or_default();
    let sources = Sources::of(contract, &context);
    match context.contracts.turn(&uid, contract.resource_version().as_deref(), &trigger(contract, &sources)) {
        Turn::Stale => return Ok(Action::await_change()),
        Turn::Later(wait) => return Ok(Action::requeue(wait)),
        Turn::Now => {}
    }
    if contract.meta().deletion_timestamp.is_some() {
        return deletion::delete(contract, &sources, &context).await;
    }
    if is_early(contract, &sources, &context) {
        return Ok(Action::requeue(GRACE));
    }
    let contract = deletion::with_finalizer(contract, &context).await?;
    let outcome = match examine(&contract, &sources, &context).await {
        Ok(outcome) | Err(outcome) => outcome,
    };
    report(&contract, outcome, &sources, &context).await
}

/// The steps between an object and a finding; each may end the pass.
async fn examine(
    contract: &BillingContract,
    sources: &Sources,
    context: &Context,
) -> Result<Outcome, Outcome> {
    if contract.spec.suspend {
        return Err(Outcome::new(Finding::Suspended, Next::Change));
    }
    let account = resolve(contract, &sources.key, &sources.provider)?;
    let package = sources.package.as_ref().map_err(without_package)?.as_ref();
    let pass = Pass { contract, key: &sources.key, package, account, context };
    let target = pass.target().await?;
    check_claim(contract, account, context)?;
    let (recorded, policy) = (Recorded::of(contract), Policy::of(contract));
    let observed = pass.observe(&target, &recorded, &policy).await?;
    let decision = pass.decide(&target, observed.as_ref(), &recorded, &policy);
    pass.execute(&target, observed, decision, recorded, &policy).await
}

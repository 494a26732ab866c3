//! What happens when a contract's resource is deleted, and the finalizer that holds it until then.
//!
//! With `Orphan` there is no finalizer, so nothing can be stuck; otherwise the contract is ended first.

use chrono::Utc;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    runtime::controller::Action,
};
use serde_json::json;

use super::{
    Context, Error, Handled, bounded,
    outcome::Outcome,
    packages,
    pass::Pass,
    providers::Backend,
    report::{api, report},
    sources::{Sources, resolve},
    status::Finding,
    target::{Observed, View},
};
use crate::{
    api::{BillingContract, FINALIZER, RELEASE, contract::DeletionPolicy},
    billing::CallError,
    plan::{self, Policy, Recorded, metronome, zoo},
    terms::zoo::expand,
};

/// Ends the contract in the billing API, as the policy says, and lets the resource go.
pub(super) async fn delete(
    contract: &BillingContract,
    sources: &Sources,
    context: &Context,
) -> Result<Action, Error> {
    if !contract.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(Action::await_change());
    }
    let released = contract.annotations().get(RELEASE).is_some_and(|value| value == "true");
    if contract.spec.deletion_policy != DeletionPolicy::Orphan && !released {
        let package = packages::meant(contract, context);
        let ended = match resolve(contract, &sources.key, &sources.provider) {
            Ok(account) => {
                end(&Pass { contract, key: &sources.key, package: package.as_ref(), account, context }).await
            }
            Err(blocked) => Err(blocked),
        };
        if let Err(mut outcome) = ended {
            if let Finding::Waiting { message, .. }
            | Finding::Refused { refusal: plan::Refusal { message, .. }, .. } = outcome.finding.as_mut()
            {
                *message = format!(
                    "{message} The contract in the billing API has not been ended yet. To delete the resource without \
                     ending it, run: kubectl annotate billingcontract {} {RELEASE}=true",
                    contract.name_any()
                );
            }
            return report(contract, outcome, sources, context).await;
        }
    }
    set_finalizer(contract, false, context).await?;
    Ok(Action::await_change())
}

/// Ends the contract in the billing API; harmless when repeated.
async fn end(pass: &Pass<'_>) -> Result<(), Outcome> {
    let (Backend::Zoo(zoo), Some(terms)) = (&pass.account.backend, &pass.contract.spec.zoo) else {
        return end_metronome(pass).await;
    };
    let observed = zoo.observe(&terms.organization_id).await.map_err(|error| pass.failed(&error))?;
    let policy = pass.contract.spec.deletion_policy;
    let package = pass.package.and_then(|package| package.spec.zoo.as_ref());
    let written = expand(terms, package).ok();
    let end = zoo::end(
        &terms.organization_id,
        written.as_ref(),
        observed.as_ref(),
        &Recorded::of(pass.contract),
        policy,
    );
    let refused = |refusal: plan::Refusal| Outcome::refused(refusal.reason, refusal.message);
    let Some(call) = end.map_err(refused)? else { return Ok(()) };
    match zoo.write(&call).await {
        Ok(_) | Err(CallError::NotFound { .. }) => Ok(()),
        Err(error) => Err(pass.failed(&error)),
    }
}

async fn end_metronome(pass: &Pass<'_>) -> Result<(), Outcome> {
    let target = pass.target().await?;
    let (spec, recorded) = (&pass.contract.spec, Recorded::of(pass.contract));
    let observed = target.observe(&recorded, &Policy::default(), Utc::now()).await;
    let Observed::Contract(View::Metronome(view)) = observed.map_err(|error| pass.failed(&error))? else {
        // None that is this resource's, or one that is archived already.
        return Ok(());
    };
    let call =
        metronome::end(&view, &recorded, spec.deletion_policy, spec.end_at, spec.void_invoices, Utc::now());
    let refused = |refusal: plan::Refusal| Outcome::refused(refusal.reason, refusal.message);
    let Some(call) = call.map_err(refused)? else { return Ok(()) };
    match target.write(&call, Utc::now()).await {
        Ok(_) | Err(CallError::NotFound { .. }) => Ok(()),
        Err(error) => Err(pass.failed(&error)),
    }
}

/// The contract with our finalizer exactly when its deletion takes a billing call.
pub(super) async fn with_finalizer(
    contract: &BillingContract,
    context: &Context,
) -> Result<BillingContract, Error> {
    let has = contract.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    let needs = contract.spec.deletion_policy != DeletionPolicy::Orphan;
    if has == needs { Ok(contract.clone()) } else { set_finalizer(contract, needs, context).await }
}

async fn set_finalizer(
    contract: &BillingContract,
    set: bool,
    context: &Context,
) -> Result<BillingContract, Error> {
    let patched = put_finalizer(&api(contract, context), contract, FINALIZER, set).await?;
    context.contracts.wrote(&contract.uid().unwrap_or_default(), patched.resource_version().as_deref());
    Ok(patched)
}

/// Sets or removes a finalizer of ours; the object as it is then.
pub(super) async fn put_finalizer<K: Handled>(
    api: &Api<K>,
    object: &K,
    finalizer: &str,
    set: bool,
) -> Result<K, Error> {
    let mut finalizers = object.finalizers().to_vec();
    finalizers.retain(|found| found != finalizer);
    if set {
        finalizers.push(finalizer.to_owned());
    }
    let patch = json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": finalizers}});
    bounded(api.patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(&patch))).await
}

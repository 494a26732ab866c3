//! Reconcile of packages: their own statuses, and word to the contracts that use them.
//!
//! Zoo has no packages: there the terms go into each contract, and nothing here calls a billing API.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kube::{Api, Resource, ResourceExt, api::PostParams, runtime::controller::Action};

use super::{
    Context, Error, Guarded, Handled, bounded, decoded, events,
    packages::{count, key},
    schedule::{Trigger, Turn},
    status::{Note, Standing, conditions},
    undecodable,
};
use crate::{
    api::{ContractPackage, ContractPackageStatus, REQUESTED_AT, package::Lifecycle},
    plan::package::{self, DRAFT},
};

/// Brings a package's status up to date, and lets its contracts know.
///
/// # Errors
/// When the API server does not do its part; the pass is tried again.
pub async fn reconcile(
    guarded: Arc<Guarded<ContractPackage>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    context.packages.changed(key(guarded.as_ref()));
    let package = match decoded(&guarded) {
        Ok(package) => package,
        Err(invalid) => return undecodable::report(&context, &guarded, &invalid.error).await,
    };
    context.filled().await;
    let uid = package.uid().unwrap_or_default();
    match context.package_schedule.turn(&uid, package.resource_version().as_deref(), &Trigger::default()) {
        Turn::Stale => return Ok(Action::await_change()),
        Turn::Later(wait) => return Ok(Action::requeue(wait)),
        Turn::Now => {}
    }
    let cached = context.package_store.state();
    let packages: Vec<_> = cached.iter().filter_map(|package| decoded(package).ok()).collect();
    let standing = local(package, &packages)
        .unwrap_or_else(|| Standing::waiting("NotCreated", "The billing API does not have the package yet."));
    let outcome = if standing.gate.is_some() { "refused" } else { "ready" };
    context.metrics.reconciled(ContractPackage::LABEL, outcome);
    let contracts = count(package, &packages, &context);
    write(package, status(package, Some(&standing), contracts, Utc::now()), &standing, &context).await?;
    Ok(Action::await_change())
}

/// Writes a status if it changed, and an event if the package has become unusable.
async fn write(
    package: &ContractPackage,
    status: ContractPackageStatus,
    standing: &Standing,
    context: &Context,
) -> Result<(), Error> {
    if package.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let mut object = package.clone();
    object.status = Some(status);
    let api: Api<ContractPackage> =
        Api::namespaced(context.client.clone(), &package.namespace().unwrap_or_default());
    let written = bounded(api.replace_status(&package.name_any(), &PostParams::default(), &object)).await?;
    context.metrics.status_written(ContractPackage::LABEL);
    let uid = package.uid().unwrap_or_default();
    context.package_schedule.wrote(&uid, written.resource_version().as_deref());
    if let Some(note) = note(package, standing) {
        events::publish(&context.client, package.object_ref(&()), &context.options.identity, note).await;
    }
    Ok(())
}

/// The event that a standing is worth, given the status before it.
fn note(package: &ContractPackage, standing: &Standing) -> Option<Note> {
    let (_, reason) = standing.gate.filter(|(gate, _)| *gate == "Stalled")?;
    let mut before = package.status.iter().flat_map(|status| &status.conditions);
    let is_old = before.any(|before| before.type_ == "Stalled" && before.message == standing.message);
    (!is_old).then(|| Note { warning: true, reason, message: standing.message.clone() })
}

/// How a package stands, if that can be said without asking a billing API.
#[must_use]
pub fn local(package: &ContractPackage, packages: &[&ContractPackage]) -> Option<Standing> {
    match package::sound(package, packages) {
        Err(refusal) if refusal.reason == DRAFT => Some(Standing::ready(
            DRAFT,
            "The package is a draft: free to change, and no contract can use it.",
        )),
        Err(refusal) => Some(Standing::stalled(
            refusal.reason,
            format!("The package cannot be used: {}.", refusal.message),
        )),
        Ok(()) if package.spec.metronome.is_some() => None,
        Ok(()) => Some(usable(package)),
    }
}

/// The standing of a package that contracts can use.
fn usable(package: &ContractPackage) -> Standing {
    if package.spec.lifecycle == Lifecycle::Archived {
        let message = "No new contracts are made from the package; those that there are stay as they are.";
        return Standing::ready("Archived", message);
    }
    Standing::ready("Published", "Contracts can use the package.")
}

/// The status of a package that so many contracts use; without a standing, the conditions stay as they are.
#[must_use]
pub fn status(
    package: &ContractPackage,
    standing: Option<&Standing>,
    contracts: i32,
    now: DateTime<Utc>,
) -> ContractPackageStatus {
    let mut status = package.status.clone().unwrap_or_default();
    status.contracts = Some(contracts);
    let Some(standing) = standing else { return status };
    let generation = package.metadata.generation;
    status.conditions = conditions(&status.conditions, standing, &[], generation, now);
    status.observed_generation = generation;
    status.last_handled_reconcile_at = package.annotations().get(REQUESTED_AT).cloned();
    if package.spec.lifecycle != Lifecycle::Draft {
        status.digest.get_or_insert_with(|| package::digest(&package.spec));
    }
    status
}

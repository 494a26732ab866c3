//! Reconcile of packages: their own statuses, and word to the contracts that use them.
//!
//! Zoo has no packages: there the terms go into each contract, and no billing API is called. What is done in Metronome
//! is `metronome`'s.

mod metronome;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kube::{Api, Resource, ResourceExt, api::PostParams, runtime::controller::Action};

use super::{
    Context, Error, Guarded, Handled, bounded, decoded, events,
    outcome::{Next, RARELY},
    packages::{account, count, key},
    providers,
    schedule::{Trigger, Turn},
    sources::{GRACE, awaits_provider},
    status::{Note, Standing, conditions},
    undecodable,
};
use crate::{
    api::{ContractPackage, ContractPackageStatus, RELEASE, REQUESTED_AT, package::Lifecycle},
    plan::package::{self, DRAFT},
};

/// Reasons for which a package is refused before any billing API is asked.
const REFUSED_HERE: [&str; 5] = [DRAFT, "AliasTaken", "DuplicateClaim", "InvalidSpec", "TermsChanged"];

/// What a look at a package came to.
pub struct Verdict {
    standing: Standing,
    /// ID in the billing API, once it is known to be this package.
    package_id: Option<String>,
    next: Next,
}

impl Verdict {
    /// What can be said without asking a billing API.
    #[must_use]
    pub fn local(standing: Standing) -> Self {
        Self { standing, package_id: None, next: Next::Change }
    }
}

/// Brings a package and its status up to date, and lets its contracts know.
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
    let cached = context.package_store.state();
    let packages: Vec<_> = cached.iter().filter_map(|package| decoded(package).ok()).collect();
    let told = local(package, &packages);
    let provider = account(package).map(|key| {
        let found = context.providers.lookup(&key, &package.namespace().unwrap_or_default());
        (key, found)
    });
    let trigger = trigger(package, told.as_ref(), provider.as_ref().map(|(_, found)| found));
    let turn = context.package_schedule.turn(&uid, package.resource_version().as_deref(), &trigger);
    if turn == Turn::Stale {
        return Ok(Action::await_change());
    }
    let contracts = count(package, &packages, &context);
    if package.meta().deletion_timestamp.is_some() {
        return metronome::delete(package, provider.as_ref(), contracts, &turn, &context).await;
    }
    let verdict = match (told, turn, &provider) {
        (Some(standing), ..) => Verdict::local(standing),
        (None, Turn::Now, Some((key, found))) if awaits_provider(package, key, found, &context) => {
            return Ok(Action::requeue(GRACE));
        }
        (None, Turn::Now, Some(provider)) => {
            let package = metronome::with_finalizer(package, &context).await?;
            let verdict = metronome::examine(&package, provider, &context).await;
            return report(&package, verdict, contracts, &context).await;
        }
        (None, Turn::Later(wait), _) => {
            write(package, status(package, None, contracts, Utc::now()), None, &context).await?;
            return Ok(Action::requeue(wait));
        }
        (None, ..) => return Ok(Action::await_change()),
    };
    report(package, verdict, contracts, &context).await
}

/// Writes what a look came to, and says when to look again.
async fn report(
    package: &ContractPackage,
    verdict: Verdict,
    contracts: i32,
    context: &Context,
) -> Result<Action, Error> {
    let outcome = if verdict.standing.gate.is_some() { "refused" } else { "ready" };
    context.metrics.reconciled(ContractPackage::LABEL, outcome);
    let status = status(package, Some(&verdict), contracts, Utc::now());
    write(package, status, Some(&verdict.standing), context).await?;
    let (schedule, uid) = (&context.package_schedule, package.uid().unwrap_or_default());
    Ok(verdict.next.action(schedule, &uid, RARELY))
}

/// What a new look depends on.
fn trigger(
    package: &ContractPackage,
    told: Option<&Standing>,
    provider: Option<&providers::Lookup>,
) -> Trigger {
    let provider = provider.map(providers::Lookup::version).unwrap_or_default();
    Trigger {
        generation: package.metadata.generation,
        deleting: package.metadata.deletion_timestamp.is_some(),
        annotations: [REQUESTED_AT, RELEASE].map(|name| package.annotations().get(name).cloned()).to_vec(),
        dependencies: vec![told.map(|told| told.message.clone()).unwrap_or_default(), provider],
    }
}

/// Writes a status if it changed, and an event if the package has become unusable.
async fn write(
    package: &ContractPackage,
    status: ContractPackageStatus,
    standing: Option<&Standing>,
    context: &Context,
) -> Result<(), Error> {
    if package.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let mut object = package.clone();
    object.status = Some(status);
    let written =
        bounded(api(package, context).replace_status(&package.name_any(), &PostParams::default(), &object))
            .await?;
    context.metrics.status_written(ContractPackage::LABEL);
    let uid = package.uid().unwrap_or_default();
    context.package_schedule.wrote(&uid, written.resource_version().as_deref());
    if let Some(note) = standing.and_then(|standing| note(package, standing)) {
        events::publish(&context.client, package.object_ref(&()), &context.options.identity, note).await;
    }
    Ok(())
}

fn api(package: &ContractPackage, context: &Context) -> Api<ContractPackage> {
    Api::namespaced(context.client.clone(), &package.namespace().unwrap_or_default())
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

/// Whether the package was refused, when it was last looked at, before any billing API was asked.
#[must_use]
pub fn was_refused_here(package: &ContractPackage) -> bool {
    let mut conditions = package.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|found| found.type_ == "Ready" && REFUSED_HERE.contains(&found.reason.as_str()))
}

/// The standing of a package that contracts can use.
fn usable(package: &ContractPackage) -> Standing {
    if package.spec.lifecycle == Lifecycle::Archived {
        let message = "No new contracts are made from the package; those that there are stay as they are.";
        return Standing::ready("Archived", message);
    }
    Standing::ready("Published", "Contracts can use the package.")
}

/// The status of a package that so many contracts use; without a verdict, the rest stays as it is.
#[must_use]
pub fn status(
    package: &ContractPackage,
    verdict: Option<&Verdict>,
    contracts: i32,
    now: DateTime<Utc>,
) -> ContractPackageStatus {
    let mut status = package.status.clone().unwrap_or_default();
    status.contracts = Some(contracts);
    let Some(Verdict { standing, package_id, .. }) = verdict else { return status };
    let generation = package.metadata.generation;
    status.conditions = conditions(&status.conditions, standing, &[], generation, now);
    status.observed_generation = generation;
    status.last_handled_reconcile_at = package.annotations().get(REQUESTED_AT).cloned();
    if package_id.is_some() {
        status.package_id.clone_from(package_id);
    }
    if package.spec.lifecycle != Lifecycle::Draft {
        status.digest.get_or_insert_with(|| package::digest(&package.spec));
    }
    status
}

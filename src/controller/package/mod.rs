//! Reconcile of packages: their own statuses, and word to the contracts that use them.
//!
//! Where a billing API has no packages (Zoo), the terms go into each contract, and no billing API is called.

pub mod registry;

use std::sync::Arc;

use kube::{Api, Resource, ResourceExt, runtime::controller::Action};

use self::registry::{key, provider_key};
use super::{
    Context, Error, Guarded, Handled, ObjectId,
    contract::{account_of, awaits_provider, find_provider, or_lingering, provider_version, spec_version},
    decoded,
    grounds::{Grounds, Own},
    guarded::Invalid,
    kubernetes::{
        events, finalizer,
        queue::{Due, Fingerprint, Queue},
        status::write,
        turn::{Pass, Turn},
        undecodable,
    },
    provider::registry::{ProviderKey, ReadyProvider},
};
use crate::{
    api::{ContractPackage, PACKAGE_FINALIZER, RELEASE, REQUESTED_AT, reasons},
    billing::slots::Slots,
    clock,
    protocol::{
        Goal, ReconcileResult, Requeue,
        deletion::{self, Deletion},
        failure::RARELY,
        references::{GRACE, ProviderLookup},
    },
    status::{
        Summary,
        package::{PackageResult, event, status, summary, was_refused_here},
    },
};

type Provider = (ProviderKey, ProviderLookup<Arc<ReadyProvider>>);

impl Handled for ContractPackage {
    const LABEL: &'static str = "ContractPackage";

    fn queue(context: &Context) -> &Queue {
        &context.package_queue
    }

    fn gone(context: &Context, namespace: Option<String>, name: &str) {
        context.packages.changed((namespace, name.to_owned()));
    }
}

/// Brings a package and its status up to date, and lets its contracts know.
///
/// # Errors
/// When the API server does not do its part; the reconcile is tried again.
pub async fn reconcile(
    mut guarded: Arc<Guarded<ContractPackage>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    context.packages.changed(key(guarded.as_ref()));
    let mut turn = Turn::default();
    loop {
        let slots = match Box::pin(pass(&guarded, &turn, &context)).await? {
            Pass::Done(action) => return Ok(action),
            Pass::Needs(slots) => slots,
        };
        match turn.take(&slots, &guarded, &context.stores.packages, &context).await {
            Some(newest) => guarded = newest,
            None => return Ok(Action::await_change()),
        }
    }
}

/// As far as it goes without a slot, or with one to its end.
async fn pass(guarded: &Guarded<ContractPackage>, turn: &Turn, context: &Context) -> Result<Pass, Error> {
    let package = match decoded(guarded) {
        Ok(package) => package,
        Err(invalid) => return unreadable(guarded, invalid, context).await.map(Pass::Done),
    };
    context.filled().await;
    let uid = ObjectId::of(package).uid;
    context.package_queue.begins(&uid);
    let local = context.packages.local(package);
    let provider = provider_key(package).map(|key| {
        let found = provider(package, &key, context);
        (key, found)
    });
    let fingerprint = fingerprint(package, local.as_ref(), provider.as_ref());
    let due = context.package_queue.due(&uid, package.resource_version().as_deref(), &fingerprint);
    if due == Due::Stale {
        return Ok(Pass::Done(Action::await_change()));
    }
    let contracts = context.packages.count(package);
    if package.metadata.deletion_timestamp.is_some() {
        if let (Some(why), Deletion::End(_)) =
            (guarded.unknown_besides_terms(), deletion::of_package(package))
        {
            let message = deletion::how_to_release(&why, "package", &package.name_any(), "archived");
            let summary = Summary::stalled(reasons::UNKNOWN_FIELD, message);
            return report(package, &summary, None, contracts, context).await.map(Pass::Done);
        }
        return delete(package, provider.as_ref(), contracts, due, turn, context).await;
    }
    let action = match (local, due, &provider) {
        (Some(summary), ..) => report(package, &summary, None, contracts, context).await?,
        (None, Due::Now, Some((key, found))) if awaits_provider(package, key, found, &context.stores) => {
            Action::requeue(GRACE)
        }
        (None, Due::Now, Some(provider)) => {
            let slots = slots(provider, context);
            if !turn.has(slots) {
                return Ok(Pass::Needs(slots.clone()));
            }
            let needs_finalizer = deletion::package_needs_finalizer(package);
            let package = finalizer::ensure(context, package, PACKAGE_FINALIZER, needs_finalizer).await?;
            let result = bring(&package, provider, contracts, Goal::InForce, context).await;
            report(&package, &summary(&package, &result), Some(&result), contracts, context).await?
        }
        (None, Due::Later(wait), _) => {
            let status = status(package, None, None, contracts, clock::now());
            write(context, &api(package, context), package, status).await?;
            Action::requeue(wait)
        }
        (None, ..) => Action::await_change(),
    };
    Ok(Pass::Done(action))
}

/// Archives the package of a resource that is deleted, as its policy says, and lets the resource go.
async fn delete(
    package: &ContractPackage,
    provider: Option<&Provider>,
    contracts: i32,
    due: Due,
    turn: &Turn,
    context: &Context,
) -> Result<Pass, Error> {
    let goal = match deletion::of_package(package) {
        Deletion::NotOurs => return Ok(Pass::Done(Action::await_change())),
        Deletion::Release => return release(package, context).await.map(Pass::Done),
        Deletion::End(goal) => goal,
    };
    if let Due::Later(wait) = due {
        return Ok(Pass::Done(Action::requeue(wait)));
    }
    let Some(provider) = provider else { return release(package, context).await.map(Pass::Done) };
    if awaits_provider(package, &provider.0, &provider.1, &context.stores) {
        return Ok(Pass::Done(Action::requeue(GRACE)));
    }
    let slots = slots(provider, context);
    if !turn.has(slots) {
        return Ok(Pass::Needs(slots.clone()));
    }
    let result = bring(package, provider, contracts, goal, context).await;
    if deletion::may_go(&result) {
        return release(package, context).await.map(Pass::Done);
    }
    let mut summary = summary(package, &result);
    summary.message = deletion::how_to_release(&summary.message, "package", &package.name_any(), "archived");
    report(package, &summary, Some(&result), contracts, context).await.map(Pass::Done)
}

/// What a package finds when it looks up its provider. One that is deleted can be archived for a while after its provider went, as
/// with a namespace everything in it goes, in any order.
fn provider(
    package: &ContractPackage,
    key: &ProviderKey,
    context: &Context,
) -> ProviderLookup<Arc<ReadyProvider>> {
    let found = find_provider(package, key, context);
    if package.metadata.deletion_timestamp.is_none() {
        return found;
    }
    let account =
        account_of(key, &context.stores).or_else(|| Some(context.providers.lingering(key)?.account.clone()));
    or_lingering(found, key, account.as_deref(), context)
}

/// Whose slot a reconcile takes: that of the account which it asks.
fn slots<'a>((_, found): &'a Provider, context: &'a Context) -> &'a Slots {
    if let ProviderLookup::Ready(account) = found { account.budget.slots() } else { &context.local }
}

/// Reports a package that cannot be read, or lets it go: archiving it takes its ID, and not its terms.
async fn unreadable(
    guarded: &Guarded<ContractPackage>,
    invalid: &Invalid<ContractPackage>,
    context: &Context,
) -> Result<Action, Error> {
    let message = undecodable::message(&invalid.error);
    let is_deleted = guarded.meta().deletion_timestamp.is_some();
    if !is_deleted {
        return undecodable::report(context, guarded, &message).await;
    }
    if !finalizer::has(guarded, PACKAGE_FINALIZER) {
        return Ok(Action::await_change());
    }
    let is_archived = async {
        let package = invalid.endable()?;
        context.filled().await;
        let Deletion::End(goal) = deletion::of_package(package) else { return None };
        let key = provider_key(package)?;
        let found = provider(package, &key, context);
        let result = bring(package, &(key, found), context.packages.count(package), goal, context).await;
        deletion::may_go(&result).then_some(())
    };
    if deletion::is_released(guarded) || invalid.is_orphan || is_archived.await.is_some() {
        finalizer::release::<ContractPackage>(context, guarded, PACKAGE_FINALIZER).await?;
        return Ok(Action::await_change());
    }
    let message = deletion::how_to_release(&message, "package", &guarded.name_any(), "archived");
    undecodable::report(context, guarded, &message).await?;
    Ok(Action::requeue(RARELY))
}

async fn release(package: &ContractPackage, context: &Context) -> Result<Action, Error> {
    finalizer::ensure(context, package, PACKAGE_FINALIZER, false).await?;
    Ok(Action::await_change())
}

/// Carries the protocol out in the package's account.
async fn bring(
    package: &ContractPackage,
    (key, found): &Provider,
    contracts: i32,
    goal: Goal,
    context: &Context,
) -> PackageResult {
    let account = match found.account(&key.to_string(), &ObjectId::of(package).namespace) {
        Ok(account) => account,
        Err(blocked) => return *blocked,
    };
    if goal != Goal::InForce
        && let Some(refusal) = deletion::package_is_elsewhere(package, &account.account)
    {
        return ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod);
    }
    // Of one that is gone, what it was is used for a while.
    let provider = spec_version(key, &context.stores).map(|_| account.spec().clone());
    let grounds = Grounds { own: Own::Package(package), key, provider, package: None, page: None, context };
    let client = &account.client;
    let result = client.reconcile_package(package, &account.account, contracts, goal, &grounds).await;
    if result.suspects_token {
        context.providers.suspect(key, account);
    }
    result
}

/// Writes what a reconcile came to, and says when to look again.
async fn report(
    package: &ContractPackage,
    summary: &Summary,
    result: Option<&PackageResult>,
    contracts: i32,
    context: &Context,
) -> Result<Action, Error> {
    if context.tenure.stop().is_set() && result.is_some_and(PackageResult::is_given_up) {
        return Ok(Action::await_change());
    }
    let outcome = if summary.abnormal.is_some() { "refused" } else { "ready" };
    context.metrics.reconciled(ContractPackage::LABEL, outcome);
    let status = status(package, Some(summary), result, contracts, clock::now());
    let written = write(context, &api(package, context), package, status).await?;
    if let Some(record) = event(package, summary).filter(|_| written) {
        events::publish(&context.client, package.object_ref(&()), &context.options.identity, record).await;
    }
    let requeue = result.map_or(Requeue::OnChange, |result| result.requeue);
    let period = provider_key(package).and_then(|key| Some(context.providers.account(&key)?.sync_period));
    let uid = ObjectId::of(package).uid;
    Ok(context.package_queue.requeue(&uid, requeue, period.unwrap_or(RARELY)))
}

/// What a new reconcile depends on.
fn fingerprint(
    package: &ContractPackage,
    local: Option<&Summary>,
    provider: Option<&Provider>,
) -> Fingerprint {
    let provider = provider.map(|(_, found)| provider_version(found)).unwrap_or_default();
    Fingerprint {
        generation: package.metadata.generation,
        deleting: package.metadata.deletion_timestamp.is_some(),
        annotations: [REQUESTED_AT, RELEASE].map(|name| package.annotations().get(name).cloned()).to_vec(),
        dependencies: vec![local.map(|local| local.message.clone()).unwrap_or_default(), provider],
    }
}

/// Lets every package be looked at again whose status is behind: contracts came or went, or an alias is free.
pub fn refresh(context: &Context) {
    for package in context.stores.packages.state() {
        let Ok(package) = decoded(&package) else { continue };
        let local = context.packages.local(package);
        let current = status(package, local.as_ref(), None, context.packages.count(package), clock::now());
        let is_behind = package.status.as_ref() != Some(&current);
        if is_behind || (local.is_none() && was_refused_here(package)) {
            context.packages.due(key(package));
        }
    }
}

/// Lets every package be looked at now.
pub fn wake_all(context: &Context) {
    for package in context.stores.packages.state() {
        context.package_queue.wake(&ObjectId::of(package.as_ref()).uid);
        context.packages.due(key(package.as_ref()));
    }
}

fn api(package: &ContractPackage, context: &Context) -> Api<ContractPackage> {
    Api::namespaced(context.client.clone(), &ObjectId::of(package).namespace)
}

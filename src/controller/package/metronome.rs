//! A package in Metronome: found or created, compared, archived.

use std::time::Duration;

use chrono::{DateTime, Utc};
use kube::{ResourceExt, runtime::controller::Action};
use serde_json::Value;

use super::{Verdict, api, report, usable};
use crate::{
    api::{ContractPackage, PACKAGE_FINALIZER, RELEASE, REQUESTED_AT, package::PackageDeletionPolicy},
    billing::{CallError, metronome::Metronome},
    controller::{
        Context, Error,
        deletion::put_finalizer,
        outcome::{LOOK_AGAIN, MAX_ROUNDS, Next},
        providers::{Account, Backend, Lookup, ProviderKey},
        schedule::Turn,
        status::Standing,
    },
    plan::{
        self, Call, Refusal,
        metronome::{
            UniquenessKey,
            package::{self, ARCHIVE_PACKAGE, Desired, Step, View},
        },
        summarize,
    },
    terms::Timestamp,
    validate,
};

type Provider = (ProviderKey, Lookup);

/// Brings a sound package, published or archived, from what its spec says to what the billing API says.
pub(super) async fn examine(package: &ContractPackage, provider: &Provider, context: &Context) -> Verdict {
    if let Some(verdict) = still_refused(package) {
        return verdict;
    }
    let account = match account(provider) {
        Ok(account) => account,
        Err(verdict) => return *verdict,
    };
    let Backend::Metronome(client) = &account.backend else {
        let why =
            "the provider is a Zoo account, and packages with `spec.metronome` belong to a Metronome account";
        return refused(&Refusal { reason: "InvalidSpec", message: why.to_owned() }, account);
    };
    let desired = match desired(package, client) {
        Ok(desired) => desired,
        Err(message) => return refused(&Refusal { reason: "InvalidSpec", message }, account),
    };
    match settle(package, &desired, client, context).await {
        Ok(Settled::As(view)) => {
            let mut standing = usable(package);
            let aliases = view.as_ref().map(|view| desired.alias_differences(view)).unwrap_or_default();
            if !aliases.is_empty() {
                standing.message = format!(
                    "{} The API takes aliases only when a package is created, so there they differ (billing -> spec); \
                     contracts with `packageRef.alias` go by the spec: {}",
                    standing.message,
                    summarize(&aliases)
                );
            }
            let package_id = view.map(|view| view.package_id);
            Verdict { standing, package_id, next: Next::After(account.sync_period) }
        }
        Ok(Settled::Refused(refusal)) => refused(&refusal, account),
        Err(error) => failed(package, &error, provider, account, context),
    }
}

/// What came of a package.
enum Settled {
    /// It is there; or it is archived and was never there.
    As(Option<View>),
    /// It cannot be.
    Refused(Refusal),
}

/// Finds the package, and creates or archives it where that is to be done: at most one write, which must show after it.
async fn settle(
    package: &ContractPackage,
    desired: &Desired,
    client: &Metronome,
    context: &Context,
) -> Result<Settled, CallError> {
    let recorded = package.status.as_ref().and_then(|status| status.package_id.clone());
    let observed = observe(desired, client, recorded.as_deref()).await?;
    if let (None, Some(id)) = (&observed, &recorded) {
        return Ok(Settled::Refused(not_listed(id)));
    }
    let lifecycle = package.spec.lifecycle;
    let id = match package::plan(desired, lifecycle, observed.as_ref()) {
        Step::Settle => return Ok(Settled::As(observed)),
        Step::Refuse(refusal) => return Ok(Settled::Refused(refusal)),
        Step::Write(call) if call.path == ARCHIVE_PACKAGE => {
            client.archive_package(&call).await?;
            recorded
        }
        Step::Write(call) => create(package, desired, &call, client, context).await?,
    };
    let observed = observe(desired, client, id.as_deref()).await?;
    match package::plan(desired, lifecycle, observed.as_ref()) {
        Step::Settle => Ok(Settled::As(observed)),
        Step::Refuse(refusal) => Ok(Settled::Refused(refusal)),
        Step::Write(_) => {
            Err(CallError::Unreachable("the billing API does not show what was written yet".to_owned()))
        }
    }
}

/// Creates the package; its ID, as far as the reply has one. Should the key be taken, a create whose reply was lost may
/// have made the package: it is looked for again.
async fn create(
    package: &ContractPackage,
    desired: &Desired,
    call: &Call,
    client: &Metronome,
    context: &Context,
) -> Result<Option<String>, CallError> {
    if context.package_schedule.rounds(&uid(package), &call.fingerprint) > 0 {
        let message = "no package has it yet".to_owned();
        return Err(key_used(package, call, CallError::KeyUsed { message }, context));
    }
    match client.write(call).await {
        Ok(data) => Ok(data.get("id").and_then(Value::as_str).map(str::to_owned)),
        Err(error @ CallError::KeyUsed { .. }) => match observe(desired, client, None).await? {
            Some(view) => Ok(Some(view.package_id)),
            None => Err(key_used(package, call, error, context)),
        },
        Err(error) => Err(error),
    }
}

/// What it means that a key was used and no package is listed that has it: another look, as lists may lag behind, and never
/// another create; after a few looks the refusal.
fn key_used(package: &ContractPackage, call: &Call, refusal: CallError, context: &Context) -> CallError {
    if context.package_schedule.unsettled(&uid(package), &call.fingerprint) < MAX_ROUNDS {
        return CallError::Unknown("the package that has the uniqueness key is being looked for".to_owned());
    }
    refusal
}

/// The refusal for a package that the resource has and the API does not list, which deletes none.
fn not_listed(id: &str) -> Refusal {
    let message = format!(
        "the resource has package {id}, which the billing API does not list; check the provider's account and its `baseUrl`"
    );
    Refusal { reason: "PackageNotListed", message }
}

fn uid(package: &ContractPackage) -> String {
    package.uid().unwrap_or_default()
}

/// The package as the billing API has it: by its ID, or by its key among all packages.
async fn observe(
    desired: &Desired,
    client: &Metronome,
    recorded: Option<&str>,
) -> Result<Option<View>, CallError> {
    let view = |data| View::read(data).map_err(CallError::Unreachable);
    if let Some(id) = recorded
        && let Some(data) = client.package(id).await?
    {
        return view(&data).map(Some);
    }
    let listed = client.packages().await?;
    listed.iter().find(|data| desired.has_made(data)).map(view).transpose()
}

fn desired(package: &ContractPackage, client: &Metronome) -> Result<Desired, String> {
    let terms = package.spec.metronome.as_deref().ok_or("`spec.metronome` must be set")?;
    let valid = validate::metronome::package(terms).map_err(|found| validate::summary(&found))?;
    let namespace = package.namespace().unwrap_or_default();
    let derived = UniquenessKey::derive(&client.key_prefix, &namespace, &package.name_any());
    Desired::new(&valid, &package.spec.aliases, derived).map_err(|error| error.to_string())
}

fn account((key, found): &Provider) -> Result<&Account, Box<Verdict>> {
    let refuse =
        |standing| Err(Box::new(Verdict { standing, package_id: None, next: Next::After(LOOK_AGAIN) }));
    let wait = |reason, message: String| refuse(Standing::waiting(reason, message));
    match found {
        Lookup::Ready(account) => Ok(account),
        Lookup::NotReady(why) => wait("ProviderNotReady", format!("{key} is not ready: {why}")),
        Lookup::NotAllowed => {
            let why = format!(
                "{key} does not name the package's namespace; add it to its `spec.allowedNamespaces`"
            );
            refuse(Standing::stalled("ProviderNotAllowed", why))
        }
        Lookup::Unknown => {
            let why = format!("{key} does not exist; create it, or name another in a new ContractPackage");
            wait("ProviderNotFound", why)
        }
    }
}

fn refused(refusal: &Refusal, account: &Account) -> Verdict {
    let message = format!("The package cannot be used: {}.", refusal.message);
    let next = Next::After(account.sync_period);
    Verdict { standing: Standing::stalled(refusal.reason, message), package_id: None, next }
}

/// What the billing API refused is not sent again until the spec changes or somebody asks for it.
fn still_refused(package: &ContractPackage) -> Option<Verdict> {
    let status = package.status.as_ref()?;
    let is_same = status.observed_generation == package.metadata.generation
        && package.annotations().get(REQUESTED_AT) == status.last_handled_reconcile_at.as_ref();
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled")?;
    let reason =
        [plan::REJECTED, plan::KEY_TAKEN].into_iter().find(|reason| is_same && stalled.reason == **reason)?;
    let standing = Standing::stalled(reason, stalled.message.clone());
    Some(Verdict { standing, package_id: None, next: Next::Change })
}

/// What a failed call means for the package.
fn failed(
    package: &ContractPackage,
    error: &CallError,
    (key, _): &Provider,
    account: &Account,
    context: &Context,
) -> Verdict {
    let waits = |reason, next| Verdict {
        standing: Standing::waiting(reason, error.to_string()),
        package_id: None,
        next,
    };
    let again = format!("To try again, annotate the package with a new {REQUESTED_AT}");
    match error {
        CallError::KeyUsed { .. } => {
            let message = format!(
                "{error}, but no package that is listed has it. Write a new ContractPackage with another name or \
                 `spec.metronome.uniquenessKey`. {again}"
            );
            refused(&Refusal { reason: plan::KEY_TAKEN, message }, account)
        }
        CallError::Rejected { .. } | CallError::EditNotEnabled { .. } | CallError::NotFound { .. } => {
            refused(&Refusal { reason: plan::REJECTED, message: format!("{error}. {again}") }, account)
        }
        CallError::Credentials { .. } => {
            context.providers.suspect(key, account);
            waits("CredentialsRefused", Next::Retry(LOOK_AGAIN))
        }
        CallError::Unknown(why) => {
            tracing::info!(package = package.name_any(), why, "the outcome of a write is not known");
            waits("WriteUnconfirmed", Next::Retry(Duration::ZERO))
        }
        CallError::Throttled { pause } => waits("Throttled", Next::Retry(*pause)),
        CallError::NotLeader => waits("NotLeader", Next::Retry(Duration::ZERO)),
        CallError::Unreachable(_) => waits("BillingUnreachable", Next::Retry(Duration::ZERO)),
    }
}

/// The package with our finalizer exactly when its deletion takes a billing call.
pub(super) async fn with_finalizer(
    package: &ContractPackage,
    context: &Context,
) -> Result<ContractPackage, Error> {
    let has = package.finalizers().iter().any(|finalizer| finalizer == PACKAGE_FINALIZER);
    let needs = package.spec.deletion_policy == PackageDeletionPolicy::Archive;
    if has == needs { Ok(package.clone()) } else { set_finalizer(package, needs, context).await }
}

async fn set_finalizer(
    package: &ContractPackage,
    set: bool,
    context: &Context,
) -> Result<ContractPackage, Error> {
    let patched = put_finalizer(&api(package, context), package, PACKAGE_FINALIZER, set).await?;
    let uid = package.uid().unwrap_or_default();
    context.package_schedule.wrote(&uid, patched.resource_version().as_deref());
    Ok(patched)
}

/// Archives the package of a resource that is deleted, as its policy says, and lets the resource go.
pub(super) async fn delete(
    package: &ContractPackage,
    provider: Option<&Provider>,
    contracts: i32,
    turn: &Turn,
    context: &Context,
) -> Result<Action, Error> {
    if !package.finalizers().iter().any(|finalizer| finalizer == PACKAGE_FINALIZER) {
        return Ok(Action::await_change());
    }
    if let Turn::Later(wait) = turn {
        return Ok(Action::requeue(*wait));
    }
    let released = package.annotations().get(RELEASE).is_some_and(|value| value == "true");
    let archives = package.spec.deletion_policy == PackageDeletionPolicy::Archive && !released;
    if let Some(provider) = provider.filter(|_| archives)
        && let Err(mut verdict) = archive(package, provider, contracts, context).await
    {
        verdict.standing.message = format!(
            "{} The package in the billing API has not been archived yet. To delete the resource without archiving it, \
             run: kubectl annotate contractpackage {} {RELEASE}=true",
            verdict.standing.message,
            package.name_any()
        );
        return report(package, *verdict, contracts, context).await;
    }
    set_finalizer(package, false, context).await?;
    Ok(Action::await_change())
}

/// Archives a package that no contract uses, or in any case if the resource says so.
async fn archive(
    package: &ContractPackage,
    provider: &Provider,
    contracts: i32,
    context: &Context,
) -> Result<(), Box<Verdict>> {
    let account = account(provider)?;
    let Backend::Metronome(client) = &account.backend else { return Ok(()) };
    let Ok(desired) = desired(package, client) else { return Ok(()) };
    let failed = |error: CallError| Box::new(failed(package, &error, provider, account, context));
    let recorded = package.status.as_ref().and_then(|status| status.package_id.as_deref());
    let Some(view) = observe(&desired, client, recorded).await.map_err(failed)? else { return Ok(()) };
    // Only what was shown to be this resource's package is archived with it.
    if view.archived || recorded != Some(view.package_id.as_str()) {
        return Ok(());
    }
    if !package.spec.archive_while_in_use {
        let listed = client.contracts_on_package(&view.package_id).await.map_err(failed)?;
        let in_force = listed.iter().filter(|contract| !has_ended(contract, Utc::now())).count();
        if contracts > 0 || in_force > 0 {
            let message = format!(
                "{contracts} BillingContracts refer to the package, and {in_force} contracts that have not ended are made from it. It is \
                 archived once they are gone; to archive it now, which leaves them as they are, set \
                 `spec.archiveWhileInUse: true`."
            );
            let standing = Standing::waiting("PackageInUse", message);
            return Err(Box::new(Verdict { standing, package_id: None, next: Next::After(LOOK_AGAIN) }));
        }
    }
    let call = package::archive(&view.package_id).map_err(|refusal| Box::new(refused(&refusal, account)))?;
    client.archive_package(&call).await.map_err(failed)
}

fn has_ended(contract: &Value, now: DateTime<Utc>) -> bool {
    let end =
        contract.get("ending_before").and_then(Value::as_str).and_then(|end| end.parse::<Timestamp>().ok());
    end.is_some_and(|end| end.0 <= now)
}

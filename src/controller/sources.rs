//! What a contract depends on besides its own spec: its provider, its package, and other claims on the same contract.
//!
//! Only looks things up; what comes of a contract is `contract`'s to find out.

use std::time::Duration;

use chrono::Utc;
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::{
    Context, Guarded,
    claims::{self, Claim},
    contracts_of, decoded,
    outcome::{LOOK_AGAIN, Next, Outcome, RARELY},
    packages,
    providers::{Account, Lookup, ProviderKey},
    schedule::Trigger,
    status::Finding,
};
use crate::{
    api::{APPROVED_PLAN, BillingContract, RELEASE, REQUESTED_AT, contract::ProviderKind},
    plan::package::Unusable,
};

/// How long a new contract waits for its provider and its package before it says so.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// What a contract's meaning comes from, besides its own spec.
pub(super) struct Sources {
    pub(super) key: ProviderKey,
    pub(super) provider: Lookup,
    pub(super) package: packages::Lookup,
}

impl Sources {
    pub(super) fn of(contract: &BillingContract, context: &Context) -> Self {
        let key = provider_key(contract);
        let provider = context.providers.lookup(&key, &contract.namespace().unwrap_or_default());
        Self { key, provider, package: packages::lookup(contract, context) }
    }
}

/// The contract's account, if it may be used now.
pub(super) fn resolve<'a>(
    contract: &BillingContract,
    key: &ProviderKey,
    provider: &'a Lookup,
) -> Result<&'a Account, Outcome> {
    let wait = |reason, message: String| {
        Err(Outcome::new(Finding::waiting(reason, message), Next::After(LOOK_AGAIN)))
    };
    match provider {
        Lookup::Ready(account) => Ok(account),
        Lookup::NotReady(why) => wait("ProviderNotReady", format!("{key} is not ready: {why}")),
        Lookup::NotAllowed => {
            let namespace = contract.namespace().unwrap_or_default();
            let message =
                format!("{key} does not name namespace {namespace}; add it to its `spec.allowedNamespaces`");
            Err(Outcome::refused("ProviderNotAllowed", message))
        }
        Lookup::Unknown => {
            wait("ProviderNotFound", format!("{key} does not exist; create it or correct `spec.providerRef`"))
        }
    }
}

/// The outcome for a contract that cannot have its package; it is woken when a package changes.
pub(super) fn without_package(unusable: &Unusable) -> Outcome {
    let wait =
        |reason, why: &String| Outcome::new(Finding::waiting(reason, sentence(why)), Next::After(RARELY));
    match unusable {
        Unusable::Missing(why) => wait("PackageNotFound", why),
        Unusable::NotReady(why) | Unusable::NotCreated(why) => wait("PackageNotReady", why),
        Unusable::Wrong(why) => Outcome::refused("InvalidSpec", sentence(why)),
    }
}

/// A message as a sentence of its own.
fn sentence(why: &str) -> String {
    let mut letters = why.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// Whether nothing can be said yet: the provider is being looked at, or both, or contract and package, were only just
/// applied.
pub(super) fn is_early(contract: &BillingContract, sources: &Sources, context: &Context) -> bool {
    let without_package = matches!(sources.package, Err(Unusable::Missing(_) | Unusable::NotCreated(_)))
        && !contract.spec.suspend;
    awaits_provider(contract, &sources.key, &sources.provider, context)
        || (without_package && is_new(contract))
}

/// Whether nothing can be said of an object's provider yet: it is being looked at, or both were only just applied.
pub(super) fn awaits_provider(
    object: &impl ResourceExt,
    key: &ProviderKey,
    provider: &Lookup,
    context: &Context,
) -> bool {
    matches!(provider, Lookup::Unknown) && (is_new(object) || provider_exists(key, context))
}

fn is_new(object: &impl ResourceExt) -> bool {
    let age = object.creation_timestamp().map(|created| Utc::now().timestamp() - created.0.as_second());
    age.and_then(|age| u64::try_from(age).ok()).is_some_and(|age| age < GRACE.as_secs())
}

fn provider_exists(key: &ProviderKey, context: &Context) -> bool {
    match (&key.kind, &key.namespace) {
        (ProviderKind::BillingProvider, Some(namespace)) => {
            context.provider_store.get(&ObjectRef::new(&key.name).within(namespace)).is_some()
        }
        _ => context.cluster_provider_store.get(&ObjectRef::new(&key.name)).is_some(),
    }
}

/// Refuses a contract that an older resource claims.
pub(super) fn check_claim(
    contract: &BillingContract,
    account: &Account,
    context: &Context,
) -> Result<(), Outcome> {
    let Some(subject) = claims::subject(contract) else { return Ok(()) };
    let claim = Claim { base_url: account.base_url.clone(), subject: subject.to_owned() };
    let cached = context.contract_store.state();
    let rivals = cached
        .iter()
        .filter_map(|other| decoded(other).ok())
        .filter(|other| claims::subject(other) == Some(subject))
        .filter(|other| claim_of(other, context).as_ref() == Some(&claim));
    let Some(holder) = claims::holder(contract, rivals) else { return Ok(()) };
    let holder = ObjectRef::from_obj(holder);
    let message = format!(
        "BillingContract {}/{} claims the same contract ({subject}), and it is older. Delete one of the two",
        holder.namespace.unwrap_or_default(),
        holder.name
    );
    Err(Outcome::new(Finding::refused("DuplicateClaim", message), Next::After(LOOK_AGAIN)))
}

fn claim_of(contract: &BillingContract, context: &Context) -> Option<Claim> {
    let account = context.providers.account(&provider_key(contract))?;
    Some(Claim { base_url: account.base_url.clone(), subject: claims::subject(contract)?.to_owned() })
}

/// The contracts in the cache that use a provider.
#[must_use]
pub(super) fn using(
    store: &Store<Guarded<BillingContract>>,
    key: &ProviderKey,
) -> Vec<ObjectRef<Guarded<BillingContract>>> {
    contracts_of(store, |contract| provider_key(contract) == *key)
}

fn provider_key(contract: &BillingContract) -> ProviderKey {
    ProviderKey::of(&contract.spec.provider_ref, contract.namespace())
}

/// What a new pass over the contract depends on.
pub(super) fn trigger(contract: &BillingContract, sources: &Sources) -> Trigger {
    Trigger {
        generation: contract.metadata.generation,
        deleting: contract.metadata.deletion_timestamp.is_some(),
        annotations: [REQUESTED_AT, APPROVED_PLAN, RELEASE]
            .map(|name| contract.annotations().get(name).cloned())
            .to_vec(),
        dependencies: vec![sources.provider.version(), packages::version(&sources.package)],
    }
}

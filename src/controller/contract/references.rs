//! What a contract depends on besides its own spec: its provider, its package, the contract that it renews, and other
//! claims on the same contract. Only looks things up; what comes of that is the protocol's to say.

use std::{sync::Arc, time::Duration};

use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::{
    accounts::{account, claimed, heir, provider_key, spec_version},
    others::{Meant, OthersOf},
};
use crate::{
    api::{
        APPROVED_PLAN, BillingContract, ContractPackage, ContractPackageSpec, RELEASE, REQUESTED_AT,
        contract::UsedPackage, reasons,
    },
    billing::{registry::ContractReferences, slots::Slots},
    clock,
    controller::{
        Context, Guarded, ObjectId,
        context::Stores,
        contracts_of,
        grounds::{Grounds, Own},
        kubernetes::queue::Fingerprint,
        package::registry,
        provider::registry::{ProviderKey, ReadyProvider},
    },
    plan::{self, Holders, Pace, Sayings, package::Unusable},
    protocol::{
        Goal, ReconcileResult, Requeue, deletion,
        failure::LOOK_AGAIN,
        references::{GRACE, MAY_COME, ProviderLookup, held_back, not_renewable, without_package},
    },
    status::contract::ContractResult,
};

/// What a contract's meaning comes from, besides its own spec.
pub(super) struct References {
    pub(super) provider_key: ProviderKey,
    provider: ProviderLookup<Arc<ReadyProvider>>,
    package: registry::Lookup,
    /// The package of a contract that is deleted, whether or not it can be used now.
    former_package: Option<ContractPackage>,
    /// ID of the contract that this one renews, or why it is not there.
    renewed: Option<Result<String, String>>,
    /// The account, as claims and records name it; nothing while its provider does not exist.
    account: Option<String>,
    /// What people say of the contract's plans, and which version of it.
    sayings: (Sayings, String),
    /// What all of that is taken from.
    meant: Meant,
}

impl References {
    /// Looks everything up.
    pub(super) fn load(contract: &BillingContract, context: &Context) -> Self {
        let provider_key = provider_key(contract);
        let renewed = contract.spec.renews().map(|name| {
            let near = |name: &str| context.claims.near(contract, name);
            context.renewals.renewed(contract, name, near).map_err(|why| not_renewable(name, &why))
        });
        let is_deleted = contract.metadata.deletion_timestamp.is_some();
        let account = account(contract, &context.stores);
        let mut provider = find_provider(contract, &provider_key, context);
        if is_deleted {
            provider = or_lingering(provider, &provider_key, account.as_deref(), context);
        }
        Self {
            provider,
            package: package(contract, account.as_deref(), context),
            former_package: is_deleted.then(|| context.packages.meant(contract)).flatten(),
            renewed,
            account,
            sayings: (context.approvals.of(contract), context.approvals.version(contract)),
            meant: Meant::of(contract, &context.approvals, &context.stores),
            provider_key,
        }
    }

    /// What the contract's pass has looked up.
    pub(super) fn grounds<'a>(
        &'a self,
        contract: &'a BillingContract,
        package: Option<&'a ContractPackage>,
        context: &'a Context,
    ) -> Grounds<'a> {
        let (key, provider) = (&self.provider_key, self.meant.provider.clone());
        let page = context.journal.of(ObjectId::of(contract));
        Grounds { own: Own::Contract(contract), key, provider, package, page: Some(page), context }
    }

    fn holders(&self, contract: &BillingContract, account: &str, context: &Context) -> Holders {
        Holders::new(OthersOf::new(contract, account, self.meant.clone(), context))
    }

    /// The account, and what the contract depends on in it.
    ///
    /// # Errors
    /// What the contract comes to without something of it.
    pub(super) fn resolve<'a>(
        &'a self,
        contract: &'a BillingContract,
        goal: Goal,
        context: &Context,
    ) -> Result<(&'a ReadyProvider, ContractReferences<'a>), Box<ContractResult>> {
        let ObjectId { uid, namespace, .. } = ObjectId::of(contract);
        let provider = self.provider.account(&self.provider_key.to_string(), &namespace)?;
        let account = self.account.as_deref().unwrap_or(&provider.account);
        let announced = context.journal.found(&uid);
        if goal != Goal::InForce {
            if let Some(refusal) = deletion::is_elsewhere(contract, announced.as_ref(), account) {
                return Err(Box::new(ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod)));
            }
            // What a resource holds can be ended whatever it depended on.
            let package = self.former_package.as_ref();
            let references = ContractReferences {
                package,
                renews: None,
                account,
                claimed: None,
                holders: self.holders(contract, account, context),
                demands: provider.demands.clone(),
                sayings: self.sayings.0.clone(),
                announced,
                pace: self.pace(contract, provider, context),
            };
            return Ok((provider, references));
        }
        let package = self
            .package
            .as_ref()
            .map_err(|unusable| Box::new(without_package(unusable, is_younger(contract, MAY_COME))))?;
        let references = ContractReferences {
            package: package.as_ref(),
            renews: self.renews(contract)?,
            account,
            claimed: claimed(contract, account, &context.claims, &context.stores),
            holders: self.holders(contract, account, context),
            demands: provider.demands.clone(),
            sayings: self.sayings.0.clone(),
            announced,
            pace: self.pace(contract, provider, context),
        };
        Ok((provider, references))
    }

    /// Counts changes as far as the account bounds them.
    fn pace(&self, contract: &BillingContract, account: &ReadyProvider, context: &Context) -> Pace {
        let limit = account.demands.guardrails.max_contracts_per_hour;
        context.paces.of(&self.provider_key, contract, limit, &context.stores.contracts)
    }

    /// ID of the contract that this one renews. One whose renewal is made keeps it, as the other resource may have gone.
    fn renews<'a>(&'a self, contract: &'a BillingContract) -> Result<Option<&'a str>, Box<ContractResult>> {
        let held = contract.status.as_ref().filter(|status| status.contract_id.is_some());
        match (&self.renewed, held) {
            (None, _) => Ok(None),
            (Some(Ok(id)), _) => Ok(Some(id)),
            (Some(Err(_)), Some(status)) => Ok(status.renews.as_deref()),
            (Some(Err(why)), None) => {
                let requeue = Requeue::After(LOOK_AGAIN);
                Err(Box::new(ReconcileResult::waiting(reasons::RENEWED_NOT_READY, why, requeue)))
            }
        }
    }

    /// Name of another resource that claims what this one, which is deleted, has or claims.
    pub(super) fn heir(&self, contract: &BillingContract, context: &Context) -> Option<String> {
        heir(contract, self.account.as_deref()?, &context.claims, &context.stores)
    }

    /// Whether nothing can be said of the provider yet.
    pub(super) fn awaits_provider(&self, contract: &BillingContract, context: &Context) -> bool {
        awaits_provider(contract, &self.provider_key, &self.provider, &context.stores)
    }

    /// For how much longer nothing can be said: the provider is being looked at, or both, or contract and package, were only
    /// just applied, or its package is being made.
    pub(super) fn early(&self, contract: &BillingContract, context: &Context) -> Option<Duration> {
        if self.awaits_provider(contract, context) {
            return Some(GRACE);
        }
        let unusable = self.package.as_ref().err().filter(|_| !contract.spec.suspend)?;
        let is_new = contract.status.as_ref().is_none_or(|status| status.conditions.is_empty());
        held_back(unusable, is_new, age(contract)?)
    }

    /// Whose slot a reconcile takes: that of the account which it asks, so that it is in nobody else's way.
    pub(super) fn slots<'a>(&'a self, contract: &BillingContract, context: &'a Context) -> &'a Slots {
        match &self.provider {
            ProviderLookup::Ready(account) if !contract.spec.suspend => account.budget.slots(),
            _ => &context.local,
        }
    }

    /// What a new reconcile of the contract depends on.
    pub(super) fn fingerprint(&self, contract: &BillingContract) -> Fingerprint {
        Fingerprint {
            generation: contract.metadata.generation,
            deleting: contract.metadata.deletion_timestamp.is_some(),
            annotations: [REQUESTED_AT, APPROVED_PLAN, RELEASE]
                .map(|name| contract.annotations().get(name).cloned())
                .to_vec(),
            dependencies: vec![
                version(&self.provider),
                registry::version(&self.package),
                self.sayings.1.clone(),
            ],
        }
    }

    /// The terms that the contract has from its package.
    pub(super) fn package(&self) -> Option<&ContractPackageSpec> {
        self.package.as_ref().ok()?.as_ref().map(|package| &package.spec)
    }

    /// What the status says of the package.
    pub(super) fn used_package(&self) -> Option<UsedPackage> {
        self.package.as_ref().ok()?.as_ref().map(registry::used)
    }

    /// How often the provider's contracts are compared again, while it is ready.
    pub(super) fn sync_period(&self) -> Option<Duration> {
        if let ProviderLookup::Ready(provider) = &self.provider { Some(provider.sync_period) } else { None }
    }
}

/// The package of a contract, where the account has it: one that is on record of another account is made anew there first.
fn package(contract: &BillingContract, account: Option<&str>, context: &Context) -> registry::Lookup {
    let found = context.packages.lookup(contract)?;
    let is_elsewhere = |package: &&ContractPackage| {
        account.is_some_and(|account| !plan::package::is_in_account(package, account))
    };
    match found.as_ref().filter(is_elsewhere) {
        Some(package) => Err(Unusable::NotCreated(format!(
            "ContractPackage {} is known of another account than the contract's, and is looked for in that one",
            package.name_any()
        ))),
        None => Ok(found),
    }
}

/// Another text whenever something else is found.
#[must_use]
pub fn version(provider: &ProviderLookup<Arc<ReadyProvider>>) -> String {
    match provider {
        ProviderLookup::Ready(provider) => provider.epoch.to_string(),
        ProviderLookup::NotReady(why) => why.clone(),
        ProviderLookup::NotAllowed => "not allowed".to_owned(),
        ProviderLookup::Unknown => "unknown".to_owned(),
        ProviderLookup::Missing => "missing".to_owned(),
    }
}

/// Whether nothing can be said of an object's provider yet: it is being looked at, or its token is tried again, or both were only
/// just applied. It is waited for in silence: what one customer's contract is refused for says nothing to the others.
pub fn awaits_provider(
    object: &impl ResourceExt,
    key: &ProviderKey,
    provider: &ProviderLookup<Arc<ReadyProvider>>,
    stores: &Stores,
) -> bool {
    match provider {
        ProviderLookup::Ready(account) => account.is_suspect(),
        ProviderLookup::Unknown => is_younger(object, GRACE) || spec_version(key, stores).is_some(),
        ProviderLookup::NotReady(_) | ProviderLookup::NotAllowed | ProviderLookup::Missing => false,
    }
}

/// What an object finds when it looks up its provider now. One that says something else by now (another account, other demands)
/// than what is ready is not known yet.
pub fn find_provider(
    object: &impl ResourceExt,
    key: &ProviderKey,
    context: &Context,
) -> ProviderLookup<Arc<ReadyProvider>> {
    let namespace = object.namespace().unwrap_or_default();
    let spec = spec_version(key, &context.stores);
    let is_current = |account: &ReadyProvider| spec.as_ref().is_some_and(|spec| account.is_of(spec));
    let found = match context.providers.lookup(key, &namespace) {
        ProviderLookup::Ready(account) if !is_current(&account) => ProviderLookup::Unknown,
        found => found,
    };
    match found {
        ProviderLookup::Unknown if !is_younger(object, MAY_COME) && spec.is_none() => ProviderLookup::Missing,
        found => found,
    }
}

/// The same for an object that is deleted, where its provider cannot be used any more: what it holds in `account`, if that is
/// known, can be ended for a while through the account that was ready before.
pub fn or_lingering(
    found: ProviderLookup<Arc<ReadyProvider>>,
    key: &ProviderKey,
    account: Option<&str>,
    context: &Context,
) -> ProviderLookup<Arc<ReadyProvider>> {
    match found {
        ProviderLookup::NotReady(_) | ProviderLookup::Unknown | ProviderLookup::Missing => {
            // Of one that has just gone, the registry may not have heard.
            let is_gone = spec_version(key, &context.stores).is_none();
            let going = || context.providers.account(key).filter(|_| is_gone);
            let lingering = context.providers.lingering(key).or_else(going);
            let same = lingering.filter(|lingering| Some(lingering.account.as_str()) == account);
            same.map_or(found, ProviderLookup::Ready)
        }
        ProviderLookup::Ready(_) | ProviderLookup::NotAllowed => found,
    }
}

fn is_younger(object: &impl ResourceExt, than: Duration) -> bool {
    age(object).is_some_and(|age| age < than)
}

/// How old an object is, in whole seconds; nothing when it is from the future.
fn age(object: &impl ResourceExt) -> Option<Duration> {
    let created = object.creation_timestamp()?.0.as_second();
    u64::try_from(clock::now().timestamp().saturating_sub(created)).ok().map(Duration::from_secs)
}

/// The contracts of a cache that use a provider.
#[must_use]
pub fn of_provider(
    store: &Store<Guarded<BillingContract>>,
    key: &ProviderKey,
) -> Vec<ObjectRef<Guarded<BillingContract>>> {
    contracts_of(store, |contract| provider_key(contract) == *key)
}

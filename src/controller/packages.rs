//! What contracts find when they look up their package, and who hears of changes between the two kinds.
//!
//! Knows nothing of billing APIs; what a package is there is `package`'s to find out.

use std::{collections::BTreeMap, sync::Arc};

use chrono::Utc;
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    Context, Guarded, contracts_of, decoded,
    package::{Verdict, local, status, was_refused_here},
    providers::ProviderKey,
};
use crate::{
    api::{BillingContract, ContractPackage, contract::UsedPackage},
    plan::package::{self, Unusable},
};

/// The package of a contract, none if it asks for none, or why it cannot have it.
pub type Lookup = Result<Option<ContractPackage>, Unusable>;

/// Namespace and name of a package.
pub type Key = (Option<String>, String);

/// Who is to look at what again.
pub struct Packages {
    changed: UnboundedSender<Key>,
    due: UnboundedSender<Key>,
}

impl Packages {
    /// The senders, and the packages that changed and those whose status is behind.
    #[must_use]
    pub fn new() -> (Self, UnboundedReceiver<Key>, UnboundedReceiver<Key>) {
        let ((changed, of_contracts), (due, of_packages)) = (unbounded_channel(), unbounded_channel());
        (Self { changed, due }, of_contracts, of_packages)
    }

    /// Lets the contracts that use a package look at it again.
    pub fn changed(&self, key: Key) {
        if self.changed.send(key).is_err() {
            tracing::debug!("stopping; nobody listens to packages any more");
        }
    }

    /// Lets a package be looked at again.
    pub fn due(&self, key: Key) {
        if self.due.send(key).is_err() {
            tracing::debug!("stopping; nobody looks at packages any more");
        }
    }

    /// Lets every package be looked at again whose status is behind: contracts came or went, or an alias is free.
    pub fn refresh(&self, context: &Context) {
        let (packages, contracts) = (context.package_store.state(), context.contract_store.state());
        let packages: Vec<_> = packages.iter().filter_map(|package| decoded(package).ok()).collect();
        let mut counts = BTreeMap::<_, i32>::new();
        for contract in contracts.iter().filter_map(|contract| decoded(contract).ok()) {
            if let Some(package) = package::meant(contract, &packages) {
                *counts.entry(key(package)).or_default() += 1;
            }
        }
        for package in &packages {
            let count = counts.get(&key(*package)).copied().unwrap_or_default();
            let told = local(package, &packages).map(Verdict::local);
            let is_behind =
                package.status.as_ref() != Some(&status(package, told.as_ref(), count, Utc::now()));
            if is_behind || (told.is_none() && was_refused_here(package)) {
                self.due(key(*package));
            }
        }
    }
}

/// Looks up the package that gives terms to a contract.
///
/// # Errors
/// Why it cannot have it.
pub fn lookup(contract: &BillingContract, context: &Context) -> Lookup {
    if contract.spec.package_ref.is_none() {
        return Ok(None);
    }
    let cached = context.package_store.state();
    let packages: Vec<_> = cached.iter().filter_map(|package| decoded(package).ok()).collect();
    let package = package::of(contract, &packages)?;
    if let Some(package) = package {
        package::created(package)?;
    }
    Ok(package.cloned())
}

/// The package that a contract refers to, whether or not it can be used now.
pub fn meant(contract: &BillingContract, context: &Context) -> Option<ContractPackage> {
    let cached = context.package_store.state();
    let packages: Vec<_> = cached.iter().filter_map(|package| decoded(package).ok()).collect();
    package::meant(contract, &packages).cloned()
}

/// What a contract's status says of its package.
#[must_use]
pub fn used(package: &ContractPackage) -> UsedPackage {
    UsedPackage {
        name: package.name_any(),
        id: package.status.as_ref().and_then(|status| status.package_id.clone()),
        digest: package::digest(&package.spec),
    }
}

/// What a contract's pass depends on of its package.
#[must_use]
pub fn version(package: &Lookup) -> String {
    match package {
        Ok(None) => String::new(),
        Ok(Some(package)) => {
            let UsedPackage { name, id, digest } = used(package);
            format!("{name} {} {digest} {:?}", id.unwrap_or_default(), package.spec.lifecycle)
        }
        Err(unusable) => format!("{unusable:?}"),
    }
}

/// The contracts in the cache that may use a package: those that name it, and those that go by an alias.
#[must_use]
pub fn using(
    store: &Store<Guarded<BillingContract>>,
    (namespace, name): &Key,
) -> Vec<ObjectRef<Guarded<BillingContract>>> {
    contracts_of(store, |contract| {
        let reference = contract.spec.package_ref.as_ref();
        contract.metadata.namespace == *namespace
            && reference.is_some_and(|reference| reference.name.as_ref().is_none_or(|named| named == name))
    })
}

/// The contracts in the cache that mean a package.
pub fn count(package: &ContractPackage, packages: &[&ContractPackage], context: &Context) -> i32 {
    let cached = context.contract_store.state();
    let contracts = cached.iter().filter_map(|contract| decoded(contract).ok());
    let means = |contract: &&BillingContract| {
        package::meant(contract, packages).is_some_and(|meant| meant.uid() == package.uid())
    };
    i32::try_from(contracts.filter(means).count()).unwrap_or(i32::MAX)
}

/// The billing account of a package; none where packages are the operator's own (Zoo).
#[must_use]
pub fn account(package: &ContractPackage) -> Option<ProviderKey> {
    package.spec.provider_ref.as_ref().map(|reference| ProviderKey::of(reference, package.namespace()))
}

/// The packages in the cache that belong to a billing account.
#[must_use]
pub fn of_account(store: &Store<Guarded<ContractPackage>>, provider: &ProviderKey) -> Vec<Key> {
    let is_of = |package: &&Arc<Guarded<ContractPackage>>| {
        decoded(package).is_ok_and(|package| account(package).as_ref() == Some(provider))
    };
    store.state().iter().filter(is_of).map(|package| key(package.as_ref())).collect()
}

/// Names a package.
pub fn key(package: &impl ResourceExt) -> Key {
    (package.namespace(), package.name_any())
}

//! What contracts find when they look up their package, and who hears of changes between the two kinds.
//!
//! Knows nothing of billing APIs.

use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    api::{BillingContract, ContractPackage, contract::UsedPackage, reasons},
    controller::{Guarded, decoded, provider::registry::ProviderKey},
    plan::package::{self, Unusable},
    status::{Summary, package::local},
};

/// The package of a contract, none if it asks for none, or why it cannot have it.
pub type Lookup = Result<Option<ContractPackage>, Unusable>;

/// Namespace and name of a package.
pub type Key = (Option<String>, String);

/// Looks up packages, and wakes them and the contracts that use them.
pub struct PackageRegistry {
    contracts: Store<Guarded<BillingContract>>,
    packages: Store<Guarded<ContractPackage>>,
    changed: UnboundedSender<Key>,
    due: UnboundedSender<Key>,
}

impl PackageRegistry {
    /// The registry of two caches, the packages that changed, and those whose status is behind.
    #[must_use]
    pub fn new(
        contracts: Store<Guarded<BillingContract>>,
        packages: Store<Guarded<ContractPackage>>,
    ) -> (Self, UnboundedReceiver<Key>, UnboundedReceiver<Key>) {
        let ((changed, to_contracts), (due, to_packages)) = (unbounded_channel(), unbounded_channel());
        (Self { contracts, packages, changed, due }, to_contracts, to_packages)
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

    /// Looks up the package that gives terms to a contract.
    ///
    /// # Errors
    /// Why it cannot have it.
    pub fn lookup(&self, contract: &BillingContract) -> Lookup {
        if contract.spec.package_ref.is_none() {
            return Ok(None);
        }
        self.with_all(|packages| {
            let package = package::of(contract, packages)?;
            if let Some(package) = package {
                self.known(package)?;
                package::created(package)?;
            }
            Ok(package.cloned())
        })
    }

    /// Refuses a package that this version does not know as a whole: contracts would lack what it does not know.
    fn known(&self, package: &ContractPackage) -> Result<(), Unusable> {
        match self.unknown(package) {
            Some(why) => {
                let name = package.name_any();
                Err(Unusable::NotReady(format!("ContractPackage {name} cannot be used: {why}")))
            }
            None => Ok(()),
        }
    }

    fn unknown(&self, package: &ContractPackage) -> Option<String> {
        let (namespace, name) = key(package);
        let reference = ObjectRef::new(&name).within(&namespace.unwrap_or_default());
        self.packages.get(&reference)?.unknown()
    }

    /// How a package stands, if that can be said without asking a billing API.
    #[must_use]
    pub fn local(&self, package: &ContractPackage, packages: &[&ContractPackage]) -> Option<Summary> {
        let unknown = self.unknown(package).map(|why| Summary::stalled(reasons::UNKNOWN_FIELD, why));
        unknown.or_else(|| local(package, packages))
    }

    /// The package that a contract refers to, whether or not it can be used now.
    #[must_use]
    pub fn meant(&self, contract: &BillingContract) -> Option<ContractPackage> {
        contract.spec.package_ref.as_ref()?;
        self.with_all(|packages| package::meant(contract, packages).cloned())
    }

    /// How many contracts in the cache mean a package.
    #[must_use]
    pub fn count(&self, package: &ContractPackage) -> i32 {
        let contracts = self.contracts.state();
        let contracts = contracts.iter().filter_map(|contract| decoded(contract).ok());
        let near = contracts.filter(|contract| {
            contract.spec.package_ref.is_some() && contract.metadata.namespace == package.metadata.namespace
        });
        self.with_all(|packages| {
            let means = |contract: &&BillingContract| {
                package::meant(contract, packages).is_some_and(|meant| meant.uid() == package.uid())
            };
            i32::try_from(near.filter(means).count()).unwrap_or(i32::MAX)
        })
    }

    /// Does something with every package in the cache that can be read.
    pub fn with_all<T>(&self, act: impl FnOnce(&[&ContractPackage]) -> T) -> T {
        let cached = self.packages.state();
        let packages: Vec<_> = cached.iter().filter_map(|package| decoded(package).ok()).collect();
        act(&packages)
    }

    /// The packages in the cache that belong to a billing account.
    #[must_use]
    pub fn of_provider(&self, provider: &ProviderKey) -> Vec<Key> {
        self.with_all(|packages| {
            let is_of = |package: &&&ContractPackage| provider_key(package).as_ref() == Some(provider);
            packages.iter().filter(is_of).map(|package| key(*package)).collect()
        })
    }
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

/// What a contract's reconcile depends on of its package.
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

/// The billing account of a package; none where packages are the operator's own (Zoo).
#[must_use]
pub fn provider_key(package: &ContractPackage) -> Option<ProviderKey> {
    package.spec.provider_ref.as_ref().map(|reference| ProviderKey::of(reference, package.namespace()))
}

/// Names a package.
pub fn key(package: &impl ResourceExt) -> Key {
    (package.namespace(), package.name_any())
}

//! What contracts find when they look up their package, and who hears of changes between the two kinds.
//!
//! Knows nothing of billing APIs.

use std::{collections::HashSet, sync::Arc};

use kube::{
    ResourceExt,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher::Event,
    },
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{
    api::{
        BillingContract, ContractPackage,
        contract::{PackageRef, UsedPackage},
        reasons,
    },
    controller::{Guarded, decoded, kubernetes::index::Index, provider::registry::ProviderKey},
    plan::package::{self, Name, Unusable, names},
    status::{Summary, package::local},
};

/// The package of a contract, none if it asks for none, or why it cannot have it.
pub type Lookup = Result<Option<ContractPackage>, Unusable>;

/// Namespace and name of a package.
pub type Key = (Option<String>, String);

/// What a contract asks for: a package by name, one by alias, and, with no further word, any alias of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Wish {
    Name(Option<String>, String),
    Alias(Option<String>, String),
    AnyAlias(Option<String>),
}

fn wishes(contract: &BillingContract) -> Vec<Wish> {
    let namespace = || contract.namespace();
    match &contract.spec.package_ref {
        Some(PackageRef { name: Some(name), .. }) => vec![Wish::Name(namespace(), name.clone())],
        Some(PackageRef { alias: Some(alias), .. }) => {
            vec![Wish::Alias(namespace(), alias.clone()), Wish::AnyAlias(namespace())]
        }
        Some(_) | None => vec![],
    }
}

/// Both caches by what packages are found by, so that the cost of a look does not grow with their size.
pub struct PackageIndex {
    packages: Index<ContractPackage, Name>,
    contracts: Index<BillingContract, Wish>,
}

impl PackageIndex {
    /// An index of two caches.
    #[must_use]
    pub fn new(
        contracts: Store<Guarded<BillingContract>>,
        packages: Store<Guarded<ContractPackage>>,
    ) -> Self {
        Self { packages: Index::new(packages, names), contracts: Index::new(contracts, wishes) }
    }

    /// Hears what the watch of packages delivers, after the cache has.
    pub fn hear_package(&self, event: &Event<Guarded<ContractPackage>>) {
        self.packages.hear(event);
    }

    /// Hears what the watch of contracts delivers, after the cache has.
    pub fn hear_contract(&self, event: &Event<Guarded<BillingContract>>) {
        self.contracts.hear(event);
    }

    /// A package, and every other that could be in its way.
    fn around(&self, package: &ContractPackage) -> Vec<Arc<Guarded<ContractPackage>>> {
        let mut around = self.packages.with(&names(package));
        around.extend(self.packages.store().get(&reference(package)));
        distinct(around)
    }

    /// The packages that a contract may mean, and every other that could be in the way of one.
    fn wished(&self, contract: &BillingContract) -> Vec<Arc<Guarded<ContractPackage>>> {
        let near = wishes(contract).into_iter().flat_map(|wish| match wish {
            Wish::Name(namespace, name) => {
                let reference = ObjectRef::new(&name).within(namespace.as_deref().unwrap_or_default());
                self.packages.store().get(&reference).into_iter().collect()
            }
            Wish::Alias(namespace, alias) => self.packages.with(&[Name::Alias(namespace, alias)]),
            Wish::AnyAlias(_) => vec![],
        });
        let near: Vec<_> = near.collect();
        let others =
            near.iter().filter_map(|package| decoded(package).ok()).map(|package| self.around(package));
        let all = others.flatten().collect::<Vec<_>>();
        distinct(near.into_iter().chain(all).collect())
    }
}

fn distinct(mut packages: Vec<Arc<Guarded<ContractPackage>>>) -> Vec<Arc<Guarded<ContractPackage>>> {
    let mut seen = HashSet::new();
    packages.retain(|package| seen.insert(Arc::as_ptr(package)));
    packages
}

fn readable(packages: &[Arc<Guarded<ContractPackage>>]) -> Vec<&ContractPackage> {
    packages.iter().filter_map(|package| decoded(package).ok()).collect()
}

/// Looks up packages, and wakes them and the contracts that use them.
pub struct PackageRegistry {
    index: Arc<PackageIndex>,
    changed: UnboundedSender<Key>,
    due: UnboundedSender<Key>,
}

impl PackageRegistry {
    /// The registry of two caches, the packages that changed, and those whose status is behind.
    #[must_use]
    pub fn new(index: Arc<PackageIndex>) -> (Self, UnboundedReceiver<Key>, UnboundedReceiver<Key>) {
        let ((changed, to_contracts), (due, to_packages)) = (unbounded_channel(), unbounded_channel());
        (Self { index, changed, due }, to_contracts, to_packages)
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
        let found = self.index.wished(contract);
        let package = package::of(contract, &readable(&found))?;
        if let Some(package) = package {
            self.known(package)?;
            package::created(package)?;
        }
        Ok(package.cloned())
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
        self.index.packages.store().get(&reference(package))?.unknown()
    }

    /// The package that a contract refers to, whether or not it can be used now.
    #[must_use]
    pub fn meant(&self, contract: &BillingContract) -> Option<ContractPackage> {
        package::meant(contract, &readable(&self.index.wished(contract))).cloned()
    }

    /// How many contracts in the cache mean a package.
    #[must_use]
    pub fn count(&self, package: &ContractPackage) -> i32 {
        let namespace = || package.namespace();
        let aliases = package.spec.aliases.iter().map(|alias| Wish::Alias(namespace(), alias.name.clone()));
        let wishes: Vec<_> = aliases.chain([Wish::Name(namespace(), package.name_any())]).collect();
        // Packages of one alias are few; they are looked up once.
        let around = self.index.around(package);
        let around = readable(&around);
        let contracts = self.index.contracts.with(&wishes);
        let contracts = contracts.iter().filter_map(|contract| decoded(contract).ok());
        let means = |contract: &&BillingContract| {
            package::meant(contract, &around).is_some_and(|meant| meant.uid() == package.uid())
        };
        i32::try_from(contracts.filter(means).count()).unwrap_or(i32::MAX)
    }

    /// How a package stands, if that can be said without asking a billing API.
    #[must_use]
    pub fn local(&self, package: &ContractPackage) -> Option<Summary> {
        let unknown = self.unknown(package).map(|why| Summary::stalled(reasons::UNKNOWN_FIELD, why));
        unknown.or_else(|| local(package, &readable(&self.index.around(package))))
    }

    /// The contracts that may use a package: those that name it, and those of its namespace that go by an alias.
    #[must_use]
    pub fn users(&self, (namespace, name): &Key) -> Vec<ObjectRef<Guarded<BillingContract>>> {
        let wishes = [Wish::Name(namespace.clone(), name.clone()), Wish::AnyAlias(namespace.clone())];
        let contracts = self.index.contracts.with(&wishes);
        contracts.iter().map(|contract| ObjectRef::from_obj(contract.as_ref())).collect()
    }

    /// The packages in the cache that belong to a billing account.
    #[must_use]
    pub fn of_provider(&self, provider: &ProviderKey) -> Vec<Key> {
        let cached = self.index.packages.store().state();
        let is_of = |package: &&ContractPackage| provider_key(package).as_ref() == Some(provider);
        readable(&cached).into_iter().filter(is_of).map(key).collect()
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

fn reference(package: &ContractPackage) -> ObjectRef<Guarded<ContractPackage>> {
    let (namespace, name) = key(package);
    ObjectRef::new(&name).within(namespace.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector;
    use serde_json::{Value, json};

    use super::*;

    fn package(namespace: &str, name: &str, alias: &str) -> Guarded<ContractPackage> {
        serde_json::from_value(json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "ContractPackage",
            "metadata": {"name": name, "namespace": namespace, "uid": format!("{namespace}/{name}"),
                "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"lifecycle": "Published", "aliases": [{"name": alias}],
                "zoo": {"term": {"unit": "YEARS", "value": 1}}},
        }))
        .unwrap()
    }

    fn contract(name: &str, reference: Value) -> Guarded<BillingContract> {
        let mut contract = json!({
            "apiVersion": "billing.countersign.dev/v1alpha1", "kind": "BillingContract",
            "metadata": {"name": name, "namespace": "n1", "uid": name},
            "spec": {"providerRef": {"name": "zoo"}, "zoo": {"organizationId": name, "effectiveAt": "2026-01-01T00:00:00Z"}},
        });
        contract["spec"]["packageRef"] = reference;
        serde_json::from_value(contract).unwrap()
    }

    #[test]
    fn a_contract_looks_at_no_package_but_those_that_it_could_mean() {
        let (contracts, mut contract_writer) = reflector::store();
        let (packages, mut package_writer) = reflector::store();
        let index = Arc::new(PackageIndex::new(contracts, packages));
        for n in 0..500 {
            let event = Event::Apply(package(&format!("n{}", n % 5), &format!("p{n}"), &format!("a{n}")));
            package_writer.apply_watcher_event(&event);
            index.hear_package(&event);
        }
        let named = contract("named", json!({"name": "p6"}));
        let aliased = contract("aliased", json!({"alias": "a11"}));
        let elsewhere = contract("elsewhere", json!({"alias": "a10"}));
        for contract in [&named, &aliased, &elsewhere] {
            let event = Event::Apply(contract.clone());
            contract_writer.apply_watcher_event(&event);
            index.hear_contract(&event);
        }
        let wished = |contract: &Guarded<BillingContract>| {
            let found = index.wished(decoded(contract).unwrap());
            found.iter().map(|package| package.name_any()).collect::<Vec<_>>()
        };
        assert_eq!(wished(&named), ["p6"]);
        assert_eq!(wished(&aliased), ["p11"]);
        assert_eq!(wished(&elsewhere), [""; 0], "the alias is another namespace's");

        let (registry, ..) = PackageRegistry::new(index);
        let count = |name: &str, alias: &str| registry.count(decoded(&package("n1", name, alias)).unwrap());
        assert_eq!([count("p6", "a6"), count("p11", "a11"), count("p16", "a16")], [1, 1, 0]);
        let users = |name: &str| registry.users(&(Some("n1".to_owned()), name.to_owned())).len();
        assert_eq!([users("p6"), users("p16")], [3, 2], "those that name it, and those that go by an alias");
    }
}

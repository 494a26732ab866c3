//! What no resource says by itself: duplicates and references across all resources that are looked at together.

use std::collections::{BTreeMap, BTreeSet};

use kube::{Resource, ResourceExt, core::object::HasSpec};

use super::{Finding, Rule};
use crate::{
    api::{
        BillingContract, BillingProvider, ClusterBillingProvider, ContractApproval, ContractPackage,
        contract::{ProviderKind, ProviderRef},
        provider::BillingProviderSpec,
    },
    plan::package::{self, Unusable},
    protocol::claims::{self, Subject},
    validate::Violation,
};

/// A resource, and where it is, for people (`acme.yaml:12`).
#[derive(Clone, Debug)]
pub struct Placed<'a, K> {
    /// Where it is.
    pub place: String,
    /// What it is built with, such as a kustomization's folder: two of one name that are not built together may stand
    /// side by side.
    pub scope: String,
    /// The resource.
    pub resource: &'a K,
}

/// Everything that is looked at together.
#[derive(Clone, Debug, Default)]
pub struct Together<'a> {
    /// Providers.
    pub providers: Vec<Placed<'a, BillingProvider>>,
    /// Providers of the cluster.
    pub cluster_providers: Vec<Placed<'a, ClusterBillingProvider>>,
    /// Packages.
    pub packages: Vec<Placed<'a, ContractPackage>>,
    /// Contracts.
    pub contracts: Vec<Placed<'a, BillingContract>>,
    /// Approvals.
    pub approvals: Vec<Placed<'a, ContractApproval>>,
    /// What is there and cannot be read, since it is wrong by itself: kind, namespace and name.
    pub wrong: BTreeSet<(&'a str, Option<&'a str>, &'a str)>,
}

/// Where a resource that something was found in stands in [`Together`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// Among the providers.
    Provider(usize),
    /// Among the providers of the cluster.
    ClusterProvider(usize),
    /// Among the packages.
    Package(usize),
    /// Among the contracts.
    Contract(usize),
    /// Among the approvals.
    Approval(usize),
}

impl<'a> Together<'a> {
    /// Duplicates of names and claims, and references to what is not there or may not be used. Whether packages can be
    /// used is asked where a contract is validated.
    #[must_use]
    pub fn findings(&self) -> Vec<(Which, Finding)> {
        let mut found = Vec::new();
        repeated(&self.providers, Which::Provider, &mut found);
        repeated(&self.cluster_providers, Which::ClusterProvider, &mut found);
        repeated(&self.packages, Which::Package, &mut found);
        repeated(&self.contracts, Which::Contract, &mut found);
        repeated(&self.approvals, Which::Approval, &mut found);
        self.claims(&mut found);
        self.references(&mut found);
        found
    }

    /// The account of a provider that is among the resources.
    #[must_use]
    pub fn provider(
        &self,
        reference: &ProviderRef,
        namespace: Option<&str>,
    ) -> Option<&'a BillingProviderSpec> {
        let is_named = |name: Option<&String>| name == Some(&reference.name);
        match reference.kind {
            ProviderKind::BillingProvider => {
                let mut near = self.providers.iter().map(|placed| placed.resource);
                let is_near = |provider: &&BillingProvider| {
                    is_named(provider.metadata.name.as_ref())
                        && provider.metadata.namespace.as_deref() == namespace
                };
                near.find(is_near).map(|provider| &provider.spec)
            }
            ProviderKind::ClusterBillingProvider => {
                let mut all = self.cluster_providers.iter().map(|placed| placed.resource);
                all.find(|provider| is_named(provider.metadata.name.as_ref()))
                    .map(|provider| &provider.spec.account)
            }
        }
    }

    /// The package that gives terms to a contract.
    ///
    /// # Errors
    /// Why there is none that can be used.
    pub fn package(&self, contract: &BillingContract) -> Result<Option<&'a ContractPackage>, Unusable> {
        let packages: Vec<_> = self.packages.iter().map(|placed| placed.resource).collect();
        package::of(contract, &packages)
    }

    /// Two contracts that claim one thing of one account: the operator refuses the younger.
    fn claims(&self, found: &mut Vec<(Which, Finding)>) {
        let mut first: BTreeMap<(String, Subject), usize> = BTreeMap::new();
        for (index, Placed { resource: contract, .. }) in self.contracts.iter().enumerate() {
            let namespace = contract.metadata.namespace.as_deref();
            let reference = &contract.spec.provider_ref;
            // As the operator has it: an account is its address. One that is not known goes by its provider.
            let account = match self.provider(reference, namespace).and_then(BillingProviderSpec::base_url) {
                Some(address) => claims::account(address),
                None => format!("{:?} {}/{}", reference.kind, namespace.unwrap_or_default(), reference.name),
            };
            for subject in claims::subjects(contract) {
                let Some(holder) = first.get(&(account.clone(), subject.clone())) else {
                    first.insert((account.clone(), subject), index);
                    continue;
                };
                let Some(Placed { resource: other, place, .. }) = self.contracts.get(*holder) else {
                    continue;
                };
                if other.metadata.name == contract.metadata.name
                    && other.metadata.namespace == contract.metadata.namespace
                {
                    continue;
                }
                let api = contract.spec.api();
                let (field, what) = match &subject {
                    Subject::Customer(_) => (
                        api.map(|api| format!("spec.{}.{}", api.field(), api.customer_field())),
                        "is that of another contract too, and a customer has one contract there",
                    ),
                    Subject::Key(_) => (
                        api.map(|api| format!("spec.{}.uniquenessKey", api.field())),
                        "is that of another contract too, and a key is used once",
                    ),
                    // Of one namespace and name there is only one resource, which is told elsewhere.
                    Subject::Item(_) | Subject::Place(..) | Subject::Of(_) => continue,
                    Subject::Contract(_) => (
                        Some("spec.adopt.contractId".to_owned()),
                        "is adopted by another resource too, and a contract has one",
                    ),
                };
                let message =
                    format!("{what}: BillingContract {} in {place} has {subject}", other.name_any());
                let violation = Violation::new(field.unwrap_or_else(|| "spec".to_owned()), message);
                found.push((Which::Contract(index), Finding::error(Rule::Duplicate, violation)));
            }
        }
    }

    fn references(&self, found: &mut Vec<(Which, Finding)>) {
        // A provider that is not there is told once, however many refer to it.
        let packages = self.packages.iter().enumerate().filter_map(|(index, placed)| {
            let package = placed.resource;
            Some((
                Which::Package(index),
                package.spec.provider_ref.as_ref()?,
                package.metadata.namespace.as_deref(),
            ))
        });
        let contracts = self.contracts.iter().enumerate().map(|(index, placed)| {
            let contract = placed.resource;
            (Which::Contract(index), &contract.spec.provider_ref, contract.metadata.namespace.as_deref())
        });
        let mut named: Vec<(Which, &ProviderRef, Option<&str>)> = packages.chain(contracts).collect();
        named.sort_by_key(|(which, ..)| *which);
        let mut told: Vec<(String, Which, &ProviderRef, usize)> = Vec::new();
        for (which, reference, namespace) in named {
            if self.provider(reference, namespace).is_some() || self.is_wrong_provider(reference, namespace) {
                continue;
            }
            let key = match reference.kind {
                ProviderKind::BillingProvider => namespace.unwrap_or_default().to_owned(),
                ProviderKind::ClusterBillingProvider => String::new(),
            };
            match told.iter_mut().find(|(place, _, other, _)| *place == key && *other == reference) {
                Some((.., count)) => *count += 1,
                None => told.push((key, which, reference, 1)),
            }
        }
        for (_, which, reference, count) in told {
            let violation = Violation::new("spec.providerRef.name", self.unknown_provider(reference, count));
            found.push((which, Finding::warning(Rule::Reference, violation)));
        }
        for (index, Placed { resource: contract, .. }) in self.contracts.iter().enumerate() {
            let which = Which::Contract(index);
            if let Some(finding) = self.not_allowed(contract) {
                found.push((which, finding));
            }
            if let Some(finding) = self.renewed(contract) {
                found.push((which, finding));
            }
        }
        for (index, Placed { resource: approval, .. }) in self.approvals.iter().enumerate() {
            if let Some(finding) = self.approved(approval) {
                found.push((Which::Approval(index), finding));
            }
        }
    }

    fn is_wrong_provider(&self, reference: &ProviderRef, namespace: Option<&str>) -> bool {
        let (kind, namespace) = match reference.kind {
            ProviderKind::BillingProvider => ("BillingProvider", namespace),
            ProviderKind::ClusterBillingProvider => ("ClusterBillingProvider", None),
        };
        self.wrong.contains(&(kind, namespace, reference.name.as_str()))
    }

    /// Whether a contract of this name is there, also one that cannot be read.
    fn has_contract(&self, namespace: Option<&str>, name: &str) -> bool {
        let is_it = |placed: &Placed<'_, BillingContract>| {
            let metadata = &placed.resource.metadata;
            metadata.name.as_deref() == Some(name) && metadata.namespace.as_deref() == namespace
        };
        self.wrong.contains(&("BillingContract", namespace, name)) || self.contracts.iter().any(is_it)
    }

    /// Whether a package that cannot be read may be the one that a contract refers to.
    #[must_use]
    pub fn may_be_wrong_package(&self, contract: &BillingContract) -> bool {
        let namespace = contract.metadata.namespace.as_deref();
        let name = contract.spec.package_ref.as_ref().and_then(|package| package.name.as_deref());
        let is_it = |(kind, place, of): &(&str, Option<&str>, &str)| {
            *kind == "ContractPackage" && *place == namespace && name.is_none_or(|name| name == *of)
        };
        contract.spec.package_ref.is_some() && self.wrong.iter().any(is_it)
    }

    fn unknown_provider(&self, reference: &ProviderRef, count: usize) -> String {
        let names: Vec<&str> = match reference.kind {
            ProviderKind::BillingProvider => {
                self.providers.iter().filter_map(|placed| placed.resource.metadata.name.as_deref()).collect()
            }
            ProviderKind::ClusterBillingProvider => self
                .cluster_providers
                .iter()
                .filter_map(|placed| placed.resource.metadata.name.as_deref())
                .collect(),
        };
        let near = names.iter().map(|name| (strsim::damerau_levenshtein(name, &reference.name), name)).min();
        let hint = match near {
            Some((0, _)) => "; the one of that name is in another namespace".to_owned(),
            Some((distance, name)) if distance <= 3 => format!("; did you mean `{name}`?"),
            _ => String::new(),
        };
        let others = if count > 1 { format!(" ({count} resources refer to it)") } else { String::new() };
        format!("names {:?} {}, which is not in these files{others}{hint}", reference.kind, reference.name)
    }

    /// A provider of the cluster that does not name the contract's namespace.
    fn not_allowed(&self, contract: &BillingContract) -> Option<Finding> {
        let reference = &contract.spec.provider_ref;
        let namespace = contract.metadata.namespace.as_ref()?;
        if reference.kind != ProviderKind::ClusterBillingProvider {
            return None;
        }
        let mut all = self.cluster_providers.iter().map(|placed| placed.resource);
        let provider = all.find(|provider| provider.metadata.name.as_ref() == Some(&reference.name))?;
        let is_allowed = provider.spec.allowed_namespaces.contains(namespace);
        let message = format!(
            "names ClusterBillingProvider {}, which does not name namespace {namespace}; add it to its `spec.allowedNamespaces`",
            reference.name
        );
        let violation = Violation::new("spec.providerRef.name", message);
        (!is_allowed).then(|| Finding::error(Rule::Reference, violation))
    }

    /// A renewal of a contract that is not there.
    fn renewed(&self, contract: &BillingContract) -> Option<Finding> {
        let (renewed, api) = (contract.spec.renews()?, contract.spec.api()?);
        let path = format!("spec.{}.transition.fromContractRef.name", api.field());
        if contract.metadata.name.as_deref() == Some(renewed) {
            let violation = Violation::new(path, "must be another contract than this one");
            return Some(Finding::error(Rule::Reference, violation));
        }
        let message = format!("names BillingContract {renewed}, which is not in these files");
        let is_there = self.has_contract(contract.metadata.namespace.as_deref(), renewed);
        (!is_there).then(|| Finding::warning(Rule::Reference, Violation::new(path, message)))
    }

    /// An approval of a plan of a contract that is not there.
    fn approved(&self, approval: &ContractApproval) -> Option<Finding> {
        let name = &approval.spec.contract_ref.name;
        let message = format!("names BillingContract {name}, which is not in these files");
        let is_there = self.has_contract(approval.metadata.namespace.as_deref(), name);
        (!is_there)
            .then(|| Finding::warning(Rule::Reference, Violation::new("spec.contractRef.name", message)))
    }
}

/// Resources of one kind, namespace and name.
fn repeated<K: Resource<DynamicType = ()> + HasSpec<Spec: PartialEq>>(
    all: &[Placed<'_, K>],
    which: impl Fn(usize) -> Which,
    found: &mut Vec<(Which, Finding)>,
) {
    let mut first: BTreeMap<(&str, String, String), &Placed<'_, K>> = BTreeMap::new();
    for (index, placed) in all.iter().enumerate() {
        let Placed { resource, scope, .. } = placed;
        let name = (scope.as_str(), resource.namespace().unwrap_or_default(), resource.name_any());
        if let Some(Placed { place: other, .. }) =
            first.get(&name).filter(|first| first.resource.spec() != resource.spec())
        {
            let message = format!(
                "is that of another {} too, in {other}: one of them would take the other's place",
                K::kind(&())
            );
            let violation = Violation::new("metadata.name", message);
            found.push((which(index), Finding::error(Rule::Duplicate, violation)));
        }
        first.entry(name).or_insert(placed);
    }
}

#[cfg(test)]
mod tests;

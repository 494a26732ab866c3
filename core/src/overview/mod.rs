//! What people ask of everything together: how it stands, what is due, what to do. For the terminal and for reports.
//!
//! - [`Standing`]: one resource's conditions as a mark, with why and what to do about it ([`advice`]);
//! - [`customers`]: the contracts of each customer one after the other, with gaps, lapses, renewals and price steps;
//! - [`calendar`]: fixed money by month and currency;
//! - [`tree`]: provider → package → contract, for the terminal.
//!
//! Pure, as everything here: whoever reads the resources says what they are.

pub mod advice;
pub mod calendar;
pub mod customers;
#[cfg(test)]
mod fixture;
mod standing;
pub mod tree;

use std::collections::HashSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

pub use self::standing::{Mark, Standing};
use crate::api::{
    BillingContract, BillingProvider, ClusterBillingProvider, ContractApproval, ContractPackage,
    contract::ProviderKind,
};

/// Resources that are looked at together.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Providers of namespaces.
    pub providers: Vec<BillingProvider>,
    /// Providers of the cluster.
    pub cluster_providers: Vec<ClusterBillingProvider>,
    /// Packages.
    pub packages: Vec<ContractPackage>,
    /// Contracts.
    pub contracts: Vec<BillingContract>,
    /// What people say of plans.
    pub approvals: Vec<ContractApproval>,
    /// Resources that this version cannot read.
    pub unreadable: Vec<Unreadable>,
    /// What was not looked at, and why: `ClusterBillingProviders, as you may not list them`.
    pub unseen: Vec<String>,
}

/// A resource that this version cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its kind.
    pub kind: String,
    /// Its namespace, where it has one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Why it cannot be read.
    pub why: String,
}

/// Something that is not as it should be: a row of what needs somebody, or time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Kind of the resource.
    pub kind: String,
    /// `namespace/name`.
    pub name: String,
    /// How it stands, with why and what to do.
    pub standing: Standing,
}

impl Resources {
    /// Everything that is not ready: what is refused first, then what waits, in the order of the names.
    #[must_use]
    pub fn troubles(&self) -> Vec<Trouble> {
        let mut troubles: Vec<Trouble> = self.unreadable.iter().map(Unreadable::trouble).collect();
        let mut look = |kind: &str, namespace: Option<String>, name: String, standing: Standing| {
            if !standing.is_fine() {
                troubles.push(Trouble {
                    kind: kind.to_owned(),
                    name: place(namespace.as_deref(), &name),
                    standing,
                });
            }
        };
        for provider in &self.providers {
            look(
                "BillingProvider",
                provider.namespace(),
                provider.name_any(),
                Standing::of_provider(provider),
            );
        }
        for provider in &self.cluster_providers {
            look(
                "ClusterBillingProvider",
                None,
                provider.name_any(),
                Standing::of_cluster_provider(provider),
            );
        }
        for package in &self.packages {
            look("ContractPackage", package.namespace(), package.name_any(), Standing::of_package(package));
        }
        for contract in &self.contracts {
            look(
                "BillingContract",
                contract.namespace(),
                contract.name_any(),
                Standing::of_contract(contract),
            );
        }
        troubles.sort_by(|one, other| {
            let rank =
                |trouble: &Trouble| (trouble.standing.mark, trouble.kind.clone(), trouble.name.clone());
            rank(one).cmp(&rank(other))
        });
        troubles
    }

    /// The same as whoever works in one namespace sees it: without the providers of the cluster that neither serve it nor are
    /// referred to in it, which are others' to look after.
    #[must_use]
    pub fn of_namespace(mut self, namespace: &str) -> Self {
        let of_contracts = self.contracts.iter().map(|contract| &contract.spec.provider_ref);
        let of_packages = self.packages.iter().filter_map(|package| package.spec.provider_ref.as_ref());
        let named: HashSet<String> = of_contracts
            .chain(of_packages)
            .filter(|reference| reference.kind == ProviderKind::ClusterBillingProvider)
            .map(|reference| reference.name.clone())
            .collect();
        self.cluster_providers.retain(|provider| {
            let mut serves = provider.spec.allowed_namespaces.iter();
            serves.any(|served| served == namespace) || named.contains(&provider.name_any())
        });
        self
    }
}

impl Unreadable {
    fn trouble(&self) -> Trouble {
        Trouble {
            kind: self.kind.clone(),
            name: place(self.namespace.as_deref(), &self.name),
            standing: Standing::unreadable(&self.kind, &self.why),
        }
    }
}

/// `namespace/name`, or the name alone.
#[must_use]
pub fn place(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

/// A condition, if it is there.
fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

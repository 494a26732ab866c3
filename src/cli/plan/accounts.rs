//! The billing accounts that a plan asks, and what is on record of the contracts in them: by a provider's file alone, or as a
//! cluster has both. Nothing here can write.

use kube::ResourceExt;

use super::{
    super::account::Connected,
    cluster::Cluster,
    lookup::{Account, Found},
    pairs::{Change, KINDS, Key, Pair, side},
};
use crate::{
    api::{BillingContract, ContractPackage, contract::ProviderRef},
    plan::{Holders, Refusal, Sayings},
    review::change::{Side, was_in_force},
};

/// The accounts that can be asked.
pub(super) enum Accounts {
    /// One, by its provider's file.
    One {
        /// The account.
        account: Box<Account>,
        /// What contracts name it by.
        provider: ProviderRef,
        /// Namespace of the provider; none of a cluster's.
        namespace: Option<String>,
    },
    /// Those of a cluster.
    Cluster(Box<Cluster>),
}

impl Accounts {
    /// The account of a provider's file; `namespace` is that of resources whose files say none.
    pub(super) fn one(connected: Connected, namespace: &str) -> Self {
        let Connected { client, provider, namespace: said, account, demands } = connected;
        let account = Box::new(Account { client, name: account, demands });
        Self::One { account, provider, namespace: said.or_else(|| Some(namespace.to_owned())) }
    }

    /// The account that a resource of a namespace refers to.
    pub(super) fn find(&self, reference: &ProviderRef, of: Option<&str>) -> Found<'_> {
        match self {
            Self::One { account, provider, namespace } => {
                let is_near = match reference.kind {
                    crate::api::contract::ProviderKind::BillingProvider => namespace.as_deref() == of,
                    crate::api::contract::ProviderKind::ClusterBillingProvider => true,
                };
                if provider == reference && is_near { Found::Ready(account) } else { Found::Other }
            }
            Self::Cluster(cluster) => cluster.account(reference, of),
        }
    }

    /// Whether the status of each resource is known, so that one without has never been reconciled.
    pub(super) const fn has_records(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Whether what a resource said before may be what is billed: in a cluster, once it has been carried out. What waits for
    /// approval, or was refused, has not.
    pub(super) fn has_carried_out(&self, files: &Change<'_>, pair: &Pair<'_>) -> bool {
        let cluster = match self {
            Self::One { .. } => return true,
            Self::Cluster(cluster) => cluster,
        };
        if pair.kind == KINDS[0] {
            let there = cluster.package(pair.key);
            return there.and_then(|there| there.status.as_ref()?.package_id.as_ref()).is_some();
        }
        let Some(status) = cluster.contract(pair.key).and_then(|there| there.status.as_ref()) else {
            return false;
        };
        let Some(was) = pair.contracts().0 else { return status.last_applied.is_some() };
        let before = side(was, &files.old);
        let mut package = before.package.cloned();
        if let Some(package) = &mut package {
            let there = cluster.package((package.namespace().as_deref(), &package.name_any()));
            package.status = there.and_then(|there| there.status.clone());
        }
        was_in_force(&Side { package: package.as_ref(), ..before }, status, files.now)
    }

    /// A contract's resource, where the cluster has it.
    pub(super) fn contract(&self, key: Key<'_>) -> Option<&BillingContract> {
        if let Self::Cluster(cluster) = self { cluster.contract(key) } else { None }
    }

    /// A package's resource, where the cluster has it.
    pub(super) fn package(&self, key: Key<'_>) -> Option<&ContractPackage> {
        if let Self::Cluster(cluster) = self { cluster.package(key) } else { None }
    }

    /// Why another resource of the cluster holds what this one claims. What files claim twice is found in them.
    pub(super) fn claimed(&self, contract: &BillingContract, account: &str) -> Option<Refusal> {
        if let Self::Cluster(cluster) = self { cluster.claimed(contract, account) } else { None }
    }

    /// What people of the cluster say of a contract's plans.
    pub(super) fn sayings(&self, contract: &BillingContract) -> Sayings {
        if let Self::Cluster(cluster) = self { cluster.sayings(contract) } else { Sayings::default() }
    }

    /// Finds who holds a contract among the cluster's other resources.
    pub(super) fn holders(&self, contract: &BillingContract, account: &str) -> Holders {
        match self {
            Self::Cluster(cluster) => cluster.holders(contract, account),
            Self::One { .. } => Holders::default(),
        }
    }
}

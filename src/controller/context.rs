//! What the reconciles share: clients, caches, queues and registries.

use std::sync::Arc;

use kube::{Client, runtime::reflector::Store};
use tokio::sync::watch;

use super::{
    Guarded, Options,
    approval::Approvals,
    contract::{claims::ClaimIndex, renewals::Renewals},
    kubernetes::{journal::Journal, leadership::Leadership, queue::Queue},
    package::registry::PackageRegistry,
    provider::{pace::Paces, registry::ProviderRegistry, secrets::SecretWatches},
};
use crate::{
    api::{BillingContract, BillingProvider, ClusterBillingProvider, ContractPackage},
    billing::{slots::Slots, tenure::Tenure},
    metrics::Metrics,
};

/// What every reconcile needs.
pub struct Context {
    /// Client of the API server.
    pub client: Client,
    /// How the operator runs.
    pub options: Options,
    /// Metrics.
    pub metrics: Metrics,
    /// Caches.
    pub stores: Stores,
    /// Billing accounts.
    pub providers: ProviderRegistry,
    /// What contracts find when they look up their package.
    pub packages: PackageRegistry,
    /// How many contracts of each account were changed lately.
    pub paces: Arc<Paces>,
    /// What people say of contracts' plans.
    pub approvals: Arc<Approvals>,
    /// Contracts that wait for the contract that theirs renews.
    pub renewals: Renewals,
    /// What contracts claim.
    pub claims: Arc<ClaimIndex>,
    /// Watches on Secrets.
    pub secrets: SecretWatches,
    /// What may still be begun.
    pub tenure: Tenure,
    /// Whose statuses count.
    pub leadership: Leadership,
    /// What is about to be written to billing accounts.
    pub journal: Journal,
    /// Slots for what asks no billing API: it waits for the API server at most.
    pub local: Slots,
    /// When each contract is due.
    pub contract_queue: Arc<Queue>,
    /// When each provider, of either kind, is due.
    pub provider_queue: Arc<Queue>,
    /// When each package is due.
    pub package_queue: Arc<Queue>,
    /// Whether each cache is filled.
    pub filled: [watch::Receiver<bool>; 5],
}

/// The caches of what is watched.
#[derive(Clone)]
pub struct Stores {
    /// Contracts.
    pub contracts: Store<Guarded<BillingContract>>,
    /// Providers.
    pub providers: Store<Guarded<BillingProvider>>,
    /// Cluster providers.
    pub cluster_providers: Store<Guarded<ClusterBillingProvider>>,
    /// Packages.
    pub packages: Store<Guarded<ContractPackage>>,
}

impl Context {
    /// Waits until every cache is filled: before that, what is not there yet would seem to be missing.
    ///
    /// A store's own `wait_until_ready` is its controller's: of several that wait, it wakes only the last.
    pub async fn filled(&self) {
        for mut cache in self.filled.clone() {
            if cache.wait_for(|filled| *filled).await.is_err() {
                tracing::debug!("stopping before the caches were filled");
            }
        }
    }
}

//! Every billing API there is. Adding one is a variant here and a line in [`with_api!`], and nothing else in what acts.

use chrono::Utc;

#[cfg(feature = "fake")]
use super::fake::Fake;
use super::{BillingApi, CallError, http::Http, metronome::Metronome, run, zoo::Zoo};
use crate::{
    api::{Api, BillingContract, ContractPackage, provider::BillingProviderSpec},
    plan::{Holders, Policy, Recorded, Refusal},
    protocol::{Goal, ReconcileResult, Reconciliation, Requeue},
    status::{contract::ContractResult, package::PackageResult},
};

/// A client of one of the billing APIs.
#[derive(Debug)]
pub enum Client {
    /// Of Zoo.
    Zoo(Zoo),
    /// Of Metronome.
    Metronome(Metronome),
    /// Of Fake.
    #[cfg(feature = "fake")]
    Fake(Fake),
}

/// The same expression for whichever API a client is of.
macro_rules! with_api {
    ($client:expr, $api:ident => $result:expr) => {
        match $client {
            Client::Zoo($api) => $result,
            Client::Metronome($api) => $result,
            #[cfg(feature = "fake")]
            Client::Fake($api) => $result,
        }
    };
}

impl Client {
    /// A client for an account; nothing when the spec names no API.
    #[must_use]
    pub fn connect(spec: &BillingProviderSpec, http: Http) -> Option<Self> {
        match spec.api()? {
            Api::Zoo => Zoo::connect(spec, http).map(Self::Zoo),
            Api::Metronome => Metronome::connect(spec, http).map(Self::Metronome),
            #[cfg(feature = "fake")]
            Api::Fake => Fake::connect(spec, http).map(Self::Fake),
        }
    }

    /// Which API it is of.
    #[must_use]
    pub fn api(&self) -> Api {
        fn of<A: BillingApi>(_: &A) -> Api {
            A::API
        }
        with_api!(self, api => of(api))
    }

    /// Asks whether the token is accepted.
    ///
    /// # Errors
    /// [`CallError::Credentials`] when it is not; the others when that cannot be told.
    pub async fn probe(&self) -> Result<(), CallError> {
        with_api!(self, api => api.probe().await)
    }

    /// Brings a contract to its goal in an account: observe, plan, execute.
    pub async fn reconcile_contract(
        &self,
        contract: &BillingContract,
        references: &ContractReferences<'_>,
        goal: Goal,
    ) -> ContractResult {
        with_api!(self, api => reconcile_contract(api, contract, references, goal).await)
    }

    /// Brings a package to its goal: observe, plan, execute.
    pub async fn reconcile_package(
        &self,
        package: &ContractPackage,
        contracts: i32,
        goal: Goal,
    ) -> PackageResult {
        with_api!(self, api => reconcile_package(api, package, contracts, goal).await)
    }
}

/// What a contract depends on, looked up.
#[derive(Clone, Debug)]
pub struct ContractReferences<'a> {
    /// The package that it is made from.
    pub package: Option<&'a ContractPackage>,
    /// ID of the contract that it renews.
    pub renews: Option<&'a str>,
    /// The account, as claims and records name it.
    pub account: &'a str,
    /// Why another resource holds what this one claims.
    pub claimed: Option<Refusal>,
    /// Finds who holds a contract among the other resources.
    pub holders: Holders,
}

async fn reconcile_contract<A: BillingApi>(
    api: &A,
    contract: &BillingContract,
    references: &ContractReferences<'_>,
    goal: Goal,
) -> ContractResult {
    let ContractReferences { package, renews, account, claimed, holders } = references;
    let planner = match api.contract(contract, *package, renews.map(str::to_owned)) {
        Ok(planner) => planner,
        Err(refusal) => return ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod),
    };
    let (recorded, policy) = (Recorded::of(contract, account), Policy::of(contract));
    let reconciliation = Reconciliation::new(A::API, planner, goal, recorded, policy);
    let reconciliation = reconciliation.claimed_by_another(claimed.clone()).knowing(holders.clone());
    let result = run(api, reconciliation, Utc::now).await;
    ReconcileResult { account: Some((*account).to_owned()), ..result }
}

async fn reconcile_package<A: BillingApi>(
    api: &A,
    package: &ContractPackage,
    contracts: i32,
    goal: Goal,
) -> PackageResult {
    let planner = match api.package(package, contracts) {
        Ok(planner) => planner,
        Err(refusal) => return ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod),
    };
    let (recorded, policy) = (Recorded::of_package(package), Policy::default());
    run(api, Reconciliation::new(A::API, planner, goal, recorded, policy), Utc::now).await
}

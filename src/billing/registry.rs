//! Every billing API there is. Adding one is a variant here and a line in [`with_api!`], and nothing else in what acts.

#[cfg(feature = "fake")]
use super::fake::Fake;
use super::{
    BillingApi, CallError, Cluster, Import, Preview, http::Http, metronome::Metronome, preview, run, zoo::Zoo,
};
use crate::{
    api::{Api, BillingContract, ContractPackage, provider::BillingProviderSpec},
    clock,
    import::Destination,
    plan::{
        self, Announced, ContractSnapshot, Demands, Holders, Pace, PackageSnapshot, Policy, Recorded,
        Refusal, Sayings, rates::Rates,
    },
    protocol::{Goal, ReconcileResult, Reconciliation, Requeue},
    status::{contract::ContractResult, package::PackageResult},
    terms::Timestamp,
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

    /// Asks whether the API answers as itself, and accepts the token.
    ///
    /// # Errors
    /// [`CallError::Foreign`] when something else answers, [`CallError::Credentials`] when the token is refused; the
    /// others when neither can be told.
    pub async fn probe(&self) -> Result<(), CallError> {
        with_api!(self, api => api.probe().await)
    }

    /// IDs of every customer of the account; nothing where the API cannot list them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn customers(&self) -> Result<Option<Vec<String>>, CallError> {
        with_api!(self, api => api.customers().await)
    }

    /// What is billed to a customer, as resources; archived contracts are left out.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn billed_to(
        &self,
        customer: &str,
        to: &Destination,
    ) -> Result<Vec<Import<BillingContract>>, CallError> {
        with_api!(self, api => api.billed_to(customer, to).await)
    }

    /// What use of a contract costs at a moment, beside what the contract's resource says; nothing where an API has no
    /// rates besides the terms of its contracts.
    ///
    /// # Errors
    /// When it cannot be read, or the API does not know the contract.
    pub async fn rates(
        &self,
        contract: &BillingContract,
        package: Option<&ContractPackage>,
        contract_id: &str,
        at: Timestamp,
    ) -> Result<Option<Rates>, CallError> {
        with_api!(self, api => api.rates(contract, package, contract_id, at).await)
    }

    /// The packages of the account, as resources; none where the API has none.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn packages(&self, to: &Destination) -> Result<Vec<Import<ContractPackage>>, CallError> {
        with_api!(self, api => api.packages(to).await)
    }

    /// What would be done to bring a contract to its goal; reads only.
    pub async fn preview_contract(
        &self,
        contract: &BillingContract,
        references: &ContractReferences<'_>,
        goal: Goal,
    ) -> Preview<ContractSnapshot> {
        with_api!(self, api => preview_contract(api, contract, references, goal).await)
    }

    /// What would be done to bring a package to its goal; reads only.
    pub async fn preview_package(
        &self,
        package: &ContractPackage,
        contracts: i32,
        goal: Goal,
    ) -> Preview<PackageSnapshot> {
        with_api!(self, api => preview_package(api, package, contracts, goal).await)
    }

    /// Brings a contract to its goal in an account: observe, plan, execute.
    pub async fn reconcile_contract(
        &self,
        contract: &BillingContract,
        references: &ContractReferences<'_>,
        goal: Goal,
        cluster: &impl Cluster,
    ) -> ContractResult {
        with_api!(self, api => reconcile_contract(api, contract, references, goal, cluster).await)
    }

    /// Brings a package to its goal in an account: observe, plan, execute.
    pub async fn reconcile_package(
        &self,
        package: &ContractPackage,
        account: &str,
        contracts: i32,
        goal: Goal,
        cluster: &impl Cluster,
    ) -> PackageResult {
        let package = plan::package::in_account(package, account);
        let result = with_api!(self, api => reconcile_package(api, &package, contracts, goal, cluster).await);
        ReconcileResult { account: Some(account.to_owned()), ..result }
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
    /// What the account demands of every plan.
    pub demands: Demands,
    /// What people say of the contract's plans.
    pub sayings: Sayings,
    /// What an earlier pass has announced and not reported.
    pub announced: Option<Announced>,
    /// Counts what is changed in the account.
    pub pace: Pace,
}

/// A reconciliation of a contract that has not begun.
fn begin_contract<A: BillingApi>(
    api: &A,
    contract: &BillingContract,
    references: &ContractReferences<'_>,
    goal: Goal,
) -> Result<Reconciliation<A::Contract>, Refusal> {
    let ContractReferences { package, renews, account, claimed, holders, demands, sayings, announced, pace } =
        references;
    let planner = api.contract(contract, *package, renews.map(str::to_owned))?;
    let policy = Policy::of(contract).under(demands.clone(), sayings.clone());
    let recorded = Recorded::of(contract, account).and_announced(announced.clone());
    let reconciliation = Reconciliation::new(A::API, planner, goal, recorded, policy);
    Ok(reconciliation.claimed_by_another(claimed.clone()).knowing(holders.clone()).paced(pace.clone()))
}

/// A reconciliation of a package that has not begun.
fn begin_package<A: BillingApi>(
    api: &A,
    package: &ContractPackage,
    contracts: i32,
    goal: Goal,
) -> Result<Reconciliation<A::Package>, Refusal> {
    let planner = api.package(package, contracts)?;
    let (recorded, policy) = (Recorded::of_package(package), Policy::default());
    Ok(Reconciliation::new(A::API, planner, goal, recorded, policy))
}

fn refused<S>(refusal: Refusal) -> ReconcileResult<S> {
    ReconcileResult::refused(refusal, Requeue::AfterSyncPeriod)
}

async fn reconcile_contract<A: BillingApi>(
    api: &A,
    contract: &BillingContract,
    references: &ContractReferences<'_>,
    goal: Goal,
    cluster: &impl Cluster,
) -> ContractResult {
    let reconciliation = match begin_contract(api, contract, references, goal) {
        Ok(reconciliation) => reconciliation,
        Err(refusal) => return refused(refusal),
    };
    let result = run(api, reconciliation, cluster, clock::now).await;
    ReconcileResult { account: Some(references.account.to_owned()), ..result }
}

async fn preview_contract<A: BillingApi>(
    api: &A,
    contract: &BillingContract,
    references: &ContractReferences<'_>,
    goal: Goal,
) -> Preview<ContractSnapshot> {
    match begin_contract(api, contract, references, goal) {
        Ok(reconciliation) => preview(api, reconciliation, clock::now).await,
        Err(refusal) => Preview::Done(Box::new(refused(refusal))),
    }
}

async fn reconcile_package<A: BillingApi>(
    api: &A,
    package: &ContractPackage,
    contracts: i32,
    goal: Goal,
    cluster: &impl Cluster,
) -> PackageResult {
    match begin_package(api, package, contracts, goal) {
        Ok(reconciliation) => run(api, reconciliation, cluster, clock::now).await,
        Err(refusal) => refused(refusal),
    }
}

async fn preview_package<A: BillingApi>(
    api: &A,
    package: &ContractPackage,
    contracts: i32,
    goal: Goal,
) -> Preview<PackageSnapshot> {
    match begin_package(api, package, contracts, goal) {
        Ok(reconciliation) => preview(api, reconciliation, clock::now).await,
        Err(refusal) => Preview::Done(Box::new(refused(refusal))),
    }
}

//! The outside: billing APIs over HTTP, observed and written through one budget, with every outcome typed.
//!
//! A billing API is a [`BillingApi`]: it reads the facts that its planner asks for, and carries out calls that leave it no
//! choice. [`run`] is all that acting comes to; what to do is the protocol's to say. Knows nothing of Kubernetes.

pub mod budget;
pub mod carrier;
pub mod endpoint;
#[cfg(feature = "fake")]
pub mod fake;
pub mod http;
pub mod metronome;
mod pages;
pub mod registry;
pub mod slots;
pub mod tenure;
pub mod zoo;

use std::{fmt, future::Future};

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use crate::protocol::CallError;
use crate::{
    api::{Api, BillingContract, ContractPackage, provider::BillingProviderSpec},
    import::{Destination, Imported, Unimportable},
    plan::{Announced, Call, ContractSnapshot, PackageSnapshot, Plan, Planner, Refusal, rates::Rates},
    protocol::{ReconcileResult, Reconciliation, Step},
    terms::Timestamp,
};

use self::http::Http;

/// What can be read of a billing API. Whoever is given only this cannot write.
pub trait Reads: fmt::Debug + Send + Sync {
    /// A fact that can be read.
    type Need: Send + Sync;

    /// Reads a fact; nothing when the API says that there is no such thing.
    ///
    /// # Errors
    /// Never [`CallError::Unknown`]: what a read did not learn does no harm.
    fn read(&self, need: &Self::Need) -> impl Future<Output = Result<Option<Value>, CallError>> + Send;
}

/// One billing API: its wire, and the planners that go with it.
pub trait BillingApi: Reads + Sized + 'static {
    /// Which one it is.
    const API: Api;
    /// Plans contracts.
    type Contract: Planner<Need = Self::Need, Snapshot = ContractSnapshot> + Send;
    /// Plans packages; [`NoPackages`](crate::plan::NoPackages) where the API has none.
    type Package: Planner<Need = Self::Need, Snapshot = PackageSnapshot> + Send;

    /// A client for an account; nothing when the spec is another API's.
    fn connect(spec: &BillingProviderSpec, http: Http) -> Option<Self>;

    /// A planner for a contract, with its package and the ID of the contract that it renews.
    ///
    /// # Errors
    /// A refusal when the contract is another API's.
    fn contract(
        &self,
        contract: &BillingContract,
        package: Option<&ContractPackage>,
        renews: Option<String>,
    ) -> Result<Self::Contract, Refusal>;

    /// A planner for a package that so many `BillingContract`s refer to.
    ///
    /// # Errors
    /// A refusal when the package does not belong to an account of this API.
    fn package(&self, package: &ContractPackage, contracts: i32) -> Result<Self::Package, Refusal>;

    /// Carries out one write; the reply is what the planner's `wrote` takes.
    ///
    /// # Errors
    /// [`CallError::Unknown`] whenever the write may be in force.
    fn send(&self, call: &Call) -> impl Future<Output = Result<Value, CallError>> + Send;

    /// Asks whether the API answers as itself, and accepts the token.
    ///
    /// # Errors
    /// [`CallError::Foreign`] when something else answers, [`CallError::Credentials`] when the token is refused; the
    /// others when neither can be told.
    fn probe(&self) -> impl Future<Output = Result<(), CallError>> + Send;

    /// IDs of every customer of the account; nothing where the API cannot list them.
    ///
    /// # Errors
    /// When they cannot be read.
    fn customers(&self) -> impl Future<Output = Result<Option<Vec<String>>, CallError>> + Send;

    /// What is billed to a customer, as resources; archived contracts are left out.
    ///
    /// # Errors
    /// When it cannot be read.
    fn billed_to(
        &self,
        customer: &str,
        to: &Destination,
    ) -> impl Future<Output = Result<Vec<Import<BillingContract>>, CallError>> + Send;

    /// What use of a contract costs at a moment, beside what the contract's resource says; nothing where an API has no
    /// rates besides the terms of its contracts.
    ///
    /// # Errors
    /// When it cannot be read, or the API does not know the contract.
    fn rates(
        &self,
        contract: &BillingContract,
        package: Option<&ContractPackage>,
        contract_id: &str,
        at: Timestamp,
    ) -> impl Future<Output = Result<Option<Rates>, CallError>> + Send;

    /// The packages of the account, as resources; none where the API has none.
    ///
    /// # Errors
    /// When they cannot be read.
    fn packages(
        &self,
        to: &Destination,
    ) -> impl Future<Output = Result<Vec<Import<ContractPackage>>, CallError>> + Send;
}

/// What a reconciliation needs of the cluster before it writes to billing.
pub trait Cluster: Sync {
    /// Whether what the resource refers to still says what the reconciliation began with, as the cluster has it now: of two kinds
    /// that are changed together, one may be heard of before the other. Not where that cannot be told.
    fn confirm(&self) -> impl Future<Output = bool> + Send;

    /// Puts on record what is about to be sent, where a later process finds it.
    ///
    /// # Errors
    /// [`CallError::NotOnRecord`] or [`CallError::NotLeader`] when that was not done, so that nothing may be sent.
    fn announce(&self, announced: Announced) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Puts back what was on record before the last of them, as nothing that it announced was sent.
    fn withdraw(&self);
}

/// Something that is billed as a resource, or why there is none for it.
pub type Import<K> = Result<Imported<K>, Unimportable>;

/// What a reconciliation would do.
#[derive(Debug)]
pub enum Preview<S> {
    /// Carry out this plan first.
    Write {
        /// The plan, with the calls that follow it as far as they can be told before it is carried out.
        plan: Box<Plan>,
        /// What was observed, where it is known to be the resource's.
        seen: Option<S>,
    },
    /// Nothing: this is the result.
    Done(Box<ReconcileResult<S>>),
}

/// What a reconciliation comes to once nothing is left to read.
enum Act<S> {
    Confirm,
    Announce(Box<Announced>),
    Withdraw,
    Send(Call),
    Done(Box<ReconcileResult<S>>),
}

/// Reads what a reconciliation asks for, until it asks for something else.
async fn read_on<R, P>(
    api: &R,
    reconciliation: &mut Reconciliation<P>,
    now: &(impl Fn() -> DateTime<Utc> + Sync),
) -> Act<P::Snapshot>
where
    R: Reads,
    P: Planner<Need = R::Need> + Send,
    P::Snapshot: Send,
{
    loop {
        match reconciliation.next(now()) {
            Step::Read(need) => {
                let told = api.read(&need).await;
                reconciliation.told(&need, told, now());
            }
            Step::Confirm => return Act::Confirm,
            Step::Announce(announced) => return Act::Announce(announced),
            Step::Withdraw => return Act::Withdraw,
            Step::Send(call) => return Act::Send(call),
            Step::Done(result) => return Act::Done(result),
        }
    }
}

/// Carries a reconciliation out up to its first write, and says what that would be.
pub async fn preview<R, P>(
    api: &R,
    mut reconciliation: Reconciliation<P>,
    now: impl Fn() -> DateTime<Utc> + Send + Sync,
) -> Preview<P::Snapshot>
where
    R: Reads,
    P: Planner<Need = R::Need> + Send,
    P::Snapshot: Send,
{
    loop {
        match read_on(api, &mut reconciliation, &now).await {
            Act::Confirm | Act::Announce(_) | Act::Send(_) => {
                if let Some(plan) = reconciliation.foreseen(now()) {
                    return Preview::Write { plan: Box::new(plan), seen: reconciliation.seen(now()) };
                }
            }
            Act::Withdraw => reconciliation.withdrawn(),
            Act::Done(result) => return Preview::Done(result),
        }
    }
}

/// Carries a reconciliation out, step by step, to its result.
pub async fn run<A, P>(
    api: &A,
    mut reconciliation: Reconciliation<P>,
    cluster: &impl Cluster,
    now: impl Fn() -> DateTime<Utc> + Send + Sync,
) -> ReconcileResult<P::Snapshot>
where
    A: BillingApi,
    P: Planner<Need = A::Need> + Send,
    P::Snapshot: Send,
{
    loop {
        match read_on(api, &mut reconciliation, &now).await {
            Act::Confirm => reconciliation.confirmed(cluster.confirm().await),
            Act::Announce(announced) => {
                let outcome = cluster.announce(*announced).await;
                reconciliation.announced(outcome);
            }
            Act::Withdraw => {
                cluster.withdraw();
                reconciliation.withdrawn();
            }
            Act::Send(call) => {
                let reply = api.send(&call).await;
                reconciliation.sent(reply, now());
            }
            Act::Done(result) => return *result,
        }
    }
}

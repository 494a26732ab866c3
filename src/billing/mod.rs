//! The outside: billing APIs over HTTP, observed and written through one budget, with every outcome typed.
//!
//! A billing API is a [`BillingApi`]: it reads the facts that its planner asks for, and carries out calls that leave it no
//! choice. [`run`] is all that acting comes to; what to do is the protocol's to say. Knows nothing of Kubernetes.

pub mod budget;
#[cfg(feature = "fake")]
pub mod fake;
pub mod http;
pub mod metronome;
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
    plan::{Call, ContractSnapshot, PackageSnapshot, Planner, Refusal},
    protocol::{ReconcileResult, Reconciliation, Step},
};

use self::http::Http;

/// One billing API: its wire, and the planners that go with it.
pub trait BillingApi: fmt::Debug + Send + Sync + Sized + 'static {
    /// Which one it is.
    const API: Api;
    /// A fact that can be read.
    type Need: Send + Sync;
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

    /// Reads a fact; nothing when the API says that there is no such thing.
    ///
    /// # Errors
    /// Never [`CallError::Unknown`]: what a read did not learn does no harm.
    fn read(&self, need: &Self::Need) -> impl Future<Output = Result<Option<Value>, CallError>> + Send;

    /// Carries out one write; the reply is what the planner's `wrote` takes.
    ///
    /// # Errors
    /// [`CallError::Unknown`] whenever the write may be in force.
    fn send(&self, call: &Call) -> impl Future<Output = Result<Value, CallError>> + Send;

    /// Asks whether the token is accepted.
    ///
    /// # Errors
    /// [`CallError::Credentials`] when it is not; the others when that cannot be told.
    fn probe(&self) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// Carries a reconciliation out, step by step, to its result.
pub async fn run<A, P>(
    api: &A,
    mut reconciliation: Reconciliation<P>,
    now: impl Fn() -> DateTime<Utc> + Send,
) -> ReconcileResult<P::Snapshot>
where
    A: BillingApi,
    P: Planner<Need = A::Need> + Send,
    P::Snapshot: Send,
{
    loop {
        match reconciliation.next(now()) {
            Step::Read(need) => {
                let told = api.read(&need).await;
                reconciliation.told(&need, told, now());
            }
            Step::Send(call) => {
                let reply = api.send(&call).await;
                reconciliation.sent(reply, now());
            }
            Step::Done(result) => return *result,
        }
    }
}

//! What reads of a billing API would tell, had files been carried out: for plans that don't ask it.

use serde_json::Value;

use super::{ContractSnapshot, Planner, Refusal};
use crate::api::{Api, BillingContract, ContractPackage, provider::BillingProviderSpec};

/// What files say of one contract.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The contract.
    pub contract: &'a BillingContract,
    /// The package that gives it terms.
    pub package: Option<&'a ContractPackage>,
    /// Its account, where it is known.
    pub account: Option<&'a BillingProviderSpec>,
}

/// What one billing API would tell, had files been carried out and nobody changed anything since; by default nothing.
pub trait Facts: Default {
    /// The billing API.
    const API: Api;
    /// Its planner.
    type Planner: Planner<Snapshot = ContractSnapshot>;

    /// A planner for what files say.
    ///
    /// # Errors
    /// When the resource is another API's.
    fn planner(side: &Side<'_>) -> Result<Self::Planner, Refusal>;

    /// What is billed when that is carried out, as the contract with this id.
    ///
    /// # Errors
    /// Why the terms cannot be planned.
    fn of(side: &Side<'_>, id: &str) -> Result<Self, Refusal>;

    /// What a read would tell while `side` is planned.
    fn told(&self, need: &<Self::Planner as Planner>::Need, side: &Side<'_>) -> Option<Value>;

    /// The state of a contract that reads do not show.
    fn unseen_state(&self) -> Option<String>;
}

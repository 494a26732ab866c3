//! The user's choices that bear on what is done.

use crate::api::{
    APPROVED_PLAN, BillingContract,
    contract::{Adopt, DriftPolicy, ManagementPolicy},
};

/// The user's choices that bear on planning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether changes are carried out.
    pub management: ManagementPolicy,
    /// What happens on drift.
    pub drift: DriftPolicy,
    /// Places whose differences do not count.
    pub ignore: Vec<String>,
    /// A contract to take over.
    pub adopt: Option<Adopt>,
    /// Digest of the plan that somebody approved.
    pub approved: Option<String>,
}

impl Policy {
    /// The choices that a resource's spec and annotations express.
    #[must_use]
    pub fn of(contract: &BillingContract) -> Self {
        let spec = &contract.spec;
        Self {
            management: spec.management_policy,
            drift: spec.drift_policy,
            ignore: spec.ignore_drift.clone(),
            adopt: spec.adopt.clone(),
            approved: contract.metadata.annotations.as_ref().and_then(|all| all.get(APPROVED_PLAN)).cloned(),
        }
    }
}

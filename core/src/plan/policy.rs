//! The user's choices that bear on what is done.

use super::Sayings;
use crate::api::{
    APPROVED_PLAN, BillingContract,
    contract::{Adopt, DriftPolicy, ManagementPolicy},
    provider::{BillingProviderSpec, Guardrails},
};

/// What a billing account demands of every plan in it, whatever a contract's own policy is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// Whether every plan waits for the approval of somebody who may not write contracts.
    pub by_other: bool,
    /// Bounds beyond which a plan waits.
    pub guardrails: Guardrails,
}

impl Demands {
    /// What a provider's spec demands.
    #[must_use]
    pub fn of(provider: &BillingProviderSpec) -> Self {
        Self { by_other: provider.require_approval_by_other, guardrails: provider.guardrails.clone() }
    }
}

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
    /// Digest of the plan that the annotation approves.
    pub approved: Option<String>,
    /// What people say of plans.
    pub sayings: Sayings,
    /// What the account demands.
    pub demands: Demands,
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
            sayings: Sayings::default(),
            demands: Demands::default(),
        }
    }

    /// The same under what the account demands, with what people say of plans.
    #[must_use]
    pub fn under(self, demands: Demands, sayings: Sayings) -> Self {
        Self { sayings, demands, ..self }
    }

    /// The same where somebody has approved all that is planned.
    #[must_use]
    pub fn approved(&self) -> Self {
        Self { management: ManagementPolicy::Apply, demands: Demands::default(), ..self.clone() }
    }
}

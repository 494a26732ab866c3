//! A contract as people write it: with a package, everything but the customer and the start may be left out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BillingCadence, CommitmentScope, Contract, ContractStatus, Item, Period, Provider, RolloverPolicy,
};
use crate::terms::Timestamp;

/// Fields that a contract must have in the end, from itself or from its package.
pub const REQUIRED: [&str; 10] = [
    "name",
    "status",
    "provider",
    "billingCadence",
    "commitmentScope",
    "rolloverPolicy",
    "currency",
    "termEndAt",
    "items",
    "periods",
];

/// A Zoo billing contract of one organization. What is left out comes from the package; without one, every field is
/// required that Zoo requires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(self.termEndAt) || timestamp(self.effectiveAt) < timestamp(self.termEndAt)",
     "message": "`effectiveAt` must be before `termEndAt`", "fieldPath": ".termEndAt"},
    {"rule": "self.organizationId == oldSelf.organizationId",
     "message": "`organizationId` must not change: a contract stays with its customer; write a new BillingContract for the other one",
     "fieldPath": ".organizationId"}]))]
pub struct PartialContract {
    /// The customer: ID of the organization (a UUID) whose contract this is. An organization has one contract.
    #[schemars(
        length(max = 36),
        regex(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
    )]
    pub organization_id: String,
    /// When the contract starts to apply (inclusive).
    pub effective_at: Timestamp,
    /// When the term ends (exclusive).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_end_at: Option<Timestamp>,
    /// Commitment periods of the term, contiguous and in order. They take the place of all periods of the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 240), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["periodIndex"]))]
    pub periods: Option<Vec<Period>>,
    /// The billing provider's own reference of the customer (with Stripe, `cus_…`). Never set, it is the API's to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub external_customer_id: Option<String>,
    /// What a package can say as well.
    #[serde(flatten)]
    pub terms: SharedTerms,
}

/// Terms that neither name a customer nor depend on the start: a contract and a package both may have them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SharedTerms {
    /// Human-readable label of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub name: Option<String>,
    /// Lifecycle state the contract should have. Zoo's API shows only `active` contracts and the latest `draft`, so
    /// drift of the other states cannot be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ContractStatus>,
    /// Who collects the money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// How often the contract is billed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_cadence: Option<BillingCadence>,
    /// Whether commitments are shared by all items or kept for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment_scope: Option<CommitmentScope>,
    /// What becomes of unused commitment at the end of a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover_policy: Option<RolloverPolicy>,
    /// Currency of every amount in the contract: a three-letter ISO 4217 code such as `USD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Z]{3}$"), length(max = 3))]
    pub currency: Option<String>,
    /// What is sold, one entry an item code. A contract's own items take the place of all items of its package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["code"]))]
    pub items: Option<Vec<Item>>,
    /// Note of the finance team on discounts. Never set, it is the API's to keep; taken out again, it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub discount_description: Option<String>,
    /// Internal notes. Never set, they are the API's to keep; taken out again, they are cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub notes: Option<String>,
}

impl SharedTerms {
    /// These terms; where they say nothing, the other's.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            name: self.name.or(other.name),
            status: self.status.or(other.status),
            provider: self.provider.or(other.provider),
            billing_cadence: self.billing_cadence.or(other.billing_cadence),
            commitment_scope: self.commitment_scope.or(other.commitment_scope),
            rollover_policy: self.rollover_policy.or(other.rollover_policy),
            currency: self.currency.or(other.currency),
            items: self.items.or(other.items),
            discount_description: self.discount_description.or(other.discount_description),
            notes: self.notes.or(other.notes),
        }
    }
}

impl From<Contract> for PartialContract {
    fn from(contract: Contract) -> Self {
        Self {
            organization_id: contract.organization_id,
            effective_at: contract.effective_at,
            term_end_at: Some(contract.term_end_at),
            periods: Some(contract.periods),
            external_customer_id: contract.external_customer_id,
            terms: SharedTerms {
                name: Some(contract.name),
                status: Some(contract.status),
                provider: Some(contract.provider),
                billing_cadence: Some(contract.billing_cadence),
                commitment_scope: Some(contract.commitment_scope),
                rollover_policy: Some(contract.rollover_policy),
                currency: Some(contract.currency),
                items: Some(contract.items),
                discount_description: contract.discount_description,
                notes: contract.notes,
            },
        }
    }
}

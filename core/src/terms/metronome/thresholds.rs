//! Thresholds: charges that the API makes by itself when spend or a balance reaches an amount, and the counters of spend.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Id, Name, Text, commits::Balance, payment::PaymentGate};
use crate::terms::{
    Decimal,
    api_enum::api_enums,
    calendar::RelativeTime,
    decimal::{fraction, non_negative},
};

/// What both kinds of threshold say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdTerms {
    /// Whether the threshold is watched. Turning it on has it looked at immediately. The API turns it off by
    /// itself after a payment that failed.
    pub is_enabled: bool,
    /// Payment that the balance waits for.
    pub payment_gate_config: PaymentGate,
    /// Amount at which a charge is made, in the unit of its credit type (USD: cents).
    #[schemars(schema_with = "non_negative")]
    pub threshold_amount: Decimal,
    /// Discount on the charges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount_configuration: Option<ThresholdDiscount>,
}

/// Charges the customer each time that spend reaches an amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpendThreshold {
    /// Amount, payment and discount.
    #[serde(flatten)]
    pub terms: ThresholdTerms,
    /// The commit that a charge makes.
    pub commit: SpendThresholdCommit,
}

/// Recharges a prepaid balance each time that it falls to an amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrepaidBalanceThreshold {
    /// Amount, payment and discount.
    #[serde(flatten)]
    pub terms: ThresholdTerms,
    /// The commit that a charge makes.
    pub commit: PrepaidThresholdCommit,
    /// Balance that a charge fills up to, in the unit of its credit type (USD: cents).
    #[schemars(schema_with = "non_negative")]
    pub recharge_to_amount: Decimal,
    /// ID of a custom pricing unit that the amounts are in, instead of the fiat currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_credit_type_id: Option<Id>,
    /// Balances that are left out of account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub threshold_balance_specifiers: Vec<ThresholdBalanceSpecifier>,
}

/// The commit that a spend threshold makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpendThresholdCommit {
    /// ID of the commit product on the invoice.
    pub product_id: Id,
    /// Note for people who work with Metronome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Name on the invoice; the product's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// Order in which balances are drawn down, the lowest first; the API's default is 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Decimal>,
}

/// The commit that a prepaid balance threshold makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrepaidThresholdCommit {
    /// Product, texts, and the usage that draws the balance down.
    #[serde(flatten)]
    pub balance: Balance,
    /// Order in which balances are drawn down, the lowest first; the API's default is 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Decimal>,
    /// How long the commit may be used, from the end of the invoice's period; one year when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<RelativeTime>,
    /// Share of the unused balance that a renewal carries over, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "fraction")]
    pub rollover_fraction: Option<Decimal>,
}

/// Discount on the charges of a threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdDiscount {
    /// Share that the customer pays, from 0 to 1: `0.85` is 15 % off.
    #[schemars(schema_with = "fraction")]
    pub payment_fraction: Decimal,
    /// Spend after which the discount ends, in each billing period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<DiscountCap>,
}

/// Spend after which a discount ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscountCap {
    /// Spend in the unit of the tracker's credit type (USD: cents).
    #[schemars(schema_with = "non_negative")]
    pub amount: Decimal,
    /// Alias of the spend tracker that counts it.
    pub spend_tracker_alias: Name,
}

/// Balances that a threshold leaves out of account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThresholdBalanceSpecifier {
    /// Descriptions of balances; one that meets any of them is left out.
    #[schemars(length(min = 1, max = 100))]
    pub exclude: Vec<BalanceExclusion>,
}

/// Balances with certain custom fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BalanceExclusion {
    /// Custom fields that the balance has, all of them.
    #[schemars(length(min = 1, max = 100))]
    pub custom_field_filters: Vec<CustomFieldFilter>,
}

/// A custom field that a balance has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomFieldFilter {
    /// Kind of balance: `Commit`, `ContractCredit` or either (`ContractCreditOrCommit`).
    pub entity: FilterEntity,
    /// Key of the field.
    pub key: Name,
    /// Its value.
    pub value: Text,
}

/// Counts spend in each billing period. The API cannot change a tracker, so a changed one is removed and
/// added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpendTracker {
    /// Name of the tracker, unique in the contract.
    pub alias: Name,
    /// Which spend counts.
    #[schemars(length(min = 1, max = 100))]
    pub applicable_spend_specifiers: Vec<SpendSpecifier>,
    /// ID of the pricing unit it counts in. USD counts cents, other fiat units whole units.
    pub credit_type_id: Id,
    /// When it starts from 0 again: every `BILLING_PERIOD`.
    pub reset_frequency: ResetFrequency,
}

/// Spend that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpendSpecifier {
    /// What the purchase came from: `THRESHOLD_RECHARGE`, or a commit that somebody added (`MANUAL`).
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub sources: Vec<SpendSource>,
    /// Kind of spend: `COMMIT_PURCHASE`.
    pub spend_type: SpendType,
    /// Whether spend at a discount counts: `ANY` spend (the default), `DISCOUNTED_ONLY` or
    /// `UNDISCOUNTED_ONLY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discounted: Option<SpendDiscount>,
}

api_enums! { "SCREAMING_SNAKE_CASE"
    /// When a spend tracker starts from 0 again.
    ResetFrequency {
        /// With each billing period.
        BillingPeriod,
    }

    /// What a purchase came from.
    SpendSource {
        /// A threshold.
        ThresholdRecharge,
        /// Somebody who added a commit.
        Manual,
    }

    /// Kinds of spend.
    SpendType {
        /// Purchases of commits.
        CommitPurchase,
    }

    /// Whether spend at a discount counts.
    SpendDiscount {
        /// With or without.
        Any,
        /// Only at a discount.
        DiscountedOnly,
        /// Only without.
        UndiscountedOnly,
    }
}

api_enums! { "PascalCase"
    /// Kinds of balance that custom fields are looked for on.
    FilterEntity {
        /// Commits.
        Commit,
        /// Credits of contracts.
        ContractCredit,
        /// Both.
        ContractCreditOrCommit,
    }
}

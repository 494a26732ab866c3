//! The terms of a Zoo billing contract: the request of `PUT /orgs/{id}/billing/contract`, field by field.
//!
//! Source: `BillingContractUpsert` and its parts in Zoo's OpenAPI description. A [`PartialContract`] and a [`Package`] are
//! what people write; [`expand()`] makes the [`Contract`] from them, which is what Zoo gets.

pub mod expand;
pub mod package;
pub mod partial;

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use expand::{Gap, expand};
pub use package::Package;
pub use partial::{PartialContract, SharedTerms};

use super::{Decimal, Shape, Timestamp, api_enum::api_enums, decimal::non_negative};

/// Shape of a contract's terms, without the organization, which travels in the path.
pub static SHAPE: LazyLock<Shape> =
    LazyLock::new(|| Shape::of::<PartialContract>().without("organizationId"));

/// A Zoo billing contract of one organization, complete. What each field means stands at [`PartialContract`], which is
/// what people write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// The customer.
    pub organization_id: String,
    /// Label.
    pub name: String,
    /// Lifecycle state that the contract should have.
    pub status: ContractStatus,
    /// Who collects the money.
    pub provider: Provider,
    /// How often it is billed.
    pub billing_cadence: BillingCadence,
    /// Whether commitments are shared by all items.
    pub commitment_scope: CommitmentScope,
    /// What becomes of unused commitment.
    pub rollover_policy: RolloverPolicy,
    /// Currency of every amount.
    pub currency: String,
    /// Start (inclusive).
    pub effective_at: Timestamp,
    /// End of the term (exclusive).
    pub term_end_at: Timestamp,
    /// What is sold.
    pub items: Vec<Item>,
    /// Commitment periods.
    pub periods: Vec<Period>,
    /// Note on discounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount_description: Option<String>,
    /// The billing provider's reference of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_customer_id: Option<String>,
    /// Internal notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// One item that the contract sells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Canonical code, by which metering finds the price; used once a contract.
    pub code: ItemCode,
    /// Name on invoices.
    #[schemars(length(min = 1, max = 512))]
    pub display_name: String,
    /// How the item is charged: `fixed_fee` takes `fixedFeeAmount`, the usage kinds take `rateTiers`.
    pub kind: ItemKind,
    /// What is counted.
    pub unit: Unit,
    /// Whether the item is charged.
    #[serde(default = "enabled")]
    pub active: bool,
    /// Whether charges of this item draw down the commitment.
    #[serde(default)]
    pub is_commitment_eligible: bool,
    /// Prices by quantity: the first tier starts at 0, each starts where the one before ends, the last is open-ended.
    #[serde(default)]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["tierStartInclusive"]))]
    pub rate_tiers: Vec<RateTier>,
    /// Granularity that usage is rounded to, for the units `minute` and `second`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_unit_granularity: Option<UnitGranularity>,
    /// Amount of a `fixed_fee` item, in the contract's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub fixed_fee_amount: Option<Decimal>,
}

/// Price of one range of quantities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateTier {
    /// First quantity that the tier covers.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub tier_start_inclusive: i64,
    /// First quantity that it no longer covers; left out in the last tier, which is open-ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_i64))]
    pub tier_end_exclusive: Option<i64>,
    /// Price of one unit, in the contract's currency.
    #[schemars(schema_with = "non_negative")]
    pub unit_price: Decimal,
}

/// One commitment period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Period {
    /// Position in the term; the first period is 0.
    #[schemars(range(min = 0, max = 100_000))]
    pub period_index: i32,
    /// Start (inclusive).
    pub period_start_at: Timestamp,
    /// End (exclusive).
    pub period_end_at: Timestamp,
    /// Amount that the customer commits to, in the contract's currency.
    #[schemars(schema_with = "non_negative")]
    pub commitment_amount: Decimal,
    /// Amount carried in from the period before. Never set, it is the API's to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub rollover_in_amount: Option<Decimal>,
    /// Amount carried out to the next period. Never set, it is the API's to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub rollover_out_amount: Option<Decimal>,
    /// Whether the period is open or closed (finalized). Never set, it is the API's to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<PeriodStatus>,
}

fn enabled() -> bool {
    true
}

api_enums! { "snake_case"
    /// Lifecycle state of a contract (`BillingContractStatus`).
    ContractStatus {
        /// Being prepared; not billed.
        Draft,
        /// Agreed, in force from its start.
        Scheduled,
        /// In force.
        Active,
        /// Ended at its term.
        Closed,
        /// Ended before its term.
        Canceled,
    }

    /// Who collects the money (`BillingProvider`).
    Provider {
        /// Stripe.
        Stripe,
        /// Invoices written by hand.
        ManualInvoice,
    }

    /// How often a contract is billed (`BillingCadence`).
    BillingCadence {
        /// Once a year.
        Annual,
        /// Four times a year.
        Quarterly,
        /// Every month.
        Monthly,
        /// When somebody says so.
        Manual,
    }

    /// Whether commitments are shared (`BillingCommitmentScope`).
    CommitmentScope {
        /// Shared by all items.
        Pooled,
        /// Kept for each item.
        PerItem,
    }

    /// What becomes of unused commitment (`BillingRolloverPolicy`).
    RolloverPolicy {
        /// It lapses.
        None,
        /// The first year's rest is carried into the second, once.
        @"year1_to_year2_once"
        Year1ToYear2Once,
    }

    /// What is sold (`BillingItemCode`).
    ItemCode {
        /// Enterprise support.
        EnterpriseSupport,
        /// Forward-deployed engineering.
        Fde,
        /// Management of a government cloud.
        GovcloudManagement,
        /// File ingestion and conversion.
        FileIngestionConversion,
        /// Licensed API credits.
        LicensedApiCredits,
    }

    /// How an item is charged (`BillingItemKind`).
    ItemKind {
        /// A fixed amount.
        FixedFee,
        /// By use, priced in tiers.
        UsageTiered,
        /// By use, drawn from a committed bucket.
        UsageCommitmentBucket,
    }

    /// What is counted (`BillingUnit`).
    Unit {
        /// Files.
        File,
        /// Minutes.
        Minute,
        /// Seconds.
        Second,
        /// Years.
        Year,
        /// Periods.
        Period,
    }

    /// What usage is rounded to (`BillingUnitGranularity`).
    UnitGranularity {
        /// Whole minutes.
        Minute,
        /// Whole seconds.
        Second,
    }

    /// State of a period (`BillingPeriodStatus`).
    PeriodStatus {
        /// Still billed.
        Open,
        /// Finalized and read-only.
        Closed,
    }
}

impl ContractStatus {
    /// Whether `GET` can show a contract in this state (it "returns the active contract, or the latest draft").
    #[must_use]
    pub fn is_visible(self) -> bool {
        matches!(self, Self::Active | Self::Draft)
    }
}

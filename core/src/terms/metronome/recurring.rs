//! Recurring commits and credits: templates from which the API makes a balance every period.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Id,
    commits::{Balance, BalanceHierarchy},
    schedules::AccessType,
};
use crate::terms::{
    Decimal, Timestamp,
    api_enum::api_enums,
    decimal::{fraction, integer, non_negative, whole},
    text::ItemKey,
};

/// What every recurring commit and credit says, of a contract or a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecurringGrant {
    /// Product, texts, and the usage that draws the balance down.
    #[serde(flatten)]
    pub balance: Balance,
    /// How much each balance holds.
    pub access_amount: AccessAmount,
    /// How long each balance may be used.
    pub commit_duration: CommitDuration,
    /// Order in which balances are drawn down, the lowest first.
    pub priority: Decimal,
    /// Which of the partial periods at both ends hold a part of the amount: `NONE`, `FIRST`, `LAST`, or both
    /// (`FIRST_AND_LAST`, the default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proration: Option<Proration>,
    /// How often a balance is made, counted from the start; the interval and dates of usage invoices when
    /// left out. A contract may have one `DAILY` template, and not for subscriptions with seats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence_frequency: Option<RecurrenceFrequency>,
    /// Share of an unused balance that a renewal carries over, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "fraction")]
    pub rollover_fraction: Option<Decimal>,
    /// Subscription whose quantity multiplies the amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription_config: Option<SubscriptionConfig>,
    /// Name by which the rest of the same request can refer to the template; the API does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_id: Option<Id>,
}

/// A template of commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecurringCommit {
    /// Your stable name of this template, unique among the recurring commits of the contract. It never
    /// reaches the billing API: the template is changed in place as long as its key stays. The API cannot
    /// remove a template; end it with `endingBefore`.
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub key: ItemKey,
    /// Whether it may begin in the past although the contract has or had one like it: what was billed for that time is
    /// then billed again. Without it, such an item is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub backdate: bool,
    /// Size, interval and product of the balances.
    #[serde(flatten)]
    pub grant: RecurringGrant,
    /// Start of the first commit; a full hour.
    pub starting_at: Timestamp,
    /// Moment from which no more commits are made; a full hour. The contract's end when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<Timestamp>,
    /// Which contracts of child customers may use the balances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hierarchy_configuration: Option<BalanceHierarchy>,
    /// What the customer is invoiced for each commit; nothing when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_amount: Option<InvoiceAmount>,
    /// NetSuite sales order. Only for accounts that have the field enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netsuite_sales_order_id: Option<Id>,
    /// How prorated amounts are rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proration_rounding: Option<CommitProrationRounding>,
}

/// A template of credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecurringCredit {
    /// Your stable name of this template, unique among the recurring credits of the contract. It never
    /// reaches the billing API: the template is changed in place as long as its key stays. The API cannot
    /// remove a template; end it with `endingBefore`.
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub key: ItemKey,
    /// Whether it may begin in the past although the contract has or had one like it: what was billed for that time is
    /// then billed again. Without it, such an item is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub backdate: bool,
    /// Size, interval and product of the balances.
    #[serde(flatten)]
    pub grant: RecurringGrant,
    /// Start of the first credit; a full hour.
    pub starting_at: Timestamp,
    /// Moment from which no more credits are made; a full hour. The contract's end when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<Timestamp>,
    /// Which contracts of child customers may use the balances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hierarchy_configuration: Option<BalanceHierarchy>,
    /// NetSuite sales order. Only for accounts that have the field enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netsuite_sales_order_id: Option<Id>,
    /// How prorated amounts are rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proration_rounding: Option<CreditProrationRounding>,
}

/// Size of a balance: `unitPrice` times `quantity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessAmount {
    /// Price of one unit in the unit of the credit type (USD: cents).
    #[schemars(schema_with = "non_negative")]
    pub unit_price: Decimal,
    /// Whether use draws down its price (`SPEND`, the default) or its number of units (`QUANTITY`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_type: Option<AccessType>,
    /// ID of the pricing unit of the price; USD in cents when left out. Other fiat units count whole units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_type_id: Option<Id>,
    /// Number of units. Required unless `subscriptionConfig` gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub quantity: Option<Decimal>,
}

/// What is invoiced for a balance: `unitPrice` times `quantity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvoiceAmount {
    /// ID of the pricing unit of the price. USD counts cents, other fiat units whole units.
    pub credit_type_id: Id,
    /// Number of units.
    #[schemars(schema_with = "non_negative")]
    pub quantity: Decimal,
    /// Price of one unit in the unit of the credit type (USD: cents).
    #[schemars(schema_with = "non_negative")]
    pub unit_price: Decimal,
}

/// How long a balance may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitDuration {
    /// How many of them; at least 1.
    #[schemars(schema_with = "whole")]
    pub value: Decimal,
    /// `PERIODS` of `recurrenceFrequency`, the only unit and the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<DurationUnit>,
}

/// How the prorated amounts of a commit are rounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitProrationRounding {
    /// Rounding of the amount that may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Rounding>,
    /// Rounding of the amount that is invoiced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<Rounding>,
}

/// How the prorated amount of a credit is rounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreditProrationRounding {
    /// Rounding of the amount that may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Rounding>,
}

/// How an amount is rounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rounding {
    /// Decimal places in the unit as stored: with USD in cents, `0` rounds to the cent and `-2` to the
    /// dollar.
    #[schemars(schema_with = "integer")]
    pub decimal_places: Decimal,
    /// `HALF_UP`, `FLOOR` or `CEILING`.
    pub rounding_method: RoundingMethod,
}

/// Ties a template to a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionConfig {
    /// What becomes of a balance when seats are added during its period.
    pub apply_seat_increase_config: SeatIncrease,
    /// ID of the subscription, or the `temporaryId` of one in the same contract.
    pub subscription_id: Id,
    /// Whether all seats share one balance (`POOLED`) or each has its own (`INDIVIDUAL`, which needs a
    /// subscription with `SEAT_BASED` quantity).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<Allocation>,
}

/// What becomes of a balance when seats are added during its period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatIncrease {
    /// Whether a seat added during a period adds only the part of the amount for the rest of it.
    pub is_prorated: bool,
}

api_enums! { "SCREAMING_SNAKE_CASE"
    /// Which partial periods hold a part of the amount.
    Proration {
        /// None: a partial period holds the whole amount.
        None,
        /// The first.
        First,
        /// The last.
        Last,
        /// Both.
        FirstAndLast,
    }

    /// How often a balance is made.
    RecurrenceFrequency {
        /// Every month.
        Monthly,
        /// Four times a year.
        Quarterly,
        /// Once a year.
        Annual,
        /// Every week.
        Weekly,
        /// Every day.
        Daily,
    }

    /// Unit of the time that a balance may be used.
    DurationUnit {
        /// Periods of the recurrence.
        Periods,
    }

    /// Direction of rounding.
    RoundingMethod {
        /// To the nearest, halves up.
        HalfUp,
        /// Down.
        Floor,
        /// Up.
        Ceiling,
    }

    /// Whose the balance of a subscription with seats is.
    Allocation {
        /// Each seat's own.
        Individual,
        /// All seats' together.
        Pooled,
    }
}

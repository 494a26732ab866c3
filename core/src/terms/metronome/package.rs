//! Packages: reusable terms, all of whose times are relative to the start of the contract that is made from them.
//!
//! A package cannot be changed once it is created, so its items need no keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    BillingFrequency, ChargesOnUsageInvoices, CustomFields, Id, MultiplierPrioritization, Name, Text,
    billing::{BillingProvider, DeliveryMethod, StatementDay},
    commits::{Balance, CommitType},
    free_form,
    overrides::OverrideTerms,
    recurring::{CommitProrationRounding, CreditProrationRounding, InvoiceAmount, RecurringGrant},
    schedules::{AccessSchedule, RelativeScheduleItem, RelativeSegment},
    selectors::OverrideSpecifier,
    subscriptions::{InvoicePlacement, SubscriptionTerms},
    thresholds::{PrepaidBalanceThreshold, SpendThreshold, SpendTracker},
};
use crate::terms::{
    Decimal, Timestamp,
    calendar::RelativeTime,
    decimal::{fraction, whole},
    text::TextMap,
};

/// Reusable terms of Metronome contracts. Amounts in USD are in cents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(self.rateCardId) || !has(self.rateCardAlias)",
     "message": "at most one of `rateCardId` and `rateCardAlias` may be set", "fieldPath": ".rateCardAlias"}]))]
pub struct Package {
    /// Name of the package.
    pub name: Name,
    /// Names by which contracts can ask for the package instead of its ID. Giving an alias to a package takes
    /// it from the one that had it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub aliases: Vec<Alias>,
    /// Name of the contracts that are made from the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_name: Option<Text>,
    /// How long the contracts last; open-ended when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<RelativeTime>,
    /// ID of the rate card whose prices apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_card_id: Option<Id>,
    /// Alias of the rate card whose prices apply, looked up as of the contract's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_card_alias: Option<Name>,
    /// Amounts that the customer commits to spend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub commits: Vec<PackageCommit>,
    /// Balances that the customer is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub credits: Vec<PackageCredit>,
    /// Templates of commits, one made every period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub recurring_commits: Vec<PackageRecurringCommit>,
    /// Templates of credits, one made every period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub recurring_credits: Vec<PackageRecurringCredit>,
    /// Fixed charges, once or several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub scheduled_charges: Vec<PackageScheduledCharge>,
    /// Fixed fees for each period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub subscriptions: Vec<PackageSubscription>,
    /// Prices and entitlements that differ from the rate card.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub overrides: Vec<PackageOverride>,
    /// Which of several multipliers applies: `LOWEST_MULTIPLIER` (the default), or in the order of their
    /// `priority` (`EXPLICIT`; needed for tiered overrides).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiplier_override_prioritization: Option<MultiplierPrioritization>,
    /// Counters of spend, by their alias.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["alias"]))]
    pub spend_trackers: Vec<SpendTracker>,
    /// Charge whenever spend reaches an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_threshold_configuration: Option<SpendThreshold>,
    /// Recharge whenever the prepaid balance falls to an amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepaid_balance_threshold_configuration: Option<PrepaidBalanceThreshold>,
    /// When usage is invoiced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_statement_schedule: Option<PackageUsageStatementSchedule>,
    /// `ALL` puts charges that are due when a usage invoice ends on that invoice; they have their own when
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_charges_on_usage_invoices: Option<ChargesOnUsageInvoices>,
    /// Days until an invoice is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "whole")]
    pub net_payment_terms_days: Option<Decimal>,
    /// Who collects the money. A customer needs exactly one billing configuration with this provider and
    /// `deliveryMethod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_provider: Option<BillingProvider>,
    /// How invoices reach the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_method: Option<DeliveryMethod>,
    /// Key that keeps the API from creating the package twice; the API never frees it. Made from namespace
    /// and name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uniqueness_key: Option<Id>,
    /// Further members of the request, in the API's own spelling, for fields that have no place above, such
    /// as `billing_anchor_date: contract_start_date`. They are sent as they are and neither checked nor
    /// compared; a field that has its place above must be written there.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "free_form", extend("x-countersign-place" = "merged"))]
    pub extra_fields: Map<String, Value>,
}

/// A name by which contracts can ask for a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alias {
    /// The alias, unique in the account.
    pub name: Name,
    /// Until when it means this package; a full hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<Timestamp>,
    /// From when on it means this package; a full hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_at: Option<Timestamp>,
}

/// An amount that the customer commits to spend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageCommit {
    /// Product, texts, and the usage that draws the balance down.
    #[serde(flatten)]
    pub balance: Balance,
    /// When how much may be used. A `POSTPAID` commit has exactly one item.
    pub access_schedule: AccessSchedule<RelativeSegment>,
    /// `PREPAID` is paid for by the invoice schedule; of `POSTPAID`, what is not spent is invoiced at the end
    /// (true-up).
    pub r#type: CommitType,
    /// Your own fields by their keys, which must be registered in Metronome first; values have at most 200
    /// characters.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub custom_fields: CustomFields,
    /// When the customer is invoiced. Required for `POSTPAID`, with exactly one item; a `PREPAID` commit
    /// without it is free of charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_schedule: Option<PackageInvoiceSchedule>,
    /// Order in which balances are drawn down, the lowest first; the API's default is 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Decimal>,
    /// Share of the unused balance that a renewal carries over, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "fraction")]
    pub rollover_fraction: Option<Decimal>,
    /// Name by which the rest of the package can refer to the commit (`overrideSpecifiers`); the API does not
    /// keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_id: Option<Id>,
}

/// A balance that the customer is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageCredit {
    /// Product, texts, and the usage that draws the balance down.
    #[serde(flatten)]
    pub balance: Balance,
    /// When how much may be used.
    pub access_schedule: AccessSchedule<RelativeSegment>,
    /// Your own fields by their keys, which must be registered in Metronome first; values have at most 200
    /// characters.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub custom_fields: CustomFields,
    /// Order in which balances are drawn down, the lowest first; the API's default is 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Decimal>,
}

/// When which amounts are invoiced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageInvoiceSchedule {
    /// Items and pricing unit.
    #[serde(flatten)]
    pub schedule: PackageChargeSchedule,
    /// Makes no invoice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub do_not_invoice: Option<bool>,
}

/// When which amounts are charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageChargeSchedule {
    /// Items, relative to the contract's start.
    #[schemars(length(min = 1, max = 500))]
    pub schedule_items: Vec<RelativeScheduleItem>,
    /// ID of the pricing unit of the prices; USD in cents when left out. Other fiat units count whole units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_type_id: Option<Id>,
}

/// A fixed charge, once or several times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageScheduledCharge {
    /// ID of the product that is charged.
    pub product_id: Id,
    /// When how much is charged.
    pub schedule: PackageChargeSchedule,
    /// Your own fields by their keys, which must be registered in Metronome first; values have at most 200
    /// characters.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub custom_fields: CustomFields,
    /// Name on invoices; the product's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
}

/// A template of commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageRecurringCommit {
    /// Size, interval and product of the balances.
    #[serde(flatten)]
    pub grant: RecurringGrant,
    /// How long after the contract's start the first commit starts.
    pub starting_at_offset: RelativeTime,
    /// For how long commits are made; until the contract's end when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<RelativeTime>,
    /// What the customer is invoiced for each commit; nothing when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_amount: Option<InvoiceAmount>,
    /// How prorated amounts are rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proration_rounding: Option<CommitProrationRounding>,
}

/// A template of credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageRecurringCredit {
    /// Size, interval and product of the balances.
    #[serde(flatten)]
    pub grant: RecurringGrant,
    /// How long after the contract's start the first credit starts.
    pub starting_at_offset: RelativeTime,
    /// For how long credits are made; until the contract's end when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<RelativeTime>,
    /// How prorated amounts are rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proration_rounding: Option<CreditProrationRounding>,
}

/// A fixed fee for each period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageSubscription {
    /// What is charged.
    #[serde(flatten)]
    pub terms: SubscriptionTerms,
    /// On which invoice periods go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_cycle_config: Option<PackageBillingCycle>,
    /// For how long it is charged; until the contract's end when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<RelativeTime>,
    /// Seats. Required with `SEAT_BASED`, and only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat_config: Option<PackageSeatConfig>,
    /// How long after the contract's start the first period starts; at its start when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_at_offset: Option<RelativeTime>,
}

/// On which invoice periods go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageBillingCycle {
    /// Whether the fee stands on the usage invoice (`ON_USAGE_INVOICE`, the default) or on one of its own
    /// (`ON_SCHEDULED_INVOICE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_placement: Option<InvoicePlacement>,
}

/// Seats of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageSeatConfig {
    /// Property of usage events that holds the seat's ID. It must be a group key of the metrics and products.
    pub seat_group_key: Name,
    /// Number of seats at the start that nobody has taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "whole")]
    pub initial_unassigned_seats: Option<Decimal>,
}

/// A price or an entitlement that differs from the rate card for some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageOverride {
    /// What changes.
    #[serde(flatten)]
    pub terms: OverrideTerms,
    /// What it applies to.
    #[schemars(length(min = 1, max = 100))]
    pub override_specifiers: Vec<OverrideSpecifier>,
    /// How long after the contract's start it applies.
    pub starting_at_offset: RelativeTime,
    /// For how long it applies; until the contract's end when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<RelativeTime>,
}

/// When usage is invoiced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageUsageStatementSchedule {
    /// How often: `MONTHLY`, `QUARTERLY`, `ANNUAL` or `WEEKLY`.
    pub frequency: BillingFrequency,
    /// When a period begins: `FIRST_OF_MONTH` (the default), on the day of `CONTRACT_START`, or
    /// `CUSTOM_DATE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<StatementDay>,
    /// How long after the contract's start usage invoices are made; from its start when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_generation_starting_at_offset: Option<RelativeTime>,
}

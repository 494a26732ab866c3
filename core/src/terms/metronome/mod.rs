//! The terms of a Metronome contract and of a package: the requests of `POST /v1/contracts/create` and
//! `POST /v1/packages/create`, field by field, and the few members that only the custom resources have.
//!
//! Amounts are in the unit of their credit type, which for USD is the **cent** and for every other currency the whole
//! unit. Spec-only members (`key`, `customerAlias`, `fromContractRef`, `extraFields`) are marked in the schema, by which
//! [`Shape`] keeps them off the wire.

pub mod billing;
pub mod commits;
pub mod customer;
pub mod overrides;
pub mod package;
pub mod payment;
pub mod recurring;
pub mod schedules;
pub mod selectors;
pub mod subscriptions;
pub mod thresholds;

#[cfg(test)]
mod coverage;
#[cfg(test)]
mod crd;

use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use package::Package;

use self::{
    billing::{
        BillingProviderConfiguration, Hierarchy, ProfessionalService, ResellerRoyalty,
        RevenueSystemConfiguration, UsageFilter, UsageStatementSchedule,
    },
    commits::{Commit, Credit},
    customer::{CustomerCommit, CustomerCredit},
    overrides::Override,
    recurring::{RecurringCommit, RecurringCredit},
    schedules::{Charge, ScheduledCharge},
    subscriptions::Subscription,
    thresholds::{PrepaidBalanceThreshold, SpendThreshold, SpendTracker},
};
use super::{
    Decimal, Shape, Timestamp,
    api_enum::api_enums,
    decimal::{non_negative, whole},
    text::{self, TextMap},
};

/// An identifier, of the API's making or the user's.
pub type Id = text::Text<1, 128>;
/// A name that may not be empty.
pub type Name = text::Text<1, 1024>;
/// Text that people read.
pub type Text = text::Text<0, 1024>;
/// Name of a Kubernetes resource.
pub type ResourceName = text::Text<1, 253>;
/// Custom fields by their keys.
pub type CustomFields = TextMap<200>;
/// Values by their names.
pub type GroupValues = TextMap<1024>;

/// Shape of [`Contract`].
pub static CONTRACT: LazyLock<Shape> = LazyLock::new(Shape::of::<Contract>);
/// Shape of [`Package`].
pub static PACKAGE: LazyLock<Shape> = LazyLock::new(Shape::of::<Package>);

/// A Metronome contract of one customer. Amounts in USD are in cents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "has(self.customerId) != has(self.customerAlias)",
     "message": "exactly one of `customerId` and `customerAlias` must be set", "fieldPath": ".customerId"},
    {"rule": "!has(self.rateCardId) || !has(self.rateCardAlias)",
     "message": "at most one of `rateCardId` and `rateCardAlias` may be set", "fieldPath": ".rateCardAlias"},
    {"rule": "!has(self.packageId) || !has(self.packageAlias)",
     "message": "at most one of `packageId` and `packageAlias` may be set", "fieldPath": ".packageAlias"},
    {"rule": "!has(self.endingBefore) || timestamp(self.startingAt) < timestamp(self.endingBefore)",
     "message": "`endingBefore` must be after `startingAt`", "fieldPath": ".endingBefore"}]))]
pub struct Contract {
    /// ID of the customer. This or `customerAlias`; the API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<Id>,
    /// An ingest alias of the customer, by which its ID is looked up. This or `customerId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub customer_alias: Option<Id>,
    /// First moment of the contract; a full hour. The API cannot change it later.
    pub starting_at: Timestamp,
    /// Moment at which the contract ends; a full hour. Open-ended when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<Timestamp>,
    /// Name of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// ID of the rate card whose prices apply. The API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_card_id: Option<Id>,
    /// Alias of the rate card whose prices apply, looked up as of the start. The API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_card_alias: Option<Name>,
    /// ID of the package that the contract is made from. What else this contract says and the package does
    /// not is added after that. The API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_id: Option<Id>,
    /// Alias of the package that the contract is made from, looked up as of the start. The API cannot change
    /// it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_alias: Option<Name>,
    /// Amounts that the customer commits to spend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub commits: Vec<Commit>,
    /// Balances that the customer is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub credits: Vec<Credit>,
    /// Amounts that the customer commits to spend across its contracts. They are made beside the contract and outlast it;
    /// one that leaves the spec is ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub customer_commits: Vec<CustomerCommit>,
    /// Balances that the customer is given across its contracts. They are made beside the contract and outlast it; one
    /// that leaves the spec is ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub customer_credits: Vec<CustomerCredit>,
    /// Templates of commits, one made every period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub recurring_commits: Vec<RecurringCommit>,
    /// Templates of credits, one made every period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub recurring_credits: Vec<RecurringCredit>,
    /// Fixed charges, once or several times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub scheduled_charges: Vec<ScheduledCharge>,
    /// Fixed fees for each period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["key"]))]
    pub subscriptions: Vec<Subscription>,
    /// Prices and entitlements that differ from the rate card. The API cannot change one, only add and remove
    /// it, so they have no key and are matched by what they say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub overrides: Vec<Override>,
    /// Which of several multipliers applies: `LOWEST_MULTIPLIER` (the default), or in the order of their
    /// `priority` (`EXPLICIT`; needed for tiered overrides). The API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiplier_override_prioritization: Option<MultiplierPrioritization>,
    /// Counters of spend, by their alias.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["alias"]))]
    pub spend_trackers: Vec<SpendTracker>,
    /// Charge whenever spend reaches an amount. The API cannot remove it: one that leaves the spec is turned off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_threshold_configuration: Option<SpendThreshold>,
    /// Recharge whenever the prepaid balance falls to an amount. The API cannot remove it: one that leaves the
    /// spec is turned off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepaid_balance_threshold_configuration: Option<PrepaidBalanceThreshold>,
    /// When usage is invoiced. The API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_statement_schedule: Option<UsageStatementSchedule>,
    /// Which of the customer's usage belongs to this contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_filter: Option<UsageFilter>,
    /// `ALL` puts charges that are due when a usage invoice ends on that invoice; they have their own when
    /// left out. The API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_charges_on_usage_invoices: Option<ChargesOnUsageInvoices>,
    /// Days until an invoice is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "whole")]
    pub net_payment_terms_days: Option<Decimal>,
    /// Where invoices go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_provider_configuration: Option<BillingProviderConfiguration>,
    /// Where revenue records go. Only for accounts that have it enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revenue_system_configuration: Option<RevenueSystemConfiguration>,
    /// Place of the contract between parent and child customers. The API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hierarchy_configuration: Option<Hierarchy>,
    /// The contract that this one renews. The API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// Your own fields by their keys, which must be registered in Metronome first; values have at most 200
    /// characters.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub custom_fields: CustomFields,
    /// Fixed discounts. Only for accounts that have them enabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub discounts: Vec<Charge>,
    /// Work that is sold by the unit. Only for accounts that have it enabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub professional_services: Vec<ProfessionalService>,
    /// Shares of resellers. Only for accounts that have them enabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub reseller_royalties: Vec<ResellerRoyalty>,
    /// NetSuite sales order. Only for accounts that have the field enabled; the API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netsuite_sales_order_id: Option<Id>,
    /// Salesforce opportunity. Only for accounts that have the field enabled; the API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salesforce_opportunity_id: Option<Id>,
    /// Value of the contract, for information. Only for accounts that have the field enabled; the API cannot
    /// change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub total_contract_value: Option<Decimal>,
    /// Key that keeps the API from creating the contract twice; the API never frees it. Made from namespace
    /// and name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uniqueness_key: Option<Id>,
}

/// The contract that this one renews, by its ID or by the `BillingContract` that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "has(self.fromContractId) != has(self.fromContractRef)",
     "message": "exactly one of `fromContractId` and `fromContractRef` must be set", "fieldPath": ".fromContractId"}]))]
pub struct Transition {
    /// `RENEWAL`; `SUPERSEDE` only for accounts that have it enabled.
    pub r#type: TransitionType,
    /// ID of the contract that is renewed. This or `fromContractRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_contract_id: Option<Id>,
    /// `BillingContract` in the same namespace whose contract is renewed. This or `fromContractId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub from_contract_ref: Option<ContractRef>,
    /// What becomes of invoices that the renewed contract would still have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub future_invoice_behavior: Option<FutureInvoiceBehavior>,
}

/// Names a `BillingContract` in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContractRef {
    /// Name of the `BillingContract`.
    pub name: ResourceName,
}

/// What becomes of invoices that a renewed contract would still have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FutureInvoiceBehavior {
    /// Whether its true-up invoices stay (`AS_IS`, the default) or not (`REMOVE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trueup: Option<TrueupBehavior>,
}

api_enums! { "SCREAMING_SNAKE_CASE"
    /// Periods of subscriptions and usage invoices.
    BillingFrequency {
        /// Every month.
        Monthly,
        /// Four times a year.
        Quarterly,
        /// Once a year.
        Annual,
        /// Every week.
        Weekly,
    }

    /// Which of several multipliers applies.
    MultiplierPrioritization {
        /// The lowest.
        LowestMultiplier,
        /// The one with the lowest priority value.
        Explicit,
    }

    /// Which charges go on usage invoices.
    ChargesOnUsageInvoices {
        /// All that are due when the invoice ends.
        All,
    }

    /// How a contract follows another.
    TransitionType {
        /// It renews it.
        Renewal,
        /// It takes its place.
        Supersede,
    }

    /// What becomes of the true-up invoices of a renewed contract.
    TrueupBehavior {
        /// They are removed.
        Remove,
        /// They stay.
        AsIs,
    }
}

/// Schema of an object that the API takes as it is.
fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

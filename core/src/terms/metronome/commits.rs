//! Commits and credits: balances that a customer has paid for, promised to pay, or was given.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CustomFields, Id, Text,
    payment::{CommitStripeGate, PaymentGate},
    schedules::{AccessSchedule, Schedule, Segment},
    selectors::Specifier,
};
use crate::terms::{
    Decimal,
    api_enum::api_enums,
    decimal::{fraction, non_negative},
    text::{ItemKey, TextMap},
};

/// What every commit and credit says, once or recurring, of a contract or a package: its product, its texts,
/// and which usage draws it down. Usage is named by products and tags, or by `specifiers`; with none of them
/// it is all usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Balance {
    /// ID of the product that stands for the balance on invoices.
    pub product_id: Id,
    /// Name on invoices; the product's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// Note for people who work with Metronome; the end customer does not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Rates at which usage draws the balance down: `COMMIT_RATE`, or `LIST_RATE` of the rate card (the default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_type: Option<RateType>,
    /// IDs of products whose usage draws the balance down. Not together with `specifiers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub applicable_product_ids: Vec<Id>,
    /// Tags of products whose usage draws the balance down. Not together with `specifiers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub applicable_product_tags: Vec<Text>,
    /// Filters of usage; usage that meets at least one of them draws the balance down. Not together with
    /// `applicableProductIds` or `applicableProductTags`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub specifiers: Vec<Specifier>,
}

/// An amount that the customer commits to spend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// Your stable name of this commit, unique among the commits of the contract. It never reaches the
    /// billing API: the commit is changed in place as long as its key stays, and is another commit when the
    /// key changes.
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub key: ItemKey,
    /// Whether it may begin in the past although the contract has or had one like it: what was billed for that time is
    /// then billed again. Without it, such an item is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub backdate: bool,
    /// Product, texts, and the usage that draws the balance down.
    #[serde(flatten)]
    pub balance: Balance,
    /// `PREPAID` is paid for by the invoice schedule; of `POSTPAID`, what is not spent is invoiced at the end
    /// (true-up).
    pub r#type: CommitType,
    /// When how much may be used. The API wants it; a `POSTPAID` commit has exactly one item, whose amount is
    /// that of the invoice schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_schedule: Option<AccessSchedule<Segment>>,
    /// Deprecated by the API in favour of `accessSchedule` and `invoiceSchedule`: amount of the commit, in
    /// the unit of its credit type (USD: cents).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub amount: Option<Decimal>,
    /// Your own fields by their keys, which must be registered in Metronome first; values have at most 200
    /// characters.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub custom_fields: CustomFields,
    /// Which contracts of child customers may use the balance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hierarchy_configuration: Option<BalanceHierarchy>,
    /// When the customer is invoiced. Required for `POSTPAID`, with exactly one item, at whose time the
    /// true-up is invoiced; a `PREPAID` commit without it is free of charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_schedule: Option<Schedule>,
    /// NetSuite sales order. Only for accounts that have the field enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netsuite_sales_order_id: Option<Id>,
    /// Payment that the balance waits for. A new contract's commit with it is added after the create, which does not
    /// take it; no reply tells it, and the API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_gate_config: Option<PaymentGate<CommitStripeGate>>,
    /// Order in which balances are drawn down, the lowest first; the API's default is 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Decimal>,
    /// Share of the unused balance that a renewal carries over, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "fraction")]
    pub rollover_fraction: Option<Decimal>,
    /// How spend trackers count this commit. The API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_tracker_attributes: Option<SpendTrackerAttributes>,
    /// Name by which the rest of the same request can refer to the commit (`overrideSpecifiers`); the API
    /// does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_id: Option<Id>,
}

/// A balance that the customer is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credit {
    /// Your stable name of this credit, unique among the credits of the contract. It never reaches the
    /// billing API: the credit is changed in place as long as its key stays, and is another credit when the
    /// key changes.
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub key: ItemKey,
    /// Whether it may begin in the past although the contract has or had one like it: what was billed for that time is
    /// then billed again. Without it, such an item is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub backdate: bool,
    /// Product, texts, and the usage that draws the balance down.
    #[serde(flatten)]
    pub balance: Balance,
    /// When how much may be used.
    pub access_schedule: AccessSchedule<Segment>,
    /// Your own fields by their keys, which must be registered in Metronome first; values have at most 200
    /// characters.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub custom_fields: CustomFields,
    /// Which contracts of child customers may use the balance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hierarchy_configuration: Option<BalanceHierarchy>,
    /// NetSuite sales order. Only for accounts that have the field enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netsuite_sales_order_id: Option<Id>,
    /// Order in which balances are drawn down, the lowest first; the API's default is 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Decimal>,
    /// Share of the unused balance that a renewal carries over, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "fraction")]
    pub rollover_fraction: Option<Decimal>,
}

/// Use of a parent customer's balance by its children.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BalanceHierarchy {
    /// Which contracts of children may use the balance.
    pub child_access: ChildAccess,
}

/// Which contracts of child customers may use a balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChildAccess {
    /// `ALL` of them, `NONE`, or those in `contractIds` (`CONTRACT_IDS`).
    pub r#type: ChildAccessType,
    /// IDs of the contracts, with `CONTRACT_IDS` and only then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub contract_ids: Vec<Id>,
}

/// How spend trackers count a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpendTrackerAttributes {
    /// Whether trackers count the purchase as spend at a discount.
    pub counts_as_discounted: bool,
}

api_enums! { "SCREAMING_SNAKE_CASE"
    /// When a commit is paid.
    CommitType {
        /// By its invoice schedule.
        Prepaid,
        /// What is not spent, at the end.
        Postpaid,
    }

    /// Rates at which usage draws a balance down, or that an override changes.
    RateType {
        /// The rate card's rates for usage under a commitment.
        CommitRate,
        /// The rate card's list rates.
        ListRate,
    }

    /// Which contracts of child customers may use a balance.
    ChildAccessType {
        /// All of them.
        All,
        /// None.
        None,
        /// Those that are listed.
        ContractIds,
    }
}

//! Commits and credits of a customer: balances that all of its contracts, or some of them, may use.
//!
//! The fields are those of `POST /v1/contracts/customerCommits/create` and `POST /v1/contracts/customerCredits/create`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    CustomFields, Id,
    commits::{Balance, CommitType},
    schedules::{AccessSchedule, Schedule, Segment},
};
use crate::terms::{
    Decimal,
    text::{ItemKey, TextMap},
};

/// What every commit and credit of a customer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerBalance {
    /// Your stable name of this item, unique in its list. The key that keeps the API from making it twice follows from it
    /// and from the contract's: the item is changed in place as long as its key stays, and is another one when the key
    /// changes.
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub key: ItemKey,
    /// Whether it may begin in the past although the customer had one like it of this contract: what was billed for that
    /// time is then billed again. Without it, such an item is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub backdate: bool,
    /// Product, texts, and the usage that draws the balance down.
    #[serde(flatten)]
    pub balance: Balance,
    /// Order in which balances are drawn down, the lowest first.
    pub priority: Decimal,
    /// IDs of the contracts that may use the balance; all of the customer's when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub applicable_contract_ids: Vec<Id>,
    /// Your own fields by their keys, which must be registered in Metronome first; values have at most 200
    /// characters.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub custom_fields: CustomFields,
    /// NetSuite sales order. Only for accounts that have the field enabled; the API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netsuite_sales_order_id: Option<Id>,
    /// Salesforce opportunity. Only for accounts that have the field enabled; the API cannot change it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salesforce_opportunity_id: Option<Id>,
}

/// An amount that the customer commits to spend across its contracts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerCommit {
    /// What it shares with credits.
    #[serde(flatten)]
    pub terms: CustomerBalance,
    /// `PREPAID` is paid for by the invoice schedule; of `POSTPAID`, what is not spent is invoiced at the end
    /// (true-up). The API ends no `POSTPAID` commit that has begun.
    pub r#type: CommitType,
    /// When how much may be used. A `POSTPAID` commit has exactly one item, whose amount is that of the invoice schedule.
    pub access_schedule: AccessSchedule<Segment>,
    /// ID of the contract on whose invoices the commit is billed; this contract's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_contract_id: Option<Id>,
    /// When the customer is invoiced. Required for `POSTPAID`, with exactly one item, at whose time the
    /// true-up is invoiced; a `PREPAID` commit without it is free of charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_schedule: Option<Schedule>,
}

/// A balance that the customer is given across its contracts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerCredit {
    /// What it shares with commits.
    #[serde(flatten)]
    pub terms: CustomerBalance,
    /// When how much may be used.
    pub access_schedule: AccessSchedule<Segment>,
}

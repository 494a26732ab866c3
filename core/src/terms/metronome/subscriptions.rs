//! Subscriptions: fixed fees for each period.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BillingFrequency, CustomFields, Id, Name, Text, recurring::Rounding};
use crate::terms::{
    Decimal, Timestamp,
    api_enum::api_enums,
    decimal::{non_negative, whole},
    text::{ItemKey, TextMap},
};

/// What every subscription says, of a contract or a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionTerms {
    /// Whether a period is invoiced at its start (`ADVANCE`) or at its end (`ARREARS`).
    pub collection_schedule: CollectionSchedule,
    /// How partial periods are charged.
    pub proration: SubscriptionProration,
    /// Which rate of the rate card is charged.
    pub subscription_rate: SubscriptionRate,
    /// Your own fields by their keys, which must be registered in Metronome first; values have at most 200
    /// characters.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub custom_fields: CustomFields,
    /// Note on the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Quantity at the start. Required with `QUANTITY_ONLY`, and only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub initial_quantity: Option<Decimal>,
    /// Name on invoices; the product's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// Whether the quantity is given as a number (`QUANTITY_ONLY`, the default) or is the number of seats
    /// (`SEAT_BASED`, with `seatConfig`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity_management_mode: Option<QuantityManagementMode>,
    /// Name by which recurring commits and credits of the same request can refer to the subscription; the API
    /// does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_id: Option<Id>,
}

/// A fixed fee for each period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Your stable name of this subscription, unique among the subscriptions of the contract. It never
    /// reaches the billing API: the subscription is changed in place as long as its key stays. The API cannot
    /// remove a subscription; end it with `endingBefore`.
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub key: ItemKey,
    /// Whether it may begin in the past although the contract has or had one like it: what was billed for that time is
    /// then billed again. Without it, such an item is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub backdate: bool,
    /// What is charged.
    #[serde(flatten)]
    pub terms: SubscriptionTerms,
    /// When periods begin, and on which invoice they go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_cycle_config: Option<BillingCycle>,
    /// Moment from which it is no longer charged; a full hour. The contract's end when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<Timestamp>,
    /// Seats. Required with `SEAT_BASED`, and only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat_config: Option<SeatConfig>,
    /// Start of the first period; a full hour. The contract's start when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_at: Option<Timestamp>,
}

/// How partial periods are charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionProration {
    /// When a quantity that rises during a period is invoiced: at once (`BILL_IMMEDIATELY`, only with
    /// `ADVANCE`) or at the end of the period (`BILL_ON_NEXT_COLLECTION_DATE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_behavior: Option<InvoiceBehavior>,
    /// Whether a part of a period costs a part of the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_prorated: Option<bool>,
    /// How prorated amounts are rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<Rounding>,
}

/// A rate of the rate card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionRate {
    /// Length of a period: `MONTHLY`, `QUARTERLY`, `ANNUAL` or `WEEKLY`.
    pub billing_frequency: BillingFrequency,
    /// ID of a product of the subscription type.
    pub product_id: Id,
}

/// When periods begin, and on which invoice they go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BillingCycle {
    /// Date that periods are counted from; a full hour. That of usage invoices when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor_date: Option<Timestamp>,
    /// Whether the fee stands on the usage invoice (`ON_USAGE_INVOICE`, the default) or on one of its own
    /// (`ON_SCHEDULED_INVOICE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_placement: Option<InvoicePlacement>,
}

/// Seats of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatConfig {
    /// IDs of the seats that are taken at the start.
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "set"))]
    pub initial_seat_ids: Vec<Id>,
    /// Property of usage events that holds the seat's ID. It must be a group key of the metrics and products.
    pub seat_group_key: Name,
    /// Number of seats at the start that nobody has taken; none when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "whole")]
    pub initial_unassigned_seats: Option<Decimal>,
}

api_enums! { "SCREAMING_SNAKE_CASE"
    /// When a period is invoiced.
    CollectionSchedule {
        /// At its start.
        Advance,
        /// At its end.
        Arrears,
    }

    /// When a quantity that rises during a period is invoiced.
    InvoiceBehavior {
        /// At once.
        BillImmediately,
        /// At the end of the period.
        BillOnNextCollectionDate,
    }

    /// On which invoice a subscription goes.
    InvoicePlacement {
        /// One of its own.
        OnScheduledInvoice,
        /// The usage invoice.
        OnUsageInvoice,
    }

    /// What the quantity of a subscription is.
    QuantityManagementMode {
        /// The number of seats.
        SeatBased,
        /// A number that is given.
        QuantityOnly,
    }
}

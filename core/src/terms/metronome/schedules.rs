//! Schedules: when a balance may be used, when an invoice is due, and charges that follow one.
//!
//! A contract dates them; a package says how long after the contract's start.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CustomFields, Id, Text};
use crate::terms::{
    Decimal, Timestamp,
    api_enum::api_enums,
    calendar::RelativeTime,
    decimal::non_negative,
    text::{ItemKey, TextMap},
};

/// When how much of a balance may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessSchedule<Item> {
    /// Amounts, each with the time in which it may be used.
    #[schemars(length(min = 1, max = 500))]
    pub schedule_items: Vec<Item>,
    /// Whether use draws down its price (`SPEND`, the default) or its number of units (`QUANTITY`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_type: Option<AccessType>,
    /// ID of the pricing unit of the amounts; USD in cents when left out. Other fiat units count whole units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_type_id: Option<Id>,
}

/// An amount that may be used for some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// Amount in the unit of the schedule's credit type (USD: cents).
    #[schemars(schema_with = "non_negative")]
    pub amount: Decimal,
    /// First moment in which it may be used; a full hour.
    pub starting_at: Timestamp,
    /// Moment from which it no longer may; a full hour.
    pub ending_before: Timestamp,
}

/// An amount that may be used for some time, relative to the contract's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RelativeSegment {
    /// Amount in the unit of the schedule's credit type (USD: cents).
    #[schemars(schema_with = "non_negative")]
    pub amount: Decimal,
    /// How long after the contract's start it may be used.
    pub starting_at_offset: RelativeTime,
    /// For how long it may be used from then on.
    pub duration: RelativeTime,
}

/// When which amounts are invoiced: either `scheduleItems` or a `recurringSchedule`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// ID of the pricing unit of the amounts; USD in cents when left out. Other fiat units count whole units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_type_id: Option<Id>,
    /// Makes no invoice. Only for the invoice schedules of commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub do_not_invoice: Option<bool>,
    /// Items at even intervals. The API turns them into `scheduleItems` when it creates the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurring_schedule: Option<RecurringSchedule>,
    /// Items at given times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub schedule_items: Vec<ScheduleItem>,
}

/// Invoice items at even intervals: an `amount`, or `unitPrice` times `quantity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecurringSchedule {
    /// Whether the amount is that of `EACH` item, or is divided among them, to the cent (`DIVIDED`) or in
    /// rounded parts (`DIVIDED_ROUNDED`).
    pub amount_distribution: AmountDistribution,
    /// Interval of the items: `MONTHLY`, `QUARTERLY`, `SEMI_ANNUAL`, `ANNUAL`, or `WEEKLY`, whose items are written out,
    /// as not every call takes it.
    pub frequency: RecurringFrequency,
    /// Time of the first item; a full hour.
    pub starting_at: Timestamp,
    /// Moment from which there are no more items; a full hour.
    pub ending_before: Timestamp,
    /// Amount in the unit of the schedule's credit type (USD: cents). Not together with `unitPrice` and
    /// `quantity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
    /// Quantity that `unitPrice` is multiplied by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub quantity: Option<Decimal>,
    /// Price of one unit, in the unit of the schedule's credit type (USD: cents).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Decimal>,
}

/// One invoice item: an `amount`, or `unitPrice` times `quantity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleItem {
    /// When it is invoiced; a full hour.
    pub timestamp: Timestamp,
    /// Amount in the unit of the schedule's credit type (USD: cents). Not together with `unitPrice` and
    /// `quantity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
    /// Quantity that `unitPrice` is multiplied by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "non_negative")]
    pub quantity: Option<Decimal>,
    /// Price of one unit, in the unit of the schedule's credit type (USD: cents).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Decimal>,
}

/// One invoice item, relative to the contract's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RelativeScheduleItem {
    /// How long after the contract's start it is invoiced.
    pub date_offset: RelativeTime,
    /// Quantity that `unitPrice` is multiplied by.
    #[schemars(schema_with = "non_negative")]
    pub quantity: Decimal,
    /// Price of one unit, in the unit of the schedule's credit type (USD: cents).
    pub unit_price: Decimal,
}

/// What is charged by a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Charge {
    /// ID of the product that is charged.
    pub product_id: Id,
    /// When how much is charged.
    pub schedule: Schedule,
    /// Your own fields by their keys, which must be registered in Metronome first; values have at most 200
    /// characters.
    #[serde(default, skip_serializing_if = "TextMap::is_empty")]
    pub custom_fields: CustomFields,
    /// Name on invoices; the product's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// NetSuite sales order. Only for accounts that have the field enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netsuite_sales_order_id: Option<Id>,
}

/// A fixed charge, once or several times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledCharge {
    /// Your stable name of this charge, unique among the scheduled charges of the contract. It never reaches
    /// the billing API: the charge is changed in place as long as its key stays, and is another charge when
    /// the key changes.
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub key: ItemKey,
    /// Whether it may begin in the past although the contract has or had one like it: what was billed for that time is
    /// then billed again. Without it, such an item is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("x-countersign-place" = "spec-only"))]
    pub backdate: bool,
    /// What is charged, and when.
    #[serde(flatten)]
    pub charge: Charge,
}

api_enums! { "SCREAMING_SNAKE_CASE"
    /// What use draws down.
    AccessType {
        /// Its price.
        Spend,
        /// Its number of units.
        Quantity,
    }

    /// What the amount of a recurring schedule is the amount of.
    AmountDistribution {
        /// All items together.
        Divided,
        /// All items together, in rounded parts.
        DividedRounded,
        /// Each item.
        Each,
    }

    /// Interval of a recurring schedule.
    RecurringFrequency {
        /// Every month.
        Monthly,
        /// Four times a year.
        Quarterly,
        /// Twice a year.
        SemiAnnual,
        /// Once a year.
        Annual,
        /// Every week.
        Weekly,
    }
}
